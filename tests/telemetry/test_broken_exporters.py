"""A collector that is dead, slow, full or mad changes no decision, delays none, and lets the process end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from policykit.telemetry import relay, setup
from policykit.telemetry.bounded import MAX_ANSWER, Bounded
from tests.conftest import PROVING
from tests.telemetry.taps import Answer, free_port, tap

ROOT = Path(__file__).parents[2]
#: What a decision may take longer at p99 (I17), ns; and what the end of a process may take longer, s: the two waits,
#: and the threads of a busy machine.
P99_NS = 1_000_000
END_S = relay.EXIT_S + setup.EXIT_S + 1.0
KINDS = ("refusing", "none", "errors", "refused", "well", "slow", "garbage", "dns", "tls", "logs")
#: Where spans are lost while the bot runs; where they may still wait when it ends.
FAILS_SOON = ("refusing", "refused", "errors", "garbage", "tls")
FAILS_LATE = ("slow", "dns")


@contextmanager
def _mute() -> Iterator[str]:
    """Listen, and never accept: the system takes the connection and the request, nobody reads it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _mad() -> Iterator[str]:
    """Answer every connection with what is no HTTP."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"\x00\xffSSH-2.0-OpenSSH\r\n\r\n" * 9)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()


@contextmanager
def _collector(kind: str) -> Iterator[dict[str, str]]:
    """Run a collector that is broken in one way; give the environment of a bot that uses it."""
    with ExitStack() as stack:
        if kind in ("well", "logs"):
            url = stack.enter_context(tap()).url
        elif kind == "none":
            yield {}
            return
        elif kind in ("errors", "refusing"):
            answer = Answer(500 if kind == "errors" else 400)
            url = stack.enter_context(tap(*[answer] * 100_000)).url
        elif kind == "tls":
            url = stack.enter_context(tap()).url.replace("http:", "https:")
        elif kind == "garbage":
            url = stack.enter_context(_mad())
        elif kind == "slow":
            url = stack.enter_context(_mute())
        elif kind == "dns":
            url = "http://collector.invalid:4318"
        else:
            url = f"http://127.0.0.1:{free_port()}"
        more = {"POLICYKIT_LOG": "json"} if kind == "logs" else {}
        yield {"POLICYKIT_OTLP": url, "BROKEN": kind, **more}


def _run(kind: str, count: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "POLICYKIT"))}
    errors = open("/dev/full", "wb") if kind == "logs" else subprocess.DEVNULL  # noqa: SIM115 - closed below
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.telemetry.broken_exporter", str(count)],
            cwd=ROOT,
            env={**clean, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    finally:
        if errors is not subprocess.DEVNULL:
            errors.close()


def _measured(kind: str, count: int) -> tuple[dict[str, Any], float]:
    """Return what a bot with such a collector said, and how long its end took, s."""
    with _collector(kind) as environment:
        process = _run(kind, count, environment)
        out, _ = process.communicate(timeout=600)
        ended = time.monotonic()
        assert process.returncode in ((0, 120) if kind == "logs" else (0,))  # 120: stderr could not be flushed
        said = json.loads(out)
        return said, ended - said["done"]


def test_I17_a_broken_collector_changes_and_delays_no_decision(tier: Callable[[int, int], int]) -> None:
    """Each kind of failure, a real process: decisions and rows as without export; in `make prove`, where it has the
    machine to itself, p99 within 1 ms of the same decisions without export, and the end within its bound.
    """
    decisions, ends = tier(300, 6_000), dict[str, float]()
    for kind in KINDS[: len(KINDS) if PROVING else 1]:
        said, end_s = _measured(kind, decisions)
        assert said["same"], kind
        assert said["rows"] == said["decided"] == decisions, kind
        p99 = said["p99_ns"]
        print(
            f"{kind}: p99 {p99['exporting'] / 1e3:.0f} us, alone {p99['alone'] / 1e3:.0f} us, end {end_s:.2f} s, {said}"
        )
        if PROVING:
            assert said["later_ns"] <= P99_NS, kind
            ends[kind] = end_s
            assert end_s - ends.get("none", end_s) <= END_S, kind
            assert (said["dropped"] > 0) == (kind in FAILS_SOON) or kind in FAILS_LATE, kind


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    """A collector that never stops to answer fills no memory; one that redirects gets no span elsewhere."""
    wrote = 0
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)

        def serve() -> None:
            nonlocal wrote
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
                try:
                    while wrote < 1 << 28:
                        wrote += connection.send(b"x" * 65_536)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer = Bounded().post(f"http://127.0.0.1:{listening.getsockname()[1]}/v1/traces", data=b"spans")
        assert (answer.status_code, len(answer.content)) == (200, MAX_ANSWER)
        thread.join(60)
    assert wrote < 1 << 25  # what the system's own buffers hold
    with tap(Answer(307, Location="http://127.0.0.1:9/")) as collector:
        assert Bounded().post(f"{collector.url}/v1/traces", data=b"spans").status_code == 307
