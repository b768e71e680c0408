"""The script against the ledger: random histories through both give equal answers and leave an equal state."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from policykit.decision import Hold, gross_counter, net_counter
from policykit.orders.intent import Outcome
from policykit.store import Observation, valkey_server
from policykit.store.backed import LedgerStore
from policykit.store.ledger import SILENT_MS
from policykit.store.memory import MemoryStore
from policykit.store.valkey import ValkeyStore
from policykit.units import EXPOSURE_SCALE
from tests.store.made import ACCOUNT, BTC, NOW, hold_clear, hold_position, hold_sum, hold_window, reserve, wanted
from tests.store.servers import ValkeyServer
from tests.store.test_histories import POSITION_CAP, Histories, explore

GROUP = "group|desk|USDT"
OWNERS = (ACCOUNT, f"{ACCOUNT}|asset|BTC", GROUP)
#: What one unit may be worth: exact, with more digits than are kept, and so much that doubles are not exact.
UNITS = ("1", "60000.000000000001", "0.00000123456789012345", "98765432.123456789")


class Both(Histories):
    """Memory and a real server, with exposure beside all that the other histories have."""

    server: ClassVar[ValkeyServer]
    _names: ClassVar[Any] = count()
    _name = ""

    def opened(self) -> Any:
        self._name = self._name or f"history-{next(Both._names)}"
        return ValkeyStore(self.server.uri(self._name), self.folder / "journal.db", server_time=False)

    def both(self, act: Callable[[LedgerStore], Any]) -> Any:
        """A server's hashes have no order: whose permits a halt waits for is compared as a set."""

        def sorted_by_id(answer: Any) -> Any:
            if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], list):
                return answer[0], sorted(answer[1], key=lambda intent: str(intent.id))
            return answer

        return super().both(lambda store: sorted_by_id(act(store)))

    @rule(unit=st.sampled_from(UNITS))
    def worth(self, unit: str) -> None:
        """A mark moves: every position is worth something else."""
        seen = Observation(self.now, self.now, units={"BTC": Decimal(unit)})
        self.both(lambda s: s.observe(ACCOUNT, seen, self.now))

    @rule(group=st.booleans())
    def policy(self, group: bool) -> None:
        loaded = {"name": "mm", "groups": [GROUP] if group else []}
        self.both(lambda s: s.announce(ACCOUNT, "USDT", loaded, self.now))

    @rule(amount=st.integers(1, 3), buy=st.booleans(), owner=st.sampled_from(OWNERS), cap=st.integers(0, 300_000))
    def exposed_order(self, amount: int, buy: bool, owner: str, cap: int) -> None:
        """An order that asks for exposure beside its position."""
        sign, limit = (1 if buy else -1), cap * EXPOSURE_SCALE
        holds = (
            hold_position(sign * amount * BTC, POSITION_CAP * BTC),
            Hold(gross_counter(owner), amount * EXPOSURE_SCALE, limit, "gross", "risk.max_gross_exposure"),
            Hold(net_counter(owner), sign * amount * EXPOSURE_SCALE, limit, "net", "risk.max_net_exposure"),
        )
        decision, intent = wanted(*holds, now=self.now, side="buy" if buy else "sell", quantity=str(amount))
        before = self.used(buy)
        if self.both(lambda s: s.reserve(decision, intent, holds, self.generation, self.now)).granted:
            self.keep(intent, {"position"}, amount, buy, before)

    @rule(hours=st.sampled_from((2, 3, -3)))
    def hours_pass(self, hours: int) -> None:
        """Windows that are empty for hours are forgotten, on either side at the same moment."""
        self.time_moves(hours * 3_600_000)

    @rule(number=st.integers(0, 5), fixed=st.booleans(), amount=st.integers(1, 3))
    def other_window(self, number: int, fixed: bool, amount: int) -> None:
        """A window beside those of orders: reads of some address."""
        hold = hold_window(amount, 5, 60_000, fixed=fixed)._replace(counter=f"binance@{number}|{fixed}")
        self.both(lambda s: s.use((hold,), self.now)[:4])

    @rule(holder=st.sampled_from("ab"), ttl=st.integers(1, 2_000))
    def lease(self, holder: str, ttl: int) -> None:
        self.both(lambda s: s.lease("poller", holder, ttl, self.now))

    @rule(state=st.sampled_from(("REDUCING", "HALTED")), latched=st.booleans())
    def halt_here(self, state: Any, latched: bool) -> None:
        scope = f"account:{ACCOUNT}"
        self.both(lambda s: s.halt(scope, state, "desk", "test", self.now, latched=latched))
        self.generation += 1

    @rule()
    def look(self) -> None:
        """Everything that can be asked."""
        self.both(lambda s: (s.halts(), s.intents(), s.intents(open_only=False)))
        self.both(lambda s: [s.facts(ACCOUNT, "bot").positions.get("BTC"), s.facts(ACCOUNT, "bot").generation])


