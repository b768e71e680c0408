"""Binance's DAPI alone: see binance.py."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.cancelling.base import Cancelling
from policykit.exchanges.cancelling.binance import DAPI, INVERSE, futures

CANCELLING: Final = Cancelling(calls=DAPI, families=futures(INVERSE))
