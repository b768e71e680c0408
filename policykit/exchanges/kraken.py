"""Kraken (spot): `POST /0/private/GetApiKeyInfo` over stock ccxt.

Source: docs.kraken.com/api/docs/rest-api/get-api-key-info (copy of 2026-05-27), camelCase; answers in snake_case were
seen (Kraken.Net, 2026-07-23). Reads are POSTs: the path decides.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar, Final

from policykit.exchanges._numbered import numbered_class
from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text, flag
from policykit.snapshot import KeyReport

_KEY: Final = "POST /0/private/GetApiKeyInfo"
_TRADE: Final = ("trade.spot", "trade.margin")  # margin is a parameter of an order (`leverage`), not a permission
#: Permission -> what it grants; none for those that grant nothing a policy names.
_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "query-funds": ("read",),
    "query-open-trades": ("read",),
    "query-closed-trades": ("read",),
    "query-ledger": ("read",),
    "export-data": ("read",),
    "modify-trades": _TRADE,
    "close-trades": _TRADE,  # cancels orders and closes positions
    "earn-funds": ("trade.other",),
    "withdraw-funds": ("withdraw", "transfer"),  # rest-api/account-transfer asks for it too
    "add-funds": (),  # asks for deposit addresses
    "create-ws-token": (),  # a WebSocket session has the key's own permissions
    "add-withdraw-address": (),
    "update-withdraw-address": (),
}
_ADDRESS_BOOK: Final = frozenset(("addwithdrawaddress", "updatewithdrawaddress"))


class Kraken(Adapter):
    """The adapter."""

    id = "kraken"
    public = calls("GET", "/0/public/", "Time SystemStatus Assets AssetPairs Ticker Depth")
    reads = calls(
        "POST",
        "/0/private/",
        "GetApiKeyInfo Balance BalanceEx TradeBalance OpenOrders QueryOrders OpenPositions TradesHistory QueryTrades "
        "Ledgers QueryLedgers TradeVolume WithdrawAddresses WithdrawMethods WithdrawStatus DepositStatus",
    )
    asks: ClassVar = {
        "server_time": ("GET /0/public/Time",),
        "key_report": (_KEY,),
        "withdrawal_addresses": ("POST /0/private/WithdrawAddresses",),
        "account": (
            "GET /0/public/AssetPairs",
            "POST /0/private/BalanceEx",
            "POST /0/private/OpenOrders",
            "POST /0/private/OpenPositions",
        ),
    }
    #: OpenOrders lists triggered orders too; positions are those of margin.
    live: ClassVar = {"spot": LiveReads(positions=({},))}
    #: `{"error": ["EService: Throttled: 1700000000"]}`: category and words, no argument after them.
    error_code: ClassVar = re.compile(r'"error"\s*:\s*\[\s*"(E[A-Za-z]{1,20}: ?[A-Za-z][A-Za-z_ ]{1,60})')

    def client_class(self, *, asynchronous: bool = False) -> type[Any]:
        """Return ccxt's class with numbers that only rise."""
        return numbered_class(self.id, asynchronous=asynchronous)

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms, to the second."""
        answer = yield Read("publicGetTime")
        fields = self.mapping(answer.data, "result", what="the time")
        seconds = as_text(fields.get("unixtime"))
        if re.fullmatch(r"[0-9]{10}", seconds):
            return int(seconds) * 1000
        try:
            told = datetime.strptime(as_text(fields.get("rfc1123")), "%a, %d %b %y %H:%M:%S %z")
        except ValueError:
            raise self.bad_answer("the time") from None
        return int(told.timestamp() * 1000)

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privatePostGetApiKeyInfo")
        fields = self.mapping(answer.data, "result")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.permissions("permissions", _PERMISSIONS)
        _what_rides_along(form, _listed(fields.get("permissions")))
        form.addresses("ipAllowlist")  # documented: empty if not restricted
        form.time("created_at", "createdTime")
        form.time("expires_at", "validUntil", may_be_none=True)
        form.time("last_used_at", "lastUsed", may_be_none=True)
        if "lastUsed" in fields and fields.get("lastUsed") is None:
            form.unknown("last_used_at", "lastUsed was null: by the documents the key was never used")
        form.label("apiKeyName")
        form.account("iban")
        form.ignore("apiKey", "nonce", "nonceWindow", "queryFrom", "queryTo", "modifiedTime")
        return form.report("permissions")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book; only a key with query-funds and withdraw-funds may."""
        answer = yield Read("privatePostWithdrawAddresses")
        rows = Fields(answer.data).get("result")
        if not isinstance(rows, list):
            raise self.bad_answer("a list of addresses")
        return [
            {
                "coin": as_text(row.get("asset")),
                "network": as_text(row.get("method")),
                "address": as_text(row.get("address")),
                "allowlisted": flag(row.get("verified")),
            }
            for row in map(Fields, rows)
        ]


def _listed(value: object) -> frozenset[str]:
    """Return the permissions named in a list, whatever their case and dashes; none for anything else."""
    names = re.split(r"[,;\s]+", value) if isinstance(value, str) else value
    if not isinstance(names, list):
        return frozenset()
    return frozenset(re.sub(r"[_\s-]+", "", name).lower() for name in names if isinstance(name, str))


def _what_rides_along(form: KeyForm, listed: frozenset[str]) -> None:
    """Leave unknown what a permission allows beside its name, by the documents."""
    if "withdrawfunds" in listed:
        return
    if "queryfunds" in listed:
        # rest-api/wallet-transfer (2026-05-27): "API Key Permissions Required: Funds permissions - Query".
        form.scope(
            "transfer",
            None,
            "by kraken's documents query-funds may ask for WalletTransfer, from spot to the account's own futures",
        )
    if listed & _ADDRESS_BOOK:
        form.scope("withdraw", None, "the key may say where withdrawals may go (add-, update-withdraw-address)")


ADAPTER: Final = Kraken()
