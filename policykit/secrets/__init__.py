"""Reading secrets by reference, one file a source. `read` is the one door."""

from __future__ import annotations

import importlib
from typing import Final

from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets.base import parse

#: Scheme -> module of this room.
SOURCES: Final = {"env": "env"}
#: Schemes of the policy language that this version cannot read yet.
LATER: Final = ("vault", "aws-sm", "azure-kv", "keyring")


def read(reference: str) -> dict[str, Secret]:
    """Return the secrets behind a reference, by name (`api_key`, `api_secret`, ...).

    Raise SecretUnavailable naming the scheme or what is missing, never a value.
    """
    parsed = parse(reference)
    module = SOURCES.get(parsed.scheme)
    if module is None:
        known = ", ".join(f"{scheme}://" for scheme in SOURCES)
        if parsed.scheme in LATER:
            raise SecretUnavailable(f"{parsed.scheme}:// is not in this version; {known} may be; use it, or wait")
        raise SecretUnavailable(f"the reference's scheme is not known; {known} may be")
    values: dict[str, Secret] = importlib.import_module(f"{__name__}.{module}").read(parsed)
    return values
