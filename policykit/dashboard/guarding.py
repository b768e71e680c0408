"""Who may ask the page, and what a browser may do with its answers.

The page listens on loopback, which is no fence: any site that the user visits can send requests there, and a name that
it controls can be made to lead there (DNS rebinding). So the Host must be ours, a foreign Origin is refused, and the
answer tells the browser to load, run and frame nothing of anybody else (CSP level 3, W3C, 2024).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Names of this machine that a browser may have been sent to.
NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
#: The longest address that is answered, bytes: a search is an id or a symbol.
MAX_ADDRESS: Final = 4_096


class Guarding:
    """Let through what this machine's own browser asks of the page itself, to read."""

    def __init__(self, app: App, port: int, also: Callable[[str], bool] = lambda _: False) -> None:
        """`also` says of a Host that it is ours too, where other machines may ask."""
        self._app, self._also = app, also
        self._hosts = {f"{name}:{port}" for name in NAMES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, guarded)
            return
        status, why = refused
        plain = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 405:
            plain.append((b"allow", b"GET, HEAD"))
        await guarded({"type": "http.response.start", "status": status, "headers": plain})
        await guarded({"type": "http.response.body", "body": why.encode()})

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason why a request is not answered."""
        told: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            told.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hosts = told.get(b"host", [])
        if len(hosts) != 1 or not (hosts[0].lower() in self._hosts or self._also(hosts[0].lower())):
            return 421, "this is asked by its own names only: 127.0.0.1 and localhost\n"
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this is read-only\n"
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MAX_ADDRESS:
            return 414, "the address is too long\n"
        own = {f"http://{host}" for host in self._hosts}
        if any(origin.lower() not in own for origin in told.get(b"origin", [])):
            return 403, "asked by another site\n"
        site, mode = told.get(b"sec-fetch-site", [""])[0], told.get(b"sec-fetch-mode", [""])[0]
        if site in ("cross-site", "same-site") and mode != "navigate":
            return 403, "asked by another site\n"
        return None
