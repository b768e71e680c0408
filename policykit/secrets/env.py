"""`env://PREFIX`: `PREFIX_API_KEY`, `PREFIX_API_SECRET` and, where an exchange needs them, `_PASSPHRASE` and others.

`PREFIX_API_KEY_FILE` names a file with the value instead, as containers mount secrets (`/run/secrets/...`): what is in
a file is in no process list, no `docker inspect`, and no child's environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from policykit.redact import Secret
from policykit.secrets.base import MAX_ANSWER, NAMES, Fact, Names, Problem, Reference, reading, settled, wrapped

FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
NEEDS = "env:// needs a prefix of letters, digits and _ (env://BINANCE_MM)"


def read(reference: Reference, environ: Mapping[str, str] | None = None, names: Names = NAMES) -> dict[str, Secret]:
    """Return what the environment holds under the prefix. Raise SecretUnavailable naming what is missing."""
    return settled(reference, _found(reference.path, os.environ if environ is None else environ, names))


def write(reference: Reference, values: Mapping[str, Secret], replace: bool = False) -> None:
    """Raise SecretUnavailable: what is set here ends with this process."""
    change(reference, dict)


def change(reference: Reference, work: Callable[[dict[str, object]], dict[str, object] | Problem]) -> None:
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
        names = ", ".join(_variable(reference.path, name, source) for name in found)
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


def _found(prefix: str, source: Mapping[str, str], names: Names = NAMES) -> dict[str, Secret] | Problem:
    values: dict[str, str] = {}
    for name in names:
        value = _value(_variable(prefix, name, source), source)
        if isinstance(value, Problem):
            return value
        values[name] = value
    present = {name for name, value in values.items() if value.strip()}
    if not present:
        needed = f"{prefix}_{names[0].upper()}"
        beside = f" and {prefix}_API_SECRET" if names is NAMES else ""
        return Problem(f"{needed} is not set", f"set it{beside} where the bot runs")
    if "api_key" in present and not present & {"api_secret", "private_key"}:
        return Problem(f"{prefix}_API_SECRET is not set", "set it where the bot runs")
    return wrapped(values, names)


def _variable(prefix: str, name: str, source: Mapping[str, str]) -> str:
    """Return the variable that says a value: that of a file where it is set."""
    plain = f"{prefix}_{name.upper()}"
    return f"{plain}_FILE" if source.get(f"{plain}_FILE", "").strip() else plain


def _value(variable: str, source: Mapping[str, str]) -> str | Problem:
    """Return what a variable says, or what is in the file that it names; two values are no value."""
    if not variable.endswith("_FILE"):
        return source.get(variable, "")
    plain = variable.removesuffix("_FILE")
    if source.get(plain, "").strip():
        return Problem(f"{plain} and {variable} are both set", "leave one of them out")
    try:
        with open(source[variable].strip(), encoding="utf-8") as file:
            value = file.read(MAX_ANSWER)
    except (OSError, ValueError):
        return Problem(f"the file that {variable} names cannot be read", "check its path, owner and mode")
    return value if value.strip() else Problem(f"the file that {variable} names is empty", "put the value there")
