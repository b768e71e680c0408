"""Whether a key works from here, only from where it should, and how that is proved (G10, G11, G13)."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import ExchangeUnavailable, SecretUnavailable, StoreUnavailable
from policykit.exchanges import load
from policykit.exchanges.advice import advice
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.client import check_endpoint, make_client
from policykit.operate.doctor.exchange import Read
from policykit.operate.keys.find import Found
from policykit.secrets import Fact
from policykit.secrets import read as read_secret
from policykit.snapshot import KeyReport
from policykit.store.base import Store

#: What an echo may answer at most, bytes, and how long it may take, s.
MAX_ECHO: Final = 4_096
ECHO_TIMEOUT_S: Final = 10.0
#: A refusal of which only the HTTP status is known, one that proxies, firewalls and blocks of whole countries give too.
_SOMEBODY: Final = re.compile(r"\((403|407|451)\)")


def seen_from(echo: str, via: str | None) -> Fact:
    """Ask an echo endpoint which address we come from; `words` is the address when the state is "yes".

    The answer is the address as text, or JSON with a field `ip`. Plain http is refused off this machine.
    """
    try:
        origin = check_endpoint(echo.split("/", 3)[0] + "//" + echo.split("/", 3)[2]) if echo.count("/") >= 2 else ""
    except (ValueError, IndexError):
        origin = ""
    if not origin:
        words = "the echo endpoint is no https address (or http on this machine)"
        return Fact("address", "unknown", words, "give one that answers with the caller's address: --echo URL")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect(), urllib.request.ProxyHandler(_proxies(via))]
    try:
        with urllib.request.build_opener(*handlers).open(echo, timeout=ECHO_TIMEOUT_S) as answer:  # nosec B310
            body = answer.read(MAX_ECHO).decode("utf-8", "replace").strip()
    except (OSError, ValueError, http.client.HTTPException):
        return Fact("address", "unknown", "the echo endpoint did not answer", "give another: --echo URL")
    return _address(body)


def _address(body: str) -> Fact:
    text = body
    if body.startswith("{"):
        try:
            text = str(json.loads(body).get("ip", ""))
        except (ValueError, AttributeError, RecursionError):
            text = ""
    try:
        return Fact("address", "yes", str(ipaddress.ip_address(text.strip())))
    except ValueError:
        return Fact("address", "unknown", "the echo endpoint answered with no address", "give another: --echo URL")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: another host's answer would be no evidence."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def _proxies(via: str | None) -> dict[str, str]:
    return {} if via is None else {"http": via, "https": via}


def lines(
    found: Found, got: Read, seen: Fact | None, now_ms: int, store: Store | None, endpoint: str | None = None
) -> Iterator[Fact]:
    """Yield whether the key opens the exchange from here, and whether here is where the policy says.

    `endpoint`: what was asked in the exchange's stead; a proof of it says so.
    """
    report, error = got.report(found.name), got.error(found.name)
    name = f"key {found.name}"
    if report is None:
        code = error.get("code", "") if error else ""
        words = error.get("message", "") if error else (got.problem or "it was not read")
        refused = code in ("KEY_REJECTED", "ADDRESS_NOT_ALLOWED", "PERMISSION_MISSING", "SECRET_UNAVAILABLE", "CLOCK")
        yield Fact(name, "no" if refused else "unknown", words, advice(code) or "policykit lint --live says what to do")
    else:
        yield Fact(name, "yes", "opens the exchange from here")
        yield _bound(found, report, seen, now_ms, store, endpoint)
    if seen is not None:
        yield _listed(found, seen)


def _listed(found: Found, seen: Fact) -> Fact:
    name = f"address {found.name}"
    if seen.state != "yes":
        return Fact(name, "unknown", seen.words, seen.next_step)
    allowed = [one.address for one in found.key.ip_allowlist or ()]
    if not allowed:
        return Fact(
            name, "no", f"we come from {seen.words}; the policy lists no address", "list it: ip_allowlist (G09)"
        )
    if _inside(seen.words, allowed):
        return Fact(name, "yes", f"we come from {seen.words}, as the policy says")
    return Fact(
        name, "no", f"we come from {seen.words}; the policy lists {', '.join(allowed)}", "move the bot, or the list"
    )


def _bound(
    found: Found, report: KeyReport, seen: Fact | None, now_ms: int, store: Store | None, endpoint: str | None
) -> Fact:
    """Judge the restriction at the exchange; a key that works from here under one is the proof of G11."""
    name = f"proof {found.name}"
    if report.restricted == "no":
        return Fact(name, "no", "the exchange lets it in from every address: nothing is proved", "restrict it (G09)")
    if report.restricted == "unknown":
        why = report.unknown.get("ip_allowlist.restricted", "the exchange does not tell")
        return Fact(name, "unknown", f"{why}: that it works from here proves nothing", "--prove-refused --via PROXY")
    here = seen.words if seen is not None and seen.state == "yes" else None
    if here is not None and report.addresses is not None and not _inside(here, report.addresses):
        words = f"we come from {here}, which is not on the exchange's list, and it works: nothing is proved"
        return Fact(name, "unknown", words, "see whether the echo and the exchange are reached over one address")
    row = {
        **_whose(found, endpoint),
        "key_id": report.id,
        "address": here,
        "how": "a restricted key opened the exchange from here",
    }
    kept = _keep(row, now_ms, store)
    return Fact(name, "yes", f"restricted at the exchange, and it works from here; {kept}")


def _inside(address: str, allowed: Iterable[str]) -> bool:
    """Tell whether an address lies in one of the addresses and networks."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(one, strict=False) for one in allowed)


