"""The state of an account behind a guard: what the exchange says of it reaches the check that is held against it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.order import Order
from tests.guard.contracts import ETH, SWAP, contracts, policy
from tests.guard.world import SYMBOL, World, policy_text

D = Decimal
Start = Callable[..., World]
ENTRY = (SYMBOL, "limit", "buy", 0.01, 59_000)
EXIT = (SYMBOL, "limit", "sell", 0.01, 61_000)
LONG = (SWAP, "limit", "buy", 0.01, 59_000)
SHORT = (SWAP, "limit", "sell", 0.01, 61_000)
LEAVE = {"reduceOnly": True}


def said(client: Any, *order: Any) -> list[tuple[str, str]]:
    """Return codes and messages of a denial."""
    with pytest.raises(Denied) as caught:
        client.create_order(*order)
    return [(reason.code, reason.message) for reason in caught.value.decision.reasons]


def perps(start: Start, line: str, **more: Any) -> tuple[World, Guard, Any]:
    """Start contracts under one more limit of `risk`; a guard, and a client behind it."""
    world = contracts(start, text=policy(more=f"  {line}\n", **more))
    guard = world.guard()
    return world, guard, world.protected(guard)


def test_a_liquidation_that_is_near(start: Start) -> None:
    """One coin is held on a wallet that shrinks: the exchange's price comes nearer, entries stop, exits do not."""
    world, guard, client = perps(start, "min_liquidation_distance: 30%", position="200000 USDT")
    world.sim.hold(SWAP, "0.1", entry=60_000)
    guard.maintain()
    # 20,000 cover 0.1 coin at any price: the exchange says 0.
    assert guard.facts().contracts[SWAP].liquidation_price == 0
    client.create_order(*LONG)
    world.sim.hold(SWAP, "1", entry=60_000)
    world.clock.advance(3)
    guard.maintain()
    price = guard.facts().contracts[SWAP].liquidation_price
    assert price is not None
    assert D(40_000) < price < D(41_000)  # 60,000 - 20,000, and the maintenance margin
    client.create_order(*LONG)
    world.sim.transfer(SWAP, -5_000)
    world.clock.advance(3)
    guard.maintain()
    ((code, text),) = said(client, *LONG)
    assert (code, text.endswith("from the mark, min_liquidation_distance is 30%")) == ("RISK_LIQUIDATION", True)
    client.create_order(SWAP, "limit", "sell", 0.1, 61_000, LEAVE)


def test_a_margin_that_is_used_up(start: Start) -> None:
    """Maintenance margin over the balance, as the exchange tells both; a wallet that is emptied stops entries."""
    world, guard, client = perps(start, "max_margin_ratio: 2%", position="200000 USDT")
    world.sim.hold(SWAP, "1", entry=60_000)
    world.clock.advance(3)
    guard.maintain()
    ratio = guard.facts().margin_ratio
    assert ratio is not None
    client.create_order(*LONG)
    before = ratio.value
    world.sim.transfer(SWAP, -10_000)
    world.clock.advance(3)
    guard.maintain()
    ratio = guard.facts().margin_ratio
    assert ratio is not None
    assert ratio.value == 2 * before
    assert [code for code, _ in said(client, *LONG)] == ["RISK_MARGIN_RATIO"]
    client.create_order(SWAP, "limit", "sell", 0.1, 61_000, LEAVE)


def test_funding_is_asked_for_where_it_is_limited(start: Start) -> None:
    """The exchange's rate stops the side that pays it; without the limit nobody asks."""
    _, guard, client = perps(start, "max_funding_rate: 0.005%")
    rate = guard.facts().contracts[SWAP].funding_rate
    assert rate == D("0.0001")
    assert said(client, *LONG) == [
        ("RISK_FUNDING", f"a long position in {SWAP} pays 0.01% of funding, max_funding_rate is 0.005%")
    ]
    client.create_order(*SHORT)
    other = contracts(start).guard()
    assert other.facts().contracts[SWAP].funding_rate is None


PROOF = policy_text(position="200% of equity").replace("trade.spot]", "trade.spot], address_proof: {max_age: 30d}")
MONTH_S = 30 * 86_400


def test_the_first_increase_waits_for_the_proof_of_the_address(start: Start) -> None:
    """One of this host and key, of the exchange itself and of the live environment; a reload keeps asking."""
    world = start(text=PROOF, balances={"USDT": D(40_000), "BTC": D(1)})
    guard = world.guard()
    client = world.protected(guard)

    def prove(**other: Any) -> None:
        row = {"exchange": "binance", "environment": "live", "endpoint": None, "account": "main"}
        guard.store.prove(row | {"key": "mm-exec", "host": guard.host, "how": "refused"} | other, guard.now())

    for other in ({"host": "elsewhere"}, {"key": "other"}, {"account": "b"}, {"endpoint": world.sim.url}):
        prove(**other)
    prove(environment="sandbox")
    text = f"that the key mm-exec works from {guard.host} was never proved; run policykit doctor on it"
    assert said(client, *ENTRY) == [("ADDRESS_PROOF_MISSING", text)]
    client.create_order(*EXIT)
    prove()
    client.create_order(*ENTRY)
    world.policy.write_text(PROOF.replace("6000, per", "5000, per"), encoding="utf-8")
    assert guard.reload().taken
    client.create_order(*ENTRY)
    world.protected(world.guard()).create_order(*ENTRY)
    world.clock.advance(MONTH_S + 1)
    guard.maintain()
    assert [code for code, _ in said(client, *ENTRY)] == ["ADDRESS_PROOF_STALE"]


