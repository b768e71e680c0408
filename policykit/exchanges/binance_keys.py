"""Binance's key report: `GET /sapi/v1/account/apiRestrictions`, read strictly.

Source: binance/binance-connector-python@29da3291 (2026-08-21), clients/wallet/tests/unit/rest_api/test_account_api.py,
and developers.binance.com wallet/account/api-key-permission. A permission is denied only when the answer says so; a
field that is not there, or is neither a yes nor a no, is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from policykit.clock import iso
from policykit.snapshot import Granted, KeyReport

ENDPOINT: Final = "GET /sapi/v1/account/apiRestrictions"
#: Times before Binance existed, or after this century, are no times: 2017-01-01 and 2100-01-01, UTC ms.
EARLIEST_MS: Final = 1_483_228_800_000
LATEST_MS: Final = 4_102_444_800_000
#: How many fields of the answer are looked at.
MAX_FIELDS: Final = 200

_FLAGS: Final = frozenset(
    (
        "ipRestrict",
        "enableReading",
        "enableSpotAndMarginTrading",
        "enableMargin",
        "enableFutures",
        "enableVanillaOptions",
        "enablePortfolioMarginTrading",
        "enableFixApiTrade",
        "enableFixReadOnly",
        "enableInternalTransfer",
        "permitsUniversalTransfer",
        "enableWithdrawals",
    )
)
_TIMES: Final = frozenset(("createTime", "tradingAuthorityExpirationTime"))
#: Scope -> (how the fields combine, the fields).
_SCOPES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "read": ("all", ("enableReading",)),
    "trade.spot": ("all", ("enableSpotAndMarginTrading",)),
    "trade.margin": ("all", ("enableSpotAndMarginTrading", "enableMargin")),
    "trade.derivatives": ("all", ("enableFutures",)),
    "trade.options": ("all", ("enableVanillaOptions",)),
    "trade.other": ("any", ("enablePortfolioMarginTrading", "enableFixApiTrade")),
    "transfer": ("any", ("enableInternalTransfer", "permitsUniversalTransfer")),
    "withdraw": ("all", ("enableWithdrawals",)),
}
_YES: Final = (True, 1, "true", "1")
_NO: Final = (False, 0, "false", "0")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_PERMISSION_LIKE = re.compile(r"(?i)enable|permit|allow|can[A-Z_]|trad|transfer|withdraw")


def flag(value: object) -> bool | None:
    """Read a yes or a no in any of the forms servers write it in; None for everything else."""
    plain = value.strip().lower() if isinstance(value, str) else value
    if isinstance(plain, float) or plain is None:
        return None
    if plain in _YES:
        return True
    return False if plain in _NO else None


def moment(value: object) -> str | None:
    """Read a time in milliseconds, as number or text; None for 0, -1, 1970, seconds, and everything else."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        return None
    number = int(text)
    return iso(number) if EARLIEST_MS <= number < LATEST_MS else None


def report(answer: Mapping[str, Any], at_ms: int) -> KeyReport:
    """Read the answer; `at_ms` is when the request was sent. `name` and `id` are the caller's to fill in."""
    unknown: dict[str, str] = {
        "permissions.key_admin": "binance does not report it",
        "ip_allowlist.addresses": "binance reports only whether a restriction is set",
        "label": "binance does not report it",
        "last_used_at": "binance does not report it",
    }
    flags = {name: flag(answer.get(name)) for name in _FLAGS}
    permissions: dict[str, Granted] = {}
    for scope, (how, names) in _SCOPES.items():
        permissions[scope] = _combine(how, [flags[name] for name in names])
        if permissions[scope] == "unknown":
            unknown[f"permissions.{scope}"] = _why(answer, [name for name in names if flags[name] is None])
    permissions["key_admin"] = "unknown"
    if flags["ipRestrict"] is None:
        unknown["ip_allowlist.restricted"] = _why(answer, ["ipRestrict"])
    created = moment(answer.get("createTime"))
    if created is None:
        unknown["created_at"] = _why(answer, ["createTime"], "a plausible time in milliseconds")
    expires = moment(answer.get("tradingAuthorityExpirationTime"))
    if expires is None:
        unknown["expires_at"] = "binance reports the end of the trade authority only, and only when one is set"
    return KeyReport(
        name="",
        id="",
        permissions=permissions,
        restricted="unknown" if flags["ipRestrict"] is None else ("yes" if flags["ipRestrict"] else "no"),
        raw=_raw(answer),
        unrecognised=_unrecognised(answer),
        created_at=created,
        expires_at=expires,
        unknown=unknown,
        endpoint=ENDPOINT,
        at=iso(at_ms),
    )


def _combine(how: str, values: list[bool | None]) -> Granted:
    """Join fields: `any` is granted by one yes, `all` is denied by one no; a denial needs every field it rests on."""
    if how == "any":
        if any(value is True for value in values):
            return "granted"
        return "denied" if all(value is False for value in values) else "unknown"
    if any(value is False for value in values):
        return "denied" if all(value is not None for value in values) else "unknown"
    return "granted" if all(value is True for value in values) else "unknown"


def _why(answer: Mapping[str, Any], names: list[str], needed: str = "a yes or a no") -> str:
    missing = [name for name in names if name not in answer]
    if missing:
        return f"{', '.join(missing)} was not in the answer"
    return f"{', '.join(names)} was not {needed}"


def _raw(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Keep known fields only, and of those only yes, no and whole numbers: nothing else can travel in a snapshot."""
    return {
        name: answer[name]
        for name in sorted(_FLAGS | _TIMES)
        if name in answer and isinstance(answer[name], bool | int)
    }


def _unrecognised(answer: Mapping[str, Any]) -> list[str]:
    """Name fields that this version does not know and that may grant something: true, or named like a permission."""
    found: list[str] = []
    for name, value in list(answer.items())[:MAX_FIELDS]:
        if name in _FLAGS or name in _TIMES or flag(value) is False:
            continue
        if flag(value) is True or isinstance(value, list | dict) or _PERMISSION_LIKE.search(str(name)):
            found.append(str(name) if _PLAIN.match(str(name)) else "a field whose name is not plain text")
    return sorted(set(found))
