"""The pytest fixture `policykit_sim`; pytest finds it by itself once policykit is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from policykit.testing import Sim


@pytest.fixture
def policykit_sim() -> Iterator[Sim]:
    """Give a started simulated exchange whose clock is a SimClock: waits cost no wall time."""
    from policykit.testing import Sim, SimClock

    with Sim(clock=SimClock()) as sim:
        yield sim
