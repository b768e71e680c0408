"""A cancelling client can read and cancel: every call of stock ccxt is tried on it, and nothing else leaves."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest

from policykit.exchanges import load as load_adapter
from policykit.exchanges.base import CallFailed
from policykit.exchanges.calls import listed, name_of
from policykit.exchanges.cancelling import Cancelling, known, load
from policykit.exchanges.cancelling.base import OpenOrder, Resting
from policykit.exchanges.cancelling.canceller import allowing, canceller
from policykit.exchanges.client import make_client
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from tests.exchanges.test_every_allowlist import _requests

#: What the last parts of a call's path may be when it cancels, or lists what to cancel; each was looked at by a person.
CANCELS = re.compile(r"(?i)cancel|get_open_orders\Z|active/symbols\Z|\AGET /api/v1/order\Z|\APOST /exchange\Z")
#: DELETE of orders, by their path: of one, of many, of all of a symbol.
DELETES = re.compile(r"(?i)\ADELETE /\S*(?:order|order/all|Orders|orders/\*|stop-order/\*)\Z")
#: What moves money or places an order, whatever else is in the name.
NEVER = re.compile(r"(?i)cancel_?replace|cancel_and_new|batch_?order\Z|transfer|withdraw|create|amend|edit|place|loan")


@pytest.fixture(params=known())
def exchange(request: pytest.FixtureRequest) -> str:
    """Each exchange on which orders can be cancelled."""
    return str(request.param)


def _cancelling(exchange: str) -> Cancelling:
    found = load(exchange)
    assert found is not None
    return found


def _secrets(sim: SimServer) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in sim.main_key.credentials().items()}


def test_nothing_but_reads_and_cancels_leaves(exchange: str) -> None:
    """Every endpoint that stock ccxt knows is tried on the cancelling client: what is not listed never arrives."""
    adapter, cancelling = load_adapter(exchange), _cancelling(exchange)
    assert adapter is not None
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        one = canceller(exchange, _secrets(sim), endpoint=sim.url, clock=sim.clock)
        client, allowed = one._client, allowing(cancelling)
        refused = cancels = 0
        for method, url, body in _requests(client):
            said = body if isinstance(body, str) else None
            call = adapter.call(method, url, said)
            if call.kind in ("public", "read") and call.action is None:
                continue
            if allowed(method, url, said):
                cancels += 1
                assert listed(name_of(method, url), cancelling.calls)
                continue
            refused += 1
            with pytest.raises(CallFailed, match="is not in the read allowlist; nothing was sent"):
                client.fetch(url, method, {}, body)
        assert sum(sim.truth.by_route.values()) == 0
        assert refused > 0
        assert cancels > 0 or exchange == "hyperliquid"  # whose body decides: tested below


def test_no_call_of_the_list_does_more_than_cancel(exchange: str) -> None:
    """Each listed call is named like a cancel or a list, none like something that places an order or moves money."""
    for name in _cancelling(exchange).calls:
        deletes_batch = name.startswith("DELETE ")  # DELETE batchOrders is a cancel, POST batchorder is not
        assert CANCELS.search(name) or DELETES.match(name) or name.endswith("/batchOrders"), name
        assert deletes_batch or not NEVER.search(name), name


def test_an_ordinary_client_cannot_cancel(exchange: str) -> None:
    """I19 stands: the client of everything else refuses every call of the list."""
    adapter = load_adapter(exchange)
    assert adapter is not None
    assert not [n for n in _cancelling(exchange).calls if listed(n, adapter.reads | adapter.public)]
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        client = make_client(exchange, _secrets(sim), endpoint=sim.url, clock=sim.clock)
        for name in _cancelling(exchange).calls:
            verb, path = name.split(" ", 1)
            with pytest.raises(CallFailed, match="is not in the read allowlist; nothing was sent"):
                client.fetch(f"{sim.url}{path.replace('*', 'usdt')}", verb, {}, "{}")
        assert sum(sim.truth.by_route.values()) == 0


def test_hyperliquid_signs_a_cancel_and_nothing_else() -> None:
    """Its one call does everything: the action in the body decides, and one with more beside a cancel is refused."""
    allowed = allowing(_cancelling("hyperliquid"))
    url = "https://api.hyperliquid.xyz/exchange"
    cancel = {"type": "cancel", "cancels": [{"a": 0, "o": 1}]}
    assert allowed("POST", url, json.dumps({"action": cancel, "nonce": 1, "signature": {}}))
    for action in (
        {"type": "order", "orders": []},
        {"type": "cancel", "cancels": [], "orders": []},
        {"type": "usdSend"},
        {"type": "withdraw3"},
        {"type": "twapOrder"},
        {"type": "batchModify", "cancels": []},
        None,
    ):
        assert not allowed("POST", url, json.dumps({"action": action}))
    for body in ("", "[]", "[" * 100_000, None):
        assert not allowed("POST", url, body)


def _market(symbol: str, kind: str, **more: Any) -> dict[str, Any]:
    base, quote = symbol.partition(":")[0].split("/")
    named = {"id": f"{base}-{quote}", "base": base, "quote": quote, "baseId": "0", "quoteId": quote, "active": True}
    return {"symbol": symbol, "type": kind, "spot": kind == "spot", "swap": kind == "swap", **named, **more}


CONTRACT = {"contract": True, "contractSize": 1}
MARKETS = (
    _market("BTC/USDT", "spot"),
    _market("BTC/USDT:USDT", "swap", settle="USDT", settleId="usdt", linear=True, inverse=False, **CONTRACT),
    _market("BTC/USD:BTC", "swap", settle="BTC", settleId="btc", linear=False, inverse=True, **CONTRACT),
)


def _symbol(resting: Resting) -> str:
    if resting.family.startswith(("spot", "margin")):
        return "BTC/USDT"
    return "BTC/USD:BTC" if resting.ask.get("subType") == "inverse" else "BTC/USDT:USDT"


@pytest.mark.parametrize("body", ["{}", "null", '{"code":"0","error":[],"data":null,"result":{}}', "<html>"])
def test_an_answer_without_a_list_shows_no_family_empty(
    exchange: str, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ccxt reads no orders in an answer that holds none: what nobody saw is unknown, and never flat."""
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        one = canceller(exchange, _secrets(sim), endpoint=sim.url, clock=sim.clock, symbols=("BTC/USDT",))
        client = one._client

        def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, said: Any = None) -> Any:
            self.last_http_response = body
            return json.loads(body) if body != "<html>" else body

        client.set_markets([client.safe_market_structure(market) for market in MARKETS])
        monkeypatch.setattr(type(client), "fetch", fetch)
        listed_now = one.open_orders()
        assert set(one.families) <= set(listed_now.unknown)


