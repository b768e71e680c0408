"""Binance REST: routing over its hosts, security, timing, limits and error forms.

Source: binance-spot-api-docs, rest-api.md and errors.md (read 2026-11 at a5e0bc3): "SIGNED endpoint security",
"Timing security", "LIMITS", "HTTP Return Codes", "Error codes".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qsl

from policykit.clock import iso
from policykit.sim.dialects import (
    binance_account,
    binance_futures,
    binance_futures_market,
    binance_futures_orders,
    binance_market,
    binance_streams,
    binance_wallet,
)
from policykit.sim.dialects.base import Call, Reply, Request, Route, World
from policykit.sim.dialects.binance_forms import WHOLE, Bad, bad, missing
from policykit.sim.keys import CAREFUL, FLAGS, SimKey, make_key
from policykit.sim.limits import FUTURES_SPANS, Refusal
from policykit.sim.venue import Quirks, Rejected

DEFAULT_RECV_WINDOW_MS = 5_000
MAX_RECV_WINDOW_MS = 60_000
MAX_AHEAD_MS = 1_000
MAX_PARAMS = 60
_KEY_FORM = re.compile(r"[A-Za-z0-9]{10,128}\Z")
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")
#: The host of each family of paths; the main one needs no `/@host` prefix.
_HOSTS = {"fapi": "fapi.binance.com", "dapi": "dapi.binance.com", "eapi": "eapi.binance.com"}
MAIN_HOST = "api.binance.com"

_LOST = "Internal error; unable to process your request. Please try again."
_UNKNOWN = "Unknown error, please check your request or try again later."
_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_OUTSIDE = "Timestamp for this request is outside of the recvWindow."
_AHEAD = "Timestamp for this request was 1000ms ahead of the server's time."
_KEY = "Invalid API-key, IP, or permissions for action."
_BUSY = "Server is currently overloaded with other requests. Please try again in a few minutes."
#: How long an address is told to wait, and for how long it is banned, where a key is refused so, ms.
_WAIT_MS, _BAN_MS = 30_000, 120_000
_CODES = {"filter": -1013, "order": -2010, "cancel": -2011, "lookup": -2013}


class Binance:
    """The dialect `binance`."""

    id: ClassVar = "binance"

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {
            **binance_market.ROUTES,
            **binance_account.ROUTES,
            **binance_wallet.ROUTES,
            **binance_futures.ROUTES,
            **binance_futures_market.ROUTES,
            **binance_futures_orders.ROUTES,
            **binance_streams.ROUTES,
        }

    def new_key(self, now_ms: int, grants: frozenset[str], restricted: bool) -> SimKey:
        flags = dict.fromkeys(CAREFUL, False) | {flag: True for grant in grants for flag in FLAGS[grant]}
        return make_key(now_ms, 0, **flags | {"ipRestrict": restricted})

    def read(self, request: Request) -> Call | Reply:
        route = self._routes.get((request.method, request.path))
        host = _HOSTS.get(request.path.split("/", 2)[1] if request.path.startswith("/") else "", MAIN_HOST)
        if route is None or (request.host or MAIN_HOST) != host:
            return Reply(404, "<html><body>404 Not Found</body></html>")
        try:
            params = _params(request.query, request.body)
        except Bad as error:
            return error.reply
        return Call(request, route, params)

    def gate(self, world: World, call: Call, now_ms: int) -> Reply | None:
        if call.route.security == "none":
            return None
        sent = call.request.headers.get("x-mbx-apikey", "")
        if not _KEY_FORM.match(sent):
            return bad(-2014, "API-key format invalid.", 401)
        key = world.keys.get(sent)
        if (
            key is None
            or key.revoked
            or (call.route.security not in {"any", "key"} and not key.may(call.route.security))
        ):
            return bad(-2015, _KEY, 401)
        if key.refused is not None:
            return self._refused_key(key.refused, world, now_ms)
        if call.route.security == "key":
            return None
        for name in ("timestamp", "signature"):
            if not call.params.get(name):
                return missing(name)
        if not _signed(call, key):
            return bad(-1022, "Signature for this request is not valid.")
        return self.timing(call, now_ms)

    def timing(self, call: Call, now_ms: int) -> Reply | None:
        if call.route.security in {"none", "key"}:
            return None
        stamp, window = call.params["timestamp"], call.params.get("recvWindow", str(DEFAULT_RECV_WINDOW_MS))
        if not WHOLE.match(stamp) or not WHOLE.match(window):
            return bad(-1100, "Illegal characters found in parameter; legal range is '^[0-9]{1,20}$'.")
        if int(window) > MAX_RECV_WINDOW_MS:
            return bad(-1131, "recvWindow must be less than 60000")
        if int(stamp) >= now_ms + MAX_AHEAD_MS:
            return bad(-1021, _AHEAD)
        return bad(-1021, _OUTSIDE) if now_ms - int(stamp) > int(window) else None

    def run(self, world: World, call: Call, now_ms: int, quirks: Quirks) -> Reply:
        params = {**call.params, "apiKey": call.request.headers.get("x-mbx-apikey", "")}
        try:
            reply: Reply = call.route.handler(world, params, now_ms, quirks)
        except Bad as error:
            return error.reply
        except Rejected as error:
            return bad(_CODES[error.kind], error.text)
        return reply

    def refused(self, refusal: Refusal, limit: int) -> Reply:
        wait = {"Retry-After": str(refusal.retry_after_s)}
        if refusal.until_ms is None:
            text = (
                f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API."
            )
        else:
            text = (
                f"Way too much request weight used; IP banned until {refusal.until_ms}. "
                "Please use WebSocket Streams for live updates to avoid bans."
            )
        return bad(-1003, text, refusal.status, wait)

    def _refused_key(self, kind: str, world: World, now_ms: int) -> Reply:
        """Refuse a key in one of the ways of REFUSALS; key, address and permission are one error here."""
        if kind == "clock":
            return bad(-1021, _OUTSIDE)
        if kind == "maintenance":
            return bad(-1008, _BUSY, 503)
        limit = world.limits.sizes.weight_1m
        if kind == "rate":
            return self.refused(Refusal(429, _WAIT_MS // 1000), limit)
        if kind == "ban":
            return self.refused(Refusal(418, _BAN_MS // 1000, now_ms + _BAN_MS), limit)
        return bad(-2015, _KEY, 401)

    def fault(self, kind: str, now_ms: int) -> Reply:
        replies = {
            "unknown": bad(-1000, _UNKNOWN, 503),
            "timeout": bad(-1007, _TIMEOUT, 408),
            "clock": bad(-1021, _OUTSIDE),
            "rejected_key": bad(-2015, _KEY, 401),
            "duplicate": bad(-2010, "Duplicate order sent."),
        }
        return replies.get(kind) or bad(-1001, f"{_LOST} {iso(now_ms)}", 500)

    def headers(self, world: World, call: Call, reply: Reply, now_ms: int) -> dict[str, str]:
        family = call.route.family
        used = str(world.limits.used(call.request.address, family, now_ms))
        if family == "sapi":
            return {"X-SAPI-USED-IP-WEIGHT-1M": used}
        headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if call.route.name == "POST /api/v3/order" and reply.status == 200:
            key = world.keys[call.request.headers["x-mbx-apikey"]]
            short, day = world.limits.order_counts(key.account, now_ms)
            headers |= {"X-MBX-ORDER-COUNT-10S": str(short), "X-MBX-ORDER-COUNT-1D": str(day)}
        if call.route.name in binance_futures_orders.PLACES and reply.status == 200:
            short, minute = world.limits.order_counts(binance_futures_orders.ACCOUNT, now_ms, FUTURES_SPANS)
            headers |= {"X-MBX-ORDER-COUNT-10S": str(short), "X-MBX-ORDER-COUNT-1M": str(minute)}
        return headers


def _params(query: str, body: str) -> Mapping[str, str]:
    """Read the parameters; what is in both query and body counts as in the query (rest-api.md, General Information)."""
    read: dict[str, str] = {}
    for text in (query, body):
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMS)
        except ValueError:
            raise Bad(-1101, "Too many parameters sent for this endpoint.") from None
        own: dict[str, str] = {}
        for name, value in pairs:
            if name in own:
                raise Bad(-1101, "Duplicate values for a parameter detected.")
            own[name] = value
        read = {**own, **read}
    return read


def _signed(call: Call, key: SimKey) -> bool:
    """Verify HMAC SHA256 over the query string concatenated with the body, both without the signature."""
    total = _SIGNATURE.sub("", call.request.query) + _SIGNATURE.sub("", call.request.body)
    right = hmac.new(key.secret.encode(), total.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(right, call.params["signature"].lower())


def _speech() -> binance_streams.BinanceSpeech:
    return binance_streams.BinanceSpeech(Binance().gate)


DIALECT = Binance
SPEECH = _speech
