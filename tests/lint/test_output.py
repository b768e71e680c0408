"""--output: a file is written whole, a link is followed, and what is no file is never replaced."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from tests.lint.conftest import NOW, Said

Run = Callable[..., Said]


def test_output_follows_a_link(run: Run, policy: Path) -> None:
    """A link stays a link; the file that it points at is written."""
    Path("real").mkdir()
    Path("report.txt").symlink_to("real/report.txt")
    run("lint", policy, "--now", NOW, "--output", "report.txt")
    assert Path("report.txt").is_symlink()
    assert "1 policy" in Path("real/report.txt").read_text()
    assert sorted(os.listdir("real")) == ["report.txt"]


def test_output_never_replaces_what_is_no_file(run: Run, policy: Path) -> None:
    """A pipe is written to, as /dev/null and /dev/stdout are: replacing one would break it for every program."""
    os.mkfifo("pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    run("lint", policy, "--now", NOW, "--output", "pipe")
    reader.join(10)
    assert Path("pipe").is_fifo()
    assert "1 policy" in read[0]
    assert run("lint", policy, "--now", NOW, "--output", os.devnull).out == ""
    assert not Path(os.devnull).is_file()


def test_output_into_a_missing_folder_is_a_wrong_call(run: Run, policy: Path) -> None:
    """What cannot be written is said in one line, and nothing is left behind."""
    said = run("lint", policy, "--now", NOW, "--output", "none/report.txt")
    assert said.code == 2
    assert "none/report.txt: cannot be written (No such file or directory)" in said.err
    assert sorted(os.listdir()) == ["mm.yaml"]
