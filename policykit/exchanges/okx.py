"""OKX: `GET /api/v5/account/config` over stock ccxt.

Source: okx.com/docs-v5 "Get account configuration" (EEA edition, stored index file 52294603372, read 2026-11-21):
`perm` is `read_only`, `trade`, `withdraw`, separated by commas; `ip` is empty when no address is bound. Times are not
told.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import KeyForm, as_text, moment
from policykit.snapshot import KeyReport
from policykit.traits.okx import TRADE

_KEY: Final = "GET /api/v5/account/config"
_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {"read_only": ("read",), "trade": TRADE, "withdraw": ("withdraw",)}
#: Settings of the account, which say nothing of what the key may do.
_ACCOUNT: Final = (
    "acctLv acctStpMode autoLoan ctIsoMode enableSpotBorrow feeType greeksType kycLv level levelTmp liquidationGear "
    "mainUid mgnIsoMode opAuth posMode roleType settleCcy settleCcyList spotBorrowAutoRepay spotOffsetType "
    "spotRoleType spotTraderInsts stgyType traderInsts type"
)
#: Conditional orders are listed by kind; only these two can be asked for in one call (get_algo_order_list.md).
_ALGO: Final = ("conditional,oco", "trigger", "move_order_stop", "iceberg", "twap")


def _orders(kind: str, *algo: str) -> tuple[tuple[str, dict[str, object]], ...]:
    """Return what lists every open order of an instrument type, conditional ones by kind."""
    return (
        ("order", {"instType": kind}),
        *(("algo", {"instType": kind, "trigger": True, "ordType": one}) for one in algo),
    )


_SPOT: Final = (*_orders("SPOT", *_ALGO), *_orders("MARGIN", *_ALGO))
_SWAP: Final = (*_orders("SWAP", *_ALGO, "chase"), *_orders("FUTURES", *_ALGO, "chase"), *_orders("OPTION"))


class Okx(Adapter):
    """The adapter."""

    id = "okx"
    public = calls("GET", "/api/v5/", "public/time public/instruments market/ticker market/tickers market/books")
    reads = calls(
        "GET",
        "/api/v5/",
        "account/config account/balance account/positions asset/balances asset/currencies trade/order "
        "trade/orders-pending trade/orders-algo-pending trade/orders-history trade/fills trade/account-rate-limit",
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v5/public/time",),
        "key_report": (_KEY,),
        "account": (
            "GET /api/v5/asset/currencies",
            *("GET /api/v5/public/instruments",) * 5,
            "GET /api/v5/account/balance",
            "GET /api/v5/asset/balances",
            "GET /api/v5/account/positions",
            *("GET /api/v5/trade/orders-pending",) * 5,
            *("GET /api/v5/trade/orders-algo-pending",) * (len(_SPOT) + len(_SWAP) - 5),
            _KEY,  # the position mode stands in it
            "GET /api/v5/market/tickers",
        ),
    }
    live: ClassVar = {
        "spot": LiveReads(balances=({}, {"type": "funding"}), orders=_SPOT),
        "swap": LiveReads(balances=(), positions=({},), orders=_SWAP),  # one trading account holds both
    }
    #: A refused order is `"code": "1"` (or 2, some of several) and says why in its `sCode`.
    error_code: ClassVar = re.compile(r'"(?:code|sCode)"\s*:\s*"?((?![012]\b)[0-9]{1,8})\b')

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (`ts`)."""
        answer = yield Read("publicGetPublicTime")
        stamp = as_text(self.mapping(answer.data, "data", 0, what="the time").get("ts"))
        if moment(stamp) is None or not re.fullmatch(r"[0-9]{13}", stamp):
            raise self.bad_answer("the time")
        return int(stamp)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privateGetAccountConfig")
        fields = self.mapping(answer.data, "data", 0)
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.permissions("perm", _PERMISSIONS)
        form.addresses("ip")
        form.label("label")
        own, main = as_text(fields.get("uid")), as_text(fields.get("mainUid"))
        form.account("uid", sub_account=own != main if own.isdigit() and main.isdigit() else None)
        form.ignore(*_ACCOUNT.split())
        report = form.report("perm")
        # Every call that manages keys (of sub-accounts only) asks for Trade; a main account's key needs an address too.
        form.scope(
            "key_admin",
            False if report.permissions["transfer"] == "denied" else None,
            "okx lets a main account's key with Trade and an address manage its sub-accounts' keys; it tells no more",
        )
        return report


ADAPTER: Final = Okx()
