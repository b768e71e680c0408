"""The overview: what the journal and the store tell, put into the plain data that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.dashboard import filters, limits, trading, words
from policykit.dashboard.filters import Filters
from policykit.dashboard.index import Index
from policykit.dashboard.queries import Denial as Denied
from policykit.dashboard.recent import Recent
from policykit.dashboard.trading import Guarding, Trading, Unknown
from policykit.dashboard.view import Bucket, Candidate, Count, Denial, Figure, Latency, Note, Overview, Totals
from policykit.guard.monitoring import idle
from policykit.store import Store as AnyStore
from policykit.store.base import Row
from policykit.store.reader import JournalReader
from policykit.telemetry.words import moment, order_text

#: Denials on one page, and how many are looked at for the words to filter by.
SHOWN: Final = 25
LOOKED_AT: Final = 400
MAX_WORD: Final = filters.MAX_WORD
#: Symbols and bots to filter by, at most.
MAX_CHOICES: Final = 60
_STEPS: Final = {"decided_to_sent": "decided to sent", "sent_to_answered": "sent to answered"}
_UNSURE: Final = Trading(
    "unsure", "NOT KNOWN", "The store cannot be asked; a guard that cannot ask it refuses increases."
)


_UNASKED: Final = "Not known: the store cannot be asked."


class Store(NamedTuple):
    """What the store tells now; the default is what is known when it cannot be asked."""

    trading: Trading = _UNSURE
    guards: tuple[Guarding, ...] = ()
    unknown: tuple[Unknown, ...] | None = None
    limits: limits.Limits = limits.Limits()
    candidates: tuple[Candidate, ...] = ()


#: While the store is being opened.
OPENING: Final = Store(Trading("unsure", "…", "The store is being opened."))


def of_store(store: AnyStore, host: str, now_ms: int, recent: Recent) -> Store:
    """Ask the store. Raise StoreUnavailable."""
    guards = trading.guards(store.guards(), now_ms)
    return Store(
        trading.trading(store.halts(), sum(guard.live for guard in guards), idle(store, host, now_ms)),
        guards,
        trading.unknown(store, now_ms),
        limits.limits(store, host, now_ms, recent.equity),
        recent.candidates(),
    )


def view(
    reader: JournalReader,
    index: Index,
    seen: Store,
    query: Mapping[str, str],
    newest: Row | None,
    now_ms: int,
    notes: tuple[Note, ...],
) -> Overview:
    """Return everything that the overview shows. Raise StoreUnavailable for an index that cannot be asked."""
    newest_ms = now_ms if newest is None else newest.at_ms
    first = reader.row(reader.first()) if newest is not None else None
    first_ms = newest_ms if first is None else first.at_ms
    chosen = filters.read(query, newest_ms - first_ms)
    since_ms, until_ms, bucket_ms = filters.bounds(chosen, first_ms, newest_ms, now_ms)
    outcomes = _buckets(index, since_ms, until_ms, bucket_ms)
    totals = Totals(*(sum(getattr(bucket, name) for bucket in outcomes) for name in Totals._fields))
    recent = index.denials(since_ms, until_ms, limit=LOOKED_AT)
    denials = _denials(index, chosen, since_ms, until_ms, recent)
    live, unasked = sum(guard.live for guard in seen.guards), _UNASKED if seen.unknown is None else ""
    return Overview(
        now_ms=now_ms,
        newest=0 if newest is None else newest.seq,
        filters=chosen,
        since_ms=since_ms,
        until_ms=until_ms,
        bucket_ms=bucket_ms,
        range_text=f"{words.moment(since_ms, now_ms)} to {words.moment(until_ms, now_ms)} UTC",
        notes=notes,
        trading=seen.trading,
        facts=_figures(seen, totals, newest, now_ms),
        choices=_choices(index, chosen, since_ms, until_ms, recent),
        totals=totals,
        outcomes=outcomes,
        quiet_text="" if newest is None else f"The newest row is of {moment(newest.at_ms)} UTC.",
        checks=_checks(index, since_ms, until_ms),
        denials=tuple(_denial(reader, one) for one in denials[:SHOWN]),
        older=denials[SHOWN - 1].seq if len(denials) > SHOWN else None,
        denials_text="No denial fits these filters." if chosen.narrow else "Nothing was denied in this time.",
        rooms=seen.limits.rooms,
        rooms_text=unasked or "No guard has told this store its policy yet: head-room shows once one has.",
        losses=seen.limits.losses,
        loss_text=unasked or "No policy in force limits the day's loss, or no equity was read yet.",
        unknown=seen.unknown,
        guards=seen.guards,
        guards_text=f"{live} live" if seen.guards else unasked,
        latencies=tuple(
            Latency(_STEPS.get(one.kind, one.kind), one.orders, one.p50_ms, one.p95_ms, one.p99_ms)
            for one in index.latencies(since_ms, until_ms)
            if one.orders
        ),
        latency_text="of orders that were sent",
        keys=seen.limits.keys,
        keys_text=unasked or "No key of a policy in force has a known age: policykit lint --live reads it.",
        lint_text=seen.limits.lint,
        shadow=seen.candidates,
    )


def _buckets(index: Index, since_ms: int, until_ms: int, bucket_ms: int) -> tuple[Bucket, ...]:
    """Return a bar for every bucket, those without a decision too."""
    found = {at_ms: [0, 0, 0] for at_ms in range(since_ms, until_ms, bucket_ms)}
    for one in index.outcomes(since_ms, until_ms, bucket_ms):
        which = 0 if one.outcome == "allow" else 2 if one.mode == "shadow" else 1
        found.setdefault(one.start_ms, [0, 0, 0])[which] += one.decisions
    return tuple(Bucket(at_ms, *counts) for at_ms, counts in sorted(found.items()))


def _checks(index: Index, since_ms: int, until_ms: int) -> tuple[Count, ...]:
    sums: dict[str, int] = {}
    for one in index.checks(since_ms, until_ms):
        sums[one.check] = sums.get(one.check, 0) + one.denials
    return tuple(Count(*item) for item in sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _denials(index: Index, chosen: Filters, since_ms: int, until_ms: int, recent: list[Denied]) -> list[Denied]:
    if not chosen.narrow and chosen.before is None:
        return recent[: SHOWN + 1]
    page = {} if chosen.before is None else {"before_seq": chosen.before}
    fits = {"check": chosen.check, "symbol": chosen.symbol, "bot": chosen.bot}
    return index.denials(since_ms, until_ms, **fits, **page, limit=SHOWN + 1)  # type: ignore[arg-type]


def _choices(
    index: Index, chosen: Filters, since_ms: int, until_ms: int, recent: list[Denied]
) -> tuple[tuple[str, str, tuple[str, ...], str | None], ...]:
    checks = [one.check for one in index.checks(since_ms, until_ms)]
    found = (
        ("check", "Check", checks, chosen.check),
        ("symbol", "Symbol", [one.symbol for one in recent if one.symbol], chosen.symbol),
        ("bot", "Bot", [one.bot for one in recent], chosen.bot),
    )
    return tuple(
        (name, label, tuple(sorted({*values[:], *([now] if now else [])}))[:MAX_CHOICES], now)
        for name, label, values, now in found
    )


def _denial(reader: JournalReader, one: Denied) -> Denial:
    row = reader.row(one.seq)
    order: dict[str, Any] = {} if row is None else row.body["decision"]["order"]
    said = order_text(order) or one.symbol
    if one.action != "order.create":
        said = f"{one.action} {said}".rstrip()
    return Denial(
        one.seq, one.at_ms, one.ident, said, one.symbol, one.bot, one.check, one.code, one.message, one.observed,
        one.limit, one.unit, one.mode, one.others,
    )  # fmt: skip


def _figures(seen: Store, totals: Totals, newest: Row | None, now_ms: int) -> tuple[Figure, ...]:
    live = [guard for guard in seen.guards if guard.live]
    stages = sorted({"PAPER" if guard.stage == "paper" else guard.stage for guard in live if guard.stage})
    gone = len(seen.guards) - len(live)
    decided = totals.allow + totals.deny
    unknown = seen.unknown
    figures = [
        Figure("Stage", ", ".join(stages) or "–", part="guards"),
        Figure("Guards", "–", part="guards")
        if unknown is None
        else Figure("Guards", f"{len(live)} live", f"{gone} gone" if gone else "", "" if live else "near", "guards"),
        Figure(
            "Denied",
            words.per_cent(totals.deny / decided if decided else None),
            f"{totals.deny:,} of {decided:,}",
            part="denials",
        ),
        Figure(
            "Unknown orders",
            "–" if unknown is None else str(len(unknown)),
            level="over" if unknown else "",
            part="unknown",
        ),
    ]
    room = next((head for head in seen.limits.rooms if not head.unknown), None)
    if room is not None:
        figures.append(
            Figure("Tightest limit", words.per_cent(room.share), room.check.removeprefix("risk."), room.level, "rooms")
        )
    loss = max(seen.limits.losses, key=lambda one: one.share, default=None)
    if loss is not None:
        used, limit = words.pair(loss.used, loss.limit)
        figures.append(
            Figure("Daily loss", words.per_cent(loss.share), f"{used} of {limit} {loss.unit}", loss.level, "loss")
        )
    if newest is not None:
        figures.append(
            Figure("Last row", f"{words.ago(now_ms - newest.at_ms)} ago", iso(newest.at_ms)[:19].replace("T", " "))
        )
    return tuple(figures)


def line(row: Row) -> str:
    """Return a decision in a line, for a list of several."""
    decision = row.body.get("decision") or {}
    said = order_text(decision.get("order") or {})
    return f"{moment(row.at_ms)}  {decision.get('outcome', '')}  {decision.get('bot', '')}  {said}".rstrip()
