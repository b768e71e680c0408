"""`policykit doctor`: yes, no and unknown of a host, over real HTTP, a real proxy and a real TLS server."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from policykit.cli.__main__ import main
from policykit.operate.doctor.address import seen_from
from policykit.operate.doctor.exchange import tls
from policykit.secrets import Fact
from policykit.sim import SimKey, SimServer
from policykit.store import open_store

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: bybit
account: {name: main, currency: USDT}
environment: live
clock: {max_skew: 500ms}
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
    scopes: [read, trade.spot]
    ip_allowlist:
      - {address: 127.0.0.1, why: "this host"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one policy, worked in, and a store of its own."""
    (tmp_path / "policies").mkdir(mode=0o755)
    file = tmp_path / "policies" / "mm.yaml"
    file.write_text(POLICY)
    file.chmod(0o644)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    return tmp_path


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A simulated Bybit on the machine's clock."""
    with SimServer(dialect="bybit") as server:
        yield server


def _use(monkeypatch: pytest.MonkeyPatch, key: SimKey) -> None:
    for name, value in key.credentials().items():
        monkeypatch.setenv(f"MM_{name.upper()}", value)


def _lines(capsys: pytest.CaptureFixture[str], *call: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run the doctor; return its exit code and (state, words) by name, the first of each name."""
    code = main(["doctor", "--format", "json", *call])
    found: dict[str, tuple[str, str]] = {}
    for section in json.loads(capsys.readouterr().out)["sections"]:
        for line in section["lines"]:
            found.setdefault(line["name"], (line["state"], line["words"]))
    return code, found


class _Handler(BaseHTTPRequestHandler):
    """An echo of the caller's address, and a forward proxy that goes out from 127.0.0.2."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not parts.scheme:
            self._send(200, self.server.answer.replace("ADDRESS", self.client_address[0]).encode())  # type: ignore[attr-defined]
            return
        if self.server.answer.isdigit():  # type: ignore[attr-defined]
            self._send(int(self.server.answer), b"Forbidden by the proxy")  # type: ignore[attr-defined]
            return
        target = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=5, source_address=("127.0.0.2", 0)
        )
        try:
            target.request(
                "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=dict(self.headers)
            )
            answer = target.getresponse()
            self._send(answer.status, answer.read())
        finally:
            target.close()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        """Log nothing."""


