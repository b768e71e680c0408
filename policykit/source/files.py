"""Read a policy's file: bounded, regular files only, and every failure a finding."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from policykit.place import Place
from policykit.source.codes import finding
from policykit.source.reader import MAX_BYTES, Document, read


def _refused(file: str, what: str, may: str) -> Document:
    return Document(file, findings=[finding("PK001", Place(file), what, may)])


def read_file(path: str | Path, name: str | None = None) -> Document:
    """Read one policy file; `name` is what findings call it (default: the path as given). Never raises."""
    file = name if name is not None else str(path)
    try:
        # O_NONBLOCK: a FIFO without a writer must not hang the reader.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return _refused(file, "there is no such file", "the path of a policy")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        return _refused(file, f"the file cannot be read ({reason})", "a file that this user may read")
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            return _refused(file, f"it is {kind}", "a policy file")
        raw = _bytes(handle)
    except OSError as error:
        return _refused(file, f"the file cannot be read ({error.strerror})", "a file that this user may read")
    finally:
        os.close(handle)
    return decode(raw, file)


def _bytes(handle: int) -> bytes:
    """Read at most one byte more than is allowed: enough to say that it is too much."""
    parts: list[bytes] = []
    left = MAX_BYTES + 1
    while left > 0:
        part = os.read(handle, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def decode(raw: bytes, file: str) -> Document:
    """Read the bytes of one policy."""
    if len(raw) > MAX_BYTES:
        return _refused(file, f"the file is over {MAX_BYTES} bytes", "a policy of at most that")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _refused(file, "the file is UTF-16", "UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8").split("\n")
        place = Place(file, len(before), len(before[-1]) + 1, len(before), len(before[-1]) + 2)
        return Document(file, findings=[finding("PK001", place, "a byte that is not UTF-8", "text in UTF-8")])
    return read(text, file)
