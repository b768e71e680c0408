"""Upbit: `GET /v1/api_keys` over stock ccxt, which lists the account's keys and when each ends, and no more.

Source: docs.upbit.com/kr/reference/list-api-keys (v1.6.4, read 2026-11): every key of the account with its expiry; no
permission is needed for it, so an answer proves none. What a key may do, and its addresses, is told of pockets' keys
only, to a key that manages pockets: a bot's should not.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text
from policykit.exchanges.key_list import OWN, cleaned, own_row, read_through
from policykit.snapshot import SCOPES, KeyReport

_LIST: Final = "GET /v1/api_keys"
_BOOK: Final = "GET /v1/withdraws/coin_addresses"
_PERMISSION: Final = "upbit does not report what a key may do; declare it from the web page"
_NO_SUCH: Final = ("trade.margin", "trade.derivatives", "trade.options")


class Upbit(Adapter):
    """The adapter."""

    id = "upbit"
    lists_keys = True
    public = calls("GET", "/v1/", "market/all ticker")
    reads = calls("GET", "/v1/", "api_keys accounts orders/open order withdraws/coin_addresses")
    asks: ClassVar = {
        "key_report": (_LIST,),
        "account": (
            "GET /v1/market/all",
            "GET /v1/accounts",
            "GET /v1/orders/open",
            "GET /v1/orders/open",
            "GET /v1/ticker",
        ),
        "withdrawal_addresses": (_BOOK,),
    }
    #: `wait` are resting orders, `watch` those that wait for a price (list-open-orders).
    live: ClassVar = {"spot": LiveReads(orders=(("order", {}), ("trigger", {"state": "watch"})))}
    error_code = re.compile(r'"name"\s*:\s*"?([A-Za-z0-9_]{1,60})"?')

    def prepare(self, client: Any) -> None:
        """Mark this key's row in the list of keys."""
        read_through(
            client,
            "policykit_keys",
            "privateGetApiKeys",
            lambda data: cleaned(data, client.apiKey, "access_key", ("expire_at",)),
        )

    def key_report(self) -> Steps[KeyReport]:
        """Read when the key ends; everything else is unknown, with the reason."""
        answer = yield Read("policykit_keys")
        own, others = own_row(answer.data)
        if own is None:
            raise self.bad_answer("a list of keys with this key in it")
        form = KeyForm(self.id, _LIST, own, answer.sent_ms)
        for scope in SCOPES:
            form.scope(scope, False if scope in _NO_SUCH else None, _PERMISSION)  # spot is all there is
        form.unknown(
            "ip_allowlist.restricted",
            "upbit gives no key without an allowlist, and does not report which addresses are on it",
        )
        form.time("expires_at", "expire_at")
        form.unknown("created_at", "upbit does not report it; a key ends one year after it was made")
        for row in others:
            form.other_key(row.get("access_key"))
        form.ignore(OWN, "access_key")
        return form.report()

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the registered withdrawal addresses; the API pays to no other."""
        answer = yield Read("privateGetWithdrawsCoinAddresses")
        if not isinstance(answer.data, list):
            raise self.bad_answer("a list of addresses")
        return [
            {
                "coin": as_text(row.get("currency")),
                "network": as_text(row.get("net_type")),
                "address": as_text(row.get("withdraw_address")),
                "allowlisted": True,
            }
            for row in map(Fields, answer.data)
        ]


ADAPTER: Final = Upbit()
