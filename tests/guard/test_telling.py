"""Messages to people: each cause told once over all processes, again when it lasts, and when it is over."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit import secrets
from policykit.engine.facts import Halt
from policykit.errors import OutcomeUnknown, StoreUnavailable
from policykit.guard import Guard, outbox
from policykit.guard.notices import MAX_WORD, Notice, defused, notices
from policykit.guard.telling import HostWatch, Watch
from policykit.order import Order
from policykit.store import open_store
from policykit.store.valkey import ValkeyStore
from tests.guard.world import SYMBOL, World, policy_text, world
from tests.notify.receivers import Webhook, webhook
from tests.store.servers import ValkeyServer

TOKEN = "0f9b2c7d1e5a4b3c"
NOTIFY = """\
notify:
  targets:
    ops: {secret: "env://OPS"}
incident: {contacts: [desk-head], runbook: docs/runbook.md}
"""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Give a webhook, whose address lies where the policy says."""
    monkeypatch.setattr(outbox, "MAX_WAIT_S", 0)
    with webhook() as server:
        monkeypatch.setenv("OPS_URL", server.url(f"/{TOKEN}"))
        yield server


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    """Give an exchange, and a policy whose people are told."""
    with world(tmp_path, text=policy_text() + NOTIFY) as one:
        yield one


def told(hook: Webhook, guard: Guard | None = None) -> list[str]:
    """Return the titles that arrived since the last call, once all are sent."""
    if guard is not None and guard._maintenance is not None:
        guard._maintenance._watching.close()
    titles = [got["title"] for got in hook.got]
    hook.got.clear()
    return titles


def rows(guard: Guard) -> list[dict[str, Any]]:
    """Return what the journal says of messages."""
    return [row.body for row in guard.store.rows(0, 100_000) if row.kind == "message"]


def pass_by(made: World, seconds: float) -> None:
    """Let time pass."""
    made.clock.advance(seconds)


HALTED = "policykit binance/main: trading is stopped"


def test_a_halt_is_told_and_its_end(made: World, hook: Webhook) -> None:
    """A phone rings once with who, why, since when and what to do; once more when it is over; the journal has both."""
    guard = made.guard()
    assert told(hook, guard) == []
    guard.store.halt("all", "HALTED", "ops", "leak <b>", guard.now())
    at = guard.now()
    guard.maintain()
    guard.maintain()
    guard._maintenance._watching._watch.outbox.close()
    (got,) = hook.got
    assert (got["title"], got["type"]) == (HALTED, "failure")
    assert got["message"].splitlines()[0] == 'trading is HALTED for all, by ops: "leak ‹b›"'
    assert got["message"].splitlines()[-2:] == [
        "next: policykit status; when it is mended: policykit resume --scope all --by NAME --why TEXT",
        "runbook: docs/runbook.md",
    ]
    hook.got.clear()
    pass_by(made, 125)
    guard.store.resume("all", "desk-head", "key changed", guard.now())
    guard.maintain()
    guard.maintain()
    guard._maintenance._watching.close()
    (got,) = hook.got
    assert (got["title"], got["type"]) == ("policykit binance/main: over: trading is stopped", "success")
    assert got["message"] == 'was: trading is HALTED for all, by ops: "leak ‹b›"\nlasted: 2 min'
    assert [(row["what"], row["cause"], row["subject"], row["target"], row["ok"]) for row in rows(guard)] == [
        ("told", "halt", "all", "ops", True),
        ("over", "halt", "all", "ops", True),
    ]
    assert rows(guard)[0]["at_ms"] - at < 5_000


def test_a_cause_that_lasts_is_told_every_quarter_of_an_hour(made: World, hook: Webhook) -> None:
    """One message in 15 minutes over three processes of a store, however often they look."""
    guards = [made.guard() for _ in range(3)]
    guards[0].store.halt("all", "HALTED", "ops", "x", guards[0].now())
    for minutes, count in ((0, 1), (14, 0), (1.1, 1), (10, 0), (5.1, 1)):
        pass_by(made, minutes * 60)
        for guard in guards * 2:
            guard.maintain()
        for guard in guards:
            guard._maintenance._watching.close()
        assert told(hook) == [HALTED] * count, minutes


