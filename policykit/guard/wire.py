"""ccxt.pro's connections behind the guard.

ccxt dials anew with the next `watch_*` after an error, and its own back-off knows only failed dials: a connection that
is taken and dropped at once is a storm. Here each dial waits its turn and is admitted, whoever asks for it; a bot that
awaits a `watch_*` waits meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from ccxt.base.errors import BaseError

from policykit.guard.streams import place_of, secrets_of
from policykit.orders.line import Line
from policykit.redact import scrub

if TYPE_CHECKING:
    from policykit.guard.core import Guard


class Asker(Protocol):
    """A stream that is told of by a client's connection."""

    name: str
    line: Line


#: The stream whose task asks a client now: the connection that it ends at is that stream's.
ASKING: ContextVar[Asker | None] = ContextVar("policykit_asking", default=None)


class Wire:
    """One connection of a ccxt.pro client: its dial, what it hears, its end."""

    def __init__(self, guard: Guard, exchange: Any, connection: Any) -> None:
        self._guard = guard
        self._exchange = exchange
        self._connection = connection
        #: The stream that it is of, if one asked for it.
        self.asker: Asker | None = None
        self._line: Line | None = None
        self._up = False
        #: The error that ended it, as it was: it may hold the answer to the handshake.
        self._failed: BaseException | None = None
        self._dial, connection.open = connection.open, self._open
        self._hear, connection.handle_message = connection.handle_message, self._heard
        self._fail, connection.on_error = connection.on_error, self._failing
        for name in ("on_error_callback", "on_close_callback"):
            setattr(connection, name, self._ending(getattr(connection, name)))

    @property
    def name(self) -> str:
        """Return the name of its stream: who asked for it, or where it goes."""
        return self.asker.name if self.asker is not None else place_of(self._connection.url)

    @property
    def line(self) -> Line:
        """Return the life of its stream."""
        if self.asker is not None:
            return self.asker.line
        if self._line is None:
            self._line = self._guard.streams.line(self.name)
        return self._line

    def serve(self, asker: Asker) -> None:
        """Be the connection of a stream from now on."""
        if self.asker is not asker:
            self.asker = asker
            if self._up:
                self._guard.streams.opened(self.name, self.line)

    async def _open(self, session: Any, _backoff_s: float = 0) -> None:
        """Dial when it may be; ccxt's own back-off is part of ours."""
        streams, connection = self._guard.streams, self._connection
        try:
            while (wait_ms := streams.admit(self.name, self.line)) > 0:
                await self._guard.clock.asleep(wait_ms / 1000)
                if self._exchange.clients.get(connection.url) is not connection:
                    return  # closed while it waited
        except Exception as error:  # noqa: BLE001 - else whoever watches would wait for ever
            connection.on_error(error)
            return
        await self._dial(session)
        if connection.isConnected and not connection.error:
            self._up = True
            streams.opened(self.name, self.line)
        else:
            streams.lost(self.name, self.line, self._failed or connection.error or ConnectionError())

    def _failing(self, error: BaseException) -> None:
        """End it with an error that whoever watches may print: an address with a listen key is a credential (G21)."""
        self._failed = error
        self._fail(without_address(self._connection.url, error))

    def _heard(self, message: Any) -> None:
        self._guard.streams.heard(self.name, self.line)
        self._hear(message)

    def _ending(self, told: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def ended(connection: Any, said: Any) -> Any:
            if self._up:
                self._up = False
                error = said if isinstance(said, BaseException) else ConnectionError()
                self._guard.streams.lost(self.name, self.line, error)
            return told(connection, said)

        return ended


def without_address(url: str, error: BaseException) -> BaseException:
    """Return a connection's error as ccxt raises it, with nothing of its address that may be secret."""
    if not isinstance(error, BaseError):
        return error
    text = scrub(str(error))
    for secret in secrets_of(url):
        text = text.replace(secret, "*")
    clean: BaseException = type(error)(text)
    return clean


def govern(guard: Guard, exchange: Any, connection: Any) -> None:
    """Put a connection behind the guard, once, and tell it whose stream it is."""
    wire = vars(connection).get("policykit_wire")
    if wire is None:
        wire = connection.policykit_wire = Wire(guard, exchange, connection)
    asker = ASKING.get()
    if asker is not None:
        wire.serve(asker)
