"""Journals that the page is shown, and the page as a client sees it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from policykit.dashboard.desk import Desk
from policykit.dashboard.server import application
from policykit.store import Observation, open_store
from policykit.store.base import GuardInfo
from tests.journal.conftest import fill
from tests.telemetry.nouns import AT_MS, decision

PORT = 8770
BASE = f"http://127.0.0.1:{PORT}"
#: The pages' clock: 25 seconds after the first row.
NOW_MS = AT_MS + 25_000


class StillClock:
    """A clock that stands."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_ms(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError

    async def asleep(self, seconds: float) -> None:
        raise AssertionError


def uri_of(folder: Path) -> str:
    """Return the URI of the store in a folder."""
    return f"sqlite:///{folder}/store.db"


def made(folder: Path) -> str:
    """Write a journal with one of everything, and return its URI."""
    store = open_store(uri_of(folder))
    fill(store)
    store.close()
    return uri_of(folder)


class Client:
    """Ask the page's application, without a socket between."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._app = application(desk, PORT)

    def catch_up(self) -> None:
        """Let everything be read that there is."""
        while self.desk.advance()[1]:
            pass

    def get(self, path: str, **said: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **said)

    def request(self, method: str, path: str, **said: Any) -> httpx.Response:
        """Return an answer; redirections are not followed."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self._app), base_url=BASE) as client:
                return await client.request(method, path, **said)

        return asyncio.run(ask())


@contextmanager
def page(uri: str, index: Path) -> Iterator[Client]:
    """Yield the page of a store as a client reaches it, with everything read that there is."""
    client = Client(Desk(uri, clock=StillClock(), index=index, patience_s=60))
    try:
        client.catch_up()
        yield client
    finally:
        client.desk.close()


def words(html: str) -> str:
    """Return the text of a page, spaces made one."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text))).strip()


def part(html: str, ident: str) -> str:
    """Return one part of the overview."""
    found = re.search(rf'<(section|form|div)[^>]* id="{ident}" data-part.*?</\1>', html, re.DOTALL)
    assert found is not None, ident
    return found[0]


def policy(**changes: Any) -> dict[str, Any]:
    """Return an effective policy with a few limits, as a guard tells it."""
    risk = {
        "symbols": ["BTC/USDT"],
        "max_order_notional": "1500 USDT",
        "max_position_notional": {"default": "20000 USDT"},
        "max_open_orders": 4,
        "daily_loss": {"limit": "3000 USDT", "day_starts": "00:00 UTC", "on_breach": "reduce_only"},
    }
    return {
        "policykit": 1, "name": "mm", "owner": "desk-a", "exchange": "binance",
        "account": {"name": "main", "currency": "USDT", "max_age": "30s"}, "environment": "live",
        "store": {"share": "host"}, "keys": {"mm-exec": {"purpose": "execution", "scopes": ["read", "trade.spot"]}},
        "risk": risk, "stage": {"current": "full-live", "since": "2026-11-01"}, **changes,
    }  # fmt: skip


def guarded(
    uri: str, *, mode: str = "enforce", beat_ms: int = NOW_MS - 2_000, said: dict[str, Any] | None = None
) -> None:
    """Let a guard have said that it lives, with its policy; and let equity have been read twice today."""
    store = open_store(uri)
    text = json.dumps(policy() if said is None else said)
    store.beat(
        GuardInfo("mm-1", "elsewhere", 7, "binance/main", "mm", "sha256:3f9a01c2d4e5", "mm.yaml", mode, beat_ms, text)
    )
    day_ms = AT_MS - AT_MS % 86_400_000
    for after_ms, equity in ((0, 100_000), (10_000, 99_400)):
        seen = Observation(
            AT_MS + after_ms, AT_MS + after_ms, equity=Decimal(equity), net_transfers=Decimal(0), day_start_ms=day_ms,
            positions={}, marks={"BTC/USDT": Decimal(60_000)}, units={"BTC": Decimal(60_000)},
        )  # fmt: skip
        store.observe("binance/main", seen, AT_MS + after_ms + 1)
    store.close()


def deny(uri: str, count: int, *, start_ms: int = AT_MS, **changes: Any) -> None:
    """Write denials, one each 10 ms; `changes` are of the decision."""
    store = open_store(uri)
    for number in range(count):
        at_ms = start_ms + 10 * number
        ident = f"01JD3V7K2N{number:016d}"
        store.record(replace(decision(ident, **changes), at_ms=at_ms), at_ms)
    store.close()
