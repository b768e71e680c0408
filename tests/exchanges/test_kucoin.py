"""KuCoin's key report: both documented examples, read whole; masked addresses, and what `Transfer` really grants."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit import traits
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.kucoin import ADAPTER
from policykit.sim import SimClock, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import NOW_MS, answered, client_of, report_of

#: Kucoin/kucoin-universal-sdk@78c90c77 (2025-11-04) openapi-account-account.json, x-response-example.
DOCUMENTED: dict[str, Any] = {
    "code": "200000",
    "data": {
        "remark": "account1",
        "apiKey": "6705f5c311545b000157d3eb",
        "apiVersion": 3,
        "permission": "General,Futures,Spot,Earn,InnerTransfer,Transfer,Margin",
        "ipWhitelist": "203.**.154,103.**.34",
        "createdAt": 1728443843000,
        "uid": 165111215,
        "isMaster": True,
    },
}
#: The answer of a unified account (Kucoin.Net, 2026-08-07).
UNIFIED: dict[str, Any] = {
    "code": "200000",
    "data": {
        "remark": "123",
        "apiKey": "698048adf5eaf900017f3e82",
        "apiVersion": 3,
        "permission": "General,Futures,Unified,Spot,Earn,InnerTransfer,Margin",
        "createdAt": 1770014893000,
        "uid": 157267400,
        "isMaster": True,
        "region": "ID",
        "kycStatus": 1,
        "siteType": "global",
    },
}
ADMIN = "kucoin asks only General of a main account's key to manage its sub-accounts' keys"
OLDER = "kucoin documents older transfers that ask only Spot or Futures, and not whether they still answer"


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "data": {**DOCUMENTED["data"], **fields}}


def test_the_documented_example() -> None:
    """Masked addresses are a restriction whose addresses are not known; `Transfer` moves money out."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "granted",
        "trade.options": "denied",
        "trade.other": "granted",
        "transfer": "granted",
        "withdraw": "granted",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses, report.label) == ("yes", None, "account1")
    assert (report.created_at, report.expires_at) == ("2024-10-09T03:17:23.000Z", None)
    assert (report.sub_account, report.third_party, report.unrecognised) == ("no", "unknown", [])
    assert report.unknown == {
        "permissions.key_admin": ADMIN,
        "ip_allowlist.addresses": "kucoin hides parts of the addresses",
        "expires_at": "kucoin does not report it",
        "last_used_at": "kucoin does not report it",
    }
    assert report.raw == {
        "permission": ["General", "Futures", "Spot", "Earn", "InnerTransfer", "Transfer", "Margin"],
        "apiVersion": 3,
    }


def test_the_documented_example_of_a_unified_account() -> None:
    """No `ipWhitelist` is no restriction there, `Unified` trades everything, and nothing withdraws."""
    report = report_of(ADAPTER, UNIFIED)
    assert {scope for scope, said in report.permissions.items() if said == "granted"} == {
        "read", "trade.spot", "trade.margin", "trade.derivatives", "trade.other", "transfer",
    }  # fmt: skip
    assert (report.permissions["withdraw"], report.permissions["trade.options"]) == ("denied", "denied")
    assert (report.restricted, report.addresses, report.unrecognised) == ("no", [], [])
    assert report.unknown == {
        "permissions.key_admin": ADMIN,
        "expires_at": "kucoin does not report it",
        "last_used_at": "kucoin does not report it",
    }


def test_unified_alone_trades_all_three_products() -> None:
    """A key that names only the account trades what the account trades."""
    report = report_of(ADAPTER, _with(permission="General,Unified"))
    assert [report.permissions[scope] for scope in ("trade.spot", "trade.margin", "trade.derivatives")] == [
        "granted", "granted", "granted",
    ]  # fmt: skip


