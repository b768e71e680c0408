"""Many files: judged over all cores, and completely, whatever becomes of the processes that help."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.lint import many
from policykit.lint.discover import Target
from policykit.lint.judge import Judged, Options, judge
from tests.lint.conftest import NOW_MS

Judge = Callable[..., Judged]
#: Longer than any of these tests takes: a lint that waits for a process that is gone ends in SIGALRM.
LIMIT_S = 5


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """Return files in six chunks, for two processes."""
    monkeypatch.setattr(many, "MIN_PARALLEL", 1)
    monkeypatch.setattr(many, "CHUNK", 2)
    monkeypatch.setattr(many, "_cores", lambda: 2)
    made = []
    for index in range(12):
        file = tmp_path / f"p{index:02}.yaml"
        file.write_text(f"policykit: {index}\n")
        made.append(Target(str(file), "policy", named=False))
    signal.alarm(LIMIT_S)
    return made


def _all(targets: list[Target], *, alone: bool = False) -> list[Judged]:
    try:
        return many.judge_all(targets, Options(NOW_MS), lambda _: (None, False), alone=alone)
    finally:
        signal.alarm(0)


def test_many_processes_find_what_one_does(targets: list[Target]) -> None:
    """The same findings in the same order, over cores or not."""
    over_cores, alone = _all(targets), _all(targets, alone=True)
    assert [(j.target, j.findings) for j in over_cores] == [(j.target, j.findings) for j in alone]
    assert [{f.primary.file for f in j.findings} for j in alone] == [{t.file} for t in targets]


@pytest.mark.parametrize("end", ["killed", "failed"])
def test_what_a_dead_process_owes_is_judged_all_the_same(
    targets: list[Target], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A process that is killed in the middle, or fails, neither hides a file nor makes lint wait for ever."""
    here = os.getpid()

    def killed(target: Target, *rest: object) -> Judged:
        if os.getpid() != here and target.file.endswith("p06.yaml"):
            if end == "failed":
                raise RuntimeError
            os.kill(os.getpid(), signal.SIGKILL)
        return judge(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(many, "judge", killed)
    assert [j.target for j in _all(targets)] == targets


def test_what_fails_here_too_is_said(targets: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that a file makes in every process is raised, not swallowed with the process."""

    def fail(target: Target, *_: object) -> Judged:
        raise RuntimeError(target.file)

    monkeypatch.setattr(many, "judge", fail)
    with pytest.raises(RuntimeError, match=r"p00\.yaml"):
        _all(targets)
