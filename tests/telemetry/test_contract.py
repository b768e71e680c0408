"""The contract: real OTLP over HTTP to a receiver that shares no code with us, and the span as it arrives there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from policykit.telemetry import Telemetry, names, setup
from policykit.telemetry.relay import Relay
from tests.telemetry.nouns import NOTIONAL, POSITION, STORE_DOWN, decision, intent, scope

WAIT_S = 20
KINDS = {
    "string": "string_value",
    "string[]": "array_value",
    "int": "int_value",
    "double": "double_value",
    "bool": "bool_value",
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def collector() -> AsyncIterator[tuple[OtelTapHttpProtobufReceiver, str]]:
    """Run the receiver on a free port of loopback; return it with its origin."""
    port = _free_port()
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port, listen_on_all_interfaces=False)
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        yield receiver, f"http://127.0.0.1:{port}"


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)


async def _sent(collector: tuple[OtelTapHttpProtobufReceiver, str], *given: Any) -> list[Span]:
    """Record decisions and sends, export them, return the spans as they arrived, in order of their start."""
    receiver, origin = collector
    provider = setup.configure(origin, install=False)
    clock = iter(range(1, 100))
    telemetry = Telemetry(
        tracer_provider=provider, relay=Relay(deferred=False), now_ns=lambda: next(clock) * 1_000_000_000
    )
    names_of = []
    for each, name in given:
        names_of.append(name)
        if hasattr(each, "outcome"):
            telemetry.record(each, scope(), duration_ns=40_000, intent=intent() if each.outcome == "allow" else None)
        else:
            telemetry.sent(each, scope(), duration_ns=80_000_000)

    def named(name: str) -> Callable[[Span], bool]:
        return lambda span: span.name == name

    waits = [asyncio.create_task(receiver.await_trace(named(name), timeout=WAIT_S)) for name in names_of]
    await asyncio.sleep(0)
    assert await asyncio.to_thread(provider.force_flush)
    spans = list(await asyncio.gather(*waits))
    assert await asyncio.to_thread(setup.shutdown, provider)
    return spans


async def test_a_denied_order_arrives_as_telemetry_md_says(collector: Any) -> None:
    """The denial's span on the wire: name, kind, status Unset, no events, every attribute with its type and value."""
    (span,) = await _sent(collector, (decision(reasons=(NOTIONAL, POSITION)), "policykit.decide order.create"))
    assert (span.kind, span.status.code, span.status.message) == (Span.SPAN_KIND_INTERNAL, Status.STATUS_CODE_UNSET, "")
    assert (list(span.events), list(span.links), span.parent_span_id) == ([], [], b"")
    assert span.end_time_unix_nano - span.start_time_unix_nano == 40_000
    assert {item.key: _value(item.value) for item in span.attributes} == {
        "policykit.decision.id": "01JD3V7K2M0000000000000001",
        "policykit.decision.outcome": "deny",
        "policykit.decision.reason.code": "RISK_ORDER_NOTIONAL",
        "policykit.decision.reason.message": "order notional 30000 USDT is over max_order_notional 1500 USDT",
        "policykit.check.id": "risk.max_order_notional",
        "policykit.decision.failed_checks": ["risk.max_order_notional", "risk.max_position_notional"],
        "policykit.check.observed": "30000",
        "policykit.check.limit": "1500",
        "policykit.check.unit": "USDT",
        "policykit.action": "order.create",
        "policykit.enforcement.mode": "enforce",
        "policykit.stage": "full-live",
        "policykit.policy.id": "mm",
        "policykit.policy.version": "sha256:3f9a01c2d4e5",
        "policykit.exchange.name": "binance",
        "policykit.account.alias": "main",
        "policykit.key.name": "mm-exec",
        "policykit.bot": "mm-1",
        "policykit.state.backend": "sqlite",
        "policykit.state.age": 0.4,
        "policykit.journal.seq": 4211,
        "trading.order.symbol": "BTC/USDT",
        "trading.order.side": "buy",
        "trading.order.type": "limit",
        "trading.order.quantity": "0.01",
        "trading.order.price": "60000",
        "trading.order.notional": 600.0,
        "trading.order.quote_currency": "USDT",
    }


async def test_types_on_the_wire_are_those_of_the_table(collector: Any) -> None:
    """Each attribute that arrives has the type that docs/telemetry.md gives it: a quantity is text, never a double."""
    failed = decision(reasons=(STORE_DOWN,))
    (span,) = await _sent(collector, (failed, "policykit.decide order.create"))
    assert span.status.code == Status.STATUS_CODE_ERROR
    table = {a.name: KINDS[a.type] for a in names.ATTRIBUTES}
    arrived = {item.key: item.value.WhichOneof("value") for item in span.attributes}
    assert arrived == {key: table[key] for key in arrived}


async def test_an_allowed_order_and_its_send_arrive_as_one_trace(collector: Any) -> None:
    """Decision and send have one trace id, the send is the child, kind CLIENT, and carries the outcome."""
    back = intent(state="acknowledged", order_id="881723", filled=Decimal("0.01"))
    decided, sent = await _sent(
        collector, (decision(), "policykit.decide order.create"), (back, "policykit.send order.create")
    )
    assert (sent.trace_id, sent.parent_span_id) == (decided.trace_id, decided.span_id)
    assert (decided.kind, sent.kind) == (Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT)
    said = {item.key: _value(item.value) for item in sent.attributes}
    assert (said["trading.order.id"], said["trading.order.status"], said["policykit.order.state"]) == (
        "881723",
        "filled",
        "acknowledged",
    )
    ours = {item.key: _value(item.value) for item in decided.attributes}
    assert ours["trading.order.client_id"] == said["trading.order.client_id"] == "pk01JD3V7K2M0000000000000001"
