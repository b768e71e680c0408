"""OKX's key report: the documented example, read whole; one permission for trade and transfer, addresses as text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit import traits
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.okx import ADAPTER
from policykit.sim import SimClock, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

#: okx.com/docs-v5 "Get account configuration", Response Example (stored index file 52294603372, read 2026-11-21).
DOCUMENTED: dict[str, Any] = {
    "code": "0",
    "data": [
        {
            "acctLv": "2",
            "acctStpMode": "cancel_maker",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "enableSpotBorrow": False,
            "greeksType": "PA",
            "feeType": "0",
            "ip": "",
            "type": "0",
            "kycLv": "3",
            "label": "v5 test",
            "level": "Lv1",
            "levelTmp": "",
            "liquidationGear": "-1",
            "mainUid": "44705892343619584",
            "mgnIsoMode": "automatic",
            "opAuth": "1",
            "perm": "read_only,withdraw,trade",
            "posMode": "long_short_mode",
            "roleType": "0",
            "spotBorrowAutoRepay": False,
            "spotOffsetType": "",
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "stgyType": "0",
            "traderInsts": [],
            "uid": "44705892343619584",
            "settleCcy": "USDC",
            "settleCcyList": ["USD", "USDC", "USDG"],
        }
    ],
    "msg": "",
}
BUNDLE = ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer")


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "data": [{**DOCUMENTED["data"][0], **fields}]}


def test_the_documented_example() -> None:
    """A thief's key from everywhere: trade grants every product and the transfer; what is not told is unknown."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        **dict.fromkeys(BUNDLE, "granted"),
        "withdraw": "granted",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses, report.label) == ("no", [], "v5 test")
    assert (report.sub_account, report.third_party, report.unrecognised) == ("no", "unknown", [])
    assert report.account_id == "sha256:f392affd7286"
    assert (report.created_at, report.expires_at, report.last_used_at) == (None, None, None)
    assert report.unknown == {
        "permissions.key_admin": (
            "okx lets a main account's key with Trade and an address manage its sub-accounts' keys; it tells no more"
        ),
        "created_at": "okx does not report it",
        "expires_at": "okx does not report it",
        "last_used_at": "okx does not report it",
    }
    assert report.raw == {"perm": ["read_only", "withdraw", "trade"]}


def test_a_reader_of_a_sub_account_from_two_addresses() -> None:
    """Without `trade` nothing is traded, moved or administered; `uid` that is not `mainUid` is a sub-account's.

    The addresses are those of OKX.Net@8861159, fixture GetAccountConfiguration.txt.
    """
    report = report_of(ADAPTER, _with(perm="read_only", ip="120.255.24.182,49.245.196.13", uid="44705892343619585"))
    assert {scope for scope, said in report.permissions.items() if said != "denied"} == {"read"}
    assert (report.restricted, report.addresses) == ("yes", ["120.255.24.182", "49.245.196.13"])
    assert report.sub_account == "yes"


def test_networks_are_addresses_too() -> None:
    """Network segments and IPv6 are documented forms of an address."""
    report = report_of(ADAPTER, _with(ip="203.0.113.0/24,2001:db8::7"))
    assert (report.restricted, report.addresses) == ("yes", ["203.0.113.0/24", "2001:db8::7"])


def test_a_setting_of_the_account_is_none_of_the_key() -> None:
    """`opAuth` and borrowing are the account's: they grant nothing, deny nothing, and are not unrecognised."""
    report = report_of(ADAPTER, _with(opAuth="0", enableSpotBorrow=True, autoLoan=True, traderInsts=["BTC-USDT-SWAP"]))
    assert report.permissions["trade.options"] == "granted"
    assert report.unrecognised == []


def test_a_name_that_is_not_known_may_be_anything() -> None:
    """What was not granted is unknown beside it, and the name is reported; key_admin is not denied either."""
    report = report_of(ADAPTER, _with(perm="read_only,pay"))
    assert report.unrecognised == ["pay"]
    assert {scope: report.permissions[scope] for scope in (*BUNDLE, "withdraw", "key_admin")} == {
        **dict.fromkeys(BUNDLE, "unknown"),
        "withdraw": "unknown",
        "key_admin": "unknown",
    }
    assert report.unknown["permissions.withdraw"] == "pay is not understood and may grant it"


