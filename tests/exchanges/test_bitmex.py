"""BitMEX: a signer of our own, a list with every secret in it, and what its permissions do not tell."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, arun, run
from policykit.exchanges.bitmex import ADAPTER
from policykit.exchanges.bitmex_client import CALLS, client_class
from policykit.exchanges.client import make_client
from policykit.exchanges.forms import hashed
from policykit.exchanges.key_list import cleaned
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.snapshot import KeyReport
from tests.canary import assert_clean
from tests.exchanges.reading import NOW_MS, answered, client_of, report_of
from tests.exchanges.test_every_answer import _mutants as mutants

#: The schema's example as the support article shows it (exchanges.json, bitmex), with values in it.
ROW: dict[str, Any] = {
    "id": "LAqUlngMIQkIUjXMUreyu3qn",
    "secret": "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO",
    "name": "bot",
    "nonce": 0,
    "cidr": "207.39.29.22/32",
    "permissions": ["order"],
    "enabled": True,
    "userId": 1448939,
    "created": "2020-09-14T02:04:59.423Z",
}
_KEPT = ("name", "cidr", "cidrs", "permissions", "enabled", "userId", "created", "targetAccountId")


def _report(*rows: dict[str, Any], own: str = ROW["id"]) -> KeyReport:
    return report_of(ADAPTER, cleaned(list(rows), own, "id", _KEPT))


def _of(**fields: Any) -> KeyReport:
    return _report({name: value for name, value in {**ROW, **fields}.items() if value is not ...})


def test_a_documented_row() -> None:
    """`order` trades; withdrawal is denied because it is not named; of transfers the documents say nothing."""
    report = _report(ROW, {**ROW, "id": "other", "name": "desk"})
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "granted",
        "trade.options": "granted",
        "trade.other": "unknown",
        "transfer": "unknown",
        "withdraw": "denied",
        "key_admin": "denied",
    }
    assert (report.restricted, report.addresses) == ("yes", ["207.39.29.22"])
    assert (report.created_at, report.label) == ("2020-09-14T02:04:59.423Z", "bot")
    assert report.account_id == hashed(1448939)
    assert report.others == [{"id": hashed("other"), "label": "desk"}]
    assert report.raw == {"enabled": True}
    assert report.unrecognised == []
    assert report.unknown == {
        "permissions.transfer": "bitmex does not document which permission transfers need",
        "permissions.trade.other": "bitmex does not document which permission else there is",
        "expires_at": "bitmex does not report it",
        "last_used_at": "bitmex does not report it",
    }


@pytest.mark.parametrize(
    ("permissions", "trade", "withdraw"),
    [
        ([], "denied", "denied"),
        (["orderCancel"], "denied", "denied"),
        (["order", "withdraw"], "granted", "granted"),
        (["order", "payOut"], "granted", "unknown"),
        ("", "unknown", "unknown"),
        (None, "unknown", "unknown"),
        ([7], "unknown", "unknown"),
        (..., "unknown", "unknown"),
    ],
)
def test_permissions(permissions: object, trade: str, withdraw: str) -> None:
    """Only a list says what is not granted; a name nobody knows may be a withdrawal."""
    report = _of(permissions=permissions)
    assert (report.permissions["trade.derivatives"], report.permissions["withdraw"]) == (trade, withdraw)
    assert report.permissions["read"] == "granted"
    assert report.unrecognised == (["payOut"] if permissions == ["order", "payOut"] else [])


@pytest.mark.parametrize(
    ("fields", "restricted", "addresses"),
    [
        ({"cidr": ""}, "no", []),
        ({"cidr": "0.0.0.0/0"}, "no", []),
        ({"cidr": ""} | {"cidrs": []}, "no", []),
        ({"cidr": "203.0.113.7/32", "cidrs": ["203.0.113.0/24"]}, "unknown", None),
        ({"cidr": "203.0.113.7/32", "cidrs": ["203.0.113.7/32", "::1"]}, "yes", ["203.0.113.7", "::1"]),
        ({"cidr": ..., "cidrs": ["203.0.113.0/24"]}, "yes", ["203.0.113.0/24"]),
        ({"cidr": "203.0.113.7/32", "cidrs": []}, "unknown", None),
        ({"cidr": "", "cidrs": ["203.0.113.7/32"]}, "unknown", None),
        ({"cidr": "198.51.100.1/32", "cidrs": ["203.0.113.7/32"]}, "unknown", None),
        ({"cidr": ...}, "unknown", None),
        ({"cidr": 7}, "unknown", None),
    ],
)  # fmt: skip
def test_addresses(fields: dict[str, Any], restricted: str, addresses: list[str] | None) -> None:
    """The old field, the new one, and nothing where they contradict each other."""
    report = _of(**fields)
    assert (report.restricted, report.addresses) == (restricted, addresses)
    if restricted == "unknown":
        assert report.unknown["ip_allowlist.restricted"]


def test_a_list_without_this_key_is_no_report() -> None:
    """Somebody else's rows tell nothing of this key."""
    with pytest.raises(CallFailed, match=r"^bitmex: the answer is not a list of keys with this key in it; check the"):
        _report(ROW, own="somebody")
    with pytest.raises(CallFailed):
        report_of(ADAPTER, None)


@pytest.fixture
def sim() -> Any:
    """The simulated exchange that speaks BitMEX."""
    with SimServer(clock=SimClock(), dialect="bitmex") as server:
        yield server


def test_over_http_no_secret_of_any_key_gets_out(sim: SimServer) -> None:
    """Our signer against the documented signature; the answer holds two secrets, the report none of either."""
    key = sim.grant_key(30, addresses=["203.0.113.7"])
    client = client_of(sim, key)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert all(one.secret in client.last_http_response for one in (key, sim.main_key))
    assert_clean(repr(report), [key.secret, sim.main_key.secret, key.key, sim.main_key.key])
    assert (report.permissions["trade.spot"], report.permissions["withdraw"]) == ("granted", "denied")
    assert report.addresses == ["203.0.113.7"]


