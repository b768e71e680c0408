"""Reads that failed are tried again as `retry.data` says (G27); orders, and what a key was refused for, never."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.admission import CURRENT
from policykit.guard.own import asking
from policykit.guard.reading import AGAIN, Reads
from policykit.order import Order
from policykit.sim.faults import Faults
from tests.guard.bots import KINDS, bot
from tests.guard.contracts import contracts
from tests.guard.world import SYMBOL, World, kinds, policy_text

Start = Callable[..., World]
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
ACCOUNT, ORDER = "GET /api/v3/account", "POST /api/v3/order"


def text(data: str = "{wait_initial: 500ms, factor: 2, wait_max: 30s, jitter: none, attempts: 5}") -> str:
    """Return a policy with `retry.data`."""
    return policy_text().replace("retry:", f"retry:\n  data: {data}", 1)


def down(times: int = 100, do: str = "unknown", **more: Any) -> dict[str, Any]:
    """Return a fault: the next reads of the account fail, so many."""
    return {"at": "account", "do": do, "executed": False, "when": list(range(1, times + 1)), **more}


def begin(start: Start, *faults: dict[str, Any], said: str | None = None) -> tuple[World, Guard, Any]:
    """Start an exchange and a client behind a guard; what goes wrong goes wrong from here on."""
    world = start(text=said or text())
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    breaks(world, *faults)
    return world, guard, client


def breaks(world: World, *faults: dict[str, Any]) -> None:
    """Have an exchange that runs go wrong from now on."""
    world.sim._exchange.faults = Faults(faults)


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_is_tried_five_times_with_growing_waits(start: Start, kind: str) -> None:
    """0.5, 1, 2 and 4 s apart; then the bot gets the exchange's word in ccxt's class, without a chain."""
    world, guard, _ = begin(start, down(), said=text().replace("max_age: 10s", "max_age: 1h"))
    with bot(world, kind, guard) as ours:
        before, began = world.sim.truth.by_route[ACCOUNT], world.clock.now_ms()
        with pytest.raises(ccxt.OperationFailed) as raised:
            asked = ours.privateGetAccount({})  # no coroutine function, but what it returns is a coroutine
            ours.run(asked)
    assert world.sim.truth.by_route[ACCOUNT] == before + 5
    assert world.clock.now_ms() - began == 7_500
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_passes_at_last_is_answered(start: Start, kind: str) -> None:
    """Twice nothing, then the balance: the bot notices no more than the wait."""
    world, guard, _ = begin(start)
    breaks(world, down(2, "lost_reply"))
    with bot(world, kind, guard) as ours:
        assert ours.fetch_balance()["USDT"]["free"] == 100_000


def test_ccxts_own_retries_do_not_multiply(start: Start) -> None:
    """`maxRetriesOnFailure` 3 beside our five tries: five requests, not twenty."""
    world, _, client = begin(start, down())
    client.options["maxRetriesOnFailure"] = 3
    before = world.sim.truth.by_route[ACCOUNT]
    with pytest.raises(ccxt.OperationFailed):
        client.privateGetAccount({})
    assert world.sim.truth.by_route[ACCOUNT] == before + 5


def test_control_ccxts_own_retries_alone(start: Start) -> None:
    """Without a guard the same option asks four times at once."""
    world = start(down())
    client = world.sim.client()
    client.options["maxRetriesOnFailure"] = 3
    began = world.clock.now_ms()
    with pytest.raises(ccxt.OperationFailed):
        client.privateGetAccount({})
    assert world.sim.truth.by_route[ACCOUNT] == 4
    assert world.clock.now_ms() == began


def test_what_a_key_is_refused_for_is_asked_once(start: Start) -> None:
    """Trying again is what gets a key locked: never for authentication errors."""
    world, _, client = begin(start, down(do="rejected_key"))
    before = world.sim.truth.by_route[ACCOUNT]
    with pytest.raises(ccxt.AuthenticationError):
        client.privateGetAccount({})
    assert world.sim.truth.by_route[ACCOUNT] == before + 1


def test_I7_an_order_is_never_tried_again(start: Start) -> None:
    """503 on an order is unknown: it is looked up; the very same fault on a read is tried again."""
    fault = {"at": "order", "do": "unknown", "executed": True, "when": [1]}
    world, guard, client = begin(start, fault)
    assert client.create_order(*BUY)["status"] == "open"
    assert world.sim.truth.by_route[ORDER] == 1
    assert len(world.sent) == 1
    assert kinds(guard)[:2] == ["decision allow", "unknown"]
    assert "decision deny" not in kinds(guard)


def test_I7_retry_after_is_waited_for(start: Start) -> None:
    """429 with 7 s: the next try leaves no sooner, though the back-off is shorter; then it is answered."""
    world, _, client = begin(start)
    breaks(world, down(1, "throttle", seconds=7))
    began = world.clock.now_ms()
    assert client.privateGetAccount({})["balances"]
    assert world.clock.now_ms() - began >= 7_000
    assert world.sim.truth.refused_while_banned == 0


@pytest.mark.parametrize("do", ["throttle", "ban"])
def test_I7_a_wait_beyond_the_longest_is_not_waited(start: Start, do: str) -> None:
    """Told to wait for two minutes: one request, the error at once, and none of it again before the time."""
    world, _, client = begin(start, down(do=do, seconds=120))
    before, began = world.sim.truth.by_route[ACCOUNT], world.clock.now_ms()
    with pytest.raises(ccxt.DDoSProtection):
        client.privateGetAccount({})
    with pytest.raises(ccxt.RateLimitExceeded, match="the exchange told us to wait"):
        client.privateGetAccount({})
    assert world.sim.truth.by_route[ACCOUNT] == before + 1
    assert world.clock.now_ms() == began


def test_the_guards_own_reads_are_tried_again_and_facts_stay(start: Start) -> None:
    """One lost answer in a round of maintenance: the round is made, where it used to be given up."""
    world, guard, _ = begin(start)
    breaks(world, down(1, "lost_reply"))
    world.clock.advance(5)
    asked = world.clock.now_ms()
    guard.maintain()
    assert guard.facts().equity.as_of_ms >= asked  # type: ignore[union-attr]


def test_the_guards_own_reads_are_not_tried_beyond_its_next_round(start: Start) -> None:
    """Each try of its own read takes long: it is given up when the next round is due, a bot's is not."""
    slow = text("{wait_initial: 500ms, factor: 2, jitter: none, attempts: 5}")
    world, _, client = begin(start, down(), said=slow)
    for own, tries in ((True, 3), (False, 5)):
        before = world.sim.truth.by_route[ACCOUNT]
        with pytest.raises(ccxt.OperationFailed):
            if own:
                with asking():
                    client.privateGetAccount({})
            else:
                client.privateGetAccount({})
        assert world.sim.truth.by_route[ACCOUNT] == before + tries


