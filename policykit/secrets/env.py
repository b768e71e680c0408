"""`env://PREFIX`: `PREFIX_API_KEY`, `PREFIX_API_SECRET` and, where an exchange needs them, `_PASSPHRASE` and others."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from policykit.redact import Secret
from policykit.secrets.base import NAMES, Fact, Problem, Reference, reading, settled, wrapped

FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
NEEDS = "env:// needs a prefix of letters, digits and _ (env://BINANCE_MM)"


def read(reference: Reference, environ: Mapping[str, str] | None = None) -> dict[str, Secret]:
    """Return what the environment holds under the prefix. Raise SecretUnavailable naming what is missing."""
    return settled(reference, _found(reference.path, os.environ if environ is None else environ))


def write(reference: Reference, values: Mapping[str, Secret], replace: bool = False) -> None:
    """Raise SecretUnavailable: what is set here ends with this process."""
    problem = Problem(
        "an environment cannot be written from here",
        f"set {reference.path}_API_KEY and its fellows where the bot is started,"
        " or use vault://, aws-sm://, azure-kv:// or keyring://",
    )
    settled(reference, problem)


def inspect(reference: Reference, environ: Mapping[str, str] | None = None) -> list[Fact]:
    """Return what is known of the environment as a place for secrets."""
    source = os.environ if environ is None else environ
    found = _found(reference.path, source)
    readable = reading(found)[1]
    if not isinstance(found, Problem):
        names = ", ".join(f"{reference.path}_{name.upper()}" for name in found)
        readable = Fact("readable", "yes", f"the environment of this process holds {names}")
    return [
        Fact("reachable", "yes", "the environment of this process"),
        readable,
        Fact("tls", "yes", "nothing leaves this machine"),
        # G14 takes the environment of a locked-down host for a place, and asks a manager for its audit log.
        Fact(
            "audit",
            "unknown",
            "an environment keeps no record of who read it (G14)",
            "use a secrets manager with an audit log",
        ),
        Fact(
            "rights",
            "unknown",
            "every process of this user can read it, and every child inherits it",
            "let the bot run as a user of its own",
        ),
        Fact(
            "encrypted at rest",
            "unknown",
            "where the variables are set is not seen from here",
            "keep the file that sets them encrypted, or readable for this user alone",
        ),
    ]


def _found(prefix: str, source: Mapping[str, str]) -> dict[str, Secret] | Problem:
    values = {name: source.get(f"{prefix}_{name.upper()}", "") for name in NAMES}
    present = {name for name, value in values.items() if value.strip()}
    if not present:
        return Problem(f"{prefix}_API_KEY is not set", f"set it and {prefix}_API_SECRET where the bot runs")
    if "api_key" in present and not present & {"api_secret", "private_key"}:
        return Problem(f"{prefix}_API_SECRET is not set", "set it where the bot runs")
    return wrapped(values)
