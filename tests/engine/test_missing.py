"""Limits that nothing holds: parts of the guard and budgets that this version does not have deny increases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policykit.engine.checks.missing import holders_named
from policykit.model import Policy, enforced
from policykit.model.enforced import GUARD_PARTS
from tests.engine.worlds import FACTS, NOW, engine, order

UNHELD = "is set, and this version does not enforce it; take it out, or use a version that does"
WINDOW = {"limit": 9, "per": "10s", "window": "fixed", "shared_by": "account"}


def denied(changes: dict[str, Any], **asked: Any) -> list[tuple[str, str, str]]:
    """Return codes, checks and messages of a decision under the canonical policy with some values replaced."""
    return [(r.code, r.check, r.message) for r in engine(changes).assess(FACTS, order(**asked), NOW).reasons]


STAGED: dict[str, Any] = {"stage": {"current": "full-live", "evidence": "journal"}}


@pytest.fixture
def without_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A version of the guard that does not hold stages; of this one nothing is missing that the language names."""
    monkeypatch.setattr(enforced, "GUARD_PARTS", GUARD_PARTS - {"stage"})
    enforced._holders.cache_clear()
    yield
    enforced._holders.cache_clear()


@pytest.mark.usefixtures("without_stage")
def test_I12_a_set_limit_of_a_part_that_is_missing_denies_increases() -> None:
    """A field whose part of the guard does not exist is never silently unenforced; exits pass."""
    assert denied(STAGED) == [("CHECK_MISSING", "guard.stage", f"stage.evidence {UNHELD}")]
    assert denied(STAGED, side="sell") == []


FINE: list[dict[str, Any]] = [
    {"reconciliation": {"on_start": "required"}},
    {"reconciliation": {"tolerance": "5 USDT", "on_breach": "warn", "orders_every": "30s", "positions_every": "60s"}},
    {"stage": {"current": "full-live", "since": "2026-11-01"}},
    {"stage": {"current": "full-live", "evidence": "external"}},
    STAGED,
    {"stage": {"current": "full-live", "next_needs": {"days": 7, "orders": 200, "denials_reviewed": True}}},
    {"retry": {"orders": {"when_absent": "new_client_order_id", "attempts": 2, "expires_after": "60s"}}},
    {"retry": {"reconnect": {"wait_initial": "1s", "factor": 2, "jitter": "full"}}},
    {"retry": {"reconnect": {"max_per": {"limit": 50, "per": "5m"}}}},
    {"kill_switch": {"rearm": {"by": ["desk-head"], "reason_required": True}, "drill_every": "30d"}},
    {"store": {"share": "host"}, "clock": {"max_skew": "500ms", "request_validity": "5s"}},
]


@pytest.mark.parametrize("changes", FINE, ids="-".join)
def test_what_is_held_or_no_limit_at_run_time_does_not_deny(changes: dict[str, Any]) -> None:
    """What the guard does, what only lint and persons act on, a default nobody wrote, the loosest word: none denies."""
    assert denied(changes) == []


def test_each_part_of_the_language_is_there_or_known_to_be_missing() -> None:
    """The closed set: parts that the language names are in the guard, and the other way round."""
    named = {holder.removeprefix("guard:") for _, holder in holders_named(Policy) if holder.startswith("guard:")}
    assert named == GUARD_PARTS


def test_a_dead_mans_switch_that_the_exchange_does_not_have_denies_increases() -> None:
    """Spot has no timer; exits pass, and the words say what to do."""
    switch = {"dead_man_switch": {"timeout": "60s", "refresh": "15s"}}
    text = (
        "dead_man_switch is set, and binance has none for spot, as far as is known; take it out, or trade where the "
        "exchange has such a timer"
    )
    assert denied(switch) == [("CHECK_MISSING", "guard.dead_man", text)]
    assert denied(switch, side="sell") == []


def test_budget_of_an_unknown_name_denies_increases() -> None:
    """A budget that the exchange's traits do not name, without costs of its own, counts nothing: it is no limit."""
    text = (
        "rate_budgets.{} is no allowance of binance (orders, orders-day, request-weight) and states no costs, so it "
        "counts nothing; use one of these names, or add costs"
    )
    budgets = {"request_weight": {**WINDOW, "shared_by": "ip"}, "order": WINDOW, "orders": WINDOW}
    assert denied({"rate_budgets": budgets}) == [
        ("CHECK_MISSING", "rate_budgets", text.format(name)) for name in ("order", "request_weight")
    ]
    assert denied({"rate_budgets": budgets}, side="sell") == []
    own = {"desk": {**WINDOW, "costs": {"POST /api/v3/order": 1}}}
    assert denied({"rate_budgets": own}) == []
    empty = engine({"rate_budgets": {"desk": {**WINDOW, "costs": {}}}}).assess(FACTS, order(), NOW)
    assert [r.code for r in empty.reasons] == ["CHECK_MISSING"]
    unknown_exchange = engine({"rate_budgets": {"order": WINDOW}}, None).assess(FACTS, order(), NOW)
    assert (unknown_exchange.reasons, unknown_exchange.holds[-1].amount) == ((), 1)
