"""An ordinary ccxt bot: it buys a little under its average, sells a little over it, and keeps within its own head.

Three lines of policykit, marked 1 to 3, put every order of it under a policy; nothing else in it was changed.
"""

import os
import time
from pathlib import Path

import ccxt

from policykit import Guard  # 1

POLICY = Path(__file__).with_name("ccxt_bot.yaml")


class MeanReversion:
    """Trade one symbol around the mean of its last minutes."""

    def __init__(self, exchange, symbol="BTC/USDT", stake=500, edge=0.0005, minutes=30):
        self.exchange, self.symbol = exchange, symbol
        self.stake, self.edge, self.minutes = stake, edge, minutes
        self.orders = []

    def mean(self):
        """Return the mean of the last closes."""
        closes = [row[4] for row in self.exchange.fetch_ohlcv(self.symbol, "1m", limit=self.minutes)]
        return sum(closes) / len(closes)

    def order(self, side, amount, price):
        """Place one limit order; say what was refused, and go on."""
        try:
            placed = self.exchange.create_order(self.symbol, "limit", side, amount, price)
        except ccxt.InvalidOrder as error:
            print(f"refused: {error}")
        except ccxt.NetworkError as error:
            print(f"not reached: {error}")
        else:
            self.orders.append(placed["id"])
            print(f"{side} {amount:.5f} at {price:.2f}: {placed['status']}")

    def step(self):
        """Look once, and trade when the price is away from the mean."""
        ticker = self.exchange.fetch_ticker(self.symbol)
        mean = self.mean()
        held = self.exchange.fetch_balance()[self.symbol.split("/")[0]]["free"]
        if ticker["ask"] < mean * (1 - self.edge):
            self.order("buy", self.stake / ticker["ask"], ticker["ask"])
        elif ticker["bid"] > mean * (1 + self.edge) and held > 0:
            self.order("sell", held, ticker["bid"])

    def run(self, steps, pause=5.0):
        """Trade for so many steps."""
        for _ in range(steps):
            self.step()
            time.sleep(pause)


def main():
    """Trade for a day."""
    exchange = ccxt.binance({"apiKey": os.environ["BOT_API_KEY"], "secret": os.environ["BOT_API_SECRET"]})
    with Guard.load(POLICY) as guard:  # 2
        exchange = guard.protect(exchange)  # 3
        MeanReversion(exchange).run(17_280)


if __name__ == "__main__":
    main()
