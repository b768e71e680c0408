"""What is written down while the store is down, and what the store makes of it once it is back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import StoreUnavailable
from policykit.guard import fallback
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store import open_store
from policykit.telemetry import names
from tests.guard.test_closed import BUY, HELD, METHODS, SELL, Failing, outcome
from tests.guard.world import World, kinds

DOWN = METHODS


def lines(guard: Any) -> list[str]:
    """Return the lines of the file that a guard writes to."""
    path = fallback.path_of("mm", guard.store.epoch)
    return path.read_text().splitlines() if path.exists() else []


def test_an_exit_sent_without_the_store_is_looked_up_once_it_is_back(start: Callable[..., World]) -> None:
    """Sent, its answer lost, the process at its end: the next guard finds it, and the journal has its life."""
    world = start(
        {"at": "order", "do": "lost_reply", "when": [1]}, {"at": "lookup", "do": "drop", "ratio": 1.0}, balances=HELD
    )
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real, guard.store = guard.store, Failing(guard.store, *DOWN)
    assert outcome(lambda: client.create_order(*SELL)) != "passed"
    assert len(world.sent) == 1
    assert real.intents() == []
    waiting = len(lines(guard))
    assert fallback.pending(guard.policy.name, real.epoch) == waiting > 0
    world.sim.strike()
    guard.store = real
    other = world.guard()
    assert [intent.state for intent in other.store.intents()] == ["found"]
    assert [intent.reduces for intent in other.store.intents()] == [True]
    assert kinds(other)[:3] == ["decision allow", "unknown", "unknown"]
    assert kinds(other)[-1] == "found"
    assert lines(other) == []
    pending = other.telemetry.counters.series(names.M_PENDING)
    assert {value for value, labels in pending if labels[names.BOT] == other.bot} == {0}
    row = next(row for row in other.store.rows(0, 1000) if row.kind == "decision")
    assert row.body["without_store"] is True
    assert len(world.sent) == 1


def test_what_came_back_meanwhile_is_taken_in(start: Callable[..., World]) -> None:
    """The outcome of an order that the store knows, a cancel, a denial: each a row, the order with its outcome."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    order = client.create_order(*SELL)
    real, guard.store = guard.store, Failing(guard.store, *DOWN)
    intent = real.intents()[0]
    guard.conclude(intent, Outcome("settled", guard.now(), filled=Decimal("0.001"), closed=True))
    client.cancel_order(order["id"], SELL[0])
    assert outcome(lambda: client.create_order(*BUY)) == "STORE_DOWN"
    assert len(lines(guard)) == 3
    guard.store = real
    assert fallback.merge("mm", real, guard.host, guard.now()) == 3
    merged = real.intent(intent.id)
    assert merged is not None
    assert (merged.state, merged.filled) == ("settled", Decimal("0.001"))
    assert kinds(guard)[-3:] == ["settled", "decision allow", "decision deny"]
    told = [row.body["decision"] for row in real.rows(0, 1000) if row.body.get("without_store")]
    assert [one["action"] for one in told] == ["order.cancel", "order.create"]
    assert told[1]["reasons"][0]["code"] == "STORE_DOWN"
    assert fallback.merge("mm", real, guard.host, guard.now()) == 0


class Dies(Failing):
    """A store that is down again after so many calls of one method."""

    def __init__(self, real: Any, method: str, calls: int) -> None:
        super().__init__(real)
        self.method, self.calls = method, calls

    def __getattr__(self, name: str) -> Any:
        if name == self.__dict__.get("method"):
            self.calls -= 1
            if self.calls < 0:
                raise StoreUnavailable("the store cannot be reached")
        return super().__getattr__(name)


