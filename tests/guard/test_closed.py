"""I12 at the guard: every failure point is made to fail; increases are denied with a code, exits and cancels pass."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, OutcomeUnknown, PolicyError, PolicykitError, StoreUnavailable
from policykit.guard import Guard, fallback
from policykit.store import Observation, open_store
from tests.guard.world import SYMBOL, World, policy_text

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.001, 62_000)
ALLOWED = (Denied, OutcomeUnknown, ccxt.BaseError)


class Failing:
    """A store of which one method cannot be reached."""

    def __init__(self, real: Any, *broken: str, code: str = "STORE_DOWN") -> None:
        self._real = real
        self.broken = set(broken)
        self.code = code

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("broken", ()):

            def fail(*_: Any, **__: Any) -> Any:
                raise StoreUnavailable("the store cannot be reached", self.code)

            return fail
        return getattr(self._real, name)


METHODS = [name for name in dir(open_store("memory:")) if not name.startswith("_")]
METHODS = [name for name in METHODS if callable(getattr(open_store("memory:"), name))]
#: Whatever fails of these, a buy cannot be allowed.
NEEDED = {"facts", "reserve"}


def outcome(call: Callable[[], Any]) -> str:
    """Return how a call ended: passed, or the code of its denial; any foreign exception fails the test."""
    try:
        call()
    except Denied as denied:
        return denied.decision.reasons[0].code
    except ALLOWED as error:
        return type(error).__name__
    return "passed"


def rows(world: World) -> list[dict[str, Any]]:
    """Return the rows of the fallback file."""
    path = fallback.path_of("mm", open_store(world.store).epoch)
    files = [one for one in (path, path.with_name(path.name + fallback.TAKEN)) if one.exists()]
    return [json.loads(line) for one in files for line in one.read_text().splitlines()]


def test_the_list_of_failure_points_is_whole() -> None:
    """Every method of a store is among those that are made to fail."""
    assert set(METHODS) > NEEDED
    assert {"outcome", "renew", "event", "lease", "guards", "use", "at_least", "ban", "halt"} < set(METHODS)


@pytest.mark.parametrize("method", [*METHODS, "everything"])
def test_I12_a_store_that_fails_denies_increases_and_lets_exits_pass(start: Callable[..., World], method: str) -> None:
    """Each method in turn, and all at once: a buy is denied with a code or needs it not; sale and cancel pass."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    kept = client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
    broken = METHODS if method == "everything" else [method]
    guard.store = Failing(guard.store, *broken)
    bought = outcome(lambda: client.create_order(*BUY))
    assert bought == ("STORE_DOWN" if NEEDED & set(broken) else "passed")
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    assert outcome(lambda: client.cancel_order(kept["id"], SYMBOL)) == "passed"
    guard.maintain()
    sides = [side for side, _ in world.sent]
    assert sides == ["buy", *(["buy"] if bought == "passed" else []), "sell"]
    written = {row["decision"]["order"].get("side", "cancel") for row in rows(world) if row["kind"] == "decision"}
    if method in ("everything", "reserve"):
        assert written >= {"sell", "cancel"}
    if method == "everything":
        assert {row["state"] for row in rows(world) if row["kind"] == "outcome"} == {"acknowledged"}


def test_control_a_guard_that_ignores_a_store_that_fails_sends_the_buy(start: Callable[..., World]) -> None:
    """The check can fail: with the denial patched out, the same buy reaches the exchange."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    guard.store = Failing(guard.store, "reserve")
    guard._without_store = lambda decision, intent, error, started: guard._admit(decision, intent, (), started, 0)  # type: ignore[method-assign]
    assert outcome(lambda: client.create_order(*BUY)) == "passed"
    assert world.sent == [("buy", Decimal("0.01"))]


def test_I12_a_store_that_fails_between_decision_and_answer_keeps_the_order(start: Callable[..., World]) -> None:
    """What became of an order goes to the fallback file; the reservation stays, and recovery settles it."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real, guard.store = guard.store, Failing(guard.store, "outcome")
    assert client.create_order(*BUY)["status"] == "open"
    assert [row["state"] for row in rows(world)] == ["acknowledged"]
    assert real.intents()[0].state == "intended"
    guard.store = real
    guard.maintain()
    assert real.intents()[0].state == "acknowledged"


def test_I12_an_unknown_order_is_looked_up_without_a_store(start: Callable[..., World]) -> None:
    """The store fails after the send was decided, the reply is lost: the bot still gets its order."""
    world = start({"at": "order", "do": "lost_reply", "when": [1]})
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    guard.store = Failing(guard.store, "outcome", "event")
    assert client.create_order(*BUY)["status"] == "open"
    assert [row["state"] for row in rows(world)] == ["unknown", "found"]


