"""I19 for every exchange: what is not in the read allowlist raises before a byte leaves, and nothing in it writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges import known, load
from policykit.exchanges.adapter import Adapter, TradingAdapter
from policykit.exchanges.base import CallFailed
from policykit.exchanges.calls import listed, name_of
from policykit.exchanges.client import make_client
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer

#: Words that a path of something that writes begins a part with.
WRITES = re.compile(
    r"(?i)(?:^|[/_-])(?:buy|sell|place|create|add(?!ress)|cancel|amend|edit|modify|remove|delete|reset|disable|enable|change|set|"
    r"submit|borrow|repay|apply|close|convert|approve|new)(?![a-z]*(?:history|list|info|d\b))"
)
#: Paths with such a word that only read, each looked at by a person.
LOOKED_AT = frozenset(
    (
        "GET /fapi/v1/allOpenOrders",
        "GET /api/v3/account/settings",  # Bitget: "Query account information", permission UTA mgt. (read)
    )
)


def _endpoints(api: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield (api, verb, path) of everything that ccxt can call."""
    for name, inner in api.items():
        if name in ("get", "post", "put", "delete", "patch"):
            yield from ((at, name.upper(), path) for path in (inner if isinstance(inner, list) else list(inner)))
        elif isinstance(inner, dict):
            yield from _endpoints(inner, (*at, name))


def _requests(client: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield (method, url, body) as stock ccxt builds each of its endpoints; one that needs more params is left out."""
    for api, verb, path in _endpoints(client.api):
        filled = dict.fromkeys(re.findall(r"\{(\w+)\}", path), "BTC-USDT")
        try:
            built = client.sign(path, list(api), verb, filled)
        except Exception:
            continue
        yield built["method"], built["url"], built.get("body")


@pytest.fixture(params=known())
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """The adapter of each exchange that can be read."""
    found = load(str(request.param))
    assert found is not None
    return found


def test_I19_nothing_but_listed_reads_leaves(adapter: Adapter) -> None:
    """Every endpoint that stock ccxt knows is tried on the read-only client: what is not listed never arrives."""
    with SimServer(clock=SimClock(), dialect=adapter.id) as sim:
        key = sim.grant_key()
        secrets = {name: Secret(value) for name, value in key.credentials().items()}
        client = make_client(adapter.id, secrets, endpoint=sim.url, clock=sim.clock)
        refused = allowed = 0
        for method, url, body in _requests(client):
            call = adapter.call(method, url, body if isinstance(body, str) else None)
            if call.kind in ("public", "read") and call.action is None:
                allowed += 1
                continue
            refused += 1
            with pytest.raises(CallFailed, match="is not in the read allowlist; nothing was sent"):
                client.fetch(url, method, {}, body)
        assert sum(sim.truth.by_route.values()) == 0
        assert allowed > 0
        assert refused > 0


def test_I19_no_write_is_listed(adapter: Adapter) -> None:
    """No path of the allowlist is named like something that writes, unless a person looked at it."""
    suspects = {name for name in adapter.reads | adapter.public if WRITES.search(name.split(" ", 1)[1])}
    assert sorted(suspects - LOOKED_AT) == []
    if not isinstance(adapter, TradingAdapter):
        assert not [name for name in adapter.reads | adapter.public if name.split(" ", 1)[0] in ("PUT", "DELETE")]


def test_every_listed_call_is_one_that_can_be_made(adapter: Adapter) -> None:
    """A listed path that stock ccxt never builds would be a typing error; what `asks` names is listed."""
    with SimServer(clock=SimClock(), dialect=adapter.id) as sim:
        secrets = {name: Secret(value) for name, value in sim.main_key.credentials().items()}
        client = make_client(adapter.id, secrets, endpoint=sim.url, clock=sim.clock)
        built = {name_of(method, url) for method, url, _ in _requests(client)}
    both = adapter.reads | adapter.public
    unknown = {name for name in both if not any(listed(one, frozenset((name,))) for one in built)}
    if not adapter.id.startswith("binance"):  # its lists cross every version with every name
        assert sorted(unknown - set(adapter.asks["key_report"])) == []
    for calls in adapter.asks.values():
        assert [name for name in calls if not listed(name, both)] == []
