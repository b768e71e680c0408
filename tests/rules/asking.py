"""What tests of rules ask, in one line: findings of a rule on a text, a snapshot, or given inputs."""

from __future__ import annotations

from policykit.finding import Finding, Observed
from policykit.place import Place
from policykit.rules import Inputs, find
from policykit.rules.fleet import Card, KeyCard, card
from policykit.testing.rules.examples import Example, inputs_of, run, written

#: A policy's one key, to be gone on with.
KEY = "keys:\n  k:\n    purpose: execution\n"
#: What an exchange could have given out as a key; nobody's.
SECRET = "q7Zt2LxW9vRk4Hd8Bn3Ys6Pf1Jc5Mg0TaVeUo2KiXrQw"


def findings_of(code: str, text: str, snapshot: str | None = None) -> list[Finding]:
    """Return what a rule finds in the examples' policy with these sections, and in live state with these fields."""
    entry = find(code)
    assert entry is not None
    return run(entry, Example("yaml", text, snapshot=snapshot))


def lines_of(code: str, text: str, snapshot: str | None = None) -> list[str]:
    """Return the same as examples write it."""
    return [written(f) for f in findings_of(code, text, snapshot)]


def findings_for(code: str, inputs: Inputs) -> list[Finding]:
    """Return what a rule finds in inputs."""
    entry = find(code)
    assert entry is not None
    return list(entry.check(inputs))


def lines_for(code: str, inputs: Inputs) -> list[str]:
    """Return the same as examples write it."""
    return [written(f) for f in findings_for(code, inputs)]


def key_card(
    name: str,
    purpose: str = "execution",
    secret: str | None = None,
    seen: str = "",
    addresses: tuple[tuple[str, Place], ...] = (),
) -> KeyCard:
    """Return a key as policies show it to each other; `seen` is its id at the exchange."""
    observed = Observed("binance", "GET /x", "id", seen, "", None) if seen else None
    return KeyCard(name, purpose, secret, addresses, observed)


def policy_card(file: str, key: KeyCard, environment: str = "live") -> Card:
    """Return a policy of one key as it shows itself to others."""
    whole = card(inputs_of(Example("yaml", "name: x\n")))
    places = {f"keys.{key.name}": Place(file, 7, 3), f"keys.{key.name}.secret": Place(file, 8, 13)}
    return whole._replace(file=file, files=(file,), environment=environment, keys=(key,), places=places)
