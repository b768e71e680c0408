"""Coinbase's key report: three flags, one of them for all that moves money; and a token that is checked for real."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.client import make_client
from policykit.exchanges.coinbase import ADAPTER
from policykit.redact import Secret
from policykit.sim import SimClock, SimKey, SimServer
from tests.exchanges.live_calls import live_calls
from tests.exchanges.reading import client_of, report_of

#: docs.cdp.coinbase.com .../data-api/get-api-key-permissions (exchanges.json): the example, its portfolio filled in.
DOCUMENTED: dict[str, Any] = {
    "can_view": True,
    "can_trade": True,
    "can_transfer": True,
    "portfolio_uuid": "2f6f7b5a-6d3c-4b0e-9a53-0a5c1a9f7e10",
    "portfolio_type": "UNDEFINED",
}
ONE_FOR_ALL = "can_trade is one permission for every order, and Coinbase does not say for which"
NOT_REPORTED = "coinbase does not report it"


def _with(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENTED, **fields}


def _without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in DOCUMENTED.items() if name not in names}


def test_the_documented_example() -> None:
    """All three flags: spot, derivatives, transfer and withdrawal are granted; nothing else is told."""
    report = report_of(ADAPTER, DOCUMENTED)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "unknown",
        "trade.derivatives": "granted",
        "trade.options": "unknown",
        "trade.other": "unknown",
        "transfer": "granted",
        "withdraw": "granted",
        "key_admin": "unknown",
    }
    assert report.unknown == {
        "permissions.trade.margin": ONE_FOR_ALL,
        "permissions.trade.options": ONE_FOR_ALL,
        "permissions.trade.other": ONE_FOR_ALL,
        "permissions.key_admin": NOT_REPORTED,
        "ip_allowlist.restricted": NOT_REPORTED,
        "label": NOT_REPORTED,
        "created_at": NOT_REPORTED,
        "expires_at": NOT_REPORTED,
        "last_used_at": NOT_REPORTED,
    }
    assert (report.restricted, report.addresses, report.created_at) == ("unknown", None, None)
    assert (report.sub_account, report.third_party, report.unrecognised) == ("unknown", "unknown", [])
    assert report.account_id == "sha256:d7f7059eeadf"
    assert report.raw == {"can_view": True, "can_trade": True, "can_transfer": True}


def test_a_key_that_only_reads() -> None:
    """Without `can_trade` every order is denied, whatever its product; without `can_transfer` nothing moves."""
    report = report_of(ADAPTER, _with(can_trade=False, can_transfer=False))
    assert [scope for scope, said in report.permissions.items() if said == "granted"] == ["read"]
    assert [scope for scope, said in report.permissions.items() if said == "unknown"] == ["key_admin"]


def test_the_spelling_of_the_official_sdk() -> None:
    """`can_withdraw` (tests/rest/test_data_api.py@87b001d) is the same flag; one yes of two spellings is a yes."""
    other = {"can_view": True, "can_trade": False, "can_withdraw": False, "portfolio_uuid": "portfolio1"}
    report = report_of(ADAPTER, other)
    assert (report.permissions["transfer"], report.permissions["withdraw"]) == ("denied", "denied")
    report = report_of(ADAPTER, {**other, "can_withdraw": True})
    assert (report.permissions["transfer"], report.permissions["withdraw"]) == ("granted", "granted")
    report = report_of(ADAPTER, _with(can_transfer=False, can_withdraw=True))
    assert (report.permissions["transfer"], report.permissions["withdraw"]) == ("granted", "granted")
    report = report_of(ADAPTER, _with(can_transfer=None, can_withdraw=False))
    assert report.unknown["permissions.withdraw"] == "can_transfer was not a yes or a no"


def test_a_flag_that_is_missing_is_unknown() -> None:
    """Never denied: the reason names the field."""
    report = report_of(ADAPTER, _without("can_transfer", "can_trade"))
    assert {report.permissions[scope] for scope in ("transfer", "withdraw", "trade.spot")} == {"unknown"}
    assert report.unknown["permissions.withdraw"] == "can_transfer was not in the answer"
    assert report.unknown["permissions.trade.spot"] == "can_trade was not in the answer"


def test_a_flag_that_nobody_knows_is_named() -> None:
    """`can_receive` is known to grant nothing; another one is reported."""
    report = report_of(ADAPTER, _with(can_receive=True, can_mint=True))
    assert report.unrecognised == ["can_mint"]


def test_an_answer_without_any_flag_is_no_key_report() -> None:
    """A proxy's JSON is not read as a key that may do nothing known."""
    with pytest.raises(CallFailed, match="coinbase: the answer is not a key report; check the endpoint"):
        report_of(ADAPTER, {"status": "ok"})


