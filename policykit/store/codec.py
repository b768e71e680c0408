"""How the nouns stand in a journal row: plain JSON, numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

from policykit.decision import Decision, Hold, Reason
from policykit.engine.facts import Contract, Drift, Fact, Quote
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.place import Place
from policykit.store.base import Claim, Observation
from policykit.units import plain

_INTENT_PLAIN = (
    "id",
    "account",
    "client_order_id",
    "family",
    "reduces",
    "bot",
    "host",
    "pid",
    "decided_ms",
    "permit_until_ms",
    "validity_ms",
    "state",
    "signed_ms",
    "changed_ms",
    "order_id",
    "closed",
    "replaces",
    "error",
)
#: What a guard may add to the row of a decision.
_EXTRA = ("shadow", "without_store", "key", "facts", "facts_seq", "replaces")
_plain_of = attrgetter(*_INTENT_PLAIN)


def intent_to_dict(intent: Intent, order: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write an intent; `order` is its order where that is written already."""
    out: dict[str, Any] = dict(zip(_INTENT_PLAIN, _plain_of(intent), strict=True))
    out["filled"] = plain(intent.filled)
    if intent.cost is not None:
        out["cost"] = plain(intent.cost)
    if intent.amends is not None:
        out["amends"] = intent.amends
    out["action"] = intent.order.action
    out["order"] = intent.order.to_dict() if order is None else order
    out["holds"] = [list(hold) for hold in intent.holds]
    return out


def intent_from_dict(data: dict[str, Any]) -> Intent:
    """Read what `intent_to_dict` wrote."""
    return Intent(
        **{n: data[n] for n in _INTENT_PLAIN},
        filled=Decimal(data["filled"]),
        cost=Decimal(data["cost"]) if "cost" in data else None,
        amends=data.get("amends"),
        order=Order.from_dict(data["order"], data["action"]),
        holds=tuple(Hold(*hold) for hold in data["holds"]),
    )


def outcome_to_dict(intent_id: str, outcome: Outcome) -> dict[str, Any]:
    """Write an outcome; what it does not say is left out."""
    out: dict[str, Any] = {"intent": intent_id, "state": outcome.state}
    for name in ("order_id", "signed_ms", "validity_ms", "error", "took_ms"):
        if getattr(outcome, name) is not None:
            out[name] = getattr(outcome, name)
    for name in ("filled", "cost", "quantity", "price"):
        if getattr(outcome, name) is not None:
            out[name] = plain(getattr(outcome, name))
    if outcome.closed:
        out["closed"] = True
    return out


def outcome_from_dict(data: dict[str, Any], at_ms: int) -> Outcome:
    """Read what `outcome_to_dict` wrote."""
    return Outcome(
        state=data["state"],
        at_ms=at_ms,
        order_id=data.get("order_id"),
        filled=Decimal(data["filled"]) if "filled" in data else None,
        closed=data.get("closed", False),
        signed_ms=data.get("signed_ms"),
        validity_ms=data.get("validity_ms"),
        error=data.get("error"),
        cost=Decimal(data["cost"]) if "cost" in data else None,
        quantity=Decimal(data["quantity"]) if "quantity" in data else None,
        price=Decimal(data["price"]) if "price" in data else None,
        took_ms=data.get("took_ms"),
    )


def decision_body(decision: Decision, intent: Intent | None, holds: tuple[Hold, ...]) -> dict[str, Any]:
    """Write the row of a decision: INTERFACE's "Decision, version 1" and what made it."""
    out: dict[str, Any] = {"decision": decision.to_dict(), "reduces": decision.reduces}
    if decision.notional is not None:
        out["notional"] = str(decision.notional)
    if decision.facts_age_s is not None:
        out["facts_age_s"] = decision.facts_age_s
    if decision.warnings:
        out["warnings"] = [warning.to_dict() for warning in decision.warnings]
    if decision.checks:
        out["checks"] = decision.checks
    if decision.in_force is not None:
        out["in_force"] = decision.in_force
    if decision.trace is not None:
        out["trace"] = {"trace_id": f"{decision.trace[0]:032x}", "span_id": f"{decision.trace[1]:016x}"}
    if decision.extra:
        out.update(decision.extra)
    if intent is not None:
        same = intent.order is decision.order
        out["intent"] = intent_to_dict(intent, out["decision"]["order"] if same else None)
    elif holds:
        out["holds"] = [list(hold) for hold in holds]
    return out


def decision_from_body(body: dict[str, Any], at_ms: int) -> Decision:
    """Read the decision of a row that `decision_body` wrote."""
    said = body["decision"]
    return Decision(
        id=said["id"],
        outcome=said["outcome"],
        mode=said["mode"],
        action=said["action"],
        order=Order.from_dict(said["order"], said["action"]),
        policy_name=said["policy"]["name"],
        policy_version=said["policy"]["version"],
        bot=said["bot"],
        at_ms=at_ms,
        reasons=tuple(_reason(reason) for reason in said["reasons"]),
        warnings=tuple(_reason(warning) for warning in body.get("warnings", ())),
        reduces=body["reduces"],
        notional=Decimal(body["notional"]) if "notional" in body else None,
        facts_age_s=body.get("facts_age_s"),
        checks=body.get("checks", 0),
        trace=trace_of(body),
        in_force=body.get("in_force"),
        extra={name: body[name] for name in _EXTRA if name in body},
    )


