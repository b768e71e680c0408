"""Under `opentelemetry-instrument`, with nothing of ours set up: spans arrive at a collector of somebody else's."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.telemetry.taps import free_port

ROOT = Path(__file__).parents[2]
WAIT_S = 30


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
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        bot = await asyncio.create_subprocess_exec(
            command,
            *(sys.executable, "-m", "tests.telemetry.instrumented_bot"),
            cwd=ROOT,
            env={**clean, **chosen},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await bot.communicate()
        assert bot.returncode == 0
        told = sorted((json.loads(line) for line in out.splitlines()), key=lambda line: line[1])
        (parent, _), (child, _) = told
        assert [inside for *_, inside in parent] == [False, True, True, False, True, True]
        assert len(child) == 1
        wanted = {(trace_id, span_id) for trace_id, span_id, _ in parent + child}
        assert len(wanted) == 7
        for trace_id, span_id in wanted:
            span = await receiver.await_trace(lambda s, i=span_id: s.span_id.hex() == i, timeout=WAIT_S)
            assert span.trace_id.hex() == trace_id
