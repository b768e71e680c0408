"""Every method of the store over every back-end alike: facts, halts, guards and rows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from policykit.engine.facts import Fact, Halt
from policykit.orders.intent import Outcome
from policykit.store import GuardInfo, Observation
from policykit.store.backed import LedgerStore
from policykit.store.base import GUARD_SILENT_MS
from policykit.store.ledger import Ledger
from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore
from policykit.store.valkey import ValkeyStore
from tests.store.made import (
    ACCOUNT,
    BTC,
    NOW,
    dump,
    hold_clear,
    hold_position,
    hold_sum,
    hold_window,
    replayed,
    reserve,
)
from tests.store.test_conformance import Again, facts_of


def test_an_older_fact_never_replaces_a_newer_one(store: LedgerStore) -> None:
    """An answer that comes late changes nothing, fact by fact."""
    new = Observation(NOW, NOW + 1, Decimal(2), Decimal(2), {"BTC": Decimal(2)}, marks={"BTC/USDT": Decimal(2)})
    old = Observation(NOW - 1, NOW, Decimal(1), Decimal(1), {"BTC": Decimal(1)}, marks={"BTC/USDT": Decimal(1)})
    store.observe(ACCOUNT, new, NOW)
    before = dump(store)["accounts"]
    store.observe(ACCOUNT, old, NOW)
    store.observe(ACCOUNT, replace(old, partial=True), NOW)
    assert dump(store)["accounts"] == before
    store.observe(ACCOUNT, replace(new, equity=Decimal(3)), NOW)
    assert store.facts(ACCOUNT, "bot").equity == Fact(Decimal(3), NOW)


def test_a_complete_reading_ends_positions_that_it_lacks(store: LedgerStore) -> None:
    """What a complete list does not name is flat; a partial one says nothing of what it does not name."""
    store.observe(ACCOUNT, facts_of(positions={"BTC": Decimal(1), "ETH": Decimal(1)}), NOW)
    later = Observation(NOW + 1, NOW + 2, positions={"BTC": Decimal(2)}, partial=True)
    store.observe(ACCOUNT, later, NOW)
    assert {k: p.high for k, p in store.facts(ACCOUNT, "bot").positions.items()} == {"BTC": 2, "ETH": 1}
    assert store.facts(ACCOUNT, "bot").positions_as_of_ms == NOW
    store.observe(ACCOUNT, replace(later, partial=False), NOW)
    assert {k: p.high for k, p in store.facts(ACCOUNT, "bot").positions.items()} == {"BTC": 2, "ETH": 0}


def test_the_day_base_is_the_first_equity_of_the_day(store: LedgerStore) -> None:
    """Less what came in since; it moves once a day, transfers start anew, and a reading from before the day is none."""
    day = NOW + 1_000

    def seen(at: int, equity: int, transfers: int | None = None) -> None:
        moved = None if transfers is None else Decimal(transfers)
        store.observe(ACCOUNT, Observation(at, at, Decimal(equity), moved, day_start_ms=day), at)

    seen(NOW, 100)
    assert store.facts(ACCOUNT, "bot").day_base is None
    seen(day + 5, 90, 7)
    seen(day + 9, 80)
    facts = store.facts(ACCOUNT, "bot")
    assert (facts.day_base, facts.net_transfers) == (Fact(Decimal(83), day), Fact(Decimal(7), day + 5))
    day += 86_400_000
    seen(day, 70)
    facts = store.facts(ACCOUNT, "bot")
    assert (facts.day_base, facts.net_transfers) == (Fact(Decimal(70), day), None)


def test_facts_that_were_handed_out_see_later_holds(store: LedgerStore) -> None:
    """Positions are a live view also of an account that was unknown when the facts were made."""
    facts = store.facts(ACCOUNT, "bot")
    reserve(store, hold_position(BTC, BTC))
    assert store.facts(ACCOUNT, "bot").positions["BTC"].open_buys == 1
    assert store.facts(ACCOUNT, "bot") is not facts
    known = store.facts(ACCOUNT, "bot")
    reserve(store, hold_position(-BTC, BTC), side="sell")
    assert known.positions["BTC"].open_sells == 1


# ---- halts, bans


def test_a_halt_binds_its_scope(store: LedgerStore, reopened: Again) -> None:
    """all, exchange, account, bot and symbol; facts name those that bind, and a new process finds them."""
    scopes = ("all", "exchange:binance", f"account:{ACCOUNT}", "bot:mm", "symbol:BTC/USDT")
    for number, scope in enumerate((*scopes, "account:kraken/main", "bot:other"), 1):
        assert store.halt(scope, "HALTED", "desk", "test", NOW) == (number, [])
    for again in (store, reopened(store)):
        facts = again.facts(ACCOUNT, "mm", "BTC/USDT")
        assert tuple(h.scope for h in facts.halts) == scopes
        assert facts.generation == 7
        assert tuple(h.scope for h in again.facts("kraken/main", "x").halts) == ("all", "account:kraken/main")
        assert len(again.halts()) == 7


def test_a_halt_says_which_decision_set_it(store: LedgerStore) -> None:
    """Its row names the decision, so that a denial by it can be led back; a person's names none."""
    store.halt("all", "HALTED", "policykit", "a loss", NOW, decision_id="01JD3V7K2M")
    store.halt("all", "HALTED", "desk", "test", NOW)
    found = [row.body.get("decision") for row in store.rows() if row.kind == "halt"]
    assert found == ["01JD3V7K2M", None]


