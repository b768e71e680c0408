"""Verify who signed a statement: a signature of stock `ssh-keygen -Y sign`, by a key that a file of signers has.

The file is OpenSSH's `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS; OpenSSH 9.2): principals, options, key. Keys
of the types ed25519 and RSA are verified in this process (`sshsig`); others (a hardware key's `sk-` types, ECDSA) by
ssh-keygen where it is installed. What cannot be verified is not signed.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import shutil
import subprocess  # nosec B404
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from policykit.errors import PolicykitError
from policykit.policy.statement import MAX_LINE, NAMESPACE, Statement, parse

if TYPE_CHECKING:
    from sshsig.sshsig import SshsigSignature

#: The largest signature and the largest file of signers that are looked at, characters.
MAX_SIGNATURE: Final = 16_384
MAX_SIGNERS: Final = 65_536
#: How long ssh-keygen may take to verify, s.
VERIFY_S: Final = 10
#: The hashes that ssh-keygen signs over (PROTOCOL.sshsig, OpenSSH 9.2).
_HASHES: Final = (b"sha256", b"sha512")
_MISSING: Final = "sshsig is not installed, so no signature can be verified; pip install 'policykit-trading[signing]'"
_TIMES: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
#: The longest file that holds both, a statement and its signature, characters.
MAX_FILE: Final = MAX_SIGNATURE + 20 * MAX_LINE


class NotSigned(Exception):
    """A signature does not hold, in words."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement whose signature holds, and the fingerprint of the key that made it."""

    statement: Statement
    key: str


def verified(text: str, signature: str, *, signers: str, revoked: str, at_ms: int) -> Signed:
    """Return a statement and the key that signed it, as of the moment when it was taken in. Raise NotSigned.

    `signers` is what stands in the file of allowed signers; the key's own time must hold both when it was signed, as
    the statement says, and at `at_ms`. `revoked` has public keys, one a line.
    """
    try:
        statement = parse(text)
    except ValueError as error:
        raise NotSigned(str(error)) from None
    blob = _proved(text, signature)
    if blob in _keys(revoked):
        raise NotSigned(f"the key {fingerprint(blob)} is revoked")
    _allowed(statement, blob, signers, at_ms)
    return Signed(statement, fingerprint(blob))


def read(text: str, signature: str | None = None) -> tuple[Statement, str]:
    """Return the statement and the signature of a text that has both, or of two. Raise PolicykitError."""
    body, begin, rest = text[:MAX_FILE].partition(_BEGIN)
    if begin:
        body, signature = body.removesuffix("\n"), begin + rest
    try:
        if signature is None:
            raise ValueError("nobody has signed it; ssh-keygen -Y sign -n policykit -f KEY FILE does")
        return parse(body), signature
    except ValueError as error:
        raise PolicykitError(str(error)) from None


def signer(text: str, signature: str) -> str:
    """Return the fingerprint of the key that signed a text, whoever may sign. Raise NotSigned."""
    return fingerprint(_proved(text, signature))


def _proved(text: str, signature: str) -> bytes:
    """Return the key that signed a text for policykit."""
    outer = _read(signature)
    if outer.namespace != NAMESPACE.encode():
        raise NotSigned(f'it is signed for another purpose; ssh-keygen -Y sign -n "{NAMESPACE}" is needed')
    if outer.hash_algo not in _HASHES:
        raise NotSigned("it is signed over a hash that ssh-keygen does not use")
    _check(text, signature, outer.public_key)
    return outer.public_key


def fingerprint(blob: bytes) -> str:
    """Return a key's fingerprint as `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(sha256(blob).digest()).decode().rstrip("=")


def _read(signature: str) -> SshsigSignature:
    try:
        from sshsig.sshsig import SshsigSignature
    except ImportError:
        raise NotSigned(_MISSING) from None
    try:
        if len(signature) > MAX_SIGNATURE:
            raise ValueError
        return SshsigSignature.from_armored(signature.encode("ascii"))
    except Exception:  # noqa: BLE001  # a parser of foreign bytes: whatever it meets, it is no signature
        raise NotSigned("it is no signature of ssh-keygen (-----BEGIN SSH SIGNATURE-----)") from None


def _check(text: str, signature: str, blob: bytes) -> None:
    """Hold the signature against the text and the key that it names."""
    from sshsig import InvalidSignature, check_signature

    try:
        if check_signature(text, signature, NAMESPACE).openssh_str().split()[1] == base64.b64encode(blob).decode():
            return
    except NotImplementedError:
        if _check_elsewhere(text, signature):
            return
    except (InvalidSignature, ValueError, AssertionError):
        pass
    except Exception:  # noqa: BLE001  # as above
        raise NotSigned("the signature cannot be read") from None
    raise NotSigned("the signature is not of this statement")


def _check_elsewhere(text: str, signature: str) -> bool:
    """Verify by ssh-keygen a signature of a kind that sshsig does not know (ssh-keygen(1), -Y check-novalidate)."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise NotSigned("keys of this type are verified by ssh-keygen, which is not installed; sign with ed25519")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "signature")
        file.write_text(signature, encoding="ascii")
        command = [program, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(file)]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=VERIFY_S, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):
            raise NotSigned("ssh-keygen could not verify the signature") from None
    return done.returncode == 0


