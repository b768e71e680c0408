"""A plain HTTP client for the simulated exchange: no ccxt, signs by itself."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from policykit.sim import SimServer


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of one reply."""

    status: int
    headers: Mapping[str, str]
    body: Any


def send(sim: SimServer, method: str, target: str, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request; raise what http.client raises when the connection is cut."""
    connection = http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=5)
    try:
        connection.request(method, target, body.encode(), dict(headers or {}))
        reply = connection.getresponse()
        text = reply.read().decode()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, found, text if "html" in found["content-type"] else json.loads(text))
    finally:
        connection.close()


def signed(sim: SimServer, method: str, path: str, **params: object) -> Answer:
    """Send a signed request with everything in the query; `timestamp` is the exchange's time unless given."""
    query = urlencode({"timestamp": sim.clock.now_ms(), **params})
    mac = hmac.new(sim.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    return send(sim, method, f"{path}?{query}&signature={mac}", headers={"X-MBX-APIKEY": sim.key})


def limit_order(**changed: object) -> dict[str, object]:
    """Return the parameters of a limit buy that rests."""
    terms: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {**terms, "quantity": "0.01", "price": "50000", "newClientOrderId": "a", **changed}
