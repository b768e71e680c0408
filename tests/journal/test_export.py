"""`journal export`: every format holds what the rows say, and nothing of it acts in the program that reads it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.order import Order
from policykit.redact import Secret
from policykit.store import open_journal, open_store
from policykit.store.reader import JournalReader
from policykit.telemetry.formats import NAMES, ecs, ocsf
from policykit.telemetry.formats import rows as module
from policykit.telemetry.formats.flat import COLUMNS
from policykit.telemetry.formats.rows import Selection, lines
from tests.journal.conftest import FIRST, SECOND, THIRD
from tests.telemetry.nouns import AT_MS, decision, intent

Out = pytest.CaptureFixture[str]
#: What an event of the class must have (OCSF 1.3.0: base_event, classification, occurrence, application/api_activity),
#: and what its objects must (github.com/ocsf/ocsf-schema, read 2026-11-21).
OCSF_REQUIRED = {
    "activity_id",
    "actor",
    "api",
    "category_uid",
    "class_uid",
    "metadata",
    "severity_id",
    "src_endpoint",
    "time",
    "type_uid",
}
OCSF_ACTOR = {"process", "user", "invoked_by", "session", "app_name", "app_uid"}
#: elastic.co/docs/reference/ecs, read 2026-11-21.
ECS_KINDS = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}
ECS_CATEGORIES = {"api", "authentication", "configuration", "database", "iam", "process", "session", "web"}
ECS_TYPES = {"access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "error", "info"}


def exported(uri: str, capsys: Out, *arguments: str) -> list[str]:
    """Return the lines that the command writes."""
    assert main(["journal", "export", "--store", uri, *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_jsonl_is_every_row(uri: str, journal: JournalReader, capsys: Out) -> None:
    """Number, time, kind, data and hash of each, and how to go on."""
    assert main(["journal", "export", "--store", uri]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["hash"] for line in said.out.splitlines()] == [row.hash for row in journal.rows()]
    assert json.loads(said.out.splitlines()[9]) == {
        "seq": 10,
        "at": "2026-11-21T10:00:20.000Z",
        "kind": "halt",
        "body": {
            "scope": "all",
            "state": "HALTED",
            "by": "ops",
            "why": "testing the switch",
            "freeze": False,
            "latched": True,
        },
        "hash": json.loads(said.out.splitlines()[9])["hash"],
    }
    assert said.err == "13 rows written, read up to row 13; go on with --after 13\n"


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--after", "9"], [10, 11, 12, 13]),
        (["--after", "13"], []),
        (["--kind", "halt", "--kind", "resume"], [10, 12]),
        (["--bot", "mm-2"], [9]),
        (["--symbol", "BTC/USDT", "--after", "7"], [8, 9]),
        (["--outcome", "deny"], [9]),
        (["--outcome", "settled"], [8]),
        (["--since", "2026-11-21T10:00:20Z", "--until", "2026-11-21T10:00:21Z"], [10, 11]),
    ],
)
def test_rows_are_chosen(uri: str, capsys: Out, arguments: list[str], numbers: list[int]) -> None:
    """By number, kind, bot, symbol, outcome and time; an outcome belongs to its order's bot, wherever one goes on."""
    assert [json.loads(line)["seq"] for line in exported(uri, capsys, *arguments)] == numbers


def table(text: str) -> list[dict[str, str]]:
    """Read a table as other programs do."""
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_documented_columns(uri: str, capsys: Out) -> None:
    """What is asked most stands in columns of its own, the whole row in the last."""
    assert main(["journal", "export", "--store", uri, "--format", "csv"]) == 0
    rows = table(capsys.readouterr().out)
    assert list(rows[0]) == list(COLUMNS)
    denial = {name: value for name, value in rows[8].items() if value and name not in ("hash", "body")}
    assert denial == {
        "seq": "9",
        "at": "2026-11-21T10:00:19.000Z",
        "kind": "decision",
        "decision_id": THIRD,
        "outcome": "deny",
        "mode": "enforce",
        "action": "order.create",
        "bot": "mm-2",
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "limit",
        "quantity": "0.01",
        "price": "60000",
        "notional": "600.00",
        "reason": "RISK_ORDER_NOTIONAL",
        "check": "risk.max_order_notional",
        "observed": "30000",
        "limit": "1500",
        "unit": "USDT",
        "message": "order notional 30000 USDT is over max_order_notional 1500 USDT",
        "policy": "mm",
        "policy_version": "sha256:3f9a01c2d4e5",
    }
    settled = rows[7]
    assert [settled[name] for name in ("decision_id", "outcome", "bot", "account", "filled", "order_id")] == [
        SECOND,
        "settled",
        "mm-1",
        "binance/main",
        "0.01",
        "881723",
    ]
    assert [rows[5]["replaces"], rows[9]["by"], rows[9]["message"]] == [FIRST, "ops", "testing the switch"]
    assert json.loads(rows[8]["body"])["decision"]["id"] == THIRD


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_is_a_formula(uri: str, capsys: Out, start: str) -> None:
    """A symbol or a name that begins like one is text to a spreadsheet; a negative number stays a number."""
    hostile = f'{start}cmd|"/c calc"!A1'
    with closing(open_store(uri)) as store:
        store.record(decision("01HX", order=Order(hostile, "buy", "limit"), bot=hostile), AT_MS)
        store.event("note", {"by": hostile, "why": "-1.5"}, AT_MS)
    assert main(["journal", "export", "--store", uri, "--format", "csv", "--after", "13"]) == 0
    text = capsys.readouterr().out
    bad, drill = csv.DictReader(io.StringIO(text, newline=""))
    assert (bad["symbol"], bad["bot"], drill["by"], drill["message"]) == (*[f"'{hostile}"] * 3, "-1.5")


