"""A policy and a snapshot that lint clean, and a way to call the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import policykit.testing.rules
from policykit.cli.__main__ import main

RULES = Path(policykit.testing.rules.__file__).parent
NOW = "2026-11-21T10:00:00Z"
NOW_MS = 1_795_255_200_000


class Said(NamedTuple):
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return `run("lint", ...)`: the command in this process. Lint is given a record that leaves nothing unknown,
    unless the call has another.
    """

    def call(*arguments: object) -> Said:
        record = ("--record", RULES / "record.json") if arguments[0] == "lint" and "--record" not in arguments else ()
        code = main([str(a) for a in (*arguments, *record)])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return `mm.yaml`, a clean policy, in the folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    Path("mm.yaml").write_text((RULES / "policy.yaml").read_text())
    return Path("mm.yaml")


@pytest.fixture
def snapshot(policy: Path) -> Callable[..., Path]:
    """Return `snapshot(change)`: the clean snapshot, changed, as a file."""

    def write(change: Callable[[dict[str, Any]], object] = lambda _: None, name: str = "s.json") -> Path:
        data = json.loads((RULES / "snapshot.json").read_text())
        change(data)
        Path(name).write_text(json.dumps(data))
        return Path(name)

    return write
