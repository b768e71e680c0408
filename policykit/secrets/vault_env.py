"""What the environment says of a Vault or OpenBao server: where it is, and who asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from policykit.redact import Secret
from policykit.secrets import wire
from policykit.secrets.base import Problem

#: The file of `vault login`, and the longest that is read of it, in characters.
TOKEN_FILE: Final = ".vault-token"  # noqa: S105 - the name of a file
MAX_TOKEN: Final = 16_384


class Setting(NamedTuple):
    """Where the manager is and who asks: a role, or else a token."""

    url: str
    token: Secret | None
    role: Secret | None
    role_secret: Secret | None
    namespace: str | None
    verify: str | bool


def setting() -> Setting | Problem:
    """Return what the environment says, or what is missing of it."""
    url = _variable("ADDR")
    role, proof, token, namespace = (_variable(name) for name in ("ROLE_ID", "SECRET_ID", "TOKEN", "NAMESPACE"))
    for value in (url, role, proof, token, namespace):
        if isinstance(value, Problem):
            return value
    if not isinstance(url, str) or not url:
        return Problem("VAULT_ADDR is not set", "set it to the manager's https address", "unknown")
    if refused := wire.refused_address(url, "VAULT_ADDR"):
        return refused
    if os.environ.get("VAULT_SKIP_VERIFY") or os.environ.get("BAO_SKIP_VERIFY"):
        return Problem(
            "VAULT_SKIP_VERIFY is set, and then anyone may pose as the manager",
            "unset it and set VAULT_CACERT",
            "unknown",
        )
    if not role and not token:
        token = _token_file()
    if not role and not token:
        return Problem(
            "there is no token", "set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or log in", "unknown"
        )
    verify = wire.ca_bundle("BAO_CACERT", "VAULT_CACERT", "BAO_CAPATH", "VAULT_CAPATH")
    return Setting(
        url.rstrip("/"),
        None if role else _secret(token),
        _secret(role),
        _secret(proof),
        str(namespace) or None,
        verify,
    )


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _variable(name: str) -> str | Problem:
    """Return VAULT_name or BAO_name. Two that differ are a problem: one manager's token is not for another."""
    values = {value.strip() for full in (f"VAULT_{name}", f"BAO_{name}") if (value := os.environ.get(full, "")).strip()}
    if len(values) > 1:
        return Problem(f"VAULT_{name} and BAO_{name} differ", "unset the one that is not meant", "unknown")
    value = values.pop() if values else ""
    return (
        value
        if len(value) <= MAX_TOKEN and value.isprintable()
        else Problem(f"VAULT_{name} is unusable", "set it anew", "unknown")
    )


def _token_file() -> str:
    try:
        with (Path.home() / TOKEN_FILE).open(encoding="ascii") as handle:
            token = handle.read(MAX_TOKEN + 1).strip()
    except (OSError, ValueError, RuntimeError):
        return ""
    return token if len(token) <= MAX_TOKEN and token.isprintable() else ""
