"""HTX: `GET /v2/user/uid`, then `GET /v2/user/api-key?uid=` over stock ccxt: a list of all keys of the user.

Sources: huobi.com/support/en-us/detail/900001195006 (2020-06-05, the endpoint); HTX.Net@f9b44a3 GetApiKeyInfo.txt (the
answer); huobiapi.github.io/docs/spot/v1/en "Frequently Asked Questions" Q2 (what each permission is used for). The
host name is part of what is signed. Some writes are GET (`GET /v1/order/cancelAllOrders`): the path decides.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from policykit.exchanges import failures
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Answer, CallFailed, Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text
from policykit.exchanges.key_list import OWN, cleaned, own_row, read_through
from policykit.snapshot import KeyReport

_UID: Final = "GET /v2/user/uid"
_KEY: Final = "GET /v2/user/api-key"
#: Where contracts are asked; it stays apart from the main host behind an `--endpoint`.
_CONTRACTS: Final = "api.hbdm.vn"
#: What of a row of the list may leave the client, beside the key's public id.
_KEPT: Final = ("status", "note", "permission", "ipAddresses", "validDays", "createTime", "updateTime")
#: Q2: "place order, cancel order and transfer" is one permission, whatever the product.
_PERMISSIONS: Final = {
    "readOnly": ("read",),
    "trade": ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer"),
    "withdraw": ("withdraw",),
}
_DAY_MS: Final = 86_400_000
#: The field that is made of validDays: when the key ends, UTC ms, or -1.
_ENDS: Final = "policykit_ends"


class Htx(Adapter):
    """The adapter."""

    id = "htx"
    lists_keys = True
    public = calls("GET", "/v1/common/", "timestamp symbols") | calls(
        "GET",
        "/",
        "linear-swap-api/v1/swap_contract_info swap-api/v1/swap_contract_info api/v1/contract_contract_info "
        "market/tickers linear-swap-ex/market/detail/batch_merged swap-ex/market/detail/batch_merged "
        "market/detail/batch_merged",
    )
    reads = calls(
        "GET",
        "/",
        "v2/user/uid v2/user/api-key v1/account/accounts v1/account/accounts/*/balance v1/order/openOrders "
        "v2/algo-orders/opening v5/account/balance v5/trade/position/opens v5/trade/order/opens v5/algo/order/opens",
    )
    asks: ClassVar = {
        "server_time": ("GET /v1/common/timestamp",),
        "key_report": (_UID, _KEY),
        "account": (
            "GET /v1/common/symbols",
            "GET /linear-swap-api/v1/swap_contract_info",
            "GET /swap-api/v1/swap_contract_info",
            "GET /api/v1/contract_contract_info",
            "GET /v1/account/accounts",
            "GET /v1/account/accounts/*/balance",
            "GET /v1/order/openOrders",
            "GET /v5/account/balance",
            "GET /v5/trade/position/opens",
            "GET /v5/trade/order/opens",
            "GET /v5/algo/order/opens",
            "GET /v5/algo/order/opens",
            "GET /v5/algo/order/opens",
            "GET /market/tickers",
        ),
    }
    #: ccxt lists no conditional orders of spot (v2/algo-orders/opening); stop-limit orders are in the plain list.
    live: ClassVar = {
        "spot": LiveReads(orders=(("order", {"type": "spot", "size": 500}),)),
        "swap": LiveReads(
            balances=({"type": "swap", "subType": "linear"},),
            positions=({"subType": "linear"},),
            orders=(
                ("order", {"type": "swap", "subType": "linear"}),
                ("trigger", {"type": "swap", "subType": "linear", "trigger": True}),
                ("tpsl", {"type": "swap", "subType": "linear", "stopLossTakeProfit": True}),
                ("trailing", {"type": "swap", "subType": "linear", "trailing": True}),
            ),
        ),
    }

    def prepare(self, client: Any) -> None:
        """Mark the own key in the list of keys inside the client, and ask for no currencies."""
        client.has["fetchCurrencies"] = False

        def clean(data: Any) -> Any:
            fields = Fields(data)
            return {
                "code": fields.get("code"),
                "data": cleaned(fields.get("data"), client.apiKey, "accessKey", _KEPT),
            }

        read_through(client, "policykit_keys", "spotPrivateGetV2UserApiKey", clean)

    def pointed(self, client: Any, origin: str) -> None:
        """Sign the host that is really asked, and keep the contracts' host apart, which shares ccxt's placeholder."""
        host = urlsplit(origin).netloc
        client.hostname = host
        client.urls["hostnames"] = {"contract": host, "spot": host}
        client.urls["api"]["contract"] = f"{origin}/@{_CONTRACTS}"

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        answer = yield Read("spotPublicGetV1CommonTimestamp")
        said = str(self.mapping(answer.data, what="the time").get("data"))
        if re.fullmatch(r"[0-9]{13}", said):
            return int(said)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do; the other keys of the user are named by hash."""
        answer = yield Read("spotPrivateGetV2UserUid")
        uid = as_text(self._data(answer))
        if not uid.isdigit():
            raise self.bad_answer("a user's id")
        answer = yield Read("policykit_keys", {"uid": uid})
        rows = self._data(answer)
        own, others = own_row(rows)
        if own is None:
            raise self.bad_answer("a list of keys with this key in it")
        form = KeyForm(self.id, _KEY, _with_end(own, uid, answer.sent_ms), answer.sent_ms)
        form.permissions("permission", _PERMISSIONS)
        form.addresses("ipAddresses")
        form.time("created_at", "createTime")
        form.time("expires_at", _ENDS, may_be_none=True)
        if _ENDS not in form.fields:
            form.unknown("expires_at", form.why(["validDays"], "a number of days"))
        form.label("note")
        form.account("uid")
        for row in others:
            form.other_key(row.get("accessKey"), row.get("note"))
        form.ignore(OWN, "accessKey", "status", "updateTime")
        return form.report("permission", "validDays")

    def _data(self, answer: Answer) -> Any:
        """Return an answer's data; raise CallFailed for an error code: ccxt lets those that it does not know pass."""
        fields = self.mapping(answer.data)
        code = as_text(fields.get("code"))
        if code in self.facts.errors:
            refused = RuntimeError(f'{{"code":"{code}"}}')
            raise CallFailed(failures.read(self.facts, refused, {}, answer.received_ms))
        if code not in ("", "200"):
            raise self.bad_answer("of code 200")
        return fields.get("data")


def _with_end(own: Fields, uid: str, at_ms: int) -> Fields:
    """Return a key's fields with whose it is and when it ends: validDays are the days left, -1 is for ever."""
    days = as_text(own.get("validDays"))
    ends: dict[str, int] = {}
    if own.get("status") == "expired":
        ends = {_ENDS: at_ms}
    elif days == "-1":
        ends = {_ENDS: -1}
    elif re.fullmatch(r"[0-9]{1,5}", days):
        ends = {_ENDS: at_ms + int(days) * _DAY_MS}
    return Fields({**own.data, **ends, "uid": uid})


ADAPTER: Final = Htx()
