"""Kraken Futures' key check: tiers of access, ranges of addresses in two fields, and an endpoint that ccxt lacks."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.krakenfutures import ADAPTER
from policykit.sim import SimClock, SimServer
from tests.exchanges.reading import answered, client_of, report_of

#: docs.kraken.com/api/docs/futures-api/auth/check-v-3-api-key (2026-05-27): the example, with tiers of the schema.
DOCUMENTED: dict[str, Any] = {
    "apiKey": "Gom9BsP75m41c9fuY6oJk/unMWaDZjYIcTP4/5kqPvtzdbj5JU5/Fyeb",
    "accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "iiban": "AA08 N84G CPAR UN7A",
    "createdAt": "2019-08-24T14:15:22Z",
    "permissions": {"general": "FULL_ACCESS", "transfer": "NO_ACCESS"},
    "allowedCidrBlock": "192.168.0.0/16",
    "allowedCidrBlocks": ["192.168.0.0/16"],
}
NEVER_TOLD = dict.fromkeys(
    (
        *(f"permissions.{scope}" for scope in ("trade.spot", "trade.margin", "trade.options", "trade.other")),
        "permissions.key_admin",
        "label",
        "expires_at",
        "last_used_at",
    ),
    "krakenfutures does not report it",
)


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, **fields}


def _told(report: Any) -> dict[str, str]:
    return {scope: report.permissions[scope] for scope in ("read", "trade.derivatives", "transfer", "withdraw")}


def test_the_documented_example() -> None:
    """Full access trades and moves money between wallets; the ranges are read; what is not told is unknown."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert _told(report) == {
        "read": "granted", "trade.derivatives": "granted", "transfer": "granted", "withdraw": "denied",
    }  # fmt: skip
    assert (report.restricted, report.addresses) == ("yes", ["192.168.0.0/16"])
    assert (report.created_at, report.account_id) == ("2019-08-24T14:15:22.000Z", "sha256:67bf9cfb5676")
    assert (report.unrecognised, report.unknown, report.raw) == ([], NEVER_TOLD, {})


@pytest.mark.parametrize(
    ("general", "transfer", "told"),
    [
        ("NO_ACCESS", "NO_ACCESS", ("denied", "denied", "denied", "denied")),
        ("READ_ONLY", "NO_ACCESS", ("granted", "denied", "denied", "denied")),
        ("NO_ACCESS", "FULL_ACCESS", ("granted", "denied", "granted", "granted")),
        ("READ_ONLY", "READ_ONLY", ("granted", "denied", "denied", "denied")),
        ("full access", "NO_ACCESS", ("granted", "granted", "granted", "denied")),
    ],
)
def test_each_tier(general: str, transfer: str, told: tuple[str, ...]) -> None:
    """Two permissions of three tiers each: who may transfer may withdraw, to the account's own spot wallet."""
    report = report_of(ADAPTER, _with(permissions={"general": general, "transfer": transfer}))
    assert tuple(_told(report).values()) == told


def test_permissions_without_their_fields_are_unknown() -> None:
    """The newer page shows an empty object: nothing is denied by it, and the reason names what is missing."""
    report = report_of(ADAPTER, _with(permissions={}))
    assert set(_told(report).values()) == {"unknown"}
    assert report.unknown["permissions.read"] == (
        "permissions.general, permissions.transfer was none of NO_ACCESS, READ_ONLY, FULL_ACCESS"
    )
    assert report.unknown["permissions.withdraw"] == (
        "permissions.transfer was none of NO_ACCESS, READ_ONLY, FULL_ACCESS"
    )


