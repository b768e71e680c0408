"""What a comparison with the exchange leaves in the store, over every back-end alike."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from policykit.engine.facts import Drift
from policykit.store.backed import LedgerStore
from policykit.store.codec import accepted, drift_from_list, drift_to_list
from tests.store.made import ACCOUNT, NOW, dump
from tests.store.test_conformance import facts_of

MOVED = Drift("balance", "BTC", Decimal("0.5"), Decimal(30_000), "order 7 bought 0.5 BTC/USDT")
RESTING = Drift("order", "8", Decimal("0.1"), None, "buy 0.1 BTC/USDT")
COMPARED: dict[str, Any] = {
    "until_ms": NOW - 5_000,
    "bounds": {"BTC": ["1", "1.25"], "USDT": ["10", "10"]},
    "drift": [drift_to_list(MOVED), drift_to_list(RESTING)],
    "lines": [],
    "foreign": {"BTC": [10_000_000, 5_000_000]},
    "foreign_orders": 1,
    "accepted": ["3"],
}


def test_a_comparison_is_facts_from_then_on(store: LedgerStore, reopened: Callable[[Any], Any]) -> None:
    """Differences, the orders of others and when; orders of others claim their position until a later one ends them."""
    assert dict(store.reconciled(ACCOUNT)) == {}
    assert store.facts(ACCOUNT, "bot").reconciled_ms is None
    store.observe(ACCOUNT, facts_of(positions={"BTC": Decimal(1)}), NOW)
    store.reconcile(ACCOUNT, COMPARED, NOW)
    for one in (store, again := reopened(store)):
        facts = one.facts(ACCOUNT, "bot")
        assert (facts.drift, facts.reconciled_ms, facts.foreign_orders) == ((MOVED, RESTING), NOW, 1)
        position = facts.positions["BTC"]
        assert (position.open_buys, position.open_sells) == (Decimal("0.1"), Decimal("0.05"))
        assert one.reconciled(ACCOUNT)["bounds"] == COMPARED["bounds"]
    again.reconcile(ACCOUNT, {**COMPARED, "foreign": {"ETH": [0, 7]}, "foreign_orders": 0, "drift": []}, NOW + 1)
    facts = again.facts(ACCOUNT, "bot")
    assert (facts.drift, facts.foreign_orders) == ((), 0)
    assert {k: (p.open_buys, p.open_sells) for k, p in facts.positions.items()} == {
        "BTC": (0, 0),
        "ETH": (0, Decimal("7E-8")),
    }


def test_whoever_lifts_its_halt_takes_the_account_as_it_is(store: LedgerStore) -> None:
    """Else it halts again at once; another's halt accepts nothing."""
    store.reconcile(ACCOUNT, COMPARED, NOW)
    store.halt("all", "HALTED", "alice", "drill", NOW)
    store.resume("all", "alice", "over", NOW + 1)
    assert store.facts(ACCOUNT, "bot").drift == (MOVED, RESTING)
    store.halt(f"account:{ACCOUNT}", "HALTED", "reconciliation.tolerance", "BTC", NOW + 2)
    store.resume(f"account:{ACCOUNT}", "alice", "moved by hand", NOW + 3)
    assert store.facts(ACCOUNT, "bot").drift == ()
    kept = store.reconciled(ACCOUNT)
    assert kept["bounds"] == {"BTC": ["1.5", "1.75"], "USDT": ["10", "10"]}
    assert (kept["accepted"], kept["accepted_ms"]) == (["3", "8"], NOW + 3)


def test_accepting_where_nothing_was_compared(store: LedgerStore) -> None:
    """Nothing is known by it: the next comparison is the first."""
    store.reconcile(ACCOUNT, {**accepted(store.reconciled(ACCOUNT)), "accepted_ms": NOW}, NOW)
    assert "bounds" not in store.reconciled(ACCOUNT)
    assert store.reconciled(ACCOUNT)["accepted_ms"] == NOW
    new = {"bounds": {}, "drift": [drift_to_list(MOVED)]}
    assert accepted(new)["bounds"] == {"BTC": ["0.5", "0.5"]}
    assert drift_from_list(drift_to_list(RESTING)) == RESTING


def test_a_checkpoint_of_an_earlier_version_has_none(store: LedgerStore) -> None:
    """It loads as never compared."""
    store.reconcile(ACCOUNT, COMPARED, NOW)
    if store.backend == "valkey":
        return
    from policykit.store.ledger import Ledger

    old = dump(store)
    del old["accounts"][ACCOUNT]["reconciled"]
    assert Ledger.load(old).facts(ACCOUNT, "bot", "").drift == ()
