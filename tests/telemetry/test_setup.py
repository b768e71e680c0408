"""Setting up the SDK, and doing without it."""

from __future__ import annotations

import builtins
import random
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from opentelemetry import trace

from policykit import redact
from policykit.telemetry import Telemetry, setup, shared
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.canary import assert_clean, canaries
from tests.telemetry.nouns import decision, scope


def test_ids_do_not_come_from_random() -> None:
    """A bot that seeds `random` gets other trace ids every time; the SDK's own generator repeats them (control)."""
    from opentelemetry.sdk.trace import TracerProvider

    def ids(provider: Any) -> list[int]:
        random.seed(7)
        tracer = provider.get_tracer("x")
        return [tracer.start_span("s").get_span_context().trace_id for _ in range(3)]

    ours = setup.configure(install=False)
    assert len({*ids(ours), *ids(ours)}) == 6
    stock = TracerProvider(shutdown_on_exit=False)
    assert ids(stock) == ids(stock)


def test_an_exit_is_bounded() -> None:
    """A collector that hangs holds the end of the process up by the time given, and no longer."""
    hang = threading.Event()

    class Hanging(Collector):
        def shutdown(self) -> None:
            hang.wait(30)

    provider = setup.configure(processors=[Hanging()], install=False)
    started = time.monotonic()
    assert setup.shutdown(provider, timeout_s=0.01) is False
    assert time.monotonic() - started < 5
    hang.set()


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, setting up export fails with the command to run."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry.sdk"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeError) as missing:
        setup.configure(install=False)
    assert str(missing.value) == (
        'opentelemetry-sdk is not installed; spans need it to be exported; pip install "policykit-trading[otel]"'
    )


def test_the_collector_is_a_processor() -> None:
    """The in-memory collector keeps finished spans, the newest only, and has nothing to flush."""
    collector = Collector(limit=2)
    provider = setup.configure(processors=[collector], install=False)
    for number in range(3):
        provider.get_tracer("x").start_span(str(number)).end()
    assert [span.name for span in collector.spans] == ["1", "2"]
    assert provider.force_flush()
    provider.shutdown()


def test_a_provider_that_does_nothing_is_not_asked_for_spans() -> None:
    """With a no-op provider no attribute is built: an allow puts nothing into the queue."""
    relay = Relay()
    telemetry = Telemetry(tracer_provider=trace.NoOpTracerProvider(), relay=relay)
    telemetry.record(decision(), scope())
    assert (telemetry._tracer, len(relay._jobs), relay._thread) == (None, 0, None)


def test_a_process_has_one_telemetry() -> None:
    """Several guards share a queue, a thread and a set of instruments."""
    assert shared() is shared()


def _run(code: str, **environment: str) -> str:
    import os

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**{k: v for k, v in os.environ.items() if not k.startswith(("OTEL", "POLICYKIT"))}, **environment},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


PRELUDE = "from tests.telemetry.nouns import decision, scope\nfrom policykit.telemetry import Telemetry, setup\n"


def test_the_sdk_is_not_loaded_and_a_provider_set_later_is_found() -> None:
    """Telemetry alone loads the API only; a bot that sets its provider after the guard still gets every span."""
    code = PRELUDE + (
        "import sys\n"
        "t = Telemetry()\n"
        "t.record(decision('1'), scope())\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry.sdk')]\n"
        "seen = setup.Collector()\n"
        "setup.configure(processors=[seen])\n"
        "t.record(decision('2'), scope())\n"
        "t.flush()\n"
        "print([s.attributes['policykit.decision.id'] for s in seen.spans])\n"
    )
    assert _run(code) == "['2']\n"


def test_spans_made_just_before_the_end_are_made() -> None:
    """A process that ends at once still makes its spans: the end waits for the queue, within its bound."""
    code = PRELUDE + (
        "class Print(setup.Collector):\n"
        "    def on_end(self, span): print(span.name, flush=True)\n"
        "setup.configure(processors=[Print()])\n"
        "t = Telemetry()\n"
        "for n in range(3): t.record(decision(str(n)), scope())\n"
    )
    assert _run(code) == "policykit.decide order.create\n" * 3


