"""Find what to lint: the policies and the bots' sources among the paths that were given."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from policykit.rules.config.base import MAX_BYTES
from policykit.rules.config.kinds import format_of, is_policy, is_test, kind_by_content, kind_by_name

#: The most files of one call, and the deepest folder.
MAX_FILES = 10_000
MAX_DEPTH = 32
#: How much of a file is looked at to tell what it is.
PROBE_BYTES = 256 * 1024
#: The same for files other than YAML, of which a bot's folder has thousands: candles, results, logs.
SETTINGS_PROBE_BYTES = 32 * 1024

#: What a file is; a test is of a policy.
Kind = Literal["policy", "source", "config", "test"]

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


class Target(NamedTuple):
    """One file to lint. `named`: given on the command line, not found in a folder."""

    file: str
    kind: Literal["policy", "source", "config"]
    named: bool


class Found(NamedTuple):
    """What was found; `problems` are lines `PLACE: what is; what may be; what to do` about the call itself.

    `tests` are files of policies' tests, which are not linted: `policykit test` reads them.
    """

    targets: tuple[Target, ...]
    problems: tuple[str, ...]
    tests: tuple[str, ...] = ()


def discover(paths: tuple[str, ...]) -> Found:
    """Return every file to lint, each once, in the order given and sorted inside a folder.

    A file that is named is linted whatever it is called: `.py` as source, `.env`, JSON and the like as settings, else
    as a policy. In a folder, YAML and JSON files with a key `policykit` are policies, and files that keep a bot's
    settings are recognised (`rules/config`); links to folders and hidden folders are left out. A policy's tests (a key
    `policykit_test`) are none of these, named or not.
    """
    targets: dict[str, Target] = {}
    tests: dict[str, None] = {}
    problems: list[str] = []
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            problems.append(
                f"{path or repr(path)}: cannot be read ({reason}); a policy, a bot's .py or a folder of them is needed"
            )
            continue
        if not stat.S_ISDIR(mode):
            kind = _named(path)
            if kind == "test":
                tests[path] = None
            else:
                targets[path] = Target(path, kind, named=True)
            continue
        for file, kind in _folder(path, problems):
            if kind == "test":
                tests[file] = None
            else:
                targets.setdefault(file, Target(file, kind, named=False))
            if len(targets) + len(tests) > MAX_FILES:
                problems.append(f"{path}: over {MAX_FILES} files; name the folders that hold policies and bots")
                return Found((), tuple(problems))
    return Found(tuple(targets.values()), tuple(problems), tuple(tests))


def _folder(top: str, problems: list[str]) -> Iterator[tuple[str, Kind]]:
    def unreadable(error: OSError) -> None:
        problems.append(f"{error.filename}: the folder cannot be read ({error.strerror}); leave it out, or allow it")

    for folder, folders, files in os.walk(top, onerror=unreadable):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        if folders and len(Path(folder).parts) - len(Path(top).parts) >= MAX_DEPTH:
            problems.append(f"{folder}: folders over {MAX_DEPTH} deep are not looked into; name those below it")
            folders.clear()
        for name in sorted(files):
            path = str(Path(folder, name))
            kind = _kind(path)
            if kind is not None:
                yield path, kind


def _kind(path: str) -> Kind | None:
    """Tell what a file of a folder is: by its name, or by how it begins; None when it is none of ours."""
    if path.endswith((".py", ".ipynb")):
        return "source"
    form = format_of(path)
    head, size = _head(path, PROBE_BYTES if form == "yaml" else SETTINGS_PROBE_BYTES) if form else (b"", 0)
    if form in ("yaml", "json") and is_policy(head):
        return "policy"  # a guard takes it whatever it is called
    if form == "yaml" and is_test(head):
        return "test"
    if kind_by_name(path):
        return "config"
    if form == "yaml" and size < 0:
        return "policy"  # one that cannot be read is taken for a policy, so that it is reported
    return "config" if 0 < size <= MAX_BYTES and kind_by_content(path, head) else None


def _named(path: str) -> Kind:
    """Tell what a file that was named is. What could be a policy and is no file of settings is linted as a policy."""
    kind = _kind(path)
    if kind == "config" and is_policy(_head(path, PROBE_BYTES)[0]):
        return "policy"
    if kind is not None:
        return kind
    return "config" if format_of(path) not in ("", "yaml") else "policy"


def _head(path: str, length: int) -> tuple[bytes, int]:
    """Return the beginning of a file and its size: 0 when it is no regular file, -1 when it cannot be read."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return b"", 0
        with Path(path).open("rb") as stream:
            return stream.read(length), status.st_size
    except OSError:
        return b"", -1
