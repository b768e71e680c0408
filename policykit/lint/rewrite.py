"""Write edited files whole or not at all, or show what would change."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from policykit.lint.fix import Edited
from policykit.lint.report.quote import clean, mask

#: How many lines around a change a diff shows.
AROUND = 3
_TAB = "\t"
_ANY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def write(file: Edited) -> str:
    """Write one file; return nothing, or one line that says why it was not written.

    The new text is beside the file, on the disk, before it takes its name; mode and owner stay, and a link stays one.
    """
    beside = ""
    try:
        if Path(file.real).read_bytes() != file.old:
            return f"{file.name}: it has changed meanwhile; nothing was written to it; run --fix again"
        was = os.stat(file.real)
        if not (was.st_mode & _ANY_WRITES and os.access(file.real, os.W_OK)):  # though a new file could take its name
            return f"{file.name}: it is read-only; a writable file is needed; nothing was changed"
        folder, name = os.path.split(file.real)
        handle, beside = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            stream.write(file.new)
            stream.flush()
            os.fchmod(stream.fileno(), stat.S_IMODE(was.st_mode))
            with suppress(OSError):  # only root may give a file away; the user's own file is the user's already
                os.fchown(stream.fileno(), was.st_uid, was.st_gid)
            os.fsync(stream.fileno())
        os.replace(beside, file.real)
        beside = ""
        _settle(folder)
    except OSError as error:
        return f"{file.name}: it cannot be written ({error.strerror}); a writable file is needed; nothing was changed"
    finally:
        if beside:
            with suppress(OSError):
                os.unlink(beside)
    return ""


def _settle(folder: str) -> None:
    """Bring a folder's new entry to the disk, where the system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def diff(files: Iterable[Edited]) -> str:
    """Return what would change as a unified diff, to be read: secrets are starred, control characters dotted."""
    lines: list[str] = []
    for file in files:
        old, new = (_lines(raw) for raw in (file.old, file.new))
        lines += difflib.unified_diff(old, new, file.name, file.name, n=AROUND, lineterm="")
    return "".join(f"{_shown(line)}\n" for line in lines)


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def _shown(line: str) -> str:
    return _TAB.join(clean(part) for part in mask(line).split(_TAB))
