"""Helpers for the tests of your own bots: a simulated exchange that stock ccxt trades on.

    from policykit.testing import Sim, SimClock

    def test_my_bot():
        with Sim(clock=SimClock(), seed=7, faults=[{"at": "order", "do": "lost_reply", "when": [1]}]) as sim:
            my_bot.run(sim.client())
            assert sim.truth.duplicates() == 0

The pytest fixture `policykit_sim` is the same, started on a simulated clock.
"""

from __future__ import annotations

from typing import Any

from policykit.exchanges import client as _clients
from policykit.exchanges.imports import exchange_class
from policykit.sim import Fault, LimitSizes, SimClock, SimKey, SimServer, Symbol, terms

__all__ = ["Fault", "LimitSizes", "Sim", "SimClock", "SimKey", "SimServer", "Symbol", "point", "terms"]


class Sim(SimServer):
    """A `SimServer` that also makes the clients which trade on it."""

    def client(self, async_: bool = False, *, pro: bool = False, **config: Any) -> Any:
        """Make a stock ccxt client of this exchange, with the run's key; an async one is yours to close.

        `pro`: the async client of ccxt.pro, which watches streams as well; they are told of in `policykit.sim.streams`.
        On a simulated clock the client signs with that clock's time. Its own throttler is off unless asked for.
        """
        settings = {"apiKey": self.key, "secret": self.secret, "enableRateLimit": False, **config}
        client = point(exchange_class(self.dialect, asynchronous=async_, pro=pro)(settings), self.url)
        if isinstance(self.clock, SimClock):
            self.clock.follow(client)
        return client


def point(client: Any, origin: str) -> Any:
    """Send every API URL of a ccxt client to an origin, paths kept; return the client.

    The exchange's main host keeps its paths as they are; others come as a prefix: `/@fapi.binance.com/fapi/v1`.
    """
    _clients.point(client, origin)
    return client
