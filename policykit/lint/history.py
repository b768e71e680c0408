"""Secrets in git's history: every version of every file that may hold one, streamed out of git, each read once.

Nothing is checked out, written or fetched. A secret is known by a hash that lives as long as this run does.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from policykit.finding import Finding
from policykit.lint.git import GitFailed, ask, repository, start
from policykit.lint.judge import Options, run
from policykit.place import Place
from policykit.rules import Inputs, catalogue
from policykit.rules.config import Config, Past, read_version
from policykit.rules.config.kinds import may_hold_secrets
from policykit.rules.config.leaks import leaks

#: The most versions of files that are read in one repository, and their bytes together.
MAX_VERSIONS = 500_000
MAX_TOTAL_BYTES = 4 * 1024**3
#: The longest version that is read: notebooks hold pictures.
MAX_VERSION_BYTES = 1024 * 1024
#: How many objects git is asked for at a time: the question must fit into a pipe (64 KiB), so that nobody waits.
BATCH = 256
#: How many digits of a commit are shown; the same in every clone, which git's own abbreviation is not.
COMMIT_DIGITS = 12
_CHUNK = 64 * 1024
_RULE = "PK959"

Progress = Callable[[int, int], None]


class Version(NamedTuple):
    """One version of a file, at the commit that first had it."""

    blob: str
    path: str
    commit: str
    date: str


@dataclass(slots=True)
class History:
    """What the history of the repositories came to."""

    findings: list[Finding] = field(default_factory=list)
    #: Lines about the call, which make it wrong; and lines that only say what was not looked at.
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: How many versions were read.
    versions: int = 0


def search(paths: Sequence[str], options: Options, progress: Progress = lambda done, of: None) -> History:
    """Look through the history of each repository that holds a path."""
    history = History()
    tops: dict[str, str] = {}
    for path in paths or (".",):
        top = repository(path)
        if top is None:
            history.problems.append(
                f"{path}: not in a git repository; --git-history needs one; leave the flag out, or name its folder"
            )
        else:
            tops.setdefault(top, path)
    for top, path in tops.items():
        try:
            _repository(top, path, options, history, progress)
        except GitFailed as error:
            history.problems.append(
                f"{path}: {error}; --git-history asks git for past versions; mend that, or leave the flag out"
            )
    return history


def _repository(top: str, path: str, options: Options, history: History, progress: Progress) -> None:
    code, shallow = ask(top, "rev-parse", "--is-shallow-repository")
    if code != 0:
        raise GitFailed("git cannot read this repository")
    if shallow.strip() == b"true":
        history.notes.append(
            f"{path}: a shallow clone: only the commits that it has were looked at (git fetch --unshallow)"
        )
    versions = list(_versions(top))
    if len(versions) > MAX_VERSIONS:
        history.notes.append(f"{path}: only the newest {MAX_VERSIONS:,} of {len(versions):,} versions were looked at")
        versions = versions[-MAX_VERSIONS:]
    entries = [entry for entry in catalogue("config") if entry.rule.code == _RULE]
    for past, config in _secrets(top, path, versions, history, progress):
        inputs = Inputs(options.now_ms, config=replace(config, past=past))
        history.findings += run(entries, inputs, config.file)


def _secrets(
    top: str, path: str, versions: Sequence[Version], history: History, progress: Progress
) -> Iterator[tuple[Past, Config]]:
    """Yield each secret once: where it was first, and the file that held it there."""
    now = _present(top)
    first: dict[bytes, tuple[Version, Config, Place]] = {}
    present: set[bytes] = set()
    salt = secrets.token_bytes(16)
    left = MAX_TOTAL_BYTES
    skipped = 0
    for version, raw in _contents(top, versions):
        history.versions += 1
        progress(history.versions, len(versions))
        if raw is None or len(raw) > left:
            skipped += 1
            continue
        left -= len(raw)
        config = read_version(raw, version.path)
        for leak in leaks(config):
            if leak.keeps == "secret":
                mark = hashlib.sha256(salt + leak.setting.value.encode("utf-8", "surrogatepass")).digest()
                first.setdefault(mark, (version, config, leak.setting.place))
                if version.blob in now:
                    present.add(mark)
    if skipped:
        what = "1 version was" if skipped == 1 else f"{skipped:,} versions were"
        history.notes.append(f"{path}: {what} not looked at: missing here, or over {MAX_VERSION_BYTES // 1024} KiB")
    for mark, (version, config, place) in first.items():
        yield Past(version.commit[:COMMIT_DIGITS], version.date, mark in present, place), config


def _versions(top: str) -> Iterator[Version]:
    """Yield each version of each file of a kind that may hold secrets, oldest commit first, each blob and kind once.

    Combined differences of merges show what a merge itself brought in. Older stashes are only in their log.
    """
    _, stashes = ask(top, "log", "-g", "--format=%H", "refs/stash", "--")
    process = start(
        top, "log", "--all", *stashes.decode().split(), "--reverse", "--date-order", "--root", "-c", "--raw", "-z",
        "--no-abbrev", "--no-renames", "--no-show-signature", "--no-ext-diff", "--no-textconv",
        "--ignore-submodules=all", "--format=format:%x01%H %cs", "--",
    )  # fmt: skip
    seen: set[tuple[str, str]] = set()
    commit = date = ""
    blob: str | None = None  # of the entry whose path comes next; "" when it is no regular file
    try:
        for word in _words(process):
            if blob is not None:
                path = word.decode("utf-8", "surrogateescape")
                kind = path[path.rfind("/") + 1 :] if "." not in path else path[path.rfind(".") :]
                if blob and (blob, kind) not in seen and may_hold_secrets(path):
                    seen.add((blob, kind))
                    yield Version(blob, path, commit, date)
                blob = None
                continue
            entry = word.lstrip(b"\n")
            if entry.startswith(b"\x01"):
                head, _, entry = entry[1:].partition(b"\n")
                commit, date = head.decode().split(" ")
            blob = _blob(entry) if entry.startswith(b":") else None
    finally:
        _end(process, "git could not list the commits of this repository")


def _blob(entry: bytes) -> str:
    """Return the new blob of a raw difference (`:old new old-id new-id A`; a `:` more for each further parent)."""
    parents = len(entry) - len(entry.lstrip(b":"))
    parts = entry.lstrip(b":").split(b" ")
    deleted = parts[-1].endswith(b"D")
    return parts[2 * parents + 1].decode() if parts[parents].startswith(b"100") and not deleted else ""


def _words(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what stands between null bytes."""
    assert process.stdout is not None
    rest = b""
    while chunk := process.stdout.read(_CHUNK):
        *words, rest = (rest + chunk).split(b"\0")
        yield from words


