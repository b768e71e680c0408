"""Which policy a guard has in force: its file's, read again when it changes, with those of other live versions of it.

A file that changed is taken whole or not at all: only if it loads, and only if it is nowhere looser, unless somebody
said that it may be. While another guard of the account lives that has another version of the same policy, every bound
of both applies (DESIGN 6).
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from policykit.errors import PolicyError, PolicykitError
from policykit.guard import approvals
from policykit.guard.ceiling import held
from policykit.guard.living import beats
from policykit.guard.settings import choose_key, told
from policykit.model import Policy
from policykit.policy import PAPER, EffectivePolicy, Layer, compare, compose, load, outspoken
from policykit.store import GuardInfo

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: The most changes that a message names; the journal has them all.
MAX_NAMED: Final = 3

_log = logging.getLogger("policykit.guard")
#: What tells that a file was written: when, how long it is, and which one it is.
_Mark = tuple[tuple[int, int, int] | None, ...]


class Reloaded(NamedTuple):
    """What a reload came to: whether another policy is in force now, and why, or why not."""

    taken: bool
    message: str
    looser: tuple[str, ...] = ()
    tighter: tuple[str, ...] = ()


class InForce:
    """The policy of one guard's file, and the versions that others have of it."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        #: What the file says; the guard's policy is this with every other live version.
        self.own = guard.policy
        self._mark = _mark(self.own)
        self._others: dict[str, str] = {}
        #: Why what the file says now is not in force; empty: it is.
        self.refused = ""
        #: Why increases wait though this policy is in force: persons have not signed it.
        self.problem: tuple[str, str] | None = None
        self._approvals = self._signatures()
        if guard.mode != "shadow":
            self._approved()

    def refresh(self) -> None:
        """Read the file again if it was written, and take in the versions that other live guards have now."""
        signed = self._signatures()
        if signed != self._approvals:
            self._approvals = signed
            self._mark = () if self.refused else self._mark  # what was refused may be signed now
            self.start()
        if _mark(self.own) != self._mark:
            done = self.reload(allow_loosen=self.guard.allow_loosen)
            _log.log(logging.INFO if done.taken else logging.WARNING, "%s", done.message)
        self.layer()

    def start(self) -> None:
        """Hold the policy against what was signed, and keep who may sign for its account. Raise StoreUnavailable."""
        if self.guard.mode != "shadow":
            approvals.pin(self.guard.store, self.own, self._approved(), self.guard.now())

    def _approved(self) -> approvals.Approval:
        found = self._approval(self.own)
        self.problem = (approvals.UNAPPROVED, f"increases wait for a signature: {found.why}") if found.why else None
        return found

    def _approval(self, policy: EffectivePolicy) -> approvals.Approval:
        guard = self.guard
        return approvals.approval(guard.store, policy, approvals.of_policy(policy), guard.now())

    def _signatures(self) -> tuple[object, ...]:
        """Return what tells that somebody signed, or that who may sign has changed."""
        said, guard = self.own.model.approvals, self.guard
        files = (os.environ.get(approvals.ENVIRONMENT), *((said.signers, said.revoked) if said else ()))
        rows = guard.store.kept(guard.account, approvals.KIND).items()
        return (*(written_at(file) for file in files if file), *((name, row["at_ms"]) for name, row in rows))

    def reload(self, *, allow_loosen: bool = False) -> Reloaded:
        """Read the file again and put what it says in force, if it loads and is nowhere looser, or may be."""
        guard, old = self.guard, self.own
        self._mark = _mark(old)  # before it is read: what is written meanwhile is read in the next round
        try:
            new = self._held(load(old.file, now_ms=guard.now()))
            choose_key(new, guard.key)
        except PolicyError as error:
            guard.telemetry.policy_rejected(old.file, tuple(dict.fromkeys(f.rule for f in error.findings)))
            return self._refused(str(error))
        except PolicykitError as error:
            return self._refused(str(error))
        self.refused = ""
        if new.version == old.version:
            self.own = new
            self._mark = _mark(new)
            return Reloaded(False, f"{new.file}: {new.name} {new.version} is in force already")
        changed = compare(old.model, new.model, guard.now())
        other = [
            *(f"{c.path} is {c.now}; it was {c.was}" for c in changed.identity),
            *([f"name is {new.name}; it was {old.name}"] if new.name != old.name else []),
        ]
        # One that went to paper is taken: nothing more is sent by it. It is simulated only after a restart.
        if other or new.account_key not in (guard.account, f"{guard.account}{PAPER}"):
            return self._refused("; ".join(other) or f"it is of {new.account_key}; restart to change that")
        # A key more, or less, is no matter of this guard, which signs with the one that it has.
        loosened = (c for c in changed.looser if not (c.verdict == "different" and c.path.startswith("keys.")))
        looser, tighter = tuple(map(str, loosened)), tuple(map(str, changed.tighter))
        found = self._approval(new) if guard.mode != "shadow" else approvals.Approval(False)
        if found.why:
            return self._refused(f"it is not approved: {found.why}", looser, tighter)
        if looser and not (allow_loosen or found.needed):
            return self._refused(
                f"it is looser ({_some(looser)}); say --allow-loosen if that is meant", looser, tighter
            )
        self._put(new, {name: text for name, text in self._others.items() if name != new.version})
        self.start()
        guard.announce(reloaded={"was": old.version, "looser": list(looser), "tighter": list(tighter)})
        what = f"looser: {_some(looser)}" if looser else "tighter, or the same, everywhere"
        return Reloaded(True, f"{new.file}: {new.name} {new.version} is in force, {what}", looser, tighter)

    def _refused(self, why: str, looser: tuple[str, ...] = (), tighter: tuple[str, ...] = ()) -> Reloaded:
        old = self.own
        message = f"{old.file}: what was written is not taken, and {old.name} {old.version} stays in force: {why}"
        self.refused = message
        said = {"name": old.name, "version": old.version, "why": why, "looser": list(looser), "tighter": list(tighter)}
        self.guard.store.event("policy.refused", said, self.guard.now())
        return Reloaded(False, message, looser, tighter)

    def layer(self) -> None:
        """Put in force the stage that was granted, and every bound of each version that another live guard has."""
        guard, own = self.guard, self._held(self.own)
        me = (guard.bot, guard.host, os.getpid())
        others = {
            info.policy_version: info.policy
            for info in guard.store.guards()
            if (info.account, info.policy_name) == (guard.account, self.own.name)
            and info.policy_version != own.version
            and (info.bot, info.host, info.pid) != me
            and info.policy
            and beats(info, guard.host, guard.now())
        }
        if others.keys() != self._others.keys() or own.version != self.own.version:
            self._put(own, others)
            guard.announce(layers=sorted(others))

    def _held(self, policy: EffectivePolicy) -> EffectivePolicy:
        """Return a policy at the stage that it may run at, and keep why it may send no increase."""
        guard = self.guard
        if guard.mode == "shadow" or guard.testing:
            return policy
        found = held(policy, guard.store)
        guard.stage_problem = found.problem
        return found.policy

    def _put(self, own: EffectivePolicy, others: dict[str, str]) -> None:
        """Compile what a file says with the other versions, then put it in force, both or nothing."""
        whole = own
        for version, text in sorted(others.items()):
            whole = _both(whole, version, text)
        self.guard.adopt(whole)
        self.own, self._others, self._mark = own, others, _mark(own)

    def info(self) -> GuardInfo:
        """Return what is told of this guard: its own version, since what others add is not its word."""
        guard, own = self.guard, self.own
        file, text = os.path.abspath(own.file), json.dumps(told(own), separators=(",", ":"))
        who = (guard.bot, guard.host, os.getpid(), guard.account)
        at, to = guard.now(), guard.endpoint or ""
        what = (own.name, own.version, file, guard.mode)
        signs = (guard.signer.key_id, guard.signer.why)
        unproven = "" if guard.stage_problem is None else guard.stage_problem[1]
        candidate = (guard.shadow.run if guard.shadow is not None else "", guard.beside.why)
        loosens = guard.allow_loosen
        return GuardInfo(*who, *what, at, text, to, guard.key, guard.looping, *signs, unproven, *candidate, loosens)


