"""The clients: where their URLs go, what they may send, what they may spend."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from policykit.errors import ExchangeUnavailable, SecretUnavailable
from policykit.exchanges import binance_calls
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.binance import ADAPTER
from policykit.exchanges.client import Budget, check_endpoint, make_client, plain_client, point
from policykit.exchanges.imports import exchange_class
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer

CREDENTIALS = {"api_key": Secret("k" * 3 + "ey-of-tests"), "api_secret": Secret("secret-of-tests")}


class Listener:
    """A port that counts connections and closes them: whether a byte left."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A listener on a free loopback port."""
    one = Listener()
    yield one
    one.close()


# -- endpoint ---------------------------------------------------------------------------------------------------


def test_every_url_goes_to_the_endpoint() -> None:
    """Paths are kept; hosts beside the main one become a prefix; no other origin is left."""
    client = ccxt.binance()
    point(client, "http://127.0.0.1:8080/")
    api = client.urls["api"]
    assert api["public"] == "http://127.0.0.1:8080/api/v3"
    assert api["sapi"] == "http://127.0.0.1:8080/sapi/v1"
    assert api["fapiPublic"] == "http://127.0.0.1:8080/@fapi.binance.com/fapi/v1"
    assert api["papi"] == "http://127.0.0.1:8080/@papi.binance.com/papi/v1"
    assert all(url.startswith("http://127.0.0.1:8080/") for url in api.values())


def test_websockets_go_to_the_endpoint_as_well() -> None:
    """Their host follows as `/@/host`, main or not (ccxt knows spot by `/stream`), with TLS as the origin has."""
    client = exchange_class("binance", pro=True)()
    point(client, "http://127.0.0.1:8080")
    ws = client.urls["api"]["ws"]
    assert ws["spot"] == "ws://127.0.0.1:8080/@/stream.binance.com/ws"
    assert ws["linear"] == "ws://127.0.0.1:8080/@/fstream.binance.com/ws"
    assert ws["ws-api"]["spot"] == "ws://127.0.0.1:8080/@/ws-api.binance.com/ws-api/v3"
    bybit = exchange_class("bybit", pro=True)()
    point(bybit, "https://gateway.example")
    private = "wss://gateway.example/@/stream.bybit.com/v5/private"
    assert bybit.urls["api"]["ws"]["private"]["spot"]["unified"] == private


def test_nested_urls_and_host_names_are_pointed_as_well() -> None:
    """Exchanges with nested URL maps, `{hostname}` and single URLs are pointed the same way."""
    bybit, okx, kucoin = ccxt.bybit(), ccxt.okx(), ccxt.kucoin()
    for client in (bybit, okx, kucoin):
        point(client, "https://gateway.example")
    assert bybit.urls["api"]["public"] == "https://gateway.example"
    assert okx.urls["api"]["rest"] == "https://gateway.example"
    assert kucoin.urls["api"]["public"] == "https://gateway.example"
    assert kucoin.urls["api"]["futuresPublic"] == "https://gateway.example/@api-futures.kucoin.com"
    single = ccxt.binance()
    single.urls["api"] = "https://one.example/v1"
    point(single, "https://gateway.example")
    assert single.urls["api"] == "https://gateway.example/v1"


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://gateway.example", "https://gateway.example"),
        ("https://Gateway.Example:8443/", "https://gateway.example:8443"),
    ],
)
def test_origins_that_may_be(endpoint: str, origin: str) -> None:
    """Https anywhere, plain http on this machine."""
    assert check_endpoint(endpoint) == origin


@pytest.mark.parametrize(
    "endpoint", ["http://example.com", "http://10.0.0.1:80", "http://127.0.0.1.example.com", "http://localhost.example"]
)
def test_plain_http_off_this_machine_is_refused(endpoint: str) -> None:
    """A key's header would be readable on the way."""
    with pytest.raises(ValueError) as caught:
        check_endpoint(endpoint)
    assert str(caught.value) == (
        "the endpoint is plain http off this machine; keys would be readable on the way; use https"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "x",
        "ftp://h",
        "https://",
        "https://h/path",
        "https://h?x=1",
        "https://u:p@h",
        "https://h:port",
        "https://h#f",
    ],
)
def test_what_is_no_origin_is_refused(endpoint: str) -> None:
    """Scheme, host and port and nothing else; what was given is not repeated, it may hold a password."""
    with pytest.raises(ValueError) as caught:
        check_endpoint(endpoint)
    assert str(caught.value) == (
        "the endpoint is no origin; scheme, host and port may be (https://gateway.example:8443)"
    )


# -- read only --------------------------------------------------------------------------------------------------


