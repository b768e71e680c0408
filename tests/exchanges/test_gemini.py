"""Gemini's roles: three yes or no of a key, errors whose reason ccxt drops, and keys that ccxt does not sign with."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.exchanges.base import CallFailed, run
from policykit.exchanges.client import make_client
from policykit.exchanges.gemini import ADAPTER
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from tests.exchanges.reading import client_of, report_of

#: Gemini's OpenAPI, /v1/roles (api-evangelist/gemini-trust, 2026-09-18): the examples `accountLevel`, `masterLevel`.
ACCOUNT = {"isAuditor": False, "isFundManager": True, "isTrader": True}
MASTER = {
    "counterparty_id": "EMONNYXJ",
    "isAuditor": False,
    "isFundManager": True,
    "isTrader": True,
    "isAccountAdmin": True,
}


def _granted(report: Any) -> list[str]:
    return [scope for scope, said in report.permissions.items() if said == "granted"]


def test_the_documented_example_of_an_account() -> None:
    """Both roles do everything; addresses, times and label are not told, and neither is who may make keys."""
    report = report_of(ADAPTER, ACCOUNT)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "granted",
        "trade.margin": "granted",
        "trade.derivatives": "granted",
        "trade.options": "unknown",
        "trade.other": "granted",
        "transfer": "granted",
        "withdraw": "granted",
        "key_admin": "unknown",
    }
    never = ("permissions.trade.options", "permissions.key_admin", "ip_allowlist.restricted", "label")
    assert report.unknown == dict.fromkeys(
        (*never, "created_at", "expires_at", "last_used_at"), "gemini does not report it"
    )
    assert (report.restricted, report.unrecognised, report.account_id, report.raw) == ("unknown", [], None, ACCOUNT)


def test_the_documented_example_of_a_group() -> None:
    """An administrator is told apart, and the group is only a hash."""
    report = report_of(ADAPTER, MASTER)
    assert (report.permissions["key_admin"], report.account_id) == ("granted", "sha256:a36abad24e84")
    assert "EMONNYXJ" not in repr(report)


@pytest.mark.parametrize(
    ("roles", "granted"),
    [
        ({"isAuditor": True, "isFundManager": False, "isTrader": False}, ["read"]),
        (
            {"is_auditor": 0, "is_fund_manager": 0, "is_trader": 1},
            ["read", "trade.spot", "trade.margin", "trade.derivatives", "trade.other"],
        ),
        (
            {"isAuditor": "false", "isFundManager": "true", "isTrader": "false"},
            ["read", "trade.other", "transfer", "withdraw"],
        ),
        ({"isAuditor": False, "isFundManager": False, "isTrader": False}, []),
    ],
)
def test_each_role(roles: dict[str, Any], granted: list[str]) -> None:
    """A trader trades every market, a fund manager moves and withdraws, an auditor reads; none is denied unsaid."""
    report = report_of(ADAPTER, roles)
    assert _granted(report) == granted
    assert report.unrecognised == []


def test_a_role_nobody_knows() -> None:
    """It may withdraw: reported, and what is not granted stays unknown; one that is denied is nothing."""
    auditor = {"isAuditor": True, "isFundManager": False, "isTrader": False}
    report = report_of(ADAPTER, {**auditor, "isTreasurer": True})
    assert (report.unrecognised, _granted(report)) == (["isTreasurer"], ["read"])
    assert report.unknown["permissions.withdraw"] == "isTreasurer is not understood and may grant it"
    report = report_of(ADAPTER, {**auditor, "isTreasurer": False})
    assert (report.unrecognised, report.permissions["withdraw"]) == ([], "denied")


def test_a_role_that_is_not_told() -> None:
    """Without isFundManager nobody knows whether the key withdraws."""
    report = report_of(ADAPTER, {"isAuditor": False, "isTrader": True})
    assert report.permissions["withdraw"] == "unknown"
    assert report.unknown["permissions.withdraw"] == "isFundManager was not in the answer"


REFUSED = {
    "revoked": (
        "KEY_REJECTED",
        "gemini: there is no such key, or it is not signed with its secret (InvalidSignature)",
    ),
    "address": (
        "ADDRESS_NOT_ALLOWED",
        "gemini: this address is not on the key's allowlist (ApiKeyIpFilteringFailure)",
    ),
    "permission": ("PERMISSION_MISSING", "gemini: the key lacks a role; check its roles (MissingRole)"),
    "clock": (
        "CLOCK",
        (
            "gemini: the request's number is not above the key's last one, or the key uses a time based nonce, in "
            "seconds and within 30 of the exchange's clock, which ccxt does not send; give each program a key of its "
            "own (InvalidNonce)"
        ),
    ),
    "rate": ("RATE_LIMIT", "gemini: too many requests; wait (Too Many Requests)"),
    "ban": ("RATE_LIMIT", "gemini: too many requests; wait (Too Many Requests)"),
    "maintenance": ("MAINTENANCE", "gemini: the exchange is under maintenance; wait (Maintenance)"),
}


def test_over_http() -> None:
    """Stock ccxt signs the payload's headers; each refusal is read from the answer's own reason."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="gemini") as sim:
        client = client_of(sim, sim.grant_key(30, grants={"read", "withdraw"}))
        report = run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert _granted(report) == ["read", "trade.other", "transfer", "withdraw"]
        assert client.fetch_balance()["total"]["USDT"] == 100000.0
        for refusal, (code, words) in REFUSED.items():
            with pytest.raises(CallFailed) as caught:
                run(ADAPTER, client_of(sim, sim.grant_key(refused=refusal)), ADAPTER.key_report(), clock)
            assert (caught.value.code, str(caught.value)) == (code, words)
        client.secret = "another"
        with pytest.raises(CallFailed, match="not signed with its secret") as caught:
            run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert caught.value.code == "KEY_REJECTED"


def test_a_key_of_a_group_is_refused_before_anything_is_sent() -> None:
    """Only keys of one account are signed with by ccxt: said so, and nothing arrives."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="gemini") as sim:
        secrets = {"api_key": Secret("master-0123456789"), "api_secret": Secret("abc")}
        client = make_client("gemini", secrets, endpoint=sim.url, clock=clock)
        with pytest.raises(CallFailed) as caught:
            run(ADAPTER, client, ADAPTER.key_report(), clock)
        assert (caught.value.code, caught.value.failure.executed, str(caught.value)) == (
            "KEY_REJECTED",
            "no",
            "gemini: this is no key of one account (account-...); ccxt signs with no other",
        )
        assert sum(sim.truth.by_route.values()) == 0


def test_no_web_page_is_asked() -> None:
    """Beside the markets ccxt reads currencies from a web page, five times when it fails: the client does not try."""
    clock = SimClock()
    with SimServer(clock=clock, dialect="gemini") as sim:
        client = client_of(sim, sim.grant_key())
        asked: list[str] = []
        fetch = client.fetch

        def watched(url: str, *more: Any) -> Any:
            asked.append(url)
            return fetch(url, *more)

        client.fetch = watched
        assert sorted(client.load_markets()) == ["BTC/USD", "ETH/USD"]
        assert asked == [f"{sim.url}/v1/symbols"]
