"""What a candidate's report says: counted from rows that last, of every process, with what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import PolicykitError
from policykit.guard import Guard
from policykit.guard.shadow import Shadow
from policykit.policy import load
from policykit.proofs.difference import ReplayGroup
from policykit.proofs.shadow import report as module
from policykit.proofs.shadow.report import LEFT_FAILED, Report, Seen, covered, journals_of, span
from policykit.proofs.shadow.starting import Refused, found, start, stop
from policykit.proofs.shadow.words import data, text
from policykit.store import Row, open_store
from policykit.store.memory import MemoryStore
from tests.guard.test_beside import HOUR, WHO, Desk
from tests.guard.world import policy_text


@pytest.fixture
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk on a real file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    made = Desk(folder, open_store(f"sqlite:///{folder}/store.db"))
    yield made
    made.store.close()


def reported(desk: Desk, **more: Any) -> Report:
    """Return the report of the candidate there is, from the store's own file."""
    now = desk.clock.now_ms()
    run = found(desk.store, None, now)
    uri = f"sqlite:///{desk.folder}/store.db"
    return module.report(desk.store, run, journals_of(uri, (), run.started_ms), desk_host(desk), now, **more)


def desk_host(desk: Desk) -> str:
    """Return the host of its guards."""
    return desk.store.guards()[0].host


def round_of(desk: Desk, *guards: Guard, seconds: float = 0) -> None:
    """Let time go by, and every guard do as much of a round as candidates need."""
    desk.clock.advance(seconds)
    for guard in guards:
        guard.beside.refresh()
        guard.beat()
        desk.facts(guard)


def test_decisions_are_counted_and_grouped_by_check_and_direction(desk: Desk) -> None:
    """Of six that were judged: two would be denied, by two checks; one that was denied would be allowed."""
    guard = desk.guard()
    guard.looping = True
    assert desk.ask(guard, 1_000, over=True) == []
    desk.start(desk.candidate(order="2000 USDT", position="2% of equity").rename(desk.folder / "next.yaml"), HOUR)
    round_of(desk, guard)
    asked = [desk.ask(guard, notional, over=notional < 1_400) for notional in (600, 1_800, 1_440, 720, 1_920, 120)]
    assert [bool(codes) for codes in asked] == [False, True, False, False, True, False]
    round_of(desk, guard, seconds=1_800)
    made = reported(desk)
    groups = [(g.check, g.code, g.becomes, g.decisions, round(g.money, 8)) for g in made.found.groups]
    assert groups == [
        ("risk.max_order_notional", "RISK_ORDER_NOTIONAL", "allow", 1, Decimal(1_800)),
        ("risk.max_position_notional", "RISK_POSITION", "deny", 1, Decimal(720)),
    ]
    assert (made.found.decisions, made.otherwise, made.found.left) == (6, 1, {})
    (example,) = made.found.groups[0].examples
    assert (example.account, example.was, example.now) == ("binance/main", ("RISK_ORDER_NOTIONAL",), ())
    assert made.seen == (Seen("mm", guard.host, 6, 1_800_000),)
    assert (made.covered_ms, made.asked_ms) == (1_800_000, HOUR)
    assert made.short == "1 h asked, 30 min seen so far"
    shown = text(made)
    assert "judged: 6 decisions of 1 bot on 1 host, over 30 min of 1 h" in shown
    assert "1 denied order would be allowed, 1,800.00 USDT: RISK_ORDER_NOTIONAL" in shown
    assert "1 allowed order would be denied, 720.00 USDT: RISK_POSITION" in shown
    assert "1 are denied by both, for other reasons" in shown
    assert shown.endswith("not enough yet: 1 h asked, 30 min seen so far\n")
    said = data(made)
    assert (said["enough"], said["covered_s"], said["judged"]["decisions"]) == (False, 1_800, 6)
    assert (said["candidate"]["state"], said["candidate"]["name"]) == ("running", "mm")
    assert "policy" not in said["candidate"]


def test_a_day_that_was_seen_is_enough_though_it_began_a_round_late(desk: Desk) -> None:
    """A guard takes a candidate in some seconds late, and lets go at its end: that is the day."""
    guard = desk.guard()
    desk.start(desk.candidate(order="1000 USDT"), HOUR)
    round_of(desk, guard, seconds=5)
    assert reported(desk).short == "no decision was judged yet"
    desk.ask(guard, 600, over=True)
    round_of(desk, guard, seconds=HOUR / 1000)
    assert guard.shadow is None
    made = reported(desk)
    assert (made.covered_ms, made.short, made.run.said(desk.clock.now_ms())) == (HOUR - 5_000, "", "ended")
    assert text(made).endswith("enough: policykit shadow promote puts it in force\n")
    assert "would be others: 0; the candidate decided as the active policy did" in text(made)