def test_the_end_is_told_once_and_by_one_that_came_later(made: World, hook: Webhook) -> None:
    """A process that starts while a cause lasts, or after, tells its end; nobody tells what was never told."""
    first = made.guard()
    first.store.halt("account:binance/main", "REDUCING", "risk.daily_loss", "lost", first.now())
    first.maintain()
    assert told(hook, first) == [HALTED]
    first.store.resume("account:binance/main", "desk-head", "x", first.now())
    others = [made.guard(), made.guard()]
    for guard in [*others, first]:
        guard.maintain()
    for guard in [*others, first]:
        guard._maintenance._watching.close()
    (got,) = hook.got
    assert got["message"] == "was: trading is stopped: account:binance/main"
    assert told(hook) == ["policykit binance/main: over: trading is stopped"]


def test_a_halt_that_gets_worse_is_told_at_once(made: World, hook: Webhook) -> None:
    """REDUCING, then HALTED within the quarter of an hour: two messages."""
    guard = made.guard()
    for state in ("REDUCING", "HALTED"):
        guard.store.halt("all", state, "ops", "x", guard.now())  # type: ignore[arg-type]
        guard.maintain()
        assert told(hook, guard) == [HALTED]


def test_a_drill_is_quiet_unless_asked_for(made: World, hook: Webhook, tmp_path: Path) -> None:
    """A halt whose reason starts with "drill" wakes nobody."""
    guard = made.guard()
    guard.store.halt("all", "HALTED", "ops", "Drill of November", guard.now())
    guard.maintain()
    assert told(hook, guard) == []
    made.policy.write_text(policy_text() + NOTIFY.replace("notify:\n", "notify:\n  drills: tell\n"))
    asked = made.guard()
    asked.maintain()
    assert told(hook, asked) == [HALTED]


