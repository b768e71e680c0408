"""Answers of a broken world: what proxies, half-deployed gateways and cut connections make of a good reply.

Each kind takes the reply that the exchange gave and returns another one, which the server writes as it is told.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from policykit.sim.dialects.base import Reply

#: What becomes of a reply. Where a kind changes values it does so in every object of the answer, at any depth.
HOWS: Final = {
    "html": "a page of a proxy, with the status of the reply",
    "empty": "no body",
    "null": "the JSON value null",
    "list": "an empty list",
    "object": "an empty object",
    "text": "a JSON text",
    "number": "a JSON number",
    "binary": "bytes that are no text",
    "truncated": "the first half of the body, as if it were all",
    "cut": "the first half of the body, then the connection is closed",
    "deep": "100,000 opening brackets",
    "nested": "every value inside an object of its own",
    "nan": "every number is NaN",
    "huge": "every number is 1e30",
    "negative": "every number is below zero",
    "duplicate_keys": "every key twice, the second time with another value",
    "other_order": "another order's ids, side and symbol as they were",
    "other_side": "the order's own ids, with the other side",
    "other_id": "the exchange's own order id is another one",
    "no_gzip": "said to be compressed, and is not",
    "bomb": "64 MiB of blanks, compressed",
    "drip": "a blank every 20 ms, until the client hangs up",
    "redirect": "HTTP 307 to the same place: a client that follows it sends its request again",
    "error_200": "HTTP 200 with an error code inside",
    "status_500": "the good body under HTTP 500",
    "status_400": "the good body under HTTP 400",
}
HTML: Final = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
_BOMB_BYTES: Final = 64 * 1024 * 1024
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_ORDER_IDS: Final = frozenset(("orderId", "algoId"))
_CLIENT_IDS: Final = frozenset(("clientOrderId", "origClientOrderId", "clientAlgoId", "orderLinkId"))
_BODIES: Final[dict[str, bytes]] = {
    "html": HTML.encode(),
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "text": b'"OK"',
    "number": b"42",
    "binary": b"\xff\xfe\x00\x80\xc3\x28",
    "deep": b"[" * 100_000,
}


def damaged(reply: Reply, how: str, target: str, error: Reply) -> Reply:
    """Return what arrives of a reply. `target`: what was asked for, a path with its query; `error`: a refusal."""
    if how in _BODIES:
        return replace(reply, raw=_BODIES[how])
    if how == "error_200":
        return replace(reply, body=error.body, status=200)
    if how.startswith("status_"):
        return replace(reply, status=int(how.removeprefix("status_")))
    if how == "redirect":
        return replace(reply, status=307, raw=b"", headers={**reply.headers, "Location": target})
    if how in _VALUES:
        return replace(reply, raw=json.dumps(_each(reply.body, _VALUES[how]), separators=(",", ":")).encode())
    whole = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
    if how == "duplicate_keys":
        return replace(reply, raw=_twice(reply.body).encode())
    if how in ("no_gzip", "bomb"):
        body = whole if how == "no_gzip" else _bomb()
        return replace(reply, raw=body, headers={**reply.headers, "Content-Encoding": "gzip"})
    if how == "drip":
        return replace(reply, raw=b"", sending="drip")
    return replace(reply, raw=whole[: len(whole) // 2], sending="cut" if how == "cut" else "")


def _each(data: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """Change every value that is no list and no object; `name` is the key it stands under."""
    if isinstance(data, dict):
        return {key: _each(value, change, key) for key, value in data.items()}
    if isinstance(data, list):
        return [_each(value, change, name) for value in data]
    return change(name, data)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.match(value) is not None)


def _numbers(text: str) -> Callable[[str, Any], Any]:
    """Return what replaces numbers: text by text, and a JSON number by one."""

    def change(_: str, value: Any) -> Any:
        if not _is_number(value):
            return value
        return text if isinstance(value, str) else float(text)

    return change


def _negative(_: str, value: Any) -> Any:
    if not _is_number(value):
        return value
    return f"-{value.lstrip('-')}" if isinstance(value, str) else -abs(value)


def _other_order(name: str, value: Any) -> Any:
    if name in _CLIENT_IDS:
        return f"other{value}"[:30]
    return _other_id(name, value)


def _other_id(name: str, value: Any) -> Any:
    if name not in _ORDER_IDS or not _is_number(value):
        return value
    return str(int(value) + 1_000_000) if isinstance(value, str) else value + 1_000_000


def _other_side(name: str, value: Any) -> Any:
    other = {"BUY": "SELL", "SELL": "BUY", "Buy": "Sell", "Sell": "Buy"}
    return other.get(value, value) if name == "side" else value


_VALUES: Final[dict[str, Callable[[str, Any], Any]]] = {
    "nested": lambda _, value: {"value": value},
    "nan": _numbers("NaN"),
    "huge": _numbers("1e30"),
    "negative": _negative,
    "other_order": _other_order,
    "other_id": _other_id,
    "other_side": _other_side,
}


def _twice(data: Any) -> str:
    if isinstance(data, list):
        return f"[{','.join(_twice(value) for value in data)}]"
    if not isinstance(data, dict):
        return json.dumps(data)
    once = [f"{json.dumps(key)}:{_twice(value)}" for key, value in data.items()]
    again = [f'{json.dumps(key)}:"{0 if _is_number(value) else "other"}"' for key, value in data.items()]
    return f"{{{','.join(once + again)}}}"


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * _BOMB_BYTES, compresslevel=9)
