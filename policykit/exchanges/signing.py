"""Signed snapshots: an Ed25519 signature inside the file, over its canonical bytes.

    data = sign(to_dict(snapshot), private_key(path))      # policykit snapshot --sign KEYFILE
    verified(data, [public_key(path)])                      # policykit lint --state FILE --verify-key PUBFILE

Who can write the file cannot say what an exchange did not: CI lints what a host with the keys has signed. Keys are made
with `openssl genpkey -algorithm ed25519 -out sign.pem` and `openssl pkey -in sign.pem -pubout -out sign.pub.pem`.
`cryptography` comes with ccxt, which requires it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: What is signed begins with this, so that a signature of something else is none of a snapshot.
DOMAIN: Final = b"policykit snapshot 1\n"
#: The longest key file that is read, in bytes; an Ed25519 key in PEM has 119.
MAX_KEY_BYTES: Final = 16_384
_MAKE: Final = "openssl genpkey -algorithm ed25519 -out FILE makes one"
_PUBLIC: Final = "openssl pkey -in KEY -pubout -out FILE makes it"


def canonical(data: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed: the snapshot without its signature, keys sorted, no blanks, ASCII only."""
    plain = {name: value for name, value in data.items() if name != "signature"}
    return DOMAIN + json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign(data: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return a snapshot's document with its signature."""
    value = base64.b64encode(key.sign(canonical(data))).decode()
    return {**data, "signature": {"algorithm": "ed25519", "key": name_of(key.public_key()), "value": value}}


def verified(data: Mapping[str, Any], keys: Sequence[Ed25519PublicKey]) -> str:
    """Return why a document is not signed with one of the keys; empty when it is."""
    from cryptography.exceptions import InvalidSignature

    signature = data.get("signature")
    if not isinstance(signature, Mapping):
        return "it is not signed"
    if signature.get("algorithm") != "ed25519":
        return "its signature is of a kind that is not known"
    named = [key for key in keys if name_of(key) == signature.get("key")]
    if not named:
        return "it is signed with another key"
    try:
        value = base64.b64decode(str(signature.get("value")), validate=True)
        named[0].verify(value, canonical(data))
    except (InvalidSignature, binascii.Error, ValueError, RecursionError):
        return "its signature is wrong: it was changed after it was signed"
    return ""


def name_of(key: Ed25519PublicKey) -> str:
    """Name a public key: the first 12 hex digits of the SHA-256 of its 32 bytes."""
    return "sha256:" + hashlib.sha256(key.public_bytes_raw()).hexdigest()[:12]


def private_key(path: str | Path) -> Ed25519PrivateKey:
    """Read a private key (PEM, PKCS 8, not encrypted). Raise ValueError `PLACE: what is; what may be; what to do`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    raw = _read(path, "an Ed25519 private key (PEM)", _MAKE)
    if os.name == "posix" and os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"{path}: others may read it; only its owner may; chmod 600 it")
    try:
        key = load_pem_private_key(raw, None)
    except TypeError:
        raise ValueError(f"{path}: the key is encrypted; one without a password is needed; {_MAKE}") from None
    except Exception:  # noqa: BLE001 - cryptography raises ValueError, UnsupportedAlgorithm and errors of its backends
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: no Ed25519 private key; one in PEM is needed; {_MAKE}")
    return key


def public_key(path: str | Path) -> Ed25519PublicKey:
    """Read a public key (PEM). Raise ValueError `PLACE: what is; what may be; what to do`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    raw = _read(path, "an Ed25519 public key (PEM)", _PUBLIC)
    try:
        key = load_pem_public_key(raw)
    except Exception:  # noqa: BLE001 - as above
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: no Ed25519 public key; one in PEM is needed; {_PUBLIC}")
    return key


def _read(path: str | Path, needed: str, how: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ValueError(f"{path}: cannot be read ({reason}); {needed} is needed; {how}") from None
