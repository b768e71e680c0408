"""Secrets by reference, one file a source. `read`, `write` and `inspect` are the doors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets.base import NAMES, URL, Fact, Reference, parse

__all__ = ["NAMES", "SOURCES", "Fact", "inspect", "read", "read_url", "write"]

#: Scheme -> module of this room, imported when the scheme is used; the libraries of a manager come with it only then.
SOURCES: Final = {"env": "env", "vault": "vault", "aws-sm": "aws_sm", "azure-kv": "azure_kv", "keyring": "keyring"}


def read(reference: str) -> dict[str, Secret]:
    """Return the secrets behind a reference, by name (`api_key`, `api_secret`, ...).

    Raise SecretUnavailable naming the reference and what is missing or refused, never a value.
    """
    source, parsed = _source(reference)
    values: dict[str, Secret] = source.read(parsed)
    return values


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
