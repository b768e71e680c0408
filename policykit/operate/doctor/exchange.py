"""The connection to an exchange: reached, over which TLS, how far its clock is, and whether each key opens it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from policykit.clock import Clock
from policykit.errors import ExchangeUnavailable
from policykit.exchanges import load
from policykit.exchanges import snapshot as live
from policykit.exchanges.advice import advice
from policykit.exchanges.client import make_client
from policykit.policy import EffectivePolicy
from policykit.secrets import Fact
from policykit.secrets import read as read_secret
from policykit.snapshot import KeyReport, Snapshot

CONNECTION: Final = "connection"
#: How long a TLS handshake may take, s.
TLS_TIMEOUT_S: Final = 5.0
#: Codes of reads to which the exchange itself has answered nothing.
_UNREACHED: Final = ("NETWORK", "WRONG_ENDPOINT", "MAINTENANCE", "BANNED")
#: What is kept to where the policy states no bound, ms (orders/fence.py assumes the same).
MAX_SKEW_MS: Final = 1_000


class Read(NamedTuple):
    """What the exchange said of a policy's keys, or why nothing could be read."""

    snapshot: Snapshot | None
    problem: str = ""

    def report(self, key: str) -> KeyReport | None:
        """Return the report of one key."""
        return next((one for one in self.snapshot.keys if one.name == key), None) if self.snapshot else None

    def error(self, key: str) -> dict[str, str] | None:
        """Return why a key has none."""
        rows = self.snapshot.errors if self.snapshot else []
        return next((row for row in rows if row.get("key") in (key, "")), None)


def read(policy: EffectivePolicy, endpoint: str | None, clock: Clock) -> Read:
    """Read clock and keys of a policy, nothing of the account."""
    try:
        return Read(live.take(policy, endpoint=endpoint, keys_only=True, clock=clock, secret_source=read_secret))
    except (ExchangeUnavailable, ValueError) as error:
        return Read(None, str(error))


def lines(policy: EffectivePolicy, got: Read, endpoint: str | None) -> Iterator[Fact]:
    """Yield the lines of the connection."""
    if got.snapshot is None:
        yield Fact(CONNECTION, "unknown", got.problem, "look at the keys in the exchange's web page")
        return
    unreached = [row for row in got.snapshot.errors if row.get("code") in _UNREACHED]
    if unreached and not got.snapshot.keys:
        yield Fact(CONNECTION, "unknown", unreached[0]["message"], advice(unreached[0]["code"]))
    else:
        yield Fact(CONNECTION, "yes", f"{got.snapshot.cost.get('calls', 0)} reads answered")
    yield _tls(policy, endpoint)
    yield _clock(policy, got.snapshot)


def _clock(policy: EffectivePolicy, snapshot: Snapshot) -> Fact:
    bound = policy.model.clock.max_skew.ms if policy.model.clock and policy.model.clock.max_skew else MAX_SKEW_MS
    skew = snapshot.clock.get("skew_ms")
    if not isinstance(skew, int):
        why = str(snapshot.clock.get("unknown") or "the exchange did not tell its time")
        return Fact("clock", "unknown", why, "compare this host's clock by NTP: chronyc tracking")
    trip = snapshot.clock.get("round_trip_ms") or 0
    side = "ahead of" if skew > 0 else "behind"
    words = f"{abs(skew)} ms {side} the exchange (bound {bound} ms, known to {trip // 2} ms)"
    return Fact("clock", "yes" if abs(skew) <= bound else "no", words, "let NTP keep it: chronyc makestep")


def _tls(policy: EffectivePolicy, endpoint: str | None) -> Fact:
    if endpoint is not None and urlsplit(endpoint).scheme == "http":
        return Fact("tls", "yes", "plain http, and nothing of it leaves this machine")
    name, port = _host(policy, endpoint)
    if not name:
        return Fact("tls", "unknown", "the exchange's host is not known", "look at the client's URLs")
    return tls(name, port, ssl.create_default_context())


def _host(policy: EffectivePolicy, endpoint: str | None) -> tuple[str, int]:
    """Return host and port of the exchange's private calls."""
    url = endpoint
    if url is None and load(policy.model.exchange) is not None:
        client = make_client(policy.model.exchange, sandbox=policy.model.environment == "sandbox")
        found: object = client.urls.get("api")
        while isinstance(found, dict) and found:
            found = found.get("private") or found.get("rest") or next(iter(found.values()))
        url = str(found or "").replace("{hostname}", client.hostname or "")
    parts = urlsplit(url or "")
    return parts.hostname or "", parts.port or 443


def tls(name: str, port: int, context: ssl.SSLContext) -> Fact:
    """Shake hands and say which TLS it became: 1.3 is what the guide asks for (G14)."""
    try:
        with (
            socket.create_connection((name, port), timeout=TLS_TIMEOUT_S) as raw,
            context.wrap_socket(raw, server_hostname=name) as secure,
        ):
            spoken = secure.version() or "none"
    except ssl.SSLError:
        return Fact(
            "tls", "no", f"no trusted connection to {name}", "look who answers in its name before any key is used"
        )
    except OSError:
        return Fact("tls", "unknown", f"{name} could not be reached", "try again from the host that trades")
    words = f"{spoken} to {name}"
    return Fact("tls", "yes" if spoken == "TLSv1.3" else "no", words, "use an OpenSSL that speaks TLS 1.3")
