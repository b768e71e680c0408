"""How Binance's errors are read: what happened, whether the order can have executed, how long to wait."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from policykit.exchanges import failures
from policykit.exchanges.base import Failure
from policykit.exchanges.binance import ADAPTER
from tests.canary import assert_clean, canaries

NOW_MS = 1_795_255_200_000
ORDER_URL = "https://api.binance.com/api/v3/order"


def _raised(status: int, body: object, *, authenticated: bool = False, url: str = ORDER_URL) -> tuple[Exception, Any]:
    """Return what stock ccxt raises for an answer, and the client that raised it."""
    client = ccxt.binance()
    client.options["hasAlreadyAuthenticatedSuccessfully"] = authenticated
    client.milliseconds = lambda: NOW_MS
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    parsed = body if not isinstance(body, str) else None
    client.last_http_response = text
    client.last_response_headers = {}
    try:
        client.handle_errors(status, "Reason", url, "POST", {}, text, parsed, {}, "")
        client.handle_http_status_code(status, "Reason", url, "POST", text)
        raise ccxt.ExchangeError(f"binance POST {url}")
    except ccxt.BaseError as error:
        return error, client


def _read(status: int, body: object, **more: Any) -> Failure:
    error, client = _raised(status, body, **more)
    return ADAPTER.failure(error, client)


def _error(code: int, message: str = "words") -> dict[str, object]:
    return {"code": code, "msg": message}


@pytest.mark.parametrize(
    ("status", "body", "executed", "code"),
    [
        (400, _error(-1021, "Timestamp for this request is outside of the recvWindow."), "no", "CLOCK"),
        (429, _error(-1003, "Too much request weight used; current limit is 6000."), "no", "RATE_LIMIT"),
        (503, _error(-1008, "Server is currently overloaded with other requests."), "no", "MAINTENANCE"),
        (400, _error(-1013, "Filter failure: LOT_SIZE"), "no", "ORDER_REJECTED"),
        (400, _error(-1013, "Filter failure: PRICE_FILTER"), "no", "ORDER_REJECTED"),
        (400, _error(-1013, "Filter failure: NOTIONAL"), "no", "ORDER_REJECTED"),
        (400, _error(-1111, "Parameter 'price' has too much precision."), "no", "ORDER_REJECTED"),
        (400, _error(-1100), "no", "ORDER_REJECTED"),
        (400, _error(-1121, "Invalid symbol."), "no", "BAD_SYMBOL"),
        (401, _error(-2015, "Invalid API-key, IP, or permissions for action."), "no", "KEY_REJECTED"),
        (401, _error(-2014, "API-key format invalid."), "no", "KEY_REJECTED"),
        (400, _error(-1022, "Signature for this request is not valid."), "no", "KEY_REJECTED"),
        (429, _error(-1015, "Too many new orders; current limit is 50 orders per TEN_SECONDS."), "no", "RATE_LIMIT"),
        (400, _error(-2010, "Account has insufficient balance for requested action."), "no", "ORDER_REJECTED"),
        (400, _error(-2010, "Order would immediately match and take."), "no", "ORDER_REJECTED"),
        (400, _error(-2010, "Market is closed."), "no", "ORDER_REJECTED"),
        (400, _error(-2010, "This symbol is not permitted for this account."), "no", "PERMISSION_MISSING"),
        (400, _error(-2010, "something new"), "no", "ORDER_REJECTED"),
        (400, _error(-2010, "Duplicate order sent."), "unknown", "DUPLICATE_ID"),
        (400, _error(-2011, "Unknown order sent."), "unknown", "ORDER_NOT_FOUND"),
        (400, _error(-2013, "Order does not exist."), "unknown", "ORDER_NOT_FOUND"),
        (400, _error(-2026), "unknown", "ORDER_NOT_FOUND"),
        (500, _error(-1000), "unknown", "UNKNOWN"),
        (500, _error(-1001, "Internal error; unable to process your request."), "unknown", "UNKNOWN"),
        (500, _error(-1006, "An unexpected response was received. Execution status unknown."), "unknown", "UNKNOWN"),
        (408, _error(-1007, "Timeout waiting for response from backend server."), "unknown", "UNKNOWN"),
        (400, _error(-9999), "unknown", "UNKNOWN"),
        (503, "Service Unavailable", "unknown", "UNKNOWN"),
        (502, "<html>bad gateway</html>", "unknown", "NETWORK"),
        (403, "<html>blocked</html>", "unknown", "ADDRESS_NOT_ALLOWED"),
        (451, "<html>not here</html>", "unknown", "ADDRESS_NOT_ALLOWED"),
        (429, "", "no", "RATE_LIMIT"),
        (404, "<html>not found</html>", "unknown", "WRONG_ENDPOINT"),
        (405, "", "unknown", "WRONG_ENDPOINT"),
        (501, "<html>Unsupported method</html>", "unknown", "WRONG_ENDPOINT"),
        (404, _error(-9999), "unknown", "UNKNOWN"),
        (404, _error(-2013, "Order does not exist."), "unknown", "ORDER_NOT_FOUND"),
        (418, _error(-1003, "Way too much request weight used; IP banned until 1795255260000."), "no", "BANNED"),
        (418, "", "no", "BANNED"),
    ],
)
def test_what_an_answer_proves(status: int, body: object, executed: str, code: str) -> None:
    """Only what the documents prove is 'not executed'; all else is unknown (PITFALLS 10)."""
    failure = _read(status, body)
    assert (failure.executed, failure.code) == (executed, code)


def test_a_revoked_key_never_looks_like_a_rate_limit() -> None:
    """PITFALLS 20: ccxt says DDoSProtection once it has authenticated; here it is KEY_REJECTED."""
    error, client = _raised(401, _error(-2015, "Invalid API-key, IP, or permissions for action."), authenticated=True)
    assert isinstance(error, ccxt.DDoSProtection)
    assert ADAPTER.failure(error, client) == Failure(
        "no",
        "KEY_REJECTED",
        "binance: the key, its address or its permissions are refused; check key, address allowlist and scopes (-2015)",
    )


def test_an_earlier_answer_proves_nothing_about_a_time_out() -> None:
    """Control of the whole reading: the client still holds -1021 of the call before, and this call timed out."""
    _, client = _raised(400, _error(-1021))
    naive = json.loads(client.last_http_response)["code"]
    assert naive == -1021
    client.last_response_headers = {"Retry-After": "7"}
    assert ADAPTER.failure(ccxt.RequestTimeout(f"binance POST {ORDER_URL}"), client) == Failure(
        "unknown", "NETWORK", "binance: no answer in time"
    )


@pytest.mark.parametrize(
    ("status", "body", "headers", "wait_ms"),
    [
        (429, _error(-1003), {"Retry-After": "17"}, 17_000),
        (429, _error(-1003), {}, 60_000),
        (429, _error(-1015), {}, 60_000),
        (418, _error(-1003), {"retry-after": "300"}, 300_000),
        (418, _error(-1003, "Way too much; IP banned until 1795255500000."), {}, 300_000),
        (418, _error(-1003, "Way too much; IP banned until 1795255500000."), {"Retry-After": "10"}, 300_000),
        (418, _error(-1003, "IP banned until 1000000000000."), {}, 120_000),
        (418, _error(-1003), {"Retry-After": "9999999"}, 3 * 86_400_000),
        (429, _error(-1003), {"Retry-After": "soon"}, 60_000),
        (400, _error(-1021), {"Retry-After": "17"}, None),
    ],
)
def test_how_long_nothing_may_be_sent(status: int, body: object, headers: dict[str, str], wait_ms: int | None) -> None:
    """The latest of body and Retry-After, with a floor when neither says, and never over the longest ban."""
    error, client = _raised(status, body)
    client.last_response_headers = headers
    assert ADAPTER.failure(error, client).retry_after_ms == wait_ms


@pytest.mark.parametrize(
    ("error", "executed", "code"),
    [
        (ccxt.RequestTimeout("binance POST https://x/api/v3/order"), "unknown", "NETWORK"),
        (ccxt.NetworkError("binance POST https://x/api/v3/order"), "unknown", "NETWORK"),
        (ccxt.ExchangeNotAvailable("binance POST https://x/api/v3/order"), "unknown", "NETWORK"),
        (ccxt.OnMaintenance("binance"), "unknown", "MAINTENANCE"),
        (ccxt.NotSupported("binance does not have a testnet/sandbox URL for sapi endpoints"), "no", "NOT_SUPPORTED"),
        (ccxt.ArgumentsRequired("binance createOrder() requires a price"), "no", "ORDER_REJECTED"),
        (ccxt.AuthenticationError('binance requires "apiKey" credential'), "no", "KEY_REJECTED"),
        (ccxt.AuthenticationError("binance something else"), "unknown", "UNKNOWN"),
        (ccxt.ExchangeError("binance POST https://x/api/v3/order"), "unknown", "UNKNOWN"),
        (ValueError("a defect of the client"), "unknown", "UNKNOWN"),
        (MemoryError(), "unknown", "UNKNOWN"),
    ],
)
def test_errors_without_an_answer(error: Exception, executed: str, code: str) -> None:
    """The class decides when nothing came back; the client's own refusals before sending prove 'no'."""
    failure = ADAPTER.failure(error, ccxt.binance())
    assert (failure.executed, failure.code, failure.retry_after_ms) == (executed, code, None)


