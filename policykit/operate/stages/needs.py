"""What a policy needs before it leaves its stage: the guide's minima, its own `next_needs`, what the journal has of it.

What the journal does not show is missing: a need is met by rows, never by a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.errors import PolicykitError
from policykit.guard.settings import choose_key, trading
from policykit.model import Stage
from policykit.order import Order
from policykit.policy import EffectivePolicy
from policykit.rules.stages import LAST, MINIMUM_DAYS, STAGES
from policykit.store import Store
from policykit.store.reader import JournalReader
from policykit.store.staging import DAY_MS, PATHS, Progress, Seen, Staging, silent, stage_account, staging_of

#: A drill, and a proof of an address, are taken for so long where the policy says nothing.
FRESH_MS: Final = 30 * DAY_MS
#: Order types that are exercised where the policy allows any.
USUAL_TYPES: Final = ("limit", "market")
#: What a policy of a live account is to be in a sandbox, so that what happens there counts for it.
AS_SANDBOX: Final = (
    "as a policy of its own file with the same name and account, environment: sandbox and stage: {current: sandbox} "
    "(docs/stages.md)"
)
_WORDS: Final = {
    "denied": "an order denied by the policy",
    "rejected": "one rejected by the exchange",
    "filled": "one filled",
    "cancelled": "one cancelled",
    "amended": "one amended",
    "unknown": "one whose answer was lost, looked up",
}


class Need(NamedTuple):
    """One thing that is needed: what, what there is of it, and the command that provides it."""

    id: str
    what: str
    found: str
    met: bool
    do: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a policy is: the stage that it is to leave, the next, and what that needs."""

    policy: EffectivePolicy
    staging: Staging
    now_ms: int
    #: When its keys were proved to work from a host's address: by `host|key`.
    proofs: Mapping[str, int]
    #: The stage that it is at by what was granted; the first one where nothing ever was.
    at: str
    needs: tuple[Need, ...] = ()

    @property
    def next(self) -> str | None:
        """Return the stage behind this one; None behind the last."""
        return None if self.at == LAST else STAGES[STAGES.index(self.at) + 1]

    @property
    def missing(self) -> tuple[Need, ...]:
        """Return the needs that are not met."""
        return tuple(need for need in self.needs if not need.met)

    @property
    def seen(self) -> Seen:
        """Return what happened in the stage that it is at."""
        return self.staging.stages.get(self.at) or Seen(self.now_ms, self.now_ms)

    def to_dict(self) -> dict[str, Any]:
        """Return it as `policykit stage status --format json` writes it, version 1."""
        said = self.policy.composed.stage
        return {
            "version": 1,
            "policy": self.policy.name,
            "account": stage_account(self.policy),
            "file_stage": said.current if said else None,
            "evidence": said.evidence if said else None,
            "granted": self.staging.granted or None,
            "granted_by": self.staging.grant.get("by"),
            "at": self.at,
            "next": self.next,
            "needs": [need.to_dict() for need in self.needs],
            "stages": {
                name: seen.to_dict() | {"since": iso(seen.since_ms), "full_days": seen.full_days(self.now_ms)}
                for name, seen in self.staging.stages.items()
            },
        }


def standing(
    policy: EffectivePolicy, store: Store | JournalReader, now_ms: int, progress: Progress = silent
) -> Standing:
    """Read how far a policy is, and what it needs to go on. Raise StoreUnavailable."""
    staging = staging_of(store, policy, progress)
    proofs = {} if isinstance(store, JournalReader) else store.facts(stage_account(policy), "").address_proofs
    made = Standing(policy, staging, now_ms, proofs, staging.granted or STAGES[0])
    if made.next is None:
        return made
    return Standing(policy, staging, now_ms, proofs, made.at, tuple(_needs(made)))


def _needs(of: Standing) -> Iterator[Need]:
    yield from (_days(of), _orders(of), _denials(of), _approver(of))
    for make in _ALSO[of.at]:
        yield from make(of)


def _said(of: Standing) -> Stage | None:
    return of.policy.composed.stage


def _days(of: Standing) -> Need:
    said = _said(of)
    wanted = max((said.next_needs.days if said and said.next_needs else None) or 0, MINIMUM_DAYS[of.at])
    had = of.seen.full_days(of.now_ms)
    do = f"let it run at {of.at} for {wanted - had} more days"
    if of.at == STAGES[0] and not _in_sandbox(of):
        do += f", {AS_SANDBOX}"
    return Need("days", f"{wanted} days in {of.at}", f"{had}, with something on each", had >= wanted, do)


def _orders(of: Standing) -> Need:
    said = _said(of)
    wanted = max((said.next_needs.orders if said and said.next_needs else None) or 0, 1)
    had = of.seen.orders
    do = f"let it trade at {of.at}"
    if of.at == STAGES[0]:
        do = _exercise(of)
    return Need("orders", f"{wanted} orders in {of.at}", str(had), had >= wanted, do)


def _in_sandbox(of: Standing) -> bool:
    return of.policy.model.environment == "sandbox"


def _exercise(of: Standing) -> str:
    """Return the command; of a live policy it is one of another file, since `exercise` refuses this one."""
    if _in_sandbox(of):
        return f"policykit stage exercise {of.policy.file}"
    return f"policykit stage exercise SANDBOX.yaml, {AS_SANDBOX}"


def _denials(of: Standing) -> Need:
    left = of.seen.denials_open.count
    do = f"policykit review denials {of.policy.file} --by NAME"
    return Need("denials", "every denial looked at", f"{left} of {of.seen.denials} not", left == 0, do)


