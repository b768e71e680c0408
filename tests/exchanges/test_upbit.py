"""Upbit: when a key ends is all that is told; no permission is granted or denied by an answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.forms import hashed
from policykit.exchanges.key_list import cleaned
from policykit.exchanges.upbit import ADAPTER
from policykit.sim import SimClock, SimServer
from policykit.snapshot import KeyReport
from tests.canary import assert_clean
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

#: docs.upbit.com list-api-keys, the example (older page of the same call, read 2026-11).
DOCUMENTED = [
    {"access_key": "xxxxxxxxxxxxxxxxxxxxxxxx", "expire_at": "2021-03-09T12:39:39+00:00"},
    {"access_key": "yyyyyyyyyyyyyyyyyyyyyyyy", "expire_at": "2021-05-29T07:30:14+00:00"},
]
WHY = "upbit does not report what a key may do; declare it from the web page"


def _report(rows: Any, own: str = DOCUMENTED[0]["access_key"]) -> KeyReport:
    return report_of(ADAPTER, cleaned(rows, own, "access_key", ("expire_at",)))


def test_the_documented_example() -> None:
    """The end is read; what Upbit does not trade is denied; all else is unknown, each with its reason."""
    report = _report(DOCUMENTED)
    unknown = ("read", "trade.spot", "trade.other", "transfer", "withdraw", "key_admin")
    assert report.permissions == {
        "read": "unknown",
        "trade.spot": "unknown",
        "trade.margin": "denied",
        "trade.derivatives": "denied",
        "trade.options": "denied",
        "trade.other": "unknown",
        "transfer": "unknown",
        "withdraw": "unknown",
        "key_admin": "unknown",
    }
    assert (report.expires_at, report.created_at) == ("2021-03-09T12:39:39.000Z", None)
    assert (report.restricted, report.addresses) == ("unknown", None)
    assert report.others == [{"id": hashed("y" * 24), "label": ""}]
    assert (report.raw, report.unrecognised) == ({}, [])
    assert report.unknown == {
        **{f"permissions.{scope}": WHY for scope in unknown},
        "ip_allowlist.restricted": (
            "upbit gives no key without an allowlist, and does not report which addresses are on it"
        ),
        "created_at": "upbit does not report it; a key ends one year after it was made",
        "label": "upbit does not report it",
        "last_used_at": "upbit does not report it",
    }


@pytest.mark.parametrize("value", [None, "", "0", "soon", 7, ["2021-03-09"]])
def test_an_end_that_cannot_be_read_is_unknown(value: object) -> None:
    """A key of Upbit ends: an empty end is no "never"."""
    report = _report([{**DOCUMENTED[0], "expire_at": value}])
    assert report.expires_at is None
    assert report.unknown["expires_at"] == "expire_at was not a plausible time"


def test_a_new_field_that_may_grant_something_is_reported() -> None:
    """The day that permissions are listed, that is a finding, and still nothing is denied."""
    report = _report([{**DOCUMENTED[0], "permissions": ["withdraw"], "can_withdraw": True}])
    assert report.unrecognised == ["can_withdraw", "permissions"]
    assert report.permissions["withdraw"] == "unknown"


def test_a_list_without_this_key_is_no_report() -> None:
    """Somebody else's rows tell nothing of this key."""
    with pytest.raises(CallFailed, match=r"^upbit: the answer is not a list of keys with this key in it; check the"):
        _report(DOCUMENTED, own="z")
    with pytest.raises(CallFailed):
        _report({"error": 1})


@pytest.fixture
def sim() -> Any:
    """The simulated exchange that speaks Upbit."""
    with SimServer(clock=SimClock(), dialect="upbit") as server:
        yield server


def test_over_http_a_key_and_its_end(sim: SimServer) -> None:
    """Stock ccxt's token is verified; the end is a year after the key was made, or as the list says."""
    key = sim.grant_key(30)
    report = run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    assert report.expires_at == "2027-10-22T10:00:00.000Z"
    soon = run(ADAPTER, client_of(sim, sim.grant_key(345, expires_in_days=20)), ADAPTER.key_report(), sim.clock)
    assert soon.expires_at == "2026-12-11T10:00:00.000Z"
    assert_clean(f"{report!r} {soon!r}", [key.secret, key.key, sim.main_key.key])


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        ("revoked", "KEY_REJECTED", "upbit: no such key; check the key (invalid_access_key)"),
        (
            "address",
            "ADDRESS_NOT_ALLOWED",
            "upbit: this address is not on the key's allowlist (no_authorization_ip)",
        ),
        ("permission", "PERMISSION_MISSING", "upbit: the key lacks a permission; check its scopes (out_of_scope)"),
        (
            "clock",
            "KEY_REJECTED",
            (
                "upbit: the signature is refused; check the key's secret (no request has a time: the clock is not why) "
                "(jwt_verification)"
            ),
        ),
        ("rate", "RATE_LIMIT", "upbit: too many requests; wait (429)"),
        ("ban", "BANNED", "upbit: this address or account is banned for a while; wait (418)"),
        ("maintenance", "MAINTENANCE", "upbit: the server has an internal error; wait (500)"),
    ],
)
def test_over_http_each_refusal_has_its_code(sim: SimServer, refusal: str, code: str, message: str) -> None:
    """Upbit names its errors; a wrong clock cannot be one."""
    key = sim.grant_key(refused=refusal)
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    assert (caught.value.code, caught.value.failure.message) == (code, message)


def test_over_http_addresses_and_balances(sim: SimServer) -> None:
    """The registered addresses are all that the API pays to; who they belong to stays behind."""
    client = client_of(sim, sim.grant_key())
    assert run(ADAPTER, client, ADAPTER.withdrawal_addresses(), sim.clock) == [
        {
            "coin": "BTC",
            "network": "BTC",
            "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj",
            "allowlisted": True,
        }
    ]
    assert client.fetch_balance()["USDT"]["free"] == 100_000
    with pytest.raises(CallFailed, match=r"^upbit has no time call that policykit knows$"):
        run(ADAPTER, client, ADAPTER.server_time(), sim.clock)


def test_over_http_the_account_is_read_in_the_calls_that_were_told(sim: SimServer) -> None:
    """Resting orders, and those that wait for a price, are two lists."""
    asked = live_calls(ADAPTER, sim, client_of(sim, sim.grant_key()))
    assert asked == Counter(ADAPTER.asks["account"])


def test_over_http_a_query_is_signed(sim: SimServer) -> None:
    """The token holds the query's hash: with another query it is refused."""
    client = client_of(sim, sim.grant_key())
    stock = client.sign

    def sign(*args: Any, **more: Any) -> Any:
        signed = stock(*args, **more)
        return {**signed, "url": signed["url"].replace("state=watch", "state=wait")}

    assert len(run(ADAPTER, client, ADAPTER.withdrawal_addresses(), sim.clock)) == 1
    client.sign = sign
    with pytest.raises(CallFailed):
        run(ADAPTER, client, _reading({"state": "watch"}), sim.clock)
    client.sign = stock
    assert run(ADAPTER, client, _reading({"state": "watch"}), sim.clock)


def _reading(params: dict[str, Any]) -> Any:
    from policykit.exchanges.base import Read

    answer = yield Read("privateGetWithdrawsCoinAddresses", params)
    return answer.data
