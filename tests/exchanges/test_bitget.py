"""Bitget's key report: both generations of accounts, read whole; read-only keys; `regisTime` is no key's age."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit import traits
from policykit.exchanges.base import CallFailed, Failure, run
from policykit.exchanges.bitget import ADAPTER
from policykit.sim import SimClock, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import answered, client_of, report_of

#: bitget.com/api-doc/uta/account/Get-Account-Info, Response (stored index file 55377609951, read 2026-11-21).
DOCUMENTED: dict[str, Any] = {
    "code": "00000",
    "msg": "success",
    "requestTime": 1744617600000,
    "data": {
        "userId": "123456789",
        "inviterId": "987654321",
        "parentId": "",
        "channelCode": "6258",
        "channel": "official",
        "ips": "192.168.1.1,192.168.1.2",
        "permType": "read-and-write",
        "permissions": ["uta_mgt", "uta_trade", "withdraw", "copy_futures_position", "copy_futures_order"],
        "regisTime": "1704067200000",
    },
}
#: bitget.com/api-doc/spot/account/Get-Account-Info, Response Example (coincise@9805e8374, read 2026-11-21).
CLASSIC: dict[str, Any] = {
    "code": "00000",
    "msg": "success",
    "requestTime": 1695808949356,
    "data": {
        "userId": "**********",
        "inviterId": "**********",
        "ips": "127.0.0.1",
        "authorities": ["trade", "readonly"],
        "parentId": 1,
        "traderType": "trader",
        "channelCode": "XXX",
        "channel": "YYY",
        "regisTime": "1246566789345",
    },
}
#: How the first call is refused for a classic account.
NOT_UNIFIED = CallFailed(Failure("no", "NOT_SUPPORTED", "bitget: this is a classic account"))
WRITES = ("trade.spot", "trade.margin", "trade.derivatives", "trade.other", "transfer", "key_admin")


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "data": {**DOCUMENTED["data"], **fields}}


def _classic(*codes: str, **fields: Any) -> dict[str, Any]:
    return {**CLASSIC, "data": {**CLASSIC["data"], "authorities": list(codes), **fields}}


def _granted(report: Any) -> set[str]:
    return {scope for scope, said in report.permissions.items() if said == "granted"}


def test_the_documented_example() -> None:
    """A unified account's key that may do everything; the account's registration is no key's age."""
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
        "key_admin": "granted",
    }
    assert (report.restricted, report.addresses) == ("yes", ["192.168.1.1", "192.168.1.2"])
    assert (report.sub_account, report.third_party, report.unrecognised) == ("no", "unknown", [])
    assert report.endpoint == "GET /api/v3/account/info"
    assert report.unknown == {
        "label": "bitget does not report it",
        "created_at": "bitget tells when the account was registered, not the key",
        "expires_at": "bitget does not report it",
        "last_used_at": "bitget does not report it",
    }
    assert report.raw == {"permissions": DOCUMENTED["data"]["permissions"]}
    assert report.created_at is None


def test_the_documented_example_of_a_classic_account() -> None:
    """It is asked for second; the names from before the codes say what they said."""
    report = report_of(ADAPTER, NOT_UNIFIED, CLASSIC)
    assert _granted(report) == {"read", "trade.spot", "trade.margin", "trade.derivatives", "trade.other"}
    assert [report.permissions[scope] for scope in ("transfer", "withdraw", "key_admin", "trade.options")] == [
        "denied", "denied", "denied", "denied",
    ]  # fmt: skip
    assert (report.addresses, report.sub_account) == (["127.0.0.1"], "yes")
    assert report.endpoint == "GET /api/v2/spot/account/info"
    assert report.raw == {"authorities": ["trade", "readonly"]}


@pytest.mark.parametrize(
    ("code", "grants"),
    [
        ("coow", {"read", "trade.derivatives"}),
        ("cpow", {"read", "trade.derivatives"}),
        ("stow", {"read", "trade.spot"}),
        ("smow", {"read", "trade.margin"}),
        ("ttow", {"read", "trade.other"}),
        ("wtow", {"read", "transfer"}),
        ("wwow", {"read", "withdraw"}),
        ("chow", {"read", "key_admin"}),
        ("p2p", {"read", "trade.other"}),
        ("pllw", {"read", "trade.other"}),
        *((code, {"read"}) for code in ("coor", "cpor", "stor", "smor", "ttor", "wtor", "chor", "p2pr")),
        *((code, {"read"}) for code in ("taxr", "taxw", "pllr")),
    ],
)
def test_each_code_of_a_classic_account(code: str, grants: set[str]) -> None:
    """Every code that the page lists grants its own scope and no other."""
    report = report_of(ADAPTER, NOT_UNIFIED, _classic(code))
    assert _granted(report) == grants
    assert report.unrecognised == []
    assert set(report.permissions.values()) == {"granted", "denied"}


@pytest.mark.parametrize("written", ["read-only", "read_only", "Read-Only"])
def test_a_read_only_key_writes_nothing_whatever_it_names(written: str) -> None:
    """The type limits the names; the server has been seen to write it with an underscore."""
    report = report_of(ADAPTER, _with(permType=written, permissions=["uta_mgt", "uta_trade"]))
    assert _granted(report) == {"read"}
    assert {report.permissions[scope] for scope in (*WRITES, "withdraw")} == {"denied"}


