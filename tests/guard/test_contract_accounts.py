"""The account of USD-M contracts: its settings, the modes that are not known, and what changes it without an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import ccxt
import pytest

from policykit.errors import Denied
from tests.guard.contracts import ETH, SWAP, contracts, policy
from tests.guard.world import World

Start = Callable[..., World]
EXCHANGES = pytest.mark.parametrize("exchange", ["binanceusdm", "binance"])
ISOLATED = policy(more="  max_leverage: 5\n").replace("egress: fra-1", "egress: fra-1, margin_mode: isolated")


def code(denied: pytest.ExceptionInfo[Denied]) -> str:
    """Return the first reason of a denial."""
    return denied.value.decision.reasons[0].code


def written(world: World) -> list[str]:
    """Return every call that changed something."""
    return sorted(name for name in world.sim.truth.by_route.elements() if not name.startswith("GET"))


@EXCHANGES
def test_leverage_is_an_action_of_its_own(start: Start, exchange: str) -> None:
    """Up to the limit it is set, over it nothing is sent; an order is judged by what is set at the exchange."""
    world = contracts(start, exchange=exchange, text=policy(exchange, more="  max_leverage: 5\n"))
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1)
    assert (code(denied), denied.value.decision.reasons[0].observed) == ("RISK_LEVERAGE", "20")
    with pytest.raises(ccxt.PermissionDenied) as refused:
        client.set_leverage(21, SWAP)  # 6 would be less than the 20 that is set: that always passes
    assert code(refused) == "RISK_LEVERAGE"  # type: ignore[arg-type]
    assert written(world) == []
    client.set_leverage(5, SWAP)
    client.create_order(SWAP, "market", "buy", 0.1)  # at once: what the exchange confirmed is known
    with pytest.raises(Denied):
        client.create_order(ETH, "market", "buy", 0.1)  # what was set is of one contract
    assert written(world) == ["POST /fapi/v1/leverage", "POST /fapi/v1/order"]
    actions = [row.body["decision"]["action"] for row in guard.store.rows(0, 1_000) if row.kind == "decision"]
    assert actions.count("account.configure") == 2


def test_leverage_that_somebody_else_raised(start: Start) -> None:
    """Set by hand at the exchange, it is seen in the next round; exits pass whatever it is, lowering it too."""
    world = contracts(start, text=policy(more="  max_leverage: 5\n"))
    by_hand = world.sim.client()
    by_hand.set_leverage(5, SWAP)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    by_hand.set_leverage(50, SWAP)
    world.clock.advance(7)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.01)
    assert (code(denied), denied.value.decision.reasons[0].observed) == ("RISK_LEVERAGE", "50")
    client.create_order(SWAP, "market", "sell", 0.05)
    guard.halt(f"account:{guard.account}", "HALTED", "desk", "drill")
    client.set_leverage(4, SWAP)
    with pytest.raises(Denied) as denied:
        client.set_leverage(5, SWAP)
    assert code(denied) == "TRADING_HALTED"


def test_margin_mode(start: Start) -> None:
    """With `margin_mode: isolated` nothing is entered on cross margin, and cross cannot be asked for."""
    world = contracts(start, text=ISOLATED)
    guard = world.guard()
    client = world.protected(guard)
    client.set_leverage(5, SWAP)
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1)
    assert code(denied) == "ACCOUNT_MARGIN_MODE"
    client.set_margin_mode("isolated", SWAP)
    client.create_order(SWAP, "market", "buy", 0.1)
    with pytest.raises(Denied) as denied:
        client.set_margin_mode("cross", ETH)
    assert code(denied) == "ACCOUNT_MARGIN_MODE"
    assert written(world) == ["POST /fapi/v1/leverage", "POST /fapi/v1/marginType", "POST /fapi/v1/order"]


def test_position_mode(start: Start) -> None:
    """The mode that the policy says may be set, the other not; an entry in the other one is denied."""
    world = contracts(start, text=policy(mode="hedge"))
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1, None, {"positionSide": "LONG"})
    assert code(denied) == "ACCOUNT_POSITION_MODE"
    client.set_position_mode(True)
    with pytest.raises(Denied) as denied:
        client.set_position_mode(False)
    assert code(denied) == "ACCOUNT_POSITION_MODE"
    client.create_order(SWAP, "market", "buy", 0.1, None, {"positionSide": "LONG"})
    assert world.sim.held(SWAP, "LONG") == Decimal("0.1")


@EXCHANGES
def test_a_setting_is_what_was_decided(start: Start, exchange: str) -> None:
    """A raw call of a setting, and params that change one, are refused: none arrives."""
    world = contracts(start, exchange=exchange, text=policy(exchange, more="  max_leverage: 5\n"))
    client = world.protected()
    client.load_markets()
    for way, expected in (
        (lambda: client.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 50}), "RAW_CALL_REFUSED"),
        (lambda: client.set_leverage(5, SWAP, {"leverage": 50}), "ORDER_DIFFERS"),
        (
            lambda: client.fapiPrivatePostPositionMargin({"symbol": "BTCUSDT", "amount": 1, "type": 1}),
            "RAW_CALL_REFUSED",
        ),
    ):
        with pytest.raises(Denied) as denied:
            way()
        assert code(denied) == expected
    assert written(world) == []


def test_inverse_contracts_are_not_traded(start: Start) -> None:
    """COIN-M has a host and an account of its own that no adapter trades: no order, no setting; the rest goes on."""
    coin = "BTC/USD:BTC"
    text = policy("binance", more="  max_leverage: 50\n").replace('"ETH/USDT:USDT"', f'"{coin}"')
    world = contracts(start, exchange="binance", text=text)
    guard = world.guard()
    client = world.protected(guard)
    for ask in (
        lambda: client.create_order(coin, "market", "buy", 1),
        lambda: client.create_order(coin, "market", "sell", 1, None, {"reduceOnly": True}),
        lambda: client.set_leverage(2, coin),
    ):
        with pytest.raises(Denied) as denied:
            ask()
        assert code(denied) == "PRODUCT_NOT_TRADED"
    assert "BTC/USD:BTC is not among the swap markets that policykit can trade on binance" in str(denied.value)
    client.create_order(SWAP, "market", "buy", 0.1)
    assert written(world) == ["POST /fapi/v1/order"]


@EXCHANGES
def test_portfolio_margin_is_not_traded(start: Start, exchange: str) -> None:
    """Its orders go to another host (/papi), of whose account nothing is known: they are refused at the gate."""
    world = contracts(start, exchange=exchange)
    client = world.protected()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1, None, {"portfolioMargin": True})
    assert code(denied) == "RAW_CALL_REFUSED"
    assert written(world) == []


@EXCHANGES
def test_a_host_that_refuses_the_key_is_told(start: Start, exchange: str) -> None:
    """With portfolio margin on, USD-M's own host answers -2015 (Binance.Net issue 1485): the denial says so."""
    world = contracts(start, exchange=exchange)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    key = world.sim.main_key
    world.sim.adopt(replace(key, refused="revoked"))
    world.clock.advance(7)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1)
    assert code(denied) == "ACCOUNT_UNREADABLE"
    assert "check key, address allowlist and scopes (-2015)" in str(denied.value)
    world.sim.adopt(key)
    client.create_order(SWAP, "market", "sell", 0.1, None, {"reduceOnly": True})
    guard.maintain()
    client.create_order(SWAP, "market", "buy", 0.1)
    assert world.sim.held(SWAP) == Decimal("0.1")


