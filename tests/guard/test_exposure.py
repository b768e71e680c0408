"""Caps on all positions together, held by guards over a simulated exchange: the totals are real, and outlive a bot."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.order import Order
from tests.guard.contracts import ETH, SWAP, contracts, policy
from tests.guard.world import SYMBOL, World, policy_text

#: 0.01 BTC of 60,000: an order of 600 USDT.
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
CASH = {"USDT": Decimal(40_000)}


def text(*lines: str, tail: str = "", **changes: object) -> str:
    """Return the usual policy with more lines of `risk`, and what comes after all."""
    more = "".join(f"  {line}\n" for line in lines)
    return policy_text(position="50% of equity", **changes).replace("retry:\n", f"{more}retry:\n") + tail


def why(act: Callable[[], Any]) -> list[str]:
    """Return the messages of a denial."""
    with pytest.raises(Denied) as caught:
        act()
    return [f"{reason.code}: {reason.message}" for reason in caught.value.decision.reasons]


def test_orders_that_are_out_add_up_to_the_gross_cap(start: Callable[..., World]) -> None:
    """Two of three buys fit; what the third says; over a restart too; a cancel makes room; exits pass."""
    world = start(text=text("max_gross_exposure: 1300 USDT"), balances=CASH)
    client = world.protected()
    first = client.create_order(*BUY)
    client.create_order(*BUY)
    refusal = ["RISK_GROSS_EXPOSURE: gross exposure would be 1,800.00 of max_gross_exposure 1,300.00 USDT"]
    assert why(lambda: client.create_order(*BUY)) == refusal
    guard = world.guard()
    client = world.protected(guard)
    assert why(lambda: client.create_order(*BUY)) == refusal
    client.cancel_order(first["id"], SYMBOL)
    client.create_order(*BUY)
    assert why(lambda: client.create_order(*BUY)) == refusal
    assert guard.decide(Order(SYMBOL, "sell", "limit", Decimal("0.01"), Decimal(70_000)))


def test_what_is_held_counts_and_moves_with_its_price(start: Callable[..., World]) -> None:
    """Coins that were there before count at the mark; when it doubles there is no room, and none for another market."""
    world = start(text=text("max_gross_exposure: 3000 USDT"), balances={**CASH, "BTC": Decimal("0.02")})
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*BUY)
    world.sim.pin(SYMBOL, Decimal(120_000))
    world.clock.advance(1)
    guard.maintain()
    found = why(lambda: client.create_order("ETH/USDT", "limit", "buy", 0.01, 3_000))
    assert [line.partition(" would be ")[0] for line in found] == ["RISK_GROSS_EXPOSURE: gross exposure"]
    world.sim.pin(SYMBOL, Decimal(60_000))
    world.clock.advance(1)
    guard.maintain()
    client.create_order("ETH/USDT", "limit", "buy", 0.01, 3_000)


def test_open_positions_are_counted_with_orders_that_are_out(start: Callable[..., World]) -> None:
    """One position is allowed and one order is out: another market is refused, the same one is not."""
    world = start(text=text("max_open_positions: 1"), balances=CASH)
    client = world.protected()
    order = client.create_order(*BUY)
    client.create_order(*BUY)
    other = lambda: client.create_order("ETH/USDT", "limit", "buy", 0.1, 3_000)  # noqa: E731
    assert why(other) == [
        "RISK_OPEN_POSITIONS: 1 other positions are open (with orders that are out, and dust), max_open_positions is 1"
    ]
    client.cancel_all_orders(SYMBOL)
    assert order["id"]
    other()


def test_a_group_of_two_accounts_shares_one_cap(start: Callable[..., World]) -> None:
    """Two accounts of one store in a group: what one uses the other lacks; the tighter member's own cap is its own."""
    tail = "groups: {{desk: {{max_gross_exposure: {most}, max_net_exposure: 5000 USDT}}}}\n"
    world = start(text=text(tail=tail.format(most="1300 USDT")), balances=CASH)
    other = world.policy.with_name("other.yaml")
    other.write_text(text(tail=tail.format(most="2000 USDT"), name="other", account="second"))
    one = world.guard()
    world.policy = other
    two = world.guard()
    buy = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))
    one.decide(buy)
    two.decide(buy)
    said = "GROUP_GROSS_EXPOSURE: gross exposure of group desk would be {} of max_gross_exposure {} USDT"
    assert why(lambda: one.decide(buy)) == [said.format("1,800.00", "1,300.00")]
    two.decide(buy)
    assert why(lambda: two.decide(buy)) == [said.format("2,400.00", "2,000.00")]


