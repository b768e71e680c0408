"""Ask git what it knows of files. Offline, read-only, and nothing that the repository configures is run."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import IO

from policykit.rules.config import Git

#: How long one question may take, in seconds, and how many folders up the repository is looked for.
MAX_SECONDS = 60
MAX_PARENTS = 64

#: A repository may be a stranger's: no monitor, hook, replacement, fetch or lock on its behalf.
_SAFE = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never",
    "--no-optional-locks", "--no-replace-objects",
)  # fmt: skip
#: Inside a hook these name the repository of the hook, which need not be the one that is asked about.
_DROPPED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE")


class GitFailed(Exception):
    """Say why git gave no answer, in our words and without a path."""


def repository(path: str) -> str | None:
    """Return the top folder of the repository that holds a path, or None."""
    folder = os.path.realpath(path)
    return _top(folder if os.path.isdir(folder) else os.path.dirname(folder))


@cache
def _top(folder: str) -> str | None:
    for _ in range(MAX_PARENTS):
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return None


def command(top: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of one git command. Raise GitFailed when there is no git."""
    program = shutil.which("git")
    if program is None:
        raise GitFailed("there is no git program")
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return [program, "-C", top, *_SAFE, *arguments], {**environment, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


def ask(top: str, *arguments: str, said: bytes = b"") -> tuple[int, bytes]:
    """Return (exit code, output) of one git command that reads `said`. Raise GitFailed when it could not run."""
    line, environment = command(top, *arguments)
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, no shell
            line, env=environment, input=said, capture_output=True, timeout=MAX_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailed(f"git did not answer ({type(error).__name__})") from None
    if done.returncode > 1 and b"dubious ownership" in done.stderr:
        raise GitFailed("git does not trust this repository: it belongs to another user (git help safe.directory)")
    return done.returncode, done.stdout


def start(top: str, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a git command whose output is read as it comes."""
    line, environment = command(top, *arguments)
    return subprocess.Popen(  # noqa: S603  # a fixed program, no shell
        line, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


@cache
def _tracked(top: str) -> frozenset[bytes]:
    code, listed = ask(top, "ls-files", "-z")
    if code != 0:
        raise GitFailed("git could not list the files of this repository")
    return frozenset(listed.split(b"\0"))


def standing(file: str) -> Git:
    """Tell what git does with a file."""
    top = repository(file)
    if top is None:
        return "outside"
    real = os.path.join(os.path.realpath(os.path.dirname(file)), os.path.basename(file))
    inside = os.path.relpath(real, top)
    try:
        if os.fsencode(inside) in _tracked(top):
            return "tracked"
        code, _ = ask(top, "check-ignore", "--stdin", "-z", said=os.fsencode(inside) + b"\0")
    except GitFailed:
        return "unknown"
    return "ignored" if code == 0 else "untracked" if code == 1 else "unknown"


def world_readable(file: str) -> bool:
    """Tell whether every user of this host may read a file: it and each folder above it let them."""
    try:
        if not os.stat(file).st_mode & 0o004:
            return False
        return all(os.stat(folder).st_mode & 0o001 for folder in Path(os.path.realpath(file)).parents)
    except OSError:
        return False


def forget() -> None:
    """Drop what was asked; the next lint asks again."""
    _top.cache_clear()
    _tracked.cache_clear()
