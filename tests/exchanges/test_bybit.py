"""Bybit's key report: the documented examples, read whole; groups, `readOnly`, and how no restriction is written."""

from __future__ import annotations

from typing import Any

from policykit.exchanges.base import run
from policykit.exchanges.bybit import ADAPTER
from policykit.sim import SimClock, SimServer
from tests.exchanges.reading import client_of, report_of

#: bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5/user/apikey-info.mdx, Response Example.
DOCUMENTED: dict[str, Any] = {
    "retCode": 0,
    "retMsg": "",
    "result": {
        "id": "2208369",
        "note": "testnet",
        "apiKey": "XXXXXXXX",
        "readOnly": 1,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"],
            "Spot": ["SpotTrade"],
            "Wallet": ["AccountTransfer", "SubMemberTransfer"],
            "Options": [],
            "Derivatives": ["DerivativesTrade"],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": ["ExchangeHistory"],
            "NFT": [],
            "Affiliate": [],
            "Earn": ["Earn"],
            "FiatP2P": ["FiatP2POrder", "Advertising"],
            "FiatConvertBroker": ["FiatConvertBrokerOrder"],
            "FiatGlobalPay": [],
            "FiatBitPay": ["FaitPayOrder"],
            "BitCard": ["BitCard"],
            "ByXPost": ["ByXPost"],
        },
        "ips": ["18.181.170.164", "13.212.45.47", "13.212.45.48"],
        "type": 1,
        "deadlineDay": -2,
        "expiredAt": "1970-01-01T00:00:00Z",
        "createdAt": "2025-10-13T03:20:45Z",
        "unified": 0,
        "uta": 1,
        "userID": 1448939,
        "isMaster": True,
        "parentUid": "0",
    },
    "retExtInfo": {},
    "time": 1776149990532,
}


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "result": {**DOCUMENTED["result"], **fields}}


def test_the_documented_example() -> None:
    """`readOnly: 1` takes every permission away that is not read; 1970 is no end; the list of addresses is read."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "denied",
        "trade.margin": "denied",
        "trade.derivatives": "denied",
        "trade.options": "denied",
        "trade.other": "denied",
        "transfer": "denied",
        "withdraw": "denied",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses) == ("yes", ["18.181.170.164", "13.212.45.47", "13.212.45.48"])
    assert (report.created_at, report.expires_at, report.label) == ("2025-10-13T03:20:45.000Z", None, "testnet")
    assert (report.sub_account, report.third_party, report.unrecognised) == ("no", "no", [])
    assert report.unknown == {
        "permissions.key_admin": "bybit does not report it",
        "last_used_at": "bybit does not report it",
    }
    assert report.raw == {"readOnly": 1, "type": 1, "deadlineDay": -2}


def test_what_it_may_do_when_it_may_write() -> None:
    """Each group grants its scopes; what stands in no group is denied."""
    report = report_of(ADAPTER, _with(readOnly=0))
    assert [scope for scope, said in report.permissions.items() if said == "granted"] == [
        "read", "trade.spot", "trade.margin", "trade.derivatives", "trade.other", "transfer",
    ]  # fmt: skip
    assert report.permissions["withdraw"] == "denied"


def test_a_name_that_is_not_known_leaves_its_group_unknown() -> None:
    """Something new in Wallet may be a withdrawal: unknown and reported, never denied; other groups stand."""
    permissions = {**DOCUMENTED["result"]["permissions"], "Wallet": ["AccountTransfer", "PayOut"], "Pay": ["QrPay"]}
    report = report_of(ADAPTER, _with(readOnly=0, permissions=permissions))
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "Pay is not understood and may grant it"
    assert report.permissions["transfer"] == "granted"
    assert report.permissions["trade.options"] == "denied"
    assert report.unrecognised == ["Pay", "PayOut"]


def test_a_group_that_is_not_known_may_move_money() -> None:
    """A new group beside an empty Wallet leaves transfer and withdrawal unknown; an empty group grants nothing."""
    groups = {**DOCUMENTED["result"]["permissions"], "Wallet": []}
    report = report_of(ADAPTER, _with(readOnly=0, permissions={**groups, "Assets": ["Withdraw"]}))
    assert (report.permissions["withdraw"], report.permissions["transfer"]) == ("unknown", "unknown")
    assert report.unknown["permissions.withdraw"] == "Assets is not understood and may grant it"
    assert report.unrecognised == ["Assets"]
    report = report_of(ADAPTER, _with(readOnly=0, permissions={**groups, "Assets": []}))
    assert (report.permissions["withdraw"], report.unrecognised) == ("denied", [])


def test_a_read_only_key_that_may_withdraw_contradicts_itself() -> None:
    """`readOnly: 1` beside Withdraw is not a denial that anybody should rest on."""
    groups = {**DOCUMENTED["result"]["permissions"], "Wallet": ["Withdraw"]}
    report = report_of(ADAPTER, _with(permissions=groups))
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "the key is read-only and has Withdraw at once"
    assert report.permissions["transfer"] == "denied"


def test_a_vendors_key_of_a_sub_account_from_anywhere() -> None:
    """`type: 2` is bound to an application; a parent makes it a sub-account's; `["*"]` is no restriction."""
    report = report_of(ADAPTER, _with(type=2, parentUid="17", ips=["*"], expiredAt="2026-12-22T07:20:25Z"))
    assert (report.third_party, report.sub_account) == ("yes", "yes")
    assert (report.restricted, report.addresses, report.expires_at) == ("no", [], "2026-12-22T07:20:25.000Z")


