"""The ids of every exchange of ccxt: to tell a misspelt one, where ccxt itself may not be loaded."""

from __future__ import annotations

from typing import Final

#: Of ccxt 4.5.90, read November 2026; a test holds it equal to the one that is installed.
IDS: Final = frozenset(
    """
    alpaca apex aster backpack bequant bigone binance binancecoinm binanceus binanceusdm bingx bit2c bitbank
    bitbns bitfinex bitflyer bitget bithumb bitopro bitrue bitso bitstamp bitteam bittrade bitvavo blockchaincom
    blofin btcbox btcmarkets btcturk btse bullish bybit bybiteu bybitid bydfi cex coinbase coinbaseexchange
    coinbaseinternational coincheck coinmate coinone coinsph coinspot cryptocom cryptomus deepcoin delta deribit
    derive digifinex dydx extended fmfwio foxbit gate gateeu gemini grvt hashkey hibachi hitbtc hollaex htx
    hyperliquid independentreserve indodax kraken krakenfutures kucoin kucoinfutures latoken lbank lighter luno
    mercado mexc modetrade mudrex myokx nado ndax okx okxus onetrading p2b pacifica paradex paymium phemex
    poloniex polymarket revolutx tokocrypto toobit upbit weex whitebit woo woofipro xt zaif zebpay
    """.split()  # noqa: SIM905  # a hundred ids read better as text
)
