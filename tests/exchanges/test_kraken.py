"""Kraken's key report: the documented answer and the one that was seen, what rides along; numbers that only rise."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from policykit.exchanges._numbered import line_of, numbered_class
from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.client import plain_client
from policykit.exchanges.kraken import ADAPTER
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.traits import load
from tests.exchanges.reading import answered, client_of, report_of

#: docs.kraken.com/api-reference/account-data/get-api-key-info (2026-05-27), the example.
DOCUMENTED: dict[str, Any] = {
    "error": [],
    "result": {
        "apiKeyName": "my-api-key",
        "apiKey": "4/SDrDBcOOPnm3nPlNfEMMJDeRcIVqPz+QhRxIodyZbI9po/aVRiHsgX",
        "nonce": "1772627060997",
        "nonceWindow": 0,
        "permissions": ["query-funds", "withdraw-funds", "query-open-trades", "modify-trades"],
        "iban": "AA88 N84G WOAK NMOI",
        "validUntil": "0",
        "queryFrom": "0",
        "queryTo": "0",
        "createdTime": "1772542900",
        "modifiedTime": "1772543095",
        "ipAllowlist": [],
        "lastUsed": "1772627061",
    },
}
#: JKorf/Kraken.Net (2026-07-23), a recorded answer.
SEEN: dict[str, Any] = {
    "error": [],
    "result": {
        "api_key_name": "TestKey",
        "api_key": "123",
        "nonce": "123",
        "nonce_window": "15",
        "permissions": [
            "query-funds", "add-funds", "withdraw-funds", "query-open-trades", "query-closed-trades", "modify-trades",
            "close-trades", "query-ledger", "create-ws-token",
        ],
        "iban": "123",
        "valid_until": "0",
        "query_from": "0",
        "query_to": "0",
        "created_time": "1522132642",
        "modified_time": "1618230358",
        "ip_allowlist": [""],
        "last_used": "1774350056",
    },
}  # fmt: skip


def _with(**fields: Any) -> dict[str, Any]:
    return {"error": [], "result": {**DOCUMENTED["result"], **fields}}


def test_the_documented_example() -> None:
    """Times are seconds as text, 0 is none, an empty allowlist is from everywhere; the account is only a hash."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "unknown",
        "trade.options": "unknown",
        "trade.other": "denied",
        "transfer": "granted",
        "withdraw": "granted",
        "key_admin": "unknown",
    }
    assert (report.restricted, report.addresses, report.label) == ("no", [], "my-api-key")
    assert (report.created_at, report.expires_at) == ("2026-03-03T13:01:40.000Z", None)
    assert report.last_used_at == "2026-03-04T12:24:21.000Z"
    assert (report.account_id, report.sub_account, report.third_party) == ("sha256:f4dc41c0f67d", "unknown", "unknown")
    assert report.unrecognised == []
    assert report.raw == {"permissions": DOCUMENTED["result"]["permissions"]}
    assert report.unknown == {
        "permissions.trade.derivatives": "kraken does not report it",
        "permissions.trade.options": "kraken does not report it",
        "permissions.key_admin": "kraken does not report it",
    }


def test_the_answer_that_was_seen_in_snake_case() -> None:
    """The same fields by other names, and no restriction as one empty text."""
    report = report_of(ADAPTER, SEEN)
    assert [scope for scope, said in report.permissions.items() if said == "granted"] == [
        "read", "trade.spot", "trade.margin", "transfer", "withdraw",
    ]  # fmt: skip
    assert (report.restricted, report.addresses, report.label) == ("no", [], "TestKey")
    assert (report.created_at, report.expires_at) == ("2018-03-27T06:37:22.000Z", None)
    assert (report.last_used_at, report.unrecognised) == ("2026-03-24T11:00:56.000Z", [])


