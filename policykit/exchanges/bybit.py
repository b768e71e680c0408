"""Bybit: `GET /v5/user/query-api` over stock ccxt; trading spot is in bybit_orders.py.

Source: bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5/user/apikey-info.mdx; "no restriction" is `["*"]` there, "no
end" is 1970.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from policykit.exchanges.adapter import LiveReads
from policykit.exchanges.base import Read, Steps
from policykit.exchanges.bybit_orders import BybitOrders
from policykit.exchanges.calls import calls
from policykit.exchanges.forms import Fields, KeyForm, as_text, flag, plain_name
from policykit.snapshot import KeyReport

_KEY: Final = "GET /v5/user/query-api"
#: Group of permissions -> name -> what it grants, none for those that grant nothing a policy names.
_PERMISSIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "ContractTrade": {"Order": ("trade.derivatives",), "Position": ("trade.derivatives",)},
    "Spot": {"SpotTrade": ("trade.spot", "trade.margin")},  # margin orders of a unified account ride on spot
    "Options": {"OptionsTrade": ("trade.options",)},
    "Derivatives": {"DerivativesTrade": ("trade.derivatives",)},
    "Wallet": {
        "AccountTransfer": ("transfer",),
        "SubMemberTransfer": ("transfer",),
        "SubMemberTransferList": ("transfer",),
        "Withdraw": ("withdraw",),
    },
    "Exchange": {"ExchangeHistory": (), "ConvertTrade": ("trade.other",)},
    "CopyTrading": {"CopyTrading": ("trade.other",)},
    "BlockTrade": {"BlockTrade": ("trade.other",)},
    "Earn": {"Earn": ("trade.other",)},
    "NFT": {"NFTQueryProductList": ()},
    "Affiliate": {"Affiliate": ()},
    "FiatP2P": {"FiatP2POrder": ("trade.other",), "Advertising": ("trade.other",)},
    "FiatConvertBroker": {"FiatConvertBrokerOrder": ("trade.other",)},
    "FiatGlobalPay": {},
    "FiatBitPay": {"FaitPayOrder": ("trade.other",)},  # spelt so in the documents
    "BitCard": {"BitCard": ("trade.other",)},
    "ByXPost": {"ByXPost": ()},
}
#: What every permission grants at most while it stands; a key that is read-only has none of it.
_WRITES: Final = ("trade.spot", "trade.margin", "trade.derivatives", "trade.options", "trade.other", "transfer")
#: The most open orders of one page.
_PAGE: Final = 50
#: Every contract: settled in USDT, in USDC, in its own coin.
_DERIVATIVES: Final[tuple[dict[str, Any], ...]] = (
    {"type": "swap", "subType": "linear", "settleCoin": "USDT"},
    {"type": "swap", "subType": "linear", "settleCoin": "USDC"},
    {"type": "swap", "subType": "inverse"},
)
#: ccxt asks for those settled in USDT even of inverse contracts, of which there are none: an empty text is no coin, or
#: an error that is seen.
_RESTING: Final = tuple({"settleCoin": "", **kind, "limit": _PAGE} for kind in _DERIVATIVES)


class Bybit(BybitOrders):
    """The adapter."""

    id = "bybit"
    public = calls(
        "GET", "/v5/", "market/time market/instruments-info market/tickers market/orderbook market/recent-trade"
    )
    told_trades = 60  # market/recent-trade.mdx@003f7200 (read 2026-11-22): of spot 1 to 60, of contracts more
    reads = calls(
        "GET",
        "/v5/",
        "user/query-api account/info account/wallet-balance account/fee-rate account/transaction-log position/list "
        "order/realtime order/history execution/list asset/coin/query-info asset/transfer/query-account-coins-balance "
        "asset/withdraw/query-address",
    )
    asks: ClassVar = {
        "server_time": ("GET /v5/market/time",),
        "key_report": (_KEY,),
        "withdrawal_addresses": ("GET /v5/asset/withdraw/query-address",),
    }
    # order/open-order.mdx (0168962c, read 2026-11): linear needs the coin that it is settled in; a page has 50 at most;
    # of a unified account all kinds come together, and what waits for a trigger is asked for again, to be told apart.
    live: ClassVar = {
        "spot": LiveReads(
            balances=({"type": "spot"},),
            orders=(
                ("order", {"type": "spot", "limit": _PAGE}),
                ("trigger", {"type": "spot", "limit": _PAGE, "trigger": True}),
            ),
        ),
        "swap": LiveReads(
            balances=({"type": "spot"},),  # one wallet: a unified account
            positions=_DERIVATIVES,
            orders=(
                *(("order", kind) for kind in _RESTING),
                *(("trigger", {**kind, "trigger": True}) for kind in _RESTING),
            ),
        ),
    }

    def prepare(self, client: Any) -> None:
        """Tell ccxt what the account is, which it would ask for before each private call otherwise."""
        client.options["enableUnifiedMargin"] = False
        client.options["enableUnifiedAccount"] = True

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms (`timeNano`, else `timeSecond`)."""
        answer = yield Read("publicGetV5MarketTime")
        fields = self.mapping(answer.data, "result", what="the time")
        nano, second = str(fields.get("timeNano")), str(fields.get("timeSecond"))
        if re.fullmatch(r"[0-9]{19}", nano):
            return int(nano) // 1_000_000
        if re.fullmatch(r"[0-9]{10}", second):
            return int(second) * 1000
        raise self.bad_answer("the time")

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("privateGetV5UserQueryApi")
        fields = self.mapping(answer.data, "result")
        form = KeyForm(self.id, _KEY, fields, answer.sent_ms)
        form.scope("read", True)  # there is no key without it
        _permissions(form, fields)
        form.addresses("ips")
        form.time("created_at", "createdAt")
        form.time("expires_at", "expiredAt", may_be_none=True)
        form.label("note")
        parent = str(fields.get("parentUid"))
        form.account("userID", sub_account=None if not parent.isdigit() else parent != "0")
        kind = str(fields.get("type"))
        form.third_party({"1": False, "2": True}.get(kind))
        form.ignore("type", "isMaster", "permissions", "uta", "unified", "rsaPublicKey")
        return form.report("readOnly", "type", "deadlineDay")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the address book; a key without the withdraw permission cannot (and should not be able to)."""
        answer = yield Read("privateGetV5AssetWithdrawQueryAddress")
        rows = self.mapping(answer.data, "result", what="addresses").get("rows")
        if not isinstance(rows, list):
            raise self.bad_answer("a list of addresses")
        return [
            {
                "coin": as_text(row.get("coin")),
                "network": as_text(row.get("chain")),
                "address": as_text(row.get("address")),
                "allowlisted": flag(row.get("verified")),
            }
            for row in map(Fields, rows)
        ]


def _permissions(form: KeyForm, fields: Fields) -> None:
    """Read each group of permissions, then let `readOnly` take all that is not read away."""
    groups = fields.inner("permissions")
    for group, known in _PERMISSIONS.items():
        form.permissions(f"permissions.{group}", known, given=groups.get(group) if group in groups else None)
    known_groups = {name.lower() for name in _PERMISSIONS}
    strange = [name for name in groups.names() if name.lower() not in known_groups and groups.get(name)]
    if strange:  # a group that nobody knows may move money, whatever the group Wallet leaves out
        form.permissions("permissions", _PERMISSIONS["Wallet"], given=[plain_name(name) for name in strange])
    if flag(fields.get("readOnly")) is True:
        for scope in _WRITES:
            form.scope(scope, False)
        if form.said("withdraw") == "granted":
            form.scope("withdraw", None, "the key is read-only and has Withdraw at once")
        else:
            form.scope("withdraw", False)


ADAPTER: Final = Bybit()