def test_every_contract_and_every_order_over_http() -> None:
    """Stock ccxt lists what is held and what rests, waiting orders too, settled in USDT or in the coin itself."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="bybit", amplitude=0.0) as sim:
        sim.hold("BTC/USDT:USDT", "-0.5", entry=50_000, leverage=4)
        sim.hold("BTC/USD:BTC", 10, entry=50_000)
        sim.rest("BTC/USDT:USDT", "buy", "0.1", 40_000)
        sim.rest("BTC/USDT:USDT", "buy", "0.5", trigger=70_000, reduce_only=True)
        sim.rest("BTC/USD:BTC", "sell", 3, 70_000)
        client = client_of(sim, sim.grant_key(grants={"read"}))
        reads = ADAPTER.live["swap"]
        held = [one for params in reads.positions for one in client.fetch_positions(None, dict(params))]
        assert [(one["symbol"], one["side"], one["contracts"], one["leverage"]) for one in held] == [
            ("BTC/USDT:USDT", "short", 0.5, 4.0),
            ("BTC/USD:BTC", "long", 1000.0, 20.0),  # 10 contracts of 100 USD: Bybit counts dollars
        ]
        orders = [
            (family, one["symbol"], one["clientOrderId"], one["amount"], one["triggerPrice"], one["reduceOnly"])
            for family, params in reads.orders
            for one in client.fetch_open_orders(None, None, None, dict(params))
        ]
    assert orders == [
        ("order", "BTC/USDT:USDT", "sim-1", 0.1, None, False),
        ("order", "BTC/USDT:USDT", "sim-2", 0.5, 70_000.0, True),  # all kinds come together by default
        ("order", "BTC/USD:BTC", "sim-3", 300.0, None, False),
        ("trigger", "BTC/USDT:USDT", "sim-2", 0.5, 70_000.0, True),
    ]


def test_a_page_of_orders_is_asked_for_whole() -> None:
    """Bybit gives 20 a page unless 50 are asked for: 30 open orders are all seen."""
    with SimServer(clock=SimClock(), dialect="bybit") as sim:
        for index in range(30):
            sim.rest("BTC/USDT:USDT", "buy", "0.1", 40_000 + index)
        client = client_of(sim, sim.main_key)
        _, params = ADAPTER.live["swap"].orders[0]
        assert len(client.fetch_open_orders(None, None, None, dict(params))) == 30
        assert len(client.fetch_open_orders(None, None, None, {"type": "swap"})) == 20


def test_the_address_book() -> None:
    """Each withdrawal address with whether it is verified; only a key that withdraws may ask."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="bybit") as sim:
        sim.allow_address("USDT", "TXYZ0001", network="TRX")
        sim.allow_address("BTC", "bc1q0002", network="BTC", allowlisted=False)
        client = client_of(sim, sim.grant_key(grants={"read", "withdraw"}))
        assert run(ADAPTER, client, ADAPTER.withdrawal_addresses(), clock) == [
            {"coin": "USDT", "network": "TRX", "address": "TXYZ0001", "allowlisted": True},
            {"coin": "BTC", "network": "BTC", "address": "bc1q0002", "allowlisted": False},
        ]