def _both(own: EffectivePolicy, version: str, text: str) -> EffectivePolicy:
    """Return a policy with every bound of another version of it; no waiver of that one counts."""
    try:
        data = json.loads(text)
        data.pop("waivers", None)
        other = Policy.model_validate(data)
    except (ValueError, TypeError):  # pydantic's is a ValueError
        # Written by another version of this library, in words that this one does not have.
        _log.warning("version %s of %s, which another live guard has, cannot be read here", version, own.name)
        return own
    theirs, ours = (outspoken(*pair) for pair in ((other, own.model), (own.model, other)))
    assert isinstance(theirs, Policy)
    assert isinstance(ours, Policy)
    met, _ = compose(Layer(theirs, MappingProxyType({})), Layer(ours, own.origins), strict=False)
    return replace(own, model=met.model, origins=MappingProxyType({**own.origins, **met.places}))


def _mark(policy: EffectivePolicy) -> _Mark:
    return tuple(written_at(file) for file in policy.files)


def written_at(file: str) -> tuple[int, int, int] | None:
    """Return what tells that a file was written: when, how long it is, which one it is; None: it cannot be seen."""
    try:
        told = os.stat(file)
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino


def _some(changes: tuple[str, ...]) -> str:
    more = len(changes) - MAX_NAMED
    return ", ".join(changes[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
