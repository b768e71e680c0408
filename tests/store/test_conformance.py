"""One body of tests over every back-end: what each method of `Store` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Decision, Reason
from policykit.engine.facts import Fact, Position
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.store import SEND_WITHIN_MS, Grant, Observation, Store
from policykit.store.backed import LedgerStore
from policykit.store.ledger import CLOSED_INTENTS, SILENT_MS, Ledger
from tests.store.made import (
    ACCOUNT,
    BTC,
    NOW,
    dump,
    hold_clear,
    hold_position,
    hold_sum,
    hold_window,
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
    for limit in ("ledger.CLOSED_INTENTS", "valkey_state.KEPT"):
        monkeypatch.setattr(f"policykit.store.{limit}", 3)
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
    full = replace(decision, notional=Decimal("2.5"), facts_age_s=0.5, warnings=reasons, checks=3, extra={"more": 1})
    assert store.record(full, NOW) == 1
    (row,) = store.rows()
    assert (row.seq, row.at_ms, row.kind) == (1, NOW, "decision")
    assert row.body["decision"]["reasons"] == [reasons[0].to_dict()]
    assert {k: row.body[k] for k in ("notional", "facts_age_s", "checks", "warnings", "more")} == {
        "more": 1,
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


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
def test_a_budget_that_another_process_raised_meanwhile_is_left(
    store: LedgerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and writing somebody else may have counted the same: it is looked at again inside the step."""
    store.use((hold_window(6, 10),), NOW)
    monkeypatch.setattr(store, "_current", Ledger)
    store.at_least(hold_window(6, 10), NOW)
    assert store._ledger.seq == 1


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


# ---- used


def test_what_is_used_is_what_the_next_reserve_finds(store: LedgerStore, reopened: Again) -> None:
    """Asking tells of every counter what `reserve` would, and neither holds nor writes anything."""
    asked = (
        hold_sum(1, 5),
        hold_window(1, 10),
        hold_position(BTC, 9 * BTC),
        hold_position(-BTC, 9 * BTC),
        hold_clear(),
    )
    assert store.used(asked, NOW) == (0, 0, 0, 0, 0)
    reserve(store, hold_sum(2, 5), hold_window(3, 10), hold_position(BTC, 9 * BTC))
    before, rows = dump(store), len(list(store.rows()))
    assert store.used(asked, NOW) == (2, 3, BTC, 0, 0)
    assert store.used((hold_sum(9, -5),), NOW) == (2,)
    assert store.used((), NOW) == ()
    assert (dump(store), len(list(store.rows()))) == (before, rows)
    assert reopened(store).used(asked, NOW) == store.used(asked, NOW) == reserve(store, *asked)[1].used
    assert store.used((hold_window(1, 10),), NOW + 1_000) == (0,)
