"""Put a candidate in the place of the policy that it was tried beside: on this host, by the policy's own file.

A guard reads its file by itself when it was written. So promoting is: hold all against what was tried and what is in
force, write the file whole or not at all, keep the old one beside it, and look which guards took it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from policykit.errors import PolicyError
from policykit.guard.approvals import Approval, approval, of_policy
from policykit.guard.beside import Run
from policykit.guard.ceiling import held
from policykit.guard.in_force import written_at
from policykit.guard.living import alive, beats
from policykit.guard.settings import told
from policykit.model import Policy
from policykit.policy import EffectivePolicy, compare, load
from policykit.proofs.shadow.starting import Refused, Who, keep, policies_of

if TYPE_CHECKING:
    from policykit.store import GuardInfo, Store

#: For how long it is looked which guards took it, s: three rounds of maintenance; and how often.
WAIT_S: Final = 15
LOOK_S: Final = 0.5
#: Stands in the name of the old file that is kept: FILE.before-VERSION.
BEFORE: Final = ".before-"
#: How a file ends that is being written: nothing takes it for a policy, whatever is left of it.
PART: Final = ".part"


class Took(NamedTuple):
    """What one live guard does about it: `has` the new version, or `why` not (yet)."""

    bot: str
    host: str
    pid: int
    has: bool
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done: nothing is changed yet."""

    run: Run
    file: Path
    old: EffectivePolicy
    new: EffectivePolicy
    found: Approval
    #: What tells that the policy's file was written, as of before it was read.
    mark: tuple[int, int, int] | None

    @property
    def done(self) -> bool:
        """Tell whether the file says it already."""
        return self.old.digest == self.new.digest


def planned(store: Store, run: Run, file: str | None, host: str, now_ms: int) -> Plan:
    """Hold a candidate against what it was when it was tried, and the policy's file against what is in force.

    Raise Refused, PolicyError, StoreUnavailable.
    """
    active = Path(file) if file is not None else _file_of(policies_of(store.guards(), run), run, host)
    new = _candidate(run, host, now_ms)
    mark = written_at(str(active))
    try:
        old = load(active, now_ms=now_ms)
    except PolicyError as error:
        raise Refused(f"{active}: does not load, so it is not what is in force; mend it first: {error}") from None
    if (old.name, old.account_key) != (run.name, run.account):
        raise Refused(f"{active}: is {old.name} of {old.account_key}; the candidate is for {run.name} of {run.account}")
    plan = Plan(run, active, old, new, approval(store, new, of_policy(new), now_ms), mark)
    if not plan.done:
        _unchanged(store, plan, host, now_ms)
        if active.is_symlink():
            raise Refused(f"{active}: is a link to {active.resolve()}; who keeps that file puts the candidate there")
        if plan.found.why:
            command = f"policykit approve policy {shlex.quote(run.file)} --by NAME --why TEXT --sign KEY"
            raise Refused(f"{run.file}: approvals: {plan.found.why}; {command}")
    return plan


def promote(store: Store, plan: Plan, who: Who, now_ms: int) -> str | None:
    """Write the candidate's text into the policy's file; return where the old one is kept, None: it was there already.

    Raise Refused where it would say something else there, StoreUnavailable.
    """
    kept = None if plan.done else _replaced(plan, now_ms)
    if plan.run.state != "promoted":
        keep(store, plan.run._replace(state="promoted", ended_ms=now_ms), who, now_ms)
    return kept


def watched(
    store: Store, plan: Plan, host: str, now_ms: Callable[[], int], sleep: Callable[[float], None]
) -> tuple[Took, ...]:
    """Look which live guards have the new version, until each that takes it by itself has it, or WAIT_S went by."""
    looks = round(WAIT_S / LOOK_S)
    for left in range(looks, -1, -1):
        said = tuple(taking(store, plan, host, now_ms()))
        if left == 0 or all(one.has or not _takes(one) for one in said):
            return said
        sleep(LOOK_S)
    raise AssertionError  # the last look returns


def taking(store: Store, plan: Plan, host: str, now_ms: int) -> Iterator[Took]:
    """Say of each live guard of the policy whether it has the new version, or what it waits for."""
    new = held(plan.new, store).policy
    for info in policies_of(store.guards(), plan.run):
        if beats(info, host, now_ms):
            has = info.policy_version in (new.version, plan.new.version)
            yield Took(info.bot, info.host, info.pid, has, "" if has else _why(info, plan, host, new))


#: What a guard that takes the file in its next round waits for.
_SOON: Final = "takes it in its next round"


def _takes(one: Took) -> bool:
    return one.why == _SOON


def _looser(info: GuardInfo, new: EffectivePolicy) -> bool:
    """Tell whether a version loosens what a guard has in force, as that guard will find it when it reads its file."""
    try:
        was = Policy.model_validate(json.loads(info.policy))
    except ValueError:  # in words of another version of this library
        return True
    return bool(compare(was, Policy.model_validate(told(new))).looser)