def test_over_http_the_async_client_reads_the_same(sim: SimServer) -> None:
    """The signer is made of ccxt's async class too."""
    key = sim.grant_key()
    secrets = {name: Secret(value) for name, value in key.credentials().items()}

    async def read() -> KeyReport:
        client = make_client("bitmex", secrets, endpoint=sim.url, clock=sim.clock, asynchronous=True)
        try:
            return await arun(ADAPTER, client, ADAPTER.key_report(), sim.clock)
        finally:
            await client.close()

    assert asyncio.run(read()) == run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        ("revoked", "KEY_REJECTED", "bitmex: no such key; check the key, and whether it is live (401)"),
        ("address", "ADDRESS_NOT_ALLOWED", "bitmex: this address is not on the key's allowlist (403)"),
        ("permission", "PERMISSION_MISSING", "bitmex: the key lacks a permission; check its scopes (403)"),
        ("clock", "CLOCK", "bitmex: the request had expired; set this host's clock (401)"),
        ("rate", "RATE_LIMIT", "bitmex: too many requests; wait (429)"),
        ("ban", "RATE_LIMIT", "bitmex: too many requests; wait (429)"),
        ("maintenance", "MAINTENANCE", "bitmex: the system is overloaded; wait (503)"),
    ],
)
def test_over_http_each_refusal_has_its_code(sim: SimServer, refusal: str, code: str, message: str) -> None:
    """BitMEX has words for each, and no codes."""
    key = sim.grant_key(refused=refusal)
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    assert (caught.value.code, caught.value.failure.message) == (code, message)
    assert_clean(f"{caught.value!r} {caught.value.__context__!r}", [key.secret, key.key])


def test_over_http_a_signature_ends(sim: SimServer) -> None:
    """A clock 61 s behind signs what has expired; 59 s behind is in time."""
    client = client_of(sim, sim.grant_key())
    client.milliseconds = lambda: sim.clock.now_ms() - 61_000
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert caught.value.code == "CLOCK"
    client.milliseconds = lambda: sim.clock.now_ms() - 59_000
    assert run(ADAPTER, client, ADAPTER.key_report(), sim.clock).label == "sim"


def test_over_http_time_and_addresses(sim: SimServer) -> None:
    """The root tells the time; of the address book the person's notes stay behind."""
    client = client_of(sim, sim.grant_key())
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()
    addresses = run(ADAPTER, client, ADAPTER.withdrawal_addresses(), sim.clock)
    assert addresses == [
        {
            "coin": "XBt",
            "network": "btc",
            "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf0uyj",
            "allowlisted": True,
        }
    ]
    assert "bank" not in json.dumps(addresses)
    with pytest.raises(CallFailed, match=r"^bitmex: the answer is not the time; check the endpoint$"):
        answered(ADAPTER.server_time(), {"timestamp": "later"})
    with pytest.raises(CallFailed, match=r"^bitmex: the answer is not a list of addresses; check the endpoint$"):
        answered(ADAPTER.withdrawal_addresses(), {"error": NOW_MS})


def test_the_signer_signs_as_documented() -> None:
    """The vector of BitMEX's "API Key Usage": GET /api/v1/instrument with a filter, expires 1518064237."""
    client = client_class()({"apiKey": "LAqUlngMIQkIUjXMUreyu3qn", "secret": ROW["secret"]})
    client.milliseconds = lambda: (1518064237 - 60) * 1000
    signed = client.sign("/instrument", ["private"], "GET", {"filter": '{"symbol": "XBTM15"}'})
    assert signed["url"] == ("https://www.bitmex.com/api/v1/instrument?filter=%7B%22symbol%22%3A+%22XBTM15%22%7D")
    assert signed["headers"] == {
        "api-key": "LAqUlngMIQkIUjXMUreyu3qn",
        "api-expires": "1518064237",
        "api-signature": "e2f422547eecb5b3cb29ade2127e21b858b235b386bfa45e1c1756eb3383919f",
    }


def test_the_signer_has_reads_only() -> None:
    """Every call it has is a GET that the adapter's list names; an order has no method."""
    cls = client_class()
    for kind, path in CALLS.values():
        call = ADAPTER.call("GET", f"https://www.bitmex.com/api/v1{path}", None)
        assert call.kind == ("public" if kind == "public" else "read")
    assert {
        name for name in dir(cls) if name.startswith(("public", "private")) and not hasattr(cls.__base__, name)
    } == {*CALLS}
    assert ADAPTER.call("POST", "https://www.bitmex.com/api/v1/order", None).kind == "refused"


def test_I18_a_damaged_list_denies_nothing_and_leaks_nothing() -> None:
    """Every single change of the answer as it came, before it is cleaned: no crash, no denial, no secret."""
    rows = [{**ROW, "permissions": ["order", "withdraw"], "cidrs": ["207.39.29.22/32"]}, {**ROW, "id": "other"}]
    seen, codes = 0, set()
    for name, (damaged,) in mutants([rows]):
        listed = cleaned(damaged, ROW["id"], "id", _KEPT)
        assert_clean(repr(listed), [ROW["secret"]])
        try:
            report = report_of(ADAPTER, listed)
        except CallFailed as failed:
            codes.add(failed.code)
            continue
        seen += 1
        assert report.permissions["withdraw"] != "denied", name
        assert report.permissions["trade.derivatives"] != "denied", name
        assert report.restricted != "no", name
    assert codes == {"BAD_ANSWER"}
    assert seen > 100
