"""A disk that forgets: an SQLite VFS that keeps only what was synced, and a connection through it.

kill -9 cannot answer what a power cut does: the kernel still owns the page cache. Here each file has a durable image,
moved forward by xSync alone; a cut keeps a random part of the later writes, some torn at a sector.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR = 512
_names = count()


class PowerCut(BaseException):
    """The machine is off: nothing that was under way comes back."""


class File:
    """What of a file is on the disk, and what was written since."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.later: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        for operation in self.later:
            _apply(self.durable, *operation)
        self.later = []

    def after_cut(self, random: Random) -> bytes:
        """Return what is found when the power is back."""
        image = bytearray(self.durable)
        for offset, data in self.later:
            if random.random() < 0.5:
                continue
            if data is not None and random.random() < 0.3:
                data = data[: random.randrange(len(data) + 1) // SECTOR * SECTOR]
            _apply(image, offset, data)
        return bytes(image)


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    """Write, or cut the file off where there is no data."""
    if data is None:
        del image[offset:]
        return
    image.extend(bytes(max(0, offset - len(image))))
    image[offset : offset + len(data)] = data


class Disk:
    """A disk whose power is cut after so many writes. `synchronous`: what a store's setting is replaced with."""

    def __init__(self, synchronous: str = "FULL") -> None:
        self.synchronous = synchronous
        self.files: dict[str, File] = {}
        self.syncs = 0
        self.writes_left = 10**9
        self.vfs = _Vfs(f"forgetful{next(_names)}", self)

    @property
    def unsynced(self) -> int:
        """Return how many writes a power cut could lose now, of what outlives a process."""
        return sum(len(file.later) for name, file in self.files.items() if name.endswith("-wal"))

    def write(self) -> None:
        """Spend a write."""
        self.writes_left -= 1
        if self.writes_left <= 0:
            raise PowerCut

    def connect(self, path: str, _busy_ms: int) -> Any:
        """Connect a store to a file of this disk."""
        return Connection(apsw.Connection(path, vfs=self.vfs.name), self)

    def restore(self, random: Random, to: Path) -> None:
        """Write the files as they are found after the cut."""
        for name, file in self.files.items():
            (to / Path(name).name).write_bytes(file.after_cut(random))


class _Vfs(apsw.VFS):  # type: ignore[misc]
    def __init__(self, name: str, disk: Disk) -> None:
        self.name, self.disk = name, disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _VfsFile(self, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        self.disk.write()
        self.disk.files.pop(name, None)
        super().xDelete(name, sync)


class _VfsFile(apsw.VFSFile):  # type: ignore[misc]
    def __init__(self, vfs: _Vfs, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.disk = vfs.disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self.file = self.disk.files.setdefault(path, File()) if path else File()

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.write()
        self.file.later.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.disk.write()
        self.file.later.append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        if self.disk.writes_left <= 0:
            raise PowerCut
        self.disk.syncs += 1
        self.file.sync()


class Connection:
    """What the store uses of `sqlite3.Connection`, over apsw."""

    def __init__(self, db: Any, disk: Disk) -> None:
        self._db, self._disk = db, disk
        self.execute("PRAGMA wal_autocheckpoint=8")

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.in_transaction)

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Rows:
        if statement == "PRAGMA synchronous=FULL":
            statement = f"PRAGMA synchronous={self._disk.synchronous}"
        try:
            return Rows(list(self._db.execute(statement, values)))
        except apsw.Error as error:
            known = sqlite3.OperationalError(str(error))
            known.sqlite_errorcode = getattr(error, "extendedresult", 1)
            raise known from None

    def close(self) -> None:
        self._db.close(True)


class Rows:
    """All rows of an answer."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)