@pytest.fixture
def sim() -> Any:
    """The simulated Coinbase."""
    with SimServer(clock=SimClock(), dialect="coinbase") as server:
        yield server


def _failure(sim: SimServer, key: SimKey, client: Any = None) -> tuple[str, str]:
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client or client_of(sim, key), ADAPTER.key_report(), sim.clock)
    return caught.value.failure.code, caught.value.failure.message


def test_over_http_with_a_token_of_its_own(sim: SimServer) -> None:
    """Stock ccxt signs ES256 with a fresh EC key; what the key was granted is what is read."""
    key = sim.grant_key(grants={"read", "withdraw"})
    assert key.key.startswith("organizations/")
    assert key.secret.startswith("-----BEGIN EC PRIVATE KEY-----")
    client = client_of(sim, key)
    report = run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert report.permissions["trade.spot"] == "denied"
    assert (report.permissions["transfer"], report.permissions["withdraw"]) == ("granted", "granted")
    assert run(ADAPTER, client, ADAPTER.server_time(), sim.clock) == sim.clock.now_ms()


LACKS = "coinbase: the key lacks a permission; check its scopes"
WHY = "coinbase: the key is refused, and Coinbase does not say why; check key and private key, this host's clock, and "
WHY += "whether this address is on the key's allowlist (401)"


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("revoked", "KEY_REJECTED", WHY),
        ("address", "KEY_REJECTED", WHY),
        ("clock", "KEY_REJECTED", WHY),
        ("permission", "PERMISSION_MISSING", f"{LACKS} (PERMISSION_DENIED)"),
        ("rate", "RATE_LIMIT", "coinbase: too many requests; wait (rate_limit_exceeded)"),
        ("ban", "RATE_LIMIT", "coinbase: too many requests; wait (rate_limit_exceeded)"),
        ("maintenance", "MAINTENANCE", "coinbase: the service is not available; wait (503)"),
    ],
)  # fmt: skip
def test_refusals(sim: SimServer, refusal: str, code: str, words: str) -> None:
    """Coinbase answers a bad key, address and clock alike, "Unauthorized": the words name all three."""
    assert _failure(sim, sim.grant_key(refused=refusal)) == (code, words)


@pytest.mark.parametrize(("seconds", "words"), [(600, "600 s ahead of"), (-600, "600 s behind")])
def test_a_wrong_clock_is_told_by_the_answers_date(sim: SimServer, seconds: int, words: str) -> None:
    """A token signed in another time is refused like a bad key; the `Date` of the refusal tells which it was."""
    key = sim.grant_key()
    wrong = SimClock(start_ms=sim.clock.now_ms() + seconds * 1000)
    secrets = {name: Secret(value) for name, value in key.credentials().items()}
    client = make_client("coinbase", secrets, endpoint=sim.url, clock=wrong)
    told = f"coinbase: the key is refused, and this host's clock is {words} the answer's; set this host's clock, "
    assert _failure(sim, key, client) == ("CLOCK", told + "then check the key")


def test_a_token_for_another_request_is_refused(sim: SimServer) -> None:
    """The simulated exchange checks the `uri` claim: a token made for one path opens no other."""
    client = client_of(sim, sim.grant_key())
    made = client.create_auth_token
    client.create_auth_token = lambda seconds, method=None, url=None, eddsa=False: made(
        seconds, method, f"{url}/elsewhere", eddsa
    )
    with pytest.raises(CallFailed) as caught:
        run(ADAPTER, client, ADAPTER.key_report(), sim.clock)
    assert caught.value.failure.message == WHY


def test_a_wrong_private_key_is_refused(sim: SimServer) -> None:
    """A token of the right key's name that another private key signed opens nothing."""
    key, other = sim.grant_key(), sim.grant_key()
    assert _failure(sim, SimKey(key.key, other.secret, 0)) == ("KEY_REJECTED", WHY)


def test_the_account_is_read_by_the_calls_that_were_told(sim: SimServer) -> None:
    """Balances, positions and orders of spot and futures make the calls that their cost was told of."""
    client = client_of(sim, sim.grant_key())
    assert live_calls(ADAPTER, sim, client) == Counter(ADAPTER.asks["account"])
    assert client.fetch_balance({"v3": True})["total"]["USDT"] == 100_000
    assert client.fetch_tickers(["BTC/USDT"])["BTC/USDT"]["last"] > 0


def test_nothing_is_written(sim: SimServer) -> None:
    """An order and a transfer between portfolios are refused before a byte leaves."""
    client = client_of(sim, sim.grant_key())
    for method in ("v3PrivatePostBrokerageOrders", "v3PrivatePostBrokeragePortfoliosMoveFunds"):
        with pytest.raises(CallFailed, match="is not in the read allowlist; nothing was sent"):
            getattr(client, method)({"product_id": "BTC-USD"})
    assert sum(sim.truth.by_route.values()) == 0