@pytest.mark.parametrize("trades", ["Spot", "Futures", "Margin", "Unified", "Trade"])
def test_whoever_trades_may_transfer_by_older_calls(trades: str) -> None:
    """Without `InnerTransfer` a trading key's transfer is unknown: deprecated calls ask only the trade permission."""
    report = report_of(ADAPTER, _with(permission=f"General,{trades}"))
    assert (report.permissions["transfer"], report.unknown["permissions.transfer"]) == ("unknown", OLDER)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("Options", {"trade.options"}),
        ("FlexTransfers", {"transfer"}),
        ("Withdrawal", {"withdraw"}),
        ("Transfer", {"transfer", "withdraw"}),
    ],
)
def test_names_of_the_web_page(name: str, scopes: set[str]) -> None:
    """Should they come, they say what they say."""
    report = report_of(ADAPTER, _with(permission=f"General,{name}"))
    assert {scope for scope, said in report.permissions.items() if said == "granted"} == {"read", *scopes}
    assert report.unrecognised == []


def test_a_reader_transfers_nothing() -> None:
    """`General` alone reads; what it does not name is denied, keys apart."""
    report = report_of(ADAPTER, _with(permission="General", isMaster=False, subName="bot1", ipWhitelist="203.0.113.7"))
    assert {scope for scope, said in report.permissions.items() if said != "denied"} == {"read", "key_admin"}
    assert (report.sub_account, report.addresses) == ("yes", ["203.0.113.7"])


def test_a_missing_allowlist_means_none_only_in_a_report() -> None:
    """In an answer that has no permissions either, nothing is known."""
    report = report_of(ADAPTER, {"code": "200000", "data": {"uid": 1}})
    assert (report.restricted, report.permissions["withdraw"]) == ("unknown", "unknown")
    assert report.unknown["ip_allowlist.restricted"] == "ipWhitelist was not in the answer"
    assert report.unknown["permissions.withdraw"] == "permission was not in the answer"


def test_the_time_is_the_whole_answer() -> None:
    """`data` is the time in ms; a proxy's page is not."""
    assert answered(ADAPTER.server_time(), {"code": "200000", "data": NOW_MS}) == NOW_MS
    with pytest.raises(CallFailed, match="kucoin: the answer is not the time; check the endpoint"):
        answered(ADAPTER.server_time(), {"code": "200000", "data": "soon"})


def test_over_http_with_a_signed_passphrase() -> None:
    """Key version 2 signs the passphrase with the secret; a wrong one is told from a wrong secret."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="kucoin") as sim:
        key = sim.grant_key(40, grants={"read", "withdraw"}, addresses=["203.0.113.7"], label="desk")
        report = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), clock)
        assert (report.permissions["withdraw"], report.permissions["trade.spot"]) == ("granted", "denied")
        assert (report.restricted, report.addresses, report.label) == ("yes", None, "desk")
        assert report.created_at == "2026-10-12T10:00:00.000Z"
        forgetful = client_of(sim, key)
        forgetful.password = "not the one"
        with pytest.raises(CallFailed) as caught:
            run(ADAPTER, forgetful, ADAPTER.key_report(), clock)
        assert caught.value.failure.message == (
            "kucoin: the passphrase is wrong; check the passphrase of this key (400004)"
        )


def test_the_snapshots_calls_are_those_that_were_planned_on_both_hosts() -> None:
    """Spot lists orders by symbol; futures live on a host of their own; no call more is made."""
    with SimServer(clock=SimClock(), dialect="kucoin") as sim:
        client = client_of(sim, sim.grant_key())
        asked = live_calls(ADAPTER, sim, client, ("BTC/USDT",))
        assert asked == Counter(ADAPTER.asks["account"])
        assert client.fetch_balance()["USDT"]["total"] == 100_000


def test_facts_that_special_rules_rest_on() -> None:
    """Idle trading keys without an address die after 30 days; whether transfer is apart from trade is not known."""
    facts = traits.load("kucoin")
    assert facts is not None
    assert (facts.transfer_separable, facts.addresses_readable) == (None, False)
    (expiry,) = facts.key_expiries
    assert (expiry.after_ms, expiry.counts_from, expiry.only_without_address) == (2_592_000_000, "last_use", True)
    switch = facts.products["spot"].dead_man_switch
    assert switch is not None
    assert (switch.unit, switch.least_ms, switch.most_ms, switch.off) == ("s", 5_000, 86_400_000, -1)
