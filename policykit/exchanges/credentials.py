"""What a client signs with: the names of its fields, which key it is, and the fields of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policykit.errors import SecretUnavailable
from policykit.exchanges.forms import hashed
from policykit.redact import Secret

#: Names of a secret source's fields -> ccxt's.
FIELDS: Final = {
    "api_key": "apiKey",
    "api_secret": "secret",  # nosec B105 - a field's name
    "passphrase": "password",  # nosec B105 - a field's name
    "private_key": "privateKey",
    "uid": "uid",
    "wallet": "walletAddress",
}


def signing(client: Any, credentials: Mapping[str, Secret]) -> dict[str, str]:
    """Return ccxt's fields of a key, by name. Raise SecretUnavailable for one without what this exchange needs."""
    needed = [name for name, field in FIELDS.items() if client.requiredCredentials.get(field)]
    given = {name: value.reveal() for name, value in credentials.items()}
    if "private_key" in given and "api_secret" not in given and "private_key" not in needed:
        given["api_secret"] = given.pop("private_key")  # an RSA or Ed25519 key signs in the secret's place
    missing = [name for name in needed if name not in given]
    if missing:
        raise SecretUnavailable(f"{client.id} needs {', '.join(missing)}; the secret source does not have it")
    return {FIELDS[name]: value for name, value in given.items()}


def key_id(credentials: Mapping[str, Secret]) -> str:
    """Name a key without showing it: the first 12 hex digits of the SHA-256 of its public part.

    A wallet's agents have no public part here: wallet and private key name them in this run, and the adapter's report
    by their address.
    """
    named = (credentials.get(name) for name in ("api_key", "wallet", "private_key"))
    return _id(*(None if one is None else one.reveal() for one in named))


def signs_with(client: Any) -> str:
    """Name the key that a client signs with, as `key_id` does; empty: it has none."""
    return _id(client.apiKey, client.walletAddress, client.privateKey)


def _id(api_key: str | None, wallet: str | None, private_key: str | None) -> str:
    public = api_key or wallet
    if not api_key and wallet and private_key:
        public = wallet + private_key
    return str(hashed(public)) if public else ""