def _why(info: GuardInfo, plan: Plan, host: str, new: EffectivePolicy) -> str:
    if info.host != host:
        return f"has a file of its own there ({info.policy_file}): put it there as well"
    if os.path.realpath(info.policy_file) != os.path.realpath(plan.file):
        return f"reads another file ({info.policy_file})"
    if not (plan.found.needed or info.loosens) and _looser(info, new):
        return "keeps the old one until it is restarted: it is looser, and the guard was not loaded with allow_loosen"
    return _SOON if info.loop else "reads its file where the bot calls `maintain`: its maintenance loop does not run"


def commands(plan: Plan) -> tuple[str, ...]:
    """Return what commits the change where the file is in a repository; this is the person's to do."""
    folders = Path(os.path.abspath(plan.file)).parents
    if not any((folder / ".git").exists() for folder in folders):
        return ()
    file, what = shlex.quote(str(plan.file)), f"Promote {plan.run.name} {plan.run.version}: tried beside it"
    return (f"git add {file}", f"git commit -m {shlex.quote(what)} -- {file}")


def _candidate(run: Run, host: str, now_ms: int) -> EffectivePolicy:
    """Load the candidate's file, which must say what was tried."""
    if run.host != host and not Path(run.file).is_file():
        raise Refused(f"{run.file}: the candidate's file is on {run.host}; promote it there, or copy it here as it is")
    try:
        new = load(run.file, now_ms=now_ms)
    except PolicyError as error:
        raise Refused(f"{run.file}: the candidate does not load any more: {error}") from None
    if new.digest != run.digest:
        raise Refused(
            f"{run.file}: changed since it was started ({run.version}; now {new.version}): what it says now was not "
            "tried; policykit shadow start tries it"
        )
    return new


def _file_of(guards: Iterable[GuardInfo], run: Run, host: str) -> Path:
    """Return the policy's file on this host, as its guards name it."""
    files = {os.path.realpath(info.policy_file): info.policy_file for info in guards if info.host == host}
    if len(files) == 1:
        return Path(next(iter(files.values())))
    names = ", ".join(sorted(files.values()))
    known = f"guards of this host read several files ({names})" if files else "no guard of this host told its file"
    raise Refused(f"{run.name} on {run.account}: {known}; name the one to write: --policy FILE")


def _unchanged(store: Store, plan: Plan, host: str, now_ms: int) -> None:
    """Refuse a file that says something else than what is in force: the candidate was held against that."""
    file, mine = os.path.realpath(plan.file), policies_of(store.guards(), plan.run)
    live = [info for info in mine if beats(info, host, now_ms) and info.host == host]
    running = {info.policy_version for info in live if os.path.realpath(info.policy_file) == file}
    now = {plan.old.version, held(plan.old, store).policy.version}
    wanted = running or {plan.run.against}
    if not wanted & now:
        raise Refused(
            f"{plan.file}: changed since it came into force ({', '.join(sorted(wanted))}; the file says "
            f"{plan.old.version}): what it says was not what the candidate was held against; reload or restore it first"
        )


def _replaced(plan: Plan, now_ms: int) -> str:
    """Write the file whole or not at all, with its mode; keep the old one beside it."""
    file = plan.file
    kept = file.with_name(f"{file.name}{BEFORE}{plan.old.version.removeprefix('sha256:')}")
    parts = [file.with_name(f".{file.name}.{os.getpid()}.{what}{PART}") for what in ("new", "old")]
    new, old = parts
    try:
        _swept(file)
        shutil.copyfile(plan.new.file, new)
        shutil.copymode(file, new)
        _the_same(plan, new, now_ms)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        if written_at(str(file)) != plan.mark:
            raise Refused(f"{file}: was written meanwhile; that is somebody's work, and stays; promote again")
        shutil.copy2(file, old)
        if not kept.exists():
            parts.append(kept)  # it goes as well if the file stays
        old.replace(kept)  # whole or not at all, as well: it is the way back
        new.replace(file)
        parts.clear()
    except OSError as error:
        raise Refused(f"{file}: cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        _taken_away(parts)
    return str(kept)


def _swept(file: Path) -> None:
    """Take away what an earlier promote of this file left when it was killed."""
    left = re.compile(rf"\.{re.escape(file.name)}\.(\d+)\.(new|old){re.escape(PART)}")
    found = ((path, left.fullmatch(path.name)) for path in file.parent.iterdir())
    _taken_away(path for path, match in found if match is not None and not alive(int(match[1])))


def _taken_away(files: Iterable[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _the_same(plan: Plan, beside: Path, now_ms: int) -> None:
    """Refuse a text that says something else in the policy's folder: `extends` names files from where it lies."""
    try:
        there = load(beside, now_ms=now_ms)
        why = "" if there.digest == plan.new.digest else "other files of the same names are there"
    except PolicyError as error:
        why = str(error).replace(str(beside), str(plan.file))
    if why:
        raise Refused(f"{plan.file}: the candidate says something else there ({why}); see its `extends`")
