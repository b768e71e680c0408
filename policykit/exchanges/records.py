"""What an incident reads beyond the ordinary allowlist: the account's trades, and who logged in; nothing is changed.

Each call is a read by its exchange's documents, and is open only to the client that `opened` made.
Sources: ccxt 4.5.90, `fetch_my_trades` of each exchange; for logins the pages that the traits name (`Aftermath`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policykit.exchanges.base import Read
from policykit.exchanges.calls import calls, listed, name_of

#: Trades of the account, where the ordinary allowlist does not have them.
TRADES: Final[Mapping[str, frozenset[str]]] = {
    "bingx": calls(
        "GET", "/openApi/", "spot/v1/trade/myTrades swap/v2/trade/allFillOrders cswap/v1/trade/allFillOrders"
    ),
    "bitget": calls(
        "GET",
        "/api/",
        "v3/trade/fills v2/spot/trade/fills v2/mix/order/fills v2/margin/crossed/fills v2/margin/isolated/fills",
    ),
    "bitmex": calls("GET", "/api/v1/", "execution/tradeHistory"),
    "blofin": calls("GET", "/api/v1/", "trade/fills-history spot/trade/fills-history"),
    "deribit": calls("GET", "/api/v2/private/", "get_user_trades_by_currency get_user_trades_by_currency_and_time"),
    "gate": calls("GET", "/api/v4/", "spot/my_trades futures/*/my_trades_timerange delivery/*/my_trades"),
    "htx": calls("GET", "/v1/", "order/matchresults"),
    "kucoin": calls("GET", "/api/v1/", "fills hf/fills limit/fills"),
    "mexc": calls("GET", "/api/v3/", "myTrades") | calls("GET", "/api/v1/private/", "order/list/order_deals"),
    "okx": calls("GET", "/api/v5/", "trade/fills-history"),
}
#: Who logged in, and what was changed: what is asked, and which calls that comes to.
LOGINS: Final[Mapping[str, tuple[Read, frozenset[str]]]] = {
    "bitfinex": (Read("privatePostAuthRLoginsHist", {"limit": 250}), calls("POST", "/v2/auth/r/", "logins/hist")),
    "bitmex": (Read("privateGetUserEvent", {"count": 150}), calls("GET", "/api/v1/", "userEvent")),
    "deribit": (Read("privateGetGetAccessLog", {"count": 100}), calls("GET", "/api/v2/private/", "get_access_log")),
}


def opened(client: Any, exchange_id: str) -> Any:
    """Let a read-only client make these calls as well; return it."""
    open_to = TRADES.get(exchange_id, frozenset()) | (LOGINS[exchange_id][1] if exchange_id in LOGINS else frozenset())
    client.policykit_beyond = lambda method, url, body: listed(name_of(method, url), open_to)
    return client
