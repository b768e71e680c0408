"""A bot on python-binance: no ccxt, so no protected client; `@enforce` stands before the one function that sends.

The policy decides before the function runs. What the function then sends is the function's: it has no gate behind it,
so it passes on exactly what it was given, under the client order id that policykit fills in: by it policykit looks the
order up. When Binance says no, the function says so: what merely raises may have arrived. `pip install python-binance`.
"""

import os
from pathlib import Path

from binance.client import Client
from binance.exceptions import BinanceAPIException

from policykit import Denied, Guard, enforce

#: A filter, or the matching engine, refused the order: it is not there.
REFUSED = (-1013, -2010)
POLICY = Path(__file__).with_name("ccxt_bot.yaml")


def trade(client, guard, orders):
    """Send orders of (symbol, side, amount, price); return what became of each."""

    @enforce(guard=guard)
    def place(symbol, side, amount, price, client_order_id=None):
        try:
            answer = client.create_order(
                symbol=symbol.replace("/", ""),
                side=side.upper(),
                type="LIMIT",
                timeInForce="GTC",
                quantity=str(amount),
                price=str(price),
                newClientOrderId=client_order_id,
            )
        except BinanceAPIException as error:
            if error.code in REFUSED:
                return {"status": "rejected", "filled": 0}
            raise
        closed = "closed" if answer["status"] == "FILLED" else "open"
        return {"id": answer["orderId"], "filled": answer["executedQty"], "status": closed}

    became = []
    for order in orders:
        try:
            became.append(place(*order)["status"])
        except Denied as denied:
            print(denied)
            became.append(denied.decision.reasons[0].code)
    return became


def main():
    """Buy a little under the market, and try far too much."""
    client = Client(os.environ["BOT_API_KEY"], os.environ["BOT_API_SECRET"])
    with Guard.load(POLICY) as guard:
        price = round(float(client.get_symbol_ticker(symbol="BTCUSDT")["price"]) * 0.99)
        print(trade(client, guard, [("BTC/USDT", "buy", "0.01", price), ("BTC/USDT", "buy", "1", price)]))


if __name__ == "__main__":
    main()
