"""Measure reading, searching, exporting and pruning a long journal: `python bench/long_journal.py [ROWS] [FOLDER]`.

The journal is made by writing chained rows, in the proportions of a bot: an order is a decision, a renewed permit and
two outcomes, and facts come every tenth row.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from policykit.store.chain import link, text_of
from policykit.store.prune import prune
from policykit.store.reader import JournalReader
from policykit.store.sqlite import SqliteStore
from policykit.store.verify import verify_file
from policykit.telemetry import tail, timeline
from policykit.telemetry.formats import parquet
from policykit.telemetry.formats.rows import Selection, lines

ROWS = 1_000_000
START_MS = 1_795_255_200_000
BATCH = 50_000


def bodies(rows: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield kind and data of so many rows."""
    number = 0
    while number < rows:
        ident = f"01JD3V7K2M{number:016d}"
        order = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.01", "price": "60000"}
        reason = {"code": "RISK_ORDER_NOTIONAL", "check": "risk.max_order_notional", "message": "too large"}
        deny = number % 40 == 0
        decision = {
            "version": 1,
            "id": ident,
            "outcome": "deny" if deny else "allow",
            "mode": "enforce",
            "bot": f"mm-{number % 7}",
            "action": "order.create",
            "policy": {"name": "mm", "version": "sha256:3f9a01c2d4e5"},
            "order": order,
            "reasons": [{**reason, "observed": "30000", "limit": "1500", "unit": "USDT"}] if deny else [],
        }
        body: dict[str, object] = {"decision": decision, "reduces": False, "notional": "600.00", "checks": 14}
        if deny:
            yield "decision", body
            number += 1
            continue
        intent = {
            "id": ident,
            "account": "binance/main",
            "client_order_id": f"pk{ident}",
            "family": "order",
            "reduces": False,
            "bot": decision["bot"],
            "host": "fra-1",
            "pid": 1,
            "decided_ms": START_MS,
            "permit_until_ms": START_MS + 250,
            "validity_ms": 5000,
            "state": "intended",
            "signed_ms": None,
            "changed_ms": START_MS,
            "order_id": None,
            "closed": False,
            "replaces": None,
            "error": None,
            "filled": "0",
            "action": "order.create",
            "order": order,
            "holds": [["binance/main|position|BTC", 1_000_000, 10**12, "position", "risk.max_position", 0, False]],
        }
        yield "decision", {**body, "intent": intent}
        yield "renew", {"intent": ident, "validity_ms": 5000}
        yield "outcome", {"intent": ident, "state": "acknowledged", "order_id": str(number), "signed_ms": START_MS}
        yield "outcome", {"intent": ident, "state": "settled", "order_id": str(number), "filled": "0", "closed": True}
        yield "observe", {"account": "binance/main", "as_of_ms": START_MS, "until_ms": START_MS, "equity": "100000"}
        number += 5


def made(path: Path, rows: int) -> None:
    """Write the journal."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        batch, before = [], "0" * 64
        for seq, (kind, body) in enumerate(bodies(rows), 1):
            text, at_ms = text_of(body), START_MS + seq
            before = link(before, seq, at_ms, kind, text)
            batch.append((seq, at_ms, kind, text, before))
            if len(batch) == BATCH or seq == rows:
                with db:
                    db.executemany("INSERT INTO journal VALUES (?,?,?,?,?)", batch)
                batch.clear()
            if seq == rows:
                return


def timed(what: str, rows: int, work: Callable[[], object]) -> None:
    """Print how long something took, rows a second of the clock and of CPU, and the peak of memory so far."""
    began, cpu_began = time.perf_counter(), time.process_time()
    work()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = f"{rows / took:12,.0f} rows/s, {rows / max(cpu, 1e-6):12,.0f} a second of CPU"
    print(f"{what:<24} {took:9.3f} s {each}   peak {peak:5.0f} MB", flush=True)


def measure(folder: Path, rows: int) -> None:
    """Measure each use of a journal of so many rows."""
    path = folder / "store.db"
    timed("make", rows, lambda: made(path, rows))
    print(f"file {path.stat().st_size / 1e6:,.0f} MB")
    reader = JournalReader(path)
    middle = f"01JD3V7K2M{rows // 2 // 5 * 5 + 1:016d}"
    ident = next(i for i in (f"01JD3V7K2M{n:016d}" for n in range(rows // 2, rows)) if next(reader.naming(i), None))
    timed("show a decision id", rows, lambda: timeline.find(reader, ident))
    timed("show a client order id", rows, lambda: timeline.find(reader, f"pk{ident}"))
    timed("show what is not there", rows, lambda: timeline.find(reader, f"X{middle}"))
    timed("tail -n 20", 20, lambda: tail.recent(reader, tail.Tail(), 20))
    timed("newest row", 1, reader.newest)
    timed("verify", rows, lambda: verify_file(str(path)))
    for form in ("jsonl", "csv", "ocsf", "ecs"):
        with (folder / form).open("w") as file:
            texts = lines(Selection().entries(reader), form)
            timed(f"export {form}", rows, lambda file=file, texts=texts: file.writelines(f"{t}\n" for t in texts))
    timed("export parquet", rows, lambda: parquet.write(Selection().entries(reader), folder / "x.parquet"))
    cut = START_MS + rows * 9 // 10
    later = START_MS + rows * 2
    timed("prune 90 %", rows * 9 // 10, lambda: prune(str(path), cut, by="bench", now_ms=later, folder=folder / "old"))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        measure(Path(place), count)