@EXCHANGES
def test_a_mode_that_is_not_known(start: Start, exchange: str) -> None:
    """Multi-Assets mode, set by hand while a bot trades: increases wait with the reason, exits that are marked pass."""
    world = contracts(start, exchange=exchange)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    world.sim.linear.book.multi_assets = True
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.01)
    assert code(denied) == "ACCOUNT_MODE"
    assert "the account is in Multi-Assets mode, or does not say; set Single-Asset mode at the exchange" in str(
        denied.value
    )
    client.create_order(SWAP, "market", "sell", 0.04, None, {"reduceOnly": True})
    world.clock.advance(3_600)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.01)
    assert "ACCOUNT_MODE" in [reason.code for reason in denied.value.decision.reasons]
    client.create_order(SWAP, "market", "sell", 0.06, None, {"reduceOnly": True})
    assert world.sim.held(SWAP) == 0
    world.sim.linear.book.multi_assets = False
    guard.maintain()
    client.create_order(SWAP, "market", "buy", 0.01)


def test_one_guard_finds_the_mode_and_every_guard_waits(start: Start) -> None:
    """Facts are the store's: a second bot of the account, which does not read them itself, has old ones and denies."""
    world = contracts(start)
    first, second = world.guard(), world.guard(ready=False)
    world.sim.linear.book.multi_assets = True
    world.clock.advance(11)
    first.maintain()
    with pytest.raises(Denied) as denied:
        world.protected(second).create_order(SWAP, "market", "buy", 0.01)
    assert code(denied) == "FACTS_STALE"
    second.maintain(world.sim.client())  # the first let go of the lease: now it is the second one's to look
    with pytest.raises(Denied) as denied:
        world.protected(second).create_order(SWAP, "market", "buy", 0.01)
    assert code(denied) == "ACCOUNT_MODE"
    world.sim.linear.book.multi_assets = False
    second.maintain()
    first.maintain()  # the second one leads now: what the first found is no longer known of it
    assert (first.account_problem, second.account_problem) == (None, None)
    world.protected(first).create_order(SWAP, "market", "buy", 0.01)


