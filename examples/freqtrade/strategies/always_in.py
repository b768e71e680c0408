"""A strategy that shows every kind of order a bot sends: it enters at once, keeps a stop at the exchange, and exits.

No advice: it buys whatever the market does. It knows nothing of policykit.
"""

from datetime import timedelta

from freqtrade.strategy import IStrategy


class AlwaysIn(IStrategy):
    """Enter whenever there is room, leave after HOLD."""

    INTERFACE_VERSION = 3
    HOLD = timedelta(seconds=8)

    timeframe = "1m"
    can_short = False
    minimal_roi = {"0": 10}  # noqa: RUF012 - as freqtrade wants it
    stoploss = -0.05
    order_types = {  # noqa: RUF012
        "entry": "limit",
        "exit": "market",
        "emergency_exit": "market",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_interval": 5,
    }

    def populate_indicators(self, dataframe, metadata):
        """Need none."""
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        """Enter on every candle."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        """Leave by time only."""
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        """Leave after HOLD."""
        return "held long enough" if current_time - trade.open_date_utc > self.HOLD else None

    def leverage(self, pair, current_time, current_rate, proposed_leverage, max_leverage, entry_tag, side, **kwargs):
        """Ask for 2 of contracts; spot has none."""
        return 2.0
