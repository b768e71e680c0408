"""The hash chain of a journal: each row's hash covers the row before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

#: What the first row follows.
GENESIS: Final = "0" * 64

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False, default=str).encode


def text_of(body: dict[str, Any]) -> str:
    """Write a row's data. Text that is no Unicode (half a surrogate pair, from a bot) is written escaped."""
    try:
        return to_json(body, fallback=str).decode()
    except PydanticSerializationError:
        return _encode(body)


def link(before: str, seq: int, at_ms: int, kind: str, text: str) -> str:
    """Return a row's hash."""
    return hashlib.sha256(f"{before}\n{seq}\n{at_ms}\n{kind}\n{text}".encode()).hexdigest()
