"""Spans of decisions and of sends, attribute for attribute."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from policykit.order import Order
from policykit.telemetry import names
from policykit.telemetry.attributes import MAX_TEXT, error_type, order_status
from tests.telemetry.nouns import (
    AT_MS,
    HALTED,
    NOTIONAL,
    POSITION,
    STORE_DOWN,
    VERSION,
    decision,
    intent,
    order,
    scope,
)

NS = 1_000_000
COMMON = {
    "policykit.stage": "full-live",
    "policykit.exchange.name": "binance",
    "policykit.account.alias": "main",
    "policykit.state.backend": "sqlite",
    "policykit.key.name": "mm-exec",
    "policykit.decision.id": "01JD3V7K2M0000000000000001",
    "policykit.action": "order.create",
    "policykit.enforcement.mode": "enforce",
    "policykit.policy.id": "mm",
    "policykit.policy.version": VERSION,
    "policykit.bot": "mm-1",
    "trading.order.symbol": "BTC/USDT",
    "trading.order.side": "buy",
    "trading.order.type": "limit",
    "trading.order.quantity": "0.01",
    "trading.order.price": "60000",
}
DECIDED = {
    **COMMON,
    "policykit.journal.seq": 4211,
    "policykit.state.age": 0.4,
    "trading.order.notional": 600.0,
    "trading.order.quote_currency": "USDT",
}


def test_an_allow_is_one_span_with_every_name_and_no_other(make: Callable[..., Any]) -> None:
    """An allowed order makes one INTERNAL span with exactly TELEMETRY's attributes, status Unset, no events."""
    telemetry, seen = make()
    telemetry.record(decision(), scope(), duration_ns=40_000, intent=intent())
    (span,) = seen.spans
    assert span.name == "policykit.decide order.create"
    assert span.kind is SpanKind.INTERNAL
    assert dict(span.attributes) == {
        **DECIDED,
        "policykit.decision.outcome": "allow",
        "trading.order.client_id": "pk01JD3V7K2M0000000000000001",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.events == ()
    assert span.links == ()
    assert (span.start_time, span.end_time) == (AT_MS * NS - 40_000, AT_MS * NS)
    assert (span.instrumentation_scope.name, bool(span.instrumentation_scope.version)) == ("policykit", True)
    assert span.parent is None


def test_a_deny_says_why_and_leaves_the_status_unset(make: Callable[..., Any]) -> None:
    """A denial worked: its span has the deciding check, every failing check, and no error."""
    telemetry, seen = make()
    telemetry.record(decision(reasons=(NOTIONAL, POSITION)), scope())
    (span,) = seen.spans
    assert dict(span.attributes) == {
        **DECIDED,
        "policykit.decision.outcome": "deny",
        "policykit.decision.reason.code": "RISK_ORDER_NOTIONAL",
        "policykit.decision.reason.message": "order notional 30000 USDT is over max_order_notional 1500 USDT",
        "policykit.check.id": "risk.max_order_notional",
        "policykit.decision.failed_checks": ("risk.max_order_notional", "risk.max_position_notional"),
        "policykit.check.observed": "30000",
        "policykit.check.limit": "1500",
        "policykit.check.unit": "USDT",
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_denial_for_want_of_evaluation_is_an_error(make: Callable[..., Any]) -> None:
    """A reason that marks a failure gives status Error and error.type, wherever it stands among the reasons."""
    telemetry, seen = make()
    telemetry.record(decision(reasons=(NOTIONAL, STORE_DOWN)), scope())
    (span,) = seen.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "state_unavailable"


def test_error_types_are_a_closed_set() -> None:
    """Categories of failure have one word each; another failing check gives its code in lower case."""
    from policykit.decision import Reason

    cases = {
        "STORE_DOWN": "state_unavailable",
        "POLICY_UNREADABLE": "policy_invalid",
        "CHECK_ERROR": "check_failed",
        "PRICE_STALE": "price_stale",
    }
    assert {code: error_type((Reason(code, "c", "m", failure=True),)) for code in cases} == cases
    assert error_type((NOTIONAL,)) is None


def test_optional_words_of_an_order_are_there_when_it_has_them(make: Callable[..., Any]) -> None:
    """Stop price, time in force and reduce-only are attributes only of orders that have them; a cancel has no price."""
    telemetry, seen = make()
    stop = order(stop_price=Decimal("59000.50"), time_in_force="GTC", reduce_only=True, client_order_id="mine-1")
    telemetry.record(decision(order=stop), scope())
    cancel = Order("BTC/USDT", None, None, None, action="order.cancel")
    telemetry.record(decision(order=cancel, action="order.cancel", notional=None, facts_age_s=None, seq=None), scope())
    first, second = seen.spans
    added = {k: v for k, v in first.attributes.items() if k not in DECIDED}
    assert added == {
        "policykit.decision.outcome": "allow",
        "trading.order.stop_price": "59000.5",
        "trading.order.time_in_force": "GTC",
        "trading.order.reduce_only": True,
        "trading.order.client_id": "mine-1",
    }
    assert second.name == "policykit.decide order.cancel"
    assert [k for k in second.attributes if k.startswith("trading.")] == ["trading.order.symbol"]
    assert "policykit.state.age" not in second.attributes
    assert "policykit.journal.seq" not in second.attributes


def test_a_long_message_is_cut_and_the_span_kept(make: Callable[..., Any]) -> None:
    """A message longer than MAX_TEXT is cut, so that no collector refuses the span for its size."""
    telemetry, seen = make()
    telemetry.record(decision(reasons=(NOTIONAL.__class__("X", "c", "m" * 5000),)), scope())
    message = seen.spans[0].attributes["policykit.decision.reason.message"]
    assert message == "m" * (MAX_TEXT - 3) + "..."


def test_the_send_is_a_child_of_its_decision_and_carries_the_outcome(make: Callable[..., Any]) -> None:
    """The span of the send has the decision as parent, kind CLIENT, the exchange's id, the fill and FIX's status."""
    telemetry, seen = make()
    telemetry.record(decision(), scope(), intent=intent())
    back = intent(state="acknowledged", order_id="881723", filled=Decimal("0.007"))
    telemetry.sent(back, scope(), duration_ns=80 * NS)
    decided, sent = seen.spans
    assert sent.name == "policykit.send order.create"
    assert sent.kind is SpanKind.CLIENT
    assert sent.parent.span_id == decided.context.span_id
    assert sent.context.trace_id == decided.context.trace_id
    assert dict(sent.attributes) == {
        **COMMON,
        "policykit.order.state": "acknowledged",
        "trading.order.client_id": "pk01JD3V7K2M0000000000000001",
        "trading.order.id": "881723",
        "trading.order.filled_quantity": "0.007",
        "trading.order.status": "partially_filled",
    }
    assert sent.status.status_code is StatusCode.UNSET
    assert sent.start_time == AT_MS * NS - 80 * NS


def test_an_unknown_outcome_and_a_rejection_are_errors_of_the_send(make: Callable[..., Any]) -> None:
    """A send without a known outcome, or rejected by the exchange, has status Error and says which."""
    telemetry, seen = make()
    telemetry.sent(intent(state="unknown", error="timed out after 3.0 s"), scope())
    telemetry.sent(intent(state="rejected", error="-2010 insufficient balance"), scope())
    facts = [
        (s.status.status_code, s.attributes["error.type"], s.attributes["trading.order.reject_reason"], s.parent)
        for s in seen.spans
    ]
    assert facts == [
        (StatusCode.ERROR, "outcome_unknown", "timed out after 3.0 s", None),
        (StatusCode.ERROR, "rejected", "-2010 insufficient balance", None),
    ]


def test_a_status_is_a_word_of_fix() -> None:
    """Each state of an intent has one word; acknowledged ones are told apart by what filled."""
    half, full = Decimal("0.005"), Decimal("0.010")
    cases = [
        (intent(), "pending_new"),
        (intent(state="acknowledged"), "new"),
        (intent(state="acknowledged", filled=half), "partially_filled"),
        (intent(state="found", filled=full), "filled"),
        (intent(state="settled", filled=half, closed=True), "canceled"),
        (intent(state="rejected"), "rejected"),
        (intent(state="unknown"), "unknown"),
        (intent(state="expired"), "expired"),
        (intent(state="not_sent"), "not_sent"),
    ]
    assert [(order_status(i), word) for i, word in cases] == [(word, word) for _, word in cases]


def test_a_re_send_links_to_the_first_decision(make: Callable[..., Any]) -> None:
    """A replacement of a replacement links to the decision that began it and names the order it replaces."""
    telemetry, seen = make()
    telemetry.record(decision("A"), scope(), intent=intent("A"))
    telemetry.record(decision("B"), scope(), intent=intent("B", replaces="A"))
    telemetry.record(decision("C"), scope(), intent=intent("C", replaces="B"))
    first, second, third = seen.spans
    assert first.links == ()
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert [link.context.span_id for link in third.links] == [first.context.span_id]
    originals = [s.attributes.get("trading.order.original_client_id") for s in seen.spans]
    assert originals == [None, "pkA", "pkB"]


def test_a_denial_by_kill_switch_links_to_the_span_that_engaged_it(make: Callable[..., Any]) -> None:
    """A halt set by a decision (a loss trip) is what its denials link to, until it is lifted."""
    telemetry, seen = make()
    telemetry.record(decision("trip"), scope())
    telemetry.kill_switch("all", "HALTED", "daily loss", "limit reached", decision_id="trip")
    telemetry.record(decision("B", reasons=(HALTED,)), scope())
    telemetry.record(decision("C", reasons=(NOTIONAL,)), scope())
    telemetry.kill_switch("all", "ACTIVE", "desk-head", "explained")
    telemetry.record(decision("D", reasons=(HALTED,)), scope())
    trip, by_halt, by_cap, after = seen.spans
    assert [link.context.span_id for link in by_halt.links] == [trip.context.span_id]
    assert (by_cap.links, after.links) == ((), ())


def test_a_halt_may_be_told_before_the_span_that_engaged_it(make: Callable[..., Any]) -> None:
    """A guard halts while it decides: the link leads to that decision's span although it was made after the halt."""
    telemetry, seen = make()
    telemetry.kill_switch("all", "HALTED", "risk.daily_loss", "limit reached", decision_id="trip")
    telemetry.record(decision("early", reasons=(HALTED,)), scope())
    telemetry.record(decision("trip", reasons=(NOTIONAL,)), scope())
    telemetry.record(decision("later", reasons=(HALTED,)), scope())
    early, trip, later = seen.spans
    assert early.links == ()
    assert [link.context.span_id for link in later.links] == [trip.context.span_id]


def test_a_halt_by_a_bots_own_span_is_linked_to_that(make: Callable[..., Any]) -> None:
    """Without a decision the span that was current when the halt was set is what denials link to."""
    telemetry, seen = make()
    context = trace.SpanContext(7, 9, is_remote=False, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    with trace.use_span(trace.NonRecordingSpan(context)):
        telemetry.kill_switch("all", "HALTED", "ops", "a drill")
    telemetry.record(decision(reasons=(HALTED,)), scope())
    assert [link.context.span_id for link in seen.spans[0].links] == [9]


def test_the_parent_is_the_bots_own_current_span_and_none_is_left_current(make: Callable[..., Any]) -> None:
    """A decision inside a bot's span is its child, also when made on the other thread; none becomes current."""
    telemetry, seen = make(deferred=True)
    parent = trace.NonRecordingSpan(
        trace.SpanContext(7, 9, is_remote=False, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    )
    with trace.use_span(parent):
        telemetry.record(decision(), scope())
        assert trace.get_current_span() is parent
    telemetry.flush()
    (span,) = seen.spans
    assert (span.parent.span_id, span.context.trace_id) == (9, 7)


def test_every_name_that_is_sent_is_in_the_table_with_its_type(make: Callable[..., Any]) -> None:
    """What spans carry is in names.ATTRIBUTES, with the type it has there; no table entry is never sent."""
    types: dict[str, type] = {"string": str, "string[]": tuple, "int": int, "double": float, "bool": bool}
    telemetry, seen = make()
    full = order(stop_price=Decimal(1), time_in_force="GTC", reduce_only=True)
    telemetry.record(decision("A", order=full, reasons=(STORE_DOWN, NOTIONAL)), scope(), intent=intent("A"))
    telemetry.record(decision("B", reasons=(NOTIONAL,)), scope(), intent=intent("B", replaces="A"))
    telemetry.sent(intent(state="unknown", error="e", order_id="1", filled=Decimal(1)), scope())
    sent = {name: value for span in seen.spans for name, value in span.attributes.items()}
    table = {a.name: types[a.type] for a in names.ATTRIBUTES}
    assert {name: type(value) for name, value in sent.items()} == {name: table[name] for name in sent}
    only_elsewhere = {
        a.name for a in names.ATTRIBUTES if a.on in ("log event", "metric, log event", "gauge", "exporter")
    }
    assert set(table) - set(sent) == only_elsewhere
