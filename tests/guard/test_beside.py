"""A candidate beside a policy in live guards: it comes and goes without a restart, judges all, and moves nothing."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from decimal import Decimal
from itertools import count as counting
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.beside import KIND, OWN, Run, missing, run_of, runs_of
from policykit.guard.deciding import Deciding
from policykit.guard.replay import replay
from policykit.guard.shadow import Judged, Shadow
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.policy import EffectivePolicy, load
from policykit.proofs.shadow.starting import Who, start, stop
from policykit.sim import SimClock
from policykit.store import GuardInfo, Store, open_store
from policykit.store.valkey import ValkeyStore
from policykit.telemetry.tail import every
from tests.guard.test_replay import POLICY, History, told
from tests.guard.world import SYMBOL, policy_text
from tests.journal.test_schema import wrong
from tests.store.servers import ValkeyServer

Tier = Callable[[int, int], int]
WHO = Who("desk-head", "tighter caps, OPS-7", {"name": "desk-head", "proof": "claimed", "os_user": "ops", "host": "h"})
HOUR = 3_600_000
_names = counting()


class Desk:
    """A policy, a store, guards of it on a simulated clock, and candidates."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.clock, self.store = folder, SimClock(), store
        self.file = folder / "mm.yaml"
        self.file.write_text(policy_text(), encoding="utf-8")

    def guard(self, **more: Any) -> Guard:
        """Load a guard whose facts are known."""
        guard = Guard.load(self.file, store=self.store, clock=self.clock, testing=True, **more)
        guard.recovered = True
        self.facts(guard)
        return guard

    def facts(self, guard: Guard) -> None:
        """Tell it what it needs to decide."""
        marks = {SYMBOL: "60000", "ETH/USDT": "3000"}
        guard.observe(equity="100000 USDT", positions={}, marks=marks, net_transfers="0 USDT", skew_ms=3)

    def candidate(self, text: str | None = None, **changes: object) -> Path:
        """Write a candidate."""
        path = self.folder / f"new{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(policy_text(**changes) if text is None else text, encoding="utf-8")
        return path

    def start(self, path: Path, for_ms: int = 24 * HOUR) -> Run:
        """Start it, as `policykit shadow start` does."""
        now = self.clock.now_ms()
        return start(self.store, load(path, now_ms=now), str(self.file), for_ms, WHO, now).run

    def ask(self, guard: Guard, notional: int, *, over: bool = False) -> list[str]:
        """Have an order decided; return why it is denied. It stays out, unless it is `over`."""
        order = Order(SYMBOL, "buy", "limit", Decimal(notional) / 60_000, Decimal(60_000))
        try:
            admitted = guard.decide(order)
            if over:
                guard.settle(admitted, Outcome("not_sent", guard.now(), closed=True))
            guard.release(admitted)
        except Denied as denied:
            return [reason.code for reason in denied.decision.reasons]
        return []

    def shadows(self) -> list[Any]:
        """Return what rows of decisions say of a candidate: None where it agreed, or where there was none."""
        return [row.body.get("shadow") for row in every(self.store) if row.kind == "decision"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run one Valkey server."""
    running = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield running
    running.kill()


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def desk(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk on each kind of store, the real ones."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    store: Store
    if request.param == "valkey":
        uri = request.getfixturevalue("server").uri(f"beside-{next(_names)}")
        store = ValkeyStore(uri, folder / "journal.db", server_time=False)
    else:
        store = open_store("memory:" if request.param == "memory" else f"sqlite:///{folder}/store.db")
    yield Desk(folder, store)
    store.close()


def test_a_candidate_comes_and_goes_without_a_restart(desk: Desk) -> None:
    """It judges from the round after its start to the one after its end; what it says stands in the rows."""
    guard = desk.guard()
    run = desk.start(desk.candidate(order="1000 USDT"), HOUR)
    assert desk.ask(guard, 1_200, over=True) == []
    guard.beside.refresh()
    guard.beat()
    assert [info.candidate for info in desk.store.guards()] == [run.id]
    assert [desk.ask(guard, notional, over=True) for notional in (1_200, 900, 1_600)] == [
        [],
        [],
        ["RISK_ORDER_NOTIONAL"],
    ]
    desk.clock.advance(3_600)
    guard.beside.refresh()
    guard.beat()
    assert [info.candidate for info in desk.store.guards()] == [""]
    desk.facts(guard)
    assert desk.ask(guard, 1_200) == []
    over = {"outcome": "deny", "reasons": ["RISK_ORDER_NOTIONAL"], "checks": ["risk.max_order_notional"]}
    said = {"policy": {"name": "mm", "version": run.version}, **over}
    assert desk.shadows() == [None, said, None, None, None]
    named = [row.body.get("candidate", {}).get("run") for row in every(desk.store) if row.kind == "policy"]
    assert named == [None, run.id, None]
    rows = [row for row in every(desk.store) if row.kind in ("policy", KIND)]
    assert [message for row in rows for message in wrong(row)] == []
    assert "env://" not in str([row.body for row in rows])


def test_a_guard_that_starts_later_takes_it_in_and_one_that_runs_lets_go_when_it_is_stopped(desk: Desk) -> None:
    """At its start it has it already; a stop is heard in the next round, and a newer candidate replaces an older."""
    desk.guard()
    first = desk.start(desk.candidate(order="1000 USDT"))
    guard = desk.guard()
    assert desk.ask(guard, 1_200) == []
    desk.clock.advance(1)
    newer = desk.start(desk.candidate(order="1300 USDT"))
    guard.beside.refresh()
    assert (desk.ask(guard, 1_200), desk.ask(guard, 1_400)) == ([], [])
    assert [said and said["policy"]["version"] for said in desk.shadows()] == [first.version, None, newer.version]
    assert runs_of(desk.store, guard.account) == {"mm": newer}
    assert stop(desk.store, newer, WHO, desk.clock.now_ms())
    stopped = runs_of(desk.store, guard.account)["mm"]
    assert not stop(desk.store, stopped, WHO, desk.clock.now_ms())
    guard.beside.refresh()
    assert (guard.shadow, desk.ask(guard, 1_400), desk.shadows()[-1]) == (None, [], None)


def test_what_only_the_store_counts_is_judged_without_a_call(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tightened windows, open orders and positions show their denials on what is used, and nothing more is asked."""
    guard = desk.guard()
    desk.start(desk.candidate(open=2, orders=3, position="2% of equity"))
    guard.beside.refresh()
    monkeypatch.setattr(type(desk.store), "used", forbidden)
    assert [desk.ask(guard, 600) for _ in range(4)] == [[], [], [], []]
    said = [None if one is None else one["reasons"] for one in desk.shadows()]
    assert said == [None, None, ["RISK_OPEN_ORDERS"], ["RISK_POSITION", "RISK_OPEN_ORDERS", "RATE_ORDERS"]]


def test_a_cap_that_the_active_policy_meets_in_the_store_is_judged_on_the_same_state(desk: Desk) -> None:
    """Denied by the store and not by the candidate, or by both: the row says which."""
    desk.file.write_text(policy_text(open=1), encoding="utf-8")
    guard = desk.guard()
    desk.start(desk.candidate(open=2))
    guard.beside.refresh()
    order = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))
    out = guard.decide(order)
    assert desk.ask(guard, 600) == ["RISK_OPEN_ORDERS"]
    desk.clock.advance(1)
    desk.start(desk.candidate(open=1, order="1400 USDT"))
    guard.beside.refresh()
    assert desk.ask(guard, 600) == ["RISK_OPEN_ORDERS"]
    guard.release(out)
    version = load(desk.folder / "mm.yaml").version
    assert [said and (said["outcome"], said["reasons"]) for said in desk.shadows()] == [None, ("allow", []), None]
    assert version == guard.policy.version