@pytest.fixture
def web() -> Iterator[Callable[[str], str]]:
    """Return what starts an echo or proxy and returns its URL."""
    started: list[ThreadingHTTPServer] = []

    def start(answer: str = "ADDRESS") -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.answer = answer  # type: ignore[attr-defined]
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_a_good_host(
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Reached, in step, from the address that the policy lists, the key bound to it: proved and journaled."""
    key = sim.grant_key(addresses=["127.0.0.1"])
    _use(monkeypatch, key)
    code, lines = _lines(capsys, "--endpoint", sim.url, "--echo", web("ADDRESS"))
    assert {name: state for name, (state, _) in lines.items() if name != "versions"} == {
        "store": "yes",
        "file modes": "yes",
        "connection": "yes",
        "tls": "yes",
        "clock": "yes",
        "secret mm-exec": "yes",
        "key mm-exec": "yes",
        "proof mm-exec": "yes",
        "address mm-exec": "yes",
    }
    assert lines["address mm-exec"][1] == "we come from 127.0.0.1, as the policy says"
    assert code == 0  # what an environment does not keep, and who else could read it, is advice
    rows = [row.body for row in open_store(f"sqlite:///{project}/store.db").rows() if row.kind == "address.proof"]
    assert [(row["key"], row["account"], row["address"], row["how"]) for row in rows] == [
        ("mm-exec", "main", "127.0.0.1", "a restricted key opened the exchange from here")
    ]
    assert [(row["exchange"], row["environment"], row["endpoint"]) for row in rows] == [("bybit", "live", sim.url)]
    assert key.key not in json.dumps(rows)


def test_what_is_the_same_of_several_keys_is_said_once(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five keys in one environment are one line each for tls, audit, rights and encryption; JSON keeps every line."""
    _use(monkeypatch, sim.grant_key(addresses=["127.0.0.1"]))
    one = '{purpose: market_data, secret: "env://MM", scopes: [read]}'
    others = "".join(f"  k{n}: {one}\n" for n in range(4))
    (project / "policies" / "mm.yaml").write_text(POLICY + others)
    assert main(["doctor", "--endpoint", sim.url]) == 0
    out = capsys.readouterr().out
    secrets = out.partition("\nsecrets\n")[2].partition("\n\n")[0].splitlines()
    who = "secret mm-exec, k0, k1 and 2 more"
    assert [line for line in secrets if "do: " not in line] == [
        f"  yes      {who}  reachable: the environment of this process",
        f"  yes      {who}  readable: the environment of this process holds MM_API_KEY, MM_API_SECRET",
        f"  yes      {who}  tls: nothing leaves this machine",
        f"  unknown  {who}  audit: an environment keeps no record of who read it (G14)",
        f"  unknown  {who}  rights: every process of this user can read it, and every child inherits it",
        f"  unknown  {who}  encrypted at rest: where the variables are set is not seen from here",
    ]
    assert main(["doctor", "--endpoint", sim.url, "--format", "json"]) == 0
    section = json.loads(capsys.readouterr().out)["sections"][-1]
    assert (section["subject"], len(section["lines"])) == ("secrets", 30)


def test_a_key_that_works_from_everywhere_proves_nothing(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a restriction at the exchange there is no proof, and none is recorded."""
    _use(monkeypatch, sim.grant_key())
    code, lines = _lines(capsys, "--endpoint", sim.url)
    assert lines["proof mm-exec"] == ("no", "the exchange lets it in from every address: nothing is proved")
    assert code == 1
    assert [row for row in open_store(f"sqlite:///{project}/store.db").rows() if row.kind == "address.proof"] == []


def test_the_other_direction_over_a_real_proxy(
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From another address the exchange refuses a bound key, and lets an unbound one in: the first is a proof."""
    for addresses, want in ((["127.0.0.1"], "yes"), ([], "no")):
        _use(monkeypatch, sim.grant_key(addresses=addresses))
        _, lines = _lines(capsys, "--endpoint", sim.url, "--prove-refused", "--via", web("ADDRESS"))
        assert lines["elsewhere mm-exec"][0] == want
    rows = [
        row.body["how"] for row in open_store(f"sqlite:///{project}/store.db").rows() if row.kind == "address.proof"
    ]
    assert rows == [
        "a restricted key opened the exchange from here",
        "the exchange refused the key from another address",
    ]


def test_a_proxy_that_is_not_there_proves_nothing(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A connection that failed is no refusal by the exchange."""
    _use(monkeypatch, sim.grant_key(addresses=["127.0.0.1"]))
    _, lines = _lines(capsys, "--endpoint", sim.url, "--prove-refused", "--via", "http://127.0.0.1:9")
    assert lines["elsewhere mm-exec"][0] == "unknown"
    assert lines["elsewhere mm-exec"][1].startswith("nothing is proved: bybit: ")


def _proofs(project: Path) -> list[Any]:
    return [row.body for row in open_store(f"sqlite:///{project}/store.db").rows() if row.kind == "address.proof"]


@pytest.mark.parametrize("refused", ["revoked", "address"])
def test_a_key_that_is_refused_everywhere_proves_nothing(
    refused: str,
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key that does not open the exchange from here either, a revoked one say, is no proof of an allowlist."""
    _use(monkeypatch, sim.grant_key(refused=refused))
    _, lines = _lines(capsys, "--endpoint", sim.url, "--prove-refused", "--via", web("ADDRESS"))
    words = "nothing is proved: it does not open the exchange from here either"
    assert lines["elsewhere mm-exec"] == ("unknown", words)
    assert _proofs(project) == []


@pytest.mark.parametrize("status", ["403", "407", "451"])
def test_a_proxy_that_refuses_itself_proves_nothing(
    status: str,
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A status that proxies, firewalls and blocks of countries give is not the exchange's word on the key."""
    _use(monkeypatch, sim.grant_key(addresses=["127.0.0.1"]))
    _, lines = _lines(capsys, "--endpoint", sim.url, "--prove-refused", "--via", web(status))
    assert lines["elsewhere mm-exec"][0] == "unknown"
    assert lines["elsewhere mm-exec"][1].startswith("nothing is proved: ")
    assert [row["how"] for row in _proofs(project)] == ["a restricted key opened the exchange from here"]


def test_a_key_that_works_from_an_address_that_is_not_listed_proves_nothing(
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """When the echo sees another address than those of the exchange's list, one of them is not what it seems."""
    _use(monkeypatch, sim.grant_key(addresses=["127.0.0.1"]))
    _, lines = _lines(capsys, "--endpoint", sim.url, "--echo", web("198.51.100.9"))
    words = "we come from 198.51.100.9, which is not on the exchange's list, and it works: nothing is proved"
    assert lines["proof mm-exec"] == ("unknown", words)
    assert _proofs(project) == []


def test_we_come_from_elsewhere_than_the_policy_says(
    project: Path,
    sim: SimServer,
    web: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The echo's address is held against the allowlist; JSON with `ip` is read as well."""
    _use(monkeypatch, sim.grant_key(addresses=["127.0.0.1"]))
    _, lines = _lines(capsys, "--endpoint", sim.url, "--echo", web('{"ip": "198.51.100.9"}'))
    assert lines["address mm-exec"] == ("no", "we come from 198.51.100.9; the policy lists 127.0.0.1")


@pytest.mark.parametrize("answer", ["nobody", "{}", '{"ip": 3}', "<html>", "", '{"ip":' + "[" * 4_000])
def test_an_echo_that_says_nothing_is_unknown(answer: str, web: Callable[[str], str]) -> None:
    """What is no address is not taken for one."""
    assert seen_from(web(answer), None).state == "unknown"


def test_an_echo_that_does_not_speak_http_is_unknown() -> None:
    """A service that answers with anything else than HTTP is no echo."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert seen_from(f"http://127.0.0.1:{server.getsockname()[1]}/", None).state == "unknown"


@pytest.mark.parametrize(
    "url", ["http://echo.example.com/", "ftp://127.0.0.1/", "nonsense", "file:///etc/passwd", "http://127.0.0.1:9/"]
)
def test_an_echo_that_cannot_be_asked_is_unknown(url: str) -> None:
    """Plain http off this machine, other schemes and silence: unknown, and no file is read."""
    assert seen_from(url, None).state == "unknown"


@pytest.mark.parametrize(
    ("refused", "state", "part"),
    [
        ("revoked", "no", "no such key"),
        ("address", "no", "not on the key's allowlist"),
        ("maintenance", "unknown", "internal error"),
    ],
)
def test_a_key_that_does_not_open(
    refused: str,
    state: str,
    part: str,
    project: Path,
    sim: SimServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the exchange refuses is a no with its reason; what it could not say is unknown."""
    _use(monkeypatch, sim.grant_key(refused=refused))
    _, lines = _lines(capsys, "--endpoint", sim.url)
    assert lines["key mm-exec"][0] == state
    assert part in lines["key mm-exec"][1]


def test_modes_that_let_others_in(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that others may change, and secrets that others may read, with the command that mends it."""
    _use(monkeypatch, sim.grant_key())
    (project / "policies" / "mm.yaml").chmod(0o666)
    (project / ".env").write_text("X=1\n")
    (project / ".env").chmod(0o644)
    assert main(["doctor", "--endpoint", sim.url]) == 1
    out = capsys.readouterr().out
    assert "policies/mm.yaml: others may change it" in out
    assert "do: chmod go-w policies/mm.yaml" in out
    assert ".env: others may read it" in out


def test_an_exchange_that_is_not_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing answers: unknown, never a yes."""
    monkeypatch.setenv("MM_API_KEY", "k" * 20)
    monkeypatch.setenv("MM_API_SECRET", "s" * 20)
    _, lines = _lines(capsys, "--endpoint", "http://127.0.0.1:9")
    assert (lines["connection"][0], lines["clock"][0], lines["key mm-exec"][0]) == ("unknown", "unknown", "unknown")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("--prove-refused",), "--prove-refused and --via PROXY belong together; give both, or none"),
        (("--via", "http://127.0.0.1:9"), "--prove-refused and --via PROXY belong together; give both, or none"),
        (("--endpoint", "http://example.com"), "plain http off this machine"),
        (("nowhere",), "no policy with a key is there; name one, or a folder of them"),
    ],
)
def test_a_wrong_call(project: Path, call: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what is needed, exit code 2."""
    assert main(["doctor", *call]) == 2
    assert told in capsys.readouterr().err


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, int, ssl.SSLContext]]:
    """A TLS server with a certificate made for this run: host, port, and a context that trusts it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "tls.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    server.socket = serving.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    trusting = ssl.create_default_context(cafile=str(file))
    yield "localhost", server.server_address[1], trusting
    server.shutdown()
    server.server_close()


def test_which_tls_it_became(secure: tuple[str, int, ssl.SSLContext]) -> None:
    """1.3 is a yes, 1.2 a no, a stranger's certificate a no, silence unknown."""
    host, port, trusting = secure
    assert tls(host, port, trusting) == Fact("tls", "yes", "TLSv1.3 to localhost", "use an OpenSSL that speaks TLS 1.3")
    older = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    older.check_hostname, older.verify_mode = False, ssl.CERT_NONE
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert tls(host, port, older)[:3] == ("tls", "no", "TLSv1.2 to localhost")
    assert tls(host, port, ssl.create_default_context())[:3] == ("tls", "no", "no trusted connection to localhost")
    assert tls("localhost", 9, trusting)[:3] == ("tls", "unknown", "localhost could not be reached")
