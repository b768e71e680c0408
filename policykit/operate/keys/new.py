"""Put a new key away: into the secrets manager first (G17), then asked of the exchange what it may do.

The secret is in this process's memory and in the manager, nowhere else: no file, no argument, no echo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from policykit import secrets, traits
from policykit.clock import Clock
from policykit.exchanges import load
from policykit.exchanges import snapshot as live
from policykit.exchanges.about import about
from policykit.finding import SEVERITIES, Finding
from policykit.lint.judge import run
from policykit.operate.keys.find import Found
from policykit.redact import Secret
from policykit.rules import Inputs, catalogue
from policykit.snapshot import Snapshot

#: The longest value of a credential that is read, in characters: a private key is a few thousand.
MAX_VALUE: Final = 16_384
_END_OF_PEM: Final = "-----END"
#: The rules on what a key may do, and from where.
_OF_A_KEY: Final = ("PK1", "PK2")


class Verified(NamedTuple):
    """What the exchange says of a key that was put away, or why it says nothing."""

    snapshot: Snapshot | None
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


def verify(
    found: Found,
    endpoint: str | None,
    source: Callable[[str], dict[str, Secret]] = secrets.read,
    clock: Clock | None = None,
) -> Verified:
    """Read the secret back from its place and ask the exchange what the key may do."""
    if load(found.policy.model.exchange) is None:
        words = f"this version cannot read keys of {found.policy.model.exchange}; look at its page"
        return Verified(None, "NOT_SUPPORTED", words)
    taken = live.take(
        found.policy, endpoint=endpoint, keys=(found.name,), keys_only=True, secret_source=source, clock=clock
    )
    if taken.keys:
        return Verified(taken, "", "")
    error = taken.errors[0] if taken.errors else {"code": "UNKNOWN", "message": "the exchange said nothing"}
    return Verified(None, error["code"], error["message"])


def judged(found: Found, verified: Verified, now_ms: int) -> tuple[Finding, ...]:
    """Return what lint says of this key on what the exchange said of it, worst first, without what a waiver accepts."""
    policy, at = found.policy, f"keys.{found.name}"
    entries = (e for e in catalogue("policy") if e.rule.code.startswith(_OF_A_KEY) and "snapshot" in e.rule.reads)
    inputs = Inputs(now_ms, policy=policy, traits=traits.load(policy.model.exchange), snapshot=verified.snapshot)
    of_key = (f for f in run(entries, inputs, policy.file) if f"{f.primary.path}.".startswith(f"{at}."))
    left = (
        f
        for f in of_key
        if f.status == "unknown"
        or (f.status == "open" and not (f.waivable and policy.waived(f.rule, f.primary.path, now_ms)))
    )
    return tuple(sorted(left, key=lambda f: (f.status != "open", SEVERITIES.index(f.severity))))
