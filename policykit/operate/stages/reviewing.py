"""What a person has to look at: every fill of a micro-live stage, every kind of denial. A review is a row of its own.

It says up to which row of the journal was looked at; what comes behind is open again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from policykit.clock import iso
from policykit.operate.person import Person
from policykit.policy import EffectivePolicy
from policykit.store import Row, Store
from policykit.store.staging import Progress, Staging, read_all, silent, stage_account
from policykit.units import plain

#: Kinds of denials, and fills, that are listed at once; what is beyond comes with the next review.
MAX_LISTED: Final = 1_000
#: What a review can be of.
REVIEWS: Final = ("policy", "denials", "fills", "telemetry")


@dataclass(slots=True)
class Denials:
    """Denials of one kind: for one reason, on one symbol."""

    code: str
    check: str
    symbol: str
    count: int
    first_ms: int
    last_ms: int
    example: str
    message: str
    place: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        names = ("code", "check", "symbol", "count", "example", "message", "place")
        said = {name: getattr(self, name) for name in names}
        return said | {"first": iso(self.first_ms), "last": iso(self.last_ms)}

    def __str__(self) -> str:
        often = "once" if self.count == 1 else f"{self.count:,} times"
        lines = [f"{self.code} {self.symbol}: {often}, {iso(self.first_ms)[:16]} to {iso(self.last_ms)[:16]}"]
        lines += [f"  {self.message}", f"  {self.place}  policykit journal show {self.example}"]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill, or one more part of an order's: `quantity` is what is filled of it in all."""

    seq: int
    at_ms: int
    order: str
    symbol: str
    side: str
    quantity: str
    price: str | None
    limit: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        names = ("seq", "order", "symbol", "side", "quantity", "price", "limit")
        return {name: getattr(self, name) for name in names} | {"at": iso(self.at_ms)}

    def __str__(self) -> str:
        at = "at a price that is not known" if self.price is None else f"at {self.price}"
        limit = f", limit {self.limit}" if self.limit else ""
        when = iso(self.at_ms)[:19].replace("T", " ")
        return f"{when}  {self.side} {self.quantity} {self.symbol} {at}{limit}  (order {self.order}, row {self.seq})"


@dataclass(slots=True)
class Open:
    """What nobody has looked at yet. `through`: up to which row of the journal it was looked for."""

    denials: dict[tuple[str, str], Denials] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    through: int = 0
    #: The row before the first that is not listed any more; 0: all are.
    cut: int = 0

    @property
    def last(self) -> int:
        """Return the row up to which everything is listed."""
        return self.cut or self.through


def left(store: Store, policy: EffectivePolicy, what: str, progress: Progress = silent) -> Open:
    """Return what is open of the denials, or of the fills, of a policy. Raise StoreUnavailable."""
    done = int(reviews(store, policy).get(what, {}).get("through", 0))
    found, staging = Open(), Staging(policy)

    def tell(kind: str, row: Row, order: Mapping[str, Any]) -> None:
        if kind == what.removesuffix("s") and row.seq > done and not found.cut:
            full = len(found.fills if kind == "fill" else found.denials) >= MAX_LISTED
            key = _key(row, order) if kind == "denial" else ("", "")
            if full and key not in found.denials:
                found.cut = row.seq - 1
            elif kind == "fill":
                found.fills.append(_fill(row, order))
            else:
                _count(found, key, row)

    staging.tell = tell
    read_all(staging, store, progress)
    found.through = staging.read
    return found


def _key(row: Row, order: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.body["decision"]["reasons"][0]["code"]), str(order.get("symbol", ""))


def _count(found: Open, key: tuple[str, str], row: Row) -> None:
    decision = row.body["decision"]
    reason = decision["reasons"][0]
    known = found.denials.get(key)
    if known is not None:
        known.count, known.last_ms = known.count + 1, row.at_ms
        return
    place = str(reason.get("place", ""))
    found.denials[key] = Denials(
        key[0], reason["check"], key[1], 1, row.at_ms, row.at_ms, decision["id"], reason["message"], place
    )


def _fill(row: Row, order: Mapping[str, Any]) -> Fill:
    body = row.body
    filled = Decimal(body["filled"])
    price = plain(round(Decimal(body["cost"]) / filled, 8).normalize()) if "cost" in body else None
    said = order.get("price")
    return Fill(
        row.seq,
        row.at_ms,
        body["intent"],
        str(order.get("symbol", "")),
        str(order.get("side", "")),
        body["filled"],
        price,
        None if said is None else str(said),
    )


def reviews(store: Store, policy: EffectivePolicy) -> dict[str, Mapping[str, Any]]:
    """Return the last review of each kind, of a policy. Raise StoreUnavailable."""
    rows = store.kept(stage_account(policy), "review")
    return {what: rows[name] for what in REVIEWS if (name := f"{what}:{policy.name}") in rows}


def reviewed(
    store: Store, policy: EffectivePolicy, what: str, by: Person, now_ms: int, note: str = "", **more: Any
) -> None:
    """Write down that a person looked: `through` is the last row of the journal that was looked at."""
    body = {"by": by.name, "claim": by.to_dict(), "version": policy.version, "result": "passed", **more}
    store.keep(
        stage_account(policy), "review", f"{what}:{policy.name}", body | ({"note": note} if note else {}), now_ms
    )


def render(rows: Mapping[str, Mapping[str, Any]], policy: EffectivePolicy, now_ms: int) -> Iterator[str]:
    """Yield what `policykit review status` prints."""
    yield f"{policy.name} on {policy.account_key}"
    for what in REVIEWS:
        row = rows.get(what)
        done = "never" if row is None else f"{iso(row['at_ms'])[:10]} by {row['by']}"
        yield f"  {what}: {done}{_due(what, row, policy, now_ms)}"


def _due(what: str, row: Mapping[str, Any] | None, policy: EffectivePolicy, now_ms: int) -> str:
    every = policy.model.review.every if policy.model.review else None
    if what != "policy" or every is None:
        return ""
    if row is None or now_ms - row["at_ms"] > every.ms:
        return f", overdue: every {every} (policykit review done {policy.file} --by NAME)"
    return f", next by {iso(row['at_ms'] + every.ms)[:10]}"
