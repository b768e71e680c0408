"""kill, resume, status and orders, end to end: a store, a policy and a simulated exchange behind --endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.engine.facts import Drift
from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import emptying
from policykit.guard import kill as killing
from policykit.guard.kill import kill
from policykit.guard.resolve import resolve
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store import open_journal
from policykit.store.codec import drift_to_list
from policykit.telemetry.timeline import Story, find, render
from tests.guard.world import SYMBOL, World, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}


@pytest.fixture
def live(start: Callable[..., World]) -> World:
    """Return an exchange on the machine's clock: the commands have no other."""
    return start(clock=SystemClock(), balances=HELD)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a runner of commands: exit code, and what was printed on both streams."""

    def command(world: World, *arguments: str) -> tuple[int, str]:
        code = main([arguments[0], "--store", world.store, *arguments[1:]])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return command


Run = Callable[..., tuple[int, str]]
ALL = ("kill", "--scope", "all", "--by", "alice", "--why", "runaway loop")


def test_kill_goes_where_the_guard_went(live: World, run: Run) -> None:
    """Whoever kills in a hurry does not know the gateway that a bot's guard was pointed at; the store does."""
    live.protected().create_order(*BUY)
    code, said = run(live, *ALL)
    assert (code, said.splitlines()[1]) == (
        0,
        "binance/main: 1 entries cancelled, 0 orders kept that can only reduce; no entry is left",
    )
    assert live.sim.client().fetch_open_orders(SYMBOL) == []


def test_kill_cancels_entries_and_keeps_exits(live: World, run: Run) -> None:
    """Entries are cancelled, a sale stays, the text says so and how to re-arm; exit code 0."""
    guard = live.guard()
    client = live.protected(guard)
    client.create_order(*BUY)
    client.create_order("ETH/USDT", "limit", "buy", 0.1, 1_000)
    kept = client.create_order(SYMBOL, "limit", "sell", 0.005, 70_000)
    code, said = run(live, *ALL, "--endpoint", live.sim.url)
    assert code == 0
    assert said.splitlines() == [
        'HALTED all by alice: "runaway loop"; nothing that increases is sent from now on',
        "binance/main: 2 entries cancelled, 1 orders kept that can only reduce; no entry is left",
        "  spot.order: listed 3, cancelled 2, kept 1, left 0",
        "re-arm with: policykit resume --scope all --by NAME --why TEXT",
    ]
    assert [order["id"] for order in live.sim.client().fetch_open_orders(SYMBOL)] == [kept["id"]]
    with pytest.raises(Denied, match="trading is halted by alice"):
        client.create_order(*BUY)
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"


def test_kill_as_json_and_again(live: World, run: Run) -> None:
    """The same for programs; a second kill changes nothing and is still complete."""
    live.protected(live.guard()).create_order(*BUY)
    code, said = run(live, *ALL, "--endpoint", live.sim.url, "--format", "json")
    report = json.loads(said)
    assert (code, report["complete"], report["scope"], report["not_reached"]) == (0, True, "all", {})
    assert [len(account["cancelled"]) for account in report["accounts"]] == [1]
    code, said = run(live, *ALL, "--endpoint", live.sim.url, "--format", "json")
    assert (code, json.loads(said)["accounts"][0]["cancelled"]) == (0, [])