def test_I19_no_write_leaves_the_read_only_client(listener: Listener) -> None:
    """Every write, transfer and withdrawal of ccxt raises before a connection is made, sync and async."""
    client = make_client("binance", CREDENTIALS, endpoint=listener.url)
    forbidden = 0
    for verb, group in (
        ("Post", "private"),
        ("Delete", "private"),
        ("Post", "sapi"),
        ("Delete", "sapi"),
        ("Put", "fapiPrivate"),
    ):
        for path in client.api[group].get(verb.lower(), {}):
            with pytest.raises(CallFailed) as caught:
                client.request(path, [group], verb.upper(), {"symbol": "BTCUSDT"})
            assert (caught.value.code, caught.value.failure.executed) == ("READ_ONLY", "no")
            forbidden += 1
    for call in (
        lambda: client.cancel_order("1", "BTC/USDT"),
        lambda: client.fetch(f"{listener.url}/api/v3/order", "POST"),
        lambda: client.fetch(f"{listener.url}/api/v3/unheard", "GET"),
        lambda: client.fetch(f"{listener.url}/api/v3/userDataStream", "POST"),
        lambda: client.privatePostOrder({"symbol": "BTCUSDT"}),
    ):
        client.markets = {
            "BTC/USDT": {
                "id": "BTCUSDT",
                "symbol": "BTC/USDT",
                "type": "spot",
                "spot": True,
                "option": False,
                "linear": None,
                "inverse": None,
                "swap": False,
                "future": False,
                "contract": False,
            }
        }
        client.markets_by_id = {"BTCUSDT": [client.markets["BTC/USDT"]]}
        with pytest.raises(CallFailed) as caught:
            call()
        assert caught.value.code == "READ_ONLY"
    assert forbidden > 150
    assert listener.connections == 0
    asyncio.run(_async_writes(listener))
    assert listener.connections == 0
    with pytest.raises(ccxt.NetworkError):  # control: a stock client sends the same call
        plain_client("binance", CREDENTIALS, endpoint=listener.url).privatePostOrder({"symbol": "BTCUSDT"})
    assert listener.connections == 1


async def _async_writes(listener: Listener) -> None:
    client = make_client("binance", CREDENTIALS, endpoint=listener.url, asynchronous=True)
    try:
        for method in ("privatePostOrder", "sapiPostCapitalWithdrawApply", "privateDeleteOpenOrders"):
            with pytest.raises(CallFailed) as caught:
                await getattr(client, method)({"symbol": "BTCUSDT"})
            assert caught.value.code == "READ_ONLY"
    finally:
        await client.close()


def test_the_refusal_names_the_call() -> None:
    """The message says what was refused and that nothing was sent."""
    client = make_client("binance", CREDENTIALS, endpoint="http://127.0.0.1:9")
    with pytest.raises(CallFailed) as caught:
        client.privatePostOrder({"symbol": "BTCUSDT"})
    assert str(caught.value) == "binance: POST /api/v3/order is not in the read allowlist; nothing was sent"


def test_a_redirect_is_not_followed() -> None:
    """A redirect would carry the key's header to another host."""
    assert make_client("binance", CREDENTIALS, endpoint="http://127.0.0.1:9").session.max_redirects == 0


# -- credentials ------------------------------------------------------------------------------------------------


def test_credentials_go_to_their_fields() -> None:
    """Names of a secret source become ccxt's; a private key alone signs in the secret's place on Binance."""
    client = make_client("binance", {**CREDENTIALS, "passphrase": Secret("phrase"), "uid": Secret("uid-1")})
    assert (client.apiKey, client.secret) == ("kkkey-of-tests", "secret-of-tests")
    assert (client.password, client.uid) == ("phrase", "uid-1")
    pem = make_client("binance", {"api_key": Secret("key-1"), "private_key": Secret("PEM-of-tests")})
    assert pem.secret == "PEM-of-tests"


def test_a_missing_credential_is_named() -> None:
    """What misses is named, never shown."""
    with pytest.raises(SecretUnavailable) as caught:
        make_client("binance", {"api_key": Secret("key-1")})
    assert str(caught.value) == "binance needs api_secret; the secret source does not have it"


def test_an_exchange_without_adapter_has_no_read_only_client() -> None:
    """Without an adapter nothing is known to be a read."""
    with pytest.raises(ExchangeUnavailable) as caught:
        make_client("bitstamp")
    assert caught.value.code == "NOT_SUPPORTED"


def test_sandbox_hosts_are_ccxts_own() -> None:
    """`environment: sandbox` uses the test hosts; an endpoint decides alone."""
    assert make_client("binance", sandbox=True).urls["api"]["public"] == "https://testnet.binance.vision/api/v3"
    both = make_client("binance", sandbox=True, endpoint="http://127.0.0.1:9")
    assert both.urls["api"]["sapi"] == "http://127.0.0.1:9/sapi/v1"


