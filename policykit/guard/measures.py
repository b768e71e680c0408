"""What is measured now, of a store alone: the rooms under every limit, and each gauge of docs/telemetry.md.

A guard's own gauges, `policykit exporter`, `status` and the page all ask here, so no two of them disagree. What is not
known is left out, never 0. A bot that died is measured by what it said last: its last heartbeat stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from policykit.engine import Engine, compile_policy
from policykit.engine.facts import Facts
from policykit.engine.rooms import Room, rooms, symbols_of
from policykit.errors import PolicykitError
from policykit.guard.in_force import written_at
from policykit.guard.living import beats
from policykit.guard.settings import choose_key, trading
from policykit.model import Policy
from policykit.model.types import date_ms
from policykit.orders.recovery import SILENT_MS, silent
from policykit.policy import EffectivePolicy, load
from policykit.store import GuardInfo, Store
from policykit.telemetry import names

#: How old facts are before people are told: so many times what denies increases, and at least so much, ms.
OLD_TIMES: Final = 6
OLD_MS: Final = 60_000
#: What a comparison with the exchange finds, by kind.
DRIFT_KINDS: Final = ("order", "position", "balance")


class Sample(NamedTuple):
    """One value of one gauge of `names.METRICS`."""

    name: str
    value: float
    labels: Mapping[str, str]


class Watched(NamedTuple):
    """One policy on one account, as a guard of the store last had it in force."""

    info: GuardInfo
    live: bool
    engine: Engine

    @property
    def owner(self) -> str:
        """Name who tells of it in this process."""
        return f"{self.info.account} {self.info.bot}"

    @property
    def policy(self) -> EffectivePolicy:
        """Return the policy."""
        return self.engine.effective


def watched(store: Store, host: str, now_ms: int) -> tuple[Watched, ...]:
    """Return the policies that live guards have in force, and of accounts without one the last that was.

    One whose words this version cannot read is left out.
    """
    newest: dict[tuple[str, str, str], GuardInfo] = {}
    for info in sorted(store.guards(), key=lambda guard: guard.beat_ms):
        name = (info.account, info.policy_name, info.policy_version)
        newest.pop(name, None)  # so that they stay in the order of their last word
        newest[name] = info
    live = {name for name, info in newest.items() if beats(info, host, now_ms)}
    last = {info.account: name for name, info in newest.items() if not any(one[0] == info.account for one in live)}
    found = []
    for name, info in sorted(newest.items()):
        engine = _engine(info, host) if name in live or last.get(info.account) == name else None
        if engine is not None:
            found.append(Watched(info, name in live, engine))
    return tuple(found)


def _engine(info: GuardInfo, host: str) -> Engine | None:
    written = written_at(info.policy_file) if info.host == host else None
    return _compiled(info.policy, info.policy_name, info.policy_version, info.policy_file, info.key, written)


@lru_cache(maxsize=256)
def _compiled(
    text: str, name: str, version: str, file: str, key: str, written: tuple[int, int, int] | None
) -> Engine | None:
    """Compile a policy by what its guard told of it; where its file is at hand and says the same, with its places."""
    try:
        policy = _read(text, name, version, file, here=written is not None)
        key = choose_key(policy, key or None)
        served = trading(policy, key)
        return compile_policy(policy, None if served is None else served[0], key)
    except (PolicykitError, ValueError, TypeError):  # pydantic's is a ValueError
        return None


def _read(text: str, name: str, version: str, file: str, *, here: bool) -> EffectivePolicy:
    if here:
        try:
            policy = load(file)
            if policy.version == version:
                return policy
        except PolicykitError:
            pass  # it is another by now
    model = Policy.model_validate(json.loads(text))
    return EffectivePolicy(model, file, name, MappingProxyType({}), MappingProxyType({}), model)


def rooms_of(store: Store, engine: Engine, now_ms: int, bot: str = "") -> tuple[Room, ...]:
    """Return the room under each limit of a policy, as the next decision of its bot would find it.

    Raise StoreUnavailable.
    """
    account = engine.effective.account_key
    facts = store.facts(account, bot)
    out = dict.fromkeys(intent.order.symbol for intent in store.intents(account))
    return rooms(engine, facts, symbols_of(engine.setup, facts, out), lambda holds: store.used(holds, now_ms), now_ms)


def measure(
    store: Store, host: str, now_ms: int, of: tuple[Watched, ...] | None = None, *, counted: bool = True
) -> list[Sample]:
    """Return every gauge that a store tells, of all its accounts and guards; `of`: of these only.

    `counted` False leaves out what is counted against limits: it costs the most. Raise StoreUnavailable.
    """
    policies = watched(store, host, now_ms) if of is None else of
    samples = _of_guards(store.guards() if of is None else (one.info for one in policies), now_ms)
    samples += _halts(store, [one.info for one in policies])
    for one in policies:
        if one.live:
            samples.append(Sample(names.M_POLICY, 1, _in_force(one)))
        if one.live and one.info.loop:
            why = unread(one.policy, store.facts(one.info.account, ""), now_ms)
            samples.append(Sample(names.M_NOT_READ, float(bool(why)), _where(one.info.account)))
        if counted:
            samples += _of_rooms(rooms_of(store, one.engine, now_ms, one.info.bot), one.policy)
        samples += _of_keys(store, one.policy, host, now_ms)
    for account in dict.fromkeys(one.info.account for one in policies):
        samples += _of_account(store, account, now_ms)
    return _once(samples)


def unread(policy: EffectivePolicy, facts: Facts, now_ms: int) -> str:
    """Say why an account counts as not read, so that every increase is denied; empty: it is read."""
    max_age = policy.model.account.max_age
    old_ms = max(OLD_MS, OLD_TIMES * max_age.ms) if max_age is not None else OLD_MS
    if facts.equity is None:
        return "the account's equity is not known: it was never read, or nothing explains it"
    age_ms = now_ms - facts.equity.as_of_ms
    return f"the account was last read {age_ms // 1000} s ago" if age_ms > old_ms else ""


class KeyAge(NamedTuple):
    """When a key was made (UTC ms), whether the exchange said so, and when it is to be rotated; None: no rule of it.

    `exposed_ms`: since when it may be in other hands, and is due; where its age is not known, `made_ms` is that too.
    """

    key: str
    made_ms: int
    observed: bool
    due_ms: int | None
    exposed_ms: int | None = None


def key_ages(store: Store, policy: EffectivePolicy) -> tuple[KeyAge, ...]:
    """Return the age of each key of a policy that is known: as the last `lint --live` read it, else as declared.

    A key that was replaced since is as old as its successor. Raise StoreUnavailable.
    """
    lint, rotated = store.lints(policy.account_key).get(policy.name, {}), store.kept(policy.account_key, "rotation")
    read, marked = lint.get("keys", {}), store.kept(policy.account_key, "exposed")
    found = []
    for name, key in (policy.model.keys or {}).items():
        said = key.declared.created if key.declared else None
        made_ms, observed = read.get(name, None if said is None else date_ms(said)), name in read
        row = rotated.get(name, {})
        over_ms = 0 if row.get("aborted") else row.get("swapped_ms", 0)
        if over_ms and not (observed and lint.get("at_ms", 0) >= over_ms):
            made_ms, observed = max(made_ms or 0, row["staged_ms"]), False
        every = key.rotation.every if key.rotation else None
        due_ms = None if every is None or made_ms is None else made_ms + every.ms
        leaked_ms = exposed_ms(marked.get(name), row)
        if leaked_ms is not None:
            made_ms, due_ms = made_ms or leaked_ms, min(due_ms or leaked_ms, leaked_ms)
        if made_ms is not None:
            found.append(KeyAge(name, made_ms, observed, due_ms, leaked_ms))
    return tuple(found)


def exposed_ms(marked: Mapping[str, Any] | None, rotation: Mapping[str, Any] | None) -> int | None:
    """Return since when a key may be in other hands; None: it is not, or it was replaced since and is dead.

    A mark that was taken back is none.
    """
    if marked is None or "withdrawn" in marked:
        return None
    since: int = marked["at_ms"]
    replaced = rotation is not None and rotation.get("state") == "done" and not rotation.get("aborted")
    return None if replaced and rotation is not None and rotation["staged_ms"] >= since else since


def waiting(store: Store, policy: EffectivePolicy, host: str, now_ms: int) -> dict[str, int]:
    """Return how many live guards sign, or may sign, with the old key, of each key whose rotation is under way."""
    rows = store.kept(policy.account_key, "rotation")
    left = {name: str(row.get("retiring")) for name, row in rows.items() if row.get("state") == "swapping"}
    counts = {name: 0 for name in policy.model.keys or () if name in left}
    for info in store.guards() if counts else ():
        if info.account == policy.account_key and info.key in counts and info.signer in ("", left[info.key]):
            counts[info.key] += beats(info, host, now_ms)
    return counts


def _in_force(one: Watched) -> dict[str, str]:
    stage = one.policy.model.stage
    return {
        names.POLICY_ID: one.info.policy_name,
        names.POLICY_VERSION: one.info.policy_version,
        names.STAGE: stage.current if stage else "full-live",
        names.MODE: one.info.mode,
    }


def _where(account: str) -> dict[str, str]:
    """Return the labels of an account: play money never adds up with real, so a sandbox is named."""
    exchange, _, alias = account.partition("/")
    name, _, environment = alias.partition("@")
    where = {names.EXCHANGE: exchange, names.ACCOUNT: name}
    return where | {names.ENVIRONMENT: environment} if environment else where


def _of_guards(guards: Iterable[GuardInfo], now_ms: int) -> list[Sample]:
    """Return when each guard was heard; of one without a loop, or that ended, silence is no fault and goes untold."""
    samples = []
    for info in guards:
        if not info.loop and now_ms - info.beat_ms >= SILENT_MS:
            continue
        samples.append(Sample(names.M_HEARTBEAT, info.beat_ms / 1000, _where(info.account) | {names.BOT: info.bot}))
    return samples


def _halts(store: Store, guards: Iterable[GuardInfo]) -> list[Sample]:
    """Return 1 for each scope that is halted, and 0 for what else could be: all, and what each guard is of."""
    scopes = {"all"}
    for guard in guards:
        exchange = guard.account.partition("/")[0]
        scopes |= {f"exchange:{exchange}", f"account:{guard.account}", f"bot:{guard.bot}"}
    halts = {halt.scope: halt for halt in store.halts()}
    samples = [Sample(names.M_KILL, 0, {names.SCOPE_NAME: scope}) for scope in sorted(scopes) if scope not in halts]
    for scope, halt in halts.items():
        exercise = {names.DRILL: "true"} if halt.drill else {}
        samples.append(Sample(names.M_KILL, 1, {names.SCOPE_NAME: scope} | exercise))
    return samples


def _of_rooms(found: Iterable[Room], policy: EffectivePolicy) -> list[Sample]:
    samples = []
    for room in found:
        labels = _where(policy.account_key) | {names.POLICY_ID: policy.name}
        if room.used is None or room.limit is None or room.share is None:
            continue
        used, limit = float(room.used), float(room.limit)
        if room.kind == "budget":
            labels |= {names.BUDGET: room.key}
            samples.append(Sample(names.M_BUDGET_UTILIZATION, float(room.share), labels))
            samples += [Sample(names.M_BUDGET_USAGE, used, labels), Sample(names.M_BUDGET_LIMIT, limit, labels)]
        elif room.kind == "loss":
            labels |= {names.CHECK_ID: room.check, names.CHECK_UNIT: room.unit}
            samples += [Sample(names.M_LOSS_USAGE, used, labels), Sample(names.M_LOSS_LIMIT, limit, labels)]
        elif room.kind in ("position", "exposure"):
            samples.append(Sample(names.M_POSITION, float(room.share), labels | {names.CHECK_ID: room.check}))
    return samples


def _of_account(store: Store, account: str, now_ms: int) -> list[Sample]:
    facts, where = store.facts(account, ""), _where(account)
    unknown = sum(intent.state == "unknown" or silent(intent, now_ms) for intent in store.intents(account))
    samples = [Sample(names.M_UNKNOWN, unknown, where)]
    if facts.skew_ms is not None:
        samples.append(Sample(names.M_SKEW, facts.skew_ms / 1000, where))
    if facts.reconciled_ms is not None:
        samples.append(Sample(names.M_RECONCILE_AGE, (now_ms - facts.reconciled_ms) / 1000, where))
        for kind in DRIFT_KINDS:
            count = sum(drift.kind == kind for drift in facts.drift)
            samples.append(Sample(names.M_DRIFT, count, where | {names.DRIFT_KIND: kind}))
    return samples


def _of_keys(store: Store, policy: EffectivePolicy, host: str, now_ms: int) -> list[Sample]:
    samples = []
    for name, count in waiting(store, policy, host, now_ms).items():
        samples.append(Sample(names.M_KEY_WAITING, count, _where(policy.account_key) | {names.KEY: name}))
    for age in key_ages(store, policy):
        labels = _where(policy.account_key) | {names.KEY: age.key}
        if age.made_ms != age.exposed_ms:
            samples.append(Sample(names.M_KEY_AGE, (now_ms - age.made_ms) / 1000, labels))
        if age.due_ms is not None:
            samples.append(Sample(names.M_KEY_REMAINING, (age.due_ms - now_ms) / 1000, labels))
    found = store.lints(policy.account_key).get(policy.name, {}).get("findings", ())
    for severity, rule, count in found:
        labels = {names.POLICY_ID: policy.name, names.SEVERITY: severity, names.RULE: rule}
        samples.append(Sample(names.M_LINT, count, labels))
    return samples


def _once(samples: Iterable[Sample]) -> list[Sample]:
    """Return each series once: the fullest, where several versions of a policy or positions share one; all bind."""
    best: dict[tuple[str, tuple[tuple[str, str], ...]], Sample] = {}
    for sample in samples:
        name = (sample.name, tuple(sorted(sample.labels.items())))
        known = best.get(name)
        if known is None or (sample.value < known.value if sample.name in _LEAST else sample.value > known.value):
            best[name] = sample
    return list(best.values())


#: Of these the least is the one that binds.
_LEAST: Final = frozenset((names.M_BUDGET_LIMIT, names.M_LOSS_LIMIT, names.M_KEY_REMAINING))
