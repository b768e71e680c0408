"""Words that the journal's views share: an order, a number, a time, and whether the chain holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from policykit.clock import iso
from policykit.redact import scrub
from policykit.store.base import Row
from policykit.store.reader import JournalDamaged, JournalReader

#: What is not seen, is obeyed by a terminal or turns the reading direction: written as its code, to mislead nobody.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def seen(text: str) -> str:
    """Return text with what is hidden in it written as its code: a tab and the end of a line stay."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: object) -> str:
    """Return a text with foreign words as one line: it forges no other, and a terminal obeys none of it."""
    return seen(" ".join(str(text).splitlines()))


def order_text(order: Mapping[str, Any], *, symbol: bool = True) -> str:
    """Return `BTC/USDT buy limit 0.010 @ 60,000`."""
    words = [str(order[name]) for name in ("symbol", "side", "type") if name in order and (symbol or name != "symbol")]
    if "quantity" in order:
        words.append(grouped(order["quantity"]))
    elif "quote_quantity" in order:
        words.append(f"for {grouped(order['quote_quantity'])}")
    if "price" in order:
        words.append(f"@ {grouped(order['price'])}")
    if "stop_price" in order:
        words.append(f"stop {grouped(order['stop_price'])}")
    if order.get("reduce_only"):
        words.append("reduce-only")
    return " ".join(words)


def grouped(number: Any) -> str:
    """Write decimal text with thousands apart: 60000.50 as 60,000.50; anything else as it is."""
    try:
        return f"{Decimal(str(number)):,f}"
    except InvalidOperation:
        return str(number)


def who(body: Mapping[str, Any]) -> str:
    """Say who did what a row tells: `alice (claimed; user deploy, on host-1, pts/3)`, or the name alone."""
    claim = body.get("claim")
    if not isinstance(claim, Mapping):
        return str(body.get("by"))
    proof = f"signed with {claim.get('key')}" if claim.get("proof") == "signed" else "claimed"
    login = f", logged in as {claim['login']}" if claim.get("login") else ""
    terminal = claim.get("tty") or "no terminal"
    return f"{claim.get('name')} ({proof}; user {claim.get('os_user')}{login}, on {claim.get('host')}, {terminal})"


def filled(quantity: Any, order: Mapping[str, Any]) -> str:
    """Return `filled 0.007 of 0.010`."""
    of = f" of {grouped(order['quantity'])}" if "quantity" in order else ""
    return f"filled {grouped(quantity)}{of}"


def looked_up(body: Mapping[str, Any]) -> str:
    """Return what a look-up that proved nothing says: `not visible; fence at 10:00:16.500`."""
    missing = "not visible" if body.get("asked", True) else "the exchange gave no answer"
    return missing if body.get("fence_ms") is None else f"{missing}; fence at {clock(body['fence_ms'])}"


def clock(at_ms: int) -> str:
    """Return the time of day: 10:00:00.000."""
    return iso(at_ms)[11:23]


def moment(at_ms: int) -> str:
    """Return date and time to the second."""
    return iso(at_ms)[:19].replace("T", " ")


def pruned(journal: JournalReader) -> list[dict[str, Any]]:
    """Return each time that rows were pruned: which, when, by whom, and where they are."""
    return [
        {"first": row.body.get("first", 1), "last": row.body["through"], "at": iso(row.at_ms)}
        | {name: row.body.get(name) for name in ("by", "archive", "hash")}
        for row in _prunings(journal)
    ]


def pruned_text(one: Mapping[str, Any]) -> str:
    """Return `rows 1 to 9 were pruned at T by WHO, archived in FILE, hash H`."""
    where = f"archived in {one['archive']}" if one["archive"] else "archived nowhere"
    which = f"rows {one['first']:,} to {one['last']:,} were pruned at {one['at']} by {one['by']}"
    return one_line(scrub(f"{which}, {where}, hash {one['hash']}"))


def _prunings(journal: JournalReader) -> list[Row]:
    """Return the rows of prunings, oldest first: the newest is in the journal, the others were carried on."""
    base = journal.base()
    try:
        carried = journal.carried()
        newest = journal.row(base.row) if base.row else None
    except JournalDamaged:
        return []
    return [row for row in (*carried, newest) if row is not None and row.kind == "prune"]


def verdict(store: str, good: int, problem: str | None, journal: JournalReader) -> dict[str, Any]:
    """Return what `journal verify` says of one file, version 1; `good` is the last row that holds."""
    head = journal.newest() if problem is None else None
    newest = None if head is None else {"seq": head.seq, "at": iso(head.at_ms), "hash": head.hash}
    out = {"version": 1, "store": store, "intact": problem is None, "rows": max(0, good - journal.base().seq)}
    out |= {"problem": None if problem is None else scrub(problem), "newest": newest}
    return out | {"first": journal.base().seq + 1, "pruned": pruned(journal)}


def verdict_text(said: Mapping[str, Any]) -> str:
    """Return the verdict in words."""
    if not said["intact"]:
        return (
            f"{said['store']}: BROKEN after {said['rows']:,} good rows: {said['problem']}\n"
            "keep a copy of the file as it is, find out who changed it, and start on a new store; "
            "orders that are open need `policykit reconcile`"
        )
    if said["newest"] is None:
        return f"{said['store']}: intact, and empty"
    newest = said["newest"]
    begins = "" if said["first"] == 1 else f" from row {said['first']:,} on"
    lines = [f"{said['store']}: intact, {said['rows']:,} rows read{begins}, the chain holds"]
    lines += [pruned_text(one) for one in said["pruned"]]
    return "\n".join([*lines, f"newest row {newest['seq']:,} of {newest['at']}, hash {newest['hash']}"])