def test_a_counter_that_nobody_counts_is_said_not_to_be_judged(desk: Desk) -> None:
    """A new window has no figures: the next row of the policy names its check, and a denial by it is never made up."""
    guard = desk.guard()
    text = policy_text().replace(
        "max_open_orders: 20", "max_open_orders: 20\n  max_orders_per_symbol: {limit: 1, per: 1m}"
    )
    desk.start(desk.candidate(text))
    guard.beside.refresh()
    assert [desk.ask(guard, 600) for _ in range(3)] == [[], [], []]
    assert desk.shadows() == [None, None, None]
    guard.beside.refresh()
    guard.beside.refresh()
    rows = [row.body["candidate"] for row in every(desk.store) if row.kind == "policy" and "candidate" in row.body]
    assert [row.get("unjudged") for row in rows] == [None, ["risk.max_orders_per_symbol"]]
    assert guard.shadow is not None
    assert guard.shadow.judged == 3


def test_a_denial_that_would_be_allowed_says_what_of_it_was_not_judged(desk: Desk) -> None:
    """The active cap denies, the candidate's does not, and its new window cannot tell: both are in the row."""
    guard = desk.guard()
    text = policy_text(order="2000 USDT")
    desk.start(
        desk.candidate(text.replace("max_open_orders", "max_orders_per_symbol: {limit: 9, per: 1m}\n  max_open_orders"))
    )
    guard.beside.refresh()
    assert desk.ask(guard, 1_800) == ["RISK_ORDER_NOTIONAL"]
    (said,) = desk.shadows()
    assert (said["outcome"], said["reasons"], said["unjudged"]) == ("allow", [], ["risk.max_orders_per_symbol"])


