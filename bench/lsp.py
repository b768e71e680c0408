"""Answers of the language server on a policy of 500 lines, each after a change of it: beside lint of the same text."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from bench._harness import Row
from policykit.lint.discover import Target
from policykit.lint.judge import Options
from policykit.lint.run import lint_targets
from policykit.proofs.lsp.actions import actions, edits
from policykit.proofs.lsp.completion import complete
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.diagnostics import marks
from policykit.proofs.lsp.hover import hover
from policykit.proofs.lsp.places import definition
from policykit.proofs.lsp.text import Span
from policykit.rules.base import iso_ms

TOP = Path(__file__).resolve().parent.parent
ROUNDS = 40
LINES = 500
NOW_MS = iso_ms("2026-11-21") or 0
#: The answer that is promised, ms, and how often lint each may take. A fix is lint of the text before and after it.
PROMISED_MS = 50
GOALS = {"marks": 1.3, "hover": 1.6, "completion": 1.0, "definition": 1.0, "actions": 1.6, "a fix, proved": 4.0}


def policy() -> str:
    """Return the worked example with as many keys and caps as make it LINES lines."""
    text = (TOP / "policies" / "binance-market-maker.yaml").read_text(encoding="utf-8")
    start, end = text.index("  mm-exec:\n"), text.index("\nclock:")
    one = text[start:end].replace("203.0.113.7", "198.51.100.7")
    keys = "".join(one.replace("mm-exec", f"mm-{i}").rstrip("\n") + "\n" for i in range(33))
    text = text[:end] + keys + text[end:]
    cap = 'max_position_notional: {default: 10% of equity, "BTC/USDT": 20% of equity}'
    named = "".join(f'    "C{i}/USDT": 9% of equity\n' for i in range(LINES - text.count("\n") - 2))
    return text.replace(cap, f"max_position_notional:\n    default: 10% of equity\n{named}".rstrip("\n"))


def _timed(change: Callable[[], None], answers: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return seconds of each answer, each on a text that was changed just before."""
    figures: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(ROUNDS):
        for name, answer in answers.items():
            change()
            started = time.perf_counter_ns()
            answer()
            figures[name].append((time.perf_counter_ns() - started) / 1e9)
    return figures


def rows() -> list[Row]:
    """Return a row an answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "long.yaml"))
        baseline = (TOP / "policies" / "baseline.yaml").read_text(encoding="utf-8")
        Path(folder, "baseline.yaml").write_text(baseline, encoding="utf-8")
        text = (
            policy()
            .replace("max_leverage: 3", "max_leverage: 3\n  risk_at_stop: 9% of equity")
            .replace("every: 90d", "every: 200d", 1)
        )
        figures = _measured(Desk(lambda: NOW_MS), file, text)
    lint = figures.pop("lint")
    made = []
    for name, seconds in figures.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, lint, strict=True))
        p50, p95 = (statistics.quantiles(seconds, n=20)[at] * 1000 for at in (9, 18))
        note = f"p50 {p50:.1f} ms, p95 {p95:.1f} ms; an answer is promised in {PROMISED_MS} ms"
        what = f"lsp, {text.count(chr(10))} lines, after a change: {name}"
        made.append(Row(what, GOALS[name], ratio, "x lint of the same text", statistics.median(seconds), note))
    return made


def _measured(desk: Desk, file: str, text: str) -> dict[str, list[float]]:
    cap, word = text.index("max_leverage: 3") + 14, text.index("max_gross_exposure") + 3
    versions = count()
    old = text.index("every: 200d") + 8

    def change() -> None:
        desk.put(file, f"{text}# {next(versions)}\n")

    def lint() -> object:
        options = Options(NOW_MS, texts=desk.bytes)
        return lint_targets([Target(file, "policy", named=True)], options, lambda _: (None, False))

    def fix() -> object:
        (found,) = [a for a in actions(desk, file, Span(old, old)) if a.kind == "fix"]
        done = edits(desk, file, "fix", found.number)
        assert not isinstance(done, str), done
        return done

    return _timed(
        change,
        {
            "lint": lint,
            "marks": lambda: marks(desk, file),
            "hover": lambda: hover(desk, file, word),
            "completion": lambda: complete(desk, file, cap),
            "definition": lambda: definition(desk, file, word),
            "actions": lambda: actions(desk, file, Span(old, old)),
            "a fix, proved": fix,
        },
    )
