"""Part 1: a policy linted statically and against the live key, then a repaired pair linted clean."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from policykit.lint import Call, Ended, Options, lint
from policykit.lint.live import taker
from policykit.lint.report import Style, write
from policykit.sim.keys import SimKey
from policykit.testing import Sim

HERE = Path(__file__).parent
#: What the faulty pair must be caught at: withdraw scope, no address restriction, key age, rate budget, order cap.
EXPECTED = ("PK101", "PK201", "PK302", "PK401", "PK603")
KEY_AGE_DAYS = 140
#: The day on which the demo's policies were written: their dates are as far from today as they were from it.
WRITTEN = date(2026, 11, 21)


def show_lint(say: Callable[[str], None], folder: Path) -> str | None:
    """Lint both pairs and print the reports; return what did not come out as it should."""
    for name in ("faulty.yaml", "repaired.yaml"):
        (folder / name).write_text(_today((HERE / name).read_text(encoding="utf-8")), encoding="utf-8")
    with Sim() as sim:
        leaky = sim.add_key(age_days=KEY_AGE_DAYS, enableWithdrawals=True, ipRestrict=False)
        faulty = _lint(folder / "faulty.yaml", sim.url, leaky, say)
        say("\nNow with the cap lowered, the budget corrected, a new key without withdrawal, bound to its address:\n")
        repaired = _lint(folder / "repaired.yaml", sim.url, sim.add_key(), say)
    found = {finding.rule for finding in faulty.report.findings if finding.status == "open"}
    missed = [code for code in EXPECTED if code not in found]
    if missed:
        return f"the faulty policy was not caught at {', '.join(missed)}"
    return None if repaired.code == 0 else f"the repaired policy ended with exit code {repaired.code}"


def _today(text: str) -> str:
    """Move every date of a policy by the days since it was written, so that nothing in it expires or grows old."""
    past = datetime.now(UTC).date() - WRITTEN
    return re.sub(r"\b20\d\d-\d\d-\d\d\b", lambda found: str(date.fromisoformat(found[0]) + past), text)


def use(key: SimKey) -> None:
    """Put a key where the policy's `env://MM_EXEC` reads it."""
    os.environ.update(MM_EXEC_API_KEY=key.key, MM_EXEC_API_SECRET=key.secret)


def _lint(policy: Path, url: str, key: SimKey, say: Callable[[str], None]) -> Ended:
    use(key)
    started = time.monotonic()
    now_ms = time.time_ns() // 1_000_000
    ended = lint(Call((str(policy),), (), taker(url, now_ms, say)), Options(now_ms))
    say(write("text", ended.report, Style(seconds=time.monotonic() - started)))
    return ended