def test_a_halt_names_the_permits_that_may_still_be_used(store: LedgerStore) -> None:
    """Every intent that was not reported sent and whose permit runs, its last millisecond included, or has no end."""
    gated, _ = reserve(store)
    ungated, _ = reserve(store, permit_until_ms=None)
    sent, _ = reserve(store)
    sent_intent = store.outcome(sent.id, Outcome("sent", NOW))
    assert store.halt("all", "HALTED", "desk", "test", NOW + 250) == (1, [gated, ungated])
    assert store.halt("all", "HALTED", "desk", "test", NOW + 251) == (2, [ungated])
    assert store.intent(sent.id) == sent_intent


def test_a_later_halt_only_tightens(store: LedgerStore) -> None:
    """The stricter state stands with who set it; freeze and latch stay once set; lifting is another act."""
    scope = "all"
    store.halt(scope, "REDUCING", "a", "one", NOW, latched=False)
    assert store.halts() == [Halt(scope, "REDUCING", "a", "one", NOW, False, False)]
    store.halt(scope, "REDUCING", "b", "two", NOW + 1)
    assert store.halts() == [Halt(scope, "REDUCING", "a", "one", NOW, False, True)]
    store.halt(scope, "HALTED", "c", "three", NOW + 2, latched=False)
    assert store.halts() == [Halt(scope, "HALTED", "c", "three", NOW + 2, False, True)]
    store.halt(scope, "REDUCING", "d", "four", NOW + 3, freeze=True)
    assert store.halts() == [Halt(scope, "HALTED", "c", "three", NOW + 2, True, True)]


def test_a_drill_hides_no_halt_that_is_real(store: LedgerStore) -> None:
    """Whichever comes first: monitors and people are told of what is no exercise, as strict as the stricter of both."""
    store.halt("all", "HALTED", "ops", "drill of November", NOW)
    assert [halt.drill for halt in store.halts()] == [True]
    store.halt("all", "REDUCING", "desk", "a key leaked", NOW + 1, freeze=True)
    assert store.halts() == [Halt("all", "HALTED", "desk", "a key leaked", NOW + 1, True, True)]
    store.halt("all", "HALTED", "ops", "Drill again", NOW + 2)
    assert store.halts() == [Halt("all", "HALTED", "desk", "a key leaked", NOW + 1, True, True)]
    store.halt("bot:mm", "REDUCING", "desk", "too fast", NOW)
    store.halt("bot:mm", "HALTED", "ops", "drill", NOW + 1)
    assert store.halts()[1] == Halt("bot:mm", "HALTED", "desk", "too fast", NOW, False, True)
    store.halt("symbol:A/B", "HALTED", "ops", "drill", NOW)
    store.halt("symbol:A/B", "HALTED", "ops", "drill two", NOW + 1)
    assert store.halts()[2].why == "drill"


