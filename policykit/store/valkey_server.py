"""The connection to a Valkey (or Redis) server: the only file that knows its client, and what its errors mean.

Commands are encoded here once and sent as they are; a password is a `Secret` from the moment the address is read.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from policykit.errors import StoreUnavailable
from policykit.redact import Secret

#: How long one call may take, and one connect, ms. A permit to send lasts 250 ms: a longer wait helps nobody.
TIMEOUT_MS: Final = 1_000
#: A connection that rested so long is looked at before it is used: the server may have closed it, s.
RESTED_S: Final = 1.0
SCHEMES: Final = {"valkey": False, "redis": False, "valkeys": True, "rediss": True}
_PORT: Final = 6379
_OPTIONS: Final = frozenset(("name", "ca", "cert", "key"))
SCRIPT: Final = Path(__file__).with_name("valkey.lua").read_bytes()
_HELP: Final = "`valkey://[user:password@]host:port/0` may be (valkeys: with TLS)"

Reply = Any


class Answer(NamedTuple):
    """What the script says: "ok", or why nothing was done, and where the store stands. `rest`: the use of each hold."""

    status: str
    epoch: str
    seq: int
    generation: int
    now_ms: int
    #: How often the facts of the account in question were changed.
    version: str
    rest: list[str]

    @property
    def used(self) -> tuple[int, ...]:
        return tuple(map(int, self.rest))


class Address(NamedTuple):
    """Where a server is. `tag` is what all keys begin with: braces keep them in one slot of a cluster."""

    host: str
    port: int
    db: int
    user: str | None
    password: Secret | None
    tls: bool
    tag: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        return f"valkey {self.host}:{self.port}/{self.db}"


def parse(uri: str) -> Address:
    """Read `valkey://[user:password@]host:port/db?name=desk&ca=file`. Raise StoreUnavailable, without any of it."""
    try:
        parts = urlsplit(uri)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        tls, host, port = SCHEMES[parts.scheme], parts.hostname, parts.port or _PORT
        db = int(parts.path.strip("/") or 0)
        if not host or db < 0 or set(options) - _OPTIONS or any(c in options.get("name", "") for c in "{}"):
            raise ValueError
        password = Secret(unquote(parts.password)) if parts.password else None
    except (ValueError, KeyError):
        raise StoreUnavailable(f"POLICYKIT_STORE: its address cannot be read; {_HELP}", "STORE_URI") from None
    user = unquote(parts.username) if parts.username else None
    tag = "{policykit" + (":" + options["name"] if "name" in options else "") + "}"
    return Address(host, port, db, user, password, tls, tag, options.get("ca"), options.get("cert"), options.get("key"))


def encode(*words: str | int) -> bytes:
    """Encode one command. Half a surrogate pair is a question mark here as in the script's head: never two names."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = str(word).encode("utf-8", "replace")
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


PING: Final = encode("PING")


