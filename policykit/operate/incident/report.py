"""The report of an incident in Markdown: for an exchange's support and for the record. No secret is in it.

The timeline is joined from the steps, from what the exchange told of trades and logins, and from this host's journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policykit.clock import iso
from policykit.errors import StoreUnavailable
from policykit.operate.incident.book import ENDED, Book, in_time
from policykit.operate.incident.steps import PHASES, Task
from policykit.operate.incident.text import clock
from policykit.redact import scrub
from policykit.store import open_journal
from policykit.store.base import Row
from policykit.telemetry.words import who

#: How many rows of the journal are looked through, and how many the timeline has.
MAX_ROWS: Final = 200_000
MAX_LINES: Final = 500
#: Rows of the journal that are of an incident whatever they are about.
_KINDS: Final = ("halt", "resume", "exposed", "rotation", "policy", "policy.refused", "address.proof", "ban")


def markdown(book: Book, uri: str | None, account: str | None = None) -> str:
    """Return the report, of all accounts or of one."""
    head, rows = book.head, book.rows()
    accounts = [one for one in head["accounts"] if account in (None, one["account"])]
    mine = [task for task in book.tasks if account in (None, task.account) or not task.account]
    took = book.revoked_ms()
    lived = "not yet" if took is None else f"{clock(took)} ({'within' if in_time(took) else 'over'} ten minutes)"
    if took is not None and book.unproved():
        lived = f"claimed, not proved, after {clock(took)}"
    lines = [
        f"# {'Drill' if head['drill'] else 'Incident'} {book.id}",
        "",
        f"- What: {_cell(head['why'])}",
        f"- Told by: {who(head)}",
        f"- Noticed: {iso(head['detected_ms'])[:19]}Z; may have begun: {head['since']}",
        f"- Acted on from: {iso(head['started_ms'])[:19]}Z",
        f"- From detection to revocation: {lived}",
        f"- State: {head['state']}",
        "",
        "## Accounts and keys",
        "",
    ]
    for one in accounts:
        keys = ", ".join(f"{key['name']}{' (leaked)' if key['leaked'] else ''}" for key in one["keys"])
        lines.append(f"- {one['account']} on {one['exchange']}: {_cell(keys) or 'no key is named'}")
    lines += ["", "## What was done", "", "| after | step | of | state | what came of it |", "|---|---|---|---|---|"]
    for task in mine:
        row = rows.get(task.id)
        if row is not None:
            after = clock(int(row.get("ended_ms", row["at_ms"] - head["started_ms"])))
            whose = " ".join(part for part in (task.account, task.key) if part) or "all"
            lines.append(f"| {after} | {task.step.id} | {_cell(whose)} | {row['state']} | {_cell(row['words'])} |")
    found = [(task, rows[task.id]) for task in mine if rows.get(task.id, {}).get("lines")]
    if found:
        lines += ["", "## What was found"]
        for task, row in found:
            lines += ["", f"### {_cell(task.what)}", "", *(f"- {_cell(one)}" for one in row["lines"])]
    lines += [
        "",
        "## Timeline (UTC)",
        "",
        *(f"- {at} {words}" for at, words in _timeline(book, mine, rows, uri, accounts)),
    ]
    left = [task for task in mine if rows.get(task.id, {}).get("state") not in ENDED]
    if left:
        lines += ["", "## Still open", ""]
        lines += [f"- {PHASES[task.step.phase]}: {_cell(task.what)}" for task in left]
    lines += ["", "## What we ask of you", "", *_asked(accounts)]
    return scrub("\n".join(lines)) + "\n"


def _asked(accounts: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"{number}. {words}"
        for number, words in enumerate(
            (
                "Freeze withdrawals of "
                + ", ".join(str(one["account"]).partition("/")[2] for one in accounts)
                + " until we lift it together.",
                "Keep the logs of logins and API requests since the moment above, with addresses, and send them.",
                "Tell us of every key, sub-account and withdrawal address that was made since then.",
            ),
            1,
        )
    ]


def _timeline(
    book: Book,
    mine: list[Task],
    rows: Mapping[str, Mapping[str, Any]],
    uri: str | None,
    accounts: list[Mapping[str, Any]],
) -> list[tuple[str, str]]:
    head = book.head
    found = [
        (iso(head["detected_ms"])[:19], "noticed"),
        (iso(head["started_ms"])[:19], f"incident started by {head['by']}"),
    ]
    for task in mine:
        row = rows.get(task.id)
        if row is None:
            continue
        subject = " ".join(part for part in (task.account, task.key) if part)
        found.append((iso(int(row["at_ms"]))[:19], _cell(f"{task.step.id} {subject}: {row['state']}: {row['words']}")))
        if task.step.id in ("history", "activity"):  # their lines begin with their moment
            found += [(line[:19], f"AT THE EXCHANGE, {subject}: {_cell(line[20:])}") for line in row.get("lines") or ()
                      if line[10:11] == "T"]  # fmt: skip
    told, found = sorted(_journaled(book, uri, {str(one["account"]) for one in accounts})), sorted(found)[:MAX_LINES]
    kept = told[max(0, len(told) + len(found) - MAX_LINES) :]  # the oldest go: what was done must not
    if gone := len(told) - len(kept):
        found.append((told[gone - 1][0], f"{gone} rows of the journal up to here are left out"))
    return sorted(found + kept)


def _journaled(book: Book, uri: str | None, accounts: set[str]) -> Iterator[tuple[str, str]]:
    try:
        journal = open_journal(uri)
        first = journal.first_at(int(book.head["since_ms"]))
        for row in journal.rows((first or 1) - 1, MAX_ROWS) if first is not None else ():
            words = _words(row, accounts)
            if words:
                yield iso(row.at_ms)[:19], f"journal {row.seq}: {_cell(words)}"
    except StoreUnavailable as error:
        yield iso(book.clock.now_ms())[:19], f"the journal of this host could not be read on: {scrub(str(error))}"


def _words(row: Row, accounts: set[str]) -> str:
    """Return what a row of the journal tells of the accounts; empty: nothing of use here."""
    body = row.body
    if row.kind in _KINDS:
        scope = str(body.get("scope") or body.get("account") or "")
        whose = scope.removeprefix("account:")
        if "/" in whose and whose not in accounts:
            return ""
        return " ".join(str(part) for part in (row.kind, scope, body.get("name") or "", body.get("by") or "",
                                               body.get("why") or "") if part)  # fmt: skip
    if row.kind == "reconcile" and body.get("account") in accounts and body.get("foreign_orders"):
        return f"reconcile {body['account']}: {body['foreign_orders']} orders that are not ours"
    intent = body.get("intent")
    if row.kind == "decision" and isinstance(intent, Mapping) and intent.get("account") in accounts:
        order = intent.get("order") or {}
        return (
            f"our order {intent.get('client_order_id')}: {order.get('symbol')} {order.get('side')} "
            f"{order.get('quantity')} by bot {intent.get('bot')}"
        )
    return ""


def _cell(text: Any) -> str:
    """Return text that breaks no table and is no markup of its own; a picture would tell its owner who reads this."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(text))
    shown = " ".join(plain.split()).replace("|", "/")
    return shown.replace("<", "&lt;").replace("[", "&#91;").replace("`", "'")
