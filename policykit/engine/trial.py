"""One decision without a store: what `policykit check` answers. Nothing is held, recorded or sent.

Orders and facts come as JSON data; numbers as text or as numbers, exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from policykit.decision import Assessment, Decision, Hold
from policykit.engine import given_values as values
from policykit.engine.engine import Engine
from policykit.engine.explain import denial_message, explain_failed
from policykit.engine.facts import Position
from policykit.engine.given import Given, facts_data, order_data, read_facts
from policykit.engine.given_values import Path, Wrong
from policykit.engine.money import money, unit_steps
from policykit.engine.setup import Setup
from policykit.engine.totals import Total, total_of
from policykit.engine.worth import units_of
from policykit.order import ACTIONS, FLAGS, NUMBERS, WORDS, Order
from policykit.units import EXPOSURE_SCALE, plain, scale_up, unscale

__all__ = ["Given", "decide_once", "facts_data", "order_data", "read_facts", "read_json", "read_order", "report"]

_PLAIN: Final = ("symbol", "side", "type", "client_order_id", *WORDS, *FLAGS)
_ORDER: Final = ("action", *_PLAIN, *NUMBERS, "amends")


def read_json(text: str, what: str) -> dict[str, Any]:
    """Read a JSON object, its numbers exactly. Raise ValueError with a sentence that says what is needed."""
    try:
        data = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ValueError(f"{what} is no JSON; an object is needed") from None
    if not isinstance(data, dict):
        raise ValueError(f"{what} is no JSON object; an object is needed")
    return data


def read_order(data: Mapping[str, Any], path: Path = ()) -> Order:
    """Read an order as a decision shows it. Raise `Wrong`, a ValueError; a word that is none is the checks' to name."""
    values.known(path, data, _ORDER, "an order")
    action = data.get("action", "order.create")
    if action not in ACTIONS:
        raise Wrong((*path, "action"), f"action is {action!r}; one of {', '.join(ACTIONS)} is needed")
    said: dict[str, Any] = {name: data[name] for name in _PLAIN if name in data}
    said |= {name: values.number((*path, name), data[name]) for name in NUMBERS if data.get(name) is not None}
    if data.get("amends") is not None:
        inner = (*path, "amends")
        said["amends"] = read_order(values.mapping(inner, data["amends"], "the fields of an order are needed"), inner)
    return Order(**{"symbol": "", **said}, action=action)


def decide_once(engine: Engine, order: Order, given: Given, now_ms: int) -> tuple[Decision, Assessment]:
    """Decide as a store would that knows these facts and uses. The id is made of what was asked."""
    given = counted(engine.setup, given, now_ms)
    assessment = engine.assess(given.facts, order, now_ms)
    reasons = assessment.reasons
    if not reasons:
        used = tuple(use_of(hold, given) for hold in assessment.holds)
        failed = tuple(i for i, hold in enumerate(assessment.holds) if used[i] + abs(hold.amount) > hold.limit)
        reasons = explain_failed(engine, order, assessment.holds, used, failed, facts=given.facts, now_ms=now_ms)
        if all(reason.on_breach == "warn" for reason in reasons):
            assessment, reasons = assessment._replace(warnings=(*assessment.warnings, *reasons)), ()
    policy = engine.effective
    asked = repr((policy.version, order.to_dict(), given, now_ms))
    return Decision(
        id=hashlib.sha256(asked.encode()).hexdigest()[:26].upper(),
        outcome="deny" if reasons else "allow",
        mode="enforce",
        action=order.action,
        order=order,
        policy_name=policy.name,
        policy_version=policy.version,
        bot=policy.name,
        at_ms=now_ms,
        reasons=reasons,
        warnings=assessment.warnings,
        reduces=assessment.reduces,
        notional=assessment.notional,
        checks=len(engine.checks),
    ), assessment


