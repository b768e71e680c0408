"""Whether persons signed what is about to come into force: a policy, the end of a halt, a stage.

Who may sign stands in a file of the host (`approvals.signers`), outside of the folder that who edits the policy can
write. What it says, and how many must sign, is kept in the store when a policy first asks for it, and from then on is
changed only by a policy that those who could sign before have signed: an editor who takes `approvals` out of a policy,
points it at a file of their own, or adds a signer, finds that increases wait.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.guard.signatures import MAX_SIGNERS, NotSigned, Signed, verified
from policykit.policy import PAPER, load
from policykit.policy.statement import NOBODY, Subject, digest_of
from policykit.store.staging import stage_account

if TYPE_CHECKING:
    from policykit.engine.facts import Halt
    from policykit.policy import EffectivePolicy
    from policykit.store import Store

#: Every policy that is loaded on this host must be signed by these, whatever it says: for who owns the host.
ENVIRONMENT: Final = "POLICYKIT_SIGNERS"
#: Under which name the store keeps who may sign for an account.
PIN: Final = "signers"
#: The kind of the rows.
KIND: Final = "approval"
#: A clock of a signer may be this far ahead, ms.
AHEAD_MS: Final = 300_000
#: The reason code while nobody has signed.
UNAPPROVED: Final = "POLICY_UNAPPROVED"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Who must sign: `signers` is the content of the file, `count` how many persons, `by` who of them may."""

    signers: str
    revoked: str = ""
    count: int = 1
    by: tuple[str, ...] = ()
    covers: tuple[str, ...] = ("resume", "stage")
    #: Where the list of revoked keys lies: it counts as it is now, also once the policy names it no more.
    revoked_file: str = field(default="", compare=False)
    #: Where the file of signers lies, and what it says now: a key whose line was taken out of it signs nothing more.
    file: str = field(default="", compare=False)
    now: str | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """The digest of the file, as statements name it."""
        return digest_of(self.signers)


class Approval(NamedTuple):
    """Whether something may be. `why` says why not; empty: it may. `needed`: only since persons signed it."""

    needed: bool
    why: str = ""
    signed: tuple[Signed, ...] = ()


def approval(store: Store, policy: EffectivePolicy, subject: Subject, now_ms: int) -> Approval:
    """Tell whether something that concerns a policy was approved by whom it, its host or its account's past asks.

    The one place where that is decided: a policy in force, a reload, `resume` and `stage promote` ask here. Raise
    StoreUnavailable.
    """
    try:
        own, asked = _asked(store, policy, subject)
    except NotSigned as error:
        return Approval(True, str(error))
    rows = store.kept("" if subject.account == NOBODY else subject.account, KIND) if asked else {}
    signed: tuple[Signed, ...] = ()
    for one in dict.fromkeys(asked):
        why, signed = _signed(one, rows, subject, own.digest if own else NOBODY, now_ms)
        if why:
            return Approval(True, why)
    return Approval(bool(asked), signed=signed)


def uncounted(store: Store, policy: EffectivePolicy, subject: Subject, text: str, signature: str, now_ms: int) -> str:
    """Return why none of those who ask for signatures would count this one; empty: one would, or nobody asks.

    Raise StoreUnavailable.
    """
    why = ""
    try:
        for one in _asked(store, policy, subject)[1]:
            try:
                _taken(one, {"text": text, "signature": signature, "at_ms": now_ms}, subject, now_ms)
            except NotSigned as error:
                why = str(error)
            else:
                return ""
    except NotSigned as error:
        return str(error)
    return why


def of_policy(policy: EffectivePolicy) -> Subject:
    """Name a policy as it would be in force."""
    return Subject("policy", policy.account_key, policy.name, policy.digest)


def of_resume(scope: str, halts: Iterable[Halt]) -> Subject:
    """Name the end of the halts of a scope: a halt that comes later is none of these, and needs another word."""
    lifted = [h for h in halts if scope in ("all", h.scope)]
    said = sorted(f"{h.scope}\n{h.state}\n{h.by}\n{h.why}\n{h.at_ms}\n{h.freeze}" for h in lifted)
    return Subject("resume", NOBODY, scope, digest_of("\n\n".join(said)))


