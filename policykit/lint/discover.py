"""Find what to lint: the policies and the bots' sources among the paths that were given."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

#: The most files of one call, and the deepest folder.
MAX_FILES = 10_000
MAX_DEPTH = 32
#: How much of a YAML file is looked at to tell a policy from another file.
PROBE_BYTES = 256 * 1024

_POLICY = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?policykit[\"']?[ \t]*:", re.MULTILINE)
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})


class Target(NamedTuple):
    """One file to lint. `named`: given on the command line, not found in a folder."""

    file: str
    kind: Literal["policy", "source", "config"]
    named: bool


class Found(NamedTuple):
    """What was found; `problems` are lines `PLACE: what is; what may be; what to do` about the call itself."""

    targets: tuple[Target, ...]
    problems: tuple[str, ...]


def discover(paths: tuple[str, ...]) -> Found:
    """Return every file to lint, each once, in the order given and sorted inside a folder.

    A file that is named is linted whatever it is called: `.py` as source, `.env` as settings, else as a policy. In a
    folder, YAML files with a key `policykit` are policies; links to folders and hidden folders are left out.
    """
    targets: dict[str, Target] = {}
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
            targets[path] = Target(path, _kind(path) or "policy", named=True)
            continue
        for target in _folder(path, problems):
            targets.setdefault(target.file, target)
            if len(targets) > MAX_FILES:
                problems.append(f"{path}: over {MAX_FILES} files; name the folders that hold policies and bots")
                return Found((), tuple(problems))
    return Found(tuple(targets.values()), tuple(problems))


def _folder(top: str, problems: list[str]) -> Iterator[Target]:
    def unreadable(error: OSError) -> None:
        problems.append(f"{error.filename}: the folder cannot be read ({error.strerror}); leave it out, or allow it")

    for folder, folders, files in os.walk(top, onerror=unreadable):
        depth = len(Path(folder).parts) - len(Path(top).parts)
        folders[:] = sorted(f for f in folders if depth < MAX_DEPTH and f not in _SKIPPED and not f.startswith("."))
        for name in sorted(files):
            path = str(Path(folder, name))
            kind = _kind(name)
            if kind is not None:
                yield Target(path, kind, named=False)
            elif name.endswith((".yaml", ".yml")) and _is_policy(path):
                yield Target(path, "policy", named=False)


def _kind(path: str) -> Literal["source", "config"] | None:
    """Tell by its name what a file is; None when its content must tell."""
    name = os.path.basename(path)
    if name.endswith(".py"):
        return "source"
    return "config" if name == ".env" or name.startswith(".env.") or name.endswith(".env") else None


def _is_policy(path: str) -> bool:
    """Tell a policy from another YAML file; one that cannot be read is taken for a policy, so that it is reported."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with Path(path).open("rb") as stream:
            return _POLICY.search(stream.read(PROBE_BYTES)) is not None
    except OSError:
        return True
