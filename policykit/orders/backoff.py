"""How long to wait before the next try: exponential, with jitter, bounded. Pure: chance comes in as an argument."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, NamedTuple

#: Tries after which a wait no longer grows, whatever the factor is.
MAX_DOUBLINGS: Final = 64
#: How much of a wait is random, by the policy's word.
_RANDOM: Final = {"none": 0.0, "equal": 0.5, "full": 1.0}


class Backoff(NamedTuple):
    """The waits of one kind of try. Times in ms."""

    initial_ms: int = 1_000
    factor: Decimal = Decimal(2)
    max_ms: int = 60_000
    jitter: Literal["none", "equal", "full"] = "full"

    def wait_ms(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures in a row; `chance` is a random number from 0 up to 1."""
        if failures <= 0:
            return 0.0
        longest = float(self.max_ms)
        wait = min(float(self.initial_ms), longest)
        for _ in range(min(failures - 1, MAX_DOUBLINGS)):
            wait = min(wait * float(self.factor), longest)
        return wait * (1.0 - _RANDOM[self.jitter] * (1.0 - chance))
