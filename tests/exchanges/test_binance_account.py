"""What a guard asks of a Binance account besides balances: spans of transfers, what is owed, liquidation, margin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed, Steps, run
from policykit.exchanges.binance import ADAPTER
from policykit.exchanges.binance_account import span
from policykit.exchanges.binanceusdm import ADAPTER as USDM
from policykit.sim import SimClock
from tests.exchanges.fakes import Scripted

D = Decimal
SWAP = "BTC/USDT:USDT"
CROSS = "sapiGetMarginAccount"
ISOLATED = "sapiGetMarginIsolatedAccount"
#: What is answered for each kind of transfer between wallets.
NOTHING_MOVED: list[Any] = [{"total": 0}] * 8


def read(client: Scripted, steps: Steps[Any], adapter: Adapter = ADAPTER) -> Any:
    """Drive a read over scripted answers."""
    return run(adapter, client, steps, SimClock())


def debt(asset: str, borrowed: str, interest: str = "0") -> dict[str, str]:
    """Return one asset of a margin account."""
    return {"asset": asset, "borrowed": borrowed, "interest": interest, "free": "7", "netAsset": "-1"}


def test_a_span_ends_before_its_end() -> None:
    """Both ends of Binance's lists are in them, so that the next span starts where this one ended."""
    assert span(5, None) == {"startTime": 5}
    assert span(5, 9) == {"startTime": 5, "endTime": 8}


def test_transfers_of_a_span() -> None:
    """Each list is asked for the span alone: deposits and withdrawals on spot, income on contracts."""
    client = Scripted(
        sapiGetCapitalDepositHisrec=[[]],
        sapiGetCapitalWithdrawHistory=[[]],
        sapiGetAssetTransfer=NOTHING_MOVED[2:],
        fapiPrivateGetIncome=[[]],
    )
    assert read(client, ADAPTER.net_transfers(5, {}, "USDT", 9)) == 0
    assert read(client, USDM.net_transfers(5, {}, "USDT", 9)) == 0
    assert [params for _, params in client.asked] == [
        {"startTime": 0, "endTime": 8, "limit": 1000},
        {"startTime": 5, "endTime": 8, "limit": 1000},
        *(
            {"type": kind, "size": 100, "startTime": 5, "endTime": 8}
            for other in ("CMFUTURE", "MARGIN", "FUNDING")
            for kind in (f"MAIN_{other}", f"{other}_MAIN")
        ),
        {"incomeType": "TRANSFER", "startTime": 5, "endTime": 8, "limit": 1000},
    ]


def test_a_deposit_counts_when_it_is_credited() -> None:
    """First seen before midnight and credited after it, it is the new day's; without that time, when it was seen."""
    day = 3 * 86_400_000
    rows = [
        {"coin": "USDT", "status": 1, "amount": "1", "insertTime": day - 600_000, "completeTime": day + 600_000},
        {"coin": "USDT", "status": 1, "amount": "10", "insertTime": day - 600_000, "completeTime": day - 1},
        {"coin": "USDT", "status": 6, "amount": "100", "insertTime": day},
        {"coin": "USDT", "status": 6, "amount": "1000", "insertTime": day - 1},
        {"coin": "USDT", "status": 0, "amount": "10000", "insertTime": day},
    ]
    for asked, total in (((day,), 101), ((day - 86_400_000, day), 1_010)):
        client = Scripted(
            sapiGetCapitalDepositHisrec=[rows],
            sapiGetCapitalWithdrawHistory=[[]],
            sapiGetAssetTransfer=NOTHING_MOVED,
        )
        assert read(client, ADAPTER.net_transfers(asked[0], {}, "USDT", *asked[1:])) == total
        assert client.asked[0][1]["startTime"] == asked[0] - 2 * 86_400_000


def test_what_is_owed_on_every_margin() -> None:
    """Cross margin and each isolated pair, interest in it, added up by asset; who owes nothing is not named."""
    pairs = [
        {"symbol": "BTCUSDT", "baseAsset": debt("BTC", "0.5"), "quoteAsset": debt("USDT", "10", "0.25")},
        {"symbol": "ETHUSDT", "baseAsset": debt("ETH", "0"), "quoteAsset": debt("USDT", "0", "0.05")},
    ]
    cross = {"userAssets": [debt("USDT", "100", "1"), debt("BTC", "0")]}
    client = Scripted(**{CROSS: [cross], ISOLATED: [{"assets": pairs}]})
    assert read(client, ADAPTER.borrowed()) == {"USDT": D("111.30"), "BTC": D("0.5")}
    assert [method for method, _ in client.asked] == [CROSS, ISOLATED]


@pytest.mark.parametrize(
    ("cross", "isolated"),
    [
        ([], {"assets": []}),
        ({}, {"assets": []}),
        ({"userAssets": [debt("USDT", "x")]}, {"assets": []}),
        ({"userAssets": [{"asset": "USDT"}]}, {"assets": []}),
        ({"userAssets": []}, {}),
        ({"userAssets": []}, {"assets": [{"symbol": "BTCUSDT", "baseAsset": debt("BTC", "0")}]}),
    ],
)
def test_a_debt_that_is_not_told_is_no_answer(cross: Any, isolated: Any) -> None:
    """A list that is missing, an amount that is none: nothing owed is never guessed."""
    with pytest.raises(CallFailed) as caught:
        read(Scripted(**{CROSS: [cross], ISOLATED: [isolated]}), ADAPTER.borrowed())
    assert caught.value.code == "BAD_ANSWER"


def test_an_exchange_without_a_call_for_loans() -> None:
    """Where this version knows no such call it says so, and asks nothing."""
    client = Scripted()
    with pytest.raises(CallFailed, match="binanceusdm has no call for what is borrowed that policykit knows"):
        read(client, USDM.borrowed())
    assert client.asked == []


def held(side: str, amount: str, at: str, mark: str = "60000") -> dict[str, str]:
    """Return one position as the exchange lists it."""
    return {
        "symbol": "BTCUSDT",
        "positionSide": side,
        "positionAmt": amount,
        "liquidationPrice": at,
        "markPrice": mark,
    }


@pytest.mark.parametrize(
    ("rows", "price"),
    [
        ([], None),
        ([held("BOTH", "0", "50000")], None),
        ([held("BOTH", "1", "0")], D(0)),
        ([held("BOTH", "1", "50000")], D(50_000)),
        ([held("LONG", "1", "45000"), held("SHORT", "-1", "70000")], D(70_000)),
        ([held("SHORT", "-1", "70000"), held("LONG", "1", "45000")], D(70_000)),
        ([held("LONG", "1", "0"), held("SHORT", "-1", "90000")], D(90_000)),
        ([held("SHORT", "-1", "90000"), held("LONG", "1", "0")], D(90_000)),
    ],
)
def test_the_nearer_liquidation_counts(rows: list[dict[str, str]], price: Decimal | None) -> None:
    """Of two legs the one nearer to the mark; 0 only where nothing that is held can be liquidated."""
    client = Scripted(
        fapiPrivateV3GetAccount=[{"assets": [], "totalMaintMargin": "1", "totalMarginBalance": "3"}],
        fapiPrivateV3GetPositionRisk=[rows],
        fapiPrivateGetSymbolConfig=[[{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 5}]],
        fapiPrivateGetAccountConfig=[{"dualSidePosition": True, "multiAssetsMargin": False}],
    )
    account = read(client, USDM.account())
    assert account.contracts[SWAP].liquidation_price == price