# -- budget -----------------------------------------------------------------------------------------------------


def test_a_budget_waits_for_its_window() -> None:
    """What does not fit waits to the end of the fixed window; what was spent is counted for ever."""
    clock = SimClock()
    budget = Budget(100, 60_000, clock)
    assert (budget.wait_ms(80), budget.wait_ms(20)) == (0, 0)
    clock.advance(12)
    assert budget.wait_ms(1) == 48_000
    clock.advance(48)
    assert budget.wait_ms(1) == 0
    assert (budget.calls, budget.weight) == (3, 101)


def test_a_budget_takes_in_what_others_spent() -> None:
    """The exchange's own count of the window is believed when it is higher."""
    clock = SimClock()
    budget = Budget(100, 60_000, clock)
    budget.note(95)
    assert budget.wait_ms(10) == 60_000
    budget.note(3)
    assert budget.wait_ms(10) == 60_000
    clock.advance(60)
    assert budget.wait_ms(10) == 0


def test_a_call_over_the_whole_budget_is_refused() -> None:
    """It could never be sent: waiting would be for ever."""
    with pytest.raises(CallFailed) as caught:
        Budget(10, 60_000, SimClock()).wait_ms(20)
    assert str(caught.value) == "a call of weight 20 is over the policy's budget of 10; raise the budget's limit"


def test_reads_stay_inside_the_budget() -> None:
    """Six account reads of 20 with a budget of 50 a minute take three windows of the simulated clock."""
    clock = SimClock()
    with SimServer(clock=clock) as sim:
        budget = Budget(50, 60_000, clock)
        pair = {"api_key": Secret(sim.key), "api_secret": Secret(sim.secret)}
        client = make_client("binance", pair, endpoint=sim.url, budget=budget, clock=clock)
        start = clock.now_ms()
        for _ in range(6):
            run(ADAPTER, client, ADAPTER.serving(frozenset(("spot",))).account(), clock)
        assert clock.now_ms() - start == 120_000
        assert max(sim.truth.weights.values()) == 40
        assert (budget.calls, budget.weight) == (6, 120)


def test_the_wait_for_a_budget_is_bounded() -> None:
    """A budget that others keep full ends in a clear error, not in waiting for ever."""
    clock = SimClock()

    class Full(Budget):
        def wait_ms(self, weight: int) -> int:
            return self.per_ms

    client = make_client(
        "binance", CREDENTIALS, endpoint="http://127.0.0.1:9", budget=Full(1, 60_000, clock), clock=clock
    )
    start = clock.now_ms()
    with pytest.raises(CallFailed) as caught:
        client.publicGetTime()
    assert str(caught.value) == "binance: the policy's rate budget is used up; wait or raise use_at_most"
    assert clock.now_ms() - start == 120_000


def test_async_reads_spend_the_same_budget() -> None:
    """The async read-only client reads, spends and notes like the sync one."""
    with SimServer() as sim:
        budget = Budget(1000, 60_000, sim.clock)

        async def read() -> Any:
            client = make_client("binance", endpoint=sim.url, asynchronous=True, budget=budget)
            try:
                return await client.publicGetTime()
            finally:
                await client.close()

        answer = asyncio.run(read())
    assert abs(answer["serverTime"] - sim.clock.now_ms()) < 60_000
    assert (budget.calls, budget.weight) == (1, 1)


def test_every_read_of_the_adapter_is_allowlisted() -> None:
    """The adapter's own reads are in the allowlist: nothing is promised that the client would refuse."""
    api = ccxt.binance().api
    prefixes = {"public": "/api/v3/", "private": "/api/v3/", "sapi": "/sapi/v1/"}
    used = {
        "privateGetOrder",
        "privateGetOpenOrders",
        "privateGetAllOrders",
        "privateGetAccount",
        "publicGetTickerBookTicker",
        "publicGetTime",
        "publicGetExchangeInfo",
        "sapiGetCapitalDepositHisrec",
        "sapiGetCapitalWithdrawHistory",
        "sapiGetAccountApiRestrictions",
        "sapiGetCapitalWithdrawAddressList",
    }
    names = {}
    for group, prefix in prefixes.items():
        for path in api[group]["get"]:
            words = "".join(part[:1].upper() + part[1:] for part in path.replace("/", "-").split("-"))
            names[f"{group}Get{words}"] = f"GET {prefix}{path}"
    assert {names[name] for name in used} <= binance_calls.PUBLIC | binance_calls.READS
