"""A bot as people write them, for `opentelemetry-instrument`: it seeds `random`, and decides in every kind of place.

It writes the trace and span ids that its journal gives, and whether each was decided inside a span of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import threading
from pathlib import Path

from opentelemetry import trace

from policykit.telemetry.rebuild import spans_of
from tests.telemetry.broken_exporter import WISHES, decide, guard_of

random.seed(7)


def main() -> None:
    """Decide at the top, in a span, in a thread, in asyncio and in a forked child; then tell."""
    with tempfile.TemporaryDirectory() as name:
        guard, send = guard_of(Path(name))
        tracer = trace.get_tracer("bot")
        decide(send, WISHES[0])
        with tracer.start_as_current_span("signal"):
            decide(send, WISHES[1])
        thread = threading.Thread(target=decide, args=(send, WISHES[2]))
        thread.start()
        thread.join()

        async def task(number: int) -> None:
            with tracer.start_as_current_span(f"task {number}"):
                await asyncio.sleep(0)
                decide(send, WISHES[1])

        async def both() -> None:
            await asyncio.gather(task(1), task(2))

        asyncio.run(both())
        guard.telemetry.flush()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            decide(send, WISHES[2])
        spans = spans_of(guard.store.rows(0, 10_000))
        told = [(span.trace_id, span.span_id, span.parent_id is not None) for span in spans]
    print(json.dumps([told[-1:] if not child else told, not child]), flush=True)


if __name__ == "__main__":
    main()
    sys.exit()
