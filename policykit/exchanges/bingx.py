"""BingX: `GET /openApi/v1/account/apiPermissions` over stock ccxt, and `apiRestrictions` for what it leaves out.

Sources: bingx-api.github.io/docs common/sub-account "Query user API Key permissions" (stored index file 3183118970:
numbers, addresses, note); BingX-API/api-ai-skills bingx-sub-account api-reference.md 1.2 and 1.3 (51849591553: yes/no
fields, for the same path); the older comm-api-doc (19452051116: apiRestrictions, without an envelope). All read
November 2026. So either answer may come in either form: both are asked, and one yes is a yes.

`GET /openApi/api/v3/get/asset/transfer` moves money: the path decides, never the verb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import CallFailed, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, addresses_of, flag
from policykit.snapshot import KeyReport

_KEY: Final = "GET /openApi/v1/account/apiPermissions"
_MORE: Final = "GET /openApi/v1/account/apiRestrictions"
_UID: Final = "GET /openApi/account/v1/uid"
#: Permissions by number. 6 is documented nowhere, though BingX.Net has seen it: it is reported as not understood.
_NUMBERS: Final[dict[str, tuple[str, ...]]] = {
    "1": ("trade.spot",),
    "2": ("read",),
    "3": ("trade.derivatives",),
    "4": ("transfer",),
    "5": ("withdraw",),
    "7": ("transfer",),
}
#: The same as yes/no fields; transfer is granted by either of two.
_FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "read": ("enableReading",),
    "trade.spot": ("enableSpotAndMarginTrading",),
    "trade.margin": ("enableSpotAndMarginTrading",),
    "trade.derivatives": ("enableFutures",),
    "trade.options": ("enableVanillaOptions",),
    "transfer": ("permitsUniversalTransfer", "enableInternalTransfer"),
    "withdraw": ("enableWithdrawals",),
}
_NAMES: Final = ("permissions", *sorted({name for names in _FLAGS.values() for name in names}))


class BingX(Adapter):
    """The adapter."""

    id = "bingx"
    public = calls(
        "GET",
        "/openApi/",
        "swap/v2/server/time spot/v1/server/time spot/v1/common/symbols spot/v1/ticker/24hr spot/v1/market/depth "
        "swap/v2/quote/contracts swap/v2/quote/ticker swap/v2/quote/price cswap/v1/market/contracts "
        "cswap/v1/market/ticker",
    )
    reads = calls(
        "GET",
        "/openApi/",
        "v1/account/apiPermissions v1/account/apiRestrictions account/v1/uid spot/v1/account/balance "
        "spot/v1/trade/openOrders spot/v1/trade/query swap/v3/user/balance swap/v2/user/positions "
        "swap/v2/trade/openOrders swap/v2/trade/order swap/v1/twap/openOrders swap/v1/positionSide/dual",
    )
    asks: ClassVar = {
        "server_time": ("GET /openApi/swap/v2/server/time",),
        "key_report": (_KEY, _MORE, _UID),
        "account": (
            "GET /openApi/swap/v2/quote/contracts",
            "GET /openApi/cswap/v1/market/contracts",
            "GET /openApi/spot/v1/common/symbols",
            "GET /openApi/spot/v1/account/balance",
            "GET /openApi/spot/v1/trade/openOrders",
            "GET /openApi/swap/v3/user/balance",
            "GET /openApi/swap/v2/user/positions",
            "GET /openApi/swap/v2/trade/openOrders",
            "GET /openApi/swap/v1/twap/openOrders",
            "GET /openApi/swap/v1/positionSide/dual",
            "GET /openApi/spot/v1/ticker/24hr",
        ),
    }
    #: Stop and take-profit orders are in the plain lists; coin-margined contracts are not read.
    live: ClassVar = {
        "spot": LiveReads(balances=({"type": "spot"},), orders=(("order", {"type": "spot"}),)),
        "swap": LiveReads(
            balances=({"type": "swap"},),
            positions=({},),
            orders=(("order", {"type": "swap"}), ("twap", {"type": "swap", "twap": True})),
        ),
    }

    def prepare(self, client: Any) -> None:
        """Keep ccxt from asking for currencies, which needs a key and tells nothing of it."""
        client.has["fetchCurrencies"] = False

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        answer = yield Read("swapV2PublicGetServerTime")
        said = str(self.mapping(answer.data, "data", what="the time").get("serverTime"))
        if re.fullmatch(r"[0-9]{13}", said):
            return int(said)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do, from both answers and in either form; whose it is from a third."""
        answer = yield Read("accountV1PrivateGetAccountApiPermissions")
        first = _inner(answer.data)
        if not any(name in first for name in _NAMES):
            raise self.bad_answer("a key report")
        second = yield from _maybe("accountV1PrivateGetAccountApiRestrictions")
        owner = yield from _maybe("accountV1PrivateGetUid")
        fields = _merged(first, second, owner)
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        _permissions(form, fields)
        _addresses(form, fields)
        form.time("created_at", "createTime")
        form.label("note")
        form.account("uid")
        form.ignore("apiKey", "updateTime", "code", "msg", "debugMsg", *_NAMES)
        return form.report("permissions", "ipRestrict", *_NAMES[1:])


