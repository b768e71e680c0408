"""The clients: stock ccxt with its URLs pointed, and one that can only read and spends a budget.

client = make_client("binance", credentials, endpoint="http://127.0.0.1:8080", budget=budget, clock=clock)
report = run(adapter, client, adapter.key_report(), clock)
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from policykit.clock import Clock, SystemClock
from policykit.errors import ExchangeUnavailable
from policykit.exchanges import known, load
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import Call, CallFailed, Failure
from policykit.exchanges.bounded import bound, stay
from policykit.exchanges.budget import Budget, Spends
from policykit.exchanges.credentials import signing
from policykit.exchanges.imports import exchange_class
from policykit.redact import Secret

#: How long one request may take, ms.
TIMEOUT_MS: Final = 10_000
#: How long a read waits at most for its budget's window to turn, ms.
MAX_WAIT_MS: Final = 120_000
#: Tells of method, URL and body whether a request that is no read may be made.
Beyond = Callable[[str, str, "str | None"], bool]
#: How many requests of one client are remembered.
MAX_SEEN: Final = 200

__all__ = ["Budget", "check_endpoint", "make_client", "plain_client", "point"]


def check_endpoint(endpoint: str) -> str:
    """Return the origin of an endpoint. Raise ValueError for anything but https, or http on loopback."""
    parts = urlsplit(endpoint)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise ValueError("the endpoint is no origin; scheme, host and port may be (https://gateway.example:8443)")
    if parts.scheme == "http" and not _loopback(host):
        raise ValueError("the endpoint is plain http off this machine; keys would be readable on the way; use https")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def point(client: Any, endpoint: str) -> None:
    """Send every URL of a ccxt client to one origin: paths kept, hosts beside the main one as a prefix `/@host`.

    Websockets keep theirs as `/@/host`, whatever it is: ccxt.pro tells Binance's spot by `/stream` in the URL.
    """
    origin = check_endpoint(endpoint)
    api = client.urls["api"]
    hostname = client.hostname or ""
    client.urls["api"] = _pointed(api, origin, _main_host(api, hostname), hostname)


def _main_host(api: Any, hostname: str) -> str:
    """Return the host that most URLs go to: the first named `public`, `private`, `rest`, else the first of all."""
    if isinstance(api, str):
        return urlsplit(api.replace("{hostname}", hostname)).hostname or ""
    chosen = next((api[name] for name in ("public", "private", "rest", "spot") if name in api), None)
    return _main_host(chosen if chosen is not None else next(iter(api.values())), hostname)


def _pointed(api: Any, origin: str, main: str, hostname: str) -> Any:
    if isinstance(api, Mapping):
        return {name: _pointed(inner, origin, main, hostname) for name, inner in api.items()}
    if not isinstance(api, str) or not api.startswith(("http", "ws")):
        return api
    parts = urlsplit(api.replace("{hostname}", hostname))
    host = parts.hostname or ""
    if parts.scheme in ("ws", "wss"):
        return f"{origin.replace('http', 'ws', 1)}/@/{host}{parts.path}"
    return origin + ("" if host == main else f"/@{host}") + parts.path


def plain_client(
    exchange_id: str,
    credentials: Mapping[str, Secret] | None = None,
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    asynchronous: bool = False,
) -> Any:
    """Return a stock ccxt client, which can write as well. `sandbox` is left out with an `endpoint`, which decides."""
    base = exchange_class(exchange_id, asynchronous=asynchronous)
    return _make(base, load(exchange_id), credentials, endpoint, sandbox)


def make_client(
    exchange_id: str,
    credentials: Mapping[str, Secret] | None = None,
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    asynchronous: bool = False,
    budget: Spends | None = None,
    clock: Clock | None = None,
    beyond: Beyond | None = None,
) -> Any:
    """Return a ccxt client that can only read. Raise ExchangeUnavailable without an adapter for the exchange.

    `beyond` says of a request that is no read whether it may be made all the same: a cancel (`exchanges.cancelling`).
    """
    adapter = load(exchange_id)
    if adapter is None:
        words = (
            f"this version has no adapter for {exchange_id}; {', '.join(known())} may be; declare what its keys may do"
        )
        raise ExchangeUnavailable(words, "NOT_SUPPORTED")
    base = adapter.client_class(asynchronous=asynchronous)
    wrap: Callable[[Any], type[Any]] = _read_only_async if asynchronous else _read_only
    client = _make(wrap(base), adapter, credentials, endpoint, sandbox)
    bound(client)
    client.policykit_adapter = adapter
    client.policykit_beyond = beyond
    client.policykit_budget = budget
    client.policykit_clock = clock or SystemClock()
    client.policykit_seen = deque(maxlen=MAX_SEEN)
    client.milliseconds = client.policykit_clock.now_ms
    return client


class Seen(NamedTuple):
    """One request that was sent: its call, when (UTC ms), and the `Date` header of its answer, if there was one."""

    name: str
    kind: str
    sent_ms: int
    received_ms: int
    date: str | None


def _make(
    cls: type[Any],
    adapter: Adapter | None,
    credentials: Mapping[str, Secret] | None,
    endpoint: str | None,
    sandbox: bool,
) -> Any:
    client = cls({"timeout": TIMEOUT_MS, "enableRateLimit": False})
    if adapter is not None:
        adapter.prepare(client)
    if sandbox and endpoint is None:
        _to_sandbox(client)
    if endpoint is not None:
        point(client, endpoint)
        if adapter is not None:
            adapter.pointed(client, check_endpoint(endpoint))
    session: Any = getattr(client, "session", None)
    if hasattr(session, "max_redirects"):
        session.max_redirects = 0  # a redirect would carry the key's header to another host
    else:
        stay(client)
    if credentials is not None:
        vars(client).update(signing(client, credentials))
    return client


def _to_sandbox(client: Any) -> None:
    """Send a client to the exchange's test hosts. Raise ExchangeUnavailable: ccxt knows none, or fails at it."""
    try:
        client.set_sandbox_mode(True)
    except Exception:  # noqa: BLE001 - ccxt raises NotSupported, TypeError, KeyError, as the exchange has it
        words = f"{client.id}: ccxt knows no sandbox of it; give one with --endpoint, or say environment: live"
        raise ExchangeUnavailable(words, "NOT_SUPPORTED") from None


