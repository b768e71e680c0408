"""The commands of `policykit journal`: what they print and how they end."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store import open_store
from tests.journal.conftest import FIRST, SECOND, THIRD
from tests.journal.test_tail import LINES
from tests.journal.test_timeline import ORDER
from tests.telemetry.nouns import AT_MS, decision, intent

Out = pytest.CaptureFixture[str]
MEMORY = "memory: has no journal that another process could read; name a store that has a file"


def test_tail_and_show_print_their_views(uri: str, capsys: Out) -> None:
    """`tail -n 2` prints the two newest lines, `show` the timeline; both end with 0."""
    assert main(["journal", "tail", "-n", "2", "--store", uri]) == 0
    assert capsys.readouterr().out.splitlines() == LINES[-2:]
    assert main(["journal", "show", FIRST, "--store", uri]) == 0
    assert capsys.readouterr().out == ORDER + "\n"


def test_the_store_may_come_from_the_environment(uri: str, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """POLICYKIT_STORE names the store as it does for a guard."""
    monkeypatch.setenv("POLICYKIT_STORE", uri)
    assert main(["journal", "tail", "--outcome", "deny", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["body"]["decision"]["id"] == THIRD


def test_show_as_json_has_the_rows(uri: str, capsys: Out) -> None:
    """`show --format json` gives every row of the order with its hash."""
    assert main(["journal", "show", SECOND, "--store", uri, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["version"], said["ids"]) == (1, [FIRST, SECOND])
    assert [(r["seq"], r["kind"]) for r in said["rows"]] == [
        (2, "decision"),
        (3, "outcome"),
        (4, "lookup"),
        (5, "outcome"),
        (6, "decision"),
        (7, "outcome"),
        (8, "outcome"),
    ]
    assert all(len(r["hash"]) == 64 for r in said["rows"])


def test_show_says_what_it_does_not_find(uri: str, capsys: Out) -> None:
    """An unknown id ends with 1, one that fits several with 2 and the candidates."""
    assert main(["journal", "show", "ZZZZZ", "--store", uri]) == 1
    assert capsys.readouterr().err == f"ZZZZZ: not in the journal of {uri}; policykit journal tail lists the newest\n"
    assert main(["journal", "show", "01JD3V7K2M", "--store", uri]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "01JD3V7K2M: fits 2 orders; give more of the id, or its end. The newest:"
    assert len(lines) == 4


def test_verify_holds_an_intact_chain(uri: str, capsys: Out) -> None:
    """An untouched journal ends with 0 and says how many rows were read and which is the newest."""
    assert main(["journal", "verify", "--store", uri]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{uri}: intact, 13 rows read, the chain holds"
    assert second.startswith("newest row 13 of 2026-11-21T10:00:22.000Z, hash ")
    assert main(["journal", "verify", "--store", uri, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["intact"], said["rows"], said["problem"], said["newest"]["seq"]) == (True, 13, None, 13)


@pytest.mark.parametrize(
    ("statement", "good", "problem"),
    [
        ("UPDATE journal SET body = replace(body, '30000', '30') WHERE seq = 9", 8, "row 9"),
        ("DELETE FROM journal WHERE seq = 4", 3, "row 4 is missing"),
        ("UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 1", 0, "row 1"),
    ],
)
def test_verify_names_the_row_that_was_changed(uri: str, capsys: Out, statement: str, good: int, problem: str) -> None:
    """A changed body, a changed time and a missing row end with 1 and the place, as text and as JSON."""
    path = uri.removeprefix("sqlite://")
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    assert main(["journal", "verify", "--store", uri]) == 1
    assert capsys.readouterr().out.startswith(f"{uri}: BROKEN after {good} good rows: {problem}")
    assert main(["journal", "verify", "--store", uri, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["intact"], said["rows"]) == (False, good)
    assert said["problem"].startswith(problem)


@pytest.mark.parametrize("arguments", [["tail"], ["show", FIRST], ["verify"]])
def test_reading_makes_no_store(tmp_path: Path, capsys: Out, arguments: list[str]) -> None:
    """A store that is not there is not made by looking: exit 3, one line, no file."""
    path = tmp_path / "none.db"
    assert main(["journal", *arguments, "--store", f"sqlite:///{path}"]) == 3
    assert capsys.readouterr().err == (
        f"policykit: {path}: there is no journal; set POLICYKIT_STORE or --store to the one that bots use\n"
    )
    assert not path.exists()


@pytest.mark.parametrize("arguments", [["tail"], ["show", FIRST], ["verify"]])
def test_a_file_that_is_no_store_is_said_to_be_damaged(tmp_path: Path, capsys: Out, arguments: list[str]) -> None:
    """Whatever lies there ends in one line and an exit code that is not 0, never in a traceback."""
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, whatever it is called" * 100)
    assert main(["journal", *arguments, "--store", f"sqlite:///{path}"]) in (1, 3)
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    assert said.err or "BROKEN after 0 good rows" in said.out


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE journal SET body = replace(body, 'ops', 'mal') WHERE seq = 10", "row 10 does not carry the hash"),
        ("UPDATE journal SET body = CAST(x'7bff' AS TEXT) WHERE seq = 10", "the file cannot be read on after row 9"),
        ("DELETE FROM journal WHERE seq = 10", "row 10 is missing: the next is 11"),
    ],
)
def test_what_is_before_a_damage_is_shown(uri: str, capsys: Out, statement: str, why: str) -> None:
    """No store opens such a file; `tail` and `show` show the rows before, say where it is damaged, and end with 1."""
    path = "/" + uri.removeprefix("sqlite://").lstrip("/")
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    for more in ([], ["--follow"]):
        assert main(["journal", "tail", "--store", uri, *more]) == 1
        said = capsys.readouterr()
        assert said.out.splitlines() == LINES[:8]
        assert said.err.startswith(f"policykit: {path}: {why}")
    assert main(["journal", "tail", "-n", "0", "--store", uri]) == 0
    capsys.readouterr()
    assert main(["journal", "show", FIRST, "--store", uri]) == 0
    assert capsys.readouterr().out == ORDER + "\n"


def test_show_names_a_row_that_was_changed(uri: str, capsys: Out) -> None:
    """A row that says something else than what was written is not shown as if it were the record."""
    path = uri.removeprefix("sqlite://")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET body = replace(body, '881723', '881724') WHERE seq = 7")
    connection.close()
    for ident, shown in ((SECOND, ORDER.splitlines()[:-3]), ("881724", [])):
        assert main(["journal", "show", ident, "--store", uri]) == 1
        said = capsys.readouterr()
        assert said.out.splitlines() == shown
        assert "row 7 does not carry the hash of its content and the row before: it was changed" in said.err


def test_an_empty_store_can_be_asked_and_memory_has_no_journal(tmp_path: Path, capsys: Out) -> None:
    """A new store is intact and empty; a memory store ends with its process."""
    uri = f"sqlite:///{tmp_path}/new.db"
    open_store(uri).close()
    assert main(["journal", "verify", "--store", uri]) == 0
    assert capsys.readouterr().out == f"{uri}: intact, and empty\n"
    assert main(["journal", "verify", "--store", "memory:"]) == 3
    assert capsys.readouterr().err == f"policykit: {MEMORY}\n"


def test_follow_goes_on_until_interrupted(uri: str, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--follow` shows the rows there are, waits, and ends with 130 on Ctrl-C."""

    def interrupted() -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("policykit.cli.journal._wait", interrupted)  # not time.sleep: other threads sleep, too
    assert main(["journal", "tail", "--follow", "-n", "1", "--store", uri]) == 130
    assert capsys.readouterr().out.splitlines() == LINES[-1:]


