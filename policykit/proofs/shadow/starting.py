"""Start a candidate beside a policy, stop it, and find the one that is meant."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.clock import iso
from policykit.errors import PolicykitError
from policykit.guard.beside import KIND, Run, run_of, runs_of
from policykit.guard.ceiling import held
from policykit.guard.settings import read_back, told
from policykit.policy import PAPER, EffectivePolicy, compare, load

if TYPE_CHECKING:
    from policykit.store import GuardInfo, Store

#: How long a candidate runs where nobody says it, ms: one day.
FOR_MS: Final = 86_400_000
#: The longest that one may be asked to run, ms: who forgets it does not pay for it for ever.
MAX_FOR_MS: Final = 90 * FOR_MS


class Who(NamedTuple):
    """Who gives a command, why, and what is known of them beside the name."""

    by: str
    why: str
    claim: Mapping[str, str]


class Started(NamedTuple):
    """A candidate that runs now, the one that it took the place of, and the version that it is held against."""

    run: Run
    replaces: Run | None


class Refused(PolicykitError):
    """The answer is no: nothing was changed."""


def start(store: Store, candidate: EffectivePolicy, active: str | None, for_ms: int, who: Who, now_ms: int) -> Started:
    """Keep a candidate where every guard of its account and name finds it. Raise PolicykitError, StoreUnavailable.

    `active`: the name or the file of the policy that it is a candidate for; None: the one of its own name.
    """
    if not 0 < for_ms <= MAX_FOR_MS:
        raise PolicykitError("--for: a candidate runs for more than nothing and at most 90d")
    of = _of_file(store, active, candidate, now_ms) if is_file(active) else _of_guards(store, active, candidate)
    against, same = of
    if same:
        raise Refused(f"{candidate.file}: {candidate.name} {candidate.version} is what is in force; nothing to try")
    before = runs_of(store, candidate.account_key).get(candidate.name)
    run = Run(
        id=f"{iso(now_ms)} {candidate.version}",
        state="running",
        account=candidate.account_key,
        name=candidate.name,
        version=candidate.version,
        digest=candidate.digest,
        file=os.path.abspath(candidate.file),
        host=socket.gethostname(),
        against=against,
        by=who.by,
        why=who.why,
        started_ms=now_ms,
        until_ms=now_ms + for_ms,
        policy=told(replace(candidate, model=candidate.composed)),
    )
    keep(store, run, who, now_ms)
    return Started(run, before if before is not None and before.runs(now_ms) else None)


def keep(store: Store, run: Run, who: Who, now_ms: int) -> None:
    """Write a candidate's row, as `who` says it. Raise StoreUnavailable."""
    said: dict[str, Any] = {name: value for name, value in run._asdict().items() if value is not None}
    said |= {"run": said.pop("id"), "by": who.by, "why": who.why, "claim": dict(who.claim)}
    store.keep(said.pop("account"), KIND, said.pop("name"), said, now_ms)


def stop(store: Store, run: Run, who: Who, now_ms: int) -> bool:
    """Stop a candidate; False: it did not run any more. Raise StoreUnavailable."""
    if not run.runs(now_ms):
        return False
    keep(store, run._replace(state="stopped", ended_ms=now_ms), who, now_ms)
    return True


def every_run(store: Store) -> list[Run]:
    """Return the newest candidate of each policy of every account that a guard traded. Raise StoreUnavailable."""
    accounts = sorted({info.account for info in store.guards()})
    return [run for account in accounts for _, run in sorted(runs_of(store, account).items())]


def found(store: Store, policy: str | None, now_ms: int) -> Run:
    """Return the candidate that is meant: of a policy by name or file, or the only one. Raise PolicykitError."""
    if policy is not None and is_file(policy):
        loaded = load(policy, now_ms=now_ms)
        run = run_of(store.kept(loaded.account_key, KIND).get(loaded.name))
        runs = [] if run is None else [run]
    else:
        runs = [run for run in every_run(store) if policy in (None, run.name)]
    if len(runs) > 1:
        runs = [run for run in runs if run.runs(now_ms)] or runs
    if not runs:
        of = f" for {policy}" if policy else ""
        raise Refused(f"no candidate was started{of}; policykit shadow start NEW --by NAME --why TEXT starts one")
    if len(runs) > 1:
        names = ", ".join(f"{run.name} on {run.account}" for run in runs)
        raise PolicykitError(f"there are several candidates ({names}); name one with --policy, by name or by file")
    return runs[0]


def policies_of(guards: Iterable[GuardInfo], run: Run) -> list[GuardInfo]:
    """Return the guards, live or not, of the policy that a candidate is for."""
    return [info for info in guards if (info.account, info.policy_name) == (run.account, run.name)]


def is_file(policy: str | None) -> bool:
    """Tell whether `--policy` names a file, and no policy by its name."""
    return policy is not None and (policy.endswith((".yaml", ".yml")) or os.sep in policy or Path(policy).is_file())


def _of_file(store: Store, active: str | None, candidate: EffectivePolicy, now_ms: int) -> tuple[str, bool]:
    """Hold a candidate against a policy's file; return the version in force by it, and whether both are the same."""
    policy = load(str(active), now_ms=now_ms)
    _same(candidate, policy.name, policy.account_key, policy)
    return held(policy, store).policy.version, policy.digest == candidate.digest


def _of_guards(store: Store, active: str | None, candidate: EffectivePolicy) -> tuple[str, bool]:
    """Hold a candidate against what guards have in force; return the newest version, and whether it is the same."""
    guards = store.guards()
    name, account = active or candidate.name, candidate.account_key
    mine = [info for info in guards if (info.policy_name, info.account) == (name, account)]
    if not mine:
        others = sorted({f"{info.policy_name} on {info.account}" for info in guards})
        known = f"it knows {', '.join(others)}" if others else "no guard has used it"
        raise Refused(
            f"{candidate.file}: is {candidate.name} for {account}; this store knows no guard of {name} there "
            f"({known}); start a bot first, name the bots' store (--store), or the active policy's file (--policy FILE)"
        )
    newest = max(mine, key=lambda info: info.beat_ms)
    try:
        policy = read_back(json.loads(newest.policy), newest.policy_name, newest.policy_file)
    except ValueError:  # not told, or in words of another version of this library: its guard judges for itself
        policy = None
    _same(candidate, name, account, policy)
    return newest.policy_version, newest.policy_version == candidate.version


def _same(candidate: EffectivePolicy, name: str, account: str, policy: EffectivePolicy | None) -> None:
    """Raise Refused unless a candidate is one for this policy: of its name, exchange, account and currency."""
    why = []
    if candidate.name != name:
        why.append(f"name is {candidate.name}; the active policy's is {name}")
    if policy is not None:
        why += [f"{c.path} is {c.now}; it is {c.was}" for c in compare(policy.model, candidate.model).identity]
    if candidate.account_key != account:
        suffix = " (a paper stage is an account of its own)" if PAPER in candidate.account_key + account else ""
        why.append(f"it is of {candidate.account_key}; the active policy trades {account}{suffix}")
    if why:
        raise Refused(f"{candidate.file}: is no candidate for {name}: {'; '.join(why)}")
