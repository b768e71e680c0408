"""A folder to start in, and a way to call the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from policykit.cli.__main__ import main

NOW = "2026-11-21T10:00:00Z"


class Said(NamedTuple):
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return `run("init", ...)`: the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Said:
        code = main([*(str(a) for a in arguments), "--now", NOW])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call
