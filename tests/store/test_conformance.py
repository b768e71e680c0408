"""One body of tests over every back-end: what each method of `Store` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Decision, Reason
from policykit.engine.facts import Fact, Halt, Position
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store import SEND_WITHIN_MS, Grant, GuardInfo, Observation, Store
from policykit.store.backed import LedgerStore
from policykit.store.base import GUARD_SILENT_MS
from policykit.store.ledger import CLOSED_INTENTS, SILENT_MS
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
    wanted,
)

Again = Callable[[LedgerStore], LedgerStore]


def facts_of(**changes: Any) -> Observation:
    """Return what somebody read at NOW."""
    return Observation(as_of_ms=NOW, until_ms=NOW + 20, **changes)


# ---- reserve


def test_all_holds_or_none(store: LedgerStore) -> None:
    """A grant counts every hold; a refusal says which failed and what was used, and counts nothing."""
    intent, grant = reserve(store, hold_sum(3, 5), hold_window(2, 10))
    assert grant == Grant(True, False, (0, 0), (), 1)
    assert store.intent(intent.id) == intent
    before = dump(store)
    _, grant = reserve(store, hold_window(2, 10), hold_sum(3, 5), hold_window(9, 10))
    assert grant == Grant(False, False, (2, 3, 2), (1, 2), 1)
    assert dump(store) == before
    _, grant = reserve(store, hold_sum(2, 5))
    assert (grant.granted, grant.seq) == (True, 2)


def test_a_moved_generation_is_stale_before_anything_else(store: LedgerStore) -> None:
    """An older generation is told so even if nothing fits, for the facts it was assessed on are old."""
    assert store.halt("all", "REDUCING", "desk", "test", NOW)[0] == 1
    _, grant = reserve(store, hold_sum(9, 5), generation=0)
    assert grant == Grant(False, True, (), (), 1)
    assert reserve(store, hold_sum(5, 5), generation=1)[1].granted


def test_a_decision_without_intent_counts_its_windows(store: LedgerStore, reopened: Again) -> None:
    """An amend or a batch's cancel has holds but no intent; they are in its row."""
    decision, _ = wanted()
    grant = store.reserve(decision, None, (hold_window(2, 10), hold_position(BTC, BTC)), 0, NOW)
    assert grant == Grant(True, False, (0, 0), (), 1)
    assert store.use((hold_window(0, 10),), NOW).used == (2,)
    assert dump(reopened(store)) == dump(store)
    assert store.facts(ACCOUNT, "bot").positions.get("BTC") is None


def test_the_holds_that_are_granted_are_the_ones_that_are_given_back(store: LedgerStore, reopened: Again) -> None:
    """What is passed to reserve binds, whatever the intent was made with."""
    decision, intent = wanted(hold_sum(5, 5))
    assert store.reserve(decision, intent, (hold_sum(1, 5),), 0, NOW).granted
    assert dump(reopened(store)) == dump(store)
    store.outcome(intent.id, Outcome("rejected", NOW, closed=True))
    assert reserve(store, hold_sum(5, 5))[1].used == (0,)


def test_I6_a_client_order_id_is_for_one_order(store: LedgerStore) -> None:
    """An id that is taken is refused and names its intent, whether that one is open or over."""
    intent, _ = reserve(store, hold_sum(1, 5), own="mine")
    for state in ("acknowledged", "settled"):
        _, grant = reserve(store, hold_sum(1, 5), own="mine", quantity="2")
        assert grant == Grant(False, False, (), (), grant.seq, intent.id)
        store.outcome(intent.id, Outcome(state, NOW, closed=state == "settled"))  # type: ignore[arg-type]
    other = wanted(own="mine", account="kraken/main")
    assert store.reserve(*other, (), 0, NOW).granted


