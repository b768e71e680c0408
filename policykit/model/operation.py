"""`kill_switch`, `dead_man_switch` and `reconciliation`: what stops trading, and what notices that it should."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from policykit.model.base import IDENTITY, LOWER, NEUTRAL, ON_BREACH, SECTION, SUBSET, TRUE, Meta, Section, ordered
from policykit.model.loss_limits import OnBreach
from policykit.model.rate import CountWindow
from policykit.model.types import Bounds, DurationText, IdPattern, Line, Name, Person, Switch, SymbolPattern
from policykit.units import Duration

#: How often orders, and positions, are compared where a policy says nothing.
COMPARED_EVERY: Final = Duration(60_000)


class Rearm(Section):
    """Who may end a halt, and how."""

    by: Annotated[
        tuple[Person, ...] | None,
        Meta("The persons or roles who may.", SUBSET, guide=("G37",), held_by=("guard:halt", "rule:PK7xx")),
    ] = None
    reason_required: Annotated[
        Switch, Meta("Whether a reason must be given.", TRUE, guide=("G37",), held_by=("guard:halt",))
    ] = True


class Triggers(Section):
    """What trips the kill switch by itself, beside every limit whose `on_breach` is `halt` (losses, drawdown, drift).

    Each halts the account, which latches. They count over every process of the store.
    """

    rejects: Annotated[
        CountWindow | None,
        Meta(
            "The most orders that the exchange may refuse in a rolling window; one more halts.",
            SECTION,
            guide=("G37",),
            held_by=("guard:triggers",),
        ),
    ] = None
    unknowns: Annotated[
        CountWindow | None,
        Meta(
            "The most orders whose outcome may become unknown in a rolling window; one more halts.",
            SECTION,
            guide=("G37", "G38"),
            held_by=("guard:triggers",),
        ),
    ] = None
    stale_data: Annotated[
        DurationText | None,
        Meta(
            "How long the account may go unread while maintenance runs, no less than account.max_age; longer halts.",
            LOWER,
            unit="duration",
            guide=("G37",),
            held_by=("guard:triggers",),
        ),
    ] = None


class KillSwitch(Section):
    """What `policykit kill` does, and what else pulls it."""

    cancel: Annotated[
        Literal["entries", "all"],
        Meta("What is cancelled: orders that can increase, or protective ones too.", NEUTRAL, guide=("G37",)),
    ] = "entries"
    wait: Annotated[
        DurationText | None,
        Meta("How long a halt waits for sends that no gate watches.", NEUTRAL, unit="duration", guide=("G37",)),
    ] = None
    file: Annotated[
        Line | None,
        Meta(
            "A file whose existence halts the account (from this file's folder, unless absolute); removing it resumes "
            "nothing. POLICYKIT_KILL_FILE names another.",
            NEUTRAL,
            guide=("G37",),
            held_by=("guard:cords",),
        ),
    ] = None
    triggers: Annotated[Triggers | None, Meta("What trips it by itself.", SECTION, guide=("G37",))] = None
    rearm: Annotated[Rearm | None, Meta("Who may end a halt.", SECTION, guide=("G37",))] = None
    drill_every: Annotated[
        DurationText | None,
        Meta("The longest time between two drills.", LOWER, unit="duration", guide=("G37",), held_by=("rule:PK7xx",)),
    ] = None


class DeadManSwitch(Section):
    """Orders that the exchange cancels when it no longer hears from us."""

    timeout: Annotated[
        DurationText,
        Meta(
            "The silence after which it cancels.",
            LOWER,
            unit="duration",
            guide=("G37",),
            held_by=("guard:dead_man", "rule:PK721"),
        ),
    ]
    refresh: Annotated[
        DurationText,
        Meta(
            "How often it hears from us.",
            LOWER,
            unit="duration",
            guide=("G37",),
            held_by=("guard:dead_man", "rule:PK721"),
        ),
    ]


class Elsewhere(Section):
    """Orders that somebody else sends on the same account, and that are expected: by hand, another tool."""

    item_key: ClassVar[str] = "name"

    name: Annotated[Name, Meta("Who sends them.", IDENTITY, guide=("G30",), held_by=("guard:reconciliation",))]
    client_order_ids: Annotated[
        IdPattern | None,
        Meta("How their client order ids look; absent: any.", IDENTITY, guide=("G30",), held_by=("section",)),
    ] = None
    symbols: Annotated[
        tuple[SymbolPattern, ...] | None,
        Meta("On which symbols; absent: on all.", IDENTITY, guide=("G30",), held_by=("section",)),
    ] = None
    why: Annotated[Line | None, Meta("Why they are there.", NEUTRAL)] = None


class Reconciliation(Section):
    """Intended against actual orders and positions."""

    on_start: Annotated[
        Literal["optional", "required"],
        Meta(
            "Whether the first increase waits until what an earlier run left was looked up, and the account was read.",
            ordered("optional", "required"),
            guide=("G30",),
            held_by=("guard:recovery", "rule:PK7xx"),
        ),
    ] = "required"
    orders_every: Annotated[
        DurationText | None,
        Meta(
            "How often orders are compared.", LOWER, unit="duration", guide=("G30",), held_by=("guard:reconciliation",)
        ),
    ] = None
    positions_every: Annotated[
        DurationText | None,
        Meta(
            "How often positions are compared.",
            LOWER,
            unit="duration",
            guide=("G30",),
            held_by=("guard:reconciliation",),
        ),
    ] = None
    tolerance: Annotated[
        Bounds | None,
        Meta(
            "The largest unexplained difference.",
            LOWER,
            unit="amount or share of equity",
            guide=("G30",),
            held_by=("guard:reconciliation", "check:reconciliation.tolerance"),
        ),
    ] = None
    on_breach: Annotated[
        OnBreach,
        Meta("What happens beyond it.", ON_BREACH, guide=("G30",), held_by=("check:reconciliation.tolerance",)),
    ] = "reduce_only"
    others: Annotated[
        tuple[Elsewhere, ...] | None,
        Meta(
            "Orders from elsewhere that are expected.",
            SUBSET,
            guide=("G30",),
            held_by=("guard:reconciliation",),
            absent=(),
        ),
    ] = None
