"""A bot of the desk (`desk.py`): trades, is denied in several ways, and loses sight of one order, until told to end.

Its metrics can be scraped from DESK_METRICS (a port) if OpenTelemetry's Prometheus exporter can be imported; its spans
go where POLICYKIT_OTLP says, those of a step in one of the bot's own. It ends when its standard input does. With
DESK_CAREFUL it takes no store that forgets.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import ExitStack, suppress
from typing import Any

import ccxt
import websockets.sync.client
from opentelemetry import trace

from policykit import Guard, OutcomeUnknown
from policykit.testing import point

STEP_S = 0.4
SYMBOL, LOST = "BTC/USDT", "ETH/USDT"


def scraped(port: int) -> None:
    """Serve OpenTelemetry's metrics to Prometheus, as an application of its own does."""
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import start_http_server

    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start_http_server(port, addr="127.0.0.1")


def client_of(url: str) -> Any:
    """Return a stock ccxt client of the simulated exchange."""
    keys = {"apiKey": os.environ["MM_EXEC_API_KEY"], "secret": os.environ["MM_EXEC_API_SECRET"]}
    return point(ccxt.binance({**keys, "enableRateLimit": False}), url)


def attempt(client: Any, *order: Any) -> None:
    """Place an order; whatever becomes of it is in the journal."""
    with suppress(ccxt.BaseError):
        client.create_order(*order)


def step(client: Any, number: int) -> None:
    """Buy a little; now and then ask for what the policy denies, and cancel what rests."""
    try:
        ask = client.fetch_ticker(SYMBOL)["ask"]
    except ccxt.BaseError:
        ask = 50_000  # the exchange lets nobody look: what is asked for now is denied
    attempt(client, SYMBOL, "limit", "buy", 0.004, round(ask * (1.001 if number % 3 else 0.97), 2))
    if number % 4 == 0:
        attempt(client, SYMBOL, "limit", "buy", 1, ask)
    if number % 5 == 0:
        attempt(client, SYMBOL, "market", "buy", 0.001)
    if number % 6 == 0:
        attempt(client, "SOL/USDT", "limit", "buy", 1, 20)
    if number % 7 == 0:
        with suppress(ccxt.BaseError):
            for order in client.fetch_open_orders(SYMBOL)[:3]:
                client.cancel_order(order["id"], SYMBOL)


def listen(stream: Any) -> None:
    """Take a stream's messages until it ends."""
    with suppress(Exception):
        for _ in stream:
            pass


def trade(guard: Guard, url: str, ws_url: str) -> None:
    """Trade until the standard input ends."""
    with ExitStack() as stack:
        stack.enter_context(guard)
        client = guard.protect(client_of(url))
        client.load_markets()
        if ws_url:
            with suppress(OutcomeUnknown), trace.get_tracer("desk").start_as_current_span("bot.step"):
                ask = client.fetch_ticker(LOST)["ask"]
                client.create_order(LOST, "limit", "buy", 0.1, ask)
            address = f"{ws_url}/ws/btcusdt@bookTicker"
            stream = guard.stream("prices", lambda: websockets.sync.client.connect(address), quiet=True)
            threading.Thread(target=listen, args=(stack.enter_context(stream),), daemon=True).start()
        print("trading", flush=True)
        number, tracer = 0, trace.get_tracer("desk")
        while not select.select([sys.stdin], [], [], STEP_S)[0]:
            with tracer.start_as_current_span("bot.step"):
                step(client, number)
            number += 1


def main() -> int:
    """Trade: policy, origin, origin of streams (or nothing), candidate policy (or nothing)."""
    policy, url, ws_url, candidate = sys.argv[1:]
    if "DESK_METRICS" in os.environ:
        scraped(int(os.environ["DESK_METRICS"]))
    trade(
        Guard.load(policy, endpoint=url, testing="DESK_CAREFUL" not in os.environ, shadow=candidate or None),
        url,
        ws_url,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
