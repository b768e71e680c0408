"""The gate of a websocket: what a protected client may say on a stream, where no request passes `fetch`.

Subscriptions, logins and heartbeats pass, in the words that ccxt's pro clients send them. All else is refused, orders
and reads alike: what a stream answers is neither decided, nor counted, nor recorded. Cancels come here recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Reason
from policykit.guard.client_errors import ClientDenied
from policykit.guard.wire import govern
from policykit.order import Order

if TYPE_CHECKING:
    from policykit.guard.gate import Gate

#: Verbs that change nothing at an exchange (ccxt 4.5.90, pro/*.py, read 2026-11: every `request` that is not an order).
HARMLESS: Final = frozenset(
    (
        *("subscribe", "unsubscribe", "subscription", "unsubscription", "sub", "unsub", "listen", "conf", "challenge"),
        *("login", "auth", "authenticate", "authorize", "authkeyexpires", "logon", "session.logon"),
        *("ping", "pong", "test", "keepaliveping", "server.ping", "set_heartbeat", "respond-heartbeat"),
        *("userdatastream.subscribe.signature", "userdatastream.subscribe.listentoken"),
    )
)
#: Where exchanges write the verb; `type` only counts where there is none of the others.
_VERBS: Final = ("method", "op", "event", "action", "reqType")
#: Messages without a verb that are known by a key: HTX and BingX (`{"sub": ...}`, `{"pong": 1700000000000}`).
_KEYS: Final = ("sub", "unsub", "ping", "pong")

#: True while a cancel that was recorded is on its way to a stream.
CANCELLING: ContextVar[bool] = ContextVar("policykit_cancelling", default=False)


def verbs(message: Any) -> list[str]:
    """Return every verb of a message, in lower case; "an unreadable message" for what is not understood."""
    if isinstance(message, str):
        if not message.lstrip().startswith(("{", "[")):
            return [message.strip().lower()[:40]]
        try:
            message = json.loads(message)
        except ValueError:
            return ["an unreadable message"]
    if not isinstance(message, Mapping):
        return ["an unreadable message"]
    said = [message[name] for name in _VERBS if isinstance(message.get(name), str)]
    if not said and isinstance(message.get("type"), str):
        said = [message["type"]]
    if not said:
        return [next((name for name in _KEYS if name in message), "an unreadable message")]
    return [text.lower().removeprefix("public/").removeprefix("private/")[:40] for text in said]


def _harmless(said: str) -> bool:
    return said in HARMLESS or said.endswith((".subscribe", ".unsubscribe"))


def allow(gate: Gate, message: Any) -> None:
    """Return when a message may be sent; else record the refusal and raise it (in shadow mode only record it)."""
    on_paper = gate.guard.paper is not None
    if message is None or (CANCELLING.get() and not on_paper):
        return
    said = next((text for text in verbs(message) if not _harmless(text)), None)
    if said is None:
        return
    why = f'"{said}" over a websocket passes no check; use create_order, cancel_order or a read instead'
    denied = gate.guard.refuse(Order("", action="order.create"), Reason("RAW_CALL_REFUSED", "gate", why))
    if gate.guard.mode != "shadow" or on_paper:
        raise ClientDenied(denied.decision, str(denied))


class Streamed:
    """The websocket side of a protected client. `watch` refuses at once; `send` is what every message ends at."""

    policykit_gate: Gate

    def client(self, url: str) -> Any:
        connection = super().client(url)  # type: ignore[misc]
        if "send" not in vars(connection):
            connection.send = self._policykit_sending(connection.send)
        govern(self.policykit_gate.guard, self, connection)
        return connection

    def _policykit_sending(self, send: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def gated(message: Any) -> Any:
            allow(self.policykit_gate, message)
            return await send(message)

        return gated

    def watch(self, url: str, message_hash: str, message: Any = None, *rest: Any, **more: Any) -> Any:
        allow(self.policykit_gate, message)
        return super().watch(url, message_hash, message, *rest, **more)  # type: ignore[misc]

    def watch_multiple(self, url: str, message_hashes: Any, message: Any = None, *rest: Any, **more: Any) -> Any:
        allow(self.policykit_gate, message)
        return super().watch_multiple(url, message_hashes, message, *rest, **more)  # type: ignore[misc]


__all__ = ["CANCELLING", "HARMLESS", "Streamed", "allow", "verbs"]
