"""What every store keeps of an account beside money and positions: quotes, contracts, settings, proofs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.engine.facts import Contract, Fact, Quote, Setting
from policykit.store import Observation
from policykit.store.backed import LedgerStore
from tests.store.made import ACCOUNT, NOW

Again = Callable[[Any], Any]
PERP = "BTC/USDT:USDT"
TOLD: dict[str, Any] = {
    "quotes": {PERP: Quote(Decimal("59999.9"), Decimal(60_000), NOW)},
    "contracts": {
        PERP: Contract(Decimal(3), "isolated", Decimal(41_000), Decimal("-0.0001"), NOW, Decimal("0.000001")),
        "ETH/USDT:USDT": Contract(as_of_ms=NOW),
    },
    "position_mode": "hedge",
    "margin_ratio": Decimal("0.25"),
    "borrowed": Decimal(120),
}


def told(store: Any) -> dict[str, Any]:
    """Return what a store says of the same."""
    facts = store.facts(ACCOUNT, "bot")
    return {name: getattr(facts, name) for name in TOLD}


def test_what_the_exchange_says_of_an_account_is_kept(store: LedgerStore, reopened: Again) -> None:
    """Each with its time, to the last digit, here and after another process opened the store."""
    store.observe(ACCOUNT, Observation(NOW, NOW + 5, **TOLD), NOW)
    store.checkpoint()
    facts = {
        **TOLD,
        "position_mode": Setting("hedge", NOW),
        "margin_ratio": Fact(Decimal("0.25"), NOW),
        "borrowed": Fact(Decimal(120), NOW),
    }
    assert told(store) == facts
    assert told(reopened(store)) == facts


def test_an_older_setting_never_replaces_a_newer_one(store: LedgerStore) -> None:
    """A reading that was sent earlier and came later changes none of them; one that says nothing does not either."""
    store.observe(ACCOUNT, Observation(NOW, NOW, **TOLD), NOW)
    before = told(store)
    older = {
        "quotes": {PERP: Quote(Decimal(1), Decimal(2), NOW - 1)},
        "contracts": {PERP: Contract(Decimal(100), as_of_ms=NOW - 1)},
        "position_mode": "one_way",
        "margin_ratio": Decimal(0),
        "borrowed": Decimal(0),
    }
    store.observe(ACCOUNT, Observation(NOW - 1, NOW, **older), NOW)  # type: ignore[arg-type]
    store.observe(ACCOUNT, Observation(NOW + 1, NOW + 1), NOW)
    assert told(store) == before


def test_an_asset_that_the_exchange_does_not_list_needs_no_price(store: LedgerStore, reopened: Again) -> None:
    """What is held and has a market waits for its worth; what has none is an airdrop that nobody can price."""
    held = {"BTC": Decimal(1), "AIR": Decimal(5), "USDT": Decimal(9)}
    store.announce(ACCOUNT, "USDT", {"name": "mm"}, NOW)
    store.observe(ACCOUNT, Observation(NOW, NOW, positions=held, unlisted=frozenset(("AIR",))), NOW)
    for one in (store, reopened(store)):
        assert one.facts(ACCOUNT, "bot").unpriced == ("BTC",)


@pytest.mark.parametrize("name", ["quotes", "contracts", "margin_ratio", "borrowed"])
def test_what_is_no_number_is_not_taken(store: LedgerStore, name: str) -> None:
    """Infinity in any of them is a ValueError, and nothing of that reading is kept."""
    odd: dict[str, Any] = {
        "quotes": {PERP: Quote(Decimal(1), Decimal("Infinity"), NOW)},
        "contracts": {PERP: Contract(Decimal("NaN"), as_of_ms=NOW)},
        "margin_ratio": Decimal("NaN"),
        "borrowed": Decimal("-Infinity"),
    }
    before = told(store)
    with pytest.raises(ValueError, match="is not a number; a finite one is needed"):
        store.observe(ACCOUNT, replace(Observation(NOW, NOW, **TOLD), **{name: odd[name]}), NOW)
    assert told(store) == before


@pytest.mark.parametrize(
    ("changes", "proved"),
    [({}, True), ({"environment": "sandbox"}, False), ({"endpoint": "http://127.0.0.1:1"}, False)],
)
def test_a_proof_is_of_the_live_exchange(
    store: LedgerStore, reopened: Again, changes: dict[str, str], proved: bool
) -> None:
    """A key that works from here at the exchange itself; a sandbox or another origin proves nothing for live orders."""
    exchange, _, name = ACCOUNT.partition("/")
    proof = {"exchange": exchange, "account": name, "host": "h", "key": "mm-exec", "environment": "live"} | changes
    store.prove(proof, NOW)
    store.prove(proof, NOW - 1)
    expected = {"h|mm-exec": NOW} if proved else {}
    assert store.facts(ACCOUNT, "bot").address_proofs == expected
    assert reopened(store).facts(ACCOUNT, "bot").address_proofs == expected


def test_the_last_lint_of_each_policy_is_kept(
    store: LedgerStore, reopened: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `lint --live` found is told by every process until the policy is linted again; the oldest go first."""
    monkeypatch.setattr("policykit.store.account.MAX_LINTS", 2)
    assert store.lints(ACCOUNT) == {}
    first = {"policy": "mm", "version": "sha256:1", "findings": [["high", "PK603", 2]], "keys": {"mm-exec": NOW - 1}}
    store.linted(ACCOUNT, first, NOW)
    assert store.lints(ACCOUNT) == {"mm": {**first, "account": ACCOUNT, "at_ms": NOW}}
    for name in ("b", "mm", "c"):
        store.linted(ACCOUNT, {**first, "policy": name, "findings": []}, NOW + 1)
    expected = {
        name: {**first, "policy": name, "findings": [], "account": ACCOUNT, "at_ms": NOW + 1} for name in ("mm", "c")
    }
    assert store.lints(ACCOUNT) == expected
    store.checkpoint()
    assert reopened(store).lints(ACCOUNT) == expected
    assert next(iter(store.rows())).kind == "lint"


