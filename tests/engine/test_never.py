"""Invariants against the engine: what is proved no order breaks, and a counterexample is allowed and does break it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.engine import Engine, compile_policy
from policykit.engine.facts import Fact, Facts, Position, Setting
from policykit.engine.given import Given, read_facts
from policykit.engine.trial import decide_once, read_order
from policykit.errors import PolicyError
from policykit.order import Order
from policykit.policy import load_text, never
from policykit.traits import load as load_traits
from policykit.units import Share
from tests.engine import random_worlds
from tests.engine.worlds import DAY, NOW

HEAD = {"policykit": 1, "name": "x", "account": {"name": "main", "currency": "USDT", "position_mode": "one_way"}}
CAPS = ("order_notional", "position_notional", "gross_exposure", "net_exposure", "asset_exposure")
SPOT, CONTRACT = ("binance", "BTC/USDT"), ("binanceusdm", "BTC/USDT:USDT")


def worth(facts: Facts, order: Order, name: str, notional: Decimal) -> Decimal:
    """Return what a statement measures after an order, in USDT: written anew, by the words of docs/invariants.md."""
    mark, price = facts.marks[order.symbol].value, order.price or Decimal(0)
    at_market = Decimal("1.05") if order.type == "market" and order.side == "buy" else Decimal(1)
    high = max(mark * at_market, price)
    quantity = order.quantity or Decimal(0)
    signed = quantity if order.side == "buy" else -quantity
    key = order.symbol if ":" in order.symbol else order.symbol.partition("/")[0]
    held = dict(facts.positions)
    own = held.pop(key, Position())
    after = own.high + own.open_buys + signed if signed > 0 else own.low - own.open_sells + signed
    if name == "order_notional":
        return notional
    if name == "position_notional":
        return max(Decimal(0), after if signed > 0 else -after) * high
    unit = {one: facts.marks[f"{one}/USDT" if "/" not in one else one].value for one in held}
    others = [max(p.high + p.open_buys, p.open_sells - p.low) * unit[one] for one, p in held.items()]
    before = max(own.high + own.open_buys, own.open_sells - own.low) * mark
    if name == "asset_exposure":
        return before + quantity * high
    if name == "gross_exposure":
        return sum(others, before) + quantity * high
    long = [(p.high + p.open_buys) * unit[one] for one, p in held.items()]
    short = [(p.open_sells - p.low) * unit[one] for one, p in held.items()]
    if signed > 0:
        return sum(long, (own.high + own.open_buys) * mark) + quantity * high
    return sum(short, (own.open_sells - own.low) * mark) + quantity * high


def over(statement: never.Statement, facts: Facts, order: Order, notional: Decimal) -> bool:
    """Tell whether an order that was allowed breaks a statement on a cap."""
    value = statement.value
    if isinstance(value, Share):
        assert facts.equity is not None
        limit = value.fraction * facts.equity.value
    elif value.currency == "USDT":
        limit = value.value
    else:
        limit = value.value * facts.marks[f"{value.currency}/USDT"].value
    return worth(facts, order, statement.subject.name, notional) > limit


def statement(rng: Random) -> never.Statement:
    """Return a statement on a cap, near to what random policies say."""
    value = rng.choice(["590 USDT", "1000 USDT", "5000 USDT", "20000 USDT", "60000 USDT", "0.5% of equity"])
    value = rng.choice([value, f"{rng.choice(['1', '2', '10', '20', '50'])}% of equity"])
    return never.parse(f"{rng.choice(CAPS)} > {value}")


def policy(rng: Random) -> dict[str, Any]:
    """Return a policy with some caps, on spot or on contracts, some of which only warn."""
    exchange, symbol = rng.choice([SPOT, CONTRACT])
    bounds = ["590 USDT", "1000 USDT", "20000 USDT", "0.05 BTC", "0.6% of equity", "10% of equity", "50% of equity"]
    risk: dict[str, Any] = {"symbols": [rng.choice([symbol, symbol.replace("BTC", "*")])]}
    for name in CAPS:
        if rng.random() < 0.5:
            risk[f"max_{name}"] = rng.sample(bounds, rng.choice([1, 1, 2]))
            names = [bound.partition(" ")[2] for bound in risk[f"max_{name}"]]
            if len(set(names)) < len(names):
                risk[f"max_{name}"] = risk[f"max_{name}"][:1]
    if rng.random() < 0.2:
        risk["order_types"] = ["market"]
    if rng.random() < 0.2:
        risk["max_order_quantity"] = {"default": "0.5"}
    if rng.random() < 0.2:
        risk["price_collar"] = {"max_deviation": "2%"}
    if rng.random() < 0.2 and "max_order_notional" in risk:
        risk["on_breach"] = {"max_order_notional": "warn"}
    stage = {"stage": {"current": rng.choice(never.STAGES)}} if rng.random() < 0.4 else {}
    return HEAD | {"exchange": exchange, "risk": risk} | stage


def engine(data: dict[str, Any]) -> Engine:
    """Compile a policy."""
    return compile_policy(load_text(json.dumps(data), "p.yaml"), load_traits(data["exchange"]))


def decided(one: Engine, order: Order, given: Given) -> tuple[bool, Decimal | None]:
    """Tell whether an increase is allowed, and its notional."""
    decision, assessment = decide_once(one, order, given, NOW)
    return decision.outcome == "allow" and not assessment.reduces, assessment.notional


def world(rng: Random, exchange: str) -> tuple[Facts, Order]:
    """Return facts and an order near to the caps."""
    contract = exchange == CONTRACT[0]
    tail = "/USDT:USDT" if contract else "/USDT"
    key = lambda base: base + tail if contract else base  # noqa: E731
    held = Decimal(rng.choice(["0", "0.01", "0.1", "0.3", "-0.1", "-0.3"]))
    eth = Decimal(rng.choice(["0", "0", "2", "-2"]))
    positions = {key("BTC"): Position(held, held), key("ETH"): Position(eth, eth)}
    marks = {"BTC/USDT": Fact(Decimal(60_000), NOW), f"BTC{tail}": Fact(Decimal(60_000), NOW)}
    marks |= {f"ETH{tail}": Fact(Decimal(3_000), NOW), "ETH/USDT": Fact(Decimal(3_000), NOW)}
    equity = Fact(Decimal(rng.choice([5_000, 100_000, 100_000, 1_000_000])), NOW)
    facts = Facts(
        equity=equity,
        day_base=Fact(equity.value, DAY),
        net_transfers=Fact(Decimal(0), NOW),
        positions={name: one for name, one in positions.items() if one.low},
        positions_as_of_ms=NOW,
        marks=marks,
        contract_sizes=dict.fromkeys((f"BTC{tail}", f"ETH{tail}"), Decimal(1)),
        skew_ms=0,
        position_mode=Setting("one_way", NOW),
    )
    kind = rng.choice(["limit", "limit", "market"])
    quantity = Decimal(rng.choice(["0.001", "0.0098", "0.01", "0.016", "0.02", "0.1", "0.3", "0.5", "1"]))
    price = None if kind == "market" else Decimal(rng.choice(["30000", "59000", "60000", "61000", "90000"]))
    return facts, Order(f"BTC{tail}", rng.choice(["buy", "buy", "sell"]), kind, quantity, price)


def broken_by(data: dict[str, Any], said: list[never.Statement], rng: Random, n: int) -> tuple[int, list[str]]:
    """Return how many allowed increases met the proved ones of these statements, and those that break one."""
    one, met, wrong = engine(data), 0, []
    proved = [s for s in said if isinstance(never.judge(one.effective.model, s), never.Proved)]
    for _ in range(n if proved else 0):
        facts, order = world(rng, data["exchange"])
        allowed, notional = decided(one, order, Given(facts))
        if allowed and notional is not None:
            met += len(proved)
            wrong += [f"{s} {data} {order}" for s in proved if over(s, facts, order, notional)]
    return met, wrong


def test_I16_no_allowed_order_breaks_what_is_proved(tier: Callable[[int, int], int]) -> None:
    """Over random policies, facts and orders, spot and contracts: whatever the judge proves holds of each increase."""
    rng, met, n = Random(9), 0, tier(2_000, 100_000)
    while met < n:
        more, wrong = broken_by(policy(rng), [statement(rng) for _ in range(12)], rng, 24)
        assert wrong == []
        met += more


LIES = {
    "dimension": ({"max_order_notional": "10% of equity"}, "order_notional > 590 USDT"),
    "flip": ({"max_position_notional": "20000 USDT"}, "order_notional > 20000 USDT"),
    "warn": (
        {"max_order_notional": "590 USDT", "on_breach": {"max_order_notional": "warn"}},
        "order_notional > 590 USDT",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_entailment_is_noticed(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shortcut that looks right and is not makes the same check fail; without it nothing is proved."""
    risk, text = LIES[lie]
    data = HEAD | {"exchange": CONTRACT[0], "risk": {"symbols": [CONTRACT[1]]} | risk}
    assert broken_by(data, [never.parse(text)], Random(9), 3_000) == (0, [])
    if lie == "dimension":
        monkeypatch.setattr(never, "within", lambda said, value: value and value[0][0] <= said.value[0])
    elif lie == "warn":
        monkeypatch.setattr(never, "warns", lambda model, path: False)
    else:
        monkeypatch.setattr(never, "NOT_ENTAILED", frozenset())
    met, wrong = broken_by(data, [never.parse(text)], Random(9), 3_000)
    assert met > len(wrong) > 0