@pytest.mark.parametrize("answer", [{"code": "0", "data": [], "msg": ""}, {"code": "0"}, [], "<html>"])
def test_no_account_in_the_answer_is_no_report(answer: Any) -> None:
    """An empty list or a proxy's page denies nothing: the report fails."""
    with pytest.raises(CallFailed, match="okx: the answer is not a key report; check the endpoint"):
        report_of(ADAPTER, answer)


def test_over_http_with_a_real_signature() -> None:
    """Stock ccxt signs with its passphrase; the simulated exchange verifies both, and a wrong passphrase is said."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="okx") as sim:
        key = sim.grant_key(grants={"read", "withdraw"}, addresses=["203.0.113.7"], label="desk")
        report = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), clock)
        assert (report.permissions["withdraw"], report.permissions["transfer"]) == ("granted", "denied")
        assert (report.addresses, report.label) == (["203.0.113.7"], "desk")
        key.passphrase, spoken = "another one", client_of(sim, key)
        spoken.password = "not the one"
        with pytest.raises(CallFailed) as caught:
            run(ADAPTER, spoken, ADAPTER.key_report(), clock)
        assert str(caught.value.failure.message) == (
            "okx: the passphrase is wrong; check the passphrase of this key (50105)"
        )


def test_the_snapshots_calls_are_those_that_were_planned() -> None:
    """Every order family of every instrument type is listed, conditional ones by kind, and no call more is made."""
    with SimServer(clock=SimClock(), dialect="okx") as sim:
        client = client_of(sim, sim.grant_key())
        assert live_calls(ADAPTER, sim, client) == Counter(ADAPTER.asks["account"])
        for product, kind, more in (("spot", "SPOT", []), ("spot", "MARGIN", []), ("swap", "SWAP", ["chase"])):
            asked = [one.get("ordType") for _, one in ADAPTER.live[product].orders if one["instType"] == kind]
            assert asked == [None, "conditional,oco", "trigger", "move_order_stop", "iceberg", "twap", *more]
        assert client.markets["BTC/USDT"]["id"] == "BTC-USDT"
        assert client.fetch_balance()["USDT"]["total"] == 100_000


def test_why_a_refused_order_was_refused_stands_beside_it() -> None:
    """`code` is 1 (or 2) for any order that failed; its `sCode` decides."""
    text = 'okx {"code":"1","data":[{"clOrdId":"a","sCode":"0"},{"sCode":"51016","sMsg":"x"}],"msg":"All failed"}'
    failure = ADAPTER.failure(ValueError(text), client_of_nothing())
    assert (failure.code, failure.executed) == ("DUPLICATE_ID", "unknown")
    assert failure.message == "okx: the client order id was used before (51016)"
    plain = ADAPTER.failure(ValueError('okx {"code":"1","data":[],"msg":"Operation failed."}'), client_of_nothing())
    assert (plain.code, plain.executed) == ("UNKNOWN", "unknown")


def client_of_nothing() -> Any:
    """Return what an adapter looks at of a client that was never answered."""

    class Client:
        last_http_response = None
        last_response_headers = None

        def milliseconds(self) -> int:
            return 1_795_255_200_000

    return Client()


def test_facts_that_special_rules_rest_on() -> None:
    """Transfer cannot be parted from trade; a key that may move money and has no address dies of 14 idle days."""
    facts = traits.load("okx")
    assert facts is not None
    assert facts.transfer_separable is False
    (expiry,) = facts.key_expiries
    assert (expiry.after_ms, expiry.counts_from, expiry.only_without_address) == (1_209_600_000, "last_use", True)
    assert set(expiry.scopes) == {*BUNDLE, "withdraw"}
    switch = facts.products["swap"].dead_man_switch
    assert switch is not None
    assert (switch.unit, switch.least_ms, switch.most_ms, switch.off) == ("s", 10_000, 120_000, 0)