def _admit(client: Any, method: str, url: str, body: str | None) -> Call:
    """Let a read through. INVARIANT I19: what is not in the adapter's read allowlist raises before a byte leaves."""
    adapter: Adapter = client.policykit_adapter
    call = adapter.call(method, url, body)
    reads = call.kind in ("public", "read") and call.action is None
    beyond: Beyond | None = client.policykit_beyond
    if not reads and (beyond is None or not beyond(method, url, body)):
        words = f"{adapter.id}: {call.name} is not in the read allowlist; nothing was sent"
        raise CallFailed(Failure("no", "READ_ONLY", words))
    client.last_http_response = None  # an answer of an earlier call is no evidence on this one
    client.last_response_headers = None
    return call


class OverBudget(CallFailed):
    """The budget has no room now; `fetch2` waits and signs anew, because a signature does not keep."""


def _spend(client: Any, call: Call) -> None:
    budget: Spends | None = client.policykit_budget
    wait = 0 if budget is None else budget.spend(call)
    if wait:
        words = f"{client.id}: the policy's rate budget is used up; wait or raise use_at_most"
        raise OverBudget(Failure("no", "RATE_LIMIT", words, wait))


def _patience(refused: OverBudget, waited_ms: int) -> int:
    """Return how long to wait, ms; raise the refusal when that is longer than anybody should wait."""
    wait = refused.failure.retry_after_ms or 0
    if waited_ms + wait > MAX_WAIT_MS:
        raise refused
    return wait


def _note(client: Any, call: Call, sent_ms: int) -> None:
    """Keep what this answer tells beside its body: what was called, when, the server's date, and what was used."""
    headers = client.last_response_headers
    told = {str(name).lower(): str(value) for name, value in dict(headers or {}).items()}
    client.policykit_seen.append(Seen(call.name, call.kind, sent_ms, client.policykit_clock.now_ms(), told.get("date")))
    budget: Spends | None = client.policykit_budget
    if budget is not None and headers:
        budget.told(client.policykit_adapter.usage(dict(headers)))


@cache
def _read_only(base: type[Any]) -> type[Any]:
    """Return the class whose `fetch`, where every request of ccxt passes, lets reads through only."""

    class ReadOnly(base):  # type: ignore[misc]
        def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            call = _admit(self, method, url, body)
            _spend(self, call)
            sent_ms = self.policykit_clock.now_ms()
            try:
                return super().fetch(url, method, headers, body)
            finally:
                _note(self, call, sent_ms)

        def fetch2(self, *args: Any, **more: Any) -> Any:
            waited = 0
            while True:
                try:
                    return super().fetch2(*args, **more)
                except OverBudget as refused:
                    wait = _patience(refused, waited)
                self.policykit_clock.sleep(wait / 1000)
                waited += wait

    ReadOnly.__name__ = ReadOnly.__qualname__ = f"ReadOnly{base.__name__.capitalize()}"
    return ReadOnly


@cache
def _read_only_async(base: type[Any]) -> type[Any]:
    """Return the same for ccxt's async class."""

    class ReadOnly(base):  # type: ignore[misc]
        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            call = _admit(self, method, url, body)
            _spend(self, call)
            sent_ms = self.policykit_clock.now_ms()
            try:
                return await super().fetch(url, method, headers, body)
            finally:
                _note(self, call, sent_ms)

        async def fetch2(self, *args: Any, **more: Any) -> Any:
            waited = 0
            while True:
                try:
                    return await super().fetch2(*args, **more)
                except OverBudget as refused:
                    wait = _patience(refused, waited)
                await self.policykit_clock.asleep(wait / 1000)
                waited += wait

    ReadOnly.__name__ = ReadOnly.__qualname__ = f"ReadOnlyAsync{base.__name__.capitalize()}"
    return ReadOnly
