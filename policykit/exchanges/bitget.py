"""Bitget: `GET /api/v3/account/info` of a unified account, else `GET /api/v2/spot/account/info`, over stock ccxt.

Sources: bitget.com/api-doc/uta/account/Get-Account-Info (stored index file 55377609951, read 2026-11-21; "no permission
required"); bitget.com/api-doc/spot/account/Get-Account-Info (rosssaunders/coincise@9805e8374, read 2026-11-21). What
the unified account's names let a key do is what each call asks for (UnipayFI/go-bitget, read 2026-11-21): transfers and
the keys of sub-accounts are *management*. `regisTime` is when the account was registered, never a key's age.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Answer, CallFailed, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text, moment
from policykit.snapshot import KeyReport

_UNIFIED: Final = "GET /api/v3/account/info"
_CLASSIC: Final = "GET /api/v2/spot/account/info"
_TRADES: Final = ("trade.spot", "trade.margin", "trade.derivatives")
#: Unified account: what each name grants when the key may write. The lists of both generations are whole and have no
#: name for options, which are named here so that a key with known names only is known not to trade them.
_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "uta_mgt": ("read", "transfer", "key_admin"),
    "uta_trade": ("read", *_TRADES),
    "withdraw": ("read", "withdraw"),
    "copy_futures_position": ("read", "trade.other", "trade.derivatives"),
    "copy_futures_order": ("read", "trade.other", "trade.derivatives"),
    "options": ("trade.options",),
}
#: Classic account: codes that end in `r` read, the others write as well.
_AUTHORITIES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("coor", "cpor", "stor", "smor", "ttor", "wtor", "chor", "p2pr"), ("read",)),
    **dict.fromkeys(("taxr", "taxw", "pllr"), ("read",)),
    "coow": ("read", "trade.derivatives"),
    "cpow": ("read", "trade.derivatives"),
    "stow": ("read", "trade.spot"),
    "smow": ("read", "trade.margin"),
    "ttow": ("read", "trade.other"),
    "wtow": ("read", "transfer"),
    "wwow": ("read", "withdraw"),
    "chow": ("read", "key_admin"),
    "p2p": ("read", "trade.other"),
    "pllw": ("read", "trade.other"),
    "options": ("trade.options",),
    # The names before the codes, which the documented example still shows.
    "readonly": ("read",),
    "trade": ("read", *_TRADES, "trade.other"),
    "transfer": ("read", "transfer"),
    "withdraw": ("read", "withdraw"),
}
_TYPES: Final = {"read-only": True, "readonly": True, "read-and-write": False, "read-write": False}
_FUTURES: Final = ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES")


def _orders(product: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return what lists every open order of a kind of futures; a classic account lists its plans by kind."""
    swap = {"type": "swap", "productType": product}
    plans = ("normal_plan", "profit_loss", "track_plan")
    return (("order", swap), *(("plan", {**swap, "trigger": True, "planType": plan}) for plan in plans))


