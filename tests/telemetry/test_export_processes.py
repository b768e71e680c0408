"""`policykit journal export --otlp` as a process: it follows, ends on a signal, and loses nothing when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policykit.store import open_journal, open_store
from policykit.telemetry.rebuild import spans_of
from tests.telemetry.nouns import AT_MS, NOTIONAL, decision
from tests.telemetry.taps import Answer, Tap, tap

DECISIONS = 1_200


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Return a store with decisions in its journal, more than one batch."""
    made = open_store(f"sqlite:///{tmp_path}/s.db")
    made.announce("binance/main", "USDT", {"name": "mm", "version": decision().policy_version}, AT_MS)
    for number in range(DECISIONS):
        made.record(decision(f"D{number:04}", reasons=(NOTIONAL,)), AT_MS + number)
    return made


def export(tmp_path: Path, there: Tap, *more: str) -> subprocess.Popen[str]:
    """Start the command."""
    words = ["journal", "export", "--store", f"sqlite:///{tmp_path}/s.db", "--otlp", there.url, *more]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "POLICYKIT"))}
    return subprocess.Popen(
        [sys.executable, "-m", "policykit.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, "XDG_STATE_HOME": str(tmp_path)},
    )


def wanted(tmp_path: Path) -> list[tuple[str, str]]:
    """Return trace and span id of every span of the journal."""
    reader = open_journal(f"sqlite:///{tmp_path}/s.db")
    return [(span.trace_id, span.span_id) for span in spans_of(reader.rows(0, 100_000))]


def came(there: Tap) -> list[tuple[str, str]]:
    """Return trace and span id of every span that a collector has."""
    return [(span.trace_id.hex(), span.span_id.hex()) for span in there.taken]


def test_it_follows_until_it_is_asked_to_end(store: Any, tmp_path: Path) -> None:
    """A row written while it follows arrives; SIGTERM ends it with 0 and words; another run has nothing to send."""
    with tap() as there:
        process = export(tmp_path, there, "--follow")
        assert there.wait(3)
        store.record(decision("LATER"), AT_MS)
        assert there.wait(4)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert came(there) == wanted(tmp_path)
        cursor = next(tmp_path.glob("policykit/otlp-*.json"))
        assert out == (
            f"{there.url}/v1/traces: {DECISIONS + 1:,} spans of {DECISIONS + 2:,} rows; "
            f"cursor {cursor}: row {DECISIONS + 2:,}\n"
        )
        again = export(tmp_path, there)
        assert "0 spans of 0 rows" in again.communicate(timeout=30)[0]


def test_I17_a_kill_in_the_middle_loses_nothing(store: Any, tmp_path: Path) -> None:
    """Killed (-9) while the collector has the second batch and has not answered: what comes twice has equal ids."""
    held = Answer()
    held.held.clear()
    with tap(Answer(), held) as there:
        process = export(tmp_path, there)
        assert there.wait(2)
        process.kill()
        process.communicate(timeout=30)
        held.held.set()
        again = export(tmp_path, there)
        again.communicate(timeout=30)
        assert again.returncode == 0
        assert set(came(there)) == set(wanted(tmp_path))
        assert len(came(there)) == DECISIONS + 512
