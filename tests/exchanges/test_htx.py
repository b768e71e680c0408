"""HTX's key report: the own key in the list of all, days left for an end, and a signature over the host's name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.htx import ADAPTER
from policykit.exchanges.key_list import cleaned
from policykit.sim import SimClock, SimKey, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

OWN = "160bb889-b7c3d4be-e0a1b2f5-ghxertfvbf"
OTHER = "5000d371-ed12f5tf-40aa8b8b-ab8e5"
UID = {"code": 200, "data": 63628520}
#: HTX.Net@f9b44a3 HTX.Net.UnitTests/Endpoints/Spot/Account/GetApiKeyInfo.txt; its starred keys filled in.
DOCUMENTED: dict[str, Any] = {
    "code": 200,
    "message": "success",
    "data": [
        {
            "accessKey": OWN,
            "status": "normal",
            "note": "host",
            "permission": "trade,readOnly",
            "ipAddresses": "192.168.0.1,192.168.1.1",
            "validDays": -1,
            "createTime": 1615192704000,
            "updateTime": 1623030338000,
        },
        {
            "accessKey": OTHER,
            "status": "normal",
            "note": "host two",
            "permission": "readOnly,trade,withdraw",
            "ipAddresses": "",
            "validDays": 7,
            "createTime": 1623158078000,
            "updateTime": 1629875976000,
        },
    ],
    "ok": True,
}
KEPT = ("status", "note", "permission", "ipAddresses", "validDays", "createTime", "updateTime")


def _listed(key: str = OWN, **fields: Any) -> dict[str, Any]:
    """Return what the client makes of the documented list for a key, whose fields are changed."""
    rows = [{**row, **fields} if row["accessKey"] == key else row for row in DOCUMENTED["data"]]
    return {"code": 200, "data": cleaned(rows, key, "accessKey", KEPT)}


def test_the_documented_example() -> None:
    """The own row is read: trade transfers as well, withdraw is denied, -1 days is no end; the other key is named."""
    report = report_of(ADAPTER, UID, _listed())
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "granted",
        "trade.options": "granted",
        "trade.other": "granted",
        "transfer": "granted",
        "withdraw": "denied",
        "key_admin": "unknown",
    }
    assert report.unknown == {
        "permissions.key_admin": "htx does not report it",
        "last_used_at": "htx does not report it",
    }
    assert (report.restricted, report.addresses) == ("yes", ["192.168.0.1", "192.168.1.1"])
    assert (report.created_at, report.expires_at) == ("2021-03-08T08:38:24.000Z", None)
    assert (report.label, report.sub_account, report.third_party) == ("host", "unknown", "unknown")
    assert report.others == [{"id": "sha256:c39d6cc4f629", "label": "host two"}]
    assert (report.account_id, report.unrecognised) == ("sha256:c858f6e7055d", [])
    assert report.raw == {"permission": ["trade", "readOnly"], "validDays": -1}


def test_the_other_key_of_the_example() -> None:
    """Withdraw is granted; no address is from everywhere; seven days left is an end seven days from now."""
    report = report_of(ADAPTER, UID, _listed(OTHER))
    assert report.permissions["withdraw"] == "granted"
    assert (report.restricted, report.addresses, report.label) == ("no", [], "host two")
    assert report.expires_at == "2026-11-28T10:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "end", "why"),
    [
        ({"status": "expired"}, "2026-11-21T10:00:00.000Z", None),
        ({"validDays": "-1"}, None, None),
        ({"validDays": "90"}, "2027-02-19T10:00:00.000Z", None),
        ({"validDays": None}, None, "validDays was not a number of days"),
        ({"validDays": "soon"}, None, "validDays was not a number of days"),
        ({"validDays": True}, None, "validDays was not a number of days"),
    ],
)
def test_when_a_key_ends(fields: dict[str, Any], end: str | None, why: str | None) -> None:
    """Days left, -1 for ever, status expired is now; anything else is unknown."""
    report = report_of(ADAPTER, UID, _listed(**fields))
    assert (report.expires_at, report.unknown.get("expires_at")) == (end, why)


def test_a_permission_nobody_knows() -> None:
    """It may be a withdrawal: what is not granted stays unknown."""
    report = report_of(ADAPTER, UID, _listed(permission="readOnly,payout"))
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.transfer"] == "payout is not understood and may grant it"
    assert report.unrecognised == ["payout"]


def test_a_list_without_the_own_key_is_no_report() -> None:
    """Another key's row is never taken for the own one."""
    with pytest.raises(CallFailed, match="htx: the answer is not a list of keys with this key in it"):
        report_of(ADAPTER, UID, {"code": 200, "data": cleaned(DOCUMENTED["data"], "stranger", "accessKey", KEPT)})


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            {"code": 403, "message": "forbidden"},
            "PERMISSION_MISSING",
            "htx: the key lacks a permission, or is of a sub-user, which may not ask; check its scopes (403)",
        ),
        ({"code": 429, "message": "x"}, "RATE_LIMIT", "htx: too many requests; wait (429)"),
        ({"code": 7777, "message": "x"}, "BAD_ANSWER", "htx: the answer is not of code 200; check the endpoint"),
        ({"code": 200, "data": "me"}, "BAD_ANSWER", "htx: the answer is not a user's id; check the endpoint"),
    ],
)
def test_codes_that_ccxt_lets_pass(answer: dict[str, Any], code: str, words: str) -> None:
    """Codes of v2 that ccxt does not know raise nothing there; they are read here."""
    with pytest.raises(CallFailed) as caught:
        report_of(ADAPTER, answer)
    assert (caught.value.failure.code, caught.value.failure.message) == (code, words)


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """The simulated HTX."""
    with SimServer(clock=SimClock(), dialect="htx") as server:
        yield server


