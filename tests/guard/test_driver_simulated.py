"""I1 through the whole driver in one thread: real client, gate, engine and store, policykit's sim, one seed a run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from http.client import responses
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import ccxt
import pytest
import requests

from policykit.errors import Denied, OutcomeUnknown
from policykit.guard.admission import CURRENT, DRIVING
from policykit.sim import LimitSizes
from policykit.sim.dialects.base import Request
from policykit.sim.http import _split_host
from policykit.store.memory import MemoryStore
from policykit.testing import Sim
from tests.guard.processes import LOOKS, untrue, wished
from tests.guard.world import SYMBOL, World, policy_text

TEXT = policy_text(weight=900_000_000, open=9_000_000, orders=9_000_000, position="90000 USDT")
FAULTS: tuple[dict[str, Any], ...] = (
    {"at": "order", "do": "lost_reply", "ratio": 0.1},
    {"at": "order", "do": "drop", "ratio": 0.05},
    {"at": "order", "do": "late", "ratio": 0.1, "wire": 2, "delay": 1, "processing": 9},
    {"at": "order", "do": "unknown", "ratio": 0.05},
    {"at": "order", "do": "throttle", "ratio": 0.03, "seconds": 3},
    {"at": "order", "do": "garbage", "ratio": 0.03},
    {"at": "order", "do": "clock", "ratio": 0.02},
    {"at": "order", "do": "lag", "ratio": 0.5, "seconds": 2},
    {"at": "lookup", "do": "drop", "ratio": 0.1},
)
SIZE = 0.0002
CHUNK = 100
#: Of a hundred requests so many find their process dead before them, and as many after.
DEATHS = 1
Start = Callable[..., World]


class Died(BaseException):
    """The process is gone."""


class InProcess(requests.adapters.BaseAdapter):
    """Hands each request to the simulated exchange without a socket; the process dies beside some of them."""

    def __init__(self, sim: Sim, chance: random.Random | None = None) -> None:
        super().__init__()
        self.sim, self.chance = sim, chance

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        parts, body = urlsplit(str(request.url)), request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        host, path = _split_host(parts.path)
        asked = Request(str(request.method), host, unquote(path), parts.query, text, headers, "127.0.0.1")
        self._perhaps()
        reply = self.sim.handle(asked).reply
        self._perhaps()
        if reply is None:
            raise requests.exceptions.ConnectionError("Connection aborted.")
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = reply.status, request, str(request.url)
        answer.reason = responses.get(reply.status, "")
        answer.headers.update(reply.headers)
        answer._content = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        return answer

    def _perhaps(self) -> None:
        if self.chance is not None and self.chance.randrange(100) < DEATHS:
            raise Died

    def close(self) -> None:
        """Nothing is open."""


def client_of(world: World, chance: random.Random | None = None) -> Any:
    """Make a stock client whose requests stay in the process."""
    client = world.sim.client()
    client.session.mount("http://", InProcess(world.sim, chance))
    return client


def trade(world: World, store: MemoryStore, prices: range, chance: random.Random) -> int:
    """Bring each wish to its end, starting anew after each death; return the deaths."""
    deaths, markets, todo = 0, client_of(world).load_markets(), list(prices)
    while todo:
        guard, reader = world.guard(store=store, ready=False), client_of(world)
        client = client_of(world, chance)
        client.set_markets(markets)
        guard.protect(client)
        try:
            while todo:
                _bring(world, guard, client, reader, todo[0])
                todo.pop(0)
        except Died:
            deaths += 1
            CURRENT.set(None)
        DRIVING.clear()
    return deaths


def _bring(world: World, guard: Any, client: Any, reader: Any, price: int) -> None:
    for _ in range(LOOKS):
        if wished(guard, price):
            return
        with suppress(Denied, OutcomeUnknown, ccxt.BaseError):
            client.create_order(SYMBOL, "limit", "buy", SIZE, price)
            return
        world.clock.advance(5)
        guard.maintain(reader)
    raise AssertionError(f"the wish at {price} never passed")


def run(start: Start, seed: int, wishes: int) -> tuple[World, list[tuple[str, int]], list[str], int]:
    """Run one seed; return the world, what executed when, what is wrong, and how often the process died."""
    limits = LimitSizes(weight_1m=900_000_000, orders_10s=100_000)
    world = start(*FAULTS, text=TEXT, limits=limits, seed=seed)
    store = MemoryStore()
    deaths = trade(world, store, range(50_000, 50_000 + wishes), random.Random(seed))
    world.clock.advance(120)
    guard, reader = world.guard(store=store, ready=False), client_of(world)
    for _ in range(2):
        guard.maintain(reader)
    DRIVING.clear()
    truth = world.sim.truth
    wrong = untrue(guard, truth) + [f"{tag} was executed {n} times" for tag, n in truth.per_tag().items() if n != 1]
    world.sim.close()
    return world, [(order.tag, order.time_ms) for order in truth.executed], wrong, deaths


def test_I1_one_seed_through_the_whole_driver(start: Start, tier: Callable[[int, int], int]) -> None:
    """Under every fault, and dying beside requests, each wish executes exactly once, and the store knows which did."""
    wishes, deaths = tier(100, 20_000), 0
    for seed in range(wishes // CHUNK):
        world, executed, wrong, died = run(start, seed, CHUNK)
        assert wrong == [], f"seed {seed}"
        assert len(executed) == CHUNK
        assert world.sim.truth.cut > 10
        deaths += died
    assert deaths > 0


def test_I1_one_seed_replays_the_whole_driver_exactly(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed executes the same orders at the same moments; back-off that is drawn at random is drawn from it."""
    runs = []
    for _ in range(2):
        drawn = SimpleNamespace(Random=random.Random, SystemRandom=lambda: random.Random(7))
        monkeypatch.setattr("policykit.guard.reading.random", drawn)
        runs.append(run(start, 7, 30)[1:])
    assert runs[0] == runs[1]


def test_I1_control_the_same_bot_without_it_sends_twice(start: Start) -> None:
    """The check can fail: a stock client that looks, and sends again what it does not see."""
    world = start(*FAULTS)
    client = client_of(world)
    client.load_markets()
    for price in range(50_000, 50_030):
        for _ in range(5):
            with suppress(ccxt.BaseError):
                if any(order["price"] == price for order in client.fetch_open_orders(SYMBOL)):
                    break
                client.create_order(SYMBOL, "limit", "buy", SIZE, price)
                break
            world.clock.advance(1)
    assert world.sim.truth.duplicates() > 0
