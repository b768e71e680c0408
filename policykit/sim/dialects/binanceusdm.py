"""Binance USD-M futures: Binance's own hosts, as ccxt's `binanceusdm` asks them.

ccxt gives this id all of Binance's URLs, so the main host is api.binance.com here too: what an `--endpoint` prefixes
with `/@host` is the futures' host.
"""

from __future__ import annotations

from typing import ClassVar

from policykit.sim.dialects.binance import SPEECH, Binance


class BinanceUsdm(Binance):
    """The dialect `binanceusdm`."""

    id: ClassVar = "binanceusdm"


DIALECT = BinanceUsdm
__all__ = ["DIALECT", "SPEECH"]