def test_a_group_spans_exchanges(start: Callable[..., World]) -> None:
    """Coins on spot and a short on USD-M are one group: gross adds them up, net takes the filled hedge off."""
    group = "groups: {desk: {max_gross_exposure: 2500 USDT, max_net_exposure: 700 USDT}}\n"
    spot = start(text=text(tail=group), balances={**CASH, "BTC": Decimal("0.01")})
    perps = contracts(start, text=policy() + group)
    one, two = spot.guard(), perps.guard(store=spot.store)
    buy = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))
    net = "GROUP_NET_EXPOSURE: net exposure of group desk would be 1,200.00 of max_net_exposure 700.00 USDT"
    assert why(lambda: one.decide(buy)) == [net]
    perps.protected(two).create_order(SWAP, "market", "sell", 0.02)
    perps.clock.advance(8)
    two.maintain()
    one.decide(buy)
    gross = "GROUP_GROSS_EXPOSURE: gross exposure of group desk would be 3,000.00 of max_gross_exposure 2,500.00 USDT"
    assert gross in why(lambda: one.decide(buy))


def test_net_exposure_nets_what_filled_only(start: Callable[..., World]) -> None:
    """A long of 1,200 that filled lets a short of 1,800 through under a net cap of 1,000; one that rests does not."""
    world = contracts(start, text=policy(more="  max_net_exposure: 1300 USDT\n"))
    guard = world.guard()
    client = world.protected(guard)
    rests = client.create_order(SWAP, "limit", "buy", 0.02, 59_000)
    over = "RISK_NET_EXPOSURE: net exposure would be 1,800.00 of max_net_exposure 1,300.00 USDT"
    assert why(lambda: client.create_order(SWAP, "limit", "buy", 0.01, 59_000)) == [over]
    sell = lambda: client.create_order(SWAP, "limit", "sell", 0.03, 61_000)  # noqa: E731
    assert why(sell) == ["RISK_NET_EXPOSURE: net exposure would be 1,830.00 of max_net_exposure 1,300.00 USDT"]
    client.cancel_order(rests["id"], SWAP)
    client.create_order(SWAP, "market", "buy", 0.02)
    world.clock.advance(8)
    guard.maintain()
    sell()


@pytest.mark.parametrize("mode", ["hedge", ""])
def test_each_leg_of_a_hedge_counts(start: Callable[..., World], mode: str) -> None:
    """In hedge mode a long and a short of one market are two positions: gross adds them, net takes one off."""
    more = "  max_gross_exposure: 1300 USDT\n  max_net_exposure: 700 USDT\n  max_open_positions: 2\n"
    world = contracts(start, text=policy(mode=mode, more=more))
    world.sim.client().set_position_mode(True)
    guard = world.guard()
    order = Order(SWAP, "buy", "limit", Decimal("0.01"), Decimal(59_000), position_side="long")
    short = Order(SWAP, "sell", "limit", Decimal("0.01"), Decimal(60_000), position_side="short")
    guard.decide(order)
    guard.decide(short)
    assert [line.partition(":")[0] for line in why(lambda: guard.decide(order))] == [
        "RISK_GROSS_EXPOSURE",
        "RISK_NET_EXPOSURE",
    ]
    third = Order(ETH, "buy", "limit", Decimal("0.01"), Decimal(3_000), position_side="long")
    assert [line.partition(":")[0] for line in why(lambda: guard.decide(third))] == ["RISK_OPEN_POSITIONS"]


