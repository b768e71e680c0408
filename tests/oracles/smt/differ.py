"""Hold `policykit diff` to z3: what it says of a pair, against whether one policy alone allows some order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from policykit.engine import trial
from policykit.engine.given import read_facts
from policykit.policy import EffectivePolicy
from policykit.proofs.diff import diff
from policykit.proofs.difference import FieldChange, Flip, PolicyDifference
from tests.oracles.smt import points
from tests.oracles.smt.ask import Pair
from tests.oracles.smt.conditions import Market
from tests.oracles.smt.counted import OUTSIDE_ACTIONS, denials, warned
from tests.oracles.smt.decided import by_formulas
from tests.oracles.smt.globs import beyond
from tests.oracles.smt.points import Point
from tests.oracles.smt.space import Space

#: What each verdict lets z3 find: an order that only the new policy allows, one that only the old one does.
MAY: Final = {"equal": (False, False), "looser": (True, False), "tighter": (False, True), "different": (True, True)}
#: Fields whose checks are other fields' as well, or which decide no order: only the whole policy is held to z3.
ENTANGLED: Final = (
    "account.max_age",
    "account.position_mode",
    "clock.max_skew",
    "environment",
    "reconciliation",
    "risk.on_breach",
    "risk.daily_loss.on_breach",
    "risk.weekly_loss.on_breach",
    "risk.price_collar.max_age",
    "stage",
    "waivers",
    "keys",
)

#: Fields that other fields' checks ask as well: how old facts may be, and what proves an exit.
SHARED: Final = ("account.max_age", "account.position_mode", "clock.max_skew", "risk.price_collar.max_age")


class Disagreement(NamedTuple):
    """Where diff and z3 say another thing: of which field (empty: of the whole), and the order that z3 found."""

    what: str
    field: str
    verdict: str
    point: Point | None
    difference: PolicyDifference


def pair_of(old: EffectivePolicy, new: EffectivePolicy) -> Pair:
    """Return the pair as z3 reads it."""
    lists = tuple(one.model.risk.symbols if one.model.risk is not None else None for one in (old, new))
    markets = dict.fromkeys((*points.MARKETS, *_witnesses(lists[0], lists[1]), *_witnesses(lists[1], lists[0])))
    was, now = (points.setting(points.compiled(one), tuple(markets)) for one in (old, new))
    return Pair(old.model, new.model, (was, now))


def _witnesses(allows: tuple[str, ...] | None, denies: tuple[str, ...] | None) -> Iterator[Market]:
    """Yield a market of each kind that only the first list allows, where there is one."""
    for shape in ("spot", "contract"):
        found = beyond(allows, denies, shape) if allows != denies else None
        if found is not None:
            yield Market(found, found.partition("/")[0], shape == "contract")


def held(old: EffectivePolicy, new: EffectivePolicy, seen: Counter[str]) -> list[Disagreement]:
    """Return where diff and z3 disagree about a pair. Asked is what the verdict says that there is not."""
    said, pair, out = diff(old, new), pair_of(old, new), []
    for word, looser, may in zip(("looser", "tighter"), (True, False), MAY[said.verdict], strict=True):
        point = None if may else pair.flips(looser=looser)
        if point is not None:
            out.append(Disagreement(f"there is an order by which it is {word}", "", said.verdict, point, said))
    seen[said.verdict] += 1
    for field in said.fields:
        out += _isolated(field, said, pair, seen)
    return out + unconfirmed(said, seen)


def unconfirmed(said: PolicyDifference, seen: Counter[str]) -> list[Disagreement]:
    """Return the flips by which the formulas do not say, of either policy, what diff says it decided."""
    out = []
    for field in said.fields:
        if field.flip is None:
            seen["unshown" if field.verdict != "equal" else "equal"] += 1
            continue
        if field.flip.order.get("action") in OUTSIDE_ACTIONS:
            seen["flips outside of the formulas"] += 1
            continue
        was, now = _decided(said, field, field.flip)
        if (was, now) != (bool(field.flip.was), bool(field.flip.now)) or was == now:
            out.append(Disagreement(f"the flip is decided {was} -> {now}", field.path, field.verdict, None, said))
        seen["flips" if field.flip.order["symbol"] in _KNOWN else "flips on other markets"] += 1
    return out


_KNOWN: Final = frozenset(market.symbol for market in points.MARKETS)


def _decided(said: PolicyDifference, field: FieldChange, flip: Flip) -> tuple[bool, bool]:
    """Return whether the formulas of the old and of the new policy deny a flip."""
    assert said.old is not None
    assert said.new is not None
    named = field.path.split(".")[1] if field.path.startswith("keys.") else ""
    order, out = trial.read_order(flip.order), []
    for policy in (said.old, said.new):
        real = field.path.startswith("stage.")
        engine = points.compiled(policy, named or None, "host" if named else "", paper=not real)
        space = Space()
        market = Market(order.symbol, order.symbol.partition("/")[0], ":" in order.symbol)
        setting = points.setting(engine, tuple(dict.fromkeys((*points.MARKETS, market))))
        formulas = denials(policy.model, setting, space)
        given = trial.counted(engine.setup, read_facts(flip.facts, engine.setup.currency, flip.now_ms), flip.now_ms)
        point = points.point(
            engine,
            given.facts,
            order,
            flip.now_ms,
            lambda hold, given=given: trial.use_of(hold, given),  # type: ignore[misc]
        )
        out.append(bool(by_formulas(space, formulas, point)))
    return out[0], out[1]


def _isolated(field: FieldChange, said: PolicyDifference, pair: Pair, seen: Counter[str]) -> list[Disagreement]:
    """Hold a field to its own checks, where no other changed field has them."""
    checks = [holder.removeprefix("check:") for holder in field.held_by if holder.startswith("check:")]
    if field.path == "risk.symbols":
        return _symbols(field, said)
    others = [one for one in said.fields if one is not field and set(one.held_by) & set(field.held_by)]
    shared = [one for one in said.fields if one.path.startswith(SHARED) and one.verdict != "equal"]
    warns = (
        said.old is not None
        and said.new is not None
        and set(checks) & {*warned(said.old.model), *warned(said.new.model)}
    )
    # Who is in a group counts for the orders of its other members, which are no orders of this account.
    member = field.path.startswith("groups.") and field.path.count(".") == 1
    if not checks or others or shared or warns or member or field.path.startswith(ENTANGLED):
        return []
    out = []
    for word, may, looser in zip(("looser", "tighter"), MAY[field.verdict], (True, False), strict=True):
        point = pair.isolated(checks, looser=looser)
        if point is not None and not may and not field.why:
            out.append(
                Disagreement(f"there is an order by which its check is {word}", field.path, field.verdict, point, said)
            )
        if point is None and may:
            out.append(
                Disagreement(f"there is no order by which its check is {word}", field.path, field.verdict, None, said)
            )
    seen["fields"] += 1
    return out


def _symbols(field: FieldChange, said: PolicyDifference) -> list[Disagreement]:
    """Hold a list of symbols to the languages of both, over every market that there may be."""
    assert said.old is not None
    assert said.new is not None
    was, now = (side.model.risk.symbols if side.model.risk is not None else None for side in (said.old, said.new))
    out = []
    for word, may, pair in zip(("looser", "tighter"), MAY[field.verdict], ((now, was), (was, now)), strict=True):
        if (beyond(*pair) is not None) != may:
            out.append(Disagreement(f"z3 says otherwise of {word}", field.path, field.verdict, None, said))
    return out


def shown(found: Disagreement) -> str:
    """Write a disagreement for people: what differs, the order that z3 found, and both policies where they do."""
    said = {
        name: str(value) for name, value in sorted((found.point or {}).items()) if value not in (False, "*", "none")
    }
    changes = [f"  {one} ({one.verdict}) {one.why}" for one in found.difference.fields]
    return "\n".join([f"{found.field or 'policy'} is {found.verdict}, and {found.what}", *changes, f"  {said}"])