def _whose(found: Found, endpoint: str | None) -> dict[str, Any]:
    """Return what every proof names: of what, on which host, and which origin answered in the exchange's stead."""
    model = found.policy.model
    return {
        "exchange": model.exchange,
        "environment": model.environment,
        "endpoint": endpoint,
        "account": model.account.name,
        "key": found.name,
        "host": socket.gethostname(),
    }


def _keep(row: dict[str, Any], now_ms: int, store: Store | None) -> str:
    if store is None:
        return "not recorded: there is no store"
    try:
        seq = store.prove(row, now_ms)
    except StoreUnavailable as error:
        return f"not recorded: {error}"
    return f"recorded as journal row {seq}"


def refused_elsewhere(
    found: Found, got: Read, endpoint: str | None, via: str, clock: Clock, store: Store | None
) -> Fact:
    """Try the key through a proxy at another address: the exchange must refuse it (the other direction of G11).

    A key that does not open the exchange from here either is refused for something else: that proves nothing.
    """
    name = f"elsewhere {found.name}"
    if got.report(found.name) is None:
        words = "nothing is proved: it does not open the exchange from here either"
        return Fact(name, "unknown", words, "mend that first")
    adapter = load(found.policy.model.exchange)
    if adapter is None or not found.key.secret:
        return Fact(name, "unknown", "it cannot be tried: no adapter, or no `secret:`", "try by hand")
    try:
        client = make_client(
            adapter.id,
            read_secret(found.key.secret),
            endpoint=endpoint,
            sandbox=found.policy.model.environment == "sandbox",
            clock=clock,
        )
        client.httpProxy = client.httpsProxy = None
        setattr(client, "httpProxy" if (endpoint or "").startswith("http:") else "httpsProxy", via)
        run(adapter, client, adapter.key_report(), clock)
    except CallFailed as failed:
        return _judged(name, found, failed, endpoint, clock, store)
    except (ExchangeUnavailable, SecretUnavailable) as error:
        return Fact(name, "unknown", str(error), "mend that first")
    return Fact(
        name, "no", "the key opens the exchange from the proxy's address as well", "restrict it to its own address"
    )


def _judged(
    name: str, found: Found, failed: CallFailed, endpoint: str | None, clock: Clock, store: Store | None
) -> Fact:
    if _SOMEBODY.search(str(failed)):
        words = f"nothing is proved: the proxy, or the service for all of its country, may have refused it: {failed}"
        return Fact(name, "unknown", words, "give a proxy from which the exchange serves others")
    if failed.code not in ("ADDRESS_NOT_ALLOWED", "KEY_REJECTED"):
        return Fact(name, "unknown", f"nothing is proved: {failed}", "give a proxy that reaches the exchange")
    row = {
        **_whose(found, endpoint),
        "how": "the exchange refused the key from another address",
        "code": failed.code,
    }
    kept = _keep(row, clock.now_ms(), store)
    doubt = "" if failed.code == "ADDRESS_NOT_ALLOWED" else " (it does not say that the address is why)"
    return Fact(name, "yes", f"refused from another address{doubt}; {kept}")