def _end(process: subprocess.Popen[bytes], failed: str) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    if process.wait() not in (0, -signal.SIGPIPE, 128 + signal.SIGPIPE):
        raise GitFailed(failed)


def _present(top: str) -> frozenset[str]:
    """Return the blobs of the current commit; none where there is no commit yet."""
    code, listed = ask(top, "ls-tree", "-r", "-z", "HEAD")
    return (
        frozenset(line[12:].partition(b"\t")[0].decode() for line in listed.split(b"\0")) if code == 0 else frozenset()
    )


def _contents(top: str, versions: Sequence[Version]) -> Iterator[tuple[Version, bytes | None]]:
    """Yield each version with its bytes: None when it is missing here or too large."""
    sizes = start(top, "cat-file", "--batch-check", stdin=subprocess.PIPE)
    blobs = start(top, "cat-file", "--batch", stdin=subprocess.PIPE)
    try:
        for at in range(0, len(versions), BATCH):
            batch = versions[at : at + BATCH]
            wanted = list(_small(sizes, batch))
            _write(blobs, (v.blob for v, small in zip(batch, wanted, strict=True) if small))
            for version, small in zip(batch, wanted, strict=True):
                yield version, _read(blobs) if small else None
    finally:
        for process in (sizes, blobs):
            _end(process, "git could not read all versions")


def _small(process: subprocess.Popen[bytes], batch: Sequence[Version]) -> Iterator[bool]:
    assert process.stdout is not None
    _write(process, (version.blob for version in batch))
    for _ in batch:
        answer = process.stdout.readline().split()
        if not answer:
            raise GitFailed("git could not read all versions")
        yield len(answer) == 3 and int(answer[2]) <= MAX_VERSION_BYTES


def _write(process: subprocess.Popen[bytes], blobs: Iterable[str]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write("".join(f"{blob}\n" for blob in blobs).encode())
        process.stdin.flush()
    except BrokenPipeError:
        raise GitFailed("git could not read all versions") from None


def _read(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    head = process.stdout.readline().split()
    if len(head) != 3:
        raise GitFailed("git could not read all versions")
    raw = process.stdout.read(int(head[2]) + 1)
    return raw[:-1]
