"""An order that two policies decide otherwise by one field, decided under both: nothing is said that was not tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from typing import Final

from policykit.decision import Reason
from policykit.engine import Engine, compile_policy, trial
from policykit.engine.facts import Facts
from policykit.policy import Change, EffectivePolicy
from policykit.proofs.diff.ask import Ask
from policykit.proofs.diff.witnesses import worlds
from policykit.proofs.diff.worlds import Ordinary, World
from policykit.proofs.difference import Flip
from policykit.traits import load as load_traits

#: So many orders are tried for one field.
MAX_TRIED: Final = 320
#: The host that a proof of an address is of.
HOST: Final = "host"
_CHECK: Final = "check:"
_UNKNOWN: Final = Facts()
#: Facts that most policies need; the others are first left out together.
_OFTEN: Final = (
    "equity",
    "day_base",
    "net_transfers",
    "positions",
    "positions_as_of_ms",
    "marks",
    "skew_ms",
    "partials",
)
_AGES: Final = ("PRICE_STALE", "FACTS_STALE")


class Flips:
    """The flips between two policies of one account."""

    def __init__(self, old: EffectivePolicy, new: EffectivePolicy) -> None:
        self.old = old
        self.new = new
        self._engines: dict[str, tuple[Engine, Engine]] = {}

    @property
    def possible(self) -> bool:
        """Tell whether both judge orders of one exchange, in one currency."""
        one, other = self.old.model, self.new.model
        return not self.old.profile and (one.exchange, one.account.currency) == (other.exchange, other.account.currency)

    def flip(self, change: Change, *, loosens: bool) -> Flip | None:
        """Return an order that the new policy allows and the old one denies by this field; or the other way round."""
        if not self.possible:
            return None
        old, new = self._compiled(change)
        tight, loose = (old, new) if loosens else (new, old)
        ordinary = Ordinary(tight, loose)
        for check in _checks(change):
            ask = Ask(change.path, check, tight, loose, ordinary)
            for world in islice(_safely(ask), MAX_TRIED):
                denied = _denied(tight, loose, world)
                if denied and _by(denied, change, check):
                    return _flip(_plainest(tight, loose, world, denied), ordinary.currency, denied, loosens=loosens)
        return None

    def _compiled(self, change: Change) -> tuple[Engine, Engine]:
        """Return both engines: of one key where the field is of it; for real where the stage is what changed."""
        key = change.path.split(".")[1] if change.path.startswith("keys.") else ""
        name = "stage" if change.path.startswith("stage.") else key
        if name not in self._engines:
            self._engines[name] = (self._engine(self.old, key, name), self._engine(self.new, key, name))
        return self._engines[name]

    def _engine(self, policy: EffectivePolicy, key: str, name: str) -> Engine:
        traits = load_traits(policy.model.exchange)
        return compile_policy(policy, traits, key or None, HOST if key else "", paper=name != "stage")


def _safely(ask: Ask) -> Iterator[World]:
    """Yield the worlds of a check; what cannot be made is none."""
    try:
        yield from worlds(ask)
    except (ValueError, ArithmeticError, AssertionError):
        return


def _checks(change: Change) -> tuple[str, ...]:
    held = change.meta.held_by if change.meta is not None else ()
    if change.path.startswith("risk.on_breach."):
        return ("risk." + change.path.rpartition(".")[2],)
    ids = tuple(holder.removeprefix(_CHECK) for holder in held if holder.startswith(_CHECK))
    return (*ids, "reconciliation.tolerance") if change.path.startswith("reconciliation.") else ids


def _decide(engine: Engine, world: World) -> tuple[Reason, ...]:
    decision, _ = trial.decide_once(engine, world.order, trial.Given(world.facts, world.used), world.now_ms)
    return decision.reasons


def _by(reasons: tuple[Reason, ...], change: Change, check: str) -> bool:
    """Tell whether a denial is by the field: by its check, or by an age that the field bounds."""
    aged = change.path.endswith("max_age")
    stale = change.path.endswith("_every")
    return any(
        reason.check == check
        or reason.check.startswith(f"{check}.")
        or (aged and reason.code in _AGES)
        or (stale and reason.code == "RECONCILE_STALE")
        or (check == "risk.max_borrow" and reason.code == "ACTION_REFUSED")
        for reason in reasons
    )


def _denied(tight: Engine, loose: Engine, world: World) -> tuple[Reason, ...]:
    """Return why the tight policy denies what the loose one allows; nothing where the two agree."""
    return () if _decide(loose, world) else _decide(tight, world)


def _plainest(tight: Engine, loose: Engine, world: World, denied: tuple[Reason, ...]) -> World:
    """Leave out every fact without which both policies decide the same."""
    said = [fact.name for fact in fields(Facts) if getattr(world.facts, fact.name) != getattr(_UNKNOWN, fact.name)]
    seldom = [name for name in said if name not in _OFTEN]
    for names in (seldom, *([name] for name in said)):
        less = world.but(facts={name: getattr(_UNKNOWN, name) for name in names})
        if less.facts != world.facts and _denied(tight, loose, less) == denied:
            world = less
    return world


def _flip(world: World, currency: str, denied: tuple[Reason, ...], *, loosens: bool) -> Flip:
    facts = trial.facts_data(trial.Given(world.facts, world.used), currency, world.now_ms)
    decided: tuple[tuple[Reason, ...], tuple[Reason, ...]] = (denied, ()) if loosens else ((), denied)
    return Flip(trial.order_data(world.order), facts, world.now_ms, *decided)
