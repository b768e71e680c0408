"""Binance's key report: tolerant of form, strict in meaning; what is not said is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.exchanges import binance_keys
from policykit.exchanges.forms import Fields
from policykit.snapshot import SCOPES, KeyReport

AT_MS = 1_795_255_200_000
#: binance/binance-connector-python@29da3291, clients/wallet/tests/unit/rest_api/test_account_api.py
DOCUMENTED: dict[str, Any] = {
    "ipRestrict": False,
    "createTime": 1_623_840_271_000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": True,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": True,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": True,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": True,
}


#: Which fields a scope rests on.
RESTING = {
    "read": ("enableReading",),
    "trade.spot": ("enableSpotAndMarginTrading",),
    "trade.margin": ("enableSpotAndMarginTrading", "enableMargin"),
    "trade.derivatives": ("enableFutures",),
    "trade.options": ("enableVanillaOptions",),
    "trade.other": ("enablePortfolioMarginTrading", "enableFixApiTrade"),
    "transfer": ("enableInternalTransfer", "permitsUniversalTransfer"),
    "withdraw": ("enableWithdrawals",),
}


def _report(answer: dict[str, Any], at_ms: int) -> KeyReport:
    return binance_keys.report(Fields(answer), at_ms)


def test_the_documented_example() -> None:
    """The example of the official SDK is read whole."""
    report = _report(DOCUMENTED, AT_MS)
    assert report.permissions == {
        "read": "granted",
        "trade.spot": "denied",
        "trade.margin": "denied",
        "trade.derivatives": "denied",
        "trade.options": "denied",
        "trade.other": "granted",
        "transfer": "granted",
        "withdraw": "denied",
        "key_admin": "unknown",
    }
    assert tuple(report.permissions) == SCOPES
    assert (report.restricted, report.addresses) == ("no", None)
    assert (report.created_at, report.expires_at) == ("2021-06-16T10:44:31.000Z", None)
    assert report.raw == DOCUMENTED
    assert report.unrecognised == []
    assert report.unknown == {
        "permissions.key_admin": "binance does not report it",
        "label": "binance does not report it",
        "last_used_at": "binance does not report it",
        "expires_at": "binance reports the end of the trade authority only, and only when one is set",
    }
    assert (report.endpoint, report.at) == ("GET /sapi/v1/account/apiRestrictions", "2026-11-21T10:00:00.000Z")


@pytest.mark.parametrize("field", sorted(DOCUMENTED))
@pytest.mark.parametrize("value", ["absent", None, "maybe", [], {}, 2, -1, 0.0, ""])
@pytest.mark.parametrize("base", [True, False])
def test_I18_a_field_that_does_not_answer_is_never_a_denial(field: str, value: object, base: bool) -> None:
    """Each field removed or made senseless: every scope that rests on it is unknown with a reason, or still granted."""
    answer = {name: base if isinstance(flag, bool) else flag for name, flag in DOCUMENTED.items()}
    whole = _report(answer, AT_MS)
    if value == "absent":
        del answer[field]
    else:
        answer[field] = value
    report = _report(answer, AT_MS)
    for scope in SCOPES:
        if report.permissions[scope] != whole.permissions[scope]:
            assert report.permissions[scope] == "unknown"
            assert field in report.unknown[f"permissions.{scope}"]
        resting = RESTING.get(scope, ())
        if field in resting:
            assert report.permissions[scope] != "denied"
    if field == "ipRestrict":
        assert report.restricted == "unknown"
        assert "ipRestrict" in report.unknown["ip_allowlist.restricted"]
    if field == "createTime":
        assert report.created_at is None
        assert "createTime" in report.unknown["created_at"]


def test_I18_an_answer_that_tells_no_permission_is_all_unknown() -> None:
    """Nothing is denied, granted or restricted for want of data; a naive `.get(name, False)` would deny all."""
    report = _report({"createTime": None}, AT_MS)
    assert set(report.permissions.values()) == {"unknown"}
    assert report.restricted == "unknown"
    assert {f"permissions.{scope}" for scope in SCOPES} <= set(report.unknown)
    naive = {"granted" if {}.get(name, False) else "denied" for name in DOCUMENTED}
    assert naive == {"denied"}


@pytest.mark.parametrize("yes", [True, "true", "TRUE", " true ", 1, "1"])
@pytest.mark.parametrize("no", [False, "false", "False", 0, "0"])
def test_yes_and_no_in_any_form(yes: object, no: object) -> None:
    """Servers write booleans as text and numbers; the meaning is the same."""
    report = _report({**DOCUMENTED, "enableWithdrawals": yes, "enableReading": no}, AT_MS)
    assert (report.permissions["withdraw"], report.permissions["read"]) == ("granted", "denied")


@pytest.mark.parametrize("value", [0, -1, "", None, "1970-01-01", True, [], 10**18, "soon", "2021-13-16"])
def test_odd_times_are_unknown(value: object) -> None:
    """0, -1, 1970 and text that is no moment are no age of a key."""
    report = _report({**DOCUMENTED, "createTime": value, "tradingAuthorityExpirationTime": value}, AT_MS)
    assert (report.created_at, report.expires_at) == (None, None)
    assert report.unknown["created_at"] == "createTime was not a plausible time"


def test_times_as_text_and_the_end_of_the_trade_authority() -> None:
    """Milliseconds as text are read; the documented expiry field becomes expires_at."""
    report = _report(
        {**DOCUMENTED, "createTime": "1623840271000", "tradingAuthorityExpirationTime": 1_798_761_600_000}, AT_MS
    )
    assert report.created_at == "2021-06-16T10:44:31.000Z"
    assert report.expires_at == "2027-01-01T00:00:00.000Z"
    assert "expires_at" not in report.unknown


def test_permission_names_that_are_new_are_reported() -> None:
    """A field that may grant something and is not understood is named; what is plainly off is not."""
    report = _report(
        {
            **DOCUMENTED,
            "enableTeleport": True,
            "enableQuiet": False,
            "permitsMagic": "sometimes",
            "canMint": 1,
            "grants": ["a"],
            "remark": "text",
            "bad name\n": True,
        },
        AT_MS,
    )
    assert report.unrecognised == [
        "a name that is not plain text",
        "canMint",
        "enableTeleport",
        "grants",
        "permitsMagic",
    ]
    assert "remark" not in str(report.raw)


def test_raw_holds_listed_fields_and_plain_values_only() -> None:
    """A value of text, even under a known name, does not travel: it may be anything."""
    report = _report({**DOCUMENTED, "enableFutures": "x" * 40, "apiKey": "secret"}, AT_MS)
    assert "enableFutures" not in report.raw
    assert "apiKey" not in report.raw


def test_every_scope_has_its_field_flipped() -> None:
    """Turning on each flag alone grants exactly the scopes that rest on it."""
    off = {name: False if isinstance(flag, bool) else flag for name, flag in DOCUMENTED.items()}
    granted = {
        name: {s for s, p in _report({**off, name: True}, AT_MS).permissions.items() if p == "granted"}
        for name, flag in off.items()
        if flag is False
    }
    assert granted == {
        "ipRestrict": set(),
        "enableReading": {"read"},
        "enableWithdrawals": {"withdraw"},
        "enableInternalTransfer": {"transfer"},
        "permitsUniversalTransfer": {"transfer"},
        "enableMargin": set(),
        "enableFutures": {"trade.derivatives"},
        "enableVanillaOptions": {"trade.options"},
        "enableFixApiTrade": {"trade.other"},
        "enableFixReadOnly": set(),
        "enableSpotAndMarginTrading": {"trade.spot"},
        "enablePortfolioMarginTrading": {"trade.other"},
    }
    both = _report({**off, "enableMargin": True, "enableSpotAndMarginTrading": True}, AT_MS)
    assert both.permissions["trade.margin"] == "granted"