def test_a_position_that_shrinks_by_itself(start: Start) -> None:
    """Liquidation, ADL and an exit by hand are no order of ours: the next round knows what is left of the position."""
    world = contracts(start)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.2)
    world.sim.hold(SWAP, "0.05", entry=60_000)
    for _ in range(2):
        world.clock.advance(7)
        guard.maintain()
    held = guard.facts().positions[SWAP]
    assert (held.low, held.high) == (Decimal("0.05"), Decimal("0.05"))
    guard.halt(f"account:{guard.account}", "HALTED", "desk", "drill")
    with pytest.raises(Denied) as denied:  # a short of 0.05 is what it would make
        client.create_order(SWAP, "market", "sell", 0.1)
    assert code(denied) == "TRADING_HALTED"
    client.create_order(SWAP, "market", "sell", 0.05)
    assert world.sim.held(SWAP) == 0


def test_funding_is_a_loss_and_no_transfer(start: Start) -> None:
    """What the position pays counts against the day like a fee does; what was taken out of the wallet does not."""
    daily = '  daily_loss: {limit: 8 USDT, day_starts: "00:00 UTC", on_breach: reduce_only}\n'
    world = contracts(start, text=policy(more=daily))
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.2)  # costs 7.2006: the fee, and half the spread
    world.sim.transfer(SWAP, -500)
    for _ in range(2):
        world.clock.advance(61)
        guard.maintain()
    client.create_order(SWAP, "limit", "buy", 0.001, 59_000)
    world.clock.advance(8 * 3_600)
    for _ in range(2):
        guard.maintain()
        world.clock.advance(7)
    assert [row.amount for row in world.sim.linear.book.income if row.kind == "FUNDING_FEE"] == [Decimal("-1.2")]
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "limit", "buy", 0.001, 59_000)
    assert (code(denied), denied.value.decision.reasons[0].observed) == ("DAILY_LOSS", "8.4006")
    client.create_order(SWAP, "market", "sell", 0.2)
    assert world.sim.held(SWAP) == 0


async def test_an_async_client_the_same(start: Start) -> None:
    """Leverage, an entry, its stop and an exit; what the policy does not allow is denied as for a sync client."""
    world = contracts(start, text=policy(more="  max_leverage: 5\n"))
    guard = world.guard()
    async with world.sim.client(async_=True) as bare:
        client = guard.protect(bare)
        with pytest.raises(Denied) as denied:
            await client.create_order(SWAP, "market", "buy", 0.1)
        assert code(denied) == "RISK_LEVERAGE"
        with pytest.raises(ccxt.PermissionDenied):
            await client.set_leverage(21, SWAP)
        await client.set_leverage(5, SWAP)
        await client.set_margin_mode("isolated", SWAP)
        await client.create_order(SWAP, "market", "buy", 0.1)
        stop = await client.create_order(SWAP, "market", "sell", 0.1, None, {"stopPrice": 55_000, "reduceOnly": True})
        await client.cancel_order(stop["id"], SWAP, {"trigger": True})
        await client.create_order(SWAP, "market", "sell", 0.1, None, {"reduceOnly": True})
    assert world.sim.held(SWAP) == 0
    assert written(world) == [
        "DELETE /fapi/v1/algoOrder",
        "POST /fapi/v1/algoOrder",
        "POST /fapi/v1/leverage",
        "POST /fapi/v1/marginType",
        "POST /fapi/v1/order",
        "POST /fapi/v1/order",
    ]
