"""Secrets by reference, one file a source. `read`, `write` and `inspect` are the doors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets.base import (
    NAMES,
    PREFIX,
    URL,
    Fact,
    Problem,
    Reference,
    Role,
    arranged,
    complete,
    merged,
    of_role,
    parse,
    settled,
)

__all__ = ["NAMES", "SOURCES", "Fact", "Role", "arrange", "inspect", "read", "read_url", "stage", "write"]

#: Scheme -> module of this room, imported when the scheme is used; the libraries of a manager come with it only then.
SOURCES: Final = {"env": "env", "vault": "vault", "aws-sm": "aws_sm", "azure-kv": "azure_kv", "keyring": "keyring"}


def read(reference: str, role: Role = "current") -> dict[str, Secret]:
    """Return the secrets behind a reference, by name (`api_key`, `api_secret`, ...).

    `role`: those of the key in use, of its successor before it is, or of the one before until that is dead. Raise
    SecretUnavailable naming the reference and what is missing or refused, never a value.
    """
    source, parsed = _source(reference)
    if role == "current":
        values: dict[str, Secret] = source.read(parsed)
        return values
    found = source.read(parsed, names=tuple(PREFIX[role] + name for name in NAMES))
    return settled(parsed, complete(of_role(role, found)))


def read_url(reference: str) -> Secret:
    """Return the address behind a reference that messages go to: `env://PREFIX` reads PREFIX_URL, others field `url`.

    Raise SecretUnavailable as `read` does.
    """
    source, parsed = _source(reference)
    values: dict[str, Secret] = source.read(parsed, names=(URL,))
    return values[URL]


def write(reference: str, values: Mapping[str, Secret], *, replace: bool = False) -> None:
    """Put a complete new key where the reference leads; fields of others that lie there are kept.

    Raise SecretUnavailable when a key is there already and `replace` is not set, when the place cannot be written, or
    when what is read back is not what was written: an exchange shows a secret once.
    """
    source, parsed = _source(reference)
    source.write(parsed, values, replace)
    if source.read(parsed) != dict(values):
        raise SecretUnavailable(f"{parsed}: what is read back is not what was written; look at it before going on")


def stage(reference: str, values: Mapping[str, Secret]) -> None:
    """Put a key's successor beside it: who reads the reference goes on with the key in use. Raise SecretUnavailable."""
    source, parsed = _source(reference)

    def put(fields: dict[str, object]) -> dict[str, object] | Problem:
        new = merged({}, values, False)
        if isinstance(new, Problem):
            return new
        kept = arranged(fields, {"next": None})
        return kept if isinstance(kept, Problem) else kept | {PREFIX["next"] + name: new[name] for name in new}

    source.change(parsed, put)
    if read(reference, "next") != dict(values):
        raise SecretUnavailable(f"{parsed}: what is read back is not what was written; look at it before going on")


def arrange(reference: str, moves: Mapping[Role, Role | None]) -> None:
    """Move keys between their roles in one write: `{"current": "next", "retired": "current", "next": None}`.

    Raise SecretUnavailable where a role holds no whole key, or the place cannot be written.
    """
    source, parsed = _source(reference)
    before = {role: read(reference, role) for role in moves.values() if role is not None}
    source.change(parsed, lambda fields: arranged(fields, moves))
    for role, was in moves.items():
        if was is not None and read(reference, role) != before[was]:
            raise SecretUnavailable(f"{parsed}: what is read back is not what was written; look at it before going on")


def inspect(reference: str) -> list[Fact]:
    """Return what is seen of the place: reachable, readable, tls, audit, rights, encrypted at rest, in this order.

    A manager that cannot be used is a fact, no error. Raise SecretUnavailable only for what is no reference.
    """
    source, parsed = _source(reference)
    facts: list[Fact] = source.inspect(parsed)
    return facts


def _source(reference: str) -> tuple[Any, Reference]:
    parsed = parse(reference)
    module = SOURCES.get(parsed.scheme)
    if module is None:
        known = ", ".join(f"{scheme}://" for scheme in SOURCES)
        raise SecretUnavailable(f"the reference's scheme is not known; {known} may be")
    source = importlib.import_module(f"{__name__}.{module}")
    if not source.FORM.match(parsed.path):
        raise SecretUnavailable(source.NEEDS)  # the path is not repeated: what stands there may be a secret
    return source, parsed