def test_the_same_text_as_what_is_in_force_is_not_judged(desk: Desk) -> None:
    """Once the file says what the candidate says, it is no candidate any more."""
    guard = desk.guard()
    path = desk.candidate(order="1000 USDT")
    desk.start(path)
    guard.beside.refresh()
    assert guard.shadow is not None
    desk.file.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    guard.reload()
    guard.beside.refresh()
    assert (guard.shadow, guard.beside.why) == (None, "")


def test_a_guard_that_was_loaded_with_a_candidate_keeps_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """And says why the store's does not judge there, in the log and in the registry."""
    own = desk.candidate(order="700 USDT")
    guard = desk.guard(shadow=own)
    run = desk.start(desk.candidate(order="1000 USDT"))
    with caplog.at_level(logging.WARNING, "policykit.guard"):
        guard.beside.refresh()
        guard.beside.refresh()
    guard.beat()
    assert desk.ask(guard, 800) == []
    assert desk.shadows()[-1]["policy"]["version"] == load(own).version
    (info,) = desk.store.guards()
    assert (info.candidate, info.candidate_why, missing(info, run)) == ("", OWN, OWN)
    messages = [record.message for record in caplog.records if record.name == "policykit.guard"]
    assert messages == [f"no candidate judges beside mm: {OWN}"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"policy": {"name": "mm", "words": "of tomorrow"}}, "its words are not those of policykit"),
        ({"policy": 7}, "its words are not those of policykit"),
        ({"until_ms": "soon"}, "its words are not those of policykit"),
        ("key", 'key is "mm-exec"; one of other may be'),
        ("account", "it is of binance/hedge; this guard trades binance/main"),
        ("exchange", "it is of nowhere/main; this guard trades binance/main"),
    ],
)
def test_a_candidate_that_cannot_be_read_here_changes_nothing(desk: Desk, change: Any, why: str) -> None:
    """Of another library, without the guard's key, of another account: it is said, and orders go their way."""
    guard = desk.guard()
    run = desk.start(desk.candidate(order="1000 USDT"))
    row = dict(desk.store.kept(guard.account, KIND)["mm"])
    words = copy(row["policy"])
    if change == "key":
        words["keys"] = {"other": words["keys"]["mm-exec"]}
    elif change == "account":
        words["account"] = {**words["account"], "name": "hedge"}
    elif change == "exchange":
        words["exchange"] = "nowhere"
        words.pop("rate_budgets")
    desk.store.keep(
        guard.account, KIND, "mm", {**row, "policy": words, **(change if isinstance(change, dict) else {})}, 1
    )
    guard.beside.refresh()
    guard.beat()
    assert (guard.shadow, desk.ask(guard, 1_200), desk.shadows()) == (None, [], [None])
    (info,) = desk.store.guards()
    assert why in info.candidate_why
    assert missing(info, run) == info.candidate_why


