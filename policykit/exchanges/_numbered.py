"""Clients of exchanges that number a key's requests and refuse a number that is not above the last one (a nonce).

Kraken, Bitfinex, Gemini. ccxt numbers by its client's clock, each client for itself. Three things would go wrong:

- Two clients that hold one key (two names of a policy for one secret) draw the same number, or their requests overtake
  each other. Here one key's requests of this process go one after the other, with one counter.
- A snapshot's client runs by the exchange's clock. On a host that is behind, its numbers would be ahead of those that
  a bot on the same host sends with the same key, and the exchange would refuse the bot's orders until its clock has
  caught up: a read that stops trading. So numbers come from this host's own clock, as the bot's do.
- A clock that stands still or goes back gives no number twice: the counter goes on from the last one.

Another process with the same key cannot be seen from here; a snapshot is best given a key of its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Final

from policykit.exchanges.imports import exchange_class

_guard: Final = threading.Lock()


class _Line:
    """What one key has sent: its last number, and who may send now."""

    def __init__(self) -> None:
        self.turn = threading.RLock()
        self._last = 0

    def next(self, number: int) -> int:
        with self.turn:
            self._last = max(number, self._last + 1)
            return self._last


#: By the hash of the key, so that no key is held here.
_lines: Final[dict[bytes, _Line]] = {}


def line_of(api_key: object) -> _Line:
    """Return what is known of a key's numbers in this process."""
    name = hashlib.sha256(str(api_key).encode()).digest()
    with _guard:
        return _lines.setdefault(name, _Line())


def numbered_class(exchange_id: str, *, asynchronous: bool) -> type[Any]:
    """Return ccxt's class of an exchange with numbers that only rise. Async clients do not wait for each other."""
    base = exchange_class(exchange_id, asynchronous=asynchronous)
    wrap: Callable[[Any], type[Any]] = _numbered if asynchronous else _in_turn
    return wrap(base)


@cache
def _numbered(base: type[Any]) -> type[Any]:
    class Numbered(base):  # type: ignore[misc]
        def nonce(self) -> int:
            clock = getattr(self, "policykit_clock", None)
            number = super().nonce() if clock is None else clock.now_ms()
            return line_of(self.apiKey).next(int(number))

    Numbered.__name__ = Numbered.__qualname__ = base.__name__
    return Numbered


@cache
def _in_turn(base: type[Any]) -> type[Any]:
    wrap: Callable[[Any], Any] = _numbered

    class InTurn(wrap(base)):  # type: ignore[misc]
        def fetch2(self, *args: Any, **more: Any) -> Any:
            turn: AbstractContextManager[Any] = line_of(self.apiKey).turn if self.apiKey else nullcontext()
            with turn:
                return super().fetch2(*args, **more)

    InTurn.__name__ = InTurn.__qualname__ = base.__name__
    return InTurn


def with_answer(error: Exception, client: Any, is_error: Callable[[str], bool]) -> Exception:
    """Return a ccxt exception whose text is the answer, where ccxt drops the exchange's code from it.

    Only an answer that is an error by the exchange's own form counts; the read-only client forgets earlier answers
    before each request, so the last one is this request's.
    """
    body = getattr(client, "last_http_response", None)
    from_ccxt = any(cls.__name__ == "BaseError" for cls in type(error).__mro__)
    if not from_ccxt or not isinstance(body, str) or not is_error(body):
        return error
    return type(error)(f"{client.id} {body}")