class Server:
    """One connection, made when it is needed and made anew after a failure. Not thread-safe: its store has a lock."""

    def __init__(self, address: Address, timeout_ms: int = TIMEOUT_MS) -> None:
        """Connect nothing yet. Raise StoreUnavailable where the client is not installed."""
        try:
            import valkey.connection as client
            from valkey import exceptions
        except ImportError:
            raise StoreUnavailable(
                "POLICYKIT_STORE: the valkey client is not installed; pip install 'policykit-trading[valkey]'",
                "STORE_URI",
            ) from None
        self.address = address
        self._client, self._errors, self._timeout_s = client, exceptions, timeout_ms / 1000
        self._connection: Any = None
        self._used = 0.0
        self._load = encode("SCRIPT", "LOAD", SCRIPT.decode())
        name = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()
        self._eval = b"$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n" % name.encode()
        self._eval += b"$%d\r\n%b\r\n" % (len(address.tag.encode()), address.tag.encode())
        #: How often it was connected: a store that finds it moved looks at the server anew.
        self.connects = 0

    def _connect(self) -> Any:
        at = self.address
        how = {
            "host": at.host,
            "port": at.port,
            "db": at.db,
            "username": at.user,
            "password": at.password.reveal() if at.password else None,
            "socket_timeout": self._timeout_s,
            "socket_connect_timeout": self._timeout_s,
            "decode_responses": True,
        }
        if at.tls:
            how |= {"ssl_ca_certs": at.ca, "ssl_certfile": at.cert, "ssl_keyfile": at.key, "ssl_check_hostname": True}
        kind: Any = self._client.SSLConnection if at.tls else self._client.Connection
        connection = kind(**how)
        connection.connect()
        self.connects += 1
        return connection

    def ask(self, *commands: bytes) -> list[Reply]:
        """Send commands together and return their answers. Raise StoreUnavailable."""
        try:
            now = time.monotonic()
            connection = self._connection
            if connection is not None and now - self._used > RESTED_S and self._gone(connection):
                self.disconnect()
                connection = None
            if connection is None:
                connection = self._connection = self._connect()
            self._used = now
            connection.send_packed_command((b"".join(commands),))
            answers = [self._answer(connection) for _ in commands]
        except BaseException as error:
            self.disconnect()  # an answer may still come, and would be taken for the next one's
            if isinstance(error, self._errors.ValkeyError | OSError | UnicodeError | ValueError):
                raise self._unavailable(error) from None
            raise
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, self._errors.NoScriptError):
                raise self._unavailable(answer) from None
        return answers

    def _answer(self, connection: Any) -> Reply:
        try:
            return connection.read_response()
        except self._errors.ResponseError as error:
            return error

    def step(self, head: bytes, record: str = "", changes: Iterable[tuple[str | int, ...]] = ()) -> Answer:
        """Run the script: one round trip."""
        kept, count = (
            record.encode("utf-8", "replace"),
            6,
        )  # EVALSHA, the script, one key, the tag, the head, the record
        words = [b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(head), head, len(kept), kept)]
        for change in changes:
            count += 1 + len(change)
            words.append(b"$%d\r\n%d\r\n" % (len(str(len(change))), len(change)))
            for word in change:
                raw = str(word).encode("utf-8", "replace")
                words.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
        command = b"*%d\r\n%b%b" % (count, self._eval, b"".join(words))
        answer = self.ask(command)[0]
        if isinstance(answer, Exception):  # the server has no such script: it is new, or was restarted
            answer = self.ask(self._load, command)[1]
        status, epoch, seq, generation, now_ms, version, *rest = answer.split(" ")
        return Answer(status, epoch, int(seq), int(generation), int(now_ms), version, rest)

    def may(self, command: bytes) -> Reply | None:
        """Ask for what a server may refuse to tell; None then. Raise StoreUnavailable where it cannot be reached."""
        try:
            return self.ask(command)[0]
        except StoreUnavailable as error:
            if self._connection is None:
                raise error from None
            return None

    def disconnect(self) -> None:
        """Let go of the connection; the next call makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        """Say what an error means, in our words: the server's own can hold what was sent to it."""
        where, known, text = self.address, self._errors, str(error)
        if isinstance(error, known.AuthenticationError | known.NoPermissionError) or text.startswith(
            ("NOAUTH", "WRONGP")
        ):
            return StoreUnavailable(f"{where}: refuses the user or its password; see POLICYKIT_STORE and its ACL")
        if isinstance(error, known.ReadOnlyError):
            return StoreUnavailable(f"{where}: is a replica; the primary may be", "STORE_READ_ONLY")
        if isinstance(error, known.OutOfMemoryError):
            return StoreUnavailable(f"{where}: its memory is full (maxmemory); make room", "STORE_FULL")
        if text.startswith("MISCONF"):
            return StoreUnavailable(
                f"{where}: cannot write to its disk, and takes no change; make room there", "STORE_FULL"
            )
        if isinstance(error, known.BusyLoadingError):
            return StoreUnavailable(f"{where}: is loading its data; wait for it")
        if isinstance(error, known.TimeoutError):
            return StoreUnavailable(f"{where}: did not answer within {self._timeout_s:g} s")
        if isinstance(error, known.ResponseError):
            return StoreUnavailable(f"{where}: refuses a command; Valkey 7 or Redis 7 and later may be")
        return StoreUnavailable(f"{where}: cannot be reached; start it, or see POLICYKIT_STORE")

    def _gone(self, connection: Any) -> bool:
        """Tell whether the other side hung up, or left an answer that nobody waits for."""
        try:
            return bool(connection.can_read(0))
        except (self._errors.ValkeyError, OSError):
            return True