def test_each_family_is_cancelled_by_listed_calls(exchange: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One, several and all of each family: what ccxt builds of our params is a listed call, and no family lacks one."""
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        one = canceller(exchange, _secrets(sim), endpoint=sim.url, clock=sim.clock)
        client = one._client
        sent: list[str] = []
        real = type(client).fetch

        def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            call = self.policykit_adapter.call(method, url, body)
            if call.kind in ("public", "read") and call.action is None:
                return real(self, url, method, headers, body)
            assert self.policykit_beyond(method, url, body if isinstance(body, str) else None), (method, url, body)
            sent.append(name_of(method, url))
            return {}

        client.set_markets([client.safe_market_structure(market) for market in MARKETS])
        monkeypatch.setattr(type(client), "fetch", fetch)
        for resting in _cancelling(exchange).families:
            symbol = _symbol(resting)
            order = OpenOrder(resting.family, symbol, "123456789", "", "buy", None, None, None, None, None, resting)
            both = (order, order._replace(order_id="123456790"))
            asks: tuple[tuple[Any, bool], ...] = (
                (one.cancel, True),
                (one.cancel_each, True),
                (one.cancel_all, bool(resting.every)),
            )
            for ask, sends in asks:
                sent.clear()
                with suppress(CallFailed):  # an empty answer is none of the exchange's
                    ask(order if ask == one.cancel else both)
                assert bool(sent) == sends, resting
