"""What keeps a SQLite store from being used, in our words: no text of SQLite but of a kind that nobody foresaw."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from policykit.errors import StoreUnavailable

#: How long a call waits for another process, ms.
BUSY_MS: Final = 5_000
#: What reading a row of another version, or a damaged checkpoint, can raise.
UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)

_READ_ONLY: Final = (
    "STORE_READ_ONLY",
    "cannot be written; check owner and mode of the file and its folder, and how its disk is mounted",
)
_FULL: Final = ("STORE_FULL", "the disk is full, or a quota is; make room")
_DAMAGED: Final = ("STORE_DAMAGED", "the file is damaged; keep a copy, then run `policykit journal verify`")
_CANNOT_OPEN: Final = ("STORE_DOWN", "cannot be opened; a file that can be written may be; name one in POLICYKIT_STORE")

#: By SQLite's primary result codes (sqlite.org/rescode.html, read 2026-11).
_CAUSES: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_IOERR: ("STORE_DOWN", "the disk reports an error; check it, and make room if a quota is spent"),
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
}
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_ERRNO: Final = {
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}


def busy(error: sqlite3.Error) -> bool:
    """Tell whether an error means that another process is at work in the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def unavailable(path: str, error: sqlite3.Error, busy_ms: int) -> StoreUnavailable:
    """Say what an error of SQLite means for the store at `path`."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if busy(error):
        return StoreUnavailable(
            f"{path}: another process has held it for over {busy_ms / 1000:g} s; end that process, or wait for it",
            "STORE_LOCKED",
        )
    if (kind == sqlite3.SQLITE_ERROR and "no such" in str(error)) or str(error).startswith("Could not decode"):
        kind = sqlite3.SQLITE_CORRUPT  # a table or a column of ours is gone, or a text is none
    code, why = _CAUSES.get(kind, ("STORE_DOWN", f"SQLite says: {error}"))
    return StoreUnavailable(f"{path}: {why}", code)


def damaged(path: str) -> StoreUnavailable:
    """Say that the file at `path` is ours and not what was written."""
    code, why = _DAMAGED
    return StoreUnavailable(f"{path}: {why}", code)


def unopened(path: str, error: OSError) -> StoreUnavailable:
    """Say what an error of the file system means for the store at `path`."""
    code, why = _ERRNO.get(error.errno or 0, _CANNOT_OPEN)
    return StoreUnavailable(f"{path}: {why}", code)
