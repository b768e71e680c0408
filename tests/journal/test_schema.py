"""schemas/journal.schema.json names every row that is written, and everything that is in it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policykit.cli.__main__ import main
from policykit.model.journal_contract import KINDS
from policykit.model.schema import schema
from policykit.store import open_journal, open_store
from policykit.store import prune as module
from policykit.store.base import Row
from policykit.store.changes import CHANGES
from policykit.store.kept import KINDS as OPERATIONS
from policykit.store.ledger import Ledger
from policykit.store.reader import JournalReader
from policykit.telemetry.formats import Entry, jsonl
from tests.guard.broken import broken
from tests.guard.test_broken_hour import Loop, weather
from tests.store.made import hold_window
from tests.store.test_prune import lived
from tests.telemetry.nouns import AT_MS, decision, intent

Out = pytest.CaptureFixture[str]


def closed(form: Any) -> Any:
    """Return a schema that refuses what it does not name; the published one is open."""
    if isinstance(form, list):
        return [closed(one) for one in form]
    if not isinstance(form, dict):
        return form
    out = {name: closed(one) for name, one in form.items()}
    return out if "properties" not in out or "if" in out else {"additionalProperties": False, **out}


STRICT = {
    kind: Draft202012Validator(closed({"type": "object", "properties": {"body": form}})["properties"]["body"])
    for kind, (_, form) in KINDS.items()
}
PUBLISHED = Draft202012Validator(schema("journal"))


def wrong(row: Row) -> list[str]:
    """Return what the schema does not know of a row, as it is exported."""
    said = json.loads(jsonl.line(Entry(row, {})))
    found = [error.message for error in PUBLISHED.iter_errors(said)]
    if row.kind in STRICT:
        found += [
            f"{row.kind}{error.json_path}: {error.message}" for error in STRICT[row.kind].iter_errors(said["body"])
        ]
    return found


def rows_of(journal: JournalReader) -> Iterator[Row]:
    """Yield every row."""
    yield from journal.rows(0, 100_000)


@pytest.mark.parametrize("exchange", ["binance", "bybit"])
def test_every_row_of_a_broken_hour_is_known(tmp_path: Path, exchange: str, tier: Callable[[int, int], int]) -> None:
    """Orders that are lost, late, rejected, partly filled, looked up, denied; facts, comparisons, halts, permits."""
    with broken(tmp_path, exchange, "sync", cap="7500 USDT") as world:
        world.world.sim.strike(*weather(f"{exchange} sync"))
        loop = Loop(world, f"{exchange} sync")
        for _ in range(tier(12, 300)):
            loop.signal()
        rows = list(world.guard.store.rows(0, 100_000))
    assert {row.kind for row in rows} >= {"decision", "outcome", "observe", "policy"}
    assert [message for row in rows for message in wrong(row)] == []


def test_every_kind_that_a_store_writes_is_known(tmp_path: Path, uri: str) -> None:
    """One of each, with a pruning; and the rows of a timeline."""
    path = tmp_path / "lived.db"
    store, _ = lived(path)
    store.prove({"exchange": "x", "environment": "live", "account": "a", "key": "k", "host": "h"}, AT_MS)
    found = {"policy": "mm", "version": "v", "findings": [["high", "PK603", 2]], "keys": {"mm-exec": AT_MS}}
    store.linted("binance/main", found, AT_MS)
    for kind in OPERATIONS:
        store.keep("a", kind, "n", {}, AT_MS)
    store.event("fallback", {"unreadable": 3}, AT_MS)
    store.event("stream", {"stream": "s", "account": "a", "bot": "b", "gap_ms": 1}, AT_MS)
    store.event("resolved", {"intent": "x", "as": "absent", "by": "ops", "why": "seen"}, AT_MS)
    store.at_least(hold_window(3, 9), AT_MS)
    store.renew("x", 0, 1, AT_MS)
    module.prune(str(path), AT_MS + 10**9, by="ops", now_ms=AT_MS + 10**9, folder=None)
    kinds = set()
    for place in (f"sqlite:///{path}", uri):
        with closing(open_journal(place)) as journal:
            for row in rows_of(journal):
                kinds.add(row.kind)
                assert wrong(row) == [], row
    assert "prune" in kinds


def test_a_row_that_the_schema_does_not_know_is_found() -> None:
    """Another kind, another field, a field of another type: the checks above can fail."""
    body = json.loads(json.dumps({"intent": "x", "validity_ms": 5}))
    assert wrong(Row(1, AT_MS, "renew", body, "0" * 64)) == []
    assert len(wrong(Row(1, AT_MS, "renewed", body, "0" * 64))) == 1
    assert len(wrong(Row(1, AT_MS, "renew", {**body, "more": 1}, "0" * 64))) == 1
    assert len(wrong(Row(1, AT_MS, "renew", {**body, "validity_ms": "5"}, "0" * 64))) == 2
    assert len(wrong(Row(1, AT_MS, "renew", {}, "0" * 63))) == 5


def test_every_kind_in_the_code_is_in_the_schema(top: Path) -> None:
    """What is written by `event`, and what changes the state: nobody adds a kind and leaves it out here."""
    written = set()
    for file in (top / "policykit").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ".event(" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr == "event" and isinstance(first, ast.Constant) and "store" in ast.unparse(node.func):
                    written.add(first.value)
    assert {"lookup", "stream", "message"} <= written
    assert written <= set(KINDS)
    changing = {"decision", "use", "outcome", "renew", "observe", "halt", "resume", "ban", "reconcile", "policy"}
    assert {kind for kind in KINDS if Ledger.changes(kind)} == {*changing, "address.proof", "lint", *OPERATIONS}
    assert set(CHANGES) <= set(KINDS)
    assert {kind for kind in changing if not Ledger.changes(kind)} == set()


def test_the_schema_can_be_asked_for(capsys: Out) -> None:
    """`policykit schema journal` prints what stands in schemas/."""
    assert main(["schema", "journal"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Journal row, version 1"


def test_an_exported_journal_is_what_the_schema_says(uri: str, tmp_path: Path) -> None:
    """Line by line, as whoever receives it would check it."""
    with closing(open_store(uri)) as store:
        store.reserve(decision("01SC"), intent("01SC", filled=Decimal(0)), (), 2, AT_MS)
    file = tmp_path / "out.jsonl"
    assert main(["journal", "export", "--store", uri, "-o", str(file)]) == 0
    lines = file.read_text().splitlines()
    assert len(lines) == 14
    assert [error.message for line in lines for error in PUBLISHED.iter_errors(json.loads(line))] == []
