"""A guard over a real server that is killed, comes back, or comes back with nothing: increases wait, exits do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import fallback
from policykit.store.valkey import ValkeyStore
from tests.guard.test_recovery import STEPS, crash
from tests.guard.world import SYMBOL, World
from tests.store.servers import ValkeyServer

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
BUY = (SYMBOL, "limit", "buy", 0.001, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.001, 62_000)
KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run a server that keeps what it is told."""
    running = ValkeyServer(tmp_path / "valkey", *KEEPING)
    yield running
    running.kill()


@pytest.fixture
def store(server: ValkeyServer, tmp_path: Path) -> Iterator[ValkeyStore]:
    """Open a store on it."""
    opened = ValkeyStore(server.uri(), tmp_path / "journal.db", server_time=False, facts_ms=0)
    yield opened
    opened.close()


def denied(call: Callable[[], Any]) -> list[str]:
    """Return the codes that an order is denied with; none: it was sent."""
    try:
        call()
    except Denied as error:
        return [reason.code for reason in error.decision.reasons]
    return []


def exits_pass(world: World, client: Any, order_id: str) -> None:
    """Sell what is held and cancel an order, as if nothing were."""
    before = len(world.sent)
    assert client.create_order(*SELL)["status"] == "open"
    assert client.cancel_order(order_id, SYMBOL)["id"] == order_id
    assert [side for side, _ in world.sent[before:]] == ["sell"]


def test_I12_a_killed_server_denies_increases_until_it_is_back(
    server: ValkeyServer, store: ValkeyStore, start: Callable[..., World]
) -> None:
    """STORE_DOWN while it is gone; sale and cancel pass and are written down; back, all goes on without a restart."""
    world = start(balances=HELD)
    guard = world.guard(store=store)
    client = world.protected(guard)
    kept = client.create_order(*BUY)
    server.kill()
    assert denied(lambda: client.create_order(*BUY))[0] == "STORE_DOWN"
    exits_pass(world, client, kept["id"])
    guard.maintain()
    kinds = [json.loads(line)["kind"] for line in fallback.path_of("mm", store.epoch).read_text().splitlines()]
    assert kinds == ["decision", "outcome", "decision"]
    server.start()
    guard.maintain()
    assert denied(lambda: client.create_order(*BUY)) == []
    assert [side for side, _ in world.sent] == ["buy", "sell", "buy"]
    assert guard.facts(SYMBOL).store_problem is None


def test_a_server_that_came_back_empty_is_told_of_until_a_person_re_arms_it(
    server: ValkeyServer, store: ValkeyStore, start: Callable[..., World], tmp_path: Path
) -> None:
    """Its data is gone: STORE_RESET with what to do, for this guard and for the next; a named re-arm ends it."""
    world = start(balances=HELD)
    guard = world.guard(store=store)
    client = world.protected(guard)
    kept = client.create_order(*BUY)
    server.client().flushall()
    with pytest.raises(Denied) as caught:
        client.create_order(*BUY)
    (reason,) = (r for r in caught.value.decision.reasons if r.code == "STORE_RESET")
    why = "it lost data, was set back, or is another store"
    what = f"{store.address}: is not as {tmp_path}/journal.db remembers it ({why})"
    assert reason.message == f"{what}; reconcile, then `policykit resume --scope all`"
    guard.maintain()
    assert denied(lambda: client.create_order(*BUY)) == ["STORE_RESET"]
    exits_pass(world, client, kept["id"])
    next_one = world.guard(store=store)
    assert denied(lambda: world.protected(next_one).create_order(*BUY)) == ["STORE_RESET"]
    assert store.resume("all", "desk-head", "reconciled with the exchange", guard.now()) == 1
    for one in (guard, next_one):
        assert denied(lambda one=one: world.protected(one).create_order(*BUY)) == []  # type: ignore[misc]


def test_a_server_set_back_is_told_of_beside_what_recovery_waits_for(
    server: ValkeyServer, store: ValkeyStore, start: Callable[..., World], tmp_path: Path
) -> None:
    """A new guard on a restored copy with an order of a dead process says both: the store was reset, that is open."""
    world = start(balances=HELD)
    world.store = ValkeyStore(server.uri(), tmp_path / "journal.db", server_time=False)  # type: ignore[assignment]
    crash(world, STEPS[0][0])
    world.clock.advance(60)
    raw = server.client()
    raw.connection_pool.connection_kwargs["decode_responses"] = False
    with raw:
        older = {key: raw.dump(key) for key in raw.keys()}  # noqa: SIM118 - no dict
        store.use((), 0)
        raw.flushall()
        for key, value in older.items():
            raw.restore(key, 0, value)
    fresh = world.guard(store=store, ready=False)
    codes = denied(lambda: world.protected(fresh).create_order(*BUY))
    assert {"STORE_RESET", "RECOVERY_PENDING"} <= set(codes)


def test_a_guard_says_at_its_start_what_its_store_may_forget(
    start: Callable[..., World], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that syncs once a second: said in the log of each guard that starts on it, and by nobody else."""
    server = ValkeyServer(tmp_path / "everysec", "--appendonly", "yes")
    try:
        store = ValkeyStore(server.uri(), tmp_path / "j.db")
        world = start(balances=HELD)
        for name in (store, world.store):
            world.guard(store=name, ready=False)
    finally:
        server.kill()
    said = [record.getMessage() for record in caplog.records if "the store" in record.getMessage()]
    text = "syncs everysec, so a power cut takes moments back (STORE_RESET then); appendfsync always may be"
    assert said == [f"the store: {store.address}: {text}"]
    store.close()
