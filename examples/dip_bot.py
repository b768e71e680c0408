"""An ordinary ccxt bot that knows nothing of policykit: it buys, keeps a stop at the exchange, and sells again.

    policykit run --policy examples/ccxt_bot.yaml -- python examples/dip_bot.py

puts it under a policy as it is; docs/bots.md says how three lines do.
"""

import os
import time

import ccxt

SYMBOL = "BTC/USDT"
STAKE = float(os.environ.get("STAKE", "500"))  # USDT a trade
STOP = 0.02


def patiently(call, *args):
    """Call the exchange; wait and try again when the network or the exchange is busy."""
    for attempt in range(5):
        try:
            return call(*args)
        except (ccxt.DDoSProtection, ccxt.RateLimitExceeded) as error:
            print("busy, waiting:", type(error).__name__)
            time.sleep(2**attempt)
        except ccxt.NetworkError as error:
            print("network, trying again:", type(error).__name__)
            time.sleep(1)
    raise ccxt.ExchangeNotAvailable("gave up")


def trade(exchange):
    """Buy at the market, keep a stop for a moment, and leave."""
    last = patiently(exchange.fetch_ticker, SYMBOL)["last"]
    entry = patiently(exchange.create_order, SYMBOL, "market", "buy", STAKE / last)
    print("bought", entry["filled"])
    held = patiently(exchange.fetch_balance)["BTC"]["free"]
    levels = last * (1 - STOP - 0.005), {"stopPrice": last * (1 - STOP)}
    stop = patiently(exchange.create_order, SYMBOL, "stop_loss_limit", "sell", held, *levels)
    patiently(exchange.cancel_order, stop["id"], SYMBOL)
    print("sold", patiently(exchange.create_order, SYMBOL, "market", "sell", held)["filled"])


def main():
    """Trade a few rounds; whatever ccxt raises ends the round, not the bot."""
    exchange = ccxt.binance({"apiKey": os.environ["BOT_API_KEY"], "secret": os.environ["BOT_API_SECRET"]})
    for _ in range(int(os.environ.get("ROUNDS", "1"))):
        try:
            trade(exchange)
        except ccxt.InsufficientFunds:
            print("no money left")
        except ccxt.BaseError as error:
            print("skipped this round:", type(error).__name__, error)


if __name__ == "__main__":
    main()
