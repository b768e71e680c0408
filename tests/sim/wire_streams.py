"""Plain websockets to the simulated exchange, signed as Binance's documentation says."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from policykit.sim import SimKey, SimServer
from tests.sim.wire import send

SPOT, LINEAR, API = "/@/stream.binance.com/ws", "/@/fstream.binance.com", "/@/ws-api.binance.com/ws-api/v3"
#: How long a message may take over loopback, wall seconds; only a failing test waits for so long.
SOON_S = 10.0


@contextmanager
def listen(sim: SimServer, *names: str, at: str = SPOT) -> Iterator[ClientConnection]:
    """Open a market stream, and wait until the exchange serves it."""
    with connect(f"{sim.ws_url}{at}/{'/'.join(names)}", max_queue=None) as ws:  # it reads, whether it is asked or not
        for name in names:
            sim.streams.wait(to=name)
        yield ws


@contextmanager
def api(sim: SimServer, key: SimKey | None = None) -> Iterator[ClientConnection]:
    """Open the WebSocket API and subscribe to the account."""
    with connect(sim.ws_url + API) as ws:
        request = {"id": "1", "method": "userDataStream.subscribe.signature", "params": signature(sim, key)}
        ws.send(json.dumps(request))
        assert heard(ws)["result"] == {"subscriptionId": 0}
        yield ws


def signature(sim: SimServer, key: SimKey | None = None, **more: object) -> dict[str, object]:
    """Sign the parameters of a request of the WebSocket API."""
    by = key or sim.main_key
    params: dict[str, object] = {"apiKey": by.key, "timestamp": sim.clock.now_ms(), **more}
    query = urlencode(sorted(params.items()))
    return {**params, "signature": hmac.new(by.secret.encode(), query.encode(), hashlib.sha256).hexdigest()}


def listen_key(sim: SimServer, method: str = "POST") -> Any:
    """Ask for a listen key of the futures, extend it, or give it back."""
    return send(sim, method, "/@fapi.binance.com/fapi/v1/listenKey", headers={"X-MBX-APIKEY": sim.key})


@contextmanager
def account(sim: SimServer) -> Iterator[ClientConnection]:
    """Open the futures' user data."""
    name = listen_key(sim).body["listenKey"]
    with connect(f"{sim.ws_url}{LINEAR}/private/ws?listenKey={name}", max_queue=None) as ws:
        sim.streams.wait(to="user")
        yield ws


def heard(ws: ClientConnection) -> Any:
    """Return the next message."""
    return json.loads(ws.recv(timeout=SOON_S))


def asked(ws: ClientConnection, method: str, *params: object, number: int = 1) -> Any:
    """Send a request to a market stream and return its answer."""
    ws.send(json.dumps({"method": method, "params": list(params), "id": number}))
    return heard(ws)
