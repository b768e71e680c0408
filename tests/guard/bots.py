"""One face for a sync and an async client of stock ccxt, so that what is true of both is told once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from policykit.guard import Guard
from tests.guard.world import World

#: Both kinds of client.
KINDS = ("sync", "async")


class Bot:
    """A bot's client; a coroutine method is run to its end on the bot's own event loop."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **more: self.run(found(*args, **more))

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the bot's loop."""
        return self._runner.run(coroutine)


@contextmanager
def bot(world: World, kind: str, guard: Guard | None = None, **config: Any) -> Iterator[Bot]:
    """Give a bot: stock ccxt, behind a guard if there is one."""
    with asyncio.Runner() as runner:
        client = world.sim.client(async_=kind == "async", **config)
        made = Bot(client if guard is None else guard.protect(client), runner)
        try:
            yield made
        finally:
            if kind == "async":
                made.run(client.close())
