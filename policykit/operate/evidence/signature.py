"""Sign a package's manifest as `ssh-keygen -Y` does, and look at such a signature; OpenSSH does both."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from policykit.operate.evidence.alone import MANIFEST
from policykit.redact import scrub

#: What a signature is for: one of another namespace is none of a package.
NAMESPACE: Final = "policykit-evidence"
SIGNATURE: Final = f"{MANIFEST}.sig"
#: A hardware key waits for a touch; an agent may ask.
SECONDS: Final = 120


class SignatureError(Exception):
    """A manifest could not be signed, or its signature does not hold: `PLACE: what is; what to do`."""


def sign(manifest: bytes, key: Path) -> bytes:
    """Return the signature by a key: a private key's file, or a public one whose private half an agent or token has."""
    if not key.is_file():
        raise SignatureError(f"{key}: there is no such file; a key of ssh-keygen is needed")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, MANIFEST)
        file.write_bytes(manifest)
        _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(file)], b"", str(key))
        return Path(folder, SIGNATURE).read_bytes()


def signer(manifest: bytes, signature: bytes, allowed: Path) -> str:
    """Return the name by which `allowed` (allowed_signers) knows who signed; raise where it does not, or none holds."""
    if not allowed.is_file():
        raise SignatureError(f"{allowed}: there is no such file; an allowed_signers file is needed")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, SIGNATURE)
        file.write_bytes(signature)
        found = _run(["-Y", "find-principals", "-s", str(file), "-f", str(allowed)], b"", str(allowed))
        name = found.splitlines()[0] if found else ""
        wanted = ["-Y", "verify", "-f", str(allowed), "-I", name, "-n", NAMESPACE, "-s", str(file)]
        _run(wanted, manifest, MANIFEST)
    return name


def holds(manifest: bytes, signature: bytes) -> str:
    """Return the fingerprint of the key that signed, of whom nothing is known; raise where the signature is no such."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, SIGNATURE)
        file.write_bytes(signature)
        said = _run(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(file)], manifest, MANIFEST)
    return said.rpartition(" ")[2].strip()


def _run(arguments: list[str], given: bytes, place: str) -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SignatureError("ssh-keygen: is not installed; OpenSSH is needed to sign and to look at signatures")
    try:
        done = subprocess.run(  # noqa: S603  # the program was looked up; its arguments are files and our own words
            [program, *arguments], input=given, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SignatureError(f"{place}: ssh-keygen did not answer in {SECONDS} s") from None
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SignatureError(f"{place}: {scrub(told[-1] if told else 'the signature does not hold')}")
    return done.stdout.decode("utf-8", "replace").strip()
