"""Begin an incident: what it is about, its record, and the first thing that a person reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import StoreUnavailable
from policykit.operate.incident import text
from policykit.operate.incident.book import Book, ident_of, new_head, store_or_none
from policykit.operate.incident.subjects import accounts_of
from policykit.redact import scrub

_DAY_MS: Final = 86_400_000


def new(
    clock: Clock,
    paths: Sequence[str],
    keys: Sequence[str],
    by: Mapping[str, str],
    endpoints: Sequence[str],
    options: Mapping[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Return the head of a new incident, not written yet, and which policies could not be read; `by` is the claim.

    No store and no network is asked. Raise NoSubject for keys that cannot be found or told apart, ValueError for a bad
    snapshot.
    """
    now = clock.now_ms()
    accounts, problems = accounts_of(
        paths,
        keys,
        everything=options["everything"],
        one_each=options.get("one_each", False),
        exchange=options["exchange"],
        master=options["master"] or "",
    )
    detected = min(options["detected"] or now, now)
    at = {
        "started_ms": now,
        "detected_ms": detected,
        "since_ms": options["since"] or detected - _DAY_MS,
        "freeze": options["freeze"],
        "keep_exits": options["keep_exits"],
        "sub_account": options["sub_account"] or "",
        "drill": bool(options.get("drill")),
        "endpoints": list(endpoints),
        "known_addresses": _addresses(options["good"]),
    }
    return new_head(ident_of(now), accounts, by=by["name"], why=options["why"], claim=by, at=at), problems


def opening(head: Mapping[str, Any], problems: Sequence[str]) -> str:
    """Return what is printed before anything else is done."""
    return "\n".join([text.opening(head), *(f"  not read: {one.splitlines()[0]}" for one in problems)])


def opened(clock: Clock, uri: str | None, head: dict[str, Any]) -> Book:
    """Open the store and write that it began; a store that cannot be reached is said in `unwritten`, and goes on."""
    store, broken = store_or_none(uri)
    book = Book(store, clock, head)
    book.unwritten = broken
    _begin(book)
    return book


def _begin(book: Book) -> None:
    """Write that it began, and that its keys may be in other hands: they are overdue at once (G19)."""
    from policykit.operate.keys.exposed import open_since

    book.begin()
    head = book.head
    row = {"by": head["by"], "why": head["why"], "claim": head["claim"], "result": f"incident {book.id}"}
    for account in head["accounts"]:
        for key in account["keys"]:
            try:
                marked = head["drill"] or not key["leaked"] or open_since(book.store, account["account"], key["name"])
                if not marked:  # a second mark would make it younger
                    book.store.keep(account["account"], "exposed", key["name"], row, book.clock.now_ms())
            except StoreUnavailable as error:
                book.unwritten = scrub(str(error))


def _addresses(path: Path | None) -> list[str]:
    """Return the withdrawal addresses of a snapshot that was good. Raise ValueError for no snapshot."""
    if path is None:
        return []
    from policykit.snapshot import from_dict

    rows = from_dict(json.loads(path.read_text(encoding="utf-8"))).withdrawal_addresses
    return [str(row.get("address")) for row in rows or ()]
