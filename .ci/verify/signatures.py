"""Signatures of stock ssh-keygen, every kind of key: the guard takes them, and what ssh-keygen refuses it refuses.

Each case is put to `ssh-keygen -Y verify` with the same file of signers, and to `policykit.guard.signatures`; both must
say the same. And what tests/guard/signing.py signs in Python, ssh-keygen takes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from policykit.guard.signatures import NotSigned, verified
from policykit.policy.statement import Statement, Subject, state
from tests.guard.signing import ed25519_signer, rsa_signer

TYPES = ("ed25519", "rsa", "ecdsa")
NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000


class Case(NamedTuple):
    """One way to sign and to allow: what stands before the key, under which word it is signed, by whom it is said."""

    name: str
    holds: bool
    principals: str = "alice@desk"
    options: str = ""
    namespace: str = "policykit"
    revoked: bool = False
    other_text: bool = False


def day(days: int) -> str:
    """Return a moment some days from now, as the file of signers has it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime((NOW_MS + days * DAY_MS) / 1000))


CASES = (
    Case("allowed", True),
    Case("by pattern", True, "*@desk,!bob@desk"),
    Case("within its time", True, options=f'valid-after="{day(-1)}",valid-before="{day(1)}"'),
    Case("for this namespace", True, options='namespaces="git,policykit"'),
    Case("another principal", False, "bob@desk"),
    Case("left out by pattern", False, "*@desk,!alice@*"),
    Case("run out", False, options=f'valid-before="{day(-1)}"'),
    Case("not valid yet", False, options=f'valid-after="{day(1)}"'),
    Case("for other namespaces", False, options='namespaces="git,file"'),
    Case("signed for git", False, namespace="git"),
    Case("revoked", False, revoked=True),
    Case("another statement", False, other_text=True),
)


def ssh_keygen(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(["ssh-keygen", *words], input=text, capture_output=True, text=True, check=False)


def statement(digest: str = "a") -> Statement:
    """Return what alice signs now."""
    subject = Subject("policy", "binance/main", "mm", "sha256:" + digest * 64)
    return state(subject, signers="none", why="OPS-12", by="alice@desk", now_ms=NOW_MS, for_ms=None, nonce="00" * 8)


def ours(text: str, signature: str, signers: str, revoked: str) -> bool:
    """Tell what the guard says."""
    try:
        verified(text, signature, signers=signers, revoked=revoked, at_ms=NOW_MS)
    except NotSigned:
        return False
    return True


def theirs(folder: Path, text: str, signature: str, signers: str, revoked: str) -> bool:
    """Tell what ssh-keygen says."""
    for name, content in (("signers", signers), ("sig", signature), ("revoked", revoked)):
        (folder / name).write_text(content)
    words = ["-Y", "verify", "-n", "policykit", "-I", "alice@desk", "-f", f"{folder}/signers", "-s", f"{folder}/sig"]
    return ssh_keygen(*words, *(["-r", f"{folder}/revoked"] if revoked else []), text=text).returncode == 0


def main() -> int:
    """Try every kind of key in every case; print where the two differ, or a case is not as it should be."""
    wrong, tried, text = [], 0, statement().text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in TYPES:
            key = folder / kind
            ssh_keygen("-q", "-t", kind, "-N", "", "-C", "", "-f", str(key))
            line = key.with_suffix(".pub").read_text().strip()
            for case in CASES:
                said = statement("b").text() if case.other_text else text
                signature = ssh_keygen("-Y", "sign", "-n", case.namespace, "-f", str(key), text=said).stdout
                signers = " ".join(filter(None, (case.principals, case.options, line))) + "\n"
                asked = (text, signature, signers, f"{line}\n" if case.revoked else "")
                found = (ours(*asked), theirs(folder, *asked))
                tried += 1
                if found != (case.holds, case.holds):
                    wrong.append(f"{kind}, {case.name}: here {found[0]}, ssh-keygen {found[1]}, expected {case.holds}")
        for signer in (ed25519_signer("alice@desk"), rsa_signer("alice@desk")):
            tried += 1
            if not theirs(folder, text, signer.sign(text), f"alice@desk {signer.line}\n", ""):
                wrong.append(f"{signer.line.split()[0]}: what the tests sign is no signature for ssh-keygen")
    print("\n".join(wrong) or f"signatures: {tried} cases, the guard and ssh-keygen say the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
