"""What a decision's span, count and silence cost, beside a bare span of OpenTelemetry's SDK with 15 attributes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bench._harness import Row, interleave, row
from policykit.decision import Decision
from policykit.order import Order
from policykit.telemetry import Scope, Telemetry, setup
from policykit.telemetry.relay import Relay

#: Calls between two emptyings of the queue, so that it neither grows nor drops.
EMPTY_EVERY = 4_096
BARE: dict[str, str | float | bool] = {
    "policykit.decision.outcome": "allow",
    "policykit.check.id": "max_notional",
    "policykit.policy.id": "live.yaml",
    "policykit.policy.version": "sha256:abcdef012345",
    "policykit.stage": "live",
    "policykit.exchange.name": "binance",
    "policykit.account.alias": "main",
    "trading.order.symbol": "BTC/USDT",
    "trading.order.side": "buy",
    "trading.order.type": "limit",
    "trading.order.quantity": 0.5,
    "trading.order.price": 60100.0,
    "trading.order.notional": 30050.0,
    "policykit.state.age": 3.2,
    "policykit.shadow": False,
}


class _Unstarted(Relay):
    """A queue whose thread never starts: what is measured is the caller's part alone."""

    def _start(self) -> None:
        return


def _deferred(telemetry: Telemetry, queue: Relay, decision: Decision, scope: Scope) -> Callable[[], object]:
    left = EMPTY_EVERY

    def call() -> None:
        nonlocal left
        telemetry.record(decision, scope, duration_ns=40_000)
        left -= 1
        if not left:
            left = EMPTY_EVERY
            queue._jobs.clear()

    return call


def rows() -> list[Row]:
    """Return the rows of SPEED that are about spans and metrics."""
    price, quantity = Decimal(60_100), Decimal("0.5")
    order = Order("BTC/USDT", "buy", "limit", quantity, price)
    version = "sha256:abcdef012345"
    decision = Decision("01JD3V7K2M0000000000000001", "allow", "enforce", "order.create", order, "mm", version, "b", 0)
    decision.notional, decision.seq, decision.facts_age_s = price * quantity, 7, 0.4
    scope = Scope(exchange="binance", account="main", stage="live", backend="memory", key="k", currency="USDT")
    provider = setup.configure(install=False)
    bare = provider.get_tracer("bench")
    at_once = Telemetry(tracer_provider=provider, relay=Relay(deferred=False))
    queue = _Unstarted()
    later = Telemetry(tracer_provider=provider, relay=queue)
    silent = Telemetry(relay=_Unstarted())
    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    counter = meter.create_counter("bench.decisions")
    labels = {"outcome": "allow", "action": "order.create", "stage": "live"}
    figures = interleave(
        {
            "bare span": lambda: bare.start_span("policykit.order", attributes=BARE).end(),
            "at once": lambda: at_once.record(decision, scope, duration_ns=40_000),
            "deferred": _deferred(later, queue, decision, scope),
            "no provider": lambda: silent.record(decision, scope, duration_ns=40_000),
            "counter.add": lambda: counter.add(1, labels),
            "plain int": lambda: silent.counters.allowed("order.create", "enforce", "live"),
        }
    )
    note = "21 attributes against 15"
    return [
        row("span of a decision, made at once", figures, "at once", "bare span", 1.2, note=note),
        row("span of a decision, deferred: the caller's part", figures, "deferred", "bare span", 0.1),
        row("telemetry of a decision without a provider", figures, "no provider", "bare span", 0.05),
        row("counting a decision in a plain int", figures, "plain int", "counter.add", 0.1),
    ]