def test_who_does_not_judge_is_told_why_it_may_be() -> None:
    """A guard of a library that knows no candidates says nothing; one without a loop takes none in by itself."""
    run = run_of(None)
    assert run is None
    quiet = GuardInfo("b", "h", 1, "a", "mm", "v", "f", "enforce", 0)
    some = Run("r", "running", "a", "mm", "v", "d", "f", "h", "w", "by", "why", 0, 9, {})
    assert "maintenance loop does not run" in missing(quiet, some)
    assert "unless its policykit is older" in missing(quiet._replace(loop=True), some)
    assert missing(quiet._replace(candidate="r"), some) == ""


# ---- the active decision


class Paired:
    """The same history twice: beside one of them candidates come and go."""

    def __init__(self, folder: Path, seed: int, chance: random.Random) -> None:
        self.plain, self.tried = History(folder / "plain", seed, "memory:"), History(folder / "tried", seed, "memory:")
        self.chance, self.count = chance, 0

    def come_or_go(self) -> None:
        """Start another candidate for both of the policies, loosely or tightly capped, or stop it."""
        history, now = self.tried, self.tried.clock.now_ms()
        for name in ("mm", "hedger"):
            self.count += 1
            caps = {
                "order": self.chance.choice(("300 USDT", "700 USDT", "9000 USDT")),
                "open": self.chance.choice((1, 3, 99)),
                "orders": self.chance.choice((2, 60, 900)),
            }
            path = history.folder / f"candidate{self.count}.yaml"
            path.write_text(POLICY.format(name=name, **caps), encoding="utf-8")
            run = start(history.store, load(path), str(history.folder / f"{name}.yaml"), HOUR, WHO, now).run
            if self.chance.random() < 0.3:
                stop(history.store, run, WHO, now)
        for guard in history.guards:
            guard.beside.refresh()
            guard.beat()


def decisions(history: History) -> list[str]:
    """Return the rows of decisions and of what became of them; without candidates and rows, ids in order."""
    out, ids = [], dict[str, str]()
    for row in history.rows():
        if row.kind in ("decision", "outcome", "halt"):
            body = {k: v for k, v in row.body.items() if k not in ("shadow", "in_force", "facts_seq")}
            text = f"{row.at_ms} {row.kind} {json.dumps(body, sort_keys=True)}".replace(str(history.folder), "")
            for ident in re.findall(r"01[0-9A-HJKMNP-TV-Z]{24}", text):
                text = text.replace(ident, ids.setdefault(ident, f"id{len(ids)}"))
            out.append(text)
    return out


def run_both(folder: Path, seed: int, count: int) -> Paired:
    """Let the same things happen in both."""
    for name in ("plain", "tried"):
        (folder / name).mkdir(parents=True)
    paired = Paired(folder, seed, random.Random(seed + 1))
    for number in range(count):
        if number % 40 == 7:
            paired.come_or_go()
        paired.plain.happen()
        paired.tried.happen()
    return paired


def test_I13_no_candidate_moves_an_active_decision(folder: Path, tier: Tier) -> None:
    """With candidates that come and go each row of a decision is, byte by byte, what it is without; and I14 holds."""
    total, judged = tier(600, 20_000), 0
    paired = run_both(folder, 6, total)
    assert decisions(paired.tried) == decisions(paired.plain)
    rows = paired.tried.rows()
    done = replay(rows)
    assert done.different == 0, told(done)
    judged = sum("shadow" in row.body for row in rows)
    assert judged > total // 40


