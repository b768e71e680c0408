"""What a secret source is: a reference in, named `Secret`s out; the value is never in a policy, message or log.

A source returns a `Problem` instead of raising: so no frame that holds a raw value is part of a traceback, and only
`settled` makes the error, from our own words alone.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from policykit.errors import SecretUnavailable
from policykit.redact import Secret, SecretUrl

#: The names under which every source holds what an exchange needs.
NAMES: Final = ("api_key", "api_secret", "passphrase", "private_key", "uid", "wallet")
#: The name under which every source holds the address that messages go to: it has a token in it.
URL: Final = "url"
#: The longest reference that is read, in characters.
MAX_REFERENCE: Final = 512
#: The longest answer of a secrets manager that is read, in bytes: all six names at their longest take 96 KiB.
MAX_ANSWER: Final = 262_144

#: The facts of every source, in this order.
FACTS: Final = ("reachable", "readable", "tls", "audit", "rights", "encrypted at rest")

#: What a place holds of a key: the one in use, its successor before it is, and the one before until that is dead. The
#: last two lie beside the first under names of their own (`next_api_key`, `retired_api_secret`), so that one write
#: moves all of them, and whoever reads the place as ever finds one whole key.
Role = Literal["current", "next", "retired"]
PREFIX: Final[Mapping[Role, str]] = {"current": "", "next": "next_", "retired": "retired_"}

State = Literal["yes", "no", "unknown"]
Names: TypeAlias = tuple[str, ...]
Found = TypeVar("Found")


class Reference(NamedTuple):
    """A parsed reference: `vault://kv/trading` is scheme `vault`, path `kv/trading`."""

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


class Fact(NamedTuple):
    """One line of `policykit doctor` about a source: `yes` is good, `no` is not, `unknown` was not seen."""

    name: str
    state: State
    words: str
    next_step: str = ""


class Problem(NamedTuple):
    """Why a reference cannot be used, and what to do: our own words and names, never a server's text."""

    what: str
    next_step: str
    #: Whether the manager answered at all.
    reached: State = "yes"
    #: Whether it said that nothing lies there, so that something may be written.
    absent: bool = False


class Place(Protocol):
    """Where one key lies in a manager."""

    def current(self) -> dict[str, object] | Problem:
        """Return the fields that lie there."""

    def put(self, fields: dict[str, object], new: bool, replace: bool) -> Problem | None:
        """Write the fields; `new` when nothing lay there."""


def parse(text: str) -> Reference:
    """Read a reference. Raise SecretUnavailable without repeating the text: it may be a secret itself."""
    scheme, mark, path = text.partition("://")
    if not mark or not scheme or not path or len(text) > MAX_REFERENCE or not text.isprintable() or "@" in text:
        raise SecretUnavailable("the secret reference has no form SCHEME://PATH; env://PREFIX may be")
    return Reference(scheme, path)


def settled(reference: Reference, found: Found | Problem) -> Found:
    """Return what was found. Raise SecretUnavailable in the words of the problem."""
    if isinstance(found, Problem):
        raise SecretUnavailable(f"{reference}: {found.what}; {found.next_step}")
    return found


def library(module: str, extra: str) -> Any | Problem:
    """Import a library of an extra, on first use only."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return Problem(
            f"{module.partition('.')[0]} is not installed",
            f"run `pip install policykit-trading[{extra}]`",
            "unknown",
        )


def member(value: object, *names: str) -> Any:
    """Return what lies under these names in nested objects, None where one is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def decoded(text: object) -> dict[str, object] | Problem:
    """Read the JSON object that a manager without fields of its own holds as one text."""
    form = Problem(
        "it holds no JSON object", f"write one with the fields {', '.join(NAMES)}, as far as they are needed"
    )
    if not isinstance(text, str) or len(text) > MAX_ANSWER:
        return form
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return form
    return value if isinstance(value, dict) else form


def wrapped(values: Mapping[str, object], names: Names = NAMES) -> dict[str, Secret] | Problem:
    """Return the named values as secrets; other fields are left alone."""
    out: dict[str, Secret] = {}
    for name in names:
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
            value = str(value)  # an account number written without quotes
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if not isinstance(value, str):
            return Problem(f"{name} is no text", "write it in quotes")
        try:
            out[name] = (SecretUrl if name == URL else Secret)(value.strip())
        except (ValueError, OverflowError) as error:
            return Problem(f"{name} is unusable: {error}", "put the exchange's value there")
    if len(names) == 1:
        return out or Problem(f"{names[0]} is not there", "write it under this name")
    return out or Problem(f"none of {', '.join(names)} is there", "write them under these names")


