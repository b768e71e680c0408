"""What follows a breach (`risk.on_breach`): a warning, a denial, or a trading state that a person must end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from policykit.engine.facts import Contract, Quote
from policykit.errors import Denied
from policykit.guard import Guard
from policykit.model.risk import LimitName
from policykit.order import Order
from policykit.store import Observation
from policykit.testing import SimClock
from tests.guard import contracts
from tests.guard.contracts import SWAP
from tests.guard.world import PRICE, SYMBOL, World, policy_text, world

D = Decimal
WORDS = ("warn", "deny", "reduce_only", "cancel_open", "halt")
#: The trading state after a breach.
AFTER = {"warn": None, "deny": None, "reduce_only": "REDUCING", "cancel_open": "HALTED", "halt": "HALTED"}
SPOT: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "type": "limit", "quantity": D("0.01"), "price": D(59_000)}
PERP: dict[str, Any] = SPOT | {"symbol": SWAP}
#: One limit each: what the policy says, and the order that breaks it; `perp` ones are of contracts.
BREACHES: dict[str, tuple[str, dict[str, Any]]] = {
    "symbols": ('symbols: ["ETH/USDT"]', SPOT),
    "sides": ("sides: [sell]", SPOT),
    "order_types": ("order_types: [market]", SPOT),
    "time_in_force": ("time_in_force: [IOC]", SPOT),
    "self_trade_prevention": ("self_trade_prevention: [expire_taker]", SPOT),
    "max_order_notional": ("max_order_notional: 100 USDT", SPOT),
    "max_order_quantity": ('max_order_quantity: {default: "0.001"}', SPOT),
    "risk_at_stop": ("risk_at_stop: 1 USDT", SPOT | {"stop_loss_price": D(58_000)}),
    "price_collar": ("price_collar: {max_deviation: 1%}", SPOT | {"price": D(61_000)}),
    "max_price_move": ("max_price_move: {limit: 0.1%, per: 1m}", SPOT),
    "max_slippage": ("max_slippage: 0.1%", SPOT | {"type": "market", "price": None}),
    "duplicate_window": ("duplicate_window: 1m", SPOT),
    "repeated_execution": ("repeated_execution: {limit: 1, per: 1m}", SPOT),
    "trading_hours": ('trading_hours: ["sun 00:00-00:01 UTC"]', SPOT),
    "max_leverage": ("max_leverage: 5", PERP),
    "min_liquidation_distance": ("min_liquidation_distance: 20%", PERP),
    "max_margin_ratio": ("max_margin_ratio: 10%", PERP),
    "max_funding_rate": ("max_funding_rate: 0.01%", PERP),
    "reduce_only_exits": ("reduce_only_exits: true", PERP | {"side": "sell"}),
}
#: These meet the first order like them, and deny the next.
SECOND = ("duplicate_window", "repeated_execution")


def limited(name: str, word: str) -> str:
    """Return a policy with one limit and what follows its breach."""
    said, order = BREACHES[name]
    text = contracts.policy() if order["symbol"] == SWAP else policy_text()
    kept = [line for line in text.splitlines() if not line.startswith(f"  {name}:")]
    at = kept.index("risk:") + 1
    lines = [f"  {said}", f"  on_breach: {{{name}: {word}}}"]
    return "\n".join([*kept[:at], *lines, *kept[at:]]) + "\n"


def knowing(folder: Path, text: str) -> Guard:
    """Return a guard that was told of an account: long one contract, its liquidation near, a market that moved."""
    path = folder / "mm.yaml"
    path.write_text(text, encoding="utf-8")
    guard = Guard.load(path, store="memory:", clock=SimClock(), testing=True)
    now = guard.now()
    told = Observation(
        now,
        now,
        equity=D(100_000),
        net_transfers=D(0),
        positions={"BTC": D("0.01"), SWAP: D("0.01")},
        marks={SYMBOL: PRICE, SWAP: PRICE},
        contract_sizes={SWAP: D(1)},
        skew_ms=0,
        quotes={SYMBOL: Quote(D(60_000), D(60_600), now)},
        contracts={SWAP: Contract(D(20), "cross", D(55_000), D("0.001"), now)},
        margin_ratio=D("0.5"),
        day_start_ms=now - now % 86_400_000,
    )
    for minute in (2, 1):
        then = now - minute * 60_000
        guard.store.observe(guard.account, Observation(then, then, marks={SYMBOL: PRICE - minute * 500}), then)
    guard.store.observe(guard.account, told, now)
    return guard


def breach(guard: Guard, name: str) -> None:
    """Ask for the order that breaks the limit; raise what the guard raises."""
    order = BREACHES[name][1]
    if name in SECOND:
        guard.decide(Order(**order))
    guard.decide(Order(**order))


def test_every_limit_that_can_say_so_is_here() -> None:
    """A limit that learns `on_breach` needs a row."""
    assert set(BREACHES) == set(get_args(LimitName))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", BREACHES)
def test_breach_of_each_limit(tmp_path: Path, name: str, word: str) -> None:
    """Warn admits and warns; all others deny, and set the state that the policy asks for; exits pass all the same."""
    guard = knowing(tmp_path, limited(name, word))
    if word == "warn":
        breach(guard, name)
        last = [row for row in guard.store.rows(0, 1_000) if row.kind == "decision"][-1].body["decision"]
        assert (last["outcome"], last["reasons"]) == ("allow", [])
    else:
        with pytest.raises(Denied) as denied:
            breach(guard, name)
        (reason,) = denied.value.decision.reasons
        assert (reason.check, reason.on_breach) == (f"risk.{name}", word)
    halts = [(halt.scope, halt.state, halt.by) for halt in guard.store.halts()]
    state = AFTER[word]
    assert halts == ([] if state is None else [(f"account:{guard.account}", state, f"risk.{name}")])
    leaves = Order(SYMBOL, "sell", "limit", D("0.01"), D(61_000))
    if BREACHES[name][1]["symbol"] == SWAP:
        leaves = Order(SWAP, "sell", "market", D("0.01"), reduce_only=True)
    assert guard.decide(leaves).decision.reduces


def test_a_limit_that_could_not_be_judged_sets_no_state(tmp_path: Path) -> None:
    """No book is no breach of `max_slippage`: denied, whatever the word is, and trading goes on."""
    for word in WORDS:
        guard = knowing(tmp_path, limited("max_slippage", word))
        asked = BREACHES["max_slippage"][1] | {"symbol": "ETH/USDT", "quantity": D("0.1")}
        guard.observe(marks={"ETH/USDT": "3000"}, partial=True)
        with pytest.raises(Denied) as denied:
            guard.decide(Order(**asked))
        assert [reason.code for reason in denied.value.decision.reasons] == ["PRICE_MISSING"]
        assert guard.store.halts() == []


def test_a_warning_does_not_hide_a_denial(tmp_path: Path) -> None:
    """Two limits are broken, one of which warns: the other denies, and the warned one is not among the reasons."""
    text = limited("max_order_notional", "warn").replace("  on_breach", "  sides: [sell]\n  on_breach")
    guard = knowing(tmp_path, text)
    with pytest.raises(Denied) as denied:
        breach(guard, "max_order_notional")
    assert [reason.code for reason in denied.value.decision.reasons] == ["RISK_SIDE"]
    assert [warning.code for warning in denied.value.decision.warnings] == ["RISK_ORDER_NOTIONAL"]


def test_a_warned_count_still_counts(tmp_path: Path) -> None:
    """An order that was warned of holds its place: the window knows three when the next policy denies the fourth."""
    guard = knowing(tmp_path, limited("repeated_execution", "warn"))
    for _ in range(3):
        guard.decide(Order(**SPOT))
    hold = next(h for i in guard.store.intents() for h in i.holds if h.check == "risk.repeated_execution")
    assert guard.store.use((hold._replace(limit=0),), guard.now()).used == (3,)


def test_a_second_halt_is_not_written(tmp_path: Path) -> None:
    """What is halted stays halted by its first cause: a later breach is a denial and no second row."""
    guard = knowing(tmp_path, limited("max_order_notional", "halt"))
    for _ in range(3):
        with pytest.raises(Denied):
            breach(guard, "max_order_notional")
    assert [row.kind for row in guard.store.rows(0, 1_000)].count("halt") == 1


def test_a_breach_during_a_drill_is_a_halt_of_its_own(tmp_path: Path) -> None:
    """It is told and stays as what it is: the account was stopped already, but for an exercise."""
    with world(tmp_path) as made:
        guard = made.guard()
        scope = f"account:{guard.account}"
        guard.store.halt(scope, "HALTED", "ops", "drill of November", guard.now())
        for _ in range(2):
            guard.halt_once(scope, "REDUCING", "risk.daily_loss", "3% is lost")
        assert [(halt.state, halt.by, halt.drill) for halt in guard.store.halts()] == [
            ("HALTED", "risk.daily_loss", False)
        ]
        assert sum(row.kind == "halt" for row in guard.store.rows()) == 2


@pytest.mark.parametrize("word", ["reduce_only", "cancel_open", "halt"])
def test_what_happens_to_open_orders(start: Callable[..., World], word: str) -> None:
    """Over HTTP: a cut of risk keeps entries open with reduce_only, and cancels them otherwise; exits stay in all."""
    text = policy_text().replace("risk:\n", f"risk:\n  on_breach: {{max_order_notional: {word}}}\n")
    world = start(text=text, balances={"USDT": D(94_000), "BTC": D("0.1")})
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SYMBOL, "limit", "buy", 0.01, 58_000)
    client.create_order("ETH/USDT", "limit", "buy", 0.1, 1_000)
    client.create_order(SYMBOL, "limit", "sell", 0.01, 62_000)
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.1, 58_000)
    guard.maintain()
    left = [(o["symbol"], o["side"]) for s in (SYMBOL, "ETH/USDT") for o in world.sim.client().fetch_open_orders(s)]
    exits, entries = [(SYMBOL, "sell")], [(SYMBOL, "buy"), ("ETH/USDT", "buy")]
    assert sorted(left) == sorted(exits + entries if word == "reduce_only" else exits)
    again = world.guard()
    with pytest.raises(Denied) as denied:
        world.protected(again).create_order(SYMBOL, "limit", "buy", 0.001, 58_000)
    state = "TRADING_REDUCING" if word == "reduce_only" else "TRADING_HALTED"
    assert [reason.code for reason in denied.value.decision.reasons] == [state]
    assert client.create_order(SYMBOL, "limit", "sell", 0.01, 61_000)["status"] == "open"


def test_a_halt_on_contracts_takes_entries_of_every_family(start: Callable[..., World]) -> None:
    """PITFALLS 24: entries in the book and the Algo Service are cancelled, stop and target of the position are not."""
    text = contracts.policy(more="  on_breach: {max_order_notional: cancel_open}\n")
    world = contracts.contracts(start, text=text)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    world.clock.advance(7)
    guard.maintain()
    client.create_order(SWAP, "limit", "buy", 0.01, 58_000)
    client.create_order(SWAP, "stop_market", "buy", 0.01, None, {"stopPrice": 62_000})
    client.create_order(SWAP, "market", "sell", 0.1, None, {"stopPrice": 55_000, "reduceOnly": True})
    client.create_order(SWAP, "limit", "sell", 0.1, 65_000, {"reduceOnly": True})
    with pytest.raises(Denied):
        client.create_order(SWAP, "limit", "buy", 1, 58_000)
    guard.maintain()
    raw = world.sim.client()
    left = [raw.fetch_open_orders(SWAP, params={"trigger": trigger}) for trigger in (False, True)]
    assert [[order["side"] for order in family] for family in left] == [["sell"], ["sell"]]
    assert world.sim.held(SWAP) == D("0.1")
