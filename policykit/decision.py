"""What a decision is made of: reasons, holds, the assessment, the decision itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

from policykit.order import Order
from policykit.place import Place

HoldKind = Literal["sum", "window", "position", "clear", "gross", "net", "positions"]
OnBreach = Literal["warn", "deny", "reduce_only", "cancel_open", "halt"]


class Hold(NamedTuple):
    """A claim on one counter of the store, with the absolute limit it must fit under; the store knows no policy.

    - `sum`: (use + amount) <= limit; given back when the order is final.
    - `window`: (use inside the window + amount) <= limit. `span_ms` and `fixed` say which window: fixed windows are
      aligned to the exchange's clock, rolling ones end now. Never given back.
    - `position`: `amount` is signed, + for a buy. Buy: high + open buys + amount <= limit; sell:
      open sells + |amount| - low <= limit, where low and high are the worst cases of the position. A fill converts it.
    - `gross`, `net`: the worth of positions in exposure steps (`EXPOSURE_SCALE` of the counter's currency). The store
      keeps their totals (`store/exposure.py`) and moves them with every claim, fill and fact, so such a hold adds
      nothing itself: it asks that (total + |amount|) <= limit; of `net` the total is that of the amount's sign.
    - `positions`: as `gross`, of how many positions other than the counter's own are not flat at their worst.
    - `clear`: at most `limit` intents with an unknown outcome may stand on this counter (`unknown_counter`).
    """

    counter: str
    amount: int
    limit: int
    kind: HoldKind
    check: str
    span_ms: int = 0
    fixed: bool = False


def unknown_counter(account: str, symbol: str, side: str | None) -> str:
    """Name the counter of unknown intents; the store counts it from the intents themselves, engines only ask for it."""
    return f"{account}|unknown|{symbol}|{side}"


def position_counter(account: str, key: str) -> str:
    """Name the counter of one position: `key` is the base asset on spot, the unified symbol on derivatives."""
    return f"{account}|position|{key}"


def asset_owner(account: str, key: str) -> str:
    """Name all that an account holds of an asset; `key` is that of one position (see `position_counter`)."""
    return f"{account}|asset|{key.partition('/')[0]}"


def group_owner(name: str, currency: str) -> str:
    """Name a group of accounts that are counted in one currency."""
    return f"group|{name}|{currency}"


def gross_counter(owner: str) -> str:
    """Name the total of |positions| of an owner: an account, an `asset_owner`, a `group_owner`."""
    return f"{owner}|gross"


def net_counter(owner: str) -> str:
    """Name the totals of long and of short positions of an owner (see `gross_counter`)."""
    return f"{owner}|net"


def positions_counter(account: str, key: str) -> str:
    """Name the count of an account's positions other than the one at `key`."""
    return f"{account}|positions|{key}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a check denied (or, with `on_breach` warn, complained). `observed` and `limit` are text in `unit`."""

    code: str
    check: str
    message: str
    observed: str | None = None
    limit: str | None = None
    unit: str | None = None
    place: Place | None = None
    on_breach: OnBreach = "deny"
    #: True when the check could not be evaluated (no price, stale facts): an error.type on the span.
    failure: bool = False

    def to_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {"code": self.code, "check": self.check, "message": self.message}
        for name in ("observed", "limit", "unit"):
            value = getattr(self, name)
            if value is not None:
                out[name] = value
        if self.place is not None:
            out["place"] = str(self.place)
        if self.failure:
            out["failure"] = True
        return out


#: Tells what is used of counters as of now, None of one that cannot be told here.
Use = Callable[[tuple[Hold, ...]], tuple[int | None, ...]]


class Assessment(NamedTuple):
    """What the engine says: every failing check in a fixed order, and the holds that an allow needs.

    `reduces`: the order can only reduce exposure. `notional`: in the account's currency, exact, for spans and the
    journal; write it with `units.plain` where it leaves the process, not on the order's way.
    """

    reasons: tuple[Reason, ...]
    holds: tuple[Hold, ...]
    reduces: bool
    notional: Decimal | None = None
    warnings: tuple[Reason, ...] = ()


class Candidate(Protocol):
    """What a candidate policy makes of one order (guard/shadow.py). Nothing of it raises."""

    def met(self, holds: tuple[Hold, ...], used: tuple[int, ...]) -> None:
        """Take in what was used of the active policy's holds when the store refused them."""
        ...

    def __call__(self, use: Use) -> dict[str, Any]:
        """Return what its row says of it, on what is used when the row is written."""
        ...


@dataclass(slots=True)
class Decision:
    """A decision that was made and recorded; `id` is also the intent's when an order was allowed."""

    id: str
    outcome: Literal["allow", "deny"]
    mode: Literal["enforce", "shadow"]
    action: str
    order: Order
    policy_name: str
    policy_version: str
    bot: str
    at_ms: int
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    reduces: bool = False
    notional: Decimal | None = None
    seq: int | None = None
    #: How old the facts were that it was made on, seconds; None when there were none.
    facts_age_s: float | None = None
    checks: int = 0
    #: Trace id and span id of the span that was current where the bot asked; None where it had none.
    trace: tuple[int, int] | None = None
    #: The journal row that its facts stood at (`Facts.seq`), and that in which its policy came into force.
    facts_seq: int = -1
    in_force: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    #: What a candidate policy makes of it: the store asks when it writes the row, and adds the answer to `extra`.
    candidate: Candidate | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return "Decision, version 1" of INTERFACE.md."""
        return {
            "version": 1,
            "id": self.id,
            "outcome": self.outcome,
            "mode": self.mode,
            "bot": self.bot,
            "action": self.action,
            "policy": {"name": self.policy_name, "version": self.policy_version},
            "order": self.order.to_dict(),
            "reasons": [reason.to_dict() for reason in self.reasons],
        }