def test_kill_takes_a_policy_that_is_written_two_ways_once(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard's own path is absolute and the one at the prompt seldom is: the account is asked and told of once."""
    with live.guard() as guard:
        file = Path(guard.in_force.info().policy_file)
        monkeypatch.chdir(file.parent)
        assert killing.policies_of(guard.store, [file.name]) == [file.name]


def test_kill_names_what_it_could_not_reach(live: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the secret, without the policy's file, without the exchange: halted all the same, exit code 1."""
    guard = live.guard()
    live.protected(guard).create_order(*BUY)
    monkeypatch.delenv("MM_EXEC_API_KEY")
    code, said = run(live, *ALL, "--endpoint", live.sim.url)
    assert code == 1
    assert f"not reached: {live.policy}: " in said
    assert "needs api_key" in said
    assert f"its guard on {guard.host} (pid " in said
    assert "cancels there" in said
    monkeypatch.setenv("MM_EXEC_API_KEY", live.sim.key)
    live.policy.rename(live.policy.with_name("moved.yaml"))
    code, said = run(live, *ALL, "--endpoint", live.sim.url)
    assert (code, f"not reached: {live.policy}: " in said) == (1, True)
    live.policy.with_name("moved.yaml").rename(live.policy)
    live.sim.close()
    code, said = run(live, *ALL, "--endpoint", "http://127.0.0.1:9")
    assert code == 1
    assert "FAILED" in said
    assert "  spot.order: listed 0, cancelled 0, kept 0, unknown what is left: open orders cannot be listed: " in said
    assert guard.store.halts()[0].by == "alice"


def test_kill_refuses_an_endpoint_that_is_none_before_it_halts(live: World, run: Run) -> None:
    """It could cancel nothing through it; the same words without it, or with an origin, halt at once."""
    guard = live.guard(ready=False)
    code, said = run(live, *ALL, "--endpoint", f"binance={live.sim.url}")
    assert (code, "the endpoint is no origin" in said, guard.store.halts()) == (2, True, [])


def test_kill_without_any_policy_and_with_a_silent_guard(live: World, run: Run) -> None:
    """An empty store is halted, and the text says that no policy is known; a guard long silent is not counted on."""
    code, said = run(live, *ALL)
    assert code == 1, "the store of a slip of the pen is empty too: nothing was cancelled, nothing seen"
    assert "no policy is known to this store; name them with --policy" in said
    first = said.splitlines()[0]
    assert first.startswith('HALTED all by alice: "runaway loop"; no guard is known to ')
    assert live.store in first
    assert "POLICYKIT_STORE" in first
    assert "nothing that increases is sent" not in said
    guard = live.guard(ready=False)
    clock = SystemClock()
    info = guard.store.guards()[0]._replace(beat_ms=clock.now_ms() - 60_000)
    guard.store.beat(info)
    work = emptying.Emptying(guard.store, clock, emptying.target_of(str(live.policy), clock.now_ms()), "all", None)
    assert "no live guard of that account was heard of" in work._who_else()


def test_kill_refuses_a_scope_that_is_none(live: World, run: Run) -> None:
    """A word that is no scope halts nothing: exit code 2."""
    code, said = run(live, "kill", "--scope", "everything", "--by", "a", "--why", "b")
    assert code == 2
    assert '--scope is "everything"; all, exchange:X, account:X/NAME, bot:X or symbol:X may be' in said


def test_an_order_on_its_way_is_pending_until_its_fence(start: Callable[..., World]) -> None:
    """On simulated time: an order that never arrived is waited for until its fence, and then the family is flat."""
    text = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    world = start({"at": "order", "do": "drop", "when": [1]}, text=text)
    guard = world.guard()
    with pytest.raises(OutcomeUnknown):
        world.protected(guard).create_order(*BUY)
    began = world.clock.now_ms()
    said: dict[str, Any] = {"scope": "all", "by": "a", "why": "b", "freeze": False, "files": [str(world.policy)]}
    result = kill(guard.store, world.clock, endpoint=world.sim.url, **said)
    assert result.complete
    assert 16_000 < world.clock.now_ms() - began <= 18_000


def test_an_order_without_a_fence_stays_pending(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where absence can never be proved the kill ends pending, names the order, and is not complete."""
    world = start()
    guard = world.guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)), gated=False)
    guard.settle(admitted, Outcome("unknown", guard.now(), error="TimeoutError"))
    monkeypatch.setattr(emptying, "ARRIVALS_MS", 3_000)
    said: dict[str, Any] = {"scope": "all", "by": "a", "why": "b", "freeze": False, "files": [str(world.policy)]}
    result = kill(guard.store, world.clock, endpoint=world.sim.url, **said)
    assert not result.complete
    assert result.accounts[0].pending == [admitted.intent.client_order_id]  # type: ignore[union-attr]
    from policykit.cli.kill import account_lines

    assert f"  may still arrive: {result.accounts[0].pending[0]}; run kill again" in account_lines(result.accounts[0])


def test_kill_of_another_exchange_touches_nothing(live: World, run: Run) -> None:
    """A scope of one account or exchange cancels there only."""
    live.protected(live.guard()).create_order(*BUY)
    run(live, "kill", "--scope", "exchange:kraken", "--by", "a", "--why", "b", "--endpoint", live.sim.url)
    assert len(live.sim.client().fetch_open_orders(SYMBOL)) == 1
    code, said = run(
        live, "kill", "--scope", "account:binance/main", "--by", "a", "--why", "b", "--endpoint", live.sim.url
    )
    assert (code, "1 entries cancelled" in said) == (0, True)


def test_resume_asks_who_may(live: World, run: Run) -> None:
    """Only those in kill_switch.rearm.by re-arm; nothing halted there is no success either."""
    guard = live.guard()
    run(live, *ALL, "--endpoint", live.sim.url)
    code, said = run(live, "resume", "--scope", "all", "--by", "mallory", "--why", "please")
    assert code == 1
    assert said.strip() == f"{live.policy}: kill_switch.rearm.by is desk-head; mallory may not re-arm"
    assert len(guard.store.halts()) == 1
    code, said = run(live, "resume", "--scope", "bot:other", "--by", "desk-head", "--why", "x")
    assert (code, said.strip()) == (1, "nothing is halted for bot:other; halted: all")
    code, said = run(live, "resume", "--scope", "all", "--by", "desk-head", "--why", "mended")
    assert (code, said.strip()) == (0, 'ACTIVE: 1 halt lifted for all by desk-head: "mended"')
    assert live.protected(guard).create_order(*BUY)["status"] == "open"


def test_resume_where_a_policy_cannot_be_read_is_refused(live: World, run: Run) -> None:
    """Who may re-arm is not known then, so nobody does."""
    live.guard()
    run(live, *ALL, "--endpoint", live.sim.url)
    live.policy.write_text("policykit: [")
    code, _ = run(live, "resume", "--scope", "all", "--by", "desk-head", "--why", "mended")
    assert code == 1


def test_status_says_whether_trading_is_on_and_who_guards(live: World, run: Run) -> None:
    """Halts with who and why, guards with their policy and heartbeat, unknown orders with the next step."""
    assert run(live, "status") == (
        0,
        "trading: ACTIVE\nguards: none has used this store\norders of unknown outcome: 0\n",
    )
    guard = live.guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    guard.settle(admitted, Outcome("unknown", guard.now(), error="NETWORK"))
    guard.store.halt("bot:mm", "HALTED", "alice", "looked odd", guard.now(), freeze=True)
    code, said = run(live, "status")
    lines = said.splitlines()
    assert (code, lines[0]) == (0, "trading: HALTED for bot:mm")
    assert lines[1].startswith("  bot:mm by alice at 2")
    assert lines[1].endswith('"looked odd", exits frozen too')
    assert lines[2] == "  when it is mended: policykit resume --scope bot:mm --by NAME --why TEXT"
    assert lines[3] == "guards: 1 live, 0 gone"
    assert lines[4].startswith(f"  mm  binance/main  enforce  {guard.host} pid ")
    assert lines[4].endswith(" s ago")
    assert lines[5] == f"      policy mm {guard.policy.version}"
    assert lines[6] == "mm on binance/main, stage full-live"
    assert lines[-1] == "orders of unknown outcome: 1; see policykit orders --unknown"
    report = json.loads(run(live, "status", "--format", "json")[1])
    assert report["unknown_orders"] == [admitted.decision.id]
    assert (report["halts"][0]["scope"], report["guards"][0]["bot"], report["version"]) == ("bot:mm", "mm", 1)


def test_status_tells_a_guard_that_is_gone_from_one_that_lives(live: World, run: Run) -> None:
    """A process that ended is no guard, however lately it was heard; when that was is still told."""
    guard = live.guard()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    guard.store.beat(guard.in_force.info()._replace(pid=ended.pid))
    lines = run(live, "status")[1].splitlines()
    assert lines[1] == "guards: 1 live, 1 gone"
    assert lines[2].endswith(" s ago")
    assert lines[4].endswith("Z, gone")


def test_status_shows_the_latest_of_many_that_are_gone(live: World, run: Run) -> None:
    """A bot that restarts often leaves many; the list stays short, and says what it leaves out."""
    guard = live.guard()
    for age in range(5):
        here = guard.in_force.info()
        guard.store.beat(here._replace(host=f"far-{age}", beat_ms=here.beat_ms - 60_000 * (age + 1)))
    lines = run(live, "status")[1].splitlines()
    assert lines[1] == "guards: 1 live, 5 gone"
    assert [line.split()[3] for line in lines[4:10:2]] == ["far-0", "far-1", "far-2"]
    assert lines[10] == "  and 2 that are gone for longer (--format json lists them)"


def test_status_names_an_account_that_nothing_explains(live: World, run: Run) -> None:
    """Trading may be on and every increase denied: what the account has, and nobody ordered, says why."""
    guard = live.guard()
    assert "reconcile" not in run(live, "status")[1]
    drift = drift_to_list(Drift("balance", "BTC", Decimal("0.1"), Decimal(6_000), ""))
    guard.store.reconcile(guard.account, {"drift": [drift]}, guard.now())
    assert "binance/main has what nothing explains: 1; see policykit reconcile\n" in run(live, "status")[1]


def test_orders_lists_and_resolves(live: World, run: Run) -> None:
    """What is out, what is unknown, and a person's word that ends it: the hold is given back or becomes a position."""
    guard = live.guard()
    for price in (59_000, 58_000):
        admitted = guard.decide(
            Order(SYMBOL, "buy" if price == 59_000 else "sell", "limit", Decimal("0.01"), Decimal(price)),
            gated=price == 59_000,
        )
        guard.settle(admitted, Outcome("unknown", guard.now(), error="NETWORK"))
    first, second = (intent.id for intent in guard.store.intents())
    code, said = run(live, "orders", "--unknown")
    assert (code, len(said.splitlines())) == (1, 6)
    assert max(len(line) for line in said.splitlines()) <= 100
    assert said.endswith("policykit orders resolve ID --as executed|absent --by NAME --why TEXT\n")
    assert f"{first}  unknown       BTC/USDT buy 0.01 @ 59000\n    " in said
    assert " ago by mm on binance/main: no answer came; a look-up after " in said
    assert len(json.loads(run(live, "orders", "--format", "json")[1])) == 2
    who = ("--by", "alice", "--why", "seen in the app")

    def end(ident: str, *more: str) -> tuple[int, str]:
        return run(live, "orders", "resolve", ident, *more, *who)

    assert end("nothing", "--as", "absent")[0] == 1
    assert end(first, "--as", "executed", "--filled", "0.02")[0] == 1
    assert end(first, "--as", "executed", "--filled", "much")[0] == 2
    code, said = end(first, "--as", "absent")
    assert code == 1
    assert f"{first} may still execute, unseen, until " in said
    assert end(first, "--as", "executed", "--filled", "0.004")[0] == 0
    assert end(second, "--as", "absent")[0] == 0
    with closing(open_journal(live.store)) as journal:
        story = find(journal, second)
    assert isinstance(story, Story)
    told = render(story).splitlines()[-1]
    assert told.endswith("ended      ABSENT     resolved by alice; no look-up proved it; reservation given back")
    assert end(second, "--as", "absent")[0] == 1
    position = guard.facts().positions["BTC"]
    assert position.high == Decimal("0.014")
    assert [position.open_buys.is_zero(), position.open_sells.is_zero()] == [True, True]
    assert run(live, "orders")[1] == "no order is out\n"
    assert run(live, "orders", "--unknown")[0] == 0
    assert run(live, "orders", "--all")[1].count("settled       BTC/USDT buy 0.01 @ 59000, filled 0.004\n") == 1


def test_an_order_that_a_dead_bot_left_on_its_way_is_unknown(
    live: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have executed: `orders --unknown` and `status` count it, and say that no guard runs who would look."""
    guard = live.guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    assert guard.store.intents()[0].state == "intended"
    monkeypatch.setattr("policykit.guard.living.SILENT_MS", 0)  # no guard was heard since
    code, said = run(live, "orders", "--unknown")
    first, second, third = said.splitlines()
    assert (code, first.split()[:2]) == (1, [guard.store.intents()[0].id, "intended"])
    assert second.endswith("by mm on binance/main: on its way when its bot ended, so it may have executed")
    assert third == "no guard of binance/main runs, so nothing looks them up: start its bot again"
    assert run(live, "status")[1].splitlines()[-1] == "orders of unknown outcome: 1; see policykit orders --unknown"
    guard.settle(admitted, Outcome("unknown", guard.now(), error="NOT_SETTLED_IN_TIME"))
    assert max(len(line) for line in run(live, "orders")[1].splitlines()) <= 100


def test_resolve_takes_only_what_is_unknown(start: Callable[..., World]) -> None:
    """An order that is known to be open is not for a person's word; all of it counts where no figure is given."""
    guard = start().guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    ident = admitted.decision.id

    def end(ident: str) -> str | None:
        return resolve(guard.store, ident, "executed", None, by="alice", why="seen", now_ms=guard.now())

    assert end(ident) == f"{ident} is intended, not unknown; nothing to resolve"
    guard.settle(admitted, Outcome("unknown", guard.now()))
    assert end(ident[:24]) is None
    assert guard.store.intents() == []
    assert guard.facts().positions["BTC"].high == Decimal("0.01")