def test_what_operators_did_is_kept_by_name(
    store: LedgerStore, reopened: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest row of each kind, account and name is told by every process; of too many names the oldest go."""
    monkeypatch.setattr("policykit.store.kept.MAX_NAMES", 2)
    assert store.kept(ACCOUNT, "exposed") == {}
    store.keep(ACCOUNT, "exposed", "mm", {"why": "laptop stolen"}, NOW)
    store.keep("", "exposed", "mm", {"why": "of all"}, NOW)
    store.keep(ACCOUNT, "drill", "mm", {"ok": True}, NOW)
    mm = {"why": "laptop stolen", "account": ACCOUNT, "name": "mm", "at_ms": NOW}
    assert store.kept(ACCOUNT, "exposed") == {"mm": mm}
    for after, name in enumerate(("b", "mm", "c"), 1):
        store.keep(ACCOUNT, "exposed", name, {"why": "again"}, NOW + after)
    expected = {
        name: {"why": "again", "account": ACCOUNT, "name": name, "at_ms": NOW + after}
        for after, name in ((2, "mm"), (3, "c"))
    }
    assert store.kept(ACCOUNT, "exposed") == expected
    store.checkpoint()
    again = reopened(store)
    assert again.kept(ACCOUNT, "exposed") == expected
    assert again.kept("", "exposed")["mm"]["why"] == "of all"
    assert again.kept(ACCOUNT, "drill") == {"mm": {"ok": True, "account": ACCOUNT, "name": "mm", "at_ms": NOW}}
    first = next(iter(store.rows()))
    assert (first.kind, first.body) == ("exposed", {"why": "laptop stolen", "account": ACCOUNT, "name": "mm"})
    with pytest.raises(ValueError, match='an operation is of the kind "halt"; one of approval, drill, '):
        store.keep(ACCOUNT, "halt", "mm", {}, NOW)
    with pytest.raises(ValueError, match='an event is of the kind "drill"'):
        store.event("drill", {}, NOW)