def test_a_merge_that_breaks_off_is_begun_again(start: Callable[..., World]) -> None:
    """Each order counts once, whatever stood in the journal before; no row is lost."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real, guard.store = guard.store, Failing(guard.store, *DOWN)
    for _ in range(3):
        assert outcome(lambda: client.create_order(*SELL)) == "passed"
    written = lines(guard)
    assert len(written) == 6
    for done in range(1, 3):
        with pytest.raises(StoreUnavailable):
            fallback.merge("mm", Dies(real, "reserve", 1), guard.host, guard.now())
        assert len(real.intents()) == done
        assert lines(guard) == []
    assert fallback.merge("mm", real, guard.host, guard.now()) == 6
    assert [intent.state for intent in real.intents()] == ["acknowledged"] * 3


def test_one_process_merges_and_the_next_takes_over(start: Callable[..., World]) -> None:
    """Who holds the lease has the file; when it died, another takes it after the lease."""
    world = start(balances=HELD)
    guard = world.guard()
    fallback.write("mm", guard.store.epoch, guard.check(guard_order()))
    path = fallback.path_of("mm", guard.store.epoch)
    taken = path.with_name(path.name + fallback.TAKEN)
    name = f"fallback|{guard.host}|{taken}"
    assert guard.store.lease(name, "another", fallback.LEASE_MS, guard.now())
    assert fallback.merge("mm", guard.store, guard.host, guard.now()) == 0
    assert taken.exists()
    world.clock.sleep(fallback.LEASE_MS / 1000 + 1)
    assert fallback.merge("mm", guard.store, guard.host, guard.now()) == 1
    assert not taken.exists()


def guard_order() -> Any:
    """Return an order to write a decision of."""
    from policykit import Order

    return Order(BUY[0], "buy", "limit", Decimal("0.01"), Decimal(59_000))


def test_a_torn_line_is_counted_and_the_rest_is_taken(start: Callable[..., World]) -> None:
    """The power went while a line was written, or somebody edited the file: nothing raises, nothing else is lost."""
    world = start(balances=HELD)
    guard = world.guard()
    fallback.write("mm", guard.store.epoch, guard.check(guard_order()))
    path = fallback.path_of("mm", guard.store.epoch)
    whole = path.read_text()
    gone = Outcome("settled", 1, closed=True)
    path.write_text('{"at_ms": 1, "kind": "dec\n[]\n\xff\n' + whole)
    fallback.write_outcome("mm", guard.store.epoch, "nobody-knows-it", gone)
    assert fallback.merge("mm", guard.store, guard.host, guard.now()) == 5
    assert kinds(guard)[-4:] == ["fallback", "fallback", "fallback", "decision allow"]


def test_an_order_meets_a_trading_state_that_moves(start: Callable[..., World]) -> None:
    """It is offered again under the new one; what never fits is not tried for ever."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real, guard.store = guard.store, Failing(guard.store, *DOWN)
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    path = fallback.path_of("mm", real.epoch)
    tries = []

    class Moving(Failing):
        def reserve(self, decision: Any, intent: Any, holds: Any, generation: int, now_ms: int) -> Any:
            tries.append(generation)
            if len(tries) < 3:
                generation -= 1
            return real.reserve(decision, intent, holds, generation, now_ms)

    kept = path.read_text()
    assert fallback.merge("mm", Moving(real), guard.host, guard.now()) == 2
    assert (len(tries), [intent.state for intent in real.intents()]) == (3, ["acknowledged"])
    path.write_text(kept.replace(real.intents()[0].id, "01AAAAAAAAAAAAAAAAAAAAAAAA"))
    tries = [*[0] * -100]

    class Never(Failing):
        def reserve(self, *said: Any) -> Any:
            tries.append(0)
            return replace_grant(real.reserve(said[0], said[1], said[2], -1, said[4]))

    assert fallback.merge("mm", Never(real), guard.host, guard.now()) == 2
    assert len(tries) == fallback.ADOPT_TRIES


def replace_grant(grant: Any) -> Any:
    """Return a grant as it is: stale."""
    assert grant.stale
    return grant


def test_a_writer_never_writes_into_a_file_that_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its opening and its lock the file may be renamed: it opens the new one."""
    path, taken = tmp_path / "f", tmp_path / "g"
    path.write_text("old\n")
    real = fallback.fcntl.flock

    def race(file: Any, how: int) -> None:
        if not taken.exists():
            path.rename(taken)
        real(file, how)

    monkeypatch.setattr(fallback.fcntl, "flock", race)
    fallback._append(path, {"new": 1})
    assert (taken.read_text(), json.loads(path.read_text())) == ("old\n", {"new": 1})


def test_the_file_has_a_bound_and_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies beside POLICYKIT_JOURNAL, or in the state directory, and is not grown without end."""
    monkeypatch.setenv("POLICYKIT_JOURNAL", str(tmp_path / "j"))
    path = fallback.path_of("mm", "e1")
    assert path == tmp_path / "j.e1.fallback.jsonl"
    monkeypatch.setattr(fallback, "MAX_BYTES", 10)
    for _ in range(3):
        fallback._append(path, {"some": "row, longer than the bound"})
    assert len(path.read_text().splitlines()) == 1
    monkeypatch.delenv("POLICYKIT_JOURNAL")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert fallback.path_of("mm", "e1") == tmp_path / "s" / "policykit" / "mm.e1.fallback.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert fallback.path_of("mm", "e1") == Path.home() / ".local/state/policykit/mm.e1.fallback.jsonl"


def test_a_file_of_another_store_stays(start: Callable[..., World]) -> None:
    """What was sent beside a store that is gone is no row of the one that took its place."""
    world = start(balances=HELD)
    guard = world.guard()
    fallback.write("mm", "another-epoch", guard.check(guard_order()))
    guard.maintain()
    assert fallback.path_of("mm", "another-epoch").exists()
    assert open_store("memory:").epoch != guard.store.epoch


def test_a_long_file_is_merged_over_several_rounds(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halts, timers and facts wait for a round; each row is taken once, and the file goes with the last one."""
    monkeypatch.setattr(fallback, "ROWS", 2)
    guard = start().guard()
    for size in range(1, 6):
        fallback.write(
            "mm", guard.store.epoch, guard.check(Order("BTC/USDT", "sell", "limit", Decimal(size), Decimal(60_000)))
        )
    before = len(list(guard.store.rows(0, 1_000)))
    taken = fallback.path_of("mm", guard.store.epoch)
    taken = taken.with_name(taken.name + fallback.TAKEN)
    merged = []
    for _ in range(4):
        merged.append(fallback.merge("mm", guard.store, guard.host, guard.now()))
        assert taken.exists() is (len(merged) < 3)
    assert merged == [2, 2, 1, 0]
    rows = [row.body["decision"]["order"]["quantity"] for row in list(guard.store.rows(0, 1_000))[before:]]
    assert rows == ["1", "2", "3", "4", "5"]
    assert fallback._DONE == {}
