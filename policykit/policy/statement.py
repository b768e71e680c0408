"""What a person signs: a few lines that say what, of what, why, by whom, and for how long.

The lines are the signature's only content: a guard reads them, and nothing that stands beside them in the journal. One
statement is written in one way only, so that no two texts mean the same and no text means two things. It names what
it approves by a digest, and whom it trusts (`signers`) by another: who signs a policy signs who may sign the next.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Final

from policykit.clock import iso

#: The first line: what it is, and the form of it.
HEAD: Final = "policykit approval 1"
#: The word under which it is signed (`ssh-keygen -Y sign -n policykit`): a signature for anything else is none here.
NAMESPACE: Final = "policykit"
#: The longest line after its name, and the most lines of a text that is looked at.
MAX_LINE: Final = 500
#: Of what is approved for good: a policy.
NEVER: Final = "never"
#: Where nobody has to sign.
NOBODY: Final = "none"
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

#: What is approved: a policy that comes into force, the end of a halt, a stage that is entered.
WHAT: Final = ("policy", "resume", "stage")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is approved: `what` is done, `of` which account, policy or scope, and the digest of its content."""

    what: str
    account: str
    of: str
    digest: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person approves. Times are UTC to the second; `expires` is a time, or `never`; `nonce` is random."""

    what: str
    account: str
    of: str
    digest: str
    signers: str
    why: str
    by: str
    at: str
    expires: str
    nonce: str

    @property
    def subject(self) -> Subject:
        return Subject(self.what, self.account, self.of, self.digest)

    @property
    def at_ms(self) -> int:
        """When it was signed, as who signed says."""
        return _ms(self.at)

    @property
    def expires_ms(self) -> int | None:
        """Until when it holds; None: for good."""
        return None if self.expires == NEVER else _ms(self.expires)

    def text(self) -> str:
        """Return the lines that are signed."""
        return "\n".join((HEAD, *(f"{name}: {value}" for name, value in asdict(self).items()), ""))


def parse(text: str) -> Statement:
    """Read the lines that were signed. Raise ValueError for what is not written as `Statement.text` writes it."""
    head, *lines = text[: MAX_LINE * (len(_NAMES) + 2)].split("\n")
    said = dict(line.partition(": ")[::2] for line in lines if line)
    if head != HEAD or tuple(said) != _NAMES:
        raise ValueError(f'it is no statement: "{HEAD}" and the lines {", ".join(_NAMES)} are needed')
    found = Statement(**said)
    # One text, one meaning: what is hidden, doubled or left out makes another text.
    if found.text() != text or not all(value.isprintable() and 0 < len(value) <= MAX_LINE for value in said.values()):
        raise ValueError("the statement was changed: it is not written as policykit writes it")
    for moment in (found.at, *({found.expires} - {NEVER})):
        if not _MOMENT.fullmatch(moment):
            raise ValueError(f'"{moment}" is no moment; 2026-11-22T10:00:00Z is needed')
        _ms(moment)
    if found.what not in WHAT:
        raise ValueError(f'"{found.what}" is nothing that is approved; {", ".join(WHAT)} may be')
    return found


def state(
    subject: Subject, *, signers: str, why: str, by: str, now_ms: int, for_ms: int | None, nonce: str
) -> Statement:
    """Write what is to be signed now; `for_ms` None: for good. Raise ValueError for what one line cannot hold."""
    at_ms = now_ms - now_ms % 1000
    expires = NEVER if for_ms is None else moment(at_ms + for_ms)
    said = Statement(**asdict(subject), signers=signers, why=why, by=by, at=moment(at_ms), expires=expires, nonce=nonce)
    return parse(said.text())


def moment(at_ms: int) -> str:
    """Write a time as statements have it."""
    return f"{iso(at_ms)[:19]}Z"


def digest_of(text: str) -> str:
    """Return `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


_NAMES: Final = tuple(one.name for one in fields(Statement))
