"""What a ccxt symbol says of its market."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_SYMBOL: Final = re.compile(r"([^\s/:]{1,30})/([^\s/:]{1,30})(?::([^\s/:-]{1,30})(?:-\S{1,40})?)?\Z")


class Market(NamedTuple):
    """What a ccxt symbol says. `settle` is None on spot."""

    base: str
    quote: str
    settle: str | None


def parse_market(symbol: object) -> Market | None:
    """Read `BTC/USDT`, `BTC/USDT:USDT`, `BTC/USD:BTC-251226`; None for anything else."""
    match = _SYMBOL.match(symbol) if isinstance(symbol, str) else None
    return Market(match[1], match[2], match[3]) if match else None