def test_resume_lifts_a_scope_or_all(store: LedgerStore, reopened: Again) -> None:
    """It says how many it lifted, and moves the generation, so that what was assessed before is assessed again."""
    for scope in ("bot:a", "bot:b", "bot:c"):
        store.halt(scope, "HALTED", "desk", "test", NOW)
    assert store.resume("bot:a", "head", "over", NOW) == 1
    assert store.resume("bot:a", "head", "over", NOW) == 0
    assert [h.scope for h in store.halts()] == ["bot:b", "bot:c"]
    assert store.resume("all", "head", "over", NOW) == 2
    for again in (store, reopened(store)):
        assert (again.halts(), again.facts(ACCOUNT, "a").generation) == ([], 6)


def test_the_first_policy_fixes_an_accounts_currency(store: LedgerStore, reopened: Again) -> None:
    """A second policy in another currency does not change what is counted; that it was loaded is a row."""
    assert store.facts(ACCOUNT, "bot").currency is None
    assert store.announce(ACCOUNT, "USDT", {"name": "mm"}, NOW) == 1
    assert store.announce(ACCOUNT, "EUR", {"name": "other"}, NOW) == 2
    for again in (store, reopened(store)):
        assert again.facts(ACCOUNT, "bot").currency == "USDT"
    assert [r.body for r in store.rows()][1] == {"account": ACCOUNT, "currency": "EUR", "name": "other"}


def test_an_outcome_of_an_intent_that_is_forgotten_is_passed_over() -> None:
    """A version that remembers fewer closed intents can still replay what another wrote."""
    ledger = Ledger()
    ledger.apply("outcome", {"intent": "long ago", "state": "settled"}, NOW)
    ledger.apply("lookup", {}, NOW)
    assert ledger.dump() == Ledger().dump()


def test_a_ban_is_never_shortened(store: LedgerStore, reopened: Again) -> None:
    """The latest end stands, by scope, over restarts."""
    store.ban(ACCOUNT, "ip", NOW + 100, NOW)
    store.ban(ACCOUNT, "ip", NOW + 50, NOW)
    store.ban(ACCOUNT, "account", NOW + 10, NOW)
    for again in (store, reopened(store)):
        assert again.facts(ACCOUNT, "bot").banned_until_ms == {"ip": NOW + 100, "account": NOW + 10}


# ---- what is no state


def test_an_event_is_a_row_and_nothing_else(store: LedgerStore) -> None:
    """Events are read back as JSON; the kinds that change state cannot be forged as events."""
    state = {k: v for k, v in dump(store).items() if k != "seq"}
    assert store.event("note", {"by": ("a", "b"), "n": 1, "text": "é\ud800"}, NOW) == 1
    (row,) = store.rows()
    assert (row.kind, row.body) == ("note", {"by": ["a", "b"], "n": 1, "text": "é\ud800"})
    assert {k: v for k, v in dump(store).items() if k != "seq"} == state
    for kind in ("decision", "use", "outcome", "renew", "observe", "halt", "resume", "ban", "policy"):
        with pytest.raises(ValueError, match=f'an event is of the kind "{kind}"'):
            store.event(kind, {}, NOW)
    assert store.verify() == (1, None)


