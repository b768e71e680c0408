"""What people are told of: messages from inside (`notify:`) and alerts from outside (Prometheus) share these causes."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from policykit.model.notify import CRITICAL
from policykit.model.notify import Cause as CauseId

Severity = Literal["critical", "warning"]

#: A day's loss is told from this part of its limit on.
LOSS_SHARE: Final = 0.8
#: Comparisons that may be left out before reconciliation counts as stale.
MISSED: Final = 3
#: A guard that runs and was not heard for so long counts as silent, seconds: a restart takes less.
SILENT_S: Final = 60


class Cause(NamedTuple):
    """One cause: how bad it is, how long it must last before anybody is told (`for_s`), and what to do."""

    id: CauseId
    for_s: int
    title: str
    means: str
    do: str

    @property
    def severity(self) -> Severity:
        """Whether it can wait until somebody looks."""
        return "critical" if self.id in CRITICAL else "warning"


CAUSES: Final = (
    Cause(
        "halt",
        0,
        "trading is stopped",
        "A halt is in force: a person set it, or a limit of the policy did. Exits pass; what increases is denied.",
        "Read who set it and why (policykit status). When that is mended: policykit resume --scope SCOPE --by --why.",
    ),
    Cause(
        "unknown_order",
        30,
        "an order's outcome is unknown",
        "An order was sent and nobody knows whether it executed. Its reservation is kept; increases on its side wait.",
        "Look it up in the exchange's own page, then policykit orders resolve ID --as executed|absent --by --why.",
    ),
    Cause(
        "cannot_decide",
        60,
        "every increase is denied",
        "A guard has no facts to decide on: the exchange, the key, the account or the store is not as it must be.",
        "policykit doctor says which; exits and cancels pass meanwhile.",
    ),
    Cause(
        "guard_silent",
        0,
        "a guard is silent",
        "A guard that ran its maintenance loop was not heard for a minute, and did not say that it ends: the process "
        "died, hangs, or its host is gone. Its open orders stay where they are.",
        "Look at process and host; policykit orders lists what is left. If it is not to come back: policykit kill.",
    ),
    Cause(
        "drift",
        0,
        "the account has what nothing explains",
        "A position, balance or order at the exchange is none of what was sent through policykit: by hand, by another "
        "tool, or by a thief.",
        "policykit reconcile shows each difference. If nobody here did it, the key is stolen: policykit kill --freeze.",
    ),
    Cause(
        "reconcile_stale",
        60,
        "the account was not compared in time",
        "Intended and actual orders and positions were last compared longer ago than the policy lets them be.",
        "policykit reconcile says why; mostly the exchange or the key refuses a read.",
    ),
    Cause(
        "loss",
        0,
        "a loss is near its limit, or at it",
        "At least four fifths of a loss that the policy allows are lost.",
        "Decide now whether to go on: at the limit the policy acts by itself (on_breach).",
    ),
    Cause(
        "key_due",
        0,
        "a key is due",
        "A key reaches the age at which the policy has it replaced, or is past it.",
        "policykit keys plan NAME leads through making its successor.",
    ),
    Cause(
        "policy_rejected",
        0,
        "what was written of the policy is not in force",
        "The policy's file was changed, and the guard refuses it: it does not load, or it is looser.",
        "policykit lint FILE says why. The version before stays in force.",
    ),
    Cause(
        "clock_skew",
        60,
        "the clock is off",
        "The host's clock is further from the exchange's than clock.max_skew: increases are denied.",
        "Look at the host's time service (chronyc tracking, timedatectl).",
    ),
)
BY_ID: Final = {cause.id: cause for cause in CAUSES}
