"""Binance USD-M futures: see binance_futures.py."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.binance_futures import BinanceUsdm

ADAPTER: Final = BinanceUsdm()