def test_I13_control_a_candidate_that_interferes_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose denials act: the comparison finds it."""
    real = Judged.__call__

    def acting(self: Judged, use: Any) -> dict[str, Any]:
        said = real(self, use)
        if said and said["shadow"]["outcome"] == "deny" and self._decision.outcome == "allow":
            self._decision.outcome = "deny"
        return said

    monkeypatch.setattr(Judged, "__call__", acting)
    paired = run_both(folder, 6, 200)
    assert decisions(paired.tried) != decisions(paired.plain)


def test_I14_control_the_candidate_of_another_row_is_noticed(folder: Path) -> None:
    """A journal whose candidate says something else is not decided again the same."""
    (folder / "plain").mkdir()
    (folder / "tried").mkdir()
    paired = run_both(folder / "more", 6, 200)
    rows = paired.tried.rows()

    def other(body: dict[str, Any]) -> dict[str, Any]:
        if "candidate" not in body:
            return body
        policy = copy(body["candidate"]["policy"])
        policy["risk"] = {**policy["risk"], "max_order_notional": "1 USDT"}
        return {**body, "candidate": {**body["candidate"], "policy": policy}}

    changed = [row._replace(body=other(row.body)) if row.kind == "policy" else row for row in rows]
    assert replay(rows).different == 0
    assert replay(changed).different > 0


def test_threads_and_a_candidate_that_changes_are_decided_again_the_same(folder: Path, tier: Tier) -> None:
    """Four threads decide while candidates come and go: no decision is judged by one that its row does not name."""
    history = History(folder, 3, "memory:")
    guard, count, over = history.guards[0], tier(50, 2_000), threading.Event()

    def trade(at: int) -> None:
        chance = random.Random(at)
        for _ in range(count):
            price = Decimal(60_000) - Decimal(chance.randrange(30_000)) / 100  # no two alike: a warning takes two turns
            order = Order("BTC/USDT", "buy", "limit", Decimal(chance.choice((1, 9))) / 1_000, price)
            with suppress(Denied):
                admitted = guard.decide(order)
                guard.settle(admitted, Outcome("settled", guard.now(), "1", order.quantity, closed=True))
                guard.release(admitted)

    tried = []
    for cap in ("200 USDT", "400 USDT"):
        path = folder / f"{cap[:3]}.yaml"
        path.write_text(POLICY.format(name="mm", order=cap, open=6, orders=60), encoding="utf-8")
        tried.append(load(path))

    def change() -> None:
        while not over.is_set():
            stop(history.store, runs_of(history.store, guard.account)["mm"], WHO, guard.now())
            guard.beside.refresh()
            for candidate in tried:
                begin(candidate)

    def begin(candidate: EffectivePolicy) -> None:
        history.clock.advance(0.001)
        start(history.store, candidate, str(folder / "mm.yaml"), HOUR, WHO, guard.now())
        guard.beside.refresh()

    begin(tried[0])
    threads = [threading.Thread(target=trade, args=(at,)) for at in range(4)]
    changer = threading.Thread(target=change)
    for thread in (*threads, changer):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    changer.join()
    done = replay(history.rows())
    assert (done.different, done.decisions) == (0, 4 * count), told(done)
    assert sum("shadow" in row.body for row in history.rows()) > 0


def test_without_a_candidate_nothing_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision meets no part of this; the control shows that it would be seen."""
    guard = desk.guard()
    monkeypatch.setattr(Shadow, "beside", forbidden)
    monkeypatch.setattr(Deciding, "_meant", forbidden)
    assert desk.ask(guard, 600) == []
    desk.start(desk.candidate(order="1000 USDT"))
    guard.beside.refresh()
    with pytest.raises(AssertionError):
        desk.ask(guard, 600)


def forbidden(*_: object, **__: object) -> None:
    """Stand in for what must not be called."""
    raise AssertionError("called")


def test_what_ends_between_the_refusal_and_its_row_makes_no_difference(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another bot's order is over just then: both policies are judged on what the active one was refused on."""
    desk.file.write_text(policy_text(open=1), encoding="utf-8")
    guard = desk.guard()
    desk.start(desk.candidate(open=1, order="1400 USDT"))
    guard.beside.refresh()
    out = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000)))
    record = desk.store.record

    def late(decision: Any, now_ms: int) -> int:
        guard.settle(out, Outcome("not_sent", guard.now(), closed=True))
        return record(decision, now_ms)

    monkeypatch.setattr(desk.store, "record", late)
    assert desk.ask(guard, 600) == ["RISK_OPEN_ORDERS"]
    assert desk.shadows() == [None, None]
    guard.release(out)