def complete(found: dict[str, Secret] | Problem) -> dict[str, Secret] | Problem:
    """Return what was found unless it is half a pair."""
    if isinstance(found, Problem) or "api_key" not in found or found.keys() & {"api_secret", "private_key"}:
        return found
    return Problem("api_secret is not there", "put it beside api_key")


def merged(current: Mapping[str, object], values: Mapping[str, Secret], replace: bool) -> dict[str, object] | Problem:
    """Return what to write: fields of others kept, all of ours from `values`, so that no pair is ever mixed."""
    if not values or set(values) - set(NAMES) or isinstance(complete(dict(values)), Problem):
        return Problem(
            "what is to be written is no complete key", f"give api_key and its secret, of {', '.join(NAMES)}"
        )
    if not replace and any(current.get(name) not in (None, "") for name in NAMES):
        return Problem("a key is there already", "take another place, or say that it may be replaced")
    kept = {name: value for name, value in current.items() if name not in NAMES}
    return kept | {name: values[name].reveal() for name in NAMES if name in values}


def of_role(role: Role, values: Mapping[str, Secret]) -> dict[str, Secret]:
    """Return a key's values by their names, of values by those that they have in a role."""
    return {name.removeprefix(PREFIX[role]): value for name, value in values.items()}


def arranged(fields: Mapping[str, object], moves: Mapping[Role, Role | None]) -> dict[str, object] | Problem:
    """Return the fields with each role of `moves` holding what another one held, or nothing."""
    kept = {
        name: value
        for name, value in fields.items()
        if not any(name == PREFIX[role] + plain for role in moves for plain in NAMES)
    }
    for role, source in moves.items():
        if source is None:
            continue
        held = {name: fields[PREFIX[source] + name] for name in NAMES if PREFIX[source] + name in fields}
        if isinstance(complete(wrapped(held)), Problem):
            return Problem(f"it holds no {source} key", "look at what lies there")
        kept |= {PREFIX[role] + name: value for name, value in held.items()}
    return kept


def fetch(place: Place, names: Names = NAMES) -> dict[str, Secret] | Problem:
    """Return the secrets that lie at a place."""
    found = place.current()
    return found if isinstance(found, Problem) else complete(wrapped(found, names))


def store(place: Place, values: Mapping[str, Secret], replace: bool) -> Problem | None:
    """Write a complete key to a place, once it is known what lies there."""
    found = place.current()
    if isinstance(found, Problem) and not found.absent:
        return found
    fields = merged({} if isinstance(found, Problem) else found, values, replace)
    return fields if isinstance(fields, Problem) else place.put(fields, isinstance(found, Problem), replace)


def changed(place: Place, work: Callable[[dict[str, object]], dict[str, object] | Problem]) -> Problem | None:
    """Write what `work` makes of the fields that lie at a place."""
    found = place.current()
    if isinstance(found, Problem) and not found.absent:
        return found
    fields = work({} if isinstance(found, Problem) else found)
    return fields if isinstance(fields, Problem) else place.put(fields, isinstance(found, Problem), True)


def reading(found: object) -> tuple[Fact, Fact]:
    """Return the facts `reachable` and `readable` of what a read came to; the values themselves are not looked at."""
    if not isinstance(found, Problem):
        return Fact("reachable", "yes", "it answers"), Fact("readable", "yes", "the reference leads to a complete key")
    if found.reached == "yes":
        return Fact("reachable", "yes", "it answers"), Fact("readable", "no", found.what, found.next_step)
    return (
        Fact("reachable", found.reached, found.what, found.next_step),
        Fact("readable", "unknown", "it was not reached", found.next_step),
    )


def unseen(problem: Problem) -> list[Fact]:
    """Return the facts of a manager that could not be asked."""
    rest = [Fact(name, "unknown", "it was not reached", problem.next_step) for name in FACTS[2:]]
    return [*reading(problem), *rest]