def trace_of(body: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return trace id and span id of the caller's span, as the row of a decision tells them."""
    said = body.get("trace")
    return None if said is None else (int(said["trace_id"], 16), int(said["span_id"], 16))


def _reason(data: dict[str, Any]) -> Reason:
    told = {name: data[name] for name in ("code", "check", "message", "observed", "limit", "unit") if name in data}
    file, line, column = data["place"].rsplit(":", 2) if "place" in data else ("", 0, 0)
    place = Place(file, int(line), int(column)) if file else None
    return Reason(**told, place=place, failure=data.get("failure", False))


def observation_to_dict(account: str, seen: Observation) -> dict[str, Any]:
    """Write an observation; what it does not say is left out."""
    out: dict[str, Any] = {"account": account, "as_of_ms": seen.as_of_ms, "until_ms": seen.until_ms}
    for name in ("equity", "net_transfers", "margin_ratio", "borrowed", "carried_transfers"):
        if getattr(seen, name) is not None:
            out[name] = plain(getattr(seen, name))
    for name in ("positions", "marks", "contract_sizes", "units"):
        values = getattr(seen, name)
        if values is not None and (values or name == "positions"):
            out[name] = {key: plain(value) for key, value in values.items()}
    for name in ("partial", "skew_ms", "day_start_ms", "position_mode"):
        value = getattr(seen, name)
        if value is not None and value is not False:
            out[name] = value
    if seen.week_start_ms:
        out["week_start_ms"] = seen.week_start_ms
    if seen.unlisted is not None:
        out["unlisted"] = sorted(seen.unlisted)
    if seen.quotes:
        out["quotes"] = {s: [plain(q.bid), plain(q.ask), q.as_of_ms] for s, q in seen.quotes.items()}
    if seen.contracts:
        out["contracts"] = {s: contract_to_list(c) for s, c in seen.contracts.items()}
    return out


def observation_from_dict(data: dict[str, Any]) -> Observation:
    """Read what `observation_to_dict` wrote."""

    def numbers(name: str) -> dict[str, Decimal]:
        return {key: Decimal(value) for key, value in data.get(name, {}).items()}

    def number(name: str) -> Decimal | None:
        return Decimal(data[name]) if name in data else None

    return Observation(
        as_of_ms=data["as_of_ms"],
        until_ms=data["until_ms"],
        equity=number("equity"),
        net_transfers=number("net_transfers"),
        positions=numbers("positions") if "positions" in data else None,
        partial=data.get("partial", False),
        marks=numbers("marks"),
        contract_sizes=numbers("contract_sizes"),
        units=numbers("units"),
        unlisted=frozenset(data["unlisted"]) if "unlisted" in data else None,
        skew_ms=data.get("skew_ms"),
        day_start_ms=data.get("day_start_ms", 0),
        week_start_ms=data.get("week_start_ms", 0),
        carried_transfers=number("carried_transfers"),
        quotes={s: Quote(Decimal(q[0]), Decimal(q[1]), q[2]) for s, q in data.get("quotes", {}).items()},
        contracts={s: contract_from_list(c) for s, c in data.get("contracts", {}).items()},
        position_mode=data.get("position_mode"),
        margin_ratio=number("margin_ratio"),
        borrowed=number("borrowed"),
    )


def contract_to_list(contract: Contract) -> list[Any]:
    """Write what the exchange says of a contract market."""
    return [plain(value) if isinstance(value, Decimal) else value for value in contract]


def contract_from_list(data: list[Any]) -> Contract:
    """Read what `contract_to_list` wrote; an earlier version wrote fewer."""
    known = dict(zip(Contract._fields, data, strict=False))
    for name in ("leverage", "liquidation_price", "funding_rate", "quanto_size"):
        if known.get(name) is not None:
            known[name] = Decimal(known[name])
    return Contract(**known)


def fact_to_list(fact: Fact | None) -> list[Any] | None:
    """Write a fact or its absence."""
    return None if fact is None else [plain(fact.value), fact.as_of_ms]


def fact_from_list(data: list[Any] | None) -> Fact | None:
    """Read what `fact_to_list` wrote."""
    return None if data is None else Fact(Decimal(data[0]), data[1])


def claimed(claim: Claim | None) -> dict[str, Any]:
    """Write what is known of who did it, if anything is."""
    return {} if claim is None else {"claim": dict(claim)}


def accepted(compared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison in which what nothing explained is taken as it is: that is what should be, from here on."""
    bounds = dict(compared.get("bounds", {}))
    orders = list(compared.get("accepted", ()))
    for kind, key, quantity, *_ in compared.get("drift", ()):
        if kind == "order":
            orders.append(key)
        else:
            low, high = bounds.get(key, ("0", "0"))
            bounds[key] = [plain(Decimal(end) + Decimal(quantity)) for end in (low, high)]
    known = {"bounds": bounds} if "bounds" in compared else {}
    return {**compared, **known, "accepted": sorted(set(orders)), "drift": []}


def drift_to_list(drift: Drift) -> list[Any]:
    """Write a difference that nothing explains."""
    return [
        drift.kind,
        drift.key,
        plain(drift.quantity),
        None if drift.worth is None else plain(drift.worth),
        drift.note,
    ]


def drift_from_list(data: list[Any]) -> Drift:
    """Read what `drift_to_list` wrote."""
    kind, key, quantity, worth, note = data
    return Drift(kind, key, Decimal(quantity), None if worth is None else Decimal(worth), note)