def test_a_reader_may_still_move_money_to_its_own_futures_wallet() -> None:
    """Kraken's documents let query-funds call WalletTransfer: transfer is unknown with that reason, never denied."""
    report = report_of(ADAPTER, _with(permissions=["QueryFunds", "query_ledger"]))
    assert (report.permissions["transfer"], report.permissions["withdraw"]) == ("unknown", "denied")
    assert report.unknown["permissions.transfer"] == (
        "by kraken's documents query-funds may ask for WalletTransfer, from spot to the account's own futures"
    )
    assert report_of(ADAPTER, _with(permissions=["query-ledger"])).permissions["transfer"] == "denied"


def test_who_may_say_where_withdrawals_go() -> None:
    """A key that edits the address book but does not withdraw is not one that cannot withdraw: unknown."""
    report = report_of(ADAPTER, _with(permissions=["query-ledger", "update-withdraw-address"]))
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == (
        "the key may say where withdrawals may go (add-, update-withdraw-address)"
    )
    assert report.unrecognised == []


def test_a_permission_nobody_knows() -> None:
    """It may be anything: named, and what is not granted stays unknown."""
    report = report_of(ADAPTER, _with(permissions=["query-ledger", "spend-card"]))
    assert report.unrecognised == ["spend-card"]
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "spend-card is not understood and may grant it"


def test_a_key_never_used_and_one_that_ends() -> None:
    """`lastUsed` is null when the key was never used; networks of the allowlist are read."""
    report = report_of(ADAPTER, _with(lastUsed=None, validUntil="1798761600", ipAllowlist=["203.0.113.0/24"]))
    assert (report.last_used_at, report.expires_at) == (None, "2027-01-01T00:00:00.000Z")
    assert report.unknown["last_used_at"] == "lastUsed was null: by the documents the key was never used"
    assert (report.restricted, report.addresses) == ("yes", ["203.0.113.0/24"])


def test_the_time_in_both_of_its_forms() -> None:
    """`unixtime`, else `rfc1123` as the documents write it; neither is no time."""
    assert answered(ADAPTER.server_time(), {"error": [], "result": {"unixtime": 1616336594}}) == 1616336594000
    rfc1123 = {"error": [], "result": {"rfc1123": "Sun, 21 Mar 21 14:23:14 +0000"}}
    assert answered(ADAPTER.server_time(), rfc1123) == 1616336594000
    with pytest.raises(CallFailed, match="kraken: the answer is not the time; check the endpoint"):
        answered(ADAPTER.server_time(), {"error": [], "result": {}})


REFUSED = {
    "revoked": (
        "KEY_REJECTED",
        "kraken: there is no such key, it has expired, or this address is not on its allowlist (EAPI:Invalid key)",
    ),
    "address": (
        "KEY_REJECTED",
        "kraken: there is no such key, it has expired, or this address is not on its allowlist (EAPI:Invalid key)",
    ),
    "permission": (
        "PERMISSION_MISSING",
        "kraken: the key lacks a permission; check its scopes and addresses (EGeneral:Permission denied)",
    ),
    "clock": (
        "CLOCK",
        (
            "kraken: the request's number is not above the key's last one: another program uses this key, or this "
            "host's clock went back; give each program a key of its own (EAPI:Invalid nonce)"
        ),
    ),
    "rate": ("RATE_LIMIT", "kraken: too many requests of this key; wait (EAPI:Rate limit exceeded)"),
    "ban": (
        "BANNED",
        (
            "kraken: the account is locked for some minutes after too many wrong keys; wait, do not try again "
            "(EGeneral:Temporary lockout)"
        ),
    ),
    "maintenance": ("MAINTENANCE", "kraken: the service is not available; wait (EService:Unavailable)"),
}


