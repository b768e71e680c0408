"""A naive market-making bot on ccxt, as many are written. It knows nothing of policykit, and has three common faults.

It tries an order again on any error, it has no limit on what it holds, and it waits for its orders in a busy loop.
"""

import os
import time

import ccxt


class MarketMaker:
    """Buy at the ask, offer what is held a little higher, repeat."""

    def __init__(self, exchange, symbol="BTC/USDT", notional=900, edge=0.005, sleep=time.sleep, now=time.monotonic):
        self.exchange, self.symbol = exchange, symbol
        self.notional, self.edge, self.sleep, self.now = notional, edge, sleep, now
        self.meant, self.placed, self.errors = [], [], []

    def place(self, side, amount, price, tries=3):
        """Place one limit order; when it fails, place it again."""
        amount = float(self.exchange.amount_to_precision(self.symbol, amount))
        price = float(self.exchange.price_to_precision(self.symbol, price))
        self.meant.append((self.symbol, side, amount, price))
        for _ in range(tries):
            try:
                self.placed.append(self.exchange.create_order(self.symbol, "limit", side, amount, price)["id"])
                return
            except Exception as error:  # noqa: BLE001  # the first fault: whatever it is, once more
                self.errors.append(error)
                self.sleep(0.2)

    def step(self):
        """Buy once; offer half of what is held."""
        try:
            ask = self.exchange.fetch_ticker(self.symbol)["ask"]
            held = self.exchange.fetch_balance()[self.symbol.split("/")[0]]["free"]
        except Exception as error:  # noqa: BLE001
            self.errors.append(error)
            return
        self.place("buy", self.notional / ask, ask)
        if held * ask > 4 * self.notional:
            self.place("sell", self.notional / ask, ask * (1 + self.edge))

    def wait_for_orders(self, seconds=4):
        """Poll until the exchange shows every order: the third fault, a loop without a pause."""
        until = self.now() + seconds
        while self.now() < until:
            try:
                if {order["id"] for order in self.exchange.fetch_orders(self.symbol)} >= set(self.placed):
                    return
            except Exception as error:  # noqa: BLE001
                self.errors.append(error)

    def run(self, steps=50, pause=0.5):
        """Trade for so many steps."""
        self.exchange.load_markets()
        for _ in range(steps):
            self.step()
            self.sleep(pause)
        self.wait_for_orders()


if __name__ == "__main__":
    keys = {"apiKey": os.environ["MM_EXEC_API_KEY"], "secret": os.environ["MM_EXEC_API_SECRET"]}
    MarketMaker(ccxt.binance(keys)).run()
