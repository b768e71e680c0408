"""One exchange a test, or several: `start(fault, ...)` gives each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from policykit.guard import Guard
from tests.guard.bots import KINDS, Bot, bot
from tests.guard.world import World, world


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Give a starter of simulated exchanges, each in a folder of its own; all are stopped at the end."""
    with ExitStack() as stack:

        def begin(*faults: dict[str, Any], **more: Any) -> World:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(world(folder, *faults, **more))

        yield begin


@pytest.fixture(params=KINDS)
def trading(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bot]]:
    """Give stock ccxt: `trading(world)` bare, `trading(world, guard)` behind the policy; sync and async."""
    with ExitStack() as stack:

        def make(world: World, guard: Guard | None = None, **config: Any) -> Bot:
            return stack.enter_context(bot(world, request.param, guard, **config))

        yield make
