"""A host dies with its disk: a guard on another host, on the same valkey, settles what the first one left open."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.store.valkey import ValkeyStore
from tests.guard.test_recovery import BUY, STEPS, crash
from tests.guard.world import SYMBOL, World
from tests.store.servers import ValkeyServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run one server that keeps what it is told."""
    running = ValkeyServer(tmp_path_factory.mktemp("valkey"), "--appendonly", "yes", "--appendfsync", "always")
    yield running
    running.kill()


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[f"{s[0].__name__}-{n}" for n, s in enumerate(STEPS)])
def test_I5_another_host_settles_every_open_intent(
    server: ValkeyServer, start: Callable[..., World], tmp_path: Path, number: int
) -> None:
    """At whatever step the first host died, with its journal gone: found or absent, sent once, its hold still there."""
    step, faults, executed = STEPS[number]
    world = start(*faults)
    uri = server.uri(f"host-{number}")

    def host(name: str) -> Any:
        return ValkeyStore(uri, tmp_path / name / "journal.db", server_time=False)

    world.store = host("first")
    crash(world, step)
    shutil.rmtree(tmp_path / "first")
    world.clock.advance(60)
    world.store = host("second")
    sent = list(world.sent)
    guard = world.guard(ready=False)
    client = world.protected(guard)
    if guard.store.intents():
        with pytest.raises(Denied) as denied:
            client.create_order(*BUY)
        assert "RECOVERY_PENDING" in [reason.code for reason in denied.value.decision.reasons]
    guard.maintain(world.sim.client())
    states = [intent.state for intent in guard.store.intents(open_only=False)]
    assert states == (["found"] if executed else ["absent"])
    assert world.sent == sent
    assert guard.facts(SYMBOL).store_problem is None
    assert client.create_order(*BUY)["status"] == "open"
    assert len(world.sent) == executed + 1
    assert len(guard.store.intents()) == executed + 1
    guard.store.close()