def test_a_dead_collector_named_in_the_environment_stops_nothing() -> None:
    """POLICYKIT_OTLP sets up export; with nobody there the process ends well, in seconds; unset it does nothing."""
    code = PRELUDE + (
        "import logging; logging.getLogger('opentelemetry').setLevel(logging.CRITICAL)\n"
        "print(setup.configure_from_environment() is not None, setup.configure_from_environment() is not None)\n"
        "t = Telemetry()\n"
        "t.record(decision(), scope())\n"
    )
    assert _run(code) == "False False\n"
    started = time.monotonic()
    assert _run(code, POLICYKIT_OTLP="http://127.0.0.1:9") == "True False\n"
    assert time.monotonic() - started < 20


def test_the_first_guard_does_what_the_environment_asks_for() -> None:
    """POLICYKIT_LOG and POLICYKIT_OTLP hold for every program with a guard; a wrong value is a warning, not an end."""
    code = PRELUDE + (
        "import sys, warnings; sys.stderr = sys.stdout\n"
        "from policykit.telemetry import shared\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always'); t = shared()\n"
        "print([str(w.message) for w in said])\n"
        "t.policy_rejected('mm.yaml', ('PK001',)); t.flush()\n"
    )
    assert _run(code) == "[]\n"
    assert '"event_name": "policykit.policy.rejected"' in _run(code, POLICYKIT_LOG="json")
    warned = _run(code, POLICYKIT_LOG="xml")
    assert warned.startswith('[\'policykit: POLICYKIT_LOG is "xml";')


def test_a_collector_without_a_scheme_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no URL would lose every span later on; it is said at the start, and without what it may hold."""
    monkeypatch.setenv("POLICYKIT_OTLP", "grpc://me:hunter2hunter2@localhost:4317")
    with pytest.raises(ValueError, match="POLICYKIT_OTLP is") as said:
        setup.configure_from_environment()
    assert str(said.value) == (
        'POLICYKIT_OTLP is "grpc://[redacted]@localhost:4317"; the origin of a collector is needed, such as '
        "http://127.0.0.1:4318; nothing is sent"
    )


def test_spans_and_metrics_are_set_up_together() -> None:
    """POLICYKIT_OTLP alone gives both providers, unless the bot has its own; losses are counted from then on."""
    code = PRELUDE + (
        "import logging, os; logging.getLogger('opentelemetry').setLevel(logging.CRITICAL)\n"
        "from opentelemetry import metrics, trace\n"
        "setup.configure_from_environment()\n"
        "print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__,"
        " os.environ['OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED'], setup.lost())\n"
        "first = metrics.get_meter_provider()\n"
        "print(setup.configure_from_environment(), metrics.get_meter_provider() is first)\n"
    )
    assert _run(code, POLICYKIT_OTLP="http://127.0.0.1:9") == "TracerProvider MeterProvider true 0\nNone True\n"


def test_a_provider_named_for_opentelemetry_is_loaded() -> None:
    """OTEL_PYTHON_TRACER_PROVIDER, the standard way to choose a provider, is honoured."""
    code = PRELUDE + "print(Telemetry()._find() is not None)\n"
    assert _run(code, OTEL_PYTHON_TRACER_PROVIDER="sdk_tracer_provider") == "True\n"


@pytest.mark.parametrize("make", [setup.configure, setup.configure_metrics])
def test_I23_a_collectors_token_is_a_secret(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answers may cite the header, and the SDK logs that: whoever redacts must know it."""
    (token,) = canaries(seed=20_231, count=1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=desk-a")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{'TRACES' if make is setup.configure else 'METRICS'}_HEADERS", f"k={token}")
    said = f"400: the token {token} of desk-a is over"
    provider = make("http://127.0.0.1:1", install=False)
    try:
        assert_clean(redact.scrub(said), [token])
        assert "desk-a" in redact.scrub(said)
    finally:
        setup._to_end.remove(provider)
        setup.shutdown(provider)
        redact.forget([token])
