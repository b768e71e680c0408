"""What this version enforces at run time: the checks and parts of the guard that are there, for both roads to read.

The engine denies increases under a policy that sets what nothing holds; lint says so before. A test holds `CHECKS`
equal to the engine's registry.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

from policykit.model.base import Meta, Section, metas
from policykit.model.policy import Policy

_CHECK: Final = "check:"
_GUARD: Final = "guard:"
#: Checks that only bind a live environment.
_LIVE_ONLY: Final = "check:key."
#: The parts of the guard that are there. `recovery` looks up what an earlier run left before the first increase;
#: nothing compares positions (`reconciliation`), feeds a dead man's switch, caps connects or keeps a stage's evidence.
GUARD_PARTS: Final = frozenset(("client", "gate", "halt", "orders", "recovery", "store"))
#: The engine's checks that hold a field of the language.
CHECKS: Final = frozenset(
    (
        "account.max_age",
        "clock.max_skew",
        "rate_budgets",
        "risk.daily_loss",
        "risk.max_leverage",
        "risk.max_open_orders",
        "risk.max_order_notional",
        "risk.max_orders",
        "risk.max_position_notional",
        "risk.order_types",
        "risk.price_collar",
        "risk.symbols",
        "stage.current",
    )
)


class Unheld(NamedTuple):
    """A limit that nothing holds: where it is said, and what would hold it (`check:ID`, `guard:PART`)."""

    path: str
    holder: str


def missing(holder: str, checks: Container[str] = CHECKS) -> bool:
    """Tell whether a holder (`check:ID`, `guard:PART`; a rule never) is one that this version does not have."""
    if holder.startswith(_CHECK):
        return holder.removeprefix(_CHECK) not in checks
    return holder.startswith(_GUARD) and holder.removeprefix(_GUARD) not in GUARD_PARTS


def unheld(policy: Policy, written: Container[str], checks: Container[str] = CHECKS) -> Iterator[Unheld]:
    """Yield every limit that a policy sets and nothing holds. `written`: the paths that a file says."""
    live = policy.environment == "live"
    for found in _unheld(policy, written, checks, ""):
        if live or not found.holder.startswith(_LIVE_ONLY):
            yield found


def _unheld(section: Section, written: Container[str], checks: Container[str], path: str) -> Iterator[Unheld]:
    for name, meta in metas(type(section)).items():
        value = getattr(section, name)
        at = f"{path}.{name}" if path else name
        if _asks(section, name, meta, at in written):
            yield from (Unheld(at, holder) for holder in meta.held_by if missing(holder, checks))
        if isinstance(value, Section):
            yield from _unheld(value, written, checks, at)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(item, Section):
                    yield from _unheld(item, written, checks, f"{at}.{key}")


def _asks(section: Section, name: str, meta: Meta, written: bool) -> bool:
    """Tell whether a policy asks for something here: a value that is no unwritten default, and not the loosest word."""
    value: Any = getattr(section, name)
    said = written or value != type(section).model_fields[name].default
    return value is not None and said and (meta.strictness.kind != "ordered" or value != meta.strictness.order[0])
