"""How rows are measured: every candidate once in each round, ratios taken inside a round, medians over rounds.

A row is a ratio to something measured beside it, never an absolute figure: machines differ, and drift.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

ROUNDS = 9
#: Seconds a candidate may take in one round.
BUDGET_S = 0.05
#: Nanoseconds that a calibrating loop must last, so that the clock's own cost does not show.
CALIBRATED_NS = 5_000_000
MOST_CALLS = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `ratio` must be at most `goal` to be met; `unit` says what of what."""

    what: str
    goal: float
    ratio: float
    unit: str
    seconds: float
    note: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Say whether the goal is met."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


def calls_for(function: Callable[[], object], budget_s: float) -> int:
    """Return how many calls fill the budget."""
    calls = 1
    while True:
        started = time.perf_counter_ns()
        for _ in range(calls):
            function()
        spent = time.perf_counter_ns() - started
        if spent > CALIBRATED_NS or calls >= MOST_CALLS:
            return max(1, int(calls * budget_s * 1e9 / max(spent, 1)))
        calls *= 4


def interleave(
    candidates: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS, budget_s: float = BUDGET_S
) -> dict[str, list[float]]:
    """Return seconds a call for each candidate, one figure a round; the collector rests while a round runs."""
    calls = {name: calls_for(function, budget_s) for name, function in candidates.items()}
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        try:
            for name, function in candidates.items():
                loop = range(calls[name])
                started = time.perf_counter_ns()
                for _ in loop:
                    function()
                figures[name].append((time.perf_counter_ns() - started) / calls[name] / 1e9)
        finally:
            gc.enable()
    return figures


def processes(commands: Mapping[str, Sequence[str]], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return wall seconds of each command, one figure a round; a command that fails stops the bench.

    Every command finds bytecode, as after an install, whatever the environment says of writing it.
    """
    figures: dict[str, list[float]] = {name: [] for name in commands}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**kept, "PYTHONPYCACHEPREFIX": folder}
        for _ in range(rounds + 1):  # the first round writes the bytecode and warms the disk cache; it is dropped
            for name, command in commands.items():
                started = time.perf_counter_ns()
                quiet = subprocess.DEVNULL
                subprocess.run(command, check=True, stdout=quiet, stderr=quiet, env=environment)
                figures[name].append((time.perf_counter_ns() - started) / 1e9)
    return {name: values[1:] for name, values in figures.items()}


def ratio(figures: Mapping[str, Sequence[float]], name: str, floor: str) -> float:
    """Return the median, over rounds, of `name` to `floor` in the same round."""
    return statistics.median(a / b for a, b in zip(figures[name], figures[floor], strict=True))


def row(
    what: str, figures: Mapping[str, Sequence[float]], name: str, floor: str, goal: float, *, note: str = ""
) -> Row:
    """Make a row from figures of one run."""
    return Row(what, goal, ratio(figures, name, floor), f"x {floor}", statistics.median(figures[name]), note)