def test_what_an_order_waits_for_is_asked_once(start: Start) -> None:
    """A read that ccxt makes on the way of an order fails: the order is not sent, and its bot hears it at once."""
    world, guard, client = begin(start, down())
    before = world.sim.truth.by_route[ACCOUNT]
    token = CURRENT.set(guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))))
    try:
        with pytest.raises(ccxt.OperationFailed):
            client.privateGetAccount({})
    finally:
        CURRENT.reset(token)
    assert world.sim.truth.by_route[ACCOUNT] == before + 1


def test_in_shadow_mode_and_past_fetch2_nothing_is_tried_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that only watches leaves reads as they are; a bare `fetch` cannot be signed anew."""
    world, _, client = begin(start, {"at": "market", "do": "unknown", "executed": False, "ratio": 1.0})
    asked = world.sim.truth.by_route["GET /api/v3/time"]
    with pytest.raises(ccxt.OperationFailed):
        client.fetch(f"{world.sim.url}/api/v3/time")
    assert world.sim.truth.by_route["GET /api/v3/time"] == asked + 1
    asked = world.sim.truth.by_route["GET /api/v3/time"]
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    shadowed = world.protected(world.guard(ready=False))
    with pytest.raises(ccxt.OperationFailed):
        shadowed.publicGetTime()
    assert world.sim.truth.by_route["GET /api/v3/time"] == asked + 1


@pytest.mark.parametrize(
    ("jitter", "least", "most"),
    [
        ("none", [0.5, 1, 2, 4], [0.5, 1, 2, 4]),
        ("equal", [0.25, 0.5, 1, 2], [0.5, 1, 2, 4]),
        ("full", [0] * 4, [0.5, 1, 2, 4]),
    ],
)
def test_waits_grow_and_scatter(start: Start, jitter: str, least: list[float], most: list[float]) -> None:
    """Between bounds, all over them, and the same for the same seed."""
    guard = begin(start, said=text(f"{{jitter: {jitter}}}"))[1]

    def draw(seed: int) -> list[float]:
        reads = Reads(guard, random.Random(seed))
        return [reads.wait_s(tried) for tried in range(1, 5)]

    drawn = [draw(seed) for seed in range(200)]
    assert drawn[7] == draw(7)
    for column in range(4):
        waits = [row[column] for row in drawn]
        assert least[column] <= min(waits)
        assert max(waits) <= most[column]
        assert max(waits) - min(waits) >= 0.9 * (most[column] - least[column])


def test_a_wait_is_no_longer_than_the_longest(start: Start) -> None:
    """A factor of 10 over a hundred tries overflows nothing."""
    guard = begin(start, said=text("{wait_initial: 1s, factor: 10, wait_max: 20s, jitter: none, attempts: 100}"))[1]
    assert [Reads(guard).wait_s(tried) for tried in (1, 2, 3, 100)] == [1, 10, 20, 20]


def test_without_the_section_the_guides_figures_hold(start: Start) -> None:
    """Five tries, full jitter, half a second at first."""
    world, _, client = begin(start, down(), said=policy_text())
    before = world.sim.truth.by_route[ACCOUNT]
    with pytest.raises(ccxt.OperationFailed):
        client.privateGetAccount({})
    assert world.sim.truth.by_route[ACCOUNT] == before + 5
    assert AGAIN.get() is False


def test_nothing_of_it_is_loaded_before_a_read_failed() -> None:
    """A healthy process pays for no library of retries."""
    code = "import sys, policykit, policykit.guard.protect; print('tenacity' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_denial_is_no_failed_read(start: Start) -> None:
    """A refused call is refused once."""
    _, guard, client = begin(start)
    with pytest.raises(Denied):
        client.sapiPostCapitalWithdrawApply({"coin": "BTC", "address": "x", "amount": 1})
    assert [row.kind for row in guard.store.rows(0, 999)].count("decision") == 1


def test_contracts_are_read_again_as_well(start: Start) -> None:
    """USD-M's reads pass the same way."""
    world = contracts(start)
    client = world.protected()
    breaks(world, down(2))
    assert client.fapiPrivateV3GetAccount({})["assets"]
