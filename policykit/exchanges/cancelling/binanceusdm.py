"""Binance's FAPI alone: see binance.py."""

from __future__ import annotations

from typing import Final

from policykit.exchanges.cancelling.base import Cancelling
from policykit.exchanges.cancelling.binance import FAPI, LINEAR, futures

CANCELLING: Final = Cancelling(calls=FAPI, families=futures(LINEAR))
