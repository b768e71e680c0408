"""Binance's errors, read: what happened, and whether the order can have executed.

Source: github.com/binance/binance-spot-api-docs errors.md (2025-01-09) and rest-api.md "HTTP Return Codes"; PITFALLS 10
and 20. The code is read from the text of the very exception, because ccxt's `last_http_response` is that of an earlier
call after a time-out. No foreign text ever comes out of here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from policykit.exchanges.base import Failure

#: The longest text of a foreign exception that is looked at, in characters.
MAX_TEXT: Final = 20_000
#: The longest ban that Binance documents: 3 days (rest-api.md "IP Limits").
MAX_BAN_MS: Final = 3 * 86_400_000
#: What to wait when a 429 or 418 does not say: the weight window; the shortest ban (ibid.).
WAIT_RATE_MS: Final = 60_000
WAIT_BAN_MS: Final = 120_000

_CODE = re.compile(r'"code"\s*:\s*"?(-?[0-9]{1,6})"?')
_STATUS = re.compile(r"\A\w+ (?:[A-Z]+ \S+ )?([1-5][0-9]{2})(?: |\Z)")
_BANNED = re.compile(r"banned until ([0-9]{13})")


class _Meaning(NamedTuple):
    code: str
    executed: Literal["no", "unknown"]
    words: str


_KEY: Final = "the key, its address or its permissions are refused; check key, address allowlist and scopes"
_CODES: Final[dict[int, _Meaning]] = {
    -1002: _Meaning("KEY_REJECTED", "no", "not authorized; check the key and its scopes"),
    -1003: _Meaning("RATE_LIMIT", "no", "too much request weight or too many requests; wait"),
    -1004: _Meaning("MAINTENANCE", "unknown", "the server is busy; wait"),
    -1008: _Meaning("MAINTENANCE", "no", "the server is overloaded; wait"),
    -1013: _Meaning("ORDER_REJECTED", "no", "the order did not pass a filter and did not reach the matching engine"),
    -1014: _Meaning("ORDER_REJECTED", "no", "an order combination that is not supported"),
    -1015: _Meaning("RATE_LIMIT", "no", "too many new orders; wait"),
    -1016: _Meaning("MAINTENANCE", "unknown", "the service is shutting down"),
    -1020: _Meaning("NOT_SUPPORTED", "no", "the operation is not supported"),
    -1021: _Meaning("CLOCK", "no", "the request was signed outside its validity; set this host's clock"),
    -1022: _Meaning("KEY_REJECTED", "no", "the signature is wrong; check the secret that belongs to this key"),
    -1099: _Meaning("KEY_REJECTED", "no", "not found, authenticated or authorized; check the key"),
    -1121: _Meaning("BAD_SYMBOL", "no", "no such symbol"),
    -2008: _Meaning("KEY_REJECTED", "no", "no such key; check the key"),
    -2011: _Meaning("ORDER_NOT_FOUND", "unknown", "the order to cancel is not open"),
    -2013: _Meaning("ORDER_NOT_FOUND", "unknown", "no such order"),
    -2014: _Meaning("KEY_REJECTED", "no", "the key has the wrong form; check the key"),
    # PITFALLS 20: ccxt says DDoSProtection once the client has authenticated; it is never a rate limit.
    -2015: _Meaning("KEY_REJECTED", "no", _KEY),
    -2026: _Meaning("ORDER_NOT_FOUND", "unknown", "the order is archived: over 90 days old, nothing executed"),
}
#: errors.md, "11xx - Request issues": the request was malformed and is refused before the matching engine.
_REQUEST_ISSUES: Final = range(-1199, -1099)
_STATUS_MEANING: Final[dict[int, _Meaning]] = {
    403: _Meaning("ADDRESS_NOT_ALLOWED", "unknown", "the web application firewall refuses this address"),
    418: _Meaning("BANNED", "no", "this address is banned; wait"),
    429: _Meaning("RATE_LIMIT", "no", "a rate limit is broken; wait"),
    451: _Meaning("ADDRESS_NOT_ALLOWED", "unknown", "the service refuses the place this address is in"),
}
#: errors.md, "Messages for -1010, -2010, -2011": matching-engine messages, and what of them is shown.
_MESSAGES: Final[tuple[tuple[str, _Meaning], ...]] = (
    ("Duplicate order sent", _Meaning("DUPLICATE_ID", "unknown", "the client order id is that of an open order")),
    ("insufficient balance", _Meaning("ORDER_REJECTED", "no", "the balance is insufficient")),
    ("immediately match and take", _Meaning("ORDER_REJECTED", "no", "a maker order that would take at once")),
    ("would trigger immediately", _Meaning("ORDER_REJECTED", "no", "the stop price would trigger at once")),
    ("Market is closed", _Meaning("ORDER_REJECTED", "no", "the symbol is not trading")),
    ("Filter failure", _Meaning("ORDER_REJECTED", "no", "the order does not pass a filter of the symbol")),
    ("action is disabled on this account", _Meaning("PERMISSION_MISSING", "no", "the account may not do this")),
    ("may not place or cancel orders", _Meaning("PERMISSION_MISSING", "no", "the account may not trade")),
    ("not permitted for this account", _Meaning("PERMISSION_MISSING", "no", "the account may not trade the symbol")),
    ("not permitted for self account", _Meaning("PERMISSION_MISSING", "no", "the account may not trade the symbol")),
    ("restricted for this account", _Meaning("PERMISSION_MISSING", "no", "the account may not trade the symbol")),
    ("Unknown order sent", _CODES[-2011]),
    ("Order does not exist", _CODES[-2013]),
)
#: ccxt classes, most special first; those raised by the client itself before anything is sent prove "no".
_CLASSES: Final[tuple[tuple[str, _Meaning], ...]] = (
    ("RequestTimeout", _Meaning("NETWORK", "unknown", "no answer in time")),
    ("OnMaintenance", _Meaning("MAINTENANCE", "unknown", "the exchange is under maintenance")),
    ("ExchangeNotAvailable", _Meaning("NETWORK", "unknown", "the exchange is not available")),
    ("InvalidProxySettings", _Meaning("NETWORK", "no", "the client's proxy settings are wrong")),
    ("NetworkError", _Meaning("NETWORK", "unknown", "the exchange cannot be reached, or the connection broke")),
    ("ArgumentsRequired", _Meaning("ORDER_REJECTED", "no", "the client misses an argument; nothing was sent")),
    ("NotSupported", _Meaning("NOT_SUPPORTED", "no", "the client has no such call here; nothing was sent")),
    ("SSLError", _Meaning("NETWORK", "unknown", "the secure connection cannot be made")),
)


def read(error: Exception, headers: Mapping[str, str], now_ms: int) -> Failure:
    """Read an exception of ccxt; `headers` are those of the last answer, `now_ms` the client's clock.

    Code in the body first, then the matching engine's message, then the HTTP status, then the class.
    """
    text = str(error)[:MAX_TEXT]
    found = _CODE.search(text)
    code = int(found[1]) if found else None
    status_found = _STATUS.match(text)
    status = int(status_found[1]) if status_found else None
    meaning = _meaning(error, text, code, status)
    if status == 418 or _BANNED.search(text):
        meaning = _STATUS_MEANING[418]
    number = code if code is not None else status
    message = f"binance: {meaning.words}" + (f" ({number})" if number is not None else "")
    return Failure(meaning.executed, meaning.code, message, _wait(meaning.code, text, headers, now_ms))


def _meaning(error: Exception, text: str, code: int | None, status: int | None) -> _Meaning:
    known = _CODES.get(code) if code is not None else None
    if known is not None and code not in (-2011, -2013):
        return known
    if code in (None, -1010, -2010, -2011, -2013):
        said = next((meaning for part, meaning in _MESSAGES if part in text), None)
        if said is not None:
            return said
    if known is not None:
        return known
    if code == -2010:
        return _Meaning("ORDER_REJECTED", "no", "the matching engine refused the order")
    if code in _REQUEST_ISSUES:
        return _Meaning("ORDER_REJECTED", "no", "the request is malformed and was refused")
    if status in _STATUS_MEANING:
        return _STATUS_MEANING[status]
    if code is not None or (status is not None and status >= 500):
        return _Meaning("UNKNOWN", "unknown", "an error whose documents do not say what became of the request")
    return _by_class(error, text)


def _by_class(error: Exception, text: str) -> _Meaning:
    names = {cls.__name__ for cls in type(error).__mro__}
    if "AuthenticationError" in names and "credential" in text:
        return _Meaning("KEY_REJECTED", "no", "the client has no key or secret; nothing was sent")
    found = next((meaning for name, meaning in _CLASSES if name in names), None)
    return found or _Meaning("UNKNOWN", "unknown", "an error that is not known")


def _wait(code: str, text: str, headers: Mapping[str, str], now_ms: int) -> int | None:
    """Return how long nothing may be sent, ms: the latest of what body and Retry-After say, with a floor."""
    if code not in ("RATE_LIMIT", "BANNED"):
        return None
    waits = [WAIT_BAN_MS if code == "BANNED" else 0]
    banned = _BANNED.search(text)
    if banned:
        waits.append(int(banned[1]) - now_ms)
    after = _retry_after(headers)
    if after is not None:
        waits.append(after)
    elif code == "RATE_LIMIT":
        waits.append(WAIT_RATE_MS)
    return min(max(waits), MAX_BAN_MS)


def _retry_after(headers: Mapping[str, Any]) -> int | None:
    for name, value in headers.items():
        if name.lower() == "retry-after" and re.fullmatch(r"[0-9]{1,7}", str(value)):
            return int(value) * 1000
    return None
