"""I23 at the guard: canaries as key and secret, every failure point over HTTP; nothing that leaves holds a piece."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from opentelemetry.sdk.trace import TracerProvider

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.guard.halt import cancel_entries
from policykit.redact import Secret
from policykit.sim import SimKey
from policykit.telemetry import Telemetry
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.canary import assert_clean, canaries, leaks
from tests.guard.world import SYMBOL, World, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
FAULTS: list[dict[str, Any]] = [
    {"do": "lost_reply"},
    {"do": "drop"},
    {"do": "unknown"},
    {"do": "timeout"},
    {"do": "throttle", "seconds": 1},
    {"do": "ban", "seconds": 120},
    {"do": "clock"},
    {"do": "rejected_key"},
    {"do": "duplicate"},
    {"do": "garbage", "status": 502},
    {"do": "garbage", "status": 200},
]
POINTS = ("order", "cancel", "lookup", "account", "market", "other")


class Told(logging.Handler):
    """Everything that is logged, by anybody, at any level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.__dict__.get('attributes')} {record.exc_info}")


@pytest.fixture
def told() -> Any:
    """Listen to every logger."""
    handler, root = Told(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


def drive(guard: Guard, client: Any, birds: list[str]) -> list[str]:
    """Do what a bot does, and some that it should not; return the text of everything that came out."""
    out: list[str] = []

    @enforce("order.create", guard=guard)
    def broken(symbol: str, side: str, amount: float, price: float) -> Any:
        raise RuntimeError(f"key={birds[0]} signature={birds[1]}")

    attempts: list[Callable[[], Any]] = [
        lambda: client.create_order(*BUY),
        lambda: client.create_order(SYMBOL, "market", "sell", 0.001),
        lambda: client.create_order(*BUY, {"quantity": "9"}),
        lambda: client.create_order(*BUY, {"recvWindow": 60_000}),
        lambda: client.private_post_order({"symbol": "BTCUSDT", "note": birds[0]}),
        lambda: client.cancel_order("1", SYMBOL),
        lambda: client.cancel_all_orders(SYMBOL),
        client.fetch_balance,
        lambda: client.fetch_open_orders(SYMBOL),
        lambda: client.fetch(client.urls["api"]["private"] + f"/order?apiKey={birds[0]}&signature={birds[1]}", "POST"),
        lambda: cancel_entries(guard, client),
        guard.maintain,
    ]
    for attempt in attempts:
        try:
            out.append(repr(attempt()))
        except Exception as error:
            out += [str(error), repr(error), *(repr(chained) for chained in (error.__cause__, error.__context__))]
            if error.__context__ is None or error.__suppress_context__:
                out.append("".join(traceback.format_exception_only(error)))
    with suppress(RuntimeError, Denied):  # the bot's own text is the bot's; what is kept of it is looked at below
        broken(SYMBOL, "buy", 0.001, 50_000)
    return out


def everything(guard: Guard, folder: Path, collector: Collector) -> list[str]:
    """Return all that policykit keeps or sends: journal, files, spans, reprs."""
    out = [f"{span.name} {dict(span.attributes or {})} {span.status.description}" for span in collector.spans]
    out += [repr(guard), repr(guard.store), repr(guard.policy), repr(guard.__dict__), repr(guard.store.intents())]
    out += [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]
    return out


@pytest.mark.parametrize("point", POINTS)
def test_I23_no_secret_out_of_any_failure(
    start: Callable[..., World], told: list[str], tier: Callable[[int, int], int], point: str
) -> None:
    """Faults at each point of the exchange, in turn: texts, chains, logs, journal, spans, files, reprs are clean."""
    first = POINTS.index(point) * 2
    text = policy_text(absent="hold", position="200% of equity")
    for number in range(first, first + tier(4, len(FAULTS) * 100)):
        birds = canaries(seed=number, count=2)
        fault = {"at": point, "when": [1 + number // len(FAULTS) % 5, 2, 3]} | FAULTS[number % len(FAULTS)]
        world = start(fault, balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, text=text)
        world.sim.adopt(SimKey(**_fields(world.sim.main_key) | {"key": birds[0], "secret": birds[1]}))
        collector, provider = Collector(), TracerProvider()
        provider.add_span_processor(collector)
        guard = world.guard(ready=False)
        guard.telemetry = Telemetry(tracer_provider=provider, relay=Relay(deferred=False))
        Secret(birds[0]), Secret(birds[1])
        client = world.protected(guard, apiKey=birds[0], secret=birds[1])
        guard.maintain(client)
        said = "\n".join([*drive(guard, client, birds), *everything(guard, world.policy.parent, collector), *told])
        assert_clean(said, birds)
        told.clear()
        guard.store.close()
        world.sim.close()


def _fields(key: SimKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in SimKey.__dataclass_fields__}


def test_control_stock_ccxt_does_leak(start: Callable[..., World]) -> None:
    """The check can fail: the exception of a bare client that cannot connect holds the signed URL."""
    birds = canaries(seed=3, count=2)
    world = start()
    client = world.sim.client(apiKey=birds[0], secret=birds[1])
    guard = world.guard(ready=False)
    world.sim.close()
    url = client.urls["api"]["private"]
    with pytest.raises(ccxt.BaseError) as error:
        client.fetch(f"{url}/account?apiKey={birds[0]}", "GET")
    assert leaks(str(error.value), birds)
    Secret(birds[0])
    with pytest.raises(ccxt.BaseError) as error:
        guard.protect(client).fetch(f"{url}/account?apiKey={birds[0]}", "GET")
    assert_clean(str(error.value), birds)