def test_a_bot_that_gives_its_own_facts_is_held_to_the_caps(start: Callable[..., World]) -> None:
    """Without maintenance the marks that a bot gives price its positions; without one an increase is denied."""
    guard = start(text=text("max_gross_exposure: 1300 USDT"), balances=CASH).guard(ready=False)
    buy = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))

    def tell(price: str) -> None:
        guard.observe(
            equity="40000 USDT",
            net_transfers="0 USDT",
            positions={SYMBOL: "0.01", "USDT/USDC": "40000"},
            marks={SYMBOL: price},
            skew_ms=0,
        )

    guard.observe(equity="40000 USDT", net_transfers="0 USDT", positions={}, skew_ms=0)
    assert {line.partition(":")[0] for line in why(lambda: guard.decide(buy))} == {"PRICE_MISSING"}
    tell("60000")
    guard.decide(buy)
    over = "RISK_GROSS_EXPOSURE: gross exposure would be 1,800.00 of max_gross_exposure 1,300.00 USDT"
    assert why(lambda: guard.decide(buy)) == [over]
    tell("30000")
    guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(30_000)))


def test_an_older_mark_prices_nothing(start: Callable[..., World]) -> None:
    """A mark that was read before the one that is known leaves positions at the newer one."""
    guard = start(text=text("max_gross_exposure: 1300 USDT"), balances=CASH).guard()
    unit = guard.facts().positions["BTC"].unit
    assert unit == 60_000 * 10**12
    guard.observe(marks={SYMBOL: "1", "ETH/BTC": "0.05"}, as_of=guard.now() - 1)
    assert guard.facts().positions["BTC"].unit == unit


def test_the_store_forgets_no_group(start: Callable[..., World]) -> None:
    """A guard announces its groups; another guard of the account finds what is out counted into them."""
    tail = "groups: {desk: {max_gross_exposure: 1300 USDT}}\n"
    world = start(text=text(tail=tail), balances=CASH)
    guard: Guard = world.guard()
    assert guard.facts().groups == ("group|desk|USDT",)
    world.protected(guard).create_order(*BUY)
    again = world.guard()
    assert again.facts().groups == ("group|desk|USDT",)
    world.protected(again).create_order(*BUY)
    assert why(lambda: world.protected(again).create_order(*BUY)) == [
        "GROUP_GROSS_EXPOSURE: gross exposure of group desk would be 1,800.00 of max_gross_exposure 1,300.00 USDT"
    ]


def test_what_is_held_without_a_price_denies_increases(start: Callable[..., World]) -> None:
    """A bot forgot the price of what it holds: no order is added to totals that lack it; with a price it counts."""
    guard = start(text=text("max_gross_exposure: 3700 USDT"), balances=CASH).guard(ready=False)
    buy = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))
    held = {SYMBOL: "0", "ETH/USDT": "1", "USDT/USDC": "40000"}
    guard.observe(equity="43000 USDT", net_transfers="0 USDT", positions=held, marks={SYMBOL: "60000"}, skew_ms=0)
    unpriced = "PRICE_MISSING: ETH is held and no price of it was observed, so no total counts it"
    assert why(lambda: guard.decide(buy)) == [unpriced]
    assert guard.decide(Order("ETH/USDT", "sell", "limit", Decimal(1), Decimal(3_100)))
    guard.observe(marks={"ETH/USDT": "3000"})
    assert guard.decide(buy)
    over = "RISK_GROSS_EXPOSURE: gross exposure would be 4,200.00 of max_gross_exposure 3,700.00 USDT"
    assert why(lambda: guard.decide(buy)) == [over]


def test_what_the_exchange_lists_nowhere_is_worth_nothing(start: Callable[..., World]) -> None:
    """A coin that came from nowhere and has no market stops no bot for ever."""
    world = start(text=text("max_gross_exposure: 1300 USDT"), balances={**CASH, "AIRDROP": Decimal(5_000)})
    assert world.protected().create_order(*BUY)["id"]


def test_a_candidate_with_a_group_is_judged_as_if_it_had_joined(start: Callable[..., World]) -> None:
    """A candidate joins no group, which others would feel; that it has not is no difference between the two."""
    world = start(text=text(), balances=CASH)
    candidate = world.policy.with_name("candidate.yaml")
    candidate.write_text(text(tail="groups: {desk: {max_gross_exposure: 1300 USDT}}\n"))
    guard = world.guard(shadow=candidate)
    world.protected(guard).create_order(*BUY)
    assert guard.shadow is not None
    assert (guard.shadow.judged, guard.shadow.differed, guard.shadow.failed) == (1, 0, 0)
    assert guard.facts().groups == ()