def test_no_code_is_read_from_a_url() -> None:
    """A URL that carries something like an error code decides nothing: quotes are encoded there."""
    failure = ADAPTER.failure(ccxt.RequestTimeout("binance GET https://x/?a=%22code%22:-1021"), ccxt.binance())
    assert failure.executed == "unknown"


def test_I23_no_foreign_text_comes_through() -> None:
    """200 canaries in bodies, URLs and exception text: no message holds one; ccxt's own text does (the control)."""
    dirty = 0
    for seed in range(200):
        (bird,) = canaries(seed + 9000)
        code = (-2010, -1021, -1003, -9999, -2015)[seed % 5]
        body: object = _error(code, f"odd {bird}") if seed % 3 else f"<html>{bird}</html>"
        error, client = _raised((400, 403, 418, 429, 503)[seed % 5], body, url=f"{ORDER_URL}?signature={bird}")
        dirty += bird in str(error)
        failure = ADAPTER.failure(error, client)
        assert_clean(repr(failure), [bird])
    assert dirty > 150


def test_every_documented_request_issue_is_a_refusal() -> None:
    """All of -1100..-1199 are refused before the matching engine."""
    codes = {
        failures.read(ADAPTER.facts, ccxt.BadRequest(f'binance {{"code":{n}}}'), {}, 0).executed
        for n in range(-1199, -1099)
    }
    assert codes == {"no"}
