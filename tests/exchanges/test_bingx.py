"""BingX's key report: permissions by number or as yes/no fields, on two paths that may answer in either form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, Failure, run
from policykit.exchanges.bingx import ADAPTER
from policykit.sim import SimClock, SimKey, SimServer
from policykit.traits.bingx import encode_id
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

#: exchanges.json: the answer of GET /openApi/v1/account/apiPermissions.
NUMBERS: dict[str, Any] = {
    "code": 0,
    "msg": "",
    "debugMsg": "",
    "data": {"apiKey": "x", "permissions": [1, 2, 3], "ipAddresses": [], "note": "chm"},
}
#: BingX-API comm-api-doc, GET /openApi/v1/account/apiRestrictions: without an envelope.
FLAGS: dict[str, Any] = {
    "ipRestrict": False,
    "createTime": 1671262117327,
    "permitsUniversalTransfer": False,
    "enableReading": True,
    "enableFutures": False,
    "enableSpotAndMarginTrading": False,
}
UID = {"code": 0, "msg": "", "data": {"uid": 16477999}}
NOT_REPORTED = "bingx does not report it"


def _numbers(**fields: Any) -> dict[str, Any]:
    return {**NUMBERS, "data": {**NUMBERS["data"], **fields}}


def _failed(code: str) -> CallFailed:
    return CallFailed(Failure("no", code, "bingx: refused"))


def test_the_documented_answers() -> None:
    """Numbers decide what they cover, one yes or no field the rest, the time comes from the second answer."""
    report = report_of(ADAPTER, NUMBERS, FLAGS, UID)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "denied",
        "trade.derivatives": "granted",
        "trade.options": "unknown",
        "trade.other": "unknown",
        "transfer": "denied",
        "withdraw": "denied",
        "key_admin": "unknown",
    }
    assert report.unknown == {
        "permissions.trade.options": "enableVanillaOptions was not in the answer",
        "permissions.trade.other": NOT_REPORTED,
        "permissions.key_admin": NOT_REPORTED,
        "expires_at": NOT_REPORTED,
        "last_used_at": NOT_REPORTED,
    }
    assert (report.restricted, report.addresses, report.label) == ("no", [], "chm")
    assert (report.created_at, report.expires_at) == ("2022-12-17T07:28:37.327Z", None)
    assert (report.account_id, report.sub_account, report.third_party) == ("sha256:73ca7117048e", "unknown", "unknown")
    assert report.unrecognised == []
    assert report.raw == {
        "permissions": ["1", "2", "3"],
        "ipRestrict": False,
        "enableFutures": False,
        "enableReading": True,
        "enableSpotAndMarginTrading": False,
        "permitsUniversalTransfer": False,
    }


@pytest.mark.parametrize(
    ("number", "scope"),
    [(1, "trade.spot"), (2, "read"), (3, "trade.derivatives"), (4, "transfer"), (5, "withdraw"), (7, "transfer")],
)
def test_each_number(number: int, scope: str) -> None:
    """A number grants its scope; as text it is the same."""
    silent = {"createTime": 1671262117327}
    for form in ([number], [str(number)], str(number)):
        report = report_of(ADAPTER, _numbers(permissions=form), silent, UID)
        assert [name for name, said in report.permissions.items() if said == "granted"] == [scope]
        assert report.permissions["withdraw"] == ("granted" if number == 5 else "denied")


def test_a_number_that_is_not_documented() -> None:
    """6 was seen and is documented nowhere: it may be a withdrawal, so what is not granted stays unknown."""
    report = report_of(ADAPTER, _numbers(permissions=[2, 6]), FLAGS, UID)
    assert report.unrecognised == ["6"]
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "6 is not understood and may grant it"


def test_a_yes_of_either_answer_stands() -> None:
    """The two answers contradict each other: the key may do what one of them says it may."""
    report = report_of(ADAPTER, _numbers(permissions=[2]), {**FLAGS, "enableWithdrawals": True}, UID)
    assert (report.permissions["withdraw"], report.permissions["trade.spot"]) == ("granted", "denied")
    report = report_of(ADAPTER, _numbers(permissions=[2, 4]), FLAGS, UID)
    assert report.permissions["transfer"] == "granted"
    flags = {**FLAGS, "enableWithdrawals": False}
    report = report_of(ADAPTER, {"code": 0, "data": flags}, {**FLAGS, "enableWithdrawals": True}, UID)
    assert report.permissions["withdraw"] == "granted"


def test_the_first_answer_as_yes_or_no_fields() -> None:
    """The official reference has them on the same path; a field that is missing leaves its scope unknown."""
    fields = {**FLAGS, "enableInternalTransfer": True, "enableVanillaOptions": False, "ipRestrict": True}
    report = report_of(ADAPTER, {"code": 0, "data": fields}, _failed("NOT_SUPPORTED"), _failed("PERMISSION_MISSING"))
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "denied",
        "trade.margin": "denied",
        "trade.derivatives": "denied",
        "trade.options": "denied",
        "trade.other": "unknown",
        "transfer": "granted",
        "withdraw": "unknown",
        "key_admin": "unknown",
    }
    assert report.unknown["permissions.withdraw"] == "enableWithdrawals was not in the answer"
    assert (report.restricted, report.addresses, report.account_id) == ("yes", None, None)
    assert report.unknown["ip_allowlist.addresses"] == "bingx reports only whether a restriction is set"


@pytest.mark.parametrize("permissions", [None, {"1": True}, [True, 2], [0.5], 7])
def test_permissions_that_cannot_be_read(permissions: Any) -> None:
    """They deny nothing, whatever the other answer leaves out."""
    report = report_of(ADAPTER, _numbers(permissions=permissions), FLAGS, UID)
    assert report.permissions["withdraw"] == "unknown"
    assert report.permissions["read"] == "granted"  # the other answer says so
    assert report.unknown["permissions.withdraw"] == "permissions was not a list of permissions"


@pytest.mark.parametrize(
    ("addresses", "bound", "restricted", "listed"),
    [
        ([], False, "no", []),
        ([""], False, "no", []),
        (["203.0.113.7"], True, "yes", ["203.0.113.7"]),
        ([], True, "unknown", None),
        (["203.0.113.7"], False, "unknown", None),
        (["203.0.113.7"], None, "yes", ["203.0.113.7"]),
    ],
)
def test_addresses(addresses: list[str], bound: bool | None, restricted: str, listed: list[str] | None) -> None:
    """`[]` and `[""]` are from everywhere; two answers that contradict each other are unknown."""
    report = report_of(ADAPTER, _numbers(ipAddresses=addresses), {**FLAGS, "ipRestrict": bound}, UID)
    assert (report.restricted, report.addresses) == (restricted, listed)
    why = report.unknown.get("ip_allowlist.restricted")
    assert why == ("ipAddresses and ipRestrict contradict each other" if restricted == "unknown" else None)


def test_without_the_second_answer() -> None:
    """What only it tells is unknown; an exchange that says stop is not asked on."""
    report = report_of(ADAPTER, NUMBERS, _failed("NOT_SUPPORTED"), UID)
    assert (report.created_at, report.permissions["trade.margin"]) == (None, "unknown")
    assert report.unknown["created_at"] == "createTime was not in the answer"
    for code in ("RATE_LIMIT", "BANNED", "KEY_REJECTED"):
        with pytest.raises(CallFailed, match="bingx: refused"):
            report_of(ADAPTER, NUMBERS, _failed(code))


def test_an_answer_without_permissions_is_no_key_report() -> None:
    """An envelope without anything known in it is not read as a key that may do nothing."""
    with pytest.raises(CallFailed, match="bingx: the answer is not a key report; check the endpoint"):
        report_of(ADAPTER, {"code": 0, "msg": "", "data": {"note": "chm"}})


def test_ids_stay_apart_in_lower_case() -> None:
    """BingX makes them lower case, so they are sent so."""
    assert encode_id("01J9Z8Y7X6W5V4T3S2R1Q0P9N8") == "pk01j9z8y7x6w5v4t3s2r1q0p9n8"


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """The simulated BingX."""
    with SimServer(clock=SimClock(), dialect="bingx") as server:
        yield server


def _failure(sim: SimServer, key: SimKey) -> tuple[str, str]:
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    return caught.value.failure.code, caught.value.failure.message


def test_over_http(sim: SimServer) -> None:
    """Stock ccxt signs the sorted parameters; three calls make the report."""
    client = client_of(sim, sim.grant_key(30, grants={"read", "withdraw"}, addresses=["203.0.113.7"], label="payer"))
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert [scope for scope, said in report.permissions.items() if said == "granted"] == ["read", "withdraw"]
    assert (report.addresses, report.label) == (["203.0.113.7"], "payer")
    assert report.created_at == "2026-10-22T10:00:00.000Z"
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("revoked", "KEY_REJECTED", "no such key; check the key, and whether it is of this host (100413)"),
        ("address", "ADDRESS_NOT_ALLOWED", "this address is not on the key's allowlist (100419)"),
        ("permission", "PERMISSION_MISSING", "the key lacks a permission; check its scopes (100004)"),
        ("clock", "CLOCK", "the request was signed outside its window; set this host's clock (100421)"),
        ("rate", "RATE_LIMIT", "too many requests; wait (100410)"),
        ("ban", "BANNED", "the endpoint is closed to this account for a while; wait (100410)"),
        ("maintenance", "MAINTENANCE", "the server is busy or has an error; wait (100503)"),
    ],
)
def test_refusals(sim: SimServer, refusal: str, code: str, words: str) -> None:
    """One code for a limit and for a closed endpoint: the text beside it tells them apart."""
    assert _failure(sim, sim.grant_key(refused=refusal)) == (code, f"bingx: {words}")


def test_a_wrong_secret_is_told_apart(sim: SimServer) -> None:
    """100001 is the signature."""
    key, other = sim.grant_key(), sim.grant_key()
    told = "bingx: the signature is wrong; check the secret of this key (100001)"
    assert _failure(sim, SimKey(key.key, other.secret, 0)) == ("KEY_REJECTED", told)


def test_the_account_is_read_by_the_calls_that_were_told(sim: SimServer) -> None:
    """Spot, linear contracts, and their orders over time (TWAP) as well."""
    client = client_of(sim, sim.grant_key(grants={"read"}))
    assert live_calls(ADAPTER, sim, client) == Counter(ADAPTER.asks["account"])
    assert client.fetch_balance({"type": "spot"})["total"]["USDT"] == 100_000


def test_a_write_that_is_a_get_is_refused(sim: SimServer) -> None:
    """A transfer over GET, as BingX has it, is refused before a byte leaves: the path decides, never the verb."""
    client = client_of(sim, sim.grant_key())
    with pytest.raises(CallFailed) as caught:
        client.spotV3PrivateGetGetAssetTransfer({"type": "FUND_PFUTURES", "asset": "USDT", "amount": 1})
    told = "bingx: GET /openApi/api/v3/get/asset/transfer is not in the read allowlist; nothing was sent"
    assert str(caught.value) == told
    assert sum(sim.truth.by_route.values()) == 0
