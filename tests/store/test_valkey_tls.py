"""A store over TLS: the server of the wheel has none, so a real TLS socket stands before it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.store.valkey import ValkeyStore
from tests.canary import assert_clean, canaries
from tests.store.harm import refusal
from tests.store.made import hold_sum, reserve
from tests.store.servers import ValkeyServer


def certificate(folder: Path, name: str) -> None:
    """Make a key and a certificate for `localhost` that is its own authority."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", f"{folder}/{name}-key.pem", "-out", f"{folder}/{name}.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Return what puts TLS before a server and returns the port; `client`: whose certificate it asks for."""
    ends: list[Callable[[], None]] = []
    certificate(tmp_path, "server")

    def start(server: ValkeyServer, client: str | None = None) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
        if client is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(tmp_path / f"{client}.pem")
        port, end = tls_before(server, context)
        ends.append(end)
        return port

    yield start
    for end in ends:
        end()


def opened(uri: str, folder: Path, name: str = "journal") -> ValkeyStore:
    """Open a store with a host's journal."""
    return ValkeyStore(uri, folder / f"{name}.db", server_time=False)


def test_it_speaks_tls_and_trusts_only_its_authority(
    server: ValkeyServer, before: Callable[..., int], tmp_path: Path
) -> None:
    """With the authority it works; without it, under another name, or in plain text nothing is sent."""
    port = before(server)
    store = opened(f"valkeys://localhost:{port}/0?name=tls&ca={tmp_path}/server.pem", tmp_path)
    assert reserve(store, hold_sum(1, 5))[1].granted
    for uri in (
        f"valkeys://localhost:{port}/0?name=tls",
        f"valkeys://127.0.0.1:{port}/0?ca={tmp_path}/server.pem",
        f"valkey://localhost:{port}/0?name=tls",
    ):
        assert refusal(lambda uri=uri: opened(uri, tmp_path, "other"))[0] == "STORE_DOWN"  # type: ignore[misc]
    store.close()


def test_a_server_that_asks_for_a_certificate_gets_ours(
    server: ValkeyServer, before: Callable[..., int], tmp_path: Path
) -> None:
    """`cert` and `key` are shown to it; without them, or with another's, it hangs up."""
    for name in ("bot", "other"):
        certificate(tmp_path, name)
    at = f"localhost:{before(server, 'bot')}/0?name=mutual&ca={tmp_path}/server.pem"
    store = opened(f"rediss://{at}&cert={tmp_path}/bot.pem&key={tmp_path}/bot-key.pem", tmp_path)
    assert reserve(store, hold_sum(1, 5))[1].granted
    for uri in (f"valkeys://{at}", f"valkeys://{at}&cert={tmp_path}/other.pem&key={tmp_path}/other-key.pem"):
        assert refusal(lambda uri=uri: opened(uri, tmp_path, "other"))[0] == "STORE_DOWN"  # type: ignore[misc]
    store.close()


def test_user_and_password_go_through_tls_and_nowhere_else(before: Callable[..., int], tmp_path: Path) -> None:
    """I23: an ACL user with the rights that the docs name can do everything; a wrong password is in no message."""
    right, wrong = canaries(11, 2)
    behind = ValkeyServer(tmp_path / "server")
    try:
        with behind.client() as client:
            client.execute_command("ACL", "SETUSER", "bot", "on", f">{right}", "resetkeys", "~{policykit*", "+@all")
            client.execute_command("ACL", "SETUSER", "default", "off")
        at = f"localhost:{before(behind)}/0?ca={tmp_path}/server.pem"
        store = opened(f"valkeys://bot:{right}@{at}", tmp_path)
        assert reserve(store, hold_sum(1, 5))[1].granted
        code, text = refusal(lambda: opened(f"valkeys://bot:{wrong}@{at}", tmp_path, "other"))
        assert (code, text) == (
            "STORE_DOWN",
            f"{store.address}: refuses the user or its password; see POLICYKIT_STORE and its ACL",
        )
        assert_clean("\n".join([text, repr(store.address), str(vars(store._server))]), (right, wrong))
        store.close()
    finally:
        behind.kill()


def tls_before(server: ValkeyServer, context: ssl.SSLContext) -> tuple[int, Callable[[], None]]:
    """Put TLS before a server. Return the port and what ends it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: Any, sink: Any) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                inside = context.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            outside = socket.create_connection(("127.0.0.1", server.port))
            for ends in ((inside, outside), (outside, inside)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1]), listener.close
