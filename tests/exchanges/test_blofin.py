"""BloFin's key report: `readOnly` is all it says of permissions, so a key that may write leaves them unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.blofin import ADAPTER
from policykit.sim import SimClock, SimKey, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

#: blofin/blofin-api-docs@e3600b7 (2026-03-21) index.md line 7531, its addresses and uids filled in.
DOCUMENTED: dict[str, Any] = {
    "code": "0",
    "msg": "success",
    "data": {
        "uid": "24308529173",
        "apiName": "read_test",
        "apiKey": "YOUR_API_KEY",
        "readOnly": 0,
        "ips": ["203.0.113.7", "203.0.113.8"],
        "type": 1,
        "expireTime": "1597026383085",
        "createTime": "1597026383085",
        "referralCode": "blofin",
        "parentUid": "24308529000",
    },
}
CANNOT_TELL = "readOnly 0 cannot tell trade from transfer: the key may have either or both"
WITHDRAW = "readOnly 0 does not tell it, and BloFin's documents name no permission to withdraw"
WRITES = ["trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer", "withdraw"]


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "data": {**DOCUMENTED["data"], **fields}}


def test_the_documented_example() -> None:
    """`readOnly: 0` leaves everything that writes unknown, with the reason; addresses, times and account are read."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {"read": "granted", **dict.fromkeys(WRITES, "unknown"), "key_admin": "unknown"}
    assert report.unknown == {
        **{f"permissions.{scope}": CANNOT_TELL for scope in WRITES},
        "permissions.withdraw": WITHDRAW,
        "permissions.key_admin": "blofin does not report it",
        "last_used_at": "blofin does not report it",
    }
    assert (report.restricted, report.addresses) == ("yes", ["203.0.113.7", "203.0.113.8"])
    assert (report.created_at, report.expires_at) == ("2020-08-10T02:26:23.085Z", "2020-08-10T02:26:23.085Z")
    assert (report.label, report.sub_account, report.third_party) == ("read_test", "yes", "no")
    assert (report.account_id, report.unrecognised) == ("sha256:effd276e40c6", [])
    assert report.raw == {"readOnly": 0, "type": 1}


def test_a_key_that_only_reads() -> None:
    """`readOnly: 1` denies everything that writes, a withdrawal too."""
    report = report_of(ADAPTER, _with(readOnly=1))
    assert report.permissions == {"read": "granted", **dict.fromkeys(WRITES, "denied"), "key_admin": "unknown"}


@pytest.mark.parametrize("value", [None, "maybe", 2, [1]])
def test_a_read_only_that_cannot_be_read_denies_nothing(value: Any) -> None:
    """Retyped or nulled, it is unknown, and the reason names the field."""
    report = report_of(ADAPTER, _with(readOnly=value))
    assert {report.permissions[scope] for scope in WRITES} == {"unknown"}
    assert report.unknown["permissions.withdraw"] == "readOnly was not a yes or a no"


def test_a_vendors_key_of_the_main_account_from_anywhere() -> None:
    """`type: 2` is a third party's, parent "0" the main account's, `[]` from everywhere; 0 is no end."""
    report = report_of(ADAPTER, _with(type=2, parentUid="0", ips=[], expireTime="0"))
    assert (report.third_party, report.sub_account) == ("yes", "no")
    assert (report.restricted, report.addresses, report.expires_at) == ("no", [], None)
    assert "expires_at" not in report.unknown


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """The simulated BloFin."""
    with SimServer(clock=SimClock(), dialect="blofin") as server:
        yield server


def _failure(sim: SimServer, key: SimKey) -> tuple[str, str]:
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client_of(sim, key), ADAPTER.key_report(), sim.clock)
    return caught.value.failure.code, caught.value.failure.message


def test_over_http(sim: SimServer) -> None:
    """Stock ccxt signs with key, secret and passphrase; there is no time call."""
    client = client_of(sim, sim.grant_key(30, grants={"read"}, addresses=["203.0.113.7"], expires_in_days=60))
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert [scope for scope, said in report.permissions.items() if said == "denied"] == WRITES
    assert (report.addresses, report.expires_at) == (["203.0.113.7"], "2027-01-20T10:00:00.000Z")
    with pytest.raises(CallFailed, match="blofin has no time call that policykit knows"):
        run(ADAPTER, client, ADAPTER.server_time(), sim.clock)


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("revoked", "KEY_REJECTED", "no such key; check the key, and whether it is of this host (152401)"),
        ("address", "ADDRESS_NOT_ALLOWED", "this address is not on the key's allowlist (152406)"),
        ("permission", "PERMISSION_MISSING", "the key lacks a permission; check its scopes (152404)"),
        ("clock", "CLOCK", "the request was signed over 60 s away from now; set this host's clock (152405)"),
        ("rate", "RATE_LIMIT", "too many requests; BloFin answers nothing for 5 minutes at least (429)"),
        ("ban", "BANNED", "the firewall refuses this address; wait (403)"),
        ("maintenance", "MAINTENANCE", "the server has an internal error; wait (500)"),
    ],
)
def test_refusals(sim: SimServer, refusal: str, code: str, words: str) -> None:
    """Each has a code of its own."""
    assert _failure(sim, sim.grant_key(refused=refusal)) == (code, f"blofin: {words}")


def test_a_wrong_secret_or_passphrase_is_told_apart(sim: SimServer) -> None:
    """152409 is the signature, 152408 the passphrase."""
    key, other = sim.grant_key(), sim.grant_key()
    code, words = _failure(sim, SimKey(key.key, other.secret, 0, passphrase=key.passphrase))
    assert (code, words) == ("KEY_REJECTED", "blofin: the signature is wrong; check the secret of this key (152409)")
    code, words = _failure(sim, SimKey(key.key, key.secret, 0, passphrase=other.passphrase))
    assert code == "KEY_REJECTED"
    assert words == "blofin: the passphrase is wrong; check the passphrase of this key (152408)"


def test_the_account_is_read_by_the_calls_that_were_told(sim: SimServer) -> None:
    """Balance, positions, and open orders of all three families: plain, take-profit and stop-loss, trigger."""
    client = client_of(sim, sim.grant_key(grants={"read"}))
    assert live_calls(ADAPTER, sim, client) == Counter(ADAPTER.asks["account"])
    assert client.fetch_balance()["total"]["USDT"] == 100_000


def test_nothing_is_written(sim: SimServer) -> None:
    """An order, a transfer and a withdrawal are refused before a byte leaves."""
    client = client_of(sim, sim.grant_key())
    for method in ("privatePostTradeOrder", "privatePostAssetTransfer", "privatePostAssetWithdrawalApply"):
        with pytest.raises(CallFailed, match="is not in the read allowlist; nothing was sent"):
            getattr(client, method)({})
    assert sum(sim.truth.by_route.values()) == 0