def report(engine: Engine, decision: Decision, assessment: Assessment, given: Given) -> str:
    """Write a decision for people: every reason with its place, or every claim with its limit."""
    policy = engine.effective
    if decision.outcome == "deny":
        first, _, _ = denial_message(decision, policy.file).split("\n", 2)
        lines = [first, f"  policy {policy.name} {policy.version}, {policy.file}; {decision.checks} checks"]
        lines += [f"  {reason.code}: {reason.message}{_where(reason.place)}" for reason in decision.reasons]
        return "\n".join(lines) + "\n"
    worth = money(decision.notional, engine.setup.currency) if decision.notional is not None else "unknown"
    what = "can only reduce" if decision.reduces else "can increase"
    lines = [
        f"{decision.action} allowed: order notional {worth}; {what}",
        f"  policy {policy.name} {policy.version}, {policy.file}; {decision.checks} checks",
    ]
    lines += [f"  warning {reason.code}: {reason.message}{_where(reason.place)}" for reason in decision.warnings]
    given = counted(engine.setup, given, decision.at_ms)
    lines += [_claim(hold, use_of(hold, given)) for hold in assessment.holds if hold.kind != "clear"]
    return "\n".join(lines) + "\n"


def _where(place: object) -> str:
    return f" ({place})" if place is not None else ""


def _claim(hold: Hold, use: int) -> str:
    def number(counter: int) -> str:
        if hold.kind in ("gross", "net"):
            return plain(Decimal(counter) / EXPOSURE_SCALE)
        return plain(unscale(counter)) if hold.kind == "position" else str(counter)

    limit = f"of {number(hold.limit)}" if hold.limit < 2**53 - 1 else "without a limit"
    return f"  holds {number(use + abs(hold.amount))} {limit}: {hold.counter}"


def use_of(hold: Hold, given: Given) -> int:
    """Return what is used of a hold's counter: what is said, else what the positions come to, else nothing."""
    if hold.kind == "position":
        position = given.facts.positions.get(hold.counter.rpartition("|")[2], Position())
        return _worst(position)[hold.amount < 0]
    if hold.kind not in ("gross", "net", "positions") or hold.counter in given.used:
        return given.used.get(hold.counter, 0)
    if hold.kind == "positions":
        own = hold.counter.split("|", 2)[2]
        return sum(_total(one).positions for key, one in given.facts.positions.items() if key != own)
    owner = hold.counter.rpartition("|")[0]
    asset = owner.rpartition("|asset|")[2] if "|asset|" in owner else None
    counted = [_total(p) for key, p in given.facts.positions.items() if asset in (None, key.partition("/")[0])]
    side = 0 if hold.kind == "gross" else 1 if hold.amount > 0 else 2
    return sum(total[side] for total in counted)


def _worst(position: Position) -> tuple[int, int]:
    """Return the worst case on each side: what is held, and every order that is out there."""
    low, high, buys, sells, _ = position
    return scale_up(high) + scale_up(buys), scale_up(sells) + scale_up(-low)


def _total(position: Position) -> Total:
    return total_of(*_worst(position), position.unit)


def counted(setup: Setup, given: Given, now_ms: int) -> Given:
    """Count positions as a guard's store does: each at what it is worth, the account into the policy's groups.

    Facts that say what a store counted stay as they are.
    """
    if given.counted:
        return given
    facts = given.facts
    units = units_of(setup, facts, now_ms, facts.marks)
    keys = {**dict.fromkeys(units, Position()), **facts.positions}
    positions = {key: one._replace(unit=unit_steps(units.get(key, Decimal(0)))) for key, one in keys.items()}
    held = (key for key, one in positions.items() if not one.unit and any(_worst(one)) and key != setup.currency)
    groups = tuple(setup.effective.group_owner(name) for name in sorted(setup.policy.groups or {}))
    facts = replace(facts, positions=positions, unpriced=tuple(sorted(held)), groups=groups)
    return Given(facts, given.used, counted=True)