def test_I16_no_order_of_the_engines_own_worlds_breaks_what_is_proved(tier: Callable[[int, int], int]) -> None:
    """The same over the random worlds that the engine's reference model is tested with."""
    rng, met = Random(16), 0
    for _ in range(tier(25, 1_000)):
        one, _ = random_worlds.policy(rng)
        asked = [never.parse(f"order_notional > {limit}") for limit in ("590 USDT", "1500 USDT", "3% of equity")]
        said = [s for s in asked if isinstance(never.judge(one.effective.model, s), never.Proved)]
        for _ in range(60):
            facts, order = random_worlds.facts(rng), random_worlds.order(rng)
            allowed, notional = decided(one, order, Given(facts))
            if allowed and notional is not None:
                met += 1
                assert not [s for s in said if over(s, facts, order, notional)]
    assert met > 20, met


def test_I16_every_counterexample_is_allowed_and_breaks_it(tier: Callable[[int, int], int]) -> None:
    """What a finding shows is what `policykit check` allows, at the stage that it names, and it is over the limit."""
    rng, shown, unshown = Random(24), 0, 0
    for _ in range(tier(150, 5_000)):
        data, said = policy(rng), statement(rng)
        try:
            load_text(json.dumps(data | {"never": [str(said)]}), "p.yaml")
        except PolicyError as error:
            (found,) = error.findings
            assert found.rule == "PK024"
            unshown += not found.extra
            if found.extra:
                shown += 1
                assert breaks(data, said, found.extra), (str(said), data, found.extra)
    assert shown > 2 * unshown, (shown, unshown)


