"""`guard.stream`: one stream of messages that lives through its connections, with one driver each for sync and async.

Both do the same steps: wait, ask, connect, hear, and begin again when the connection ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from policykit.errors import PolicykitError

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: How long a sync stream waits for a message before it looks whether it was silent for too long, seconds.
TICK_S: Final = 0.5
#: Errors of the bot's own code: no connect mends them.
_BUGS: Final = (TypeError, AttributeError, NameError, ImportError, Warning, PolicykitError)
_SILENT: Final = "it was silent for too long"


class Stream:
    """One stream of messages, over all its connections; made by `Guard.stream`.

    `with` (or `async with`) names it as one that the bot trades by: until it is up and the account was read since,
    increases are denied. Iterating yields its messages for ever.
    """

    def __init__(self, guard: Guard, name: str, connect: Callable[[], Any], silence_ms: int | None) -> None:
        self.name = name
        self._clock = guard.clock
        self._streams = guard.streams
        self._connect = connect
        self._line = guard.streams.line(name, silence_ms)
        self._connection: Any = None
        self._guardian: asyncio.Task[None] | None = None
        self._waits = False
        self._silent = False

    def _enter(self) -> None:
        self._streams.need(self.name, self._line)

    def _leave(self) -> Any:
        """Say that the bot does not trade by it any more; return the connection to close."""
        self._streams.drop(self.name)
        return self._take()

    def _take(self) -> Any:
        connection, self._connection = self._connection, None
        if self._guardian is not None:
            self._guardian.cancel()
            self._guardian = None
        return connection

    def _opened(self, connection: Any) -> Any:
        self._connection, self._silent = connection, False
        self._streams.opened(self.name, self._line)
        return connection

    def _lost(self, error: BaseException) -> Any:
        """Take a connection that failed; return it, to be closed."""
        if isinstance(error, _BUGS):
            raise error
        self._streams.lost(self.name, self._line, _SILENT if self._silent else error)
        return self._take()

    def _still(self) -> float | None:
        """Return for how long it may stay silent yet, seconds; None: for ever."""
        left = self._line.silent_in_ms(self._clock.monotonic_ms())
        return None if left is None else left / 1000

    # ---- sync

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._leave())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while True:
            connection = self._connection
            try:
                if connection is None:
                    while (wait_ms := self._streams.admit(self.name, self._line)) > 0:
                        self._clock.sleep(wait_ms / 1000)
                    connection = self._opened(self._connect().__enter__())
                message = connection.recv(timeout=TICK_S)
            except TimeoutError as error:
                left = self._still()
                if self._connection is None or (left is not None and left <= 0):
                    self._silent = self._connection is not None
                    _close(self._lost(error))
            except Exception as error:  # noqa: BLE001 - whatever ends a connection, another one follows
                _close(self._lost(error))
            else:
                self._streams.heard(self.name, self._line)
                return message

    # ---- async

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        await _aclose(self._leave())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while True:
            try:
                connection = self._connection or await self._aopen()
                self._waits = True
                message = await connection.recv()
            except Exception as error:  # noqa: BLE001 - whatever ends a connection, another one follows
                await _aclose(self._lost(error))
            else:
                self._streams.heard(self.name, self._line)
                return message
            finally:
                self._waits = False

    async def _aopen(self) -> Any:
        while (wait_ms := self._streams.admit(self.name, self._line)) > 0:
            await self._clock.asleep(wait_ms / 1000)
        connection = self._opened(await self._connect())
        if self._still() is not None:
            self._guardian = asyncio.ensure_future(self._watch(connection))
        return connection

    async def _watch(self, connection: Any) -> None:
        """Close a connection that was silent for too long, so that whoever waits for its next message makes another.

        While nobody waits, what it said may lie unread: then it is the bot that is slow.
        """
        while (left := self._still() or 0.0) > 0 or not self._waits:
            await self._clock.asleep(left if left > 0 else (self._line.silence_ms or 0) / 1000)
        self._silent = True
        await _aclose(connection)


def _close(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):  # it is gone either way
            connection.close()


async def _aclose(connection: Any) -> None:
    if connection is not None:
        with suppress(Exception):
            await connection.close()
