"""From a policy to its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policykit.engine.checks import all_checks
from policykit.engine.engine import Engine
from policykit.engine.setup import Setup
from policykit.traits.base import Exchange

if TYPE_CHECKING:
    from policykit.policy import EffectivePolicy


def compile_policy(
    effective: EffectivePolicy,
    traits: Exchange | None,
    key: str | None = None,
    host: str = "",
    *,
    paper: bool = False,
) -> Engine:
    """Compile every limit that the policy sets; absent ones cost nothing. Every policy that loads compiles.

    `traits` None: nothing is known of the exchange, so only an observed position proves a reduction. `key`: the key
    that orders are signed with, for budgets of a key; without it they are counted by account. `host`: from which
    they are sent, for the proof that the key works from there. `paper`: orders are simulated, and none is sent.
    """
    setup = Setup(effective, traits, key, host, paper=paper)
    compiled = (check.compile(setup) for check in all_checks())
    return Engine(setup, tuple(check for check in compiled if check is not None))
