"""Binance COIN-M futures, ccxt's `binancecoinm`: Binance's account and keys, a host and limits of its own.

Sources: binance_futures.py and binance.py (read 2026-11).
"""

from __future__ import annotations

from typing import Final

from policykit.traits import binance, binance_futures
from policykit.traits.base import Exchange

EXCHANGE: Final[Exchange] = binance_futures.exchange(binance.EXCHANGE, "binancecoinm", "dapi")