def breaks(data: dict[str, Any], said: never.Statement, extra: dict[str, Any]) -> bool:
    """Tell whether an order and facts, as JSON, are allowed at some stage of the policy and break a statement."""
    effective = load_text(json.dumps(data), "p.yaml")
    order, given = read_order(extra["order"]), read_facts(extra["facts"], "USDT", NOW)
    for stage in never.STAGES[never.STAGES.index(data.get("stage", {}).get("current", "full-live")) :]:
        staged = effective.at_stage(stage)
        if stage == "sandbox":  # with the environment that goes with it
            staged = replace(staged, model=staged.model.model_copy(update={"environment": "sandbox"}))
        one = compile_policy(staged, load_traits(data["exchange"]), paper=stage == "paper")
        allowed, notional = decided(one, order, given)
        if allowed and notional is not None and over(said, given.facts, order, notional):
            return True
    return False


def test_a_counterexample_that_breaks_nothing_is_noticed() -> None:
    """The check above fails for an order that is allowed and small, and for one that is denied."""
    data = HEAD | {"exchange": "binance", "risk": {"symbols": ["BTC/USDT"], "max_order_notional": "3% of equity"}}
    said = never.parse("order_notional > 2% of equity")
    with pytest.raises(PolicyError) as error:
        load_text(json.dumps(data | {"never": [str(said)]}), "p.yaml")
    extra = error.value.findings[0].extra
    assert breaks(data, said, extra)
    for quantity in ("0.1", "99"):
        assert not breaks(data, said, extra | {"order": extra["order"] | {"quantity": quantity}})


