"""Keys of persons, and signatures as `ssh-keygen -Y sign` makes them, without ssh-keygen (PROTOCOL.sshsig, OpenSSH).

`.ci/verify/signatures.py` holds the same against stock ssh-keygen, both ways.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

if TYPE_CHECKING:
    from policykit.policy.statement import Statement, Subject

#: As `policykit.policy.statement`: what stands in for ssh-keygen has no time to load it.
NAMESPACE = "policykit"


def packed(*parts: bytes) -> bytes:
    """Write strings as SSH does: each behind its length."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass
class Signer:
    """A person with a key."""

    name: str
    key: Any

    @property
    def line(self) -> str:
        """The public key as in a `.pub` file, without a comment."""
        public = self.key.public_key()
        return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()

    @property
    def blob(self) -> bytes:
        return base64.b64decode(self.line.split()[1])

    @property
    def fingerprint(self) -> str:
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def sign(self, text: str, namespace: str = NAMESPACE, algorithm: str = "sha512") -> str:
        """Return an armored signature of a text."""
        hashed = hashlib.new(algorithm, text.encode()).digest()
        inner = b"SSHSIG" + packed(namespace.encode(), b"", algorithm.encode(), hashed)
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            made = packed(b"ssh-ed25519", self.key.sign(inner))
        elif isinstance(self.key, rsa.RSAPrivateKey):
            made = packed(b"rsa-sha2-512", self.key.sign(inner, padding.PKCS1v15(), hashes.SHA512()))
        else:
            made = packed(b"ecdsa-sha2-nistp256", b"no signature at all")
        outer = b"SSHSIG" + (1).to_bytes(4, "big")
        outer += packed(self.blob, namespace.encode(), b"", algorithm.encode(), made)
        words = base64.b64encode(outer).decode()
        lines = [words[at : at + 70] for at in range(0, len(words), 70)]
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def ed25519_signer(name: str) -> Signer:
    """Make a person with a usual key."""
    return Signer(name, ed25519.Ed25519PrivateKey.generate())


def rsa_signer(name: str) -> Signer:
    """Make a person with an older kind of key."""
    return Signer(name, rsa.generate_private_key(65537, 2048))


def ecdsa_signer(name: str) -> Signer:
    """Make a person with a kind of key that sshsig does not know."""
    return Signer(name, ec.generate_private_key(ec.SECP256R1()))


def allowed(*signers: Signer, options: str = "") -> str:
    """Return a file of allowed signers."""
    said = f"{options} " if options else ""
    return "# who may sign\n" + "".join(f"{one.name} {said}{one.line}\n" for one in signers)


def stated(subject: Subject, signer: Signer, now_ms: int, *, signers: str, for_ms: int | None = None) -> Statement:
    """Return what a person is about to sign."""
    from policykit.policy.statement import state

    return state(subject, signers=signers, why="OPS-12", by=signer.name, now_ms=now_ms, for_ms=for_ms, nonce="00" * 8)


def approve(
    store: Any, subject: Subject, signer: Signer, now_ms: int, *, signers: str, for_ms: int | None = None
) -> None:
    """Sign something and take it in, as `policykit approve` does."""
    from policykit.operate.approving import take

    statement = stated(subject, signer, now_ms, signers=signers, for_ms=for_ms)
    take(store, statement, signer.sign(statement.text()), now_ms)


def smuggle(store: Any, account: str, text: str, signature: str, now_ms: int) -> None:
    """Write a row as a thief of the store does: nothing is asked before it is kept."""
    from policykit.guard.approvals import KIND

    store.keep(account, KIND, f"smuggled {text[:200]}{signature[-80:]}", {"text": text, "signature": signature}, now_ms)
