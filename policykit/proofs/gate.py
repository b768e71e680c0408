"""Whether who must approve a loosened policy did: those that its `approvals:` names, by signature or by review.

What stood before the change says who may: an editor who takes `approvals` out, names others or asks for fewer persons
needs the consent of those who were named before, and of those who are named now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from policykit.errors import PolicykitError
from policykit.guard.approvals import of_policy
from policykit.guard.signatures import MAX_SIGNERS, NotSigned, Signed, matches, principals, read, verified
from policykit.policy.statement import digest_of

if TYPE_CHECKING:
    from policykit.model.approvals import Approvals
    from policykit.policy import EffectivePolicy
    from policykit.proofs.difference import Difference, PolicyDifference

#: The verdicts that somebody has to agree to.
LOOSENS: Final = ("looser", "different")
#: So many files of signatures are looked at, and none that is longer, bytes.
MAX_APPROVALS: Final = 1_000
MAX_FILE: Final = MAX_SIGNERS


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who agreed. `signed`: statements with their signatures; `reviewers`: names that approved where it is reviewed.

    `signers` is the content of the file of those who may sign (OpenSSH's allowed_signers), None where it is not at
    hand; `revoked` that of keys that sign nothing any more. `now_ms` is when the signatures are looked at (UTC ms).
    """

    now_ms: int
    signed: tuple[tuple[str, str], ...] = ()
    reviewers: tuple[str, ...] = ()
    signers: str | None = None
    revoked: str = ""


def gathered(
    difference: Difference,
    now_ms: int,
    *,
    reviewers: Iterable[str] = (),
    people: Mapping[str, str] | None = None,
    approvals: Iterable[Path] = (),
    signers: Path | None = None,
    revoked: Path | None = None,
) -> Evidence:
    """Read what there is of agreement. Raise PolicykitError for a file that is named and cannot be read.

    `people` says which person of the policies a reviewer's login is. Signatures are files `*.approval`: those that are
    named, of a folder all, and else those beside the new policies.
    """
    named = {login.lower(): person for login, person in (people or {}).items()}
    beside = {Path(one.new.file).parent for one in difference.policies if one.new is not None}
    places = tuple(approvals) or tuple(sorted(folder for folder in beside if folder.is_dir()))
    files = [file for place in places for file in (sorted(place.glob("*.approval")) if place.is_dir() else [place])]
    if len(files) > MAX_APPROVALS:
        raise PolicykitError(f"{files[MAX_APPROVALS]}: over {MAX_APPROVALS} files of signatures; take old ones away")
    return Evidence(
        now_ms,
        tuple(_both(file) for file in files),
        tuple(named.get(login.lower(), login) for login in reviewers),
        None if signers is None else _text(signers),
        "" if revoked is None else _text(revoked),
    )


def _both(file: Path) -> tuple[str, str]:
    try:
        statement, signature = read(_text(file))
    except PolicykitError as error:
        raise PolicykitError(f"{file}: {error}") from None
    return statement.text(), signature


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE + 1)  # a link to a device has no size
        if len(raw) > MAX_FILE:
            raise PolicykitError(f"{file}: over {MAX_FILE:,} bytes; it is no file of signatures or signers")
        return raw.decode("utf-8")
    except (OSError, ValueError) as error:
        raise PolicykitError(f"{file}: cannot be read ({type(error).__name__})") from None


class Consent(NamedTuple):
    """Who agreed to one loosened policy, of whom and how many are needed. `why`: what is missing; empty: nothing.

    `file` is the policy's: several may have one name.
    """

    file: str
    needed: int
    may: tuple[str, ...]
    agreed: tuple[str, ...]
    why: str = ""


def consents(difference: Difference, evidence: Evidence) -> tuple[Consent, ...]:
    """Return what came of asking, for each policy that is looser, or may be, or is new: one more may trade by it."""
    return tuple(
        _consent(one, evidence)
        for one in difference.policies
        if one.verdict in LOOSENS or one.old is None or _names_first(one)
    )