@pytest.mark.parametrize(
    ("drop", "code"),
    [
        ("equity", "FACTS_MISSING"),
        ("positions", "FACTS_MISSING"),
        ("marks", "PRICE_MISSING"),
        ("skew", "CLOCK_SKEW"),
        ("net_transfers", "FACTS_MISSING"),
        ("nothing", "passed"),
    ],
)
def test_I12_each_missing_fact_denies_an_increase(start: Callable[..., World], drop: str, code: str) -> None:
    """One fact left out: a market buy is denied; a sale and a cancel pass; with all of them the buy passes."""
    world = start(balances=HELD)
    guard = world.guard(ready=False)
    now = guard.now()
    guard.store.observe(
        guard.account,
        Observation(
            now,
            now,
            equity=None if drop == "equity" else Decimal(99_600),
            net_transfers=None if drop == "net_transfers" else Decimal(0),
            positions=None if drop == "positions" else HELD,
            marks={} if drop == "marks" else {SYMBOL: Decimal(60_000)},
            skew_ms=None if drop == "skew" else 0,
            day_start_ms=now - now % 86_400_000,
        ),
        now,
    )
    client = world.protected(guard)
    assert outcome(lambda: client.create_order(SYMBOL, "market", "buy", 0.001)) == code
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    assert outcome(lambda: client.cancel_all_orders(SYMBOL)) == "passed"


def test_I12_facts_grow_old_where_nobody_reads_them(start: Callable[..., World]) -> None:
    """Maintenance that fails is complained of once; after max_age a buy is denied, and passes after a good round."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    world.clock.advance(11)
    assert outcome(lambda: client.create_order(*BUY)) == "FACTS_STALE"
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    guard.maintain()
    assert outcome(lambda: client.create_order(*BUY)) == "passed"


def test_maintenance_complains_once_and_its_thread_lives(
    start: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    """The same trouble is one line however many rounds; another one is another; foreign text is never in it."""
    world = start()
    guard = world.guard()
    real = guard.adapter

    class Odd:
        def __getattr__(self, name: str) -> Any:
            if name == "account":
                raise KeyError("secret text of somebody else")
            return getattr(real, name)

    caplog.clear()
    for adapter in (Odd(), Odd(), real, Odd()):
        guard.adapter = adapter
        guard.maintain()
    world.sim.close()
    guard.adapter = real
    guard.maintain()
    guard.maintain()
    said = [record.getMessage() for record in caplog.records if record.name == "policykit.guard"]
    assert [text.partition(": ")[2] for text in said] == [
        "KeyError in maintenance; increases are denied once facts are too old",
        "KeyError in maintenance; increases are denied once facts are too old",
        "binance: the exchange cannot be reached, or the connection broke; increases are denied once facts are too old",
    ]


ADAPTER = ["call", "order_params", "differs", "signed", "order_state", "find_order", "failure", "usage", "cancel"]


@pytest.mark.parametrize("name", ADAPTER)
def test_I12_an_adapter_that_raises_lets_no_foreign_exception_out(start: Callable[..., World], name: str) -> None:
    """Each method of the adapter in turn, with a reply lost on the way: only the errors that a bot knows."""
    world = start({"at": "order", "do": "lost_reply", "when": [1]}, balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real = guard.adapter

    class Odd:
        def __getattr__(self, asked: str) -> Any:
            if asked == name:
                raise ZeroDivisionError(asked)
            return getattr(real, asked)

    guard.adapter = client.policykit_gate.adapter = Odd()
    outcome(lambda: client.create_order(*BUY))
    outcome(lambda: client.cancel_all_orders(SYMBOL))
    guard.maintain()
    assert len(world.sent) <= 1


def test_I12_telemetry_that_raises_is_not_seen(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters, queue and exporter fail: decisions are the same."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("telemetry")

    monkeypatch.setattr(guard.telemetry.relay, "put", fail)
    monkeypatch.setattr(guard.telemetry.counters, "allowed", fail)
    monkeypatch.setattr(guard.telemetry.counters, "decided", fail)
    assert outcome(lambda: client.create_order(*BUY)) == "passed"
    assert outcome(lambda: client.create_order(SYMBOL, "limit", "buy", 1, 59_000)) == "RISK_ORDER_NOTIONAL"
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    guard.halt("all", "HALTED", "desk", "drill")
    assert outcome(lambda: client.create_order(*BUY)) == "TRADING_HALTED"


@pytest.mark.parametrize("step_s", [-7_200, -5, 5, 7_200, 90_000_000])
def test_I12_an_odd_clock_talks_nobody_into_anything(start: Callable[..., World], step_s: float) -> None:
    """The wall clock steps back and forth, by hours and years: only known errors, and exits are still decided."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    world.clock.step_wall(step_s)
    bought = outcome(lambda: client.create_order(*BUY))
    assert bought in {"passed", "FACTS_STALE", "CLOCK_SKEW", "DAY_BASE_MISSING"}
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    assert outcome(lambda: client.cancel_all_orders(SYMBOL)) == "passed"


