"""The page as a process serves it: its address, its port, live updates, its end."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from policykit.cli.dashboard import command
from policykit.dashboard import server, serving
from policykit.dashboard.desk import Desk
from tests.dashboard.pages import deny, guarded, made, uri_of
from tests.telemetry.nouns import AT_MS, NOTIONAL


@contextmanager
def served(uri: str, index: Path) -> Iterator[str]:
    """Serve the page of a store from a thread, and yield its address."""
    listening = serving.listen(0)
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        server.application(Desk(uri, index=index), port), log_config=None, timeout_graceful_shutdown=1, lifespan="on"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


def test_a_page_that_follows_hears_of_every_change(tmp_path: Path) -> None:
    """Rows of the journal and heartbeats alike; what it then asks for has them."""
    uri = made(tmp_path)
    with served(uri, tmp_path / "index.db") as address, httpx.Client(base_url=address, timeout=30) as client:
        with client.stream("GET", "/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.iter_lines()
            assert next(lines) == "retry: 2000"
            seen = client.get("/parts?span=all").text.count("data-denial=")
            deny(uri, 2, reasons=(NOTIONAL,), start_ms=AT_MS + 30_000)
            while seen < 3:
                assert any(line == "event: change" for line in lines)
                seen = client.get("/parts?span=all").text.count("data-denial=")
            guarded(uri)
            assert any(line == "event: change" for line in lines)
        assert seen == 3


def test_no_more_pages_follow_than_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound on what stays open; a page that leaves makes room."""
    monkeypatch.setattr(server, "MAX_FOLLOWERS", 1)
    with served(made(tmp_path), tmp_path / "index.db") as address, httpx.Client(base_url=address, timeout=30) as client:
        with client.stream("GET", "/events") as first:
            lines = first.iter_lines()
            next(lines)
            assert client.get("/events").status_code == 503
        statuses = iter(lambda: _follows(client), 200)
        assert set(statuses) <= {503}


def _follows(client: httpx.Client) -> int:
    with client.stream("GET", "/events") as events:
        return events.status_code


def test_a_port_that_is_taken_ends_with_one_line(tmp_path: Path) -> None:
    """A second page on the same port, say."""
    with socket.socket() as taken:
        taken.bind((serving.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = CliRunner().invoke(command, ["--store", uri_of(tmp_path), "--port", str(port), "--no-open"])
    assert ended.exit_code == 3
    assert ended.output == f"port {port} of 127.0.0.1 cannot be used (Address already in use); give another by --port\n"


def test_the_command_prints_its_address_and_ends_on_an_interrupt(tmp_path: Path) -> None:
    """Also while a page follows; nothing else is printed."""
    arguments = [
        sys.executable,
        "-m",
        "policykit.cli",
        "dashboard",
        "--store",
        made(tmp_path),
        "--port",
        "0",
        "--no-open",
    ]
    environment = {"PATH": "", "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)  \(read-only; Ctrl-C ends it\)\n", line)
    assert address is not None
    with httpx.Client(base_url=address[1], timeout=30) as client:
        assert "2</b> allowed" in client.get("/?span=all").text
        with client.stream("GET", "/events") as events:
            lines = events.iter_lines()
            next(lines)
            process.send_signal(2)
            said, complained = process.communicate(timeout=30)
    assert (process.returncode, said, complained) == (0, "", "")
