"""Put a new key away: into the secrets manager first (G17), then asked of the exchange what it may do.

The secret is in this process's memory and in the manager, nowhere else: no file, no argument, no echo.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from policykit import secrets, traits
from policykit.exchanges import load
from policykit.exchanges import snapshot as live
from policykit.exchanges.about import about
from policykit.operate.keys.find import Found
from policykit.redact import Secret
from policykit.snapshot import KeyReport
from policykit.traits.base import comes_with

#: The longest value of a credential that is read, in characters: a private key is a few thousand.
MAX_VALUE: Final = 16_384
_END_OF_PEM: Final = "-----END"


class Verified(NamedTuple):
    """What the exchange says of a key that was put away: its report, or why there is none."""

    report: KeyReport | None
    code: str
    words: str


def fields(found: Found) -> tuple[str, ...]:
    """Return the names of what this exchange gives with a key, in the order people know them: `api_key`, ..."""
    return tuple(name.lower() for name in about(found.policy.model.exchange).credentials)


def given(names: Iterable[str], ask: Callable[[str], str]) -> dict[str, Secret]:
    """Ask for each value without echo; a private key is asked for line by line until its last.

    Raise ValueError for one that is empty, too long or no text that a request can carry; no value is in the message.
    """
    values: dict[str, Secret] = {}
    for name in names:
        text = ask(name).strip()
        if text.startswith("-----BEGIN"):
            lines = [text]
            while _END_OF_PEM not in lines[-1] and sum(map(len, lines)) < MAX_VALUE:
                lines.append(ask(f"{name}, next line").strip())
            text = "\n".join(lines) + "\n"
        if not text or len(text) > MAX_VALUE:
            raise ValueError(
                f"{name} is {'empty' if not text else 'too long'}; paste what the exchange shows; nothing was kept"
            )
        try:
            values[name] = Secret(text.strip())
        except ValueError as error:
            raise ValueError(f"{name} is unusable: {error}; nothing was kept") from None
    return values


def put(found: Found, values: dict[str, Secret], *, replace: bool) -> str:
    """Put the values where the policy says that the secret lives; return that reference.

    Raise ValueError when the policy says no place, SecretUnavailable when the place refuses.
    """
    reference = found.key.secret
    if not reference:
        raise ValueError(f"{found.place}: keys.{found.name} has no `secret:`; a reference (vault://kv/x) is needed")
    secrets.write(reference, values, replace=replace)
    return reference


def verify(found: Found, endpoint: str | None) -> Verified:
    """Read the secret back from its place and ask the exchange what the key may do."""
    if load(found.policy.model.exchange) is None:
        words = f"this version cannot read keys of {found.policy.model.exchange}; look at its page"
        return Verified(None, "NOT_SUPPORTED", words)
    taken = live.take(found.policy, endpoint=endpoint, keys=(found.name,), keys_only=True, secret_source=secrets.read)
    if taken.keys:
        return Verified(taken.keys[0], "", "")
    error = taken.errors[0] if taken.errors else {"code": "UNKNOWN", "message": "the exchange said nothing"}
    return Verified(None, error["code"], error["message"])


def differs(found: Found, report: KeyReport) -> tuple[str, ...]:
    """Return how what was ticked is not what the policy asks for, one line each: what to change in the web page."""
    wanted = set(found.key.scopes or ())
    whole_trade = "trade" in wanted
    facts = traits.load(found.policy.model.exchange)
    bundled = comes_with(facts, wanted) | ({"transfer"} if facts and facts.transfer_separable is False else set())
    lines = [
        f"may {scope}, which the policy does not ask for: untick it"
        for scope, said in report.permissions.items()
        if said == "granted" and scope not in wanted | bundled and not (whole_trade and scope.startswith("trade."))
    ]
    beside = [s for s in sorted(bundled - {"transfer"}) if report.permissions.get(s) == "granted" and not whole_trade]
    if beside:
        lines.append(f"may {', '.join(beside)} with the box that the policy asks for: agree to it in `scopes`")
    lines += [
        f"may not {scope}, which the policy asks for: tick it"
        for scope in sorted(wanted)
        if report.permissions.get(scope) == "denied"
    ]
    if report.restricted == "no":
        lines.append("works from every address: restrict it now (G16)")
    if report.addresses is not None and report.restricted == "yes":
        said = {_network(one.address): one.address for one in found.key.ip_allowlist or ()}
        there = {_network(one): one for one in report.addresses}
        lines += [
            f"is open to {there[one]}, which the policy does not list: remove it"
            for one in sorted(set(there) - set(said))
        ]
        lines += [
            f"is not open to {said[one]}, which the policy lists: add it" for one in sorted(set(said) - set(there))
        ]
    return tuple(lines)


def _network(text: str) -> str:
    """Spell an address or a network in one way: `203.0.113.7` is 203.0.113.7/32, `2001:DB8::1` is 2001:db8::1/128."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text