def test_time_in_which_no_guard_ran_is_not_counted(desk: Desk) -> None:
    """One that died is seen until its last row; the next from where it started; what both saw counts once."""
    first = desk.guard()
    desk.start(desk.candidate(order="1000 USDT"), 10 * HOUR)
    round_of(desk, first)
    desk.clock.advance(1_800)
    desk.facts(first)
    desk.ask(first, 600, over=True)
    desk.clock.advance(7_200)  # nobody says anything for two hours, and the registry has forgotten it
    second = desk.guard()
    second.bot = "mm-2"
    second.announce()
    desk.clock.advance(3_600)
    desk.facts(second)
    desk.ask(second, 600, over=True)
    made = reported(desk)
    assert made.covered_ms == 1_800_000 + 3_600_000
    assert [(one.bot, one.decisions, one.covered_ms) for one in made.seen if one.decisions] == [
        ("mm", 1, 1_800_000),
        ("mm-2", 1, 3_600_000),
    ]


def test_what_could_not_be_judged_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate that failed, a counter that nobody counts, a guard that cannot run it, a host, a broken file."""
    guard = desk.guard()
    text_ = policy_text().replace("max_open_orders:", "max_orders_per_symbol: {limit: 9, per: 1m}\n  max_open_orders:")
    run = desk.start(desk.candidate(text_))
    round_of(desk, guard)
    desk.ask(guard, 600, over=True)
    round_of(desk, guard)
    assert guard.shadow is not None
    with monkeypatch.context() as patch:
        patch.setattr(guard.shadow.engine, "assess", None)
        desk.ask(guard, 600, over=True)
    (info,) = desk.store.guards()
    desk.store.beat(info._replace(host="elsewhere", beat_ms=desk.clock.now_ms()))
    old = info._replace(bot="old", candidate="", candidate_why="its words are not those of policykit 1.0")
    desk.store.beat(old._replace(beat_ms=desk.clock.now_ms()))
    made = reported(desk)
    assert made.found.left == {LEFT_FAILED: 1}
    assert made.unjudged == ("risk.max_orders_per_symbol",)
    assert made.absent == (("old", guard.host, "its words are not those of policykit 1.0"),)
    assert made.unread == ("elsewhere",)
    shown = text(made)
    assert "not judged: risk.max_orders_per_symbol: its counter is new" in shown
    assert "left, 1: the candidate failed on them" in shown
    assert f"does not judge: old on {guard.host}: its words" in shown
    assert "not read: the journals of elsewhere; copy them here" in shown
    now = desk.clock.now_ms()
    broken = module.report(desk.store, run, [("a.db", broken_rows())], guard.host, now)
    assert broken.damaged == ("a.db: row 7 is not what was written",)
    assert "read in part: a.db: row 7 is not what was written" in text(broken)


def broken_rows() -> Iterator[Row]:
    """Be a journal that ends in damage."""
    from policykit.errors import StoreUnavailable

    raise StoreUnavailable("row 7 is not what was written", "STORE_DAMAGED")
    yield


def test_journals_of_several_hosts_are_read_together(desk: Desk, folder: Path) -> None:
    """Row numbers are each file's own; the span that both saw counts once, the decisions add up."""
    guard = desk.guard()
    run = desk.start(desk.candidate(order="1000 USDT"))
    round_of(desk, guard)
    desk.ask(guard, 1_200, over=True)
    rows = list(desk.store.rows(0, 10_000))
    other = [row._replace(body={**row.body, "host": "fra-2"}) if row.kind == "policy" else row for row in rows]
    made = module.report(desk.store, run, [("a", rows), ("b", other)], guard.host, desk.clock.now_ms())
    assert (made.found.decisions, made.found.source) == (2, "a, b")
    assert [(g.decisions, g.money) for g in made.found.groups] == [(2, Decimal(2_400))]
    assert {one.host for one in made.seen} == {guard.host, "fra-2"}
    path = str(folder / "store.db")
    with pytest.raises(PolicykitError, match="there is no journal"):
        list(journals_of(None, [str(folder / "none.db")], 0))
    assert [name for name, _ in journals_of(None, [path], 0)] == [path]
    assert [list(rows) for _, rows in journals_of(None, [path], desk.clock.now_ms() + 1)] == [[]]


def test_control_decisions_of_another_candidate_or_of_none_are_not_counted(desk: Desk) -> None:
    """Only rows under this start of this candidate."""
    guard = desk.guard()
    desk.start(desk.candidate(order="900 USDT"))
    round_of(desk, guard)
    desk.ask(guard, 1_000, over=True)
    desk.clock.advance(1)
    run = desk.start(desk.candidate(order="1000 USDT"))
    round_of(desk, guard)
    desk.ask(guard, 1_200, over=True)
    stop(desk.store, run, WHO, desk.clock.now_ms())
    round_of(desk, guard)
    desk.ask(guard, 1_300, over=True)
    made = reported(desk)
    assert made.found.decisions == 1
    assert [(g.code, g.money) for g in made.found.groups] == [("RISK_ORDER_NOTIONAL", Decimal(1_200))]
    assert isinstance(made.found.groups[0], ReplayGroup)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (86_400_000, "1 day"),
        (172_800_000, "2 days"),
        (90_000_000, "25 h"),
        (5_400_000, "90 min"),
        (1_000, "1 s"),
        (3, "3 ms"),
    ],
)
def test_a_time_is_written_in_one_unit(ms: int, said: str) -> None:
    """As a person would say it."""
    assert span(ms) == said


