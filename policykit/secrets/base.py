"""What a secret source is: a reference in, named `Secret`s out; the value is never in a policy, message or log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from policykit.errors import SecretUnavailable
from policykit.redact import Secret

#: The names under which every source holds what an exchange needs.
NAMES: Final = ("api_key", "api_secret", "passphrase", "private_key", "uid", "wallet")
#: The longest reference that is read, in characters.
MAX_REFERENCE: Final = 512


class Reference(NamedTuple):
    """A parsed reference: `vault://kv/trading` is scheme `vault`, path `kv/trading`."""

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


def parse(text: str) -> Reference:
    """Read a reference. Raise SecretUnavailable without repeating the text: it may be a secret itself."""
    scheme, mark, path = text.partition("://")
    if not mark or not scheme or not path or len(text) > MAX_REFERENCE or not text.isprintable() or "@" in text:
        raise SecretUnavailable("the secret reference has no form SCHEME://PATH; env://PREFIX may be")
    return Reference(scheme, path)


def wrap(values: Mapping[str, str], reference: Reference) -> dict[str, Secret]:
    """Return the named values as secrets. Raise SecretUnavailable when there is no key, or a value is unusable."""
    out: dict[str, Secret] = {}
    for name in NAMES:
        value = values.get(name)
        if value is None:
            continue
        try:
            out[name] = Secret(value.strip())
        except ValueError as error:
            raise SecretUnavailable(f"{reference}: {name} is unusable: {error}") from None
    if not out:
        raise SecretUnavailable(f"{reference}: none of {', '.join(NAMES)} is there")
    return out