def _inner(data: Any) -> Fields:
    """Return an answer's fields, in an envelope or without one."""
    inside = Fields(data).get("data")
    return Fields(inside if isinstance(inside, Mapping) else data)


def _maybe(method: str) -> Steps[Fields]:
    """Make a read that the report can do without; an exchange that says stop is not asked on."""
    try:
        answer = yield Read(method)
    except CallFailed as failed:
        if failed.code in ("RATE_LIMIT", "BANNED", "KEY_REJECTED"):
            raise
        return Fields(None)
    return _inner(answer.data)


def _merged(first: Fields, second: Fields, owner: Fields) -> Fields:
    """Return one set of fields: the first answer's, what only the second has, and a yes wherever either says one."""
    merged = {**second.data, **first.data}
    for name in _NAMES[1:]:
        if any(flag(one.get(name)) is True for one in (first, second)):
            merged = _put(merged, name, True)
    if "permissions" in Fields(merged):
        merged = _put(merged, "permissions", _texts(Fields(merged).get("permissions")))
    return Fields(_put(merged, "uid", owner.get("uid")))


def _put(fields: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return fields with one set, whatever its spelling was."""
    spelling = Fields({name: None})
    return {**{key: one for key, one in fields.items() if key not in spelling}, name: value}


def _permissions(form: KeyForm, fields: Fields) -> None:
    """Read the numbers, then the yes/no fields for what no number covers; a yes of either stands."""
    numbered = "permissions" in fields
    if numbered:
        form.permissions("permissions", _NUMBERS)
    covered = {scope for scopes in _NUMBERS.values() for scope in scopes} if numbered else set()
    for scope, names in _FLAGS.items():
        given = [name for name in names if name in fields]
        if any(flag(fields.get(name)) is True for name in given):
            form.scope(scope, True)
        elif scope not in covered:
            form.flags(scope, names, how="any")


def _texts(numbers: object) -> object:
    """Return a list of whole numbers as texts; anything else as it is, which may not be readable."""
    if isinstance(numbers, list) and all(isinstance(one, int | str) and not isinstance(one, bool) for one in numbers):
        return [str(one) for one in numbers]
    return numbers


def _addresses(form: KeyForm, fields: Fields) -> None:
    """Read `ipAddresses`, else only whether there is a restriction; unknown when the two contradict each other."""
    form.ignore("ipAddresses", "ipRestrict")
    bound = flag(fields.get("ipRestrict"))
    if "ipAddresses" not in fields:
        form.restricted_only("ipRestrict")
        return
    told, _ = addresses_of(fields.get("ipAddresses"))
    if bound is not None and told != "unknown" and bound != (told == "yes"):
        form.unknown("ip_allowlist.restricted", "ipAddresses and ipRestrict contradict each other")
        return
    form.addresses("ipAddresses")


ADAPTER: Final = BingX()