def guard(bot: str, beat_ms: int, pid: int = 1) -> GuardInfo:
    """Return what a guard says of itself."""
    return GuardInfo(bot, "host", pid, ACCOUNT, "mm", "sha256:0", "mm.yaml", "enforce", beat_ms)


def test_guards_are_listed_until_silent_for_a_week(store: LedgerStore) -> None:
    """A beat replaces the one before; who was silent for seven days is dropped by the next beat of anybody."""
    store.beat(guard("b", NOW))
    store.beat(guard("a", NOW))
    store.beat(guard("a", NOW, pid=2))
    store.beat(guard("a", NOW + 1))
    assert store.guards() == [guard("a", NOW + 1), guard("a", NOW, pid=2), guard("b", NOW)]
    store.beat(guard("a", NOW + 1)._replace(account="binance/other"))
    assert [g.account for g in store.guards()] == [ACCOUNT, "binance/other", ACCOUNT, ACCOUNT]
    store.beat(guard("c", NOW + GUARD_SILENT_MS))
    assert len(store.guards()) == 5
    store.beat(guard("c", NOW + GUARD_SILENT_MS + 1))
    assert [(g.bot, g.beat_ms - NOW) for g in store.guards()] == [("a", 1), ("a", 1), ("c", GUARD_SILENT_MS + 1)]


def test_a_lease_has_one_holder(store: LedgerStore) -> None:
    """It is kept by its holder, refused to others, and free when it ended."""
    assert store.lease("poller", "a", 100, NOW)
    assert store.lease("poller", "a", 100, NOW + 50)
    assert not store.lease("poller", "b", 100, NOW + 149)
    assert store.lease("other", "b", 100, NOW)
    assert store.lease("poller", "b", 100, NOW + 150)
    assert not store.lease("poller", "a", 100, NOW + 150)


def test_rows_come_in_order_by_pages(store: LedgerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """From after a number, at most as many as asked for, each hash covering the row before."""
    monkeypatch.setattr("policykit.store.journal._PAGE", 4)
    for number in range(10):
        store.event("tick", {"n": number}, NOW + number)
    assert [r.seq for r in store.rows()] == list(range(1, 11))
    assert [(r.seq, r.at_ms, r.body) for r in store.rows(6, 3)] == [(n, NOW + n - 1, {"n": n - 1}) for n in (7, 8, 9)]
    assert [r.seq for r in store.rows(2, 8)] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert list(store.rows(10)) == []
    assert store.verify() == (10, None)


def test_two_stores_have_two_epochs(store: LedgerStore, reopened: Again, tmp_path: Path, uri: str) -> None:
    """An epoch is the store's, not the process's."""
    again = reopened(store)
    assert again.epoch == store.epoch
    assert len(store.epoch) == 16
    other = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "2.db"),
        "valkey": lambda: ValkeyStore(f"{uri}-2", tmp_path / "2.db"),
    }[store.backend]()
    assert other.epoch != store.epoch
    other.close()


def test_the_state_is_the_fold_of_the_rows(store: LedgerStore, reopened: Again) -> None:
    """Rows alone make the same ledger, as do a checkpoint with the rows after it, and a store opened afresh."""
    holds = (
        hold_sum(1, 9),
        hold_window(1, 9),
        hold_window(1, 9, fixed=True),
        hold_position(BTC, 9 * BTC),
        hold_clear(),
    )
    for number in range(6):
        intent, grant = reserve(store, *holds, now=NOW + number, generation=number)
        assert grant.granted
        store.outcome(intent.id, Outcome("settled" if number % 2 else "acknowledged", NOW, filled=Decimal(number) / 7))
        store.halt(f"bot:{number}", "HALTED", "desk", "test", NOW)
        if number == 3:
            store.checkpoint()
    store.observe(ACCOUNT, facts_of(positions={"BTC": Decimal("1.23456789012")}, equity=Decimal(5)), NOW)
    assert dump(replayed(store.rows()), store) == dump(store) == dump(reopened(store))
