"""`env://PREFIX`: `PREFIX_API_KEY`, `PREFIX_API_SECRET` and, where an exchange needs them, `_PASSPHRASE` and others."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets.base import NAMES, Reference, wrap

_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


def read(reference: Reference, environ: Mapping[str, str] | None = None) -> dict[str, Secret]:
    """Return what the environment holds under the prefix. Raise SecretUnavailable naming what is missing."""
    prefix = reference.path
    if not _PREFIX.match(prefix):
        raise SecretUnavailable("env:// needs a prefix of letters, digits and _ (env://BINANCE_MM)")
    source = os.environ if environ is None else environ
    values = {name: source.get(f"{prefix}_{name.upper()}", "") for name in NAMES}
    present = {name: value for name, value in values.items() if value.strip()}
    if not present:
        raise SecretUnavailable(
            f"{reference}: {prefix}_API_KEY is not set; set it and {prefix}_API_SECRET where the bot runs"
        )
    if "api_key" in present and not present.keys() & {"api_secret", "private_key"}:
        raise SecretUnavailable(f"{reference}: {prefix}_API_SECRET is not set; set it where the bot runs")
    return wrap(present, reference)
