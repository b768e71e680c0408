"""Answers that end: a request takes so long at most, an answer is so long at most, and nobody is followed elsewhere.

A server (a gateway, a captive portal, whoever answers in the exchange's name) may drip a byte a second, send header
lines or `100 Continue` for ever, or a gzip of blanks that unpacks to gigabytes. The time-out of requests is for one
read of the socket only, and the whole body goes into memory: so both are bounded here, headers and unpacking included.
"""

from __future__ import annotations

import http.client
import io
import time
from functools import cache
from typing import Any, Final

from policykit.exchanges.base import CallFailed, Failure

#: How long an answer may take from the first to the last byte, s: three times what one read of the socket may take.
MAX_S: Final = 30.0
#: The longest answer, unpacked, in bytes: the longest lists of markets have under 20 MB (from memory).
MAX_BYTES: Final = 32 * 1024 * 1024
#: What is read and unpacked at once, in bytes; gzip makes at most a thousandfold of it.
_STEP: Final = 16 * 1024


class _Timed(io.RawIOBase):
    """Bytes of a socket until a moment; then a time-out, as the socket itself has it."""

    def __init__(self, raw: Any, sock: Any, until: float) -> None:
        self._raw, self._sock, self._until = raw, sock, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        most = self._sock.gettimeout()
        self._sock.settimeout(left if most is None else min(most, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose status line, headers and body are read until a moment only."""

    def __init__(self, sock: Any, *rest: Any, **more: Any) -> None:
        super().__init__(sock, *rest, **more)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock, time.monotonic() + MAX_S))


@cache
def _transport() -> type[Any]:
    """Return the transport of requests with both bounds; the package is loaded when a client is there, not before."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    pools = {}
    for scheme, connection, pool in (
        ("http", HTTPConnection, HTTPConnectionPool),
        ("https", HTTPSConnection, HTTPSConnectionPool),
    ):
        timed = type(f"Timed{connection.__name__}", (connection,), {"response_class": _Answer})
        pools[scheme] = type(f"Timed{pool.__name__}", (pool,), {"ConnectionCls": timed})

    class Transport(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
            manager = super().proxy_manager_for(*args, **more)
            if not str(args[0] if args else more.get("proxy")).lower().startswith("socks"):
                manager.pool_classes_by_scheme = pools
            return manager

        def send(self, *args: Any, **more: Any) -> Any:
            answer = super().send(*args, **more)
            if answer.is_redirect:
                answer.close()
                raise _bad("a redirect, which is not followed")
            body = bytearray()
            for part in answer.iter_content(_STEP):
                body += part
                if len(body) > MAX_BYTES:
                    answer.close()
                    raise _bad(f"longer than {MAX_BYTES // 2**20} MiB")
            answer._content = bytes(body)
            return answer

    return Transport


def _bad(what: str) -> CallFailed:
    return CallFailed(Failure("unknown", "BAD_ANSWER", f"the answer is {what}; check the endpoint"))


def bound(client: Any) -> None:
    """Bound the answers of a new sync client of ccxt in time and size; an async one has an end of its own."""
    session: Any = getattr(client, "session", None)
    if session is not None:
        for scheme in ("https://", "http://"):
            session.mount(scheme, _transport()())


def bound_trading(client: Any) -> None:
    """Bound a bot's client as well: what it sends is sent once, not again where an answer points (HTTP 307, 308).

    A transport that the bot mounted itself (another address, say) stays, without bounds; no redirect is followed.
    """
    session: Any = getattr(client, "session", None)
    if not hasattr(session, "max_redirects"):
        stay(client)
        return
    session.max_redirects = 0
    for scheme in ("https://", "http://"):
        if type(session.get_adapter(scheme)).__module__ == "requests.adapters":
            session.mount(scheme, _transport()())


def stay(client: Any) -> None:
    """Keep an async client from following a redirect, with the key's header, to any host, path and verb.

    Its answers are bounded in size; in time they are by ccxt's own `timeout`, which is for the whole of an answer.
    """
    stock = client.open

    def opened(*args: Any, **more: Any) -> Any:
        done = stock(*args, **more)
        _hold(client.session)
        return done

    _hold(client.session)
    client.open = opened


def _hold(session: Any) -> None:
    traces = getattr(session, "trace_configs", None)
    if traces is not None and not any(getattr(one, "policykit", False) for one in traces):
        traces.append(_refusing())
        session._response_class = _short(session._response_class)


@cache
def _short(stock: type[Any]) -> type[Any]:
    """Return a class of aiohttp's answers that are read up to the longest one and no further."""

    class Short(stock):  # type: ignore[misc]
        _body: bytes | None

        async def read(self) -> Any:
            body = bytearray()
            try:
                while self._body is None:
                    part = await self.content.read(_STEP)
                    body += part
                    if len(body) > MAX_BYTES:
                        raise _bad(f"longer than {MAX_BYTES // 2**20} MiB")
                    if not part:
                        self._body = bytes(body)
            except BaseException:
                self.close()
                raise
            return await super().read()

    return Short


def _refusing() -> Any:
    from aiohttp import TraceConfig

    class Stay(TraceConfig):
        policykit = True

    async def refuse(*_: Any) -> None:
        raise _bad("a redirect, which is not followed")

    config = Stay()
    config.on_request_redirect.append(refuse)
    config.freeze()
    return config