def test_I8_script_and_ledger_agree_in_any_history(server: ValkeyServer, tier: Callable[[int, int], int]) -> None:
    """Equal answers to equal calls, an equal state at the end, and totals that are the sum of the positions."""
    Both.server = server
    examples = tier(40, 10_000)
    explore(Both, examples, 50 if examples == 40 else 100)


#: Each breaks one line of the script.
BROKEN = {
    "the edge of a rolling window": ("tonumber(since) > edge", "tonumber(since) >= edge"),
    "the end of a fixed window": ("now - now % w.span > w.at", "now - now % w.span >= w.at"),
    "the limit": ("found + amount > math.min", "found + amount >= math.min"),
    "what is out on a side": ("return p.sells - p.low", "return p.sells - p.high"),
    "the rounding of exposure": ("more and whole + 1 or whole", "whole"),
    "who is silent": ("tonumber(lowest) < now - silent", "tonumber(lowest) <= now - silent"),
}


def edges(store: Any) -> list[Any]:
    """Go to every edge at which one more or one less decides; return the answers."""
    answers: list[Any] = []
    for fixed in (False, True):
        start = NOW - NOW % 1_000
        hold = hold_window(1, 1, fixed=fixed)
        answers += [store.use((hold,), at) for at in (start, start + 999, start + 1_000, start + 1_000)]
    answers += [reserve(store, hold_sum(1, 2))[1][:4] for _ in range(3)]
    unit = Observation(NOW, NOW, positions={"BTC": Decimal(0)}, units={"BTC": Decimal("60000.000000000001")})
    store.observe(ACCOUNT, unit, NOW)
    bought, _ = reserve(store, hold_position(3, BTC))
    store.outcome(bought.id, Outcome("settled", NOW, filled=Decimal("0.00000003"), closed=True))
    for hold in (hold_position(-1, 10), *(Hold(gross_counter(o), 0, 0, "gross", "risk") for o in OWNERS)):
        answers.append(reserve(store, hold, side="sell")[1][:4])
    reserve(store, side="buy")
    for at in (NOW + 250 + SILENT_MS, NOW + 250 + SILENT_MS + 1):
        answers.append(reserve(store, hold_clear("buy"), now=at, permit_until_ms=at + 10**6)[1][:4])
    return answers


def test_script_and_ledger_agree_at_every_edge(uri: str, tmp_path: Path) -> None:
    """Where one more or one less decides, both decide alike."""
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    assert edges(store) == edges(MemoryStore())
    store.close()


@pytest.mark.parametrize("line", BROKEN)
def test_I8_a_script_that_differs_by_a_line_is_caught(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Control: the edges find every one of these."""
    right, wrong = BROKEN[line]
    script = valkey_server.SCRIPT.decode()
    assert script.count(right) == 1
    use_script(monkeypatch, script.replace(right, wrong))
    store = ValkeyStore(uri, tmp_path / "journal.db", server_time=False)
    assert edges(store) != edges(MemoryStore())
    store.close()


def use_script(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let stores that are opened from now on run another script."""
    monkeypatch.setattr(valkey_server, "SCRIPT", script.encode())


def test_a_late_fill_is_of_the_store(server: ValkeyServer, tmp_path: Path) -> None:
    """What another process settled and filled meanwhile is what an outcome goes on from."""
    uri = server.uri("late")
    one, two = (ValkeyStore(uri, tmp_path / f"{n}.db", server_time=False) for n in "ab")
    hold = hold_position(BTC, 9 * BTC)
    decision, intent = wanted(hold)
    assert one.reserve(decision, intent, (hold,), 0, intent.decided_ms).granted
    assert two.outcome(intent.id, Outcome("found", 1, "x", Decimal("0.5"))).filled == Decimal("0.5")
    after = one.outcome(intent.id, Outcome("settled", 2, filled=Decimal("0.25"), closed=True))
    assert (after.state, after.filled, after.order_id) == ("settled", Decimal("0.5"), "x")
    one.close()
    two.close()
