"""A disk that fills up, or a store that is replaced, in the middle of an order: nothing is doubled, nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.store.sqlite import SqliteStore, connect
from tests.guard.bots import KINDS, Bot, bot
from tests.guard.world import SYMBOL, World

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
LOST = {"at": "order", "do": "lost_reply", "when": [1]}
BUY = (SYMBOL, "market", "buy", 0.01)
SELL = (SYMBOL, "market", "sell", 0.005)
ONE = [("buy", Decimal("0.01"))]


class Disk:
    """A disk that has room or has not: without, every statement that writes fails as SQLite fails then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full = False

    def __call__(self, path: str, busy_ms: int) -> Disk:
        self.db = connect(path, busy_ms)
        return self

    @property
    def in_transaction(self) -> bool:
        return self.db.in_transaction

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        if self.full and statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "REPLACE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self.db.execute(statement, values)

    def close(self) -> None:
        self.db.close()


def on_disk(world: World) -> tuple[Disk, Guard]:
    """Give a guard whose store lies on such a disk."""
    disk = Disk(world.policy.with_name("store.db"))
    return disk, world.guard(store=SqliteStore(disk.path, make=disk))


def at_the_exchange(world: World, do: Callable[[], None]) -> None:
    """Let something happen when the next order is accepted: after it was decided, before its outcome is known."""
    accept, pending = world.sim.venue.on_accept, [do]

    def accepted(order: Any) -> None:
        accept(order)
        if pending:
            pending.pop()()

    world.sim.venue.on_accept = accepted


def code_of(client: Bot) -> str:
    """Return why a buy is denied."""
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    return denied.value.decision.reasons[0].code


def mend(world: World, guard: Guard) -> None:
    """Let a minute pass, and maintenance look."""
    for _ in range(3):
        world.clock.advance(20)
        guard.maintain()


def bought(guard: Guard) -> list[tuple[str, Decimal]]:
    """Return state and quantity of each intent to buy."""
    return [(i.state, i.filled) for i in guard.store.intents(open_only=False) if i.order.side == "buy"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("faults", [(), (LOST,)], ids=["answered", "reply lost"])
def test_I3_a_disk_that_fills_up_between_decision_and_outcome(
    start: Callable[..., World], faults: tuple[dict[str, Any], ...], kind: str
) -> None:
    """The bot gets its order, entries are denied, an exit passes; with room again all of it is in the journal."""
    world = start(*faults, balances=HELD)
    disk, guard = on_disk(world)
    with bot(world, kind, guard) as client:
        client.load_markets()
        at_the_exchange(world, lambda: setattr(disk, "full", True))
        assert client.create_order(*BUY)["filled"] == 0.01
        assert code_of(client) == "STORE_FULL"
        assert client.create_order(*SELL)["filled"] == 0.005
        disk.full = False
        mend(world, guard)
        assert bought(guard) == [("settled", Decimal("0.01"))]
        assert client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)["status"] == "open"
    assert world.sent == [*ONE, ("sell", Decimal("0.005")), ("buy", Decimal("0.001"))]
    assert guard.store.verify()[1] is None


@pytest.mark.parametrize("kind", KINDS)
def test_I3_a_disk_without_room_sends_no_entry(start: Callable[..., World], kind: str) -> None:
    """Full before the decision: nothing leaves but exits and cancels."""
    world = start(balances=HELD)
    disk, guard = on_disk(world)
    with bot(world, kind, guard) as client:
        kept = client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
        disk.full = True
        assert code_of(client) == "STORE_FULL"
        assert client.create_order(*SELL)["filled"] == 0.005
        assert client.cancel_order(kept["id"], SYMBOL)["status"] == "canceled"
    assert [side for side, _ in world.sent] == ["buy", "sell"]


@pytest.mark.parametrize("kind", KINDS)
def test_I5_neither_store_nor_fallback_file_can_be_written(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """What became of the order is written nowhere: its intent was, before it was sent, and recovery finds it."""
    world = start(LOST, balances=HELD)
    disk, guard = on_disk(world)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with bot(world, kind, guard) as client:
        client.load_markets()
        at_the_exchange(world, lambda: setattr(disk, "full", True))
        assert client.create_order(*BUY)["filled"] == 0.01
        assert code_of(client) == "STORE_FULL"
        assert client.create_order(*SELL)["filled"] == 0.005
        disk.full = False
        assert bought(guard) == [("intended", Decimal(0))]
        mend(world, guard)
        assert bought(guard) == [("settled", Decimal("0.01"))]
    assert world.sent == [*ONE, ("sell", Decimal("0.005"))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["an empty file", "an older copy", "nothing"])
def test_I12_a_store_that_is_replaced_while_an_order_is_out(start: Callable[..., World], by: str, kind: str) -> None:
    """Entries are denied from then on, in this process and in the next one; exits pass; the order is there once."""
    world = start(LOST, balances=HELD)
    guard = world.guard()
    file = world.policy.with_name("store.db")
    older = file.with_name("older.db")
    guard.store.checkpoint()
    shutil.copyfile(file, older)

    def replace() -> None:
        for name in ("", "-wal", "-shm"):
            file.with_name(file.name + name).unlink(missing_ok=True)
        if by != "nothing":
            (older if by == "an older copy" else _touch(file.with_name("empty.db"))).rename(file)

    with bot(world, kind, guard) as client:
        client.load_markets()
        at_the_exchange(world, replace)
        assert client.create_order(*BUY)["filled"] == 0.01
        assert code_of(client).startswith("STORE_")
        assert client.create_order(*SELL)["filled"] == 0.005
    assert world.sent == [*ONE, ("sell", Decimal("0.005"))]


def _touch(path: Path) -> Path:
    path.touch()
    return path
