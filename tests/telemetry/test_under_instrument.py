"""Under `opentelemetry-instrument`, with nothing of ours set up: spans arrive at a collector of somebody else's."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.telemetry.taps import free_port

ROOT = Path(__file__).parents[2]
WAIT_S = 60
#: Six of the bot, one of its child.
SPANS = 7


async def test_I17_a_bot_under_opentelemetry_instrument_has_the_journals_ids() -> None:
    """A real bot that seeds `random`: in a span, a thread, asyncio, a forked child; ids as its journal's."""
    port = free_port()
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port, listen_on_all_interfaces=False)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "POLICYKIT"))}
    chosen = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_TRACES_EXPORTER": "policykit",
        "OTEL_PYTHON_ID_GENERATOR": "policykit",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    arrived: set[tuple[str, str]] = set()

    def take(span: Span) -> bool:
        if span.name.startswith("policykit."):
            arrived.add((span.trace_id.hex(), span.span_id.hex()))
        return len(arrived) == SPANS

    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        waiting = asyncio.create_task(receiver.await_trace(take, timeout=WAIT_S))
        await asyncio.sleep(0)
        bot = await asyncio.create_subprocess_exec(
            command,
            *(sys.executable, "-m", "tests.telemetry.instrumented_bot"),
            cwd=ROOT,
            env={**clean, **chosen},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await bot.communicate()
        await waiting
    assert bot.returncode == 0
    (parent, _), (child, _) = sorted((json.loads(line) for line in out.splitlines()), key=lambda line: line[1])
    assert [inside for *_, inside in parent] == [False, True, True, False, True, True]
    assert len(child) == 1
    assert arrived == {(trace_id, span_id) for trace_id, span_id, _ in parent + child}