def test_backup_copies_the_journal_and_checks_it(uri: str, tmp_path: Path, capsys: Out) -> None:
    """A new file with every row ends with 0; a file that is there is left alone: 2; memory has none: 3."""
    copy = tmp_path / "copy.db"
    assert main(["journal", "backup", str(copy), "--store", uri]) == 0
    assert capsys.readouterr().out == f"{copy}: 13 rows, the chain is whole\n"
    assert main(["journal", "verify", "--store", f"sqlite:///{copy}"]) == 0
    capsys.readouterr()
    for file, store, code, said in (
        (copy, uri, 2, f"{copy}: cannot be made (File exists); name a new file in a folder that is there\n"),
        (tmp_path / "no" / "x.db", uri, 2, f"{tmp_path}/no/x.db: cannot be made (No such file or directory); name a "),
        (tmp_path / "x.db", "memory:", 3, f"policykit: {MEMORY}\n"),
    ):
        assert main(["journal", "backup", str(file), "--store", store]) == code
        assert capsys.readouterr().err.startswith(said)


def test_a_backup_of_a_journal_that_was_changed_says_so(uri: str, tmp_path: Path, capsys: Out) -> None:
    """A row from before the checkpoint keeps no store from opening: the copy is made, and ends with 1 and the row."""
    path, copy = uri.removeprefix("sqlite://"), tmp_path / "copy.db"
    store = open_store(uri)
    store.checkpoint()
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 3")
    connection.close()
    assert main(["journal", "backup", str(copy), "--store", uri]) == 1
    assert capsys.readouterr().out.startswith(f"{copy}: 2 rows, row 3 does not carry the hash")


def test_no_foreign_word_forges_a_line_or_steers_the_terminal(tmp_path: Path, capsys: Out) -> None:
    """A symbol, a bot or an exchange's words that hold escape codes and ends of lines are shown as what they are."""
    hostile = "A\x1b[2J\nFORGED\r\x9b31m\u202eB"
    uri = f"sqlite:///{tmp_path / 'hostile.db'}"
    store = open_store(uri)
    order = Order(hostile, "buy", "limit", Decimal(1), Decimal(2))
    said = replace(decision(), order=order, bot=hostile)
    meant = replace(intent(said.id), order=order, bot=hostile)
    assert store.reserve(said, meant, (), 0, AT_MS).granted
    store.outcome(said.id, Outcome("unknown", AT_MS, error=hostile))
    store.halt(f"bot:{hostile}", "HALTED", hostile, hostile, AT_MS)
    store.close()
    for command in (["journal", "tail"], ["journal", "show", said.id], ["status"], ["orders"]):
        main([*command, "--store", uri])
        shown = capsys.readouterr().out
        assert "FORGED" in shown
        assert not any(line.startswith("FORGED") for line in shown.splitlines())
        assert not set(shown) & set("\x1b\r\x9b\u202e")
