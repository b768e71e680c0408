"""`retry`: what happens after a send without an answer, a failed read, a lost connection."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from policykit.model.base import HIGHER, LOWER, NEUTRAL, SECTION, Meta, Section, ordered
from policykit.model.rate import CountWindow
from policykit.model.types import DurationText, NumberText, PositiveCount
from policykit.units import Duration

Jitter = Literal["none", "equal", "full"]
_JITTER = ordered("none", "equal", "full")


class OrderRetry(Section):
    """Orders: looked up first, sent again only behind the fence, always as a new decision."""

    lookup_every: Annotated[
        DurationText | None,
        Meta("How often an unknown order is looked up.", NEUTRAL, unit="duration", guide=("G26",)),
    ] = None
    when_absent: Annotated[
        Literal["new_client_order_id", "hold"],
        Meta(
            "What follows when it is proved absent: sent again under a new id, or held for a person.",
            ordered("new_client_order_id", "hold"),
            guide=("G26", "G38"),
            held_by=("guard:orders", "rule:PK505"),
            absent="hold",
        ),
    ] = "hold"
    attempts: Annotated[
        PositiveCount | None,
        Meta(
            "The most sends of one intent, the first included.",
            LOWER,
            unit="count",
            held_by=("guard:orders", "rule:PK501"),
            absent=1,
        ),
    ] = None
    expires_after: Annotated[
        DurationText | None,
        Meta(
            "The oldest intent that is sent again.",
            LOWER,
            unit="duration",
            held_by=("guard:orders", "rule:PK506"),
            absent=Duration(30_000),
        ),
    ] = None
    wait: Annotated[
        DurationText | None,
        Meta(
            "How long a call waits for an unknown order; by default the fence and one look-up.",
            NEUTRAL,
            unit="duration",
        ),
    ] = None


class DataRetry(Section):
    """Reads: exponential back-off with jitter."""

    wait_initial: Annotated[
        DurationText | None,
        Meta(
            "The first wait.",
            HIGHER,
            unit="duration",
            guide=("G27",),
            held_by=("guard:reads", "rule:PK503"),
            absent=Duration(500),
        ),
    ] = None
    factor: Annotated[
        NumberText | None,
        Meta(
            "What each wait is multiplied by.",
            HIGHER,
            unit="times",
            guide=("G27",),
            held_by=("guard:reads", "rule:PK503"),
            absent=Decimal(2),
        ),
    ] = None
    wait_max: Annotated[
        DurationText | None,
        Meta("The longest wait, also of a read that is over its budget.", NEUTRAL, unit="duration", guide=("G27",)),
    ] = None
    jitter: Annotated[
        Jitter | None,
        Meta(
            "How much of a wait is random.",
            _JITTER,
            guide=("G27",),
            held_by=("guard:reads", "rule:PK503"),
            absent="full",
        ),
    ] = None
    attempts: Annotated[
        PositiveCount | None,
        Meta(
            "The most tries of one read.",
            LOWER,
            unit="count",
            guide=("G27",),
            held_by=("guard:reads", "rule:PK503"),
            absent=5,
        ),
    ] = None


class Reconnect(Section):
    """Streams: exponential back-off with jitter, and a cap on connects."""

    wait_initial: Annotated[
        DurationText | None,
        Meta(
            "The wait before the first try after a loss; 1 s if absent.",
            HIGHER,
            unit="duration",
            guide=("G39",),
            held_by=("guard:streams", "rule:PK5xx"),
            absent=Duration(1_000),
        ),
    ] = None
    factor: Annotated[
        NumberText | None,
        Meta(
            "What each wait is multiplied by; 2 if absent.",
            HIGHER,
            unit="times",
            guide=("G39",),
            held_by=("guard:streams", "rule:PK5xx"),
            absent=Decimal(2),
        ),
    ] = None
    wait_max: Annotated[
        DurationText | None,
        Meta(
            "The longest wait, and how long a connection must live for the waits to begin anew; 60 s if absent.",
            NEUTRAL,
            unit="duration",
            guide=("G39",),
        ),
    ] = None
    jitter: Annotated[
        Jitter | None,
        Meta(
            "How much of a wait is random: nothing, its half, or all of it (the default).",
            _JITTER,
            guide=("G39",),
            held_by=("guard:streams", "rule:PK5xx"),
            absent="full",
        ),
    ] = None
    max_per: Annotated[
        CountWindow | None,
        Meta(
            "The most connects in a window, of every process of the store behind one address (or of one account, where "
            "the exchange does not count by address).",
            SECTION,
            guide=("G39",),
            held_by=("check:retry.reconnect.max_per",),
        ),
    ] = None


class Retry(Section):
    """The three kinds of retry."""

    orders: Annotated[
        OrderRetry | None, Meta("Orders without an answer.", SECTION, guide=("G26", "G28", "G31", "G32"))
    ] = None
    data: Annotated[DataRetry | None, Meta("Reads that failed.", SECTION, guide=("G27",))] = None
    reconnect: Annotated[Reconnect | None, Meta("Streams that broke.", SECTION, guide=("G39",))] = None