def of_stage(policy: EffectivePolicy, stage: str) -> Subject:
    """Name a stage that a policy enters, as it stands."""
    return Subject("stage", policy.account_key, f"{policy.name} {stage}", policy.digest)


def unapproved_resume(store: Store, files: Iterable[str], scope: str, now_ms: int) -> str | None:
    """Return why the halts of a scope may not be lifted yet, by these files and by the store; None: they may."""
    subject = of_resume(scope, store.halts())
    command = f"policykit approve resume --scope {scope} --by NAME --why TEXT --sign KEY"
    for file in files:
        policy = load(file, now_ms=now_ms)
        found = approval(store, policy, subject, now_ms)
        if found.why:
            return f"{policy.file}: approvals: {found.why}; {command}"
    # What a file says now is its editor's word; who could sign for an account that guards traded stands in the store.
    rows = store.kept("", KIND)
    for account in sorted({_live(guard.account) for guard in store.guards()}):
        try:
            asked = pinned(store, account)
            why = _signed(asked, rows, subject, NOBODY, now_ms)[0] if asked and "resume" in asked.covers else ""
        except NotSigned as error:
            why = str(error)
        if why:
            return f"{account}: approvals: {why}; {command}"
    return None


def required(policy: EffectivePolicy) -> Requirement | None:
    """Return who must sign by the policy and by the host, the files read; None: nobody. Raise NotSigned."""
    said, host = policy.model.approvals, os.environ.get(ENVIRONMENT)
    if not host and (said is None or said.signed != "required"):
        return None
    path = host or (said.signers if said else "")
    if said is None:
        return Requirement(_content(path, policy), file=path)
    revoked = _content(said.revoked, policy) if said.revoked else ""
    covers = tuple(what for what in ("resume", "stage") if getattr(said, what))
    by, lists = tuple(said.by or ()), (said.revoked or "", path)
    return Requirement(_content(path, policy), revoked, said.count, by, covers, *lists)


def pinned(store: Store, account: str) -> Requirement | None:
    """Return who could sign for an account when that was last agreed; None: nobody had to. Raise NotSigned."""
    body = store.kept(account, KIND).get(PIN)
    if body is None or not body.get("asks"):
        return None
    try:
        said = body["asks"]
        listed, file = str(said["revoked_file"]), str(said["file"])
        revoked, now = _as_it_is(listed, str(said["revoked"])), _as_it_is(file, str(said["signers"]))
        count, by, covers = int(said["count"]), tuple(said["by"]), tuple(said["covers"])
        return Requirement(str(said["signers"]), revoked, count, by, covers, listed, file, now)
    except (KeyError, TypeError, ValueError):
        raise NotSigned("the store does not say who could sign before; it was written by another version") from None


def pin(store: Store, policy: EffectivePolicy, found: Approval, now_ms: int) -> None:
    """Keep who may sign for an account: when a policy first asks for it, and when who could before agreed to change.

    Raise StoreUnavailable.
    """
    try:
        own, before = required(policy), pinned(store, _of(policy))
    except NotSigned:
        return
    if own == before or (before is not None and found.why):
        return
    said = None if own is None else {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(own).items()}
    (said or {}).pop("now", None)
    body = {"asks": said, "policy": policy.name, "digest": policy.digest}
    store.keep(_of(policy), KIND, PIN, body, now_ms)


def _asked(store: Store, policy: EffectivePolicy, subject: Subject) -> tuple[Requirement | None, list[Requirement]]:
    """Return who must sign by the policy itself, and all who must: by it, and by what was agreed before."""
    # A stage is granted to the account that trades for real, whatever environment the file at hand says.
    pins = {_of(policy)} | ({stage_account(policy)} if subject.what == "stage" else set())
    own = required(policy)
    before = [pinned(store, account) for account in sorted(pins)]
    return own, [one for one in (own, *before) if one and (subject.what == "policy" or subject.what in one.covers)]


def _of(policy: EffectivePolicy) -> str:
    return _live(policy.account_key)


def _live(account: str) -> str:
    """Return the account under which it is kept who may sign: paper's is the one that it goes on to trade."""
    return account.removesuffix(PAPER)


