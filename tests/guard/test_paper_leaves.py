"""At the paper stage nothing like an order leaves: every order method of ccxt is called, and the traffic read."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro
import pytest
from ccxt.base.types import Entry

from policykit.exchanges.binance import ADAPTER
from tests.guard.paper_world import paper, paper_text
from tests.guard.test_stream_gate import talk
from tests.guard.world import SYMBOL, World

#: What the unified methods that change something begin with.
_VERBS = ("create_", "edit_", "cancel_", "close_", "set_", "borrow_", "repay_", "add_margin", "reduce_margin")
_ALONE = ("transfer", "withdraw", "withdraw_ws")
#: What is no request, but the client's own.
_OWN = (
    "set_headers",
    "set_markets",
    "set_markets_from_exchange",
    "set_property",
    "set_proxy_agents",
    "set_sandbox_mode",
)
_SAID: dict[str, Any] = {
    "symbol": SYMBOL,
    "type": "limit",
    "side": "buy",
    "amount": 0.01,
    "price": 59_000.0,
    "id": "paper-1",
    "ids": ["paper-1"],
    "cost": 600.0,
    "leverage": 1,
    "marginMode": "cross",
    "hedged": False,
    "code": "USDT",
    "orders": [{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": 59_000.0}],
    "triggerPrice": 61_000.0,
    "stopLossPrice": 58_000.0,
    "takeProfitPrice": 62_000.0,
    "trailingPercent": 1.0,
    "trailingAmount": 10.0,
    "trailingTriggerPrice": 59_000.0,
    "takeProfit": 62_000.0,
    "stopLoss": 58_000.0,
    "fromAccount": "spot",
    "toAccount": "future",
    "address": "a",
    "tag": None,
    "timeout": 1000,
    "clientOrderId": "c1",
    "clientOrderIds": ["c1"],
    "fromCode": "USDT",
    "toCode": "BTC",
    "duration": 60,
}


def unified(cls: type[Any]) -> list[str]:
    """Name every unified method of a ccxt class that changes something, in both of its spellings."""
    found = [n for n in dir(cls) if n.startswith(_VERBS) or n in _ALONE]
    names = [
        n for n in found if n not in _OWN and callable(getattr(cls, n)) and not n.endswith(("_request", "_argument"))
    ]
    camel = ["".join((n.split("_")[0], *(w.capitalize() for w in n.split("_")[1:]))) for n in names]
    return names + [n for n in camel if hasattr(cls, n)]


def raw(cls: type[Any]) -> list[str]:
    """Name every raw method that is no plain GET, and each GET whose path has an order in it."""
    entries = [(name, getattr(cls, name)) for name in dir(cls) if isinstance(inspect.getattr_static(cls, name), Entry)]
    names = [name for name, _ in entries if "_" in name and (("_get_" not in name) or "order" in name)]
    return sorted(names, key=lambda name: "order" not in name)


def arguments(method: Any) -> dict[str, Any]:
    """Give each argument of a method a value by its name."""
    wanted = inspect.signature(method).parameters.values()
    return {p.name: _SAID[p.name] for p in wanted if p.name in _SAID}


def _written(w: World) -> list[str]:
    """Return the requests that reached the exchange and are no public call or listed read."""
    seen = [*w.sim.truth.by_route, *w.sim.truth.unrouted]
    kinds = {route: ADAPTER.call(*route.split(" ", 1), None).kind for route in seen if " " in route}
    return sorted(route for route, kind in kinds.items() if kind not in ("public", "read"))


def _tried(client: Any, names: list[str]) -> Iterator[Any]:
    for name in names:
        method = getattr(client, name)
        try:
            yield method(**arguments(method)) if not name.endswith("params") else None
        except Exception as error:
            yield error


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_I15_no_order_method_reaches_the_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, tier: Callable[[int, int], int]
) -> None:
    """Unified and raw, in both modes; and some of them did work, on paper."""
    monkeypatch.setenv("POLICYKIT_MODE", mode)
    with paper(tmp_path, paper_text(begins="1000000 USDT")) as w:
        client = w.protected()
        names = [*unified(type(client)), *raw(ccxt.binance)[: tier(60, 5_000)]]
        done = list(_tried(client, names))
        assert len(names) > 150
        assert sum(isinstance(one, dict) and one.get("info", {}).get("paper") is True for one in done) > 20
        assert _written(w) == []
        assert w.sent == []


def test_I15_the_traffic_is_seen_when_something_leaves(tmp_path: Path) -> None:
    """The control: at a stage that trades, the same look finds the order."""
    text = paper_text("full-live").replace("tracking", "execution").replace("[read]", "[read, trade.spot]")
    with paper(tmp_path, text) as w:
        list(_tried(w.protected(), ["create_order", "cancel_all_orders"]))
        assert _written(w) == ["DELETE /api/v3/openOrders", "POST /api/v3/order"]


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_I15_no_order_leaves_over_a_websocket_nor_from_an_async_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Nor does a private stream tell of the real account as if it were the one on paper."""
    monkeypatch.setenv("POLICYKIT_MODE", mode)

    async def each(client: Any, url: str, heard: list[Any]) -> list[Any]:
        names = [*unified(type(client)), *(n for n in dir(client) if n.endswith("_ws"))]
        names += [n for n in dir(client) if n.startswith("watch_") and ("order" in n or "my" in n or "bal" in n)]
        for name in dict.fromkeys(n for n in names if "book" not in n and not n.startswith("handle_")):
            method = getattr(client, name)
            with suppress(Exception):  # whatever it is, nothing may leave
                await asyncio.wait_for(method(**arguments(method)), 0.1)
        with pytest.raises(Exception, match="passes no check"):
            await client.watch(url, "h", {"method": "order.place", "params": {}}, "h")
        return [message for message in heard if "order" in str(message).lower()]

    with paper(tmp_path, paper_text(begins="1000000 USDT")) as w:
        assert asyncio.run(talk(w, each)) == []
        assert _written(w) == []
        assert w.sent == []
