"""The libraries that bots trade with: what makes a client, and which of its methods order, withdraw and transfer.

Adding one is a row. Names were read in the packages themselves, at the version that each row names, in November 2026.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Library(NamedTuple):
    """One library. Patterns match whole names."""

    name: str
    #: The first parts of its modules.
    roots: tuple[str, ...]
    #: Dotted names whose call makes a client.
    clients: re.Pattern[str]
    orders: re.Pattern[str]
    withdraws: re.Pattern[str]
    transfers: re.Pattern[str]
    #: The keywords or dictionary keys of an order's client order id, the usual one first; none: it cannot be left out.
    ids: tuple[str, ...]
    #: Methods of which one argument says what they do: `query_private("AddOrder", ...)`.
    queries: frozenset[str] = frozenset()


def _library(  # a table's row
    name: str,
    roots: str,
    clients: str,
    orders: str,
    withdraws: str = "(?!)",
    transfers: str = "(?!)",
    ids: str = "",
    queries: str = "",
) -> Library:
    def whole(pattern: str) -> re.Pattern[str]:
        return re.compile(rf"(?:{pattern})\Z")

    return Library(
        name,
        tuple(roots.split()),
        whole(clients),
        whole(orders),
        whole(withdraws),
        whole(transfers),
        tuple(ids.split()),
        frozenset(queries.split()),
    )


#: ccxt 4.5.90, `ccxt/base/exchange.py`: the unified methods in both spellings, and raw ones of private endpoints
#: (`private_post_order`, `fapiPrivatePostOrder`, `private_post_v5_order_create`).
CCXT = _library(
    "ccxt",
    "ccxt ccxtpro",
    r"ccxt(?:pro)?(?:\.(?:async_support|pro))?(?:\.(?:[a-z0-9_]+|\*)){1,2}",
    r"(?:create|edit)_(?:(?:market|limit|buy|sell|stop|loss|take|profit|trigger|trailing|amount|percent|post|only|reduce"
    r"|twap|spot|contract|swap)_)*orders?(?:_with_[a-z_]+)?(?:_ws)?"
    r"|(?:create|edit)(?:(?:Market|Limit|Buy|Sell|Stop|Loss|Take|Profit|Trigger|Trailing|Amount|Percent|Post|Only|Reduce"
    r"|Twap|Spot|Contract|Swap))*Orders?(?:With[A-Za-z]+)?(?:Ws)?"
    r"|close_(?:all_)?positions?|closePosition|closeAllPositions"
    r"|[a-z0-9_]*private_?[a-z0-9_]*(?:post|put)_(?![a-z0-9_]*(?:cancel|test|query))[a-z0-9_]*(?:order|orders|addorder)"
    r"(?:_create|_amend|_edit|_place)?(?:_algo)?"
    r"|[a-z0-9]*[pP]rivate[A-Za-z0-9]*(?:Post|Put)(?![A-Za-z0-9]*(?:Cancel|Test|Query|cancel|test))[A-Za-z0-9]*(?:Order|Orders|AddOrder)"
    r"(?:Create|Amend|Edit|Place)?(?:Algo)?",
    r"withdraw(?:_ws|Ws)?|[a-z0-9_]*private_?[a-z0-9_]*(?:post|put)_[a-z0-9_]*withdraw(?:al)?(?:_apply|_create)?"
    r"|[a-z0-9]*[pP]rivate[A-Za-z0-9]*(?:Post|Put)[A-Za-z0-9]*Withdraw(?:al)?(?:Apply|Create)?",
    r"transfer|transfer_(?:in|out)|transferIn|transferOut"
    r"|[a-z0-9_]*private_?[a-z0-9_]*(?:post|put)_[a-z0-9_]*transfer|[a-z0-9]*[pP]rivate[A-Za-z0-9]*Post[A-Za-z0-9]*Transfer",
    "clientOrderId newClientOrderId client_order_id clOrdId clOrdID clientOid client_oid cl_ord_id orderLinkId cloid"
    " text userref user_ref custom_id customId externalOid cid clientOrderID client_id clientId label"
    " newClientStrategyId clientAlgoId algoClOrdId",
)

LIBRARIES: tuple[Library, ...] = (
    CCXT,
    _library(  # python-binance 1.0.37, `binance/async_client.py`
        "python-binance",
        "binance",
        r"binance\.(?:client\.|async_client\.)?(?:Async)?Client(?:\.create)?",
        r"(?:ws_)?(?:futures_(?:coin_)?)?(?:create|edit|modify)_(?:margin_|algo_)?(?:oco_|oto_|otoco_|sor_)?order"
        r"|(?:ws_)?order_(?:limit|market|oco)(?:_buy|_sell)?|futures_(?:limit|market)(?:_buy|_sell)?_order"
        r"|(?:futures_(?:coin_)?|options_)place_(?:batch_)?order|cancel_replace_order|ws_cancel_and_replace_order"
        r"|papi_(?:create|modify)_(?:um|cm|margin)_(?:conditional_)?order|papi_margin_order_oco",
        r"withdraw",
        r"make_universal_transfer|universal_transfer|transfer_(?:spot_to|isolated|margin_to)[a-z_]*|futures_account_transfer"
        r"|create_sub_account_futures_transfer|make_subaccount_[a-z_]*transfer|options_funds_transfer|papi_bnb_transfer",
        "newClientOrderId clientAlgoId listClientOrderId clientOrderId",
    ),
    _library(  # binance-connector 3.13.0, binance-futures-connector 4.2.0, binance-sdk-spot 13.3.0
        "binance-connector",
        "binance binance_sdk_spot binance_sdk_derivatives_trading_usds_futures",
        r"binance\.(?:spot\.|um_futures\.|cm_futures\.)?(?:Spot|UMFutures|CMFutures)"
        r"|binance\.websocket\.[a-z_.]*SpotWebsocketAPIClient|binance_sdk_[a-z_]+(?:\.[a-z_]+)*\.[A-Z][A-Za-z]+",
        r"new_(?:margin_)?(?:oco_|oto_|otoco_|batch_)?order|margin_new_(?:oto|otoco)_order|modify_(?:batch_)?order"
        r"|cancel_and_replace|order_cancel_replace|order_list_(?:oco|opo|opoco|oto|otoco)|order_oco|sor_order"
        r"|order_amend_keep_priority|place_limit_order",
        r"withdraw|managed_sub_account_withdraw|local_entity_withdraw",
        r"user_universal_transfer|sub_account_[a-z_]*transfer(?:_to_[a-z]+)?|bnb_transfer",
        "newClientOrderId new_client_order_id listClientOrderId list_client_order_id limitClientOrderId",
    ),
    _library(  # pybit 5.17.0, `pybit/_v5_trade.py`, `_v5_asset.py`
        "pybit",
        "pybit",
        r"pybit\.(?:unified_trading\.)?(?:HTTP|WebSocketTrading)|pybit\.(?:inverse_perpetual|usdt_perpetual|spot)\.HTTP",
        r"place_(?:batch_|active_|conditional_)?order|amend_(?:batch_)?order|replace_(?:active|conditional)_order"
        r"|close_position|spread_(?:place|amend)_order",
        r"withdraw",
        r"create_internal_transfer|create_universal_transfer|pwm_fund_transfer",
        "orderLinkId order_link_id",
    ),
    _library(  # python-okx 0.4.4, `okx/Trade.py`, `okx/Funding.py`; okx 2.1.2
        "okx",
        "okx",
        r"okx\.(?:Trade\.TradeAPI|Funding\.FundingAPI|SubAccount\.SubAccountAPI|app\.OkxSPOT|app\.OkxSWAP)"
        r"|okx\.api(?:\.[a-z_]+)?\.(?:Trade|FundingAccount)|(?:TradeAPI|FundingAPI)",
        r"place_(?:multiple_|algo_)?orders?|amend_(?:multiple_|algo_)?orders?|close_positions|batch_(?:amend_)?orders"
        r"|set_(?:order|amend_order|order_algo|batch_orders)",
        r"withdrawal(?:_lightning)?|set_withdrawal",
        r"funds_transfer|subAccount_transfer|set_transfer",
        "clOrdId algoClOrdId",
    ),
    _library(  # python-kucoin 2.2.0, `kucoin/client.py`; kucoin-python 1.0.26, `kucoin/trade/trade.py`
        "kucoin",
        "kucoin kucoin_futures",
        r"kucoin\.client\.(?:Client|Trade|User|Margin)|kucoin\.(?:async_client|asyncio)\.(?:Async)?Client"
        r"|kucoin_futures\.client\.Trade",
        r"(?:sync_)?(?:hf_|margin_|oco_|futures_|hf_margin_)?create_(?:limit_|market_|hf_|stop_|bulk_|oco_)*(?:margin_|hf_)?"
        r"orders?|create_(?:limit|market)_(?:hf_|stop_|margin_)?order|(?:sync_)?multi_create_hf_order|(?:hf_)?modify_(?:hf_)?order",
        r"create_withdrawal|apply_withdrawal",
        r"create_(?:inner|subaccount|universal)_transfer|create_transfer_(?:in|out)|inner_transfer|sub_transfer",
        "clientOid client_oid",
    ),
    _library(  # krakenex 2.2.2, `krakenex/api.py`
        "krakenex",
        "krakenex",
        r"krakenex\.(?:api\.)?API",
        r"AddOrder|AddOrderBatch|EditOrder|AmendOrder",
        r"Withdraw",
        r"WalletTransfer",
        "cl_ord_id userref",
        queries="query_private query_private_once",
    ),
    _library(  # python-kraken-sdk 3.5.1, `kraken/spot/trade.py`, `kraken/futures/trade.py`
        "python-kraken-sdk",
        "kraken",
        r"kraken\.(?:spot|futures)(?:\.[a-z_]+)?\.(?:Trade|Funding|SpotWSClient|[A-Z][A-Za-z]*Client)",
        r"create_order(?:_batch)?|create_batch_order|edit_order|amend_order",
        r"withdraw_funds|initiate_withdrawal_to_spot_wallet",
        r"wallet_transfer|initiate_(?:wallet|subaccount)_transfer",
        "userref cl_ord_id cliOrdId clientOrderId",
    ),
    _library(  # hyperliquid-python-sdk 0.24.0, `hyperliquid/exchange.py`
        "hyperliquid",
        "hyperliquid",
        r"hyperliquid\.exchange\.Exchange",
        r"order|bulk_orders|modify_order|bulk_modify_orders_new|market_open|market_close",
        r"withdraw_from_bridge",
        r"usd_transfer|spot_transfer|usd_class_transfer|send_asset|sub_account_(?:spot_)?transfer|vault_usd_transfer",
        "cloid",
    ),
    _library(  # coinbase-advanced-py 1.8.4, `coinbase/rest/orders.py`: the id is the first parameter of every order
        "coinbase",
        "coinbase",
        r"coinbase\.rest\.RESTClient",
        r"create_order|edit_order|close_position"
        r"|(?:market|(?:stop_)?limit|trigger_bracket)_order(?:_(?:gtc|gtd|ioc|fok))?(?:_buy|_sell)?",
        r"(?!)",
        r"move_portfolio_funds",
    ),
    _library(  # bitmex 0.2.x (bravado): methods are made from the exchange's own description
        "bitmex",
        "bitmex",
        r"bitmex\.bitmex",
        r"Order_(?:new|amend|newBulk|amendBulk|closePosition)",
        r"User_requestWithdrawal",
        r"User_walletTransfer",
        "clOrdID",
    ),
)
#: First parts of modules to the libraries that have such.
ROOTS: dict[str, tuple[Library, ...]] = {
    root: tuple(library for library in LIBRARIES if root in library.roots)
    for root in (root for library in LIBRARIES for root in library.roots)
}


def client_of(origin: str) -> Library | None:
    """Return the library whose client a call of this dotted name makes."""
    for library in ROOTS.get(origin.partition(".")[0], ()):
        if library.clients.match(origin):
            return library
    return None


def imported(origins: set[str]) -> tuple[Library, ...]:
    """Return the libraries among the origins of imports."""
    found = {library for origin in origins for library in ROOTS.get(origin.partition(".")[0], ())}
    return tuple(library for library in LIBRARIES if library in found)
