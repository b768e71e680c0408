"""Export through a collector that others wrote (rotel, PyPI), and scrub what OpenTelemetry's instrumentations write.

1. `policykit journal export --otlp` sends a journal's spans to rotel, which passes them on: every span must come out of
   it, once, under the ids that the journal gives.
2. requests, urllib3, httpx and aiohttp under their instrumentations send a signed request: the bare exporter has the
   signature in clear (the control), the one behind `Scrubbed` has it nowhere.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pinned import library

TOP = Path(__file__).resolve().parent.parent.parent
FOLDER = TOP / ".make" / "otlp"
REQUIREMENTS = Path(__file__).resolve().parent / "otlp.txt"
DECISIONS = 2_000
#: How long rotel may take to begin, and to pass on what it took, seconds.
PATIENCE_S = 60


def through_rotel(folder: Path) -> str:
    """Return what is wrong with a journal's way through rotel; empty: nothing."""
    from policykit.store import open_journal, open_store
    from policykit.telemetry.rebuild import spans_of
    from tests.telemetry.nouns import AT_MS, NOTIONAL, decision
    from tests.telemetry.taps import free_port, tap

    uri = f"sqlite:///{folder}/s.db"
    store = open_store(uri)
    store.announce("binance/main", "USDT", {"name": "mm", "version": decision().policy_version}, AT_MS)
    for number in range(DECISIONS):
        store.record(decision(f"D{number:05}", reasons=(NOTIONAL,)), AT_MS + number)
    store.close()
    wanted = sorted((span.trace_id, span.span_id) for span in spans_of(open_journal(uri).rows(0, 10**6)))
    with tap() as there:
        http, grpc = free_port(), free_port()
        rotel = subprocess.Popen(
            [
                str(FOLDER / "rotel" / "rotel-agent"),
                *("start", "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
                *("--pid-file", str(folder / "rotel.pid"), "--log-file", str(folder / "rotel.log")),
                *("--exporter", "otlp", "--otlp-exporter-endpoint", there.url, "--otlp-exporter-protocol", "http"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _listens(http)
            command = [sys.executable, "-m", "policykit.cli", "journal", "export", "--store", uri]
            clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "POLICYKIT"))}
            done = subprocess.run(
                [*command, "--otlp", f"http://127.0.0.1:{http}", "--cursor", str(folder / "cursor.json")],
                env=clean,
                check=False,
            )
            if done.returncode != 0:
                return f"journal export ended with {done.returncode}"
            until = time.monotonic() + PATIENCE_S
            while len(there.taken) < DECISIONS and time.monotonic() < until:
                time.sleep(0.2)
            came = sorted((span.trace_id.hex(), span.span_id.hex()) for span in there.taken)
        finally:
            rotel.terminate()
            rotel.wait(30)
    return "" if came == wanted else f"{len(came)} spans came out of rotel, {len(wanted)} are in the journal"


def _listens(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("rotel does not begin")


def signed_requests() -> list[str]:
    """Return what is wrong with the spans of OpenTelemetry's HTTP instrumentations."""
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from policykit.telemetry.scrubbing import Scrubbed
    from tests.canary import leaks
    from tests.telemetry.taps import tap
    from tests.telemetry.test_library_logs import BIRD, LIBRARIES

    bare, clean = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(bare))
    provider.add_span_processor(SimpleSpanProcessor(Scrubbed(clean)))
    makers: dict[str, Any] = {
        "requests": RequestsInstrumentor,
        "urllib3": URLLib3Instrumentor,
        "httpx": HTTPXClientInstrumentor,
        "aiohttp": AioHttpClientInstrumentor,
    }
    wrong = []
    with tap() as there:
        for name, maker in makers.items():
            instrumentor = maker()
            instrumentor.instrument(tracer_provider=provider)
            LIBRARIES[name](there.url)
            instrumentor.uninstrument()
            raw, scrubbed = (
                "".join(span.to_json() for span in exporter.get_finished_spans()) for exporter in (bare, clean)
            )
            bare.clear()
            clean.clear()
            print(
                f"{name}: {len(leaks(raw, [BIRD]))} windows of the signature in a bare span, "
                f"{len(leaks(scrubbed, [BIRD]))} behind Scrubbed"
            )
            if not leaks(raw, [BIRD]):
                wrong.append(f"{name}: the control has no signature in its span")
            if leaks(scrubbed, [BIRD]) or "signature=[redacted]" not in scrubbed:
                wrong.append(f"{name}: the signature is in the scrubbed span, or no address is")
    return wrong


def main() -> int:
    """Run both; return 1 when anything is wrong."""
    if not library(FOLDER, REQUIREMENTS):
        return 1
    import opentelemetry.instrumentation

    # Beside what .venv has of the same package: a folder on the path alone would hide one of the two.
    opentelemetry.instrumentation.__path__.append(str(FOLDER / "opentelemetry" / "instrumentation"))
    import opentelemetry

    opentelemetry.__path__.append(str(FOLDER / "opentelemetry"))  # type: ignore[attr-defined]
    for name in ("OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST"):
        os.environ[name] = "http/dup" if name.startswith("OTEL_SEM") else ".*"
    os.environ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"] = ""
    with tempfile.TemporaryDirectory() as name:
        wrong = [problem for problem in (through_rotel(Path(name)), *signed_requests()) if problem]
    for problem in wrong:
        print(problem, file=sys.stderr)
    if not wrong:
        print(f"rotel: {DECISIONS:,} spans passed on, each once, with the journal's ids")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.path.insert(0, str(TOP))
    raise SystemExit(main())