def test_targets_are_told_what_they_ask_for(tmp_path: Path, hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """By cause and by severity."""
    text = policy_text() + (
        "notify:\n  targets:\n"
        '    pager: {secret: "env://PAGER", severity: critical}\n'
        '    keys: {secret: "env://OPS", causes: [key_due]}\n'
    )
    text = text.replace(
        "scopes: [read, trade.spot]",
        "scopes: [read, trade.spot], rotation: {every: 30d, warn_before: 7d}, "
        "declared: {created: 2000-01-01, by: me, at: 2000-01-01}",
    )
    with webhook() as pager, world(tmp_path, text=text) as made:
        monkeypatch.setenv("PAGER_URL", pager.url())
        guard = made.guard()
        guard.store.halt("all", "HALTED", "ops", "x", guard.now())
        guard.maintain()
        guard._maintenance._watching.close()
        assert told(hook) == ["policykit binance/main: a key is due"]
        assert sorted(told(pager)) == ["policykit binance/main: a key is due", HALTED]


def test_a_dead_guard_is_told_by_another(made: World, hook: Webhook) -> None:
    """A guard whose loop ran and is not heard is told by a sibling, and by a process without a guard; one that ended
    says so, and one that never had a loop is not missed."""
    guards = {}
    for bot in ("dead", "ended", "once", "sibling"):
        guards[bot] = made.guard()
        guards[bot].bot = bot
        guards[bot].beat()
    for bot in ("dead", "ended", "sibling"):
        guards[bot]._maintenance.start()
    guards["ended"]._maintenance.stop()
    pass_by(made, 59)
    guards["sibling"].maintain()
    assert told(hook, guards["sibling"]) == []
    pass_by(made, 2)
    guards["sibling"].maintain()
    guards["sibling"]._maintenance._watching.close()
    (got,) = hook.got
    assert got["title"] == "policykit binance/main: a guard is silent"
    assert got["message"].startswith("bot dead of binance/main on ")
    hook.got.clear()
    watch = HostWatch(open_store(made.store), made.clock.now_ms)
    pass_by(made, 15 * 60)
    watch.round()
    watch.close()
    assert sorted(told(hook)).count("policykit binance/main: a guard is silent") == 2  # the sibling, too
    guards["dead"].maintain()
    watch.round()
    watch.close()
    assert told(hook) == ["policykit binance/main: over: a guard is silent"]


def test_an_unknown_order_is_told_once_it_lasts(tmp_path: Path, hook: Webhook) -> None:
    """An order that was lost on its way is told when 30 s have not settled it, and when it is settled."""
    text = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s") + NOTIFY
    with world(tmp_path, {"at": "order", "do": "drop", "when": [1]}, text=text) as made:
        guard = made.guard()
        watching = guard._maintenance._watching
        with pytest.raises(OutcomeUnknown) as caught:
            guard.place(Order(SYMBOL, "buy", "limit", quantity=Decimal("0.01"), price=Decimal(50_000)))
        watching.round()
        assert told_of(watching, hook) == []
        pass_by(made, 31)
        watching.round()
        watching.round()
        watching._watch.outbox.close()
        (got,) = hook.got
        assert got["title"] == "policykit binance/main: an order's outcome is unknown"
        assert got["message"].splitlines()[0] == f"1 order of unknown outcome: BTC/USDT buy {caught.value.intent}"
        hook.got.clear()
        guard.maintain()
        guard.maintain()
        assert told(hook, guard) == ["policykit binance/main: over: an order's outcome is unknown"]


def test_only_the_guard_itself_knows_why_it_denies(made: World, hook: Webhook) -> None:
    """A key that the exchange refuses is told after a minute, not at once, and its end when it works again."""
    guard = made.guard()
    guard.account_problem = ("ACCOUNT_UNREADABLE", f"refused {TOKEN}")
    watching = guard._maintenance._watching
    for seconds, count in ((0, 0), (40, 0), (21, 1)):
        pass_by(made, seconds)
        watching.round()
        watching_told = told_of(watching, hook)
        assert watching_told == ["policykit binance/main: every increase is denied"] * count, seconds
    guard.account_problem = None
    watching.round()
    assert told_of(watching, hook)[:1] != ["policykit binance/main: every increase is denied"]


def told_of(watching: Any, hook: Webhook) -> list[str]:
    """Return what arrived; the watch itself goes on."""
    if watching._watch is not None:
        watching._watch.outbox.close()
    return told(hook)


def test_a_policy_that_is_not_taken_is_told(made: World, hook: Webhook) -> None:
    """Somebody writes a looser policy: the phone says that it is not in force."""
    guard = made.guard()
    made.policy.write_text(policy_text(order="9000 USDT") + NOTIFY)
    guard.maintain()
    guard._maintenance._watching.close()
    assert [got["title"] for got in hook.got] == [
        "policykit binance/main: what was written of the policy is not in force"
    ]
    assert hook.got[0]["message"].startswith("what was written is not taken, and mm ")
    assert "it is looser" in hook.got[0]["message"]
    assert hook.got[0]["type"] == "warning"


def test_a_store_that_is_down_is_told_by_each_process(made: World, hook: Webhook, tmp_path: Path) -> None:
    """Without a store nobody can agree, so everybody says it, once in a quarter of an hour."""
    guard = made.guard()
    broken = _Broken(guard.store)
    watch = Watch(broken, guard.now, who="mm")  # type: ignore[arg-type]
    for _ in range(3):
        watch.round(guard.engine)
    watch.close()
    assert told(hook) == []
    pass_by(made, 61)
    for _ in range(3):
        watch.round(guard.engine)
    watch.close()
    assert told(hook) == ["policykit binance/main: every increase is denied"]


class _Broken:
    """A store of which everything fails."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fails(*_: object, **__: object) -> Any:
            raise StoreUnavailable("disk full")

        return fails


def test_hostile_words_are_harmless() -> None:
    """Symbols and reasons come from elsewhere: no markup, mention, link, second line or endless text is left."""
    assert defused("<!channel> [click](http://evil) @everyone *b* `c`\nsecond | ~~x~~\x1b[31m") == (
        "‹!channel› (click)(http:/ /evil) ＠everyone ∗b∗ 'c' second / --x-- (31m"
    )
    assert len(defused("a" * 5_000)) == MAX_WORD


def test_a_slow_target_delays_neither_rounds_nor_others(
    tmp_path: Path, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one receiver keeps its answer back, rounds go on and the other receiver has got everything."""
    text = policy_text() + 'notify: {targets: {slow: {secret: "env://SLOW"}, ops: {secret: "env://OPS"}}}\n'
    with webhook() as slow, world(tmp_path, text=text) as made:
        monkeypatch.setenv("SLOW_URL", slow.url())
        guard = made.guard()
        slow.hold.clear()
        guard.store.halt("all", "HALTED", "ops", "x", guard.now())
        guard.maintain()
        assert slow.came.acquire(timeout=30)
        assert hook.came.acquire(timeout=30)
        before = guard.store.guards()[0].beat_ms
        pass_by(made, 5)
        guard.maintain()
        assert guard.store.guards()[0].beat_ms > before
        slow.hold.set()
        guard._maintenance._watching.close()


def test_messages_that_cannot_be_sent_are_said_once_and_trading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an address the guard says so, loudly and once, writes what it could not tell, and trades."""
    monkeypatch.delenv("OPS_URL", raising=False)
    with world(tmp_path, text=policy_text() + NOTIFY) as made, caplog.at_level(logging.WARNING, "policykit.notify"):
        guard = made.guard()
        for _ in range(3):
            guard.maintain()
        made.protected(guard).create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        guard._maintenance._watching.close()
        (record,) = caplog.records
        assert record.getMessage() == (
            "messages to ops cannot be sent: env://OPS: OPS_URL is not set; set it where the bot runs;"
            " trading goes on without them"
        )
        guard.store.halt("all", "HALTED", "ops", "x", guard.now())
        guard.maintain()
        guard._maintenance._watching.close()
        assert [(row["ok"], row["words"]) for row in rows(guard)] == [
            (False, "env://OPS: OPS_URL is not set; set it where the bot runs")
        ]


def test_I23_a_refused_message_leaves_no_token(made: World, hook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """Four tries, then a log line, a counted loss and a row in the journal: none of them has the address."""
    caplog.set_level(logging.DEBUG)
    hook.status = 500
    guard = made.guard()
    guard.store.halt("all", "HALTED", "ops", "x", guard.now())
    guard.maintain()
    watch = guard._maintenance._watching._watch
    assert watch is not None
    guard._maintenance._watching.close()
    assert len(hook.got) == outbox.TRIES
    assert watch.outbox.lost() == 1
    (row,) = rows(guard)
    assert (row["ok"], row["words"]) == (
        False,
        "Failed to send JSON POST notification: Internal server error., error=500.",
    )
    assert TOKEN not in caplog.text + json.dumps(row)


def test_a_guard_without_targets_starts_nothing(tmp_path: Path) -> None:
    """Who has no `notify:` pays for none of it."""
    with world(tmp_path) as made:
        guard = made.guard()
        assert guard._maintenance._watching._watch is None
        assert notices(guard.engine, guard.store, guard.host, guard.now()) == []


def test_a_full_queue_drops_and_counts(made: World, hook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """A target that takes nothing for hours costs memory for MAX_WAITING messages, no more."""
    guard = made.guard()
    box = outbox.Outbox(guard.store, guard.now)
    hook.hold.clear()
    target = guard.policy.model.notify.targets["ops"]  # type: ignore[union-attr, index]
    message = outbox.Message("t", "b", "warning", {"cause": "halt"})
    box.put("ops", target, message)
    assert hook.came.acquire(timeout=30)
    for _ in range(outbox.MAX_WAITING + 3):
        box.put("ops", target, message)
    assert (box.dropped, box.lost()) == (3, 3)
    assert [r.getMessage() for r in caplog.records if "dropped" in r.getMessage()] == [
        f"messages to ops are dropped: {outbox.MAX_WAITING} wait already"
    ]
    (line,) = box._lines.values()
    box.close(0.001)
    hook.hold.set()
    line.thread.join(30)
    assert not line.thread.is_alive()
    assert len(hook.got) == 1


def test_what_everybody_reads_in_the_store(made: World) -> None:
    """Clock, comparison and loss are told by the facts that decisions are made on."""
    made.policy.write_text(policy_text() + NOTIFY + "reconciliation: {orders_every: 60s}\n")
    guard = made.guard()
    halt = Halt("bot:other one", "HALTED", "ops", "x", guard.now())
    guard.store.halt(*halt[:4], halt.at_ms)
    guard.observe(equity="97400 USDT", skew_ms=900)
    drift = ["position", SYMBOL, "0.5", "30000", "seen"]
    guard.store.reconcile(guard.account, {"drift": [drift] * 4}, guard.now() - 181_000)
    found = {notice.cause: notice for notice in notices(guard.engine, guard.store, guard.host, guard.now())}
    assert found["clock_skew"].what == "the host's clock is 900 ms from binance's; at most 500ms"
    assert found["loss"] == Notice("loss", "binance/main/mm/risk.daily_loss", found["loss"].what, found["loss"].do)
    assert "of 3,000.00 USDT" in found["loss"].what
    assert "'bot:other one'" in found["halt"].do
    named = "position BTC/USDT by 0.5 (30,000.00 USDT)"
    assert found["drift"].what == f"nothing explains {named}, {named}, {named} and 1 more"
    assert found["reconcile_stale"].what == "last compared 181 s ago; at most 180 s are meant"


def test_an_error_of_ours_stops_no_maintenance(
    made: World, hook: Webhook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in telling is said once, and the round ends as always."""
    guard = made.guard()

    def broken(*_: object, **__: object) -> None:
        raise ValueError(TOKEN)

    monkeypatch.setattr(Watch, "round", broken)
    with caplog.at_level(logging.ERROR, "policykit.notify"):
        guard.maintain()
        guard.maintain()
    assert [record.getMessage() for record in caplog.records] == [
        "what is wrong with binance/main cannot be told: ValueError"
    ]
    guard._maintenance._watching.close()


def test_bots_on_one_valkey_ring_once(made: World, hook: Webhook, tmp_path: Path) -> None:
    """Three hosts agree through the server: one message, and one when it is over."""
    server = ValkeyServer(tmp_path / "valkey")
    try:
        stores = [ValkeyStore(server.uri(), tmp_path / f"journal{n}.db") for n in range(3)]
        guards = [made.guard(store=store) for store in stores]
        for step in ("halt", "resume"):
            if step == "halt":
                stores[0].halt("all", "HALTED", "ops", "x", guards[0].now())
            else:
                stores[1].resume("all", "desk-head", "x", guards[0].now())
            for guard in guards * 2:
                guard._maintenance._watching.round()
        for guard in guards:
            guard._maintenance._watching.close()
        assert sorted(told(hook)) == ["policykit binance/main: over: trading is stopped", HALTED]
        for store in stores:
            store.close()
    finally:
        server.kill()


def test_the_host_watch_counts_what_nobody_got(made: World, hook: Webhook) -> None:
    """The exporter's part: it tells by the policy's file, and counts what no target took."""
    hook.status = 500
    guard = made.guard(ready=False)
    guard.store.halt("all", "HALTED", "ops", "x", guard.now())
    watch = HostWatch(open_store(made.store), made.clock.now_ms)
    watch.round()
    watch.close()
    assert (len(hook.got), watch.lost()) == (outbox.TRIES, 1)


def test_a_manager_that_fails_in_its_own_way_is_a_word(
    made: World, hook: Webhook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a library of secrets raises is not repeated: it may hold the secret."""

    def broken(_: str) -> None:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(secrets, "read_url", broken)
    guard = made.guard()
    guard._maintenance._watching.close()
    said = "messages to ops cannot be sent: RuntimeError while its address was read; trading goes on without them"
    assert said in [record.getMessage() for record in caplog.records]
    assert TOKEN not in caplog.text


def test_facts_that_grow_old_are_told_by_the_guard(made: World, hook: Webhook) -> None:
    """An exchange that does not answer for a minute is why every increase is denied."""
    guard = made.guard()
    watching = guard._maintenance._watching
    for seconds in (61, 61):
        pass_by(made, seconds)
        watching.round()
    watching.close()
    assert "policykit binance/main: every increase is denied" in told(hook)
