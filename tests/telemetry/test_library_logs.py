"""`policykit.redact.install()` on what HTTP libraries really log at DEBUG, and on what ccxt prints with `verbose`."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
import websockets

from policykit import redact
from policykit.telemetry import events
from tests.canary import assert_clean, canaries, leaks
from tests.guard.world import SYMBOL, world
from tests.telemetry.taps import tap

BIRD = canaries(seed=41)[0]
QUERY = f"/api/v3/order?symbol=BTCUSDT&signature={BIRD}&token={BIRD}"
HEADERS = {"X-MBX-APIKEY": BIRD, "OK-ACCESS-SIGN": BIRD, "Authorization": f"token={BIRD}"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Write everything that is logged at DEBUG; give logging back as it was."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root, factory, hand_on = logging.getLogger(), logging.getLogRecordFactory(), logging.Logger.handle
    level = root.level
    root.handlers.insert(0, handler)  # pytest's own may scrub already what they see
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.Logger.handle = hand_on  # type: ignore[method-assign]


async def _aiohttp(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.post(url + QUERY, headers=HEADERS, data="x"):
        logging.getLogger("aiohttp.client").debug("sent %s %s", url + QUERY, HEADERS)  # it has none of its own


async def _websockets(_: str) -> None:
    async def echo(connection: Any) -> None:
        await connection.send(await connection.recv())

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws?token={BIRD}", additional_headers=HEADERS) as line:
            await line.send(f'{{"op": "auth", "signature": "{BIRD}"}}')
            await line.recv()


LIBRARIES: dict[str, Callable[[str], Any]] = {
    "requests": lambda url: requests.post(url + QUERY, headers=HEADERS, data="x", timeout=5),
    "urllib3": lambda url: urllib3.PoolManager().request("POST", url + QUERY, headers=HEADERS, body=b"x"),
    "httpx": lambda url: httpx.post(url + QUERY, headers=HEADERS, content=b"x"),
    "aiohttp": lambda url: asyncio.run(_aiohttp(url)),
    "websockets": lambda url: asyncio.run(_websockets(url)),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_I23_what_a_library_logs_has_no_signature_in_it(library: str, log: io.StringIO) -> None:
    """Without `install` the signature of a signed request is in the log; with it, nothing is, known secret or not."""
    with tap() as there:
        LIBRARIES[library](there.url)
        assert leaks(log.getvalue(), [BIRD])
        redact.install()
        log.truncate(log.seek(0))
        LIBRARIES[library](there.url)
    assert "[redacted]" in log.getvalue()
    assert_clean(log.getvalue(), [BIRD])


def test_I23_the_same_in_json(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """POLICYKIT_LOG=json: one object a line, UTC, scrubbed once more as a whole."""
    lines = io.StringIO()
    handler = events.configure("json", lines)
    assert handler is not None
    try:
        logging.getLogger("policykit.guard").warning("sent %s", QUERY, extra={"attributes": {"url": QUERY}})
    finally:
        logging.getLogger(events.LOGGER).removeHandler(handler)
        logging.getLogger(events.LOGGER).propagate = True
    assert_clean(lines.getvalue(), [BIRD])
    assert '"level": "warning", "logger": "policykit.guard"' in lines.getvalue()


def test_I23_a_protected_client_prints_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ccxt client prints every request with `verbose`: a stock one its key and signature, a protected one neither."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with world(tmp_path) as there:
        stock = there.sim.client(verbose=True)
        stock.fetch_balance()
        birds = [stock.apiKey]
        assert leaks(capsys.readouterr().out, birds)
        client = there.protected(verbose=True)
        client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
    out = capsys.readouterr().out
    assert "RequestHeaders:" in out
    assert "signature=[redacted]" in out
    assert_clean(out, [*birds, client.secret])
