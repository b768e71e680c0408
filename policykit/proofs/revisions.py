"""What `policykit diff OLD NEW` names: a file, a folder, or a revision of the git repository around this folder.

A revision is read from git's own store of objects, by `git ls-tree` and `git cat-file`: nothing is checked out, and
nothing that the repository configures is run. What a policy extends is read from the same tree.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from policykit.errors import PolicyError
from policykit.finding import Finding
from policykit.lint.discover import discover
from policykit.lint.git import GitFailed, ask, repository
from policykit.place import Place
from policykit.policy import Checked, EffectivePolicy, check, load, read_checked
from policykit.rules.config.kinds import format_of, is_policy
from policykit.source import Document, finding
from policykit.source.files import decode
from policykit.source.reader import MAX_BYTES

#: The most files of one revision that are looked at, and the longest list of them, bytes.
MAX_FILES: Final = 10_000
MAX_LIST: Final = 16_000_000
#: What git writes for a file that is kept elsewhere (Git LFS).
_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LINK, _MODULE = "120000", "160000"
_LINKED: Final = "it is a symbolic link"


class NotNamed(Exception):
    """What was named is nothing that can be compared: `PLACE: what is; what may be; what to do`."""


@dataclass(frozen=True, slots=True)
class Side:
    """All policies of one side: by their paths from what was named.

    `faults` are PK0 of those that do not load, which are at `broken`. `lacking`: what of `paths` is not there.
    """

    name: str
    kind: Literal["file", "folder", "revision"]
    policies: Mapping[str, EffectivePolicy] = field(default_factory=dict)
    faults: tuple[Finding, ...] = ()
    broken: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()


def read_side(name: str, paths: tuple[str, ...] = (), now_ms: int | None = None, folder: str = ".") -> Side:
    """Return the policies that a name stands for. `paths`: of a revision or a folder, only what lies there.

    A path that exists is that file or folder; else `REVISION` or `REVISION:PATH` of the repository around `folder`.
    Raise NotNamed.
    """
    if os.path.isdir(name):
        return _folder(name, paths, now_ms)
    if os.path.exists(name):
        return _side(name, "file", {os.path.basename(name): lambda: load(name, now_ms=now_ms)})
    return _revision(name, paths, now_ms, folder)


def read_sides(
    old: str, new: str, paths: tuple[str, ...] = (), now_ms: int | None = None, folder: str = "."
) -> tuple[Side, Side]:
    """Return both sides of a comparison. A revision beside a file or folder of its repository is of that one.

    `main` and `policies/mm.yaml` are that file then and now. Raise NotNamed.
    """

    def side(name: str, other: str) -> Side:
        bare = not os.path.exists(name) and ":" not in name
        if bare and not paths and os.path.exists(other):
            # A link is the path that it stands at: what it leads to is another policy, then and now.
            at = _unfollowed(other)
            top = repository(os.path.dirname(at) if os.path.islink(at) else at)
            inside = os.path.relpath(at, top) if top is not None else "."
            if top is not None and inside != ".":
                return _revision(f"{name}:{inside}", (), now_ms, os.path.dirname(at), derived=True)
        return read_side(name, paths, now_ms, folder)

    was, now = side(old, new), side(new, old)
    for path in was.lacking & now.lacking:
        raise NotNamed(f"{path}: there is no such file or folder in {old}, nor in {new}; a path of policies is needed")
    if not any(one.policies or one.broken for one in (was, now)):
        where = f"{', '.join(paths)}: " if paths else ""
        raise NotNamed(f"{where}there is no policy in {old}, nor in {new}; nothing would be compared")
    return was, now


def merge_base(one: str, other: str, folder: str = ".") -> str:
    """Return the commit that two revisions have in common: what a pull request is compared with. Raise NotNamed."""
    code, out = _git(_top(folder, one), "merge-base", "--end-of-options", one, other)
    if code != 0:
        raise NotNamed(f"{one}...{other}: the two have no commit in common; two revisions of one history are needed")
    return out.decode("ascii", "replace").strip()


def _side(
    name: str, kind: Literal["file", "folder", "revision"], read: Mapping[str, Callable[[], EffectivePolicy]]
) -> Side:
    policies: dict[str, EffectivePolicy] = {}
    faults: list[Finding] = []
    broken: set[str] = set()
    for path, one in sorted(read.items()):
        try:
            policies[path] = one()
        except PolicyError as error:
            faults += error.findings
            broken.add(path)
    return Side(name, kind, policies, tuple(faults), frozenset(broken))


# ---- files


def _folder(name: str, paths: tuple[str, ...], now_ms: int | None) -> Side:
    tops = tuple(os.path.join(name, path) for path in paths) or (name,)
    found = discover(tuple(top for top in tops if os.path.lexists(top)) if paths else tops)
    if found.problems:
        raise NotNamed(found.problems[0])
    files = [target.file for target in found.targets if target.kind == "policy"]
    held = {os.path.realpath(file) for file in files if not _linked(file, name)}

    def checked(path: str) -> Checked:
        return _refused(path, path, _LINKED, "a policy file") if _linked(path, name) else read_checked(path)

    def one(file: str) -> EffectivePolicy:
        return load(file, now_ms=now_ms, read_own=checked, read_parent=checked)

    # A link to what is compared under its own name is no policy of its own, as in a revision.
    own = [file for file in files if not _linked(file, name) or os.path.realpath(file) not in held]
    read = {os.path.relpath(file, name): (lambda file=file: one(file)) for file in own}
    lacking = frozenset(path for path in paths if not os.path.lexists(os.path.join(name, path)))
    return replace(_side(name, "folder", read), lacking=lacking)


def _linked(path: str, folder: str) -> bool:
    """Tell whether a path leads through a symbolic link anywhere below a folder, or beside it."""
    return os.path.realpath(path) != os.path.normpath(
        os.path.join(os.path.realpath(folder), os.path.relpath(path, folder))
    )


def _unfollowed(path: str) -> str:
    """Return where a path stands; that it is a link itself is not followed."""
    bare = path.rstrip("/") or path
    if not os.path.islink(bare):
        return os.path.realpath(bare)
    return os.path.join(os.path.realpath(os.path.dirname(bare)), os.path.basename(bare))


def _refused(path: str, file: str, what: str, may: str) -> Checked:
    return check(Document(path, findings=[finding("PK001", Place(path), f"{file}: {what}", may)]))


# ---- revisions


def _git(top: str, *arguments: str) -> tuple[int, bytes]:
    try:
        return ask(top, *arguments)
    except GitFailed as error:
        raise NotNamed(f"{top}: {error}; a repository that git can read is needed") from None


def _top(folder: str, name: str) -> str:
    top = repository(folder)
    if top is None:
        raise NotNamed(
            f"{name}: there is no such file or folder, and no git repository here; a policy, a folder of them, or a "
            "git revision is needed"
        )
    return top


def _revision(name: str, paths: tuple[str, ...], now_ms: int | None, folder: str, *, derived: bool = False) -> Side:
    top = _top(folder, name)
    said, _, inside = name.partition(":")
    commit = _commit(top, said, name)
    here = os.path.relpath(os.path.realpath(folder), top)
    wanted = [inside] if inside else [posixpath.normpath(posixpath.join(here, path)) for path in paths]
    tree = _Tree(top, commit, said)
    files = tree.policies(wanted, named=bool(inside) and not derived)
    inside = posixpath.normpath(inside) if inside else ""
    kind: Literal["file", "revision"] = "file" if files == [inside] else "revision"
    read = {posixpath.relpath(path, inside or "."): (lambda path=path: tree.load(path, now_ms)) for path in files}
    lacking = frozenset() if inside else frozenset(p for p, top in zip(paths, wanted, strict=True) if not tree.has(top))
    return replace(_side(name, kind, read), lacking=lacking)


def _commit(top: str, said: str, name: str) -> str:
    code, out = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{said}^{{commit}}")
    if code != 0 or not said:
        raise NotNamed(
            f"{name}: there is no such file, folder or git revision; a policy, a folder of them, or a revision "
            "(main, HEAD~1, main:policies/mm.yaml) is needed; a shallow clone lacks older ones (git fetch --unshallow)"
        )
    return out.decode("ascii", "replace").strip()


class _Tree:
    """The files of one commit."""

    def __init__(self, top: str, commit: str, said: str) -> None:
        self.top = top
        self.commit = commit
        self.said = said
        self.modes: dict[str, tuple[str, int]] = {}
        self._read: dict[str, bytes] = {}

    def policies(self, wanted: Iterable[str], *, named: bool) -> list[str]:
        """Return the paths of all policies under some paths; what is named itself is one whatever it is called."""
        code, out = _git(self.top, "ls-tree", "-r", "-z", "-l", "--full-tree", self.commit)
        if code != 0 or len(out) > MAX_LIST:
            raise NotNamed(f"{self.said}: its files cannot be listed; a smaller repository is needed")
        for row in out.decode("utf-8", "surrogateescape").split("\0"):
            about, _, path = row.partition("\t")
            if path:
                mode, _, _, size = about.split()
                self.modes[path] = (mode, int(size) if size.isdigit() else 0)
        tops = [path for path in map(posixpath.normpath, wanted) if path != "."]
        for top in tops if named else ():
            if not self.has(top):
                raise NotNamed(f"{self.said}:{top}: there is no such file in that revision; git ls-tree lists them")
        inside = [p for p in self.modes if not tops or any(p == top or p.startswith(f"{top}/") for top in tops)]
        yaml = [p for p in inside if p in tops or (format_of(p) in ("yaml", "json") and not _hidden(p, tops))]
        broken = next((p for p in yaml if "\n" in p), None)
        if broken is not None:
            raise NotNamed(f"{self.said}: the name of {broken!r} has a line break; a name without one is needed")
        if len(yaml) > MAX_FILES:
            raise NotNamed(f"{self.said}: over {MAX_FILES} files; name the folders that hold policies")
        self._fetch([p for p in yaml if self.modes[p][0] != _MODULE])
        return [p for p in yaml if p in tops or self._is_policy(p)]

    def has(self, top: str) -> bool:
        """Tell whether there is such a file or folder."""
        return top in (".", *self.modes) or any(path.startswith(f"{top}/") for path in self.modes)

    def _is_policy(self, path: str) -> bool:
        mode, size = self.modes[path]
        if mode == _LINK:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(self._read.get(path, b""))))
            return target not in self.modes  # what lies in the repository is compared under its own name
        return size <= MAX_BYTES and (is_policy(self._read[path]) or self._read[path].startswith(_LFS))

    def _fetch(self, paths: Iterable[str]) -> None:
        """Read many small files in one go."""
        wanted = [p for p in paths if p not in self._read and self.modes[p][1] <= MAX_BYTES]
        if not wanted:
            return
        asked = "".join(f"{self.commit}:{path}\n" for path in wanted).encode("utf-8", "surrogateescape")
        try:
            _, out = ask(self.top, "cat-file", "--batch", said=asked)
        except GitFailed as error:
            raise NotNamed(f"{self.said}: {error}; a repository that git can read is needed") from None
        at = 0
        for path in wanted:
            end = out.index(b"\n", at)
            words = out[at:end].split()
            size = int(words[-1]) if words[-1].isdigit() else 0
            self._read[path] = out[end + 1 : end + 1 + size] if words[-1].isdigit() else b""
            at = end + 1 + (size + 1 if words[-1].isdigit() else 0)

    def load(self, path: str, now_ms: int | None) -> EffectivePolicy:
        """Return the effective policy of a file of this commit. Raise PolicyError."""
        return load(path, now_ms=now_ms, read_own=self._checked, read_parent=self._checked)

    def _checked(self, path: str) -> Checked:
        path = posixpath.normpath(path)
        mode, size = self.modes.get(path, ("", 0))
        if not mode:
            return self._refused(path, "there is no such file in this revision", "the path of a policy")
        if mode == _MODULE:
            return self._refused(path, "it is a submodule", "a policy of this repository")
        if mode == _LINK:
            return self._refused(path, _LINKED, "a policy file")
        if size <= MAX_BYTES:
            self._fetch([path])
        raw = self._read.get(path, b"\0" * size)
        if raw.startswith(_LFS):
            return self._refused(path, "it is kept by Git LFS, not in this repository", "a policy file in git itself")
        return check(decode(raw, path))

    def _refused(self, path: str, what: str, may: str) -> Checked:
        return _refused(path, f"{self.said}:{path}", what, may)


def _hidden(path: str, tops: list[str]) -> bool:
    """Tell whether a file lies in a hidden folder, other than one that was named."""
    top = next((t for t in tops if path.startswith(f"{t}/")), "")
    return any(part.startswith(".") for part in path.removeprefix(top).strip("/").split("/")[:-1])