def _failure(sim: SimServer, key: SimKey) -> tuple[str, str]:
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    return caught.value.failure.code, caught.value.failure.message


def test_over_http_the_signed_host_is_the_one_asked(sim: SimServer) -> None:
    """Stock ccxt signs the local server's name; its key is found among the account's."""
    key = sim.grant_key(30, grants={"read", "withdraw"}, addresses=["203.0.113.7"], expires_in_days=20, label="payer")
    client = client_of(sim, key)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert (report.label, report.permissions["withdraw"], report.permissions["trade.spot"]) == (
        "payer", "granted", "denied",
    )  # fmt: skip
    assert (report.addresses, report.expires_at) == (["203.0.113.7"], "2026-12-11T10:00:00.000Z")
    assert [one["label"] for one in report.others] == ["sim"]
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()


def test_a_signature_for_another_host_is_refused(sim: SimServer) -> None:
    """As the exchange would: without `pointed`, ccxt signs api.huobi.pro whatever it asks."""
    client = client_of(sim, sim.grant_key())
    client.urls["hostnames"] = {"contract": "api.hbdm.vn", "spot": "api.huobi.pro"}
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    told = "htx: the signature is wrong; check the secret (api-signature-not-valid)"
    assert (caught.value.failure.code, caught.value.failure.message) == ("KEY_REJECTED", told)


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("revoked", "KEY_REJECTED", "no such key; check the key (api-signature-not-valid)"),
        ("address", "ADDRESS_NOT_ALLOWED", "this address is not on the key's allowlist (api-signature-not-valid)"),
        (
            "permission",
            "PERMISSION_MISSING",
            "the key lacks a permission, or is of a sub-user, which may not ask; check its scopes (403)",
        ),
        ("clock", "CLOCK", "the request's time is refused; set this host's clock (api-signature-not-valid)"),
        ("rate", "RATE_LIMIT", "too many requests; wait (too-many-requests)"),
        ("ban", "RATE_LIMIT", "too many requests; wait (too-many-requests)"),
        ("maintenance", "MAINTENANCE", "the exchange is under maintenance; wait (system-maintenance)"),
    ],
)
def test_refusals(sim: SimServer, refusal: str, code: str, words: str) -> None:
    """One code for a wrong key, address and clock: the text beside it tells them apart."""
    assert _failure(sim, sim.grant_key(refused=refusal)) == (code, f"htx: {words}")


def test_the_account_is_read_by_the_calls_that_were_told(sim: SimServer) -> None:
    """Spot and contracts, on two hosts that stay apart, and every family of contract orders."""
    client = client_of(sim, sim.grant_key(grants={"read"}))
    asked = live_calls(ADAPTER, sim, client)
    told = Counter(re.sub(r"/\d+/", "/*/", name) for name in asked.elements())
    assert told == Counter(ADAPTER.asks["account"])
    assert client.fetch_balance({"type": "spot"})["total"]["USDT"] == 100_000


def test_a_write_that_is_a_get_is_refused() -> None:
    """`GET /v1/order/cancelAllOrders` cancels: the path decides, never the verb."""
    call = ADAPTER.call("GET", "https://api.huobi.pro/v1/order/cancelAllOrders?AccessKeyId=x", None)
    assert (call.kind, call.name) == ("refused", "GET /v1/order/cancelAllOrders")