def _keys(text: str) -> Iterator[bytes]:
    """Yield the keys of a list, one a line, whatever stands before them. Raise NotSigned for a line without one."""
    if len(text) > MAX_SIGNERS or "\0" in text:
        raise NotSigned("the list of revoked keys cannot be read; public keys are needed, one a line")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = [blob for word in line.split() if (blob := _blob(word)) is not None]
        if not found:
            raise NotSigned("the list of revoked keys cannot be read; public keys are needed, one a line")
        yield from found


def _blob(word: str) -> bytes | None:
    """Return a public key's bytes: they start with the length of the name of its type, and that name."""
    try:
        blob = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(blob[:4], "big")
    return blob if 4 < length + 4 < len(blob) and blob[4 : 4 + length].isascii() else None


def _allowed(statement: Statement, blob: bytes, signers: str, at_ms: int) -> None:
    """Return where a line of the file lets this key sign as this person now. Raise NotSigned."""
    why = f"the signers' file has no key {fingerprint(blob)}"
    for line in _lines(signers):
        if _blob(line.base64_key) != blob:
            continue
        options = line.options or {}
        if "cert-authority" in options:
            why = "certificates are not taken; the signers' file needs the key itself"
        elif not matches(line.principals, statement.by):
            why = f"the key {fingerprint(blob)} is not {statement.by}'s"
        elif not matches(options.get("namespaces", "*"), NAMESPACE):
            why = f"the signers' file does not let {statement.by} sign for policykit (namespaces)"
        elif not (_in_time(options, statement.at_ms) and _in_time(options, at_ms)):
            why = f"the key of {statement.by} was not valid then (valid-after, valid-before)"
        else:
            return
    raise NotSigned(why)


def _lines(signers: str) -> list[Any]:
    from sshsig.allowed_signers import load_allowed_signers_file

    try:
        if len(signers) > MAX_SIGNERS:
            raise ValueError
        return list(load_allowed_signers_file(io.StringIO(signers)))
    except (ValueError, IndexError, NotImplementedError):
        raise NotSigned("the signers' file cannot be read; see ssh-keygen(1), ALLOWED SIGNERS") from None


def principals(signers: str) -> tuple[str, ...]:
    """Return the patterns of names that a file of signers has. Raise NotSigned for one that cannot be read."""
    found = (pattern for line in _lines(signers) for pattern in line.principals.split(","))
    return tuple(dict.fromkeys(pattern for pattern in found if pattern))


def matches(patterns: str, name: str) -> bool:
    """Tell whether a pattern-list of OpenSSH has a name (ssh_config(5), PATTERNS): `*`, `?`, and `!` to leave out."""
    found = False
    for pattern in patterns.split(","):
        wanted = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern.removeprefix("!"))
        if pattern and re.fullmatch(wanted, name, re.DOTALL):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _in_time(options: dict[str, str], at_ms: int) -> bool:
    after, before = (options.get(name) for name in ("valid-after", "valid-before"))
    return (after is None or _time_ms(after) <= at_ms) and (before is None or at_ms <= _time_ms(before))


def _time_ms(text: str) -> int:
    """Read a time of the signers' file: YYYYMMDD[HHMM[SS]], of this host's zone unless Z follows. Raise NotSigned."""
    bare = text.removesuffix("Z")
    try:
        found = datetime.strptime(bare, _TIMES[len(bare)])  # noqa: DTZ007  # its zone is set in the next line
        return round((found.replace(tzinfo=UTC) if bare != text else found.astimezone()).timestamp() * 1000)
    except (KeyError, ValueError, OverflowError):
        raise NotSigned(f'the signers\' file has "{text}" for a time; YYYYMMDD or YYYYMMDDHHMMSSZ is needed') from None