def test_spans_that_overlap_count_once() -> None:
    """In any order."""
    assert covered([(10, 20), (0, 5), (15, 30), (16, 18)]) == 25
    assert covered([]) == 0


# ---- starting


@pytest.mark.parametrize(
    ("changes", "policy", "why"),
    [
        ({"name": "mm2"}, "mm", "is no candidate for mm: name is mm2; the active policy's is mm"),
        ({"name": "mm2"}, None, "this store knows no guard of mm2 there"),
        ({"account": "hedge"}, None, "this store knows no guard of mm there"),
        ({"account": "hedge"}, "FILE", "it is of binance/hedge; the active policy trades binance/main"),
        ({}, None, "is what is in force; nothing to try"),
        ({}, "FILE", "is what is in force; nothing to try"),
    ],
)
def test_what_is_no_candidate_is_refused(desk: Desk, changes: dict[str, object], policy: str | None, why: str) -> None:
    """Of another name or account, or the same text: nothing is kept."""
    desk.guard()
    candidate, now = load(desk.candidate(**changes)), desk.clock.now_ms()
    with pytest.raises(Refused) as refused:
        start(desk.store, candidate, str(desk.file) if policy == "FILE" else policy, HOUR, WHO, now)
    assert why in str(refused.value)
    with pytest.raises(Refused, match="no candidate was started"):
        found(desk.store, None, now)


def test_another_currency_is_refused_by_what_a_guard_told(desk: Desk) -> None:
    """The registry has what is in force; without its words the guard itself judges."""
    desk.guard()
    text_ = policy_text().replace("currency: USDT", "currency: USDC").replace("1500 USDT", "1500 USDC")
    now = desk.clock.now_ms()
    with pytest.raises(Refused, match=r"account\.currency is"):
        start(desk.store, load(desk.candidate(text_)), None, HOUR, WHO, now)
    (info,) = desk.store.guards()
    desk.store.beat(info._replace(policy=""))
    assert start(desk.store, load(desk.candidate(text_)), None, HOUR, WHO, now).run.name == "mm"


def test_the_span_and_the_one_that_is_meant_are_checked(desk: Desk) -> None:
    """More than 90 days, and a name that two candidates share."""
    desk.guard()
    candidate, now = load(desk.candidate(order="900 USDT")), desk.clock.now_ms()
    for length in (0, 91 * 24 * HOUR):
        with pytest.raises(PolicykitError, match="more than nothing and at most 90d"):
            start(desk.store, candidate, None, length, WHO, now)
    with pytest.raises(Refused, match="no candidate was started for nobody"):
        found(desk.store, "nobody", now)
    run = start(desk.store, candidate, None, HOUR, WHO, now).run
    assert found(desk.store, str(desk.file), now) == found(desk.store, "mm", now) == run
    again = start(desk.store, candidate, None, HOUR, WHO, now + 1)
    assert again.replaces == run
    other = desk.folder / "hedge.yaml"
    other.write_text(policy_text(account="hedge"), encoding="utf-8")
    with closing(MemoryStore()):
        Guard.load(other, store=desk.store, clock=desk.clock, testing=True)
    start(desk.store, load(desk.candidate(account="hedge", order="900 USDT")), str(other), HOUR, WHO, now)
    with pytest.raises(PolicykitError, match=r"several candidates \(mm on binance/hedge, mm on binance/main\)"):
        found(desk.store, "mm", now)


def test_a_candidate_is_told_by_status(desk: Desk) -> None:
    """One line, with how many live guards judge by it."""
    from policykit.guard.standing import standing
    from policykit.guard.standing_text import render

    guard = desk.guard()
    run = desk.start(desk.candidate(order="900 USDT"), HOUR)
    now = desk.clock.now_ms()
    line = (
        f"candidate {run.version} beside mm on binance/main: {{}} of 1 live guards judge by it, until 2026-11-21T11:00Z"
    )
    assert line.format(0) in render(standing(desk.store, guard.host, now))
    round_of(desk, guard)
    here = standing(desk.store, guard.host, now)
    assert line.format(1) in render(here)
    assert here.to_dict()["candidates"] == [
        {"policy": "mm", "account": "binance/main", "version": run.version, "run": run.id}
        | {"until": "2026-11-21T11:00:00.000Z", "guards": 1, "of": 1}
    ]
    stop(desk.store, run, WHO, now)
    assert "candidate" not in render(standing(desk.store, guard.host, now))
    assert isinstance(guard.shadow, Shadow)