ORDERS: dict[str, Any] = {"symbols": ["BTC/USDT"], "max_order_notional": "3% of equity"}
DAY_LIMIT = {"limit": ["10% of equity", "100 USDT"]}
MANY = {
    "max_margin_ratio": "80%",
    "max_borrow": "100 USDT",
    "weekly_loss": {"limit": "10% of equity"},
    "max_drawdown": {"limit": "20% of equity"},
    "consecutive_losses": {"limit": 4, "cooldown": "10m"},
    "partial_fills": {"min_fill_to_act": "10%", "max_reentries": 3, "cooldown": "5s"},
}
SHOWN: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("binance", {"symbols": ["*/USDT"]}, "symbol == DOGE*", "buy 0.001 DOGE/USDT at 100"),
    ("binance", {"symbols": ["*/USDT"]}, "symbol == LUNA/USDT", "buy 0.001 LUNA/USDT at 100"),
    ("binance", {"order_types": ["limit", "market"]}, "order_type == market", "buy 0.001 BTC/USDT"),
    ("binance", {}, "order_type == stop_loss_limit", "buy 0.001 BTC/USDT at 100"),
    ("binance", {"sides": ["buy", "sell"]}, "side == sell", "sell 0.001 BTC/USDT at 100"),
    ("binance", {"time_in_force": ["IOC", "FOK"]}, "time_in_force == IOC", "buy 0.001 BTC/USDT at 100"),
    (
        "binance",
        {"self_trade_prevention": ["expire_maker"]},
        "self_trade_prevention == expire_maker",
        "buy 0.001 BTC/USDT at 100",
    ),
    ("binanceusdm", {"max_leverage": 7}, "leverage > 5", "buy 0.001 BTC/USDT:USDT at 100 at a leverage of 6"),
    ("binanceusdm", {}, "leverage > 5", "buy 0.001 BTC/USDT:USDT at 100 at a leverage of 6"),
    ("binance", {"max_open_orders": 50}, "open_orders > 20", "buy 0.001 BTC/USDT at 100 while 20 orders are open"),
    ("binance", {}, "price_deviation > 3%", "buy 0.001 BTC/USDT at 104 while the mark is 100"),
    (
        "binance",
        {"price_collar": {"max_deviation": "3.5%", "reference": "mark"}},
        "price_deviation > 3%",
        "buy 0.001 BTC/USDT at 103.5 while the mark is 100",
    ),
    (
        "binance",
        {"daily_loss": {"limit": "10% of equity"}},
        "daily_loss > 5% of equity",
        "buy 0.001 BTC/USDT at 100 after a loss of 7500 USDT in a day that began with 100000 USDT",
    ),
    (
        "binance",
        {"daily_loss": DAY_LIMIT},
        "daily_loss > 5% of equity",
        "buy 0.001 BTC/USDT at 100 after a loss of 49.99999999 USDT in a day that began with 666.66666666 USDT",
    ),
    (
        "binance",
        {"daily_loss": DAY_LIMIT | {"on_breach": "warn"}},
        "daily_loss > 500 USDT",
        "buy 0.001 BTC/USDT at 100 after a loss of 505 USDT in a day that began with 505000 USDT",
    ),
    (
        "binance",
        {"max_order_notional": "0.5 BTC"},
        "order_notional > 0.1 BTC",
        "buy 0.101 BTC/USDT at 9900.990099, order notional 999.99999999 USDT",
    ),
    (
        "binance",
        {"max_order_notional": ["3% of equity", "5000 USDT"], "max_order_quantity": {"default": "0.001"}},
        "order_notional > 2% of equity",
        "buy 0.0005 BTC/USDT at 4040000, order notional 2020 USDT at an equity of 100000 USDT",
    ),
    (
        "binance",
        MANY,
        "order_notional > 2% of equity",
        "buy 20.2 BTC/USDT at 100, order notional 2020 USDT at an equity of 100000 USDT",
    ),
)


def shown(exchange: str, risk: dict[str, Any], said: str) -> tuple[dict[str, Any], Any]:
    """Return a policy without its invariant, and the finding that it breaks it."""
    symbol = {"symbols": [dict((SPOT, CONTRACT))[exchange]]}
    data = HEAD | {"exchange": exchange, "risk": ORDERS | symbol | risk}
    with pytest.raises(PolicyError) as error:
        load_text(json.dumps(data | {"never": [said]}), "p.yaml")
    (found,) = error.value.findings
    return data, found


@pytest.mark.parametrize(("exchange", "risk", "said", "says"), SHOWN)
def test_a_counterexample_of_each_kind_is_allowed(exchange: str, risk: dict[str, Any], said: str, says: str) -> None:
    """The sentence of the finding is what the engine does with its order and facts."""
    data, found = shown(exchange, risk, said)
    assert f"it allows {says};" in found.message
    order, given = read_order(found.extra["order"]), read_facts(found.extra["facts"], "USDT", NOW)
    engine = compile_policy(load_text(json.dumps(data), "p.yaml"), load_traits(exchange))
    assert decide_once(engine, order, given, NOW)[0].outcome == "allow"


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        ({"max_order_notional": ["0.5 BTC"], "max_order_quantity": {"default": "0.001"}}, "order_notional > 0.01 BTC"),
        ({"daily_loss": {"limit": "10% of equity"}}, "daily_loss > 5 BTC"),
        ({"symbols": ["BTC/EUR"]}, "order_notional > 1% of equity"),
    ],
)
def test_where_none_is_found_it_is_broken_all_the_same(risk: dict[str, Any], said: str) -> None:
    """What nobody can show is not proved: it does not load, and no order is made up."""
    _, found = shown("binance", risk, said)
    assert (found.rule, found.extra) == ("PK024", {})
