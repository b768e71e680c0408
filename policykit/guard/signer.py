"""Which key the clients of a guard sign with, and how they go over to its successor while they trade (G19).

The store says that a key has a successor (its `rotation` row), the key's own secret reference gives it. A client is
changed between two requests: its id, its secret and all else that it signs with at once, so that no request has the id
of one key and the signature of another. What was signed before goes on with the old key, which lives meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakSet

from policykit import secrets
from policykit.errors import ExchangeUnavailable, PolicykitError, SecretUnavailable
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.bounded import MAX_S
from policykit.exchanges.client import make_client
from policykit.exchanges.credentials import key_id, signing, signs_with
from policykit.redact import Secret

if TYPE_CHECKING:
    from policykit.guard.core import Guard

    RLock: TypeAlias = threading._RLock
else:
    RLock: TypeAlias = Any

#: What ccxt keeps of a key in a client's options, at the top or one level below, and what it is before there is any:
#: keys of user streams (Binance, MEXC, BingX), tokens of websockets (KuCoin, Coinbase), the answer to a challenge
#: (Kraken Futures). Read in ccxt 4.5.90, pro/*.py, 2026-11-21; all others sign each time.
_CACHED: Final = {
    **dict.fromkeys(("listenKey", "listenToken", "utaToken", "wsToken", "challenge", "signedChallenge")),
    **dict.fromkeys(("lastAuthenticatedTime", "utaTokenLastUpdate", "wsTokenTimestamp"), 0),
}

#: How long the loop of a client may be busy before the change counts as under way, seconds.
LOOP_S: Final = 5.0

_DRAINS: Final = "requests that were signed with it may be on their way"

_log = logging.getLogger("policykit.guard")


class Signer:
    """The clients of one guard, the key that they sign with, and its successor once there is one. Thread-safe."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._clients: WeakSet[Any] = WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        #: The key that is to be left, and its successor with what it signs with, once that was read.
        self._old = ""
        self._new: tuple[str, Mapping[str, Secret]] = ("", {})
        #: Until when a request may be on its way that was signed with the old key (monotonic, ms).
        self._drained_ms = 0.0
        #: Why a client signs with the old key yet; empty: none does.
        self.why = ""

    @property
    def key_id(self) -> str:
        """Name the key that is in use; the one to be left while a client signs with it, or a request of it is on its
        way. Empty: no client has a key.
        """
        found = {signs_with(client) for client in self._known()} - {""}
        return self._old if self._old in found or self._drains() else min(found, default="")

    def add(self, client: Any) -> None:
        """Take a client on; one made with the old key after the change goes over at once."""
        if not hasattr(client, "policykit_signing"):  # one under `policykit run` has that of its process
            client.__dict__["policykit_signing"] = threading.RLock()
        with self._lock:
            self._clients.add(client)
        if self._old and signs_with(client) == self._old and self._new[1]:
            self._change(client)

    def follow(self) -> None:
        """Go over to the successor that the store names, if a client signs with the old key yet.

        The secret is read on a thread of its own: nobody waits for the secrets manager, least of all an order.
        """
        guard = self._guard
        row = guard.store.kept(guard.account, "rotation").get(guard.key)
        active, old = (str(row.get(name) or "") for name in ("active", "retiring")) if row else ("", "")
        if old != self._old:
            self._old, self.why, self._drained_ms = old, "", 0.0
        if not old or not self._left(old):
            self.why = _DRAINS if self._drains() else ""
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._fetch, args=(active,), name="policykit-signer", daemon=True)
            self._thread.start()

    def _drains(self) -> bool:
        return self._guard.clock.monotonic_ms() < self._drained_ms

    def wait(self) -> None:
        """Wait for the change that is under way, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def _known(self) -> list[Any]:
        with self._lock:
            return list(self._clients)

    def _left(self, old: str) -> list[Any]:
        return [client for client in self._known() if signs_with(client) == old]

    def _fetch(self, active: str) -> None:
        """Read the successor, try it from this host, and change every client; what fails keeps the old key."""
        guard = self._guard
        try:
            if self._new[0] != active:
                credentials = self._read(active)
                self._try(credentials)
                self._new = (active, credentials)
        except (SecretUnavailable, ExchangeUnavailable) as error:
            self._stay(str(error))
            return
        except Exception as error:  # noqa: BLE001 - the thread is nobody's to look after; the text is not ours
            self._stay(f"{type(error).__name__} while the successor was read")
            return
        self._over()
        with suppress(PolicykitError):  # else the next round tells it
            guard.beat()

    def _read(self, active: str) -> dict[str, Secret]:
        guard = self._guard
        reference = (guard.policy.model.keys or {})[guard.key].secret
        if not reference:
            raise SecretUnavailable(f"keys.{guard.key} has no `secret:`; restart the bot with the successor")
        credentials = secrets.read(reference)
        if key_id(credentials) != active:
            held = key_id(credentials) or "no key id"
            hint = "; what is set there counts from the next start" if reference.startswith("env://") else ""
            raise SecretUnavailable(f"{reference} holds {held}, not the successor {active}{hint}")
        return credentials

    def _try(self, credentials: Mapping[str, Secret]) -> None:
        """Make one read with the successor: a key that does not work from here would stop this bot."""
        guard = self._guard
        model, banned_ms = guard.policy.model, max(guard.facts().banned_until_ms.values(), default=0)
        if banned_ms > guard.now():
            raise ExchangeUnavailable(
                "the exchange takes nothing from this address yet; it is tried later", "RATE_LIMIT"
            )
        client = make_client(
            model.exchange,
            credentials,
            endpoint=guard.endpoint,
            sandbox=model.environment == "sandbox",
            clock=guard.clock,
        )
        try:
            run(guard.adapter, client, guard.adapter.key_report(), guard.clock)
        except CallFailed as failed:
            if failed.code != "NOT_SUPPORTED":  # an exchange that tells nothing of keys
                raise

    def _stay(self, why: str) -> None:
        guard = self._guard
        if why != self.why:
            self.why = why
            _log.warning("key %s of %s: the old one stays in use: %s", guard.key, guard.account, why)
            with suppress(PolicykitError):
                guard.beat()

    def _over(self) -> None:
        guard, (active, _) = self._guard, self._new
        changed = [client for client in self._left(self._old) if self._change(client)]
        left = len(self._left(self._old))
        self.why = f"{left} clients are on their way to it" if left else _DRAINS
        if changed:
            _log.info(
                "key %s of %s: %d clients sign with its successor %s", guard.key, guard.account, len(changed), active
            )
            who = {"bot": guard.bot, "host": guard.host, "pid": os.getpid(), "clients": len(changed)}
            told = {"account": guard.account, "key": guard.key, "old": self._old, "new": active, **who}
            with suppress(PolicykitError):  # what signs is changed all the same, and the heartbeat says so
                guard.store.event("signer", told, guard.now())

    def _change(self, client: Any) -> bool:
        """Give a client the successor; on its own event loop where that runs, since coroutines read keys there."""
        try:
            fields = signing(client, self._new[1])
        except SecretUnavailable as error:
            self._stay(str(error))
            return False
        done = threading.Event()

        def change() -> None:
            replace(client, fields)
            # What was signed before is on its way for as long as an answer is waited for, and valid a while longer.
            wait_ms = max(client.timeout or 0, MAX_S * 1000) + self._guard.validity_ms
            self._drained_ms = max(self._drained_ms, self._guard.clock.monotonic_ms() + wait_ms)
            done.set()

        loop = getattr(client, "asyncio_loop", None)
        if loop is None or not loop.is_running() or _here(loop):
            change()
        else:
            loop.call_soon_threadsafe(change)
        return done.wait(LOOP_S)


def _here(loop: Any) -> bool:
    import asyncio

    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def replace(client: Any, fields: Mapping[str, str]) -> None:
    """Let a client sign with another key from its next request on; its websockets connect and log in anew."""
    with client.policykit_signing:
        vars(client).update(fields)
        for options in (client.options, *(one for one in client.options.values() if isinstance(one, dict))):
            options.update({name: empty for name, empty in _CACHED.items() if name in options})
    connections = tuple((getattr(client, "clients", None) or {}).values())
    if connections:
        from ccxt.base.errors import NetworkError

        for connection in connections:
            connection.on_error(NetworkError("policykit: the key was replaced; the connection is made anew"))
