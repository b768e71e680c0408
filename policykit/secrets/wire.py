"""The way to a secrets manager over HTTP: silent in every log, bounded in time and size, in clear on loopback only.

Nothing of requests, urllib3 or botocore is imported here: the objects come from the source that uses them.
"""

from __future__ import annotations

import ipaddress
import os
import time
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from policykit.secrets.base import MAX_ANSWER, Fact, Problem

#: How long a connection may take, and how long a server may be silent, in seconds.
CONNECT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 10
#: How long one whole answer may take, in seconds.
ANSWER_SECONDS: Final = 20
#: How often a read is sent: one retry, and only when nothing answered.
TRIES: Final = 2
#: How deep an error's causes are looked at.
MAX_CHAIN: Final = 8

_now = time.monotonic


class TooMuch(Exception):
    """An answer is longer, or takes longer, than any secret needs."""


class Wire:
    """What was seen of the connections to one manager: the TLS version of the last one."""

    def __init__(self) -> None:
        self.tls: str | None = None

    def bounded(self, raw: Any) -> bytes:
        """Read one answer of urllib3. Raise TooMuch past MAX_ANSWER bytes or ANSWER_SECONDS."""
        connection = getattr(raw, "connection", None) or getattr(raw, "_connection", None)
        version = getattr(getattr(connection, "sock", None), "version", None)
        self.tls = version() if version else self.tls
        end = _now() + ANSWER_SECONDS
        read = getattr(raw, "read1", None) or raw.read
        out = bytearray()
        while chunk := read(16_384, decode_content=False):
            out += chunk
            if len(out) > MAX_ANSWER or _now() > end:
                raw.close()
                raise TooMuch
        raw.release_conn()
        return bytes(out)


class RequestsAdapter:
    """A transport adapter of requests that reads a bounded answer; it wraps the library's own."""

    def __init__(self, inner: Any, wire: Wire) -> None:
        self.inner, self.wire = inner, wire

    def send(self, request: Any, **options: Any) -> Any:
        """Send a prepared request and return the response with its content read."""
        request.headers["Accept-Encoding"] = "identity"  # a small body that unpacks to a large one is no answer
        response = self.inner.send(request, **options | {"stream": True})
        response._content = self.wire.bounded(response.raw)
        response._content_consumed = True
        return response

    def close(self) -> None:
        """Close the connections."""
        self.inner.close()


class BotoSession:
    """An HTTP session of botocore that reads a bounded answer; it wraps the library's own."""

    def __init__(self, inner: Any, wire: Wire) -> None:
        self.inner, self.wire = inner, wire

    def send(self, request: Any) -> Any:
        """Send a prepared request and return the response with its content read."""
        request.stream_output = True
        response = self.inner.send(request)
        response._content = self.wire.bounded(response.raw)
        return response

    def close(self) -> None:
        """Close the connections."""
        self.inner.close()


def session(requests: Any, url: str, wire: Wire) -> Any:
    """Return a session of requests: no redirect target, proxy in clear, .netrc or cookie ever sees a token."""
    made = requests.Session()
    made.trust_env = False
    made.proxies = proxies(url)
    adapter = RequestsAdapter(requests.adapters.HTTPAdapter(), wire)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def proxies(url: str) -> dict[str, str]:
    """Return the proxy of the environment for an https address that is not on this machine; none for http."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get("https")
    if parts.scheme != "https" or not proxy or is_loopback(host) or urllib.request.proxy_bypass(host):
        return {}
    return {"https": proxy}


def ca_bundle(*names: str) -> str | bool:
    """Return the file of certificates that the first set variable names, or True for the system's."""
    for name in (*names, "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if value := os.environ.get(name, ""):
            return value
    return True


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refused_address(url: str, variable: str) -> Problem | None:
    """Return why a secret must not be fetched from an address: its form, or plain http off this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.query or parts.fragment:
        return Problem(f"{variable} is no address", f"set {variable} to https://HOST:PORT", "no")
    if parts.scheme == "http" and not is_loopback(host):
        return Problem(
            f"{variable} is plain http to another machine, where everyone on the way reads the secret",
            f"set {variable} to its https:// address",
            "unknown",
        )
    return None


def meaning(error: BaseException, address: str, authority: str) -> Problem | None:
    """Return what an error of the connection means, by the names of its classes; None if it is none."""
    names: set[str] = set()
    link: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if link is None:
            break
        names.update(kind.__name__ for kind in type(link).__mro__)
        link = getattr(link, "inner_exception", None) or link.__cause__ or link.__context__  # the first is azure-core's
    if "TooMuch" in names:
        return Problem("its answer is longer or slower than any secret's", f"see that {address} is the manager's")
    if names & {"SSLError", "SSLCertVerificationError"}:
        return Problem(
            "its certificate is not trusted, or it speaks no TLS", f"set {authority} to its certificate authority", "no"
        )
    if names & {"InvalidURL", "InvalidSchema", "MissingSchema", "LocationParseError"}:
        return Problem(f"{address} is no address", f"correct {address}", "no")
    if names & {
        "ConnectionError",
        "Timeout",
        "TimeoutError",
        "HTTPClientError",
        "HTTPError",
        "ServiceRequestError",
        "ServiceResponseError",
    }:
        return Problem("nothing answers there", f"see that {address} is right and the manager runs", "no")
    if "OSError" in names:
        return Problem(
            "its certificate authority cannot be read", f"set {authority} to a file of certificates", "unknown"
        )
    return None


def tls_fact(url: str, wire: Wire) -> Fact:
    """Return what was seen of the connection; the guide asks for TLS 1.3 in transit (G14)."""
    if urlsplit(url).scheme == "http":
        return Fact("tls", "yes", "plain http on loopback: nothing leaves this machine")
    if wire.tls == "TLSv1.3":
        return Fact("tls", "yes", "https, TLS 1.3")
    if wire.tls is None:
        return Fact("tls", "unknown", "https; no connection was made", "see why it is not reachable")
    version = wire.tls.removeprefix("TLSv")
    return Fact("tls", "no", f"https, TLS {version}; the guide asks for 1.3 (G14)", "let the server offer TLS 1.3")
