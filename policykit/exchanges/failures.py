"""An exchange's errors, read: what happened, and whether an order can have executed.

The facts are the traits' (`Exchange.errors`, `error_texts`); this file finds the code. ccxt's classes mix what must be
told apart (PITFALLS 20: a revoked Binance key is `DDoSProtection`), so the code in the body decides, then its text,
then the HTTP status, then the class. The code is read from the text of the very exception, because ccxt's
`last_http_response` is that of an earlier call after a time-out. No foreign text ever comes out of here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from policykit.exchanges.base import Failure
from policykit.traits.base import ErrorMeaning, Exchange

#: The longest text of a foreign exception that is looked at, in characters.
MAX_TEXT: Final = 20_000
#: The longest wait that is believed, ms: 3 days, the longest ban that an exchange documents (Binance, "IP Limits").
MAX_BAN_MS: Final = 3 * 86_400_000
#: What to wait when an answer does not say: a minute after a rate limit, two after a ban.
WAIT_RATE_MS: Final = 60_000
WAIT_BAN_MS: Final = 120_000

#: Where exchanges write their error code; an adapter whose exchange writes it elsewhere gives a pattern of its own.
CODE: Final = re.compile(
    r'"(?:code|retCode|ret_code|err-code|err_code|error_code|errorCode)"\s*:\s*"?(-?[A-Za-z0-9_.:-]{1,60})"?'
)
_STATUS: Final = re.compile(r"\A\w+ (?:[A-Z]+ \S+ )?([1-5][0-9]{2})(?: |\Z)")
_BANNED: Final = re.compile(r"banned until ([0-9]{13})")
#: A code that may be shown though no table has it.
_NUMBER: Final = re.compile(r"-?[0-9]{1,8}\Z")

_BAN: Final = ErrorMeaning("BANNED", "no", "this address is banned; wait")
#: What a status means where the exchange's own table does not say.
STATUSES: Final[Mapping[int, ErrorMeaning]] = {
    401: ErrorMeaning("KEY_REJECTED", "unknown", "the key is refused; check the key and its secret"),
    403: ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "this address is refused; check the key's addresses"),
    418: _BAN,
    429: ErrorMeaning("RATE_LIMIT", "no", "a rate limit is broken; wait"),
    451: ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "the service refuses the place this address is in"),
    503: ErrorMeaning("MAINTENANCE", "unknown", "the service is not available; wait"),
}
#: ccxt classes, most special first; those raised by the client itself before anything is sent prove "no".
_CLASSES: Final[tuple[tuple[str, ErrorMeaning], ...]] = (
    ("RequestTimeout", ErrorMeaning("NETWORK", "unknown", "no answer in time")),
    ("OnMaintenance", ErrorMeaning("MAINTENANCE", "unknown", "the exchange is under maintenance")),
    ("RateLimitExceeded", ErrorMeaning("RATE_LIMIT", "unknown", "a rate limit is broken; wait")),
    ("InvalidNonce", ErrorMeaning("CLOCK", "unknown", "the request's time is refused; set this host's clock")),
    ("InvalidProxySettings", ErrorMeaning("NETWORK", "no", "the client's proxy settings are wrong")),
    ("PermissionDenied", ErrorMeaning("PERMISSION_MISSING", "unknown", "the key lacks a permission; check its scopes")),
    ("AuthenticationError", ErrorMeaning("KEY_REJECTED", "unknown", "the key is refused; check key and secret")),
    ("ArgumentsRequired", ErrorMeaning("ORDER_REJECTED", "no", "the client misses an argument; nothing was sent")),
    ("NotSupported", ErrorMeaning("NOT_SUPPORTED", "no", "the client has no such call here; nothing was sent")),
    ("BadSymbol", ErrorMeaning("BAD_SYMBOL", "unknown", "no such symbol")),
    (
        "BadResponse",
        ErrorMeaning("BAD_ANSWER", "unknown", "the answer is not one of the exchange's; check the endpoint"),
    ),
    ("DDoSProtection", ErrorMeaning("RATE_LIMIT", "unknown", "too many requests; wait")),
    ("ExchangeNotAvailable", ErrorMeaning("NETWORK", "unknown", "the exchange is not available")),
    ("SSLError", ErrorMeaning("NETWORK", "unknown", "the secure connection cannot be made")),
    ("NetworkError", ErrorMeaning("NETWORK", "unknown", "the exchange cannot be reached, or the connection broke")),
)
#: Classes that the client itself raises too (its own throttler, our gate): without an answer they tell nothing.
_NEED_AN_ANSWER: Final = frozenset(
    ("RateLimitExceeded", "DDoSProtection", "InvalidNonce", "PermissionDenied", "AuthenticationError")
)
#: An answer without any code of the exchange: its own have one, those of another origin do not.
_NO_SUCH_CALL: Final = frozenset((404, 405, 501))
_NOT_SERVED: Final = ErrorMeaning("WRONG_ENDPOINT", "unknown", "this origin does not serve that exchange's API")
_NO_KEY: Final = ErrorMeaning("KEY_REJECTED", "no", "the client has no key or secret; nothing was sent")
_UNPROVEN: Final = ErrorMeaning("UNKNOWN", "unknown", "an error whose documents do not say what became of the request")
_STRANGE: Final = ErrorMeaning("UNKNOWN", "unknown", "an error that is not known")


def read(
    exchange: Exchange,
    error: Exception,
    headers: Mapping[str, str],
    now_ms: int,
    code_pattern: re.Pattern[str] = CODE,
) -> Failure:
    """Read an exception of ccxt; `headers` are those of the last answer, `now_ms` the client's clock."""
    text = str(error)[:MAX_TEXT]
    found = code_pattern.search(text)
    code = found[1] if found else None
    status_found = _STATUS.match(text)
    status = int(status_found[1]) if status_found else None
    meaning = _meaning(exchange, error, text, code, status)
    if status == 418 or _BANNED.search(text):
        meaning = exchange.errors.get("http:418", _BAN)
    shown = code if code is not None and (code in exchange.errors or _NUMBER.match(code)) else status
    message = f"{exchange.id}: {meaning.words}" + (f" ({shown})" if shown is not None else "")
    return Failure(meaning.executed, meaning.code, message, _wait(exchange, meaning.code, text, headers, now_ms))


