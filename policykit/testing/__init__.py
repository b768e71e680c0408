"""Helpers for the tests of your own bots: a simulated exchange that stock ccxt trades on.

    from policykit.testing import Sim, SimClock

    def test_my_bot():
        with Sim(clock=SimClock(), seed=7, faults=[{"at": "order", "do": "lost_reply", "when": [1]}]) as sim:
            my_bot.run(sim.client())
            assert sim.truth.duplicates() == 0

The pytest fixture `policykit_sim` is the same, started on a simulated clock.
"""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

from policykit.sim import Fault, LimitSizes, SimClock, SimServer

__all__ = ["Fault", "LimitSizes", "Sim", "SimClock", "SimServer", "point"]


class Sim(SimServer):
    """A `SimServer` that also makes the clients which trade on it."""

    def client(self, async_: bool = False, **config: Any) -> Any:
        """Make a stock ccxt client of this exchange, with the run's key; an async one is yours to close."""
        module = importlib.import_module("ccxt.async_support" if async_ else "ccxt")
        settings = {"apiKey": self.key, "secret": self.secret, "enableRateLimit": False, **config}
        client = getattr(module, self.dialect)(settings)
        point(client, self.url)
        if isinstance(self.clock, SimClock):
            self.clock.follow(client)
        return client


def point(client: Any, origin: str) -> Any:
    """Send every API URL of a ccxt client to an origin, paths kept; return the client.

    The exchange's first host keeps its paths as they are; other hosts come as a prefix: `/@fapi.binance.com/fapi/v1`.
    """
    urls = client.urls["api"]
    main = _main_host(urls)
    client.urls["api"] = _moved(urls, origin.rstrip("/"), main)
    return client


def _main_host(urls: Any) -> str:
    if isinstance(urls, dict):
        first = urls.get("private") or urls.get("public") or next(iter(urls.values()))
        return _main_host(first)
    return urlsplit(str(urls)).netloc


def _moved(urls: Any, origin: str, main: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(url, origin, main) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    parts = urlsplit(urls)
    return origin + ("" if parts.netloc == main else f"/@{parts.netloc}") + parts.path
