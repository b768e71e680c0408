"""The other files of a lint: a name imported from one of them is followed there, and callers are looked for in them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from policykit.rules.code.tree import Code, Memory, Scope

#: The most files that are looked into for the sake of others, and the longest one; what is beyond is unknown.
MAX_FILES = 2_000
MAX_BYTES = 256 * 1024
#: The most files that are read for one other, and that are kept for the next.
MAX_READ = 24
MAX_KEPT = 64
#: The most folders above a file in which a module that it imports is looked for.
MAX_ABOVE = 8
#: How much text is looked through for callers; those in the files behind are unknown.
MAX_SEARCHED = 16 * 1024 * 1024
#: The most files that may call one name before its callers are taken for unknown.
MAX_NAMING = 8

_CALLED = re.compile(r"([A-Za-z_]\w*)\(")


class Project:
    """The Python files that were given together. One is read only when a name leads to it."""

    def __init__(
        self, files: Iterable[str], read: Callable[[str, str, Project], Code], load: Callable[[str, int], str]
    ) -> None:
        """`read` indexes a text; `load` gives the text of a file, or nothing when it is over a number of bytes."""
        python = [f for f in files if f.endswith(".py")]
        self._files = {_normal(f): f for f in python[:MAX_FILES]}
        self._load = load
        self._read = read
        self._codes: dict[str, Code | None] = {}
        self._used: set[str] = set()
        self._called: dict[str, list[str]] | None = None
        self.memory = Memory()

    def begin(self) -> None:
        """Start with the next file: what is found of it never depends on the files before it."""
        self.memory.clear()
        self._used.clear()
        if len(self._codes) > MAX_KEPT:
            self._codes.clear()

    def know(self, code: Code) -> None:
        """Take the index of a file that is being judged: its scopes are then the ones that others lead to."""
        path = _normal(code.file)
        if path in self._files:
            self._codes[path] = code
            self._used.add(path)

    def resolve(self, origin: str, file: str) -> tuple[Scope, str] | None:
        """Return the module that a dotted name of a file leads into, and the rest of the name; None when not here."""
        dots = len(origin) - len(origin.lstrip("."))
        parts = [p for p in origin.split(".") if p]
        folder = posixpath.dirname(_normal(file))
        for top in (_above(folder, dots - 1),) if dots else [_above(folder, n) for n in range(MAX_ABOVE)]:
            for length in range(len(parts), 0, -1):
                base = posixpath.join(top, *parts[:length]) if top else posixpath.join(*parts[:length])
                for path in (f"{base}.py", posixpath.join(base, "__init__.py")):
                    code = self._code(path) if path in self._files and self._files[path] != file else None
                    if code is not None:
                        return code.module, ".".join(parts[length:])
        return None

    def naming(self, name: str, file: str) -> Iterator[Code]:
        """Yield the other files that call something of this name, in the order given; none when there are too many."""
        if self._called is None:
            self._called = {}
            left = MAX_SEARCHED
            for path, given in self._files.items():
                text = self._load(given, min(MAX_BYTES, left))
                left -= len(text)
                for called in set(_CALLED.findall(text)):
                    self._called.setdefault(called, []).append(path)
        found = [path for path in self._called.get(name, ()) if self._files[path] != file]
        for path in found if len(found) <= MAX_NAMING else ():
            code = self._code(path)
            if code is not None:
                yield code

    def _code(self, path: str) -> Code | None:
        if path not in self._used:
            if len(self._used) >= MAX_READ:
                return None
            self._used.add(path)
        if path not in self._codes:
            self._codes[path] = None  # a file that leads back to itself ends here
            text = self._load(self._files[path], MAX_BYTES)
            code = self._read(text, self._files[path], self) if text else None
            self._codes[path] = code if code is not None and code.unreadable is None else None
        return self._codes[path]


def _normal(file: str) -> str:
    return posixpath.normpath(file.replace("\\", "/"))


def _above(folder: str, levels: int) -> str:
    """Return the folder so many levels up; empty for the one that relative paths start from."""
    top = posixpath.normpath(posixpath.join(folder, *[".."] * levels))
    return "" if top == "." else top
