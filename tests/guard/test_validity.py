"""The validity on the wire, over HTTP with stock ccxt: put there by the policy, read back at the gate, journaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from policykit.errors import Denied
from policykit.sim.dialects.base import Request
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.test_bybit import BYBIT, HELD, SPOT
from tests.guard.world import SYMBOL, World, policy_text

Start = Callable[..., World]
LIMIT = ("limit", "buy", 0.01, 59_000)
STOP = ("stop_market", "buy", 0.01, None, {"stopPrice": 61_000})
#: Exchange, what is traded there, an order of the family, and the call by which it is placed.
FAMILIES = pytest.mark.parametrize(
    ("exchange", "symbol", "order", "call"),
    [
        pytest.param("binance", SYMBOL, LIMIT, "/api/v3/order", id="spot"),
        pytest.param("binanceusdm", SWAP, LIMIT, "/fapi/v1/order", id="usdm"),
        pytest.param("binanceusdm", SWAP, STOP, "/fapi/v1/algoOrder", id="algo"),
        pytest.param("binance", SWAP, STOP, "/fapi/v1/algoOrder", id="algo-of-binance"),
        pytest.param("bybit", SYMBOL, LIMIT, "/v5/order/create", id="bybit"),
    ],
)


def brief(text: str) -> str:
    """Return a policy with a validity that no client has by itself."""
    return text.replace("request_validity: 5s", "request_validity: 3s")


def begin(start: Start, monkeypatch: pytest.MonkeyPatch, exchange: str, symbol: str) -> tuple[World, list[Request]]:
    """Start an exchange, and note the requests that it gets."""
    if exchange == "bybit":
        world = start(text=brief(BYBIT), dialect="bybit", balances=HELD)
    elif symbol == SYMBOL:
        world = start(text=brief(policy_text()))
    else:
        world = contracts(start, exchange=exchange, text=brief(policy(exchange)))
    heard: list[Request] = []
    inside = world.sim._exchange
    handle = inside.handle

    def noting(request: Request, now_ms: int) -> Any:
        heard.append(request)
        return handle(request, now_ms)

    monkeypatch.setattr(inside, "handle", noting)
    return world, heard


def written(request: Request) -> tuple[int, int | None]:
    """Return signing time and validity as a request has them, by this test's own reading."""
    sent = dict(parse_qsl(request.query)) | dict(parse_qsl("" if request.body.startswith("{") else request.body))
    if "timestamp" in sent:
        window = sent.get("recvWindow")
        return int(sent["timestamp"]), None if window is None else int(window)
    return int(request.headers["x-bapi-timestamp"]), int(request.headers["x-bapi-recv-window"])


def settings(exchange: str, **more: Any) -> dict[str, Any]:
    """Return a client's settings."""
    return {**(SPOT if exchange == "bybit" else {}), **more}


@FAMILIES
def test_the_policys_validity_is_on_the_wire_and_in_the_journal(
    start: Start, monkeypatch: pytest.MonkeyPatch, exchange: str, symbol: str, order: tuple[Any, ...], call: str
) -> None:
    """3 s, where stock ccxt signs 10 on Binance and 5 on Bybit; a longer one, or none, is not sent."""
    world, heard = begin(start, monkeypatch, exchange, symbol)
    client = world.protected(**settings(exchange))
    ours = client.options["recvWindow"]
    found = []
    for window in (3_001, 60_000, "" if exchange == "bybit" else None):
        client.options["recvWindow"] = window
        with pytest.raises(Denied) as denied:
            client.create_order(symbol, *order)
        (reason,) = denied.value.decision.reasons
        found.append((reason.code, reason.message.partition("validity is ")[2].partition(";")[0]))
    assert found == [("REQUEST_VALIDITY", text) for text in ("3001 ms", "60000 ms", "none")]
    for window in (ours, 2_000):  # a shorter one is the bot's affair
        client.options["recvWindow"] = window
        client.create_order(symbol, *order)
    wire = [written(one) for one in heard if (one.method, one.path) == ("POST", call)]
    assert wire == [(world.clock.now_ms(), 3_000), (world.clock.now_ms(), 2_000)]
    kept = client.policykit_gate.guard.store.intents()
    assert sorted((one.signed_ms, one.validity_ms) for one in kept) == sorted(wire)


@pytest.mark.parametrize(
    ("exchange", "symbol", "order", "call"),
    [("binanceusdm", SWAP, STOP, "/fapi/v1/algoOrder"), ("bybit", SYMBOL, LIMIT, "/v5/order/create")],
)
async def test_so_on_an_async_client(
    start: Start, monkeypatch: pytest.MonkeyPatch, exchange: str, symbol: str, order: tuple[Any, ...], call: str
) -> None:
    """The same class of client, awaited."""
    world, heard = begin(start, monkeypatch, exchange, symbol)
    async with world.sim.client(async_=True, **settings(exchange)) as bare:
        client = world.guard().protect(bare)
        await client.create_order(symbol, *order)
        for window in (60_000, "" if exchange == "bybit" else None):
            client.options["recvWindow"] = window
            with pytest.raises(Denied) as denied:
                await client.create_order(symbol, *order)
            assert denied.value.decision.reasons[0].code == "REQUEST_VALIDITY"
    assert [written(one)[1] for one in heard if (one.method, one.path) == ("POST", call)] == [3_000]


@pytest.mark.parametrize("path", ["/fapi/v1/algoOrder", "/api/v3/order"])
def test_a_validity_in_query_and_body_is_a_difference(start: Start, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A signer of the bot's own writes it twice: which of them counts is the exchange's affair; it is refused."""
    spot = path == "/api/v3/order"
    symbol, order = (SYMBOL if spot else SWAP), (STOP if path.endswith("algoOrder") else LIMIT)
    world, heard = begin(start, monkeypatch, "binance" if spot else "binanceusdm", symbol)
    kind = type(world.sim.client())

    class Twice(kind):  # type: ignore[misc, valid-type]
        """Write the validity into the query as well."""

        def sign(self, *args: Any, **kwargs: Any) -> Any:
            """Sign as ccxt does, and then add to it."""
            signed = super().sign(*args, **kwargs)
            if signed["method"] == "POST" and urlsplit(signed["url"]).path.endswith(path):
                signed["url"] += "?recvWindow=1000"
            return signed

    client = world.sim.client()
    client.__class__ = Twice
    protected = world.guard().protect(client)
    with pytest.raises(Denied) as denied:
        protected.create_order(symbol, *order)
    assert denied.value.decision.reasons[0].code == "ORDER_DIFFERS"
    assert [one for one in heard if one.method == "POST" and one.path == path] == []
    assert client.policykit_gate.guard.store.intents() == []