def test_ocsf_has_what_the_schema_requires(journal: JournalReader) -> None:
    """Each row is an event of the class API Activity; a denial that acted is denied and blocked."""
    found = {entry.row.seq: ocsf.event(entry) for entry in Selection().entries(journal)}
    assert len(found) == 13
    for event in found.values():
        assert set(event) >= OCSF_REQUIRED
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["activity_id"] in (0, 1, 2, 3, 4, 99)
        assert OCSF_ACTOR & set(event["actor"])
        assert event["api"]["operation"]
        assert set(event["metadata"]) >= {"product", "version"}
        assert set(event["metadata"]["product"]) >= {"name", "vendor_name"}
        assert event["src_endpoint"]
    denied = found[9]
    assert [denied[name] for name in ("class_uid", "activity_id", "action_id", "disposition_id", "severity_id")] == [
        6003,
        1,
        2,
        2,
        2,
    ]
    assert denied["message"].startswith("decision: order notional 30000 USDT is over max_order_notional 1500 USDT; ")
    assert (found[2]["action_id"], found[2]["src_endpoint"], found[2]["api"]["service"]) == (
        1,
        {"name": "fra-1"},
        {"name": "binance"},
    )
    assert [found[n]["status_id"] for n in (3, 5, 7, 9)] == [0, 2, 1, 1]
    assert (found[10]["actor"]["user"], found[10]["severity_id"], found[3]["severity_id"]) == ({"name": "ops"}, 4, 3)


def test_ecs_has_what_the_schema_requires(journal: JournalReader) -> None:
    """Each document has its time, version, kind, category and type, of the values that ECS allows."""
    found = {entry.row.seq: ecs.document(entry) for entry in Selection().entries(journal)}
    for document in found.values():
        event = document["event"]
        assert document["@timestamp"].endswith("Z")
        assert document["ecs"]["version"]
        assert event["kind"] in ECS_KINDS
        assert set(event["category"]) <= ECS_CATEGORIES
        assert set(event["type"]) <= ECS_TYPES
        assert event.get("outcome", "unknown") in ("success", "failure", "unknown")
    assert [found[n]["event"].get("outcome") for n in (1, 2, 3, 5, 7, 9)] == [
        None,
        "success",
        "unknown",
        "failure",
        "success",
        "success",
    ]
    assert (found[9]["event"]["type"], found[9]["rule"]) == (
        ["denied"],
        {"id": "RISK_ORDER_NOTIONAL", "name": "risk.max_order_notional", "ruleset": "mm"},
    )
    assert (found[10]["event"]["kind"], found[10]["event"]["reason"], found[10]["user"]) == (
        "alert",
        "testing the switch",
        {"name": "ops"},
    )
    assert (found[3]["error"], found[3]["service"]) == ({"message": "timed out after 3.0 s"}, {"name": "mm-1"})


def test_a_shadow_denial_did_not_deny(uri: str) -> None:
    """For a SIEM an order that went out was allowed; the row says what would have been."""
    from tests.telemetry.nouns import NOTIONAL

    with closing(open_store(uri)) as store:
        store.record(decision("01SH", reasons=(NOTIONAL,), mode="shadow"), AT_MS)
    with closing(open_journal(uri)) as journal:
        (entry,) = Selection(after=13).entries(journal)
    assert (ocsf.event(entry)["action_id"], ecs.document(entry)["event"]["type"]) == (1, ["allowed"])
    assert ocsf.event(entry)["unmapped"]["policykit"]["outcome"] == "deny"