def _names_first(one: PolicyDifference) -> bool:
    """Tell whether persons are named where the file of signers said who may: a review asks for no key of theirs."""
    was, now = (policy.composed.approvals if policy else None for policy in (one.old, one.new))
    return was is not None and now is not None and was.by is None and now.by is not None


def _consent(one: PolicyDifference, evidence: Evidence) -> Consent:
    asked = [said for policy in (one.old, one.new) if policy and (said := policy.composed.approvals)]
    if not asked:
        return Consent(one.file, 1, (), (), "no `approvals:` of it says who may approve a looser policy")
    if one.old is not None and one.old.composed.approvals is None:
        why = "no `approvals:` stood in it before this change; add it by a change of its own"
        return Consent(one.file, asked[0].count, (), (), why)
    found: list[Consent] = []
    for said in asked:
        try:
            may = _may(said, evidence)
        except NotSigned as error:
            return Consent(one.file, said.count, (), (), str(error))
        signers, refused = _signers(one.new, evidence)
        agreed = dict.fromkeys((*signers, *_cased(evidence.reviewers, may)))
        # A name that the policy says is that person; what the file of signers has are patterns of names.
        names = tuple(n for n in agreed if n in may or (said.by is None and any(matches(one, n) for one in may)))
        missing = f"{len(names)} of {said.count} approved it{refused}" if len(names) < said.count else ""
        found.append(Consent(one.file, said.count, may, names, missing))
    # Of both the one that is not content yet, else the one that was asked first.
    return next((consent for consent in found if consent.why), found[0])


def _may(said: Approvals, evidence: Evidence) -> tuple[str, ...]:
    """Return the names, or patterns of names, of those who may approve. Raise NotSigned where nothing says who."""
    if said.by is not None:
        return tuple(said.by)
    if evidence.signers is None:
        raise NotSigned("approvals.by names nobody, and the file of signers is not at hand; give it with --signers")
    return principals(evidence.signers)


def _cased(reviewers: Iterable[str], may: tuple[str, ...]) -> tuple[str, ...]:
    """Write the names of reviewers as the policy has them: where code is reviewed, upper and lower case are one."""
    written = {one.lower(): one for one in may}
    return tuple(written.get(name.lower(), name) for name in reviewers)


class _OfAnother(NotSigned):
    """It is of a policy of another name: the folder has the signatures of all."""


def _signers(policy: EffectivePolicy | None, evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """Return who signed a policy as it would be, one name a key, and why the last one that does not count does not."""
    names: dict[str, str] = {}
    refused = ""
    for text, signature in evidence.signed if policy is not None else ():
        assert policy is not None
        try:
            signed = _signed(policy, text, signature, evidence)
        except _OfAnother:
            continue
        except NotSigned as error:
            refused = f"; a signature does not count: {error}"
        else:
            names.setdefault(signed.key, signed.statement.by)
    return tuple(names.values()), refused


def _signed(policy: EffectivePolicy, text: str, signature: str, evidence: Evidence) -> Signed:
    """Return a signature of this policy. Raise NotSigned."""
    if evidence.signers is None:
        raise NotSigned("the file of signers is not at hand; give it with --signers")
    one = verified(text, signature, signers=evidence.signers, revoked=evidence.revoked, at_ms=evidence.now_ms)
    said = one.statement
    if said.of != policy.name:
        raise _OfAnother(said.of)
    if said.subject != of_policy(policy):
        raise NotSigned(f"{said.by} signed {said.of} {said.digest[:19]}, and this is {policy.digest[:19]}")
    if said.signers != digest_of(evidence.signers):
        raise NotSigned(f"{said.by} signed with another file of signers in mind")
    if said.expires_ms is not None and evidence.now_ms > said.expires_ms:
        raise NotSigned(f"what {said.by} signed expired at {said.expires}")
    return one