def test_I6_a_callers_own_id_is_refused_for_ever(
    store: LedgerStore, reopened: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After thousands of other orders, a checkpoint and a new process, an id that a caller chose is still taken."""
    monkeypatch.setattr("policykit.store.ledger.CLOSED_INTENTS", 3)
    first, _ = reserve(store, own="mine")
    ours, _ = reserve(store)
    for intent in (first, ours, *(reserve(store)[0] for _ in range(5))):
        store.outcome(intent.id, Outcome("settled", NOW, closed=True))
    assert store.intent(first.id) is None
    assert len(store.intents(open_only=False)) == 3
    store.checkpoint()
    for again in (store, reopened(store)):
        assert reserve(again, own="mine")[1].duplicate == first.id
    assert store.reserve(*wanted(client_order_id=ours.client_order_id), (), 0, NOW).granted


def test_a_refused_order_does_not_use_up_its_own_id(store: LedgerStore) -> None:
    """An id belongs to an order only once that order was granted."""
    assert not reserve(store, hold_sum(6, 5), own="mine")[1].granted
    assert reserve(store, hold_sum(5, 5), own="mine")[1].granted


# ---- record, use, renew


def test_a_denial_is_a_row(store: LedgerStore) -> None:
    """What was denied is in the journal with its reasons, and holds nothing."""
    order = Order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(2))
    reasons = (Reason("RISK_POSITION", "risk.max_position_notional", "over", "2", "1", "USDT"),)
    decision = Decision("d", "deny", "enforce", "order.create", order, "mm", "sha256:0", "bot", NOW, reasons)
    assert (
        store.record(replace(decision, notional=Decimal("2.5"), facts_age_s=0.5, warnings=reasons, checks=3), NOW) == 1
    )
    (row,) = store.rows()
    assert (row.seq, row.at_ms, row.kind) == (1, NOW, "decision")
    assert row.body["decision"]["reasons"] == [reasons[0].to_dict()]
    assert {k: row.body[k] for k in ("notional", "facts_age_s", "checks", "warnings")} == {
        "notional": "2.5",
        "facts_age_s": 0.5,
        "checks": 3,
        "warnings": [reasons[0].to_dict()],
    }
    assert store.intents() == []


def test_reads_use_budgets(store: LedgerStore) -> None:
    """A read spends its budget or is refused; a refusal writes nothing."""
    assert store.use((hold_window(6, 10),), NOW) == Grant(True, False, (0,), (), 1)
    assert store.use((hold_window(6, 10),), NOW) == Grant(False, False, (6,), (0,), 1)
    assert store.use((hold_window(6, 10),), NOW + 1_000) == Grant(True, False, (0,), (), 2)


def test_a_budget_is_raised_to_what_the_exchange_counted(store: LedgerStore, reopened: Again) -> None:
    """The exchange's count raises ours, whatever the limit, never lowers it, and writes no row when we know as much."""
    store.use((hold_window(6, 10),), NOW)
    store.at_least(hold_window(6, 10), NOW)
    assert len(list(store.rows())) == 1
    store.at_least(hold_window(13, 10), NOW)
    assert store.use((hold_window(1, 10),), NOW) == Grant(False, False, (13,), (0,), 2)
    assert dump(reopened(store)) == dump(store)


def test_a_permit_is_renewed_while_the_intent_waits(store: LedgerStore, reopened: Again) -> None:
    """A renewed permit ends SEND_WITHIN_MS later, with the validity asked for; sent or halted there is no more."""
    intent, _ = reserve(store)
    assert store.renew(intent.id, 0, 1_000, NOW + 500)
    renewed = replace(intent, permit_until_ms=NOW + 500 + SEND_WITHIN_MS, validity_ms=1_000)
    assert store.intent(intent.id) == renewed
    assert dump(reopened(store)) == dump(store)
    assert not store.renew("nobody", 0, 1_000, NOW)
    store.halt("all", "HALTED", "desk", "test", NOW)
    assert not store.renew(intent.id, 0, 1_000, NOW)
    store.outcome(intent.id, Outcome("sent", NOW))
    assert not store.renew(intent.id, 1, 1_000, NOW)


# ---- outcome


def test_a_final_state_gives_back_once(store: LedgerStore) -> None:
    """Rejected gives sums and position back; a second report gives back nothing more; windows keep."""
    holds = (hold_sum(2, 5), hold_window(1, 10), hold_position(BTC, 3 * BTC))
    first, _ = reserve(store, *holds)
    second, _ = reserve(store, *holds)
    for _ in range(3):
        assert store.outcome(first.id, Outcome("rejected", NOW, closed=True)).state == "rejected"
    _, grant = reserve(store, *holds)
    assert grant.used == (2, 2, BTC)
    assert next(i.id for i in store.intents()) == second.id


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_fill_converts_the_hold(store: LedgerStore, side: str) -> None:
    """What filled moves from the orders that are out to the position; the end of the order gives the rest back."""
    sign = 1 if side == "buy" else -1
    intent, _ = reserve(store, hold_position(sign * 2 * BTC, 9 * BTC), side=side, quantity="2")
    store.outcome(intent.id, Outcome("acknowledged", NOW, "x1", Decimal("0.5")))
    assert position(store) == (Decimal("0.5") * sign, Decimal("1.5"))
    store.outcome(intent.id, Outcome("acknowledged", NOW, filled=Decimal("0.5")))
    assert position(store) == (Decimal("0.5") * sign, Decimal("1.5"))
    store.outcome(intent.id, Outcome("settled", NOW, filled=Decimal(1), closed=True))
    assert position(store) == (Decimal(sign), Decimal(0))


def position(store: Store) -> tuple[Decimal, Decimal]:
    """Return a position with nothing in doubt, and what is out."""
    seen = store.facts(ACCOUNT, "bot").positions["BTC"]
    assert seen.low == seen.high
    return seen.low, seen.open_buys + seen.open_sells


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_fill_after_the_end_counts(store: LedgerStore, reopened: Again, side: str) -> None:
    """A fill that comes after an order was taken for absent is in the position, and nothing is given back twice."""
    sign = 1 if side == "buy" else -1
    intent, _ = reserve(store, hold_sum(1, 5), hold_position(sign * BTC, 9 * BTC), side=side)
    store.outcome(intent.id, Outcome("absent", NOW, closed=True))
    late = store.outcome(intent.id, Outcome("found", NOW + 5, "x1", Decimal(1), True))
    assert (late.state, late.filled) == ("absent", Decimal(1))
    assert position(store) == (Decimal(sign), Decimal(0))
    assert reserve(store, hold_sum(1, 5))[1].used == (0,)
    assert dump(reopened(store)) == dump(store)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_fill_larger_than_ordered_counts_in_full(store: LedgerStore, reopened: Again, side: str) -> None:
    """An exchange that fills more than was ordered is believed; the hold is given back once, on its own side."""
    sign = 1 if side == "buy" else -1
    intent, _ = reserve(store, hold_position(sign * BTC, 9 * BTC), side=side)
    for filled in ("0.75", "1.5", "2"):
        store.outcome(intent.id, Outcome("acknowledged", NOW, "x1", Decimal(filled)))
    assert position(store) == (2 * Decimal(sign), Decimal(0))
    store.outcome(intent.id, Outcome("settled", NOW, closed=True))
    assert position(store) == (2 * Decimal(sign), Decimal(0))
    assert dump(reopened(store)) == dump(store)


def test_a_fill_without_a_position_hold_moves_no_position(store: LedgerStore) -> None:
    """An order whose policy holds no position is settled without one."""
    intent, _ = reserve(store, hold_sum(1, 5))
    store.outcome(intent.id, Outcome("settled", NOW, filled=Decimal(1), closed=True))
    assert dict(store.facts(ACCOUNT, "bot").positions) == {}


def test_an_intent_that_nobody_knows_has_no_outcome(store: LedgerStore) -> None:
    """KeyError, and no row: another process may read this journal."""
    with pytest.raises(KeyError, match="nobody"):
        store.outcome("nobody", Outcome("settled", NOW))
    assert list(store.rows()) == []
    intent, _ = reserve(store)
    assert store.intent(intent.id) == intent


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_before_it_is_written(store: LedgerStore, number: str) -> None:
    """A row that could not be read back would end the store; it is refused where it comes in."""
    intent, _ = reserve(store)
    bad = Decimal(number)
    message = f"{number} is not a number; a finite one is needed"
    for seen in ({"equity": bad}, {"net_transfers": bad}, *({n: {"BTC": bad}} for n in ("positions", "marks"))):
        with pytest.raises(ValueError, match=message):
            store.observe(ACCOUNT, facts_of(**seen), NOW)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        store.outcome(intent.id, Outcome("settled", NOW, filled=bad))
    assert len(list(store.rows())) == 1


# ---- clear: nothing unknown


def test_an_unknown_intent_stands_in_the_way_until_it_is_settled(store: LedgerStore, reopened: Again) -> None:
    """While one is unknown, a further order on that account, symbol and side does not fit; the other side does."""
    intent, _ = reserve(store, hold_clear())
    assert reserve(store, hold_clear())[1].granted
    store.outcome(intent.id, Outcome("unknown", NOW))
    assert reserve(store, hold_clear())[1] == Grant(False, False, (1,), (0,), 3)
    assert reserve(reopened(store), hold_clear())[1].failed == (0,)
    assert reserve(store, hold_clear("sell"), side="sell")[1].granted
    store.outcome(intent.id, Outcome("found", NOW, "x1"))
    assert reserve(store, hold_clear())[1].granted


def test_a_silent_intent_counts_as_unknown(store: LedgerStore, reopened: Again) -> None:
    """An intent that nobody reported on for SILENT_MS after its permit stands in the way, as an unknown one does."""
    intent, _ = reserve(store)
    end = NOW + 250 + SILENT_MS
    assert reserve(store, hold_clear(), now=end, permit_until_ms=end + 250)[1].granted
    for again in (store, reopened(store)):
        assert reserve(again, hold_clear(), now=end + 1)[1].failed == (0,)
    assert store.renew(intent.id, 0, 1_000, end)
    assert reserve(store, hold_clear(), now=end + 1)[1].granted
    store.outcome(intent.id, Outcome("sent", end))
    assert reserve(store, hold_clear(), now=end + 10**6)[1].failed == (0,)


def test_no_other_intent_hides_a_silent_one(store: LedgerStore, reopened: Again) -> None:
    """Neither an older intent without a gate nor one whose permit was renewed hides a younger one that went silent."""
    ungated, _ = reserve(store, permit_until_ms=None)
    older, _ = reserve(store)
    younger, _ = reserve(store, now=NOW + 1)
    late = NOW + 251 + SILENT_MS + 1
    assert store.renew(older.id, 0, 1_000, late)
    for again in (store, reopened(store)):
        assert reserve(again, hold_clear(), now=late)[1].failed == (0,)
    store.outcome(younger.id, Outcome("acknowledged", late))
    assert reserve(store, hold_clear(), now=late)[1].granted
    assert {i.id for i in store.intents() if i.state == "intended"} >= {ungated.id, older.id}


# ---- intents


def test_intents_are_listed_oldest_first(store: LedgerStore) -> None:
    """By account or all, open ones or those that are over too."""
    late, _ = reserve(store, now=NOW + 9)
    early, _ = reserve(store)
    other = wanted(now=NOW + 5, account="kraken/main")
    assert store.reserve(*other, (), 0, NOW).granted
    assert [i.id for i in store.intents()] == [early.id, other[1].id, late.id]
    assert [i.id for i in store.intents(ACCOUNT)] == [early.id, late.id]
    over = store.outcome(early.id, Outcome("settled", NOW, closed=True))
    assert [i.id for i in store.intents(ACCOUNT)] == [late.id]
    assert store.intents(ACCOUNT, open_only=False) == [over, late]
    assert store.intent(early.id) == over
    assert store.intent("nobody") is None
    assert CLOSED_INTENTS == 2_000


# ---- facts


def test_nothing_known_is_unknown(store: LedgerStore) -> None:
    """An account that nobody observed has no facts, and asking makes none."""
    facts = store.facts(ACCOUNT, "bot")
    assert (facts.equity, facts.positions_as_of_ms, dict(facts.positions)) == (None, None, {})
    assert facts.store_problem is None
    assert dump(store)["accounts"] == {}


def test_facts_are_what_was_observed_with_its_time(store: LedgerStore, reopened: Again) -> None:
    """Every fact carries the time at which the request that read it was sent."""
    seen = facts_of(
        equity=Decimal("100.5"),
        net_transfers=Decimal(-1),
        positions={"BTC": Decimal("0.5")},
        marks={"BTC/USDT": Decimal(60_000)},
        contract_sizes={"BTC/USD:BTC": Decimal(100)},
        skew_ms=-3,
        day_start_ms=NOW - 5,
    )
    store.observe(ACCOUNT, seen, NOW + 30)
    for again in (store, reopened(store)):
        facts = again.facts(ACCOUNT, "bot")
        assert facts.equity == Fact(Decimal("100.5"), NOW)
        assert facts.day_base == Fact(Decimal("101.5"), NOW - 5)
        assert facts.net_transfers == Fact(Decimal(-1), NOW)
        assert dict(facts.positions) == {"BTC": Position(Decimal("0.5"), Decimal("0.5"))}
        assert (len(facts.positions), list(facts.positions)) == (1, ["BTC"])
        assert facts.positions.get("ETH", "none") == "none"
        assert facts.positions_as_of_ms == NOW
        assert facts.marks == {"BTC/USDT": Fact(Decimal(60_000), NOW)}
        assert facts.contract_sizes == {"BTC/USD:BTC": Decimal(100)}
        assert facts.skew_ms == -3


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
    assert store.event("drill", {"by": ("a", "b"), "n": 1, "text": "é\ud800"}, NOW) == 1
    (row,) = store.rows()
    assert (row.kind, row.body) == ("drill", {"by": ["a", "b"], "n": 1, "text": "é\ud800"})
    assert {k: v for k, v in dump(store).items() if k != "seq"} == state
    for kind in ("decision", "use", "outcome", "renew", "observe", "halt", "resume", "ban"):
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
    monkeypatch.setattr("policykit.store.sqlite._PAGE", 4)
    for number in range(10):
        store.event("tick", {"n": number}, NOW + number)
    assert [r.seq for r in store.rows()] == list(range(1, 11))
    assert [(r.seq, r.at_ms, r.body) for r in store.rows(6, 3)] == [(n, NOW + n - 1, {"n": n - 1}) for n in (7, 8, 9)]
    assert [r.seq for r in store.rows(2, 8)] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert list(store.rows(10)) == []
    assert store.verify() == (10, None)


def test_two_stores_have_two_epochs(store: LedgerStore, reopened: Again) -> None:
    """An epoch is the store's, not the process's."""
    again = reopened(store)
    assert again.epoch == store.epoch
    assert len(store.epoch) == 16
    assert type(store)(*([] if store.backend == "memory" else [f"{store.path}2"])).epoch != store.epoch  # type: ignore[attr-defined]


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
    assert replayed(store.rows()).dump() == dump(store) == dump(reopened(store))