def _meaning(exchange: Exchange, error: Exception, text: str, code: str | None, status: int | None) -> ErrorMeaning:
    known = exchange.errors.get(code) if code is not None else None
    if known is not None and not known.coarse:
        return known
    if code is None or known is not None:
        said = next((meaning for part, meaning in exchange.error_texts if part in text), None)
        if said is not None:
            return said
    if known is not None:
        return known
    by_status = exchange.errors.get(f"http:{status}") or (STATUSES.get(status) if status is not None else None)
    if by_status is not None:
        return by_status
    if status in _NO_SUCH_CALL and code is None:
        return _NOT_SERVED
    by_class = _by_class(error, text)
    if by_class is None:
        return _STRANGE if code is None and (status is None or status < 500) else _UNPROVEN
    if code is not None or (status is not None and status >= 500):
        return by_class._replace(executed="unknown")
    return by_class


def _by_class(error: Exception, text: str) -> ErrorMeaning | None:
    names = {cls.__name__ for cls in type(error).__mro__}
    if "AuthenticationError" in names and "credential" in text:
        return _NO_KEY
    answered = "{" in text or _STATUS.match(text) is not None
    return next(
        (meaning for name, meaning in _CLASSES if name in names and (answered or name not in _NEED_AN_ANSWER)), None
    )


def _wait(exchange: Exchange, code: str, text: str, headers: Mapping[str, str], now_ms: int) -> int | None:
    """Return how long nothing may be sent, ms: the latest of what body and Retry-After say, with a floor."""
    if code not in ("RATE_LIMIT", "BANNED"):
        return None
    waits = [(exchange.ban_ms or WAIT_BAN_MS) if code == "BANNED" else 0]
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
