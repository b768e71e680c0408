"""What is traded in the simulation, and the seeded path that its prices follow."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

#: Periods of the price noise, seconds, and the share of the amplitude each one carries.
_OCTAVES = ((3, 0.1), (17, 0.2), (61, 0.3), (307, 0.4))
#: Prices change at whole multiples of this.
STEP_MS = 500


@dataclass(frozen=True, slots=True)
class Symbol:
    """One spot pair with the filters that orders must pass."""

    base: str
    quote: str
    start_price: Decimal
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    max_quantity: Decimal = Decimal(9000)
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1000000)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9000000)
    half_spread: Decimal = Decimal("0.0001")

    @property
    def name(self) -> str:
        """The pair as people write it: `BTC/USDT`."""
        return f"{self.base}/{self.quote}"

    @property
    def id(self) -> str:
        """The pair as Binance writes it: `BTCUSDT`."""
        return self.base + self.quote


#: The pairs of every simulated exchange unless told otherwise.
DEFAULT_SYMBOLS = (
    Symbol("BTC", "USDT", Decimal(60000)),
    Symbol("ETH", "USDT", Decimal(3000), step=Decimal("0.0001"), min_quantity=Decimal("0.0001")),
)


class PricePath:
    """Mid prices as a pure function of seed, symbol and time: a replay sees the same market whatever it asks when.

    `amplitude` is the largest move away from the start price, as a share of it; 0 gives a flat market.
    """

    def __init__(self, seed: int, amplitude: float = 0.01) -> None:
        self._seed = seed
        self._amplitude = amplitude
        self._fixed: dict[str, Decimal] = {}

    def pin(self, symbol: Symbol, price: Decimal | None) -> None:
        """Hold a symbol's mid price at a value, or let it follow the path again with None."""
        if price is None:
            self._fixed.pop(symbol.id, None)
        else:
            self._fixed[symbol.id] = price

    def mid(self, symbol: Symbol, at_ms: int) -> Decimal:
        """Return the mid price at a time, on the symbol's tick."""
        fixed = self._fixed.get(symbol.id)
        if fixed is not None:
            return fixed
        return _mid(self._seed, self._amplitude, symbol, at_ms // STEP_MS)

    def touch(self, symbol: Symbol, at_ms: int) -> tuple[Decimal, Decimal]:
        """Return best bid and best ask."""
        mid = self.mid(symbol, at_ms)
        away = floor_to(mid * symbol.half_spread, symbol.tick) or symbol.tick
        return mid - away, mid + away


@functools.lru_cache(maxsize=65_536)
def _mid(seed: int, amplitude: float, symbol: Symbol, step: int) -> Decimal:
    seconds = step * STEP_MS / 1000
    move = sum(share * _noise(seed, symbol.id, period, seconds / period) for period, share in _OCTAVES)
    return floor_to(symbol.start_price * Decimal(repr(1 + amplitude * move)), symbol.tick)


def _noise(seed: int, name: str, period: int, x: float) -> float:
    """Return smooth noise in [-1, 1]: seeded values at whole x, eased between them."""
    left = int(x)
    part = x - left
    eased = part * part * (3 - 2 * part)
    a, b = _lattice(seed, name, period, left), _lattice(seed, name, period, left + 1)
    return a + (b - a) * eased


@functools.lru_cache(maxsize=65_536)
def _lattice(seed: int, name: str, period: int, k: int) -> float:
    return random.Random(f"{seed}/{name}/{period}/{k}").uniform(-1, 1)  # noqa: S311 - a price path, not a secret


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of a step."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step