def test_I12_an_exchange_clock_apart_denies_increases(start: Callable[..., World]) -> None:
    """The offset is measured in each round; beyond clock.max_skew a buy is denied and a sale passes."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    now = guard.now()
    guard.store.observe(guard.account, Observation(now, now, skew_ms=501), now)
    assert outcome(lambda: client.create_order(*BUY)) == "CLOCK_SKEW"
    assert outcome(lambda: client.create_order(*SELL)) == "passed"


def test_I12_a_full_disk_keeps_no_exit_from_the_exchange(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store down and no room for the fallback file either: the sale and the cancel are sent all the same."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    guard.store = Failing(guard.store, *METHODS, code="STORE_FULL")

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    assert outcome(lambda: client.cancel_all_orders(SYMBOL)) == "passed"
    assert outcome(lambda: client.create_order(*BUY)) == "STORE_FULL"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("policykit: 1\nname: [", "mm.yaml:2"),
        ("policykit: 1\nname: mm\nexchnge: binance\n", "did you mean `exchange`"),
        (policy_text().replace("3% of equity", "3 percent"), "daily_loss"),
    ],
)
def test_I12_a_policy_that_cannot_be_read_makes_no_guard(
    start: Callable[..., World], text: str | None, words: str
) -> None:
    """A missing, broken or wrong policy is a PolicyError with its place; there is no guard to send anything with."""
    world = start()
    if text is None:
        world.policy.unlink()
    else:
        world.policy.write_text(text)
    with pytest.raises(PolicyError) as error:
        world.guard()
    assert words.lower() in str(error.value).lower()


def test_a_store_that_cannot_be_opened_makes_no_guard(start: Callable[..., World], tmp_path: Path) -> None:
    """A damaged file and a wrong address are named at the start."""
    world = start()
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable, match="the file is damaged"):
        world.guard(store=f"sqlite:///{bad}")
    with pytest.raises(StoreUnavailable, match='"memory:" may be'):
        world.guard(store="mysql://localhost")


def test_a_live_policy_refuses_a_store_that_forgets(start: Callable[..., World]) -> None:
    """memory: is for tests, sandbox and shadow: else increases are denied, exits pass."""
    world = start(balances=HELD)
    guard = Guard.load(world.policy, store="memory:", clock=world.clock)
    guard.maintain(world.sim.client())
    client = world.protected(guard)
    assert outcome(lambda: client.create_order(*BUY)) == "STORE_EPHEMERAL"
    assert outcome(lambda: client.create_order(*SELL)) == "passed"
    world.policy.write_text(policy_text().replace("environment: live", "environment: sandbox"))
    sandbox = Guard.load(world.policy, store="memory:", clock=world.clock)
    sandbox.maintain(world.sim.client())
    assert outcome(lambda: world.protected(sandbox).create_order(*BUY)) == "passed"
    world.policy.write_text(policy_text() + "store: {share: fleet}\n")
    fleet = Guard.load(world.policy, store=world.store, clock=world.clock)
    fleet.maintain(world.sim.client())
    assert outcome(lambda: world.protected(fleet).create_order(*BUY)) in {"STORE_SHARE", "STORE_EPHEMERAL"}


def test_what_a_guard_is_loaded_from(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """No policy, no such key, two trading keys, a wrong mode, an exchange without an adapter: each says what may be."""
    world = start()
    with pytest.raises(PolicykitError, match=r"no policy is named; give Guard\.load a path, or set POLICYKIT_POLICY"):
        Guard.load()
    with pytest.raises(PolicykitError, match='key is "other"; one of mm-exec may be'):
        world.guard(key="other")
    assert world.guard(key="mm-exec").key == "mm-exec"
    monkeypatch.setenv("POLICYKIT_MODE", "shadowy")
    with pytest.raises(PolicykitError, match='POLICYKIT_MODE is "shadowy"; enforce or shadow may be'):
        world.guard()
    monkeypatch.delenv("POLICYKIT_MODE")
    two = policy_text().replace(
        "clock:", '  second: {purpose: execution, secret: "env://B", scopes: [trade.spot]}\nclock:'
    )
    world.policy.write_text(two)
    with pytest.raises(PolicykitError, match="keys with a trade scope: mm-exec, second; name one"):
        world.guard()
    world.policy.write_text(policy_text().replace("exchange: binance", "exchange: kraken"))
    with pytest.raises(PolicykitError, match='exchange is "kraken"; an exchange with an adapter is needed: binance'):
        world.guard()


def test_I15_a_halt_that_cannot_be_written_is_told(start: Callable[..., World]) -> None:
    """Who halts learns that nothing is halted; what a breached limit asks for is a denial all the same."""
    world = start()
    guard = world.guard()
    guard.store = Failing(guard.store, "halt")
    with pytest.raises(StoreUnavailable):
        guard.halt("all", "HALTED", "desk", "stop")
    guard.halt_once("all", "HALTED", "risk.daily_loss", "3% is lost")
    assert guard.facts().halts == ()
