"""A trading process of its own: `python -m tests.stories.trader URL ORDERS MODE [POLICY STORE]`; prints what was sent.

MODE is bare or guarded, with `-async` for a client of asyncio. It reads its key from the environment, as a bot does,
and waits for a line on stdin to start.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

import ccxt.async_support

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.testing import point


def main(url: str, orders: int, mode: str, *where: str) -> None:
    """Buy 0.005 BTC at 60,000 (300 USDT) so many times, and say how many were sent and why the others were not."""
    from os import environ

    kind = ccxt.async_support if mode.endswith("-async") else ccxt
    client = point(kind.binance({"apiKey": environ["MM_EXEC_API_KEY"], "secret": environ["MM_EXEC_API_SECRET"]}), url)
    client.enableRateLimit = False
    if mode.startswith("guarded"):
        Guard.load(where[0], store=where[1], testing=True).protect(client)
    with asyncio.Runner() as runner:

        def done(called: Any) -> Any:
            return runner.run(called) if inspect.iscoroutine(called) else called

        try:
            _trade(client, orders, done)
        finally:
            if mode.endswith("-async"):
                done(client.close())


def _trade(client: Any, orders: int, done: Callable[[Any], Any]) -> None:
    done(client.load_markets())
    print("ready", flush=True)
    sys.stdin.readline()
    said = []
    for _ in range(orders):
        try:
            done(client.create_order("BTC/USDT", "limit", "buy", 0.005, 60_000))
            said.append("sent")
        except Denied as denied:
            said.append(denied.decision.reasons[0].code)
    print(" ".join(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
