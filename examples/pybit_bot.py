"""A bot on pybit, Bybit's own client: no ccxt, so `@enforce` stands before the one function that sends.

The policy decides before the function runs; the function sends what it was given, under the client order id that the
policy knows, so that policykit can look the order up. When Bybit says no, the function says so: what merely raises may
have arrived. `pip install pybit`; spot on a unified account.
"""

import os
from pathlib import Path

from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from policykit import Denied, Guard, enforce

POLICY = Path(__file__).with_name("pybit_bot.yaml")


class Bot:
    """Buy a little under the market, and take back what did not fill."""

    def __init__(self, session, guard):
        self.session = session
        self.place = enforce(guard=guard)(self.place)
        self.cancel = enforce("order.cancel", guard=guard)(self.cancel)

    def place(self, symbol, side, amount, price, client_order_id=None):
        """Send one limit order; return what became of it."""
        market = symbol.replace("/", "")
        try:
            answer = self.session.place_order(
                category="spot",
                symbol=market,
                side=side.capitalize(),
                orderType="Limit",
                qty=str(amount),
                price=str(price),
                orderLinkId=client_order_id,
            )
        except InvalidRequestError as error:
            return {"status": "rejected", "filled": 0, "why": error.status_code}
        return {"status": "open", "id": answer["result"]["orderId"]}

    def cancel(self, symbol, order_id):
        """Take an order back."""
        self.session.cancel_order(category="spot", symbol=symbol.replace("/", ""), orderId=order_id)
        return {"status": "canceled"}

    def trade(self, symbol, amounts):
        """Try to buy these amounts one percent under the market; return what became of each."""
        ticker = self.session.get_tickers(category="spot", symbol=symbol.replace("/", ""))["result"]["list"][0]
        price = round(float(ticker["bid1Price"]) * 0.99)
        became = []
        for amount in amounts:
            try:
                placed = self.place(symbol, "buy", amount, price)
            except Denied as denied:
                print(denied)
                became.append(denied.decision.reasons[0].code)
                continue
            if "id" in placed:
                placed = self.cancel(symbol, placed["id"])
            became.append(placed["status"])
        return became


def main():
    """Buy a little, and try far too much."""
    with Guard.load(POLICY) as guard:
        session = HTTP(api_key=os.environ["BOT_API_KEY"], api_secret=os.environ["BOT_API_SECRET"], testnet=True)
        print(Bot(session, guard).trade("BTC/USDT", ["0.01", "1"]))


if __name__ == "__main__":
    main()