def _signed(
    asked: Requirement, rows: Mapping[str, Mapping[str, Any]], subject: Subject, signers: str, now_ms: int
) -> tuple[str, tuple[Signed, ...]]:
    """Return why a requirement is not met, or nothing, and the signatures that meet it."""
    count, refused, groups = asked.count, "", dict[tuple[str, str], list[Signed]]()
    for row in rows.values():
        if "text" not in row or f"\nof: {subject.of}\n" not in str(row["text"]):
            continue
        try:
            one = _taken(asked, row, subject, now_ms)
        except NotSigned as error:
            refused = str(error)
            continue
        groups.setdefault((one.statement.digest, one.statement.signers), []).append(one)
    wanted = (subject.digest, signers) if subject.what == "policy" else (subject.digest, NOBODY)
    agreed = {what: persons for what, each in groups.items() if len(persons := _persons(each)) >= count}
    have = _persons(groups.get(wanted, []))
    if wanted not in agreed:
        names = ", ".join(one.statement.by for one in have)
        said = f" ({names})" if names else f" (the last signature: {refused})" if refused else ""
        return f"{len(have)} of {count} signed {subject.what} {subject.of}{said}", ()
    # Who approves another version takes the word back that was given for this one: it must not come back by itself.
    when = {what: persons[count - 1].statement.at_ms for what, persons in agreed.items()}
    if subject.what == "policy" and when[wanted] < max(when.values()):
        return f"another version of {subject.of} was approved after this one; sign this one again to go back", ()
    return "", tuple(have)


def _taken(asked: Requirement, row: Mapping[str, Any], subject: Subject, now_ms: int) -> Signed:
    """Return the signature of a row, as far as it holds now and is about this account, policy or scope."""
    taken_ms = row.get("at_ms")
    if not isinstance(taken_ms, int) or taken_ms > now_ms + AHEAD_MS:
        raise NotSigned("it was taken in the future")
    text, signature = str(row["text"]), str(row.get("signature"))
    one = verified(text, signature, signers=asked.signers, revoked=asked.revoked, at_ms=taken_ms)
    if asked.now is not None:
        verified(text, signature, signers=asked.now, revoked=asked.revoked, at_ms=taken_ms)
    said = one.statement
    if (said.what, said.account, said.of) != (subject.what, subject.account, subject.of):
        raise NotSigned("it is about something else")
    if asked.by and said.by not in asked.by:
        raise NotSigned(f"{said.by} is not among approvals.by")
    if said.at_ms > taken_ms + AHEAD_MS:
        raise NotSigned(f"{said.by} signed it in the future; the clocks differ")
    if said.expires_ms is None and subject.what != "policy":
        raise NotSigned("it has no end; what is done once is approved for a time")
    if said.expires_ms is not None and now_ms > said.expires_ms:
        raise NotSigned(f"what {said.by} signed expired at {said.expires}")
    return one


def _persons(signed: Iterable[Signed]) -> list[Signed]:
    """Return one signature a person and a key, the newest first: two persons are two keys."""
    found: list[Signed] = []
    for one in sorted(signed, key=lambda each: -each.statement.at_ms):
        if not any(one.statement.by == other.statement.by or one.key == other.key for other in found):
            found.append(one)
    return found


def _as_it_is(path: str, kept: str) -> str:
    """Read a file of this host; where it has none, what was kept of another host's counts. Raise NotSigned."""
    return _content(path) if path and os.path.lexists(path) else kept


def _content(path: str, policy: EffectivePolicy | None = None) -> str:
    """Read a file of keys that nobody but its owner can write, and that does not lie by a policy. Raise NotSigned."""
    file = Path(path)
    if not file.is_absolute():
        raise NotSigned(f'the signers\' file is "{path}"; an absolute path of this host is needed')
    try:
        folders = Path(os.path.realpath(path)).parents
        beside = policy is not None and Path(os.path.realpath(policy.file)).parent in folders
        if beside or any((one / ".git").exists() for one in folders):
            raise NotSigned(f"{path}: lies beside the policy or in a repository: who edits the policy could write it")
        if os.stat(path).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotSigned(f"{path}: others than its owner can write it; chmod go-w")
        with file.open(encoding="utf-8") as opened:
            content = opened.read(MAX_SIGNERS + 1)
    except (OSError, ValueError) as error:
        raise NotSigned(f"{path}: who may sign cannot be read ({type(error).__name__})") from None
    if len(content) > MAX_SIGNERS:
        raise NotSigned(f"{path}: is longer than {MAX_SIGNERS:,} characters")
    return content