class Bitget(Adapter):
    """The adapter."""

    id = "bitget"
    public = calls(
        "GET",
        "/api/",
        "v2/public/time v2/spot/public/coins v2/spot/public/symbols v2/spot/market/tickers v2/mix/market/contracts "
        "v2/mix/market/tickers v3/market/instruments v3/market/tickers",
    )
    reads = calls(
        "GET",
        "/api/",
        "v3/account/info v3/account/settings v3/account/assets v3/account/funding-assets v3/account/withdraw-address "
        "v3/position/current-position v3/trade/unfilled-orders v3/trade/unfilled-strategy-orders "
        "v2/spot/account/info v2/spot/account/assets v2/spot/trade/unfilled-orders v2/spot/trade/current-plan-order "
        "v2/mix/account/accounts v2/mix/position/all-position v2/mix/order/orders-pending "
        "v2/mix/order/orders-plan-pending v2/margin/crossed/open-orders v2/margin/isolated/open-orders",
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v2/public/time",),
        "key_report": (_UNIFIED,),  # and the classic account's one, when it is one
        "withdrawal_addresses": ("GET /api/v3/account/withdraw-address",),
        # What a unified account is asked; ccxt asks a classic one the same at other paths.
        "account": (
            "GET /api/v2/spot/public/coins",
            "GET /api/v3/account/settings",
            *("GET /api/v3/market/instruments",) * 4,
            "GET /api/v3/account/assets",
            "GET /api/v3/account/funding-assets",
            *("GET /api/v2/mix/account/accounts",) * 3,
            *("GET /api/v3/position/current-position",) * 3,
            *("GET /api/v3/trade/unfilled-orders",) * 6,
            *("GET /api/v3/trade/unfilled-strategy-orders",) * 10,
            "GET /api/v3/market/tickers",
        ),
    }
    #: Of a unified account the futures accounts do not exist, of a classic one the funding account is asked elsewhere:
    #: those calls are refused there, and said to be. Asking without `uta` would count one account twice.
    live: ClassVar = {
        "spot": LiveReads(
            balances=({}, {"uta": True, "type": "funding"}),
            orders=(
                ("order", {}),
                ("order", {"marginMode": "cross"}),
                ("order", {"marginMode": "isolated"}),
                ("plan", {"trigger": True}),
            ),
        ),
        "swap": LiveReads(
            balances=tuple({"uta": False, "type": "swap", "productType": product} for product in _FUTURES),
            positions=tuple({"productType": product} for product in _FUTURES),
            orders=tuple(one for product in _FUTURES for one in _orders(product)),
        ),
    }

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (`serverTime`)."""
        answer = yield Read("publicCommonGetV2PublicTime")
        stamp = as_text(self.mapping(answer.data, "data", what="the time").get("serverTime"))
        if len(stamp) != 13 or moment(stamp) is None:
            raise self.bad_answer("the time")
        return int(stamp)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        endpoint = _UNIFIED
        answer: Answer | None = None
        try:
            answer = yield Read("privateUtaGetV3AccountInfo")
        except CallFailed as failed:
            if failed.code != "NOT_SUPPORTED":
                raise
        if answer is None:
            endpoint = _CLASSIC
            answer = yield Read("privateSpotGetV2SpotAccountInfo")
        fields = self.mapping(answer.data, "data")
        form = KeyForm(self.id, endpoint, fields, answer.sent_ms)
        form.addresses("ips")
        form.unknown("created_at", "bitget tells when the account was registered, not the key")
        form.account("userId", sub_account=_is_sub_account(fields))
        form.ignore("inviterId", "parentId", "traderType", "channelCode", "channel", "regisTime", "permType")
        if endpoint == _CLASSIC:
            form.permissions("authorities", _AUTHORITIES)
            return form.report("authorities")
        form.permissions("permissions", _PERMISSIONS)
        report = form.report("permissions")
        _limit(form, report, fields)
        return report

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book (unified accounts; whether only its addresses can be withdrawn to is not told)."""
        answer = yield Read("privateUtaGetV3AccountWithdrawAddress")
        rows = self.mapping(answer.data, "data", what="addresses").get("addressList")
        if not isinstance(rows, list):
            raise self.bad_answer("a list of addresses")
        return [
            {
                "coin": as_text(row.get("coin")),
                "network": as_text(row.get("chain")),
                "address": as_text(row.get("address")),
                "allowlisted": None,
            }
            for row in map(Fields, rows)
        ]


def _is_sub_account(fields: Fields) -> bool | None:
    """Tell whose account it is: only a sub-account has another parent than itself; 0 or no field tells nothing."""
    parent = fields.get("parentId")
    if "parentId" not in fields or isinstance(parent, bool) or not isinstance(parent, str | int | None):
        return None
    text = as_text(parent).strip()
    return None if text == "0" else text not in ("", as_text(fields.get("userId")))


def _limit(form: KeyForm, report: KeyReport, fields: Fields) -> None:
    """Take what a read-only key names but cannot do away; without a type that is known nothing is granted."""
    read_only = _TYPES.get(as_text(fields.get("permType")).strip().lower().replace("_", "-"))
    for scope in [scope for scope, said in report.permissions.items() if said == "granted" and scope != "read"]:
        if read_only is None:
            form.scope(scope, None, form.why(["permType"], "read-only or read-and-write"))
        elif read_only and scope == "withdraw":
            form.scope(scope, None, "the key is read-only and has withdraw at once")
        elif read_only:
            form.scope(scope, False)
        elif scope == "key_admin" and report.sub_account == "yes":
            form.scope(scope, None, "bitget documents that only a main account's key manages keys")


ADAPTER: Final = Bitget()
