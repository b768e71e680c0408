"""BloFin: `GET /api/v1/user/query-apikey` over stock ccxt.

Source: blofin/blofin-api-docs@e3600b7 (2026-03-21) index.md line 7531. `readOnly` is all that it says of permissions,
and the documents know READ, TRADE and TRANSFER: a key that is not read-only may have either or both. They know no
permission to withdraw, but ccxt 4.5.90 has `POST asset/withdrawal-apply` and met a key without that permission (152404,
"verified live 2026-09-14"): so whether such a key may withdraw is unknown too.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import KeyForm, flag
from policykit.snapshot import KeyReport

_KEY: Final = "GET /api/v1/user/query-apikey"
_WRITES: Final = (
    "trade.spot",
    "trade.margin",
    "trade.derivatives",
    "trade.options",
    "trade.other",
    "transfer",
    "withdraw",
)
_CANNOT_TELL: Final = "readOnly 0 cannot tell trade from transfer: the key may have either or both"
_WITHDRAW: Final = "readOnly 0 does not tell it, and BloFin's documents name no permission to withdraw"


class BloFin(Adapter):
    """The adapter."""

    id = "blofin"
    public = calls("GET", "/api/v1/", "market/instruments market/tickers market/books market/mark-price")
    reads = calls(
        "GET",
        "/api/v1/",
        "user/query-apikey account/config account/balance account/positions account/margin-mode account/position-mode "
        "asset/balances asset/currencies trade/orders-pending trade/orders-tpsl-pending trade/orders-algo-pending "
        "trade/order-detail trade/orders-history spot/trade/orders-pending spot/trade/orders-algo-pending",
    )
    asks: ClassVar = {
        "key_report": (_KEY,),
        "account": (
            "GET /api/v1/market/instruments",
            "GET /api/v1/account/balance",
            "GET /api/v1/account/positions",
            "GET /api/v1/trade/orders-pending",
            "GET /api/v1/trade/orders-tpsl-pending",
            "GET /api/v1/trade/orders-algo-pending",
            "GET /api/v1/account/position-mode",
            "GET /api/v1/market/tickers",
        ),
    }
    #: ccxt lists no spot orders of BloFin: spot is not read.
    live: ClassVar = {
        "swap": LiveReads(
            positions=({},),
            orders=(("order", {}), ("tpsl", {"tpsl": True}), ("trigger", {"trigger": True})),
        ),
    }

    def prepare(self, client: Any) -> None:
        """Keep ccxt from asking for currencies, which needs a key and tells nothing of it."""
        client.has["fetchCurrencies"] = False

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do, as far as it is told."""
        answer = yield Read("privateGetUserQueryApikey")
        fields = self.mapping(answer.data, "data")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.scope("read", True)  # there is no key without it: it was just used
        _writes(form, fields.get("readOnly"))
        form.addresses("ips")
        form.time("created_at", "createTime")
        form.time("expires_at", "expireTime", may_be_none=True)  # keys bound to addresses do not expire
        form.label("apiName")
        parent = str(fields.get("parentUid"))
        form.account("uid", sub_account=parent != "0" if parent.isdigit() else None)
        form.third_party({"1": False, "2": True}.get(str(fields.get("type"))))
        form.ignore("readOnly", "referralCode", "parentUid", "apiKey")
        return form.report("readOnly", "type")


def _writes(form: KeyForm, read_only: object) -> None:
    """Read `readOnly`: 1 takes away all that writes; 0 leaves all of it open."""
    said = flag(read_only)
    for scope in _WRITES:
        if said is True:
            form.scope(scope, False)
        elif said is False:
            form.scope(scope, None, _WITHDRAW if scope == "withdraw" else _CANNOT_TELL)
        else:
            form.scope(scope, None, form.why(["readOnly"]))


ADAPTER: Final = BloFin()