def test_a_permission_nobody_knows() -> None:
    """One with access leaves what is not granted unknown; one without access grants nothing."""
    given = {"general": "READ_ONLY", "transfer": "NO_ACCESS", "payout": "FULL_ACCESS"}
    report = report_of(ADAPTER, _with(permissions=given))
    assert (report.unrecognised, report.permissions["withdraw"]) == (["payout"], "unknown")
    assert report.unknown["permissions.withdraw"] == "payout is not understood and may grant it"
    report = report_of(ADAPTER, _with(permissions={**given, "payout": "NO_ACCESS"}))
    assert (report.unrecognised, report.permissions["withdraw"]) == ([], "denied")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"allowedCidrBlock": None, "allowedCidrBlocks": []}, ("no", [])),
        ({"allowedCidrBlocks": []}, ("unknown", None)),  # the single range says otherwise
        ({"allowedCidrBlock": None, "allowedCidrBlocks": ["203.0.113.7/32"]}, ("yes", ["203.0.113.7"])),
        ({"allowedCidrBlock": None, "allowedCidrBlocks": None}, ("unknown", None)),
    ],
)
def test_ranges_in_two_fields(fields: dict[str, Any], told: tuple[str, Any]) -> None:
    """The list counts; an empty one beside a range is contradictory, and that is unknown."""
    report = report_of(ADAPTER, _with(**fields))
    assert (report.restricted, report.addresses) == told


def test_an_answer_with_the_single_range_only() -> None:
    """Without the list the single range is read; null is then not known to mean from everywhere."""
    older = {name: value for name, value in DOCUMENTED.items() if name != "allowedCidrBlocks"}
    assert report_of(ADAPTER, older).addresses == ["192.168.0.0/16"]
    assert report_of(ADAPTER, {**older, "allowedCidrBlock": None}).restricted == "unknown"


def test_the_time_of_a_public_answer() -> None:
    """`serverTime`, to the millisecond; without it there is no time."""
    answer = {"result": "success", "serverTime": "2020-08-27T17:03:33.196Z"}
    assert answered(ADAPTER.server_time(), answer) == 1598547813196
    with pytest.raises(CallFailed, match="krakenfutures: the answer is not the time; check the endpoint"):
        answered(ADAPTER.server_time(), {"result": "success"})


GONE = "krakenfutures: there is no such key, its signature is wrong, or this address is not on its allowlist (401)"
BUSY = "krakenfutures: too many requests from this address; wait (apiLimitExceeded)"
REFUSED = {
    "revoked": ("KEY_REJECTED", GONE),
    "address": ("KEY_REJECTED", GONE),
    "permission": (
        "KEY_REJECTED",
        (
            "krakenfutures: the key, its signature, a permission or this address is refused; it does not say which "
            "(authenticationError)"
        ),
    ),
    "clock": ("CLOCK", "krakenfutures: the request's number is too low; set this host's clock (nonceBelowThreshold)"),
    "rate": ("RATE_LIMIT", BUSY),
    "ban": ("RATE_LIMIT", BUSY),
    "maintenance": ("MAINTENANCE", "krakenfutures: the service is not available; wait (Unavailable)"),
}


def test_over_http() -> None:
    """The class with one more endpoint reads the key, signed as documented; each refusal has its code."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="krakenfutures") as sim:
        key = sim.grant_key(30, grants={"read", "withdraw"}, addresses=["203.0.113.7"])
        client = client_of(sim, key)
        report = run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert (report.permissions["withdraw"], report.addresses) == ("granted", ["203.0.113.7"])
        assert client.fetch_balance({"type": "cash"})["total"] == {"USDT": 100000.0, "BTC": 0.0, "ETH": 0.0}
        for refusal, (code, words) in REFUSED.items():
            with pytest.raises(CallFailed) as caught:
                run(ADAPTER, client_of(sim, sim.grant_key(refused=refusal)), ADAPTER.key_report(), clock)
            assert (caught.value.code, str(caught.value)) == (code, words)
        client.secret = "c2VjcmV0"
        with pytest.raises(CallFailed, match="its signature is wrong") as caught:
            run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert caught.value.code == "KEY_REJECTED"


def test_the_endpoint_of_ccxts_own_sandbox_is_kept_apart() -> None:
    """The demo exchange has its own host for the key check too; the async class has the call as well."""
    client = ADAPTER.client_class()()
    assert client.urls["api"]["auth"] == "https://futures.kraken.com/api/auth/"
    client.set_sandbox_mode(True)
    assert client.urls["api"]["auth"] == "https://demo-futures.kraken.com/api/auth/"
    assert callable(ADAPTER.client_class(asynchronous=True).authGetApiKeysV3Check)