def test_what_is_held_counts_into_gross_exposure(start: Start) -> None:
    """Of 100,000 half is a coin that nobody traded here: 60,000 of 61,000, so 590 more fit and 1,180 do not."""
    text = policy_text(position="200% of equity").replace(
        "  max_open_orders", "  max_gross_exposure: 61000 USDT\n  max_open_orders"
    )
    world = start(text=text, balances={"USDT": D(40_000), "BTC": D(1)})
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*ENTRY)
    ((code, _),) = said(client, SYMBOL, "limit", "buy", 0.02, 59_000)
    assert code == "RISK_GROSS_EXPOSURE"
    client.create_order(*EXIT)


def test_contracts_count_into_gross_exposure(start: Start) -> None:
    """A short of 0.2 coins at 60,000 is 12,000 of 13,000; what adds 590 fits on the other side, too; 1,180 does not."""
    world, guard, client = perps(start, "max_gross_exposure: 13000 USDT")
    world.sim.hold(SWAP, "-0.2", entry=60_000)
    world.clock.advance(3)
    guard.maintain()
    eth = guard.facts().marks[ETH].value
    amount = round(600 / eth, 3)
    client.create_order(ETH, "limit", "buy", float(amount), float(eth - 10))
    assert [code for code, _ in said(client, ETH, "limit", "buy", float(amount), float(eth - 10))] == [
        "RISK_GROSS_EXPOSURE"
    ]


def test_a_group_counts_both_accounts_of_a_store(start: Start) -> None:
    """What one account holds takes from the group's cap what the other may add."""
    group = "groups: {desk: {max_gross_exposure: 61000 USDT}}\n"
    rich = start(text=policy_text(position="200% of equity") + group, balances={"USDT": D(40_000), "BTC": D(1)})
    poor = start(text=policy_text(name="b", account="b") + group)
    first = rich.guard()
    second = poor.guard(store=rich.store)
    client = poor.protected(second)
    client.create_order(*ENTRY)
    assert [code for code, _ in said(client, SYMBOL, "limit", "buy", 0.02, 59_000)] == ["GROUP_GROSS_EXPOSURE"]
    assert first.account != second.account


def borrower(limit: str) -> str:
    """Return a policy under which so much may be borrowed."""
    return policy_text().replace("  max_open_orders", f"  max_borrow: {limit}\n  max_open_orders")


def ask(guard: Guard, asset: str, amount: str) -> list[str]:
    """Ask for a loan as a function that borrows does; return the codes of its denial."""

    def wish(asset: str, amount: str) -> Order:
        return Order(asset, quantity=D(amount), action="margin.borrow")

    @enforce("margin.borrow", guard=guard, order=wish)
    def borrow(asset: str, amount: str) -> str:
        return f"{amount} {asset}"

    try:
        assert borrow(asset, amount) == f"{amount} {asset}"
    except Denied as denied:
        return [reason.code for reason in denied.decision.reasons]
    return []


def test_loans_are_held_against_what_is_owed(start: Start) -> None:
    """300 on cross margin, 0.005 coins on a pair: 600 of 1,000. 300 more fit once, and are seen when they are owed."""
    world = start(text=borrower("1000 USDT"))
    world.sim.owe("USDT", 300)
    world.sim.owe("BTC", "0.005", "BTCUSDT")
    guard = world.guard()
    assert guard.facts().borrowed == (D(600), guard.now())
    assert ask(guard, "USDT", "300") == []
    assert ask(guard, "USDT", "101") == ["RISK_BORROW"]
    world.sim.owe("USDT", 600)
    world.clock.advance(21)
    guard.maintain()
    assert ask(guard, "USDT", "101") == ["RISK_BORROW"]
    assert ask(guard, "BTC", "0.001") == []
    assert world.protected(guard).create_order(*ENTRY)["status"] == "open"


def test_what_is_owed_and_cannot_be_told_denies_loans_only(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The exchange does not answer, or owes an asset without a price: no loan, and orders go on."""
    world = start({"at": "other", "do": "unknown", "ratio": 1}, text=borrower("1000 USDT"))
    guard = world.guard()
    guard.maintain()
    assert guard.facts().borrowed is None
    assert ask(guard, "USDT", "1") == ["FACTS_MISSING"]
    assert [record.getMessage().endswith("; loans are denied") for record in caplog.records] == [True]
    world.protected(guard).create_order(*ENTRY)
    other = start(text=borrower("1000 USDT"))
    other.sim.owe("DUST", 1)
    assert other.guard().facts().borrowed is None


def test_nobody_asks_what_is_owed_without_a_limit(start: Start) -> None:
    """Without `max_borrow` nothing is read of margin, and nothing may be borrowed."""
    world = start()
    guard = world.guard()
    assert "GET /sapi/v1/margin/account" not in world.sim.truth.by_route
    assert ask(guard, "USDT", "1") == ["ACTION_REFUSED"]
