"""What dialects share that answer reads only: the time, key reports, accounts. Trading is not theirs.

A dialect says its `hosts`, its `routes`, how a request is signed (`authenticate`), and its exchange's own errors:

    class Okx(Reading):
        id = "okx"
        routes = {("GET", "/api/v5/public/time"): Endpoint(_time, public=True), ...}
        errors = {"key": Reply(401, {"code": "50111", ...}), ...}

        def authenticate(self, world, request, now_ms): ...

    DIALECT = Okx
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl

from policykit.sim.dialects.base import Call, Reply, Request, Route, World
from policykit.sim.keys import SimKey, token
from policykit.sim.limits import Refusal
from policykit.sim.venue import Quirks

#: A handler is given the world, the request, the key (None: a public call) and the time (UTC ms); it returns the body.
Handler = Callable[[World, Request, "SimKey | None", int], Any]


class Endpoint(NamedTuple):
    """One endpoint. `needs`: the grant without which the exchange refuses; `host`: another one than the main host.

    `point`: where faults meet it; without it `market` of what is public and `account` of the rest.
    """

    handler: Handler
    public: bool = False
    needs: str = ""
    host: str = ""
    weight: int = 1
    point: str = ""


class Reading(ABC):
    """A dialect that answers reads."""

    id: ClassVar[str]
    routes: ClassVar[Mapping[tuple[str, str], Endpoint]]
    #: How the exchange refuses: "key", "signature", "address", "permission", "clock", "rate", "ban", "maintenance".
    errors: ClassVar[Mapping[str, Reply]]

    @abstractmethod
    def authenticate(self, world: World, request: Request, now_ms: int) -> SimKey | str:
        """Return the key that signed a request, its signature proved, or the kind of error."""

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        """Make the credentials of a key; the server fills in what it may do."""
        return SimKey(token(), token(), now_ms)

    def endpoint(self, request: Request) -> Endpoint | None:
        """Return the endpoint of a request; `/spot/orders/*` is that of any id."""
        found = self.routes.get((request.method, request.path))
        return found or self.routes.get((request.method, request.path.rpartition("/")[0] + "/*"))

    # -- the protocol of a dialect ------------------------------------------------------------------------------

    def read(self, request: Request) -> Call | Reply:
        """Route a request; its host counts."""
        endpoint = self.endpoint(request)
        if endpoint is None or request.host != endpoint.host:
            return Reply(404, "<html><body>404 Not Found</body></html>")
        name = f"{request.method} {request.path}"
        point = endpoint.point or ("market" if endpoint.public else "account")
        security = "none" if endpoint.public else "any"
        route = Route(name, point, lambda params: endpoint.weight, endpoint.handler, security)
        return Call(request, route, {})

    def gate(self, world: World, call: Call, now_ms: int) -> Reply | None:
        """Check key, signature, timing and permission; return what refuses it."""
        if call.route.security == "none":
            return None
        found = self.authenticate(world, call.request, now_ms)
        if isinstance(found, str):
            return self.error(found, now_ms)
        if found.revoked:
            return self.error("key", now_ms)
        if not found.admits(call.request.address):
            return self.error("address", now_ms)
        if found.refused is not None:
            return self.error("key" if found.refused == "revoked" else found.refused, now_ms)
        endpoint = self.endpoint(call.request)
        needs = endpoint.needs if endpoint is not None else ""
        return self.error("permission", now_ms) if needs and needs not in found.grants else None

    def timing(self, call: Call, now_ms: int) -> Reply | None:
        """Reads reach no matching engine."""
        return None

    def run(self, world: World, call: Call, now_ms: int, quirks: Quirks) -> Reply:
        """Answer; the answer drifts as the world says."""
        key = None if call.route.security == "none" else self.authenticate(world, call.request, now_ms)
        endpoint = self.endpoint(call.request)
        assert endpoint is not None, "it was routed"
        body = endpoint.handler(world, call.request, None if isinstance(key, str) else key, now_ms)
        return body if isinstance(body, Reply) else Reply(200, world.drift.body(body))

    def refused(self, refusal: Refusal, limit: int) -> Reply:
        """Answer a request over the limit or from a banned address."""
        reply = self.errors["rate" if refusal.until_ms is None else "ban"]
        return Reply(reply.status, reply.body, {**reply.headers, "Retry-After": str(refusal.retry_after_s)}, reply.code)

    def fault(self, kind: str, now_ms: int) -> Reply:
        """Answer as a fault makes the exchange answer."""
        return self.error({"clock": "clock", "rejected_key": "key"}.get(kind, "maintenance"), now_ms)

    def headers(self, world: World, call: Call, reply: Reply, now_ms: int) -> dict[str, str]:
        """Return no headers beside HTTP's own."""
        return {}

    def error(self, kind: str, now_ms: int) -> Reply:
        """Return the exchange's own words for an error."""
        return self.errors[kind]


def params_of(request: Request) -> dict[str, Any]:
    """Return the parameters of a request: query, and body as form or JSON."""
    params: dict[str, Any] = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        body = json.loads(request.body) if request.body else {}
    except ValueError:
        body = dict(parse_qsl(request.body, keep_blank_values=True))
    return {**params, **body} if isinstance(body, dict) else params


def near(stamp_ms: float, now_ms: int, window_ms: int) -> bool:
    """Tell whether a request's time is inside the exchange's window."""
    return abs(stamp_ms - now_ms) <= window_ms