def test_parquet_is_read_back(uri: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups of rows, with the columns of the table."""
    import pyarrow.parquet

    from policykit.telemetry.formats import parquet

    monkeypatch.setattr(parquet, "GROUP", 5)
    file = tmp_path / "rows.parquet"
    assert main(["journal", "export", "--store", uri, "--format", "parquet", "-o", str(file)]) == 0
    assert capsys.readouterr().err == f"13 rows written to {file}, read up to row 13; go on with --after 13\n"
    found = pyarrow.parquet.ParquetFile(file)
    assert (found.num_row_groups, found.schema_arrow.names) == (3, list(COLUMNS))
    rows = found.read().to_pylist()
    assert [row["seq"] for row in rows] == list(range(1, 14))
    assert (rows[8]["reason"], rows[8]["bot"]) == ("RISK_ORDER_NOTIONAL", "mm-2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--follow"], "--follow means nothing without --otlp"),
        (["--otlp", "http://127.0.0.1:1", "--format", "csv"], "--format means nothing with --otlp"),
        (["--otlp", "http://127.0.0.1:1", "--bot", "x"], "--bot means nothing with --otlp"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(uri: str, capsys: Out, arguments: list[str], said: str) -> None:
    """Rather than to leave one out in silence."""
    assert main(["journal", "export", "--store", uri, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_parquet_without_its_library_and_without_a_file(
    uri: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is said with what to do, and no file is left."""
    assert main(["journal", "export", "--store", uri, "--format", "parquet"]) == 2
    assert "--format parquet writes a file; give --output" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert main(["journal", "export", "--store", uri, "--format", "parquet", "-o", str(tmp_path / "x")]) == 2
    assert "pip install 'policykit-trading[parquet]'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("form", NAMES)
def test_I23_no_secret_is_exported(uri: str, tmp_path: Path, capsys: Out, form: str) -> None:
    """A secret that an error text brought into a row leaves in no format."""
    canary = "kQ7vXw2mZp9rTb4nLs6dFh8jGc3yVa5e"
    with closing(open_store(uri)) as store:
        store.reserve(decision("01CN"), intent("01CN"), (), 0, AT_MS)
        store.event("note", {"intent": "01CN", "by": canary, "why": f"signature={canary}", "error": canary}, AT_MS)
    Secret(canary)
    file = tmp_path / "out"
    assert main(["journal", "export", "--store", uri, "--format", form, "-o", str(file)]) == 0
    content = file.read_bytes()
    assert canary.encode() not in content
    assert form == "parquet" or b"[redacted]" in content
    assert canary not in "".join(capsys.readouterr())


def test_a_file_is_whole_or_not_there(uri: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that ends early leaves the file of before; one to a place that cannot be written says so."""
    file = tmp_path / "out.jsonl"
    file.write_text("before")

    def breaks(entries: object, name: str) -> object:
        yield "half"
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "lines", breaks)
        assert main(["journal", "export", "--store", uri, "-o", str(file)]) == 130
    assert (file.read_text(), [path.name for path in tmp_path.glob("*out*")]) == ("before", ["out.jsonl"])
    assert main(["journal", "export", "--store", uri, "-o", str(tmp_path / "no" / "x")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_before_a_damage_is_exported(uri: str, tmp_path: Path, capsys: Out) -> None:
    """The file has the rows before it; where it is damaged is said, with exit 1."""
    with closing(sqlite3.connect("/" + uri.removeprefix("sqlite://").lstrip("/"))) as db, db:
        db.execute("DELETE FROM journal WHERE seq=10")
    file = tmp_path / "out.jsonl"
    assert main(["journal", "export", "--store", uri, "-o", str(file)]) == 1
    assert len(file.read_text().splitlines()) == 9
    said = capsys.readouterr().err
    assert said.startswith(f"9 rows written to {file}, read up to row 9; go on with --after 9\npolicykit: ")
    assert "row 10 is missing" in said


def test_progress_and_memory_do_not_depend_on_the_length(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it is is said every so many rows and at the end; rows are written as they are read."""
    monkeypatch.setattr(module, "SAY_EVERY", 5)
    told: list[tuple[int, int]] = []
    with closing(open_journal(uri)) as journal:
        written: Any = lines(Selection().entries(journal, lambda done, of: told.append((done, of))), "jsonl")
        assert json.loads(next(written))["seq"] == 1
        assert told == []
        assert len(list(written)) == 12
    assert told == [(5, 13), (10, 13), (13, 13)]


def test_rows_that_come_meanwhile_wait_for_the_next_export(uri: str) -> None:
    """An export ends at what was newest when it began, however fast others write."""
    with closing(open_journal(uri)) as journal, closing(open_store(uri)) as store:
        entries = Selection().entries(journal)
        first = next(entries)
        store.event("note", {}, AT_MS)
        assert [first.row.seq, *(entry.row.seq for entry in entries)] == list(range(1, 14))
