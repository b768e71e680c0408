"""MEXC: no documented call tells what a key may do; `GET /api/v3/account` proves that it may read.

Source: www.mexc.com/api-docs spot-v3 account-information (read 2026-11): canTrade, canWithdraw, canDeposit are the
*account's*, so they neither grant nor deny anything to the key. ccxt lists `GET apiKeyInfo`, which the documents do not
have: theirs is a POST that sets the addresses of any key of the account. It is not called.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text
from policykit.snapshot import SCOPES, KeyReport

_KEY: Final = "GET /api/v3/account"
_BOOK: Final = "GET /api/v3/capital/withdraw/address"
_WHY: Final = "mexc reports what the account may do, not the key; declare it from the web page"
_UNREPORTED: Final = "mexc has no documented call that reports it"
#: How many pages of the address book are read at most.
_MOST_PAGES: Final = 20


class Mexc(Adapter):
    """The adapter."""

    id = "mexc"
    public = calls("GET", "/api/v3/", "time exchangeInfo ticker/24hr") | calls(
        "GET", "/api/v1/contract/", "detail ticker"
    )
    reads = calls("GET", "/api/v3/", "account openOrders order capital/config/getall capital/withdraw/address") | calls(
        "GET",
        "/api/v1/private/",
        "account/assets position/open_positions position/position_mode order/list/open_orders planorder/list/orders",
    )
    asks: ClassVar = {
        "server_time": ("GET /api/v3/time",),
        "key_report": (_KEY,),
        "account": (
            "GET /api/v3/capital/config/getall",
            "GET /api/v3/exchangeInfo",
            "GET /api/v1/contract/detail",
            _KEY,
            "GET /api/v3/openOrders",
            "GET /api/v1/private/account/assets",
            "GET /api/v1/private/position/open_positions",
            "GET /api/v1/private/order/list/open_orders",
            "GET /api/v1/private/planorder/list/orders",
            "GET /api/v1/private/position/position_mode",
            "GET /api/v3/ticker/24hr",
        ),
        "withdrawal_addresses": (_BOOK,),
    }
    live: ClassVar = {
        "spot": LiveReads(balances=({"type": "spot"},), by_symbol=True),  # spot lists orders of one symbol only
        "swap": LiveReads(
            balances=({"type": "swap"},),
            positions=({},),
            orders=(("order", {"type": "swap"}), ("trigger", {"type": "swap", "trigger": True})),
        ),
    }

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        answer = yield Read("spotPublicGetTime")
        stamp = str(Fields(answer.data).get("serverTime"))
        if re.fullmatch(r"[0-9]{13}", stamp):
            return int(stamp)
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read whether the key opens the account; what it may do beside reading is unknown, with the reason."""
        answer = yield Read("spotPrivateGetAccount")
        fields = self.mapping(answer.data, what="an account")
        if not isinstance(fields.get("balances"), list):
            raise self.bad_answer("an account")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        for scope in SCOPES:
            form.scope(scope, None, _WHY)
        form.scope("read", True)  # the account was read
        form.scope("key_admin", None, _UNREPORTED)
        for name in ("ip_allowlist.restricted", "label", "created_at", "expires_at", "last_used_at"):
            form.unknown(name, _UNREPORTED)
        form.ignore("balances", "permissions", "accountType", "updateTime", "uid")
        form.ignore("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")
        return form.report("canTrade", "canWithdraw", "canDeposit")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book, page by page; a book longer than is read is no answer."""
        found: list[dict[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            answer = yield Read("spotPrivateGetCapitalWithdrawAddress", {"page": page})
            fields = Fields(answer.data)
            rows, pages = fields.get("data"), as_text(fields.get("totalPageNum"))
            if not isinstance(rows, list) or not re.fullmatch(r"[0-9]{1,6}", pages):
                break
            found += [
                {
                    "coin": as_text(row.get("coin")),
                    "network": as_text(row.get("network")),
                    "address": as_text(row.get("address")),
                    "allowlisted": None,
                }
                for row in map(Fields, rows)
            ]
            if page >= int(pages):
                return found
        raise self.bad_answer("a list of addresses")


ADAPTER: Final = Mexc()
