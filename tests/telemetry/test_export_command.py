"""What `policykit journal export --otlp` says and how it ends."""

from __future__ import annotations

import builtins
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.store import open_store
from policykit.telemetry.export import Cursor
from tests.telemetry.nouns import AT_MS, NOTIONAL, decision
from tests.telemetry.taps import Answer, tap

Out = pytest.CaptureFixture[str]


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a store with three decisions; cursors go to a folder of the test, pauses take no time."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("policykit.telemetry.otlp.MAX_PAUSE_S", 0.0)
    made = f"sqlite:///{tmp_path}/s.db"
    store = open_store(made)
    for number in range(3):
        store.record(decision(f"D{number:04}", reasons=(NOTIONAL,)), AT_MS + number)
    store.close()
    return made


def export(uri: str, url: str, *more: str) -> int:
    """Run the command."""
    return main(["journal", "export", "--store", uri, "--otlp", url, *more])


def test_it_says_what_it_sent_and_where_it_goes_on(uri: str, tmp_path: Path, capsys: Out) -> None:
    """The sum, the cursor and its row; handlers of signals are given back."""
    before = signal.getsignal(signal.SIGTERM)
    with tap() as there:
        assert export(uri, there.url, "--cursor", str(tmp_path / "c.json")) == 0
        assert capsys.readouterr() == (
            f"{there.url}/v1/traces: 3 spans of 3 rows; cursor {tmp_path}/c.json: row 3\n",
            "",
        )
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_collector_that_is_away_or_refuses_us_ends_with_3(uri: str, capsys: Out) -> None:
    """Nothing is skipped, and what to do is said."""
    with tap(*[Answer(503)] * 7, Answer(401)) as there:
        assert export(uri, there.url) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            f"otlp: {there.url}/v1/traces: answered 503; it is tried again, the journal keeps what is to come\n"
            f"otlp: {there.url}/v1/traces: answered 503; the collector has everything up to row 0, from there the next "
            "run goes on\n"
        )
        assert export(uri, there.url) == 3
        assert capsys.readouterr().err == (
            "otlp: answered 401; nothing was skipped; check its token (OTEL_EXPORTER_OTLP_HEADERS) and start again; "
            "the collector has everything up to row 0, from there the next run goes on\n"
        )


def test_what_is_rejected_is_in_the_sum(uri: str, capsys: Out) -> None:
    """A loss is never silent."""
    with tap(Answer(400)) as there:
        assert export(uri, there.url) == 0
    assert "0 spans of 3 rows, 3 rejected; cursor" in capsys.readouterr().out


def test_a_wrong_url_is_a_wrong_call(uri: str, capsys: Out) -> None:
    """It is said before anything is read or written."""
    assert export(uri, "localhost:4318") == 2
    assert capsys.readouterr().err == (
        "policykit: localhost:4318: is no collector; an origin such as http://127.0.0.1:4318 is needed\n"
    )


def test_what_was_pruned_is_said_and_its_archive_can_be_sent(tmp_path: Path, capsys: Out, uri: str) -> None:
    """Rows that went before they were sent: told, with where they are; what is in force of them is still known."""
    store, now, old = open_store(f"sqlite:///{tmp_path}/long.db"), time.time_ns() // 1_000_000, 100 * 86_400_000
    loaded = {"name": "mm", "version": decision().policy_version, "stage": "canary", "file": "mm.yaml", "bot": "mm-1"}
    store.announce("binance/main", "USDT", loaded, now - old)
    for number in range(20):
        store.record(decision(f"D{number:04}", reasons=(NOTIONAL,)), now - (old if number < 12 else 0))
    store.close()
    long = f"sqlite:///{tmp_path}/long.db"
    assert main(["journal", "prune", "--store", long, "--older-than", "30d", "--archive", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    with tap() as there:
        assert export(long, there.url) == 0
        assert (
            "rows 1 to 13 were pruned before they were sent; their archive can be exported" in capsys.readouterr().err
        )
        assert len(there.taken) == 8
        (archive,) = (tmp_path / "a").glob("*.db")
        assert export(f"sqlite:///{archive}", there.url, "--cursor", str(tmp_path / "archive.json")) == 0
        assert len({span.span_id for span in there.taken}) == 20
        stages = {pair.value.string_value for span in there.taken for pair in span.attributes if "stage" in pair.key}
        assert stages == {"canary"}


def test_interrupted_it_ends_with_130_and_the_cursor_stays(
    uri: str, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to end while the batch is on its way: it is finished, its cursor kept, the rest is the next run's."""
    move = Cursor.move

    def moved(self: Cursor, *args: Any) -> None:
        move(self, *args)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Cursor, "move", moved)
    monkeypatch.setattr("policykit.telemetry.export.BATCH", 2)
    with tap() as there:
        assert export(uri, there.url) == 130
        assert "2 spans of 2 rows" in capsys.readouterr().out
        monkeypatch.setattr(Cursor, "move", move)
        assert export(uri, there.url) == 0
        assert len(there.taken) == 3


def test_without_the_extra_it_says_what_to_install(uri: str, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command to run, and no traceback."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "policykit.telemetry.otlp":
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert export(uri, "http://127.0.0.1:9") == 2
    assert 'pip install "policykit-trading[otel]"' in capsys.readouterr().err
