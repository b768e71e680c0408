"""How things stand, as `policykit status` says it: halts, guards, how close each limit is, keys, the last lint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from policykit.clock import iso
from policykit.engine.burn import Burn, burn
from policykit.engine.facts import Halt
from policykit.engine.losses import DAY_MS
from policykit.engine.rooms import Room
from policykit.finding import SEVERITIES
from policykit.guard.beside import Run, runs_of
from policykit.guard.living import beats, undecided
from policykit.guard.measures import KeyAge, Watched, key_ages, rooms_of, watched
from policykit.guard.monitoring import idle
from policykit.orders.intent import Intent
from policykit.store import GuardInfo, Store
from policykit.units import plain


class Stand(NamedTuple):
    """How one policy stands on its account.

    `loss` is the day's, at the day's average pace; None: not limited, or not known. `lint` is how many findings of each
    severity the last live lint had, `linted_ms` when that was; None: never.
    """

    of: Watched
    rooms: tuple[Room, ...]
    loss: Burn | None
    keys: tuple[KeyAge, ...]
    lint: Mapping[str, int]
    linted_ms: int | None

    @property
    def stage(self) -> str:
        """Return the stage in force."""
        stage = self.of.policy.model.stage
        return stage.current if stage else "full-live"

    @property
    def tightest(self) -> list[Room]:
        """Return the rooms that are known, the fullest first."""
        known = [(room.share, room) for room in self.rooms if room.share is not None]
        return [room for _, room in sorted(known, key=lambda one: (not one[1].full, -one[0]))]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a store tells at one moment."""

    now_ms: int
    backend: str
    epoch: str
    halts: tuple[Halt, ...]
    #: Why no increase is decided, by account, though nobody halted it.
    idle: Mapping[str, str]
    live: tuple[GuardInfo, ...]
    gone: tuple[GuardInfo, ...]
    unknown: tuple[Intent, ...]
    #: How many differences nothing explains, by account.
    drift: Mapping[str, int]
    policies: tuple[Stand, ...]
    #: Candidates that run beside policies: each with how many live guards judge by it, of how many.
    candidates: tuple[tuple[Run, int, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what `policykit status --format json` writes, version 1."""
        return {
            "version": 1,
            "store": {"backend": self.backend, "epoch": self.epoch},
            "halts": [halt._asdict() | {"at": iso(halt.at_ms)} for halt in self.halts],
            "decides_on_no_increase": dict(self.idle),
            "guards": [
                {name: value for name, value in guard._asdict().items() if name != "policy"}
                | {"last_heartbeat_s": (self.now_ms - guard.beat_ms) / 1000}
                for guard in sorted((*self.live, *self.gone))
            ],
            "unknown_orders": [intent.id for intent in self.unknown],
            "drift": dict(self.drift),
            "policies": [_stand(stand) for stand in self.policies],
            "candidates": [
                {"policy": run.name, "account": run.account, "version": run.version, "run": run.id}
                | {"until": iso(run.until_ms), "guards": judge, "of": guards}
                for run, judge, guards in self.candidates
            ],
        }


def standing(store: Store, host: str, now_ms: int) -> Standing:
    """Read how things stand; nothing is written. Raise StoreUnavailable."""
    guards = store.guards()
    live = [guard for guard in guards if beats(guard, host, now_ms)]
    gone = sorted((guard for guard in guards if guard not in live), key=lambda guard: -guard.beat_ms)
    drift = {account: len(store.facts(account, "").drift) for account in sorted({guard.account for guard in guards})}
    return Standing(
        now_ms,
        store.backend,
        store.epoch,
        tuple(store.halts()),
        idle(store, host, now_ms),
        tuple(live),
        tuple(gone),
        tuple(undecided(store, host, now_ms)),
        {account: count for account, count in drift.items() if count},
        tuple(_of(store, one, now_ms) for one in watched(store, host, now_ms)),
        tuple(_candidates(store, live, sorted({guard.account for guard in guards}), now_ms)),
    )


def _candidates(
    store: Store, live: Iterable[GuardInfo], accounts: Iterable[str], now_ms: int
) -> Iterator[tuple[Run, int, int]]:
    """Yield each candidate that runs, with how many of the live guards of its policy judge by it."""
    for account in accounts:
        for run in runs_of(store, account).values():
            if run.runs(now_ms):
                mine = [info for info in live if (info.account, info.policy_name) == (account, run.name)]
                yield run, sum(info.candidate == run.id for info in mine), len(mine)


def _of(store: Store, one: Watched, now_ms: int) -> Stand:
    found = rooms_of(store, one.engine, now_ms, one.info.bot)
    lint = store.lints(one.info.account).get(one.policy.name, {})
    counted: Counter[str] = Counter()
    for severity, _, count in lint.get("findings", ()):
        counted[severity] += count
    ordered = {name: counted[name] for name in (*SEVERITIES, "unknown") if counted[name]}
    return Stand(one, found, _loss(store, one, found, now_ms), key_ages(store, one.policy), ordered, lint.get("at_ms"))


def _loss(store: Store, one: Watched, found: tuple[Room, ...], now_ms: int) -> Burn | None:
    """Return the day's loss at the pace of the day so far: from 0 at its start to what it is now."""
    base = store.facts(one.info.account, one.info.bot).day_base
    for room in found:
        if room.check == "risk.daily_loss" and room.used is not None and room.limit is not None and base is not None:
            start_ms = base.as_of_ms
            points = [(start_ms, room.used * 0), (now_ms, room.used)]
            return burn(points, room.limit, now_ms, start_ms + DAY_MS)
    return None


def _stand(stand: Stand) -> dict[str, Any]:
    info, loss = stand.of.info, stand.loss
    pace = None if loss is None or loss.pace is None else plain(round(loss.pace, 2))
    met_ms = None if loss is None else loss.met_ms
    return {
        "name": info.policy_name,
        "version": info.policy_version,
        "account": info.account,
        "stage": stand.stage,
        "stage_unproven": info.unproven or None,
        "live": stand.of.live,
        "rooms": [_room(room) for room in stand.rooms],
        "daily_loss": None if loss is None else {"pace_an_hour": pace, "met_at": _at(met_ms)},
        "lint": None if stand.linted_ms is None else {"at": iso(stand.linted_ms), "findings": dict(stand.lint)},
        "keys": [
            {"key": age.key, "made": iso(age.made_ms), "observed": age.observed, "due": _at(age.due_ms)}
            for age in stand.keys
        ],
    }


def _at(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)


def _room(room: Room) -> dict[str, Any]:
    share = room.share
    return {
        "check": room.check,
        "kind": room.kind,
        "key": room.key,
        "used": None if room.used is None else plain(room.used),
        "limit": None if room.limit is None else plain(room.limit),
        "unit": room.unit,
        "share": None if share is None else float(round(share, 4)),
        "full": room.full,
        "unknown": room.unknown,
        "place": None if room.place is None else str(room.place),
    }