def _approver(of: Standing) -> Need:
    who = approver(of.policy)
    do = "name who may, in the policy: stage: {next_needs: {approver: NAME}}"
    return Need("approver", "a named approver", " or ".join(who) or "the policy names nobody", bool(who), do)


def approver(policy: EffectivePolicy) -> tuple[str, ...]:
    """Return who may grant a stage: `stage.next_needs.approver`, else who may re-arm after a halt."""
    stage, switch = policy.composed.stage, policy.composed.kill_switch
    if stage and stage.next_needs and stage.next_needs.approver:
        return (stage.next_needs.approver,)
    return (switch.rearm.by or ()) if switch and switch.rearm else ()


def types_of(policy: EffectivePolicy) -> tuple[str, ...]:
    """Return the order types that a policy allows, as far as they are named."""
    risk = policy.composed.risk
    return tuple(risk.order_types or USUAL_TYPES) if risk else USUAL_TYPES


def paths_of(policy: EffectivePolicy) -> tuple[str, ...]:
    """Return what must have become of orders: all that this exchange can do."""
    try:
        served = trading(policy, choose_key(policy, None))
    except PolicykitError:
        served = None
    amends = served is not None and served[1].amending(Order("BTC/USDT", "buy", "limit")) is not None
    return tuple(path for path in PATHS if amends or path != "amended")


def _types(of: Standing) -> Iterable[Need]:
    left = [name for name in types_of(of.policy) if name not in of.seen.types]
    do = _exercise(of)
    yield Need("types", "each allowed order type sent", _left(left), not left, do)


def _paths(of: Standing) -> Iterable[Need]:
    left = [_WORDS[path] for path in paths_of(of.policy) if path not in of.seen.paths]
    do = _exercise(of)
    yield Need("paths", "each error path met", _left(left), not left, do)


def _left(left: list[str]) -> str:
    return f"not yet: {', '.join(left)}" if left else "all"


def _drill(of: Standing) -> Iterable[Need]:
    switch = of.policy.composed.kill_switch
    every_ms = switch.drill_every.ms if switch and switch.drill_every else FRESH_MS
    done = [of.staging.kept(place, "drill").get("kill") for place in _places(of)]
    at_ms = max((row["at_ms"] for row in done if row), default=None)
    fresh = at_ms is not None and of.now_ms - at_ms <= every_ms
    what = f"a drill of the kill switch in the last {every_ms // DAY_MS} days"
    yield Need("drill", what, "never" if at_ms is None else iso(at_ms)[:10], fresh, "policykit drill kill")


def _places(of: Standing) -> tuple[str, ...]:
    return ("", stage_account(of.policy), of.policy.account_key)


def _address(of: Standing) -> Iterable[Need]:
    keys = {n: k for n, k in (of.policy.model.keys or {}).items() if any(s.startswith("trade") for s in k.scopes or ())}
    left = []
    for name, key in keys.items():
        age_ms = key.address_proof.max_age.ms if key.address_proof and key.address_proof.max_age else FRESH_MS
        proved = [at for place, at in of.proofs.items() if place.endswith(f"|{name}")]
        if not proved or of.now_ms - max(proved) > age_ms:
            left.append(name)
    do = f"policykit doctor {of.policy.file} (on the host that trades)"
    yield Need("address", "each trading key proved from its address", _left(left), not left, do)


def _fills(of: Standing) -> Iterable[Need]:
    left, had = of.seen.fills_open.count, of.seen.fills
    do = f"policykit fills review {of.policy.file} --by NAME"
    yield Need("fills", "every fill looked at, one by one", f"{left} of {had} not", had > 0 and left == 0, do)


def _losses(of: Standing) -> Iterable[Need]:
    had = of.seen.losses
    do = f"find out why, then start the stage anew: policykit stage demote {of.policy.file} --to {of.at} --by NAME"
    yield Need("losses", "losses within their caps", f"{had} orders were denied for them", had == 0, do)


def _alert(of: Standing) -> Iterable[Need]:
    at_ms = of.staging.alert_ms
    do = f"policykit notify test {of.policy.file}"
    sent = "none" if at_ms is None else iso(at_ms)[:10]
    yield Need("alert", "a test alert sent in this stage", sent, at_ms is not None, do)
    row = of.staging.kept(stage_account(of.policy), "review").get(f"telemetry:{of.policy.name}")
    fresh = row is not None and row["at_ms"] >= of.seen.since_ms
    do = f"policykit review telemetry {of.policy.file} --by NAME"
    found = "nobody said so" if row is None else f"{iso(row['at_ms'])[:10]} by {row.get('by', '')}"
    yield Need("telemetry", "the alert and the dashboards seen by a person", found, fresh, do)


def _review(of: Standing) -> Iterable[Need]:
    row = of.staging.kept(stage_account(of.policy), "review").get(f"policy:{of.policy.name}")
    fresh = row is not None and row["at_ms"] >= of.seen.since_ms
    found = "never" if row is None else f"{iso(row['at_ms'])[:10]} by {row.get('by', '')}"
    do = f"policykit review done {of.policy.file} --by NAME"
    yield Need("review", "the policy reviewed in this stage", found, fresh, do)


#: What each stage needs beside days, orders, denials and a name (G41).
_ALSO: Final[dict[str, tuple[Callable[[Standing], Iterable[Need]], ...]]] = {
    "sandbox": (_types, _paths, _drill),
    "paper": (_drill, _address),
    "micro-live": (_fills, _losses, _drill, _address, _alert),
    "small-live": (_losses, _drill, _address, _review),
}
