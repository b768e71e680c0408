"""Binance's error codes: what each means, and whether an order can have executed.

Source: github.com/binance/binance-spot-api-docs errors.md (2025-01-09) and rest-api.md "HTTP Return Codes"; PITFALLS
10 and 20; of sapi what ccxt 4.5.90 notes of them. Futures have a table of their own (binance_futures.py), because they
give some of these codes another meaning.
"""

from __future__ import annotations

from typing import Final

from policykit.traits.base import ErrorMeaning

_KEY: Final = "the key, its address or its permissions are refused; check key, address allowlist and scopes"
CODES: Final[dict[str, ErrorMeaning]] = {
    "-1002": ErrorMeaning("KEY_REJECTED", "no", "not authorized; check the key and its scopes"),
    "-1003": ErrorMeaning("RATE_LIMIT", "no", "too much request weight or too many requests; wait"),
    "-1004": ErrorMeaning("MAINTENANCE", "unknown", "the server is busy; wait"),
    "-1008": ErrorMeaning("MAINTENANCE", "no", "the server is overloaded; wait"),
    "-1013": ErrorMeaning(
        "ORDER_REJECTED", "no", "the order did not pass a filter and did not reach the matching engine"
    ),
    "-1014": ErrorMeaning("ORDER_REJECTED", "no", "an order combination that is not supported"),
    "-1015": ErrorMeaning("RATE_LIMIT", "no", "too many new orders; wait"),
    "-1016": ErrorMeaning("MAINTENANCE", "unknown", "the service is shutting down"),
    "-1020": ErrorMeaning("NOT_SUPPORTED", "no", "the operation is not supported"),
    "-1021": ErrorMeaning("CLOCK", "no", "the request was signed outside its validity; set this host's clock"),
    "-1022": ErrorMeaning("KEY_REJECTED", "no", "the signature is wrong; check the secret that belongs to this key"),
    "-1099": ErrorMeaning("KEY_REJECTED", "no", "not found, authenticated or authorized; check the key"),
    "-1121": ErrorMeaning("BAD_SYMBOL", "no", "no such symbol"),
    "-2008": ErrorMeaning("KEY_REJECTED", "no", "no such key; check the key"),
    "-2011": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "the order to cancel is not open", coarse=True),
    "-2013": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "no such order", coarse=True),
    "-2014": ErrorMeaning("KEY_REJECTED", "no", "the key has the wrong form; check the key"),
    # PITFALLS 20: ccxt says DDoSProtection once the client has authenticated; it is never a rate limit.
    "-2015": ErrorMeaning("KEY_REJECTED", "no", _KEY),
    "-2026": ErrorMeaning("ORDER_NOT_FOUND", "unknown", "the order is archived: over 90 days old, nothing executed"),
}
#: errors.md, "11xx - Request issues": the request was malformed and is refused before the matching engine.
MALFORMED: Final = ErrorMeaning("ORDER_REJECTED", "no", "the request is malformed and was refused")
#: The matching engine's refusals, told apart by their text only.
_REFUSED: Final = ErrorMeaning("ORDER_REJECTED", "no", "the matching engine refused the order", coarse=True)
UNPROVEN: Final = ErrorMeaning("UNKNOWN", "unknown", "an error whose documents do not say what became of the request")
ERRORS: Final[dict[str, ErrorMeaning]] = {
    **{str(code): MALFORMED for code in range(-1199, -1099)},
    **CODES,
    "-1000": UNPROVEN,
    "-1001": UNPROVEN,
    "-1006": UNPROVEN,
    "-1007": UNPROVEN,
    "-1010": ErrorMeaning("UNKNOWN", "unknown", UNPROVEN.words, coarse=True),
    "-2010": _REFUSED,
    # sapi; ccxt 4.5.90 notes "Margin account does not exist."
    "-3003": ErrorMeaning("NOT_SUPPORTED", "no", "the account has no margin account"),
    "http:403": ErrorMeaning("ADDRESS_NOT_ALLOWED", "unknown", "the web application firewall refuses this address"),
    # rest-api.md, "HTTP Return Codes": a 503 may be a failure, or an execution whose status is unknown.
    "http:503": UNPROVEN,
}
#: errors.md, "Messages for -1010, -2010, -2011": matching-engine messages, and what of them is shown.
TEXTS: Final[tuple[tuple[str, ErrorMeaning], ...]] = (
    ("Duplicate order sent", ErrorMeaning("DUPLICATE_ID", "unknown", "the client order id is that of an open order")),
    ("insufficient balance", ErrorMeaning("ORDER_REJECTED", "no", "the balance is insufficient")),
    ("immediately match and take", ErrorMeaning("ORDER_REJECTED", "no", "a maker order that would take at once")),
    ("would trigger immediately", ErrorMeaning("ORDER_REJECTED", "no", "the stop price would trigger at once")),
    ("Market is closed", ErrorMeaning("ORDER_REJECTED", "no", "the symbol is not trading")),
    ("Filter failure", ErrorMeaning("ORDER_REJECTED", "no", "the order does not pass a filter of the symbol")),
    ("action is disabled on this account", ErrorMeaning("PERMISSION_MISSING", "no", "the account may not do this")),
    ("may not place or cancel orders", ErrorMeaning("PERMISSION_MISSING", "no", "the account may not trade")),
    (
        "not permitted for this account",
        ErrorMeaning("PERMISSION_MISSING", "no", "the account may not trade the symbol"),
    ),
    (
        "not permitted for self account",
        ErrorMeaning("PERMISSION_MISSING", "no", "the account may not trade the symbol"),
    ),
    ("restricted for this account", ErrorMeaning("PERMISSION_MISSING", "no", "the account may not trade the symbol")),
    ("Unknown order sent", CODES["-2011"]),
    ("Order does not exist", CODES["-2013"]),
)