def test_over_http() -> None:
    """Stock ccxt reads key and address book with real signatures; each refusal has its code; a wrong secret is told."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="kraken") as sim:
        key = sim.grant_key(30, grants={"read", "withdraw"}, addresses=["203.0.113.7"], used_days_ago=3)
        client = client_of(sim, key)
        report = run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert (report.permissions["withdraw"], report.addresses) == ("granted", ["203.0.113.7"])
        assert run(ADAPTER, client, ADAPTER.withdrawal_addresses(), clock) == [
            {
                "coin": "XBT",
                "network": "Bitcoin",
                "address": "bc1qsim000000000000000000000000000000000",
                "allowlisted": True,
            }
        ]
        for refusal, (code, words) in REFUSED.items():
            with pytest.raises(CallFailed) as caught:
                run(ADAPTER, client_of(sim, sim.grant_key(refused=refusal)), ADAPTER.key_report(), clock)
            assert (caught.value.code, str(caught.value)) == (code, words)
        client.secret = "c2VjcmV0"
        with pytest.raises(CallFailed, match="kraken: the signature is wrong; check the key's secret") as caught:
            run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert caught.value.code == "KEY_REJECTED"


def test_the_wait_that_the_exchange_names_is_an_error_of_its_own() -> None:
    """`EService: Throttled: <time>` is a rate limit, which ccxt takes for any error."""
    client = plain_client("kraken")
    failure = ADAPTER.failure(Exception('kraken {"error":["EService: Throttled: 1800000000"]}'), client)
    assert (failure.code, failure.message, failure.retry_after_ms) == (
        "RATE_LIMIT",
        "kraken: too many requests at the same time; wait (EService: Throttled)",
        60_000,
    )


def test_several_clients_of_one_key_at_once_never_clash() -> None:
    """Eight threads, each with its own client of one key, on a clock that stands still: no number is refused."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="kraken") as sim:
        key = sim.grant_key()
        clients = [client_of(sim, key) for _ in range(8)]
        failed: list[str] = []

        def read(client: Any) -> None:
            try:
                for _ in range(3):
                    run(ADAPTER, client, ADAPTER.key_report(), clock)
            except CallFailed as error:
                failed.append(str(error))

        threads = [threading.Thread(target=read, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []


def test_the_number_is_of_this_hosts_clock_not_of_the_exchanges() -> None:
    """A snapshot's client runs by the exchange's clock; as a number that would outrun a bot with the key."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="kraken") as sim:
        key = sim.grant_key()
        client = client_of(sim, key)
        client.milliseconds = lambda: clock.now_ms() + 60_000  # this host is a minute behind the exchange
        run(ADAPTER, client, ADAPTER.key_report(), clock)
        bot = plain_client(
            "kraken", {name: Secret(value) for name, value in key.credentials().items()}, endpoint=sim.url
        )
        bot.milliseconds = lambda: clock.now_ms() + 5  # stock ccxt, by this host's clock, a moment later
        assert bot.privatePostGetApiKeyInfo()["result"]["apiKeyName"] == "sim"


def test_numbers_rise_when_the_clock_does_not() -> None:
    """Strictly, whatever is asked for; each key has its own; async clients share the counter."""
    line = line_of("a key of this test")
    assert [line.next(number) for number in (5, 5, 3, 9, 9)] == [5, 6, 7, 9, 10]
    assert line_of("a key of this test") is line
    assert line_of("another key of this test").next(1) == 1
    client = numbered_class("kraken", asynchronous=True)()
    client.apiKey = "a key of this test"
    client.milliseconds = lambda: 7
    assert (client.nonce(), client.nonce()) == (11, 12)


def test_an_order_id_is_a_uuid_and_keeps_every_bit() -> None:
    """26 characters are 128 bits are 32 hex digits; what is none of our ids is refused."""
    facts = load("kraken")
    assert facts is not None
    ids = facts.products["spot"].families["order"].client_order_id
    assert ids is not None
    assert ids.encode("01JD7Z0000000000000000000Z") == "01934ff0-0000-0000-0000-00000000001f"
    assert ids.encode("7ZZZZZZZZZZZZZZZZZZZZZZZZZ") == "ffffffff-ffff-ffff-ffff-ffffffffffff"
    for wrong in ("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01JD7Z", "01JD7Z000000000000000000IL"):
        with pytest.raises(ValueError, match="is no id"):
            ids.encode(wrong)
