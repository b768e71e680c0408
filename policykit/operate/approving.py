"""Lead a person to a signature: write the statement, have ssh-keygen sign it, keep both where every guard finds them.

The statement and its signature stand in one text, so that they can be made on the approver's own machine, where the
key is, and taken in on a host that has the store.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess  # nosec B404
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from policykit.errors import PolicykitError
from policykit.guard.approvals import KIND, Approval, approval, required
from policykit.guard.signatures import NotSigned, signer
from policykit.operate.person import person
from policykit.policy.statement import NAMESPACE, NOBODY, Statement, Subject, digest_of, state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policykit.policy import EffectivePolicy
    from policykit.store import Store

#: How long what is done once stays approved, where nobody says it, ms.
FOR_MS: Final = 3_600_000
#: How long a person has to touch a key or to type its passphrase, s.
SIGN_S: Final = 300


def drafted(subject: Subject, *, signers: str, by: str, why: str, now_ms: int, for_ms: int | None) -> Statement:
    """Return what is to be signed; `for_ms` None: for good. Raise PolicykitError for what no line can hold."""
    try:
        nonce = secrets.token_hex(8)
        return state(subject, signers=signers, why=why, by=by, now_ms=now_ms, for_ms=for_ms, nonce=nonce)
    except ValueError as error:
        raise PolicykitError(str(error)) from None


def signers_of(policy: EffectivePolicy, file: Path | None) -> str:
    """Return the digest of the file of signers that a policy names, or of a copy of it. Raise PolicykitError."""
    try:
        if file is not None:
            return digest_of(file.read_text(encoding="utf-8"))
        asked = required(policy)
        return NOBODY if asked is None else asked.digest
    except (OSError, ValueError) as error:
        raise PolicykitError(f"{file}: cannot be read ({type(error).__name__})") from None
    except NotSigned as error:
        raise PolicykitError(f"{error}; on another machine name a copy of the file with --signers") from None


def signed(statement: Statement, key: Path) -> str:
    """Have ssh-keygen sign a statement with a private key, or a public one of which ssh-agent has the other half.

    It asks for a passphrase or a touch on the terminal by itself. Raise PolicykitError.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise PolicykitError("ssh-keygen is not installed here; leave --sign out, and sign elsewhere what is written")
    command = [program, "-Y", "sign", "-n", NAMESPACE, "-f", str(key)]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=statement.text().encode(), stdout=subprocess.PIPE, timeout=SIGN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PolicykitError(f"ssh-keygen did not sign ({type(error).__name__})") from None
    if done.returncode != 0:
        raise PolicykitError(f"ssh-keygen did not sign with {key}; what it says stands above")
    return statement.text() + "\n" + done.stdout.decode("ascii")


def take(store: Store, statement: Statement, signature: str, now_ms: int) -> str:
    """Keep a signature for every guard of the store; return the fingerprint of its key.

    It is verified against the key that it names, and by each guard against who may sign there. Raise PolicykitError
    for one that is not of this statement; StoreUnavailable.
    """
    try:
        key = signer(statement.text(), signature)
        claim = person(statement.by, key).to_dict()
    except (NotSigned, ValueError) as error:
        raise PolicykitError(str(error)) from None
    account = "" if statement.account == NOBODY else statement.account
    name = f"{statement.what} {statement.of} {statement.digest[:19]} {statement.by} {key}"
    body = {"text": statement.text(), "signature": signature, "by": statement.by, "why": statement.why, "key": key}
    store.keep(account, KIND, name, {**body, "claim": claim}, now_ms)
    return key


def standing(store: Store, policy: EffectivePolicy, subject: Subject, now_ms: int) -> dict[str, Any]:
    """Return whether something is approved, by whom, and what is missing, as plain data."""
    found: Approval = approval(store, policy, subject, now_ms)
    return {
        "what": subject.what,
        "of": subject.of,
        "digest": subject.digest,
        "needed": found.needed,
        "approved": not found.why,
        "missing": found.why or None,
        "signed": [_told(one.statement, one.key) for one in found.signed],
    }


def _told(said: Statement, key: str) -> Mapping[str, str]:
    return {"by": said.by, "key": key, "at": said.at, "why": said.why, "expires": said.expires}
