"""Binance COIN-M futures: see binance_futures.py."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.binance_futures import BinanceCoinm

ADAPTER: Final = BinanceCoinm()