def test_a_read_only_key_that_names_withdraw_contradicts_itself() -> None:
    """Money at stake: neither granted nor denied."""
    report = report_of(ADAPTER, _with(permType="read-only", permissions=["uta_mgt", "withdraw"]))
    assert (report.permissions["withdraw"], report.permissions["transfer"]) == ("unknown", "denied")
    assert report.unknown["permissions.withdraw"] == "the key is read-only and has withdraw at once"


@pytest.mark.parametrize("kind", [None, "sometimes", 1])
def test_without_a_type_that_is_known_nothing_is_granted_or_taken_away(kind: Any) -> None:
    """What the names grant is unknown; what no name grants stays denied."""
    report = report_of(ADAPTER, _with(permType=kind, permissions=["uta_trade"]))
    assert (report.permissions["trade.spot"], report.permissions["withdraw"]) == ("unknown", "denied")
    assert report.unknown["permissions.trade.spot"] == "permType was not read-only or read-and-write"


def test_only_a_main_account_manages_keys() -> None:
    """`parentId` has a value when the calling account is a sub-account (documented); management transfers there too."""
    report = report_of(ADAPTER, _with(parentId="55", permissions=["uta_mgt"]))
    assert (report.sub_account, report.permissions["key_admin"], report.permissions["transfer"]) == (
        "yes", "unknown", "granted",
    )  # fmt: skip
    assert report.unknown["permissions.key_admin"] == "bitget documents that only a main account's key manages keys"


@pytest.mark.parametrize(("parent", "told"), [("123456789", "no"), (None, "no"), (0, "unknown"), ([], "unknown")])
def test_what_a_parent_tells(parent: Any, told: str) -> None:
    """Its own id, or null, is a main account's; 0 and nonsense tell nothing."""
    assert report_of(ADAPTER, _with(parentId=parent)).sub_account == told


def test_a_name_that_is_not_known_may_be_anything() -> None:
    """On a read-only key too: what it might grant is unknown."""
    report = report_of(ADAPTER, _with(permType="read-only", permissions=["uta_mgt", "uta_pay"]))
    assert report.unrecognised == ["uta_pay"]
    assert (report.permissions["withdraw"], report.unknown["permissions.withdraw"]) == (
        "unknown", "uta_pay is not understood and may grant it",
    )  # fmt: skip


def test_another_failure_of_the_first_call_is_the_reports() -> None:
    """A refused key is not tried again at another path."""
    refused = CallFailed(Failure("no", "KEY_REJECTED", "bitget: no such key; check the key (40006)"))
    with pytest.raises(CallFailed, match="no such key"):
        report_of(ADAPTER, refused)


def test_the_address_book() -> None:
    """Rows of the unified account's book (UnipayFI/go-bitget, read 2026-11-21); whether it binds is not told."""
    row = {"coin": "USDT", "chain": "trc20", "address": "T1", "label": "desk", "memo": "", "type": "regular"}
    read = answered(ADAPTER.withdrawal_addresses(), {"data": {"addressList": [row], "cursor": ""}})
    assert read == [{"coin": "USDT", "network": "trc20", "address": "T1", "allowlisted": None}]
    with pytest.raises(CallFailed, match="bitget: the answer is not a list of addresses; check the endpoint"):
        answered(ADAPTER.withdrawal_addresses(), {"data": {"addressList": "none"}})


def test_over_http_as_either_account() -> None:
    """The same key is read as a unified account's with one call, as a classic one's with two; a wrong passphrase is
    told from a wrong secret."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="bitget") as sim:
        key = sim.grant_key(grants={"read", "withdraw"}, addresses=["203.0.113.7"])
        unified = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), clock)
        key.account = "classic"
        before = sim.truth.by_route.copy()
        classic = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), clock)
        assert sim.truth.by_route - before == Counter(
            {"GET /api/v3/account/info": 1, "GET /api/v2/spot/account/info": 1}
        )
        for report in (unified, classic):
            assert _granted(report) == {"read", "withdraw"}
            assert report.addresses == ["203.0.113.7"]
        assert (unified.endpoint, classic.endpoint) == ("GET /api/v3/account/info", "GET /api/v2/spot/account/info")
        forgetful = client_of(sim, key)
        forgetful.password = "not the one"
        with pytest.raises(CallFailed) as caught:
            run(ADAPTER, forgetful, ADAPTER.key_report(), clock)
        assert caught.value.failure.message == "bitget: key or passphrase is wrong; check both (40012)"


def test_the_snapshots_calls_are_those_that_were_planned() -> None:
    """A unified account is counted once: the calls to a classic account's futures accounts are refused there."""
    with SimServer(clock=SimClock(), dialect="bitget") as sim:
        client = client_of(sim, sim.grant_key())
        assert live_calls(ADAPTER, sim, client, refused="40085") == Counter(ADAPTER.asks["account"])
        assert client.fetch_balance()["USDT"]["total"] == 100_000


def test_facts_that_special_rules_rest_on() -> None:
    """Transfer is apart from trading; no rule ends idle keys; a receive window has to be under a minute."""
    facts = traits.load("bitget")
    assert facts is not None
    assert (facts.transfer_separable, facts.key_expiries, facts.most_addresses) == (True, (), 30)
    assert facts.products["spot"].families["order"].validity_max_ms == 59_999
    switch = facts.products["swap"].dead_man_switch
    assert switch is not None
    assert (switch.unit, switch.least_ms, switch.most_ms, switch.off) == ("s", 5_000, 60_000, 0)
