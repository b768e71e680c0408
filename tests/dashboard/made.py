"""Journals of any length, made quickly: rows as a guard writes them, chained, without a store in between."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from policykit.decision import Reason
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store.base import Row
from policykit.store.chain import GENESIS, link, text_of
from policykit.store.codec import decision_body, outcome_to_dict
from policykit.store.journal import INSERT
from policykit.store.layout import lay_out
from tests.telemetry.nouns import AT_MS, NOTIONAL, POSITION, VERSION, decision, intent

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
REASONS: tuple[Reason, ...] = (NOTIONAL, POSITION, Reason("RATE_BUDGET", "rate.orders", "9 of 8 orders in 10 s"))
#: Between two decisions, ms.
STEP_MS = 1_000
#: Decisions of the journal that most tests share.
DECISIONS = 500


class Said(NamedTuple):
    """A row before it is chained."""

    at_ms: int
    kind: str
    body: dict[str, Any]


def ident(number: int) -> str:
    """Return a decision's id: those of one process begin alike and end differently."""
    return f"01JD3V7K2M{number:016d}"


@cache
def _order(symbol: str) -> Order:
    return Order(symbol, "buy", "limit", Decimal("0.010"), Decimal("60000.0"))


def policy(at_ms: int = AT_MS, **more: Any) -> Said:
    """Return the row that says which policy is in force."""
    told = {"name": "mm", "version": VERSION, "bot": "mm-1", "stage": "full-live", "environment": "live", **more}
    return Said(at_ms, "policy", {"account": "binance/main", "currency": "USDT", **told})


def life(decisions: int, seed: int = 7, start: int = 1) -> Iterator[Said]:
    """Yield the rows of so many decisions: two of five deny; an order goes out in 1 to 9 ms, has its answer in 99."""
    chosen = random.Random(seed)
    for number in range(start, start + decisions):
        at_ms, name = AT_MS + number * STEP_MS, ident(number)
        wanted, bot = _order(chosen.choice(SYMBOLS)), f"mm-{number % 3}"
        if chosen.random() < 0.4:
            made = decision(name, (chosen.choice(REASONS),), order=wanted, bot=bot)
            yield Said(at_ms, "decision", decision_body(made, None, ()))
            continue
        meant = intent(name, order=wanted, bot=bot, decided_ms=at_ms)
        yield Said(at_ms, "decision", decision_body(decision(name, order=wanted, bot=bot), meant, ()))
        signed = at_ms + chosen.randint(1, 9)
        answered, known = signed + chosen.randint(20, 99), f"{700_000 + number}"
        said = Outcome("acknowledged", answered, known, signed_ms=signed, validity_ms=5_000)
        yield Said(answered, "outcome", outcome_to_dict(name, said))
        yield Said(
            answered + 500, "outcome", outcome_to_dict(name, Outcome("settled", answered + 500, known, closed=True))
        )
        yield Said(answered + 600, "observe", {"account": "binance/main", "as_of_ms": at_ms, "until_ms": at_ms + 9})


def write(path: Path, said: Iterator[Said] | list[Said]) -> int:
    """Add rows to a journal's file; return the number of the newest."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        lay_out(db, str(path), "0123456789abcdef")
        seq, before = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone() or (0, GENESIS)
        db.execute("BEGIN")
        for at_ms, kind, body in said:
            seq, text = seq + 1, text_of(body)
            before = link(before, seq, at_ms, kind, text)
            db.execute(INSERT, (seq, at_ms, kind, text, before))
        db.execute("COMMIT")
    return int(seq)


def rows_of(path: Path) -> list[Row]:
    """Return every row of a journal's file as it stands there."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT seq, at_ms, kind, body, hash FROM journal ORDER BY seq").fetchall()
    return [Row(seq, at_ms, kind, json.loads(text), row_hash) for seq, at_ms, kind, text, row_hash in found]
