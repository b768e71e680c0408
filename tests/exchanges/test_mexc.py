"""MEXC: what the account may do is not what the key may do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.mexc import ADAPTER
from policykit.sim import SimClock, SimServer
from policykit.snapshot import SCOPES
from policykit.traits.mexc import EXCHANGE
from tests.canary import assert_clean
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import answered, client_of, report_of

#: www.mexc.com/api-docs spot-v3 account-information, as ccxt 4.5.90 quotes it.
DOCUMENTED: dict[str, Any] = {
    "makerCommission": 0,
    "takerCommission": 20,
    "buyerCommission": 0,
    "sellerCommission": 0,
    "canTrade": True,
    "canWithdraw": True,
    "canDeposit": True,
    "updateTime": None,
    "accountType": "SPOT",
    "balances": [{"asset": "USDT", "free": "0.000000000674", "locked": "0"}],
    "permissions": ["SPOT"],
}
WHY = "mexc reports what the account may do, not the key; declare it from the web page"
UNREPORTED = "mexc has no documented call that reports it"


def test_the_documented_example() -> None:
    """The key reads, for it has read; of everything else nothing is known, whatever the account may do."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {**dict.fromkeys(SCOPES, "unknown"), "read": "granted"}
    assert (report.restricted, report.addresses, report.label) == ("unknown", None, None)
    assert (report.created_at, report.expires_at, report.last_used_at) == (None, None, None)
    assert report.raw == {"canTrade": True, "canWithdraw": True, "canDeposit": True}
    assert report.unrecognised == []
    assert report.unknown == {
        **{f"permissions.{scope}": WHY for scope in SCOPES if scope not in ("read", "key_admin")},
        **dict.fromkeys(
            (
                "permissions.key_admin",
                "ip_allowlist.restricted",
                "label",
                "created_at",
                "expires_at",
                "last_used_at",
            ),
            UNREPORTED,
        ),
    }


@pytest.mark.parametrize("value", [False, None, "maybe"])
def test_an_accounts_no_denies_a_key_nothing(value: object) -> None:
    """`canWithdraw: false` is the account's state of today: the key keeps what it was given."""
    report = report_of(ADAPTER, {**DOCUMENTED, "canWithdraw": value, "canTrade": value})
    assert report.permissions["withdraw"] == report.permissions["trade.spot"] == "unknown"


def test_a_new_flag_is_reported() -> None:
    """The day that MEXC tells what the key may do, that is a finding."""
    assert report_of(ADAPTER, {**DOCUMENTED, "apiCanWithdraw": True}).unrecognised == ["apiCanWithdraw"]


@pytest.mark.parametrize("answer", [None, [], {}, {"balances": {}}, {"code": 0}, "<html>"])
def test_what_is_no_account_is_no_report(answer: object) -> None:
    """A page of a proxy proves nothing, not even reading."""
    with pytest.raises(CallFailed, match=r"^mexc: the answer is not an account; check the endpoint$"):
        report_of(ADAPTER, answer)


def test_it_ships_as_declared_only() -> None:
    """The facts say so, and that a key without an address ends after 90 days."""
    assert EXCHANGE.evidence == "declared"
    rule = EXCHANGE.key_expiries[0]
    assert (rule.after_ms, rule.counts_from, rule.only_without_address) == (7_776_000_000, "creation", True)


@pytest.fixture
def sim() -> Any:
    """The simulated exchange that speaks MEXC."""
    with SimServer(clock=SimClock(), dialect="mexc") as server:
        yield server


def test_over_http_a_key_that_opens_the_account(sim: SimServer) -> None:
    """Stock ccxt's signature is verified; two keys with different rights are answered alike."""
    reader, thief = sim.grant_key(grants={"read"}), sim.grant_key(grants={"read", "withdraw"})
    reports = [run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock) for key in (reader, thief)]
    assert reports[0] == reports[1]
    assert_clean(repr(reports), [reader.secret, thief.secret, reader.key, thief.key])


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        ("revoked", "KEY_REJECTED", "mexc: no such key; check the key, and whether it is over 90 days old (10072)"),
        ("address", "ADDRESS_NOT_ALLOWED", "mexc: this address is not on the key's allowlist (700006)"),
        ("permission", "PERMISSION_MISSING", "mexc: the key lacks a permission; check its scopes (700007)"),
        ("clock", "CLOCK", "mexc: the request was signed outside its window; set this host's clock (700003)"),
        ("rate", "RATE_LIMIT", "mexc: too many requests; wait (429)"),
        ("ban", "BANNED", "mexc: this address is banned; wait (418)"),
        ("maintenance", "MAINTENANCE", "mexc: the service is not available; wait (503)"),
    ],
)
def test_over_http_each_refusal_has_its_code(sim: SimServer, refusal: str, code: str, message: str) -> None:
    """Stock ccxt calls a refused address a bad request; the code decides."""
    key = sim.grant_key(refused=refusal)
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    assert (caught.value.code, caught.value.failure.message) == (code, message)
    assert "203.0.113.9" not in caught.value.failure.message


def test_over_http_time_window_and_addresses(sim: SimServer) -> None:
    """A clock 6 s behind is told; the address book is read over its pages, by a key that may withdraw."""
    client = client_of(sim, sim.grant_key(grants={"read", "withdraw"}))
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()
    assert [one["address"] for one in run(ADAPTER, client, ADAPTER.withdrawal_addresses(), sim.clock)] == [
        "TArGWdTApuuZtiWMjupXqbZqQYsBTy126o",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj",
    ]
    client.milliseconds = lambda: sim.clock.now_ms() - 6_000
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert caught.value.code == "CLOCK"


def test_over_http_the_account_is_read_in_the_calls_that_were_told(sim: SimServer) -> None:
    """Spot and contracts, which sign in another way; plan orders are a list of their own."""
    client = client_of(sim, sim.grant_key())
    assert live_calls(ADAPTER, sim, client, ("BTC/USDT",)) == Counter(ADAPTER.asks["account"])
    assert client.fetch_balance({"type": "spot"})["USDT"]["total"] == 100_000


def test_an_address_book_without_end_is_no_answer() -> None:
    """20 pages are read; a longer book, or one that tells no pages, is not taken for whole."""
    page = {"data": [], "totalPageNum": 99}
    with pytest.raises(CallFailed, match=r"^mexc: the answer is not a list of addresses; check the endpoint$"):
        answered(ADAPTER.withdrawal_addresses(), *[page] * 20)
    with pytest.raises(CallFailed):
        answered(ADAPTER.withdrawal_addresses(), {"data": []})


def test_the_undocumented_call_is_not_made() -> None:
    """`apiKeyInfo` is documented as a POST that sets a key's addresses: neither verb is let through."""
    for verb in ("GET", "POST"):
        assert ADAPTER.call(verb, "https://api.mexc.com/api/v3/apiKeyInfo", None).kind == "refused"
