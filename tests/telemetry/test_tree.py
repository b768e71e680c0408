"""The tree that `policykit demo` prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from policykit.telemetry.tree import render_tree
from tests.telemetry.nouns import AT_MS, HALTED, NOTIONAL, POSITION, STORE_DOWN, decision, intent, scope

MS = 1_000_000
TREE = """\
trace T
└─ policykit.decide order.create      90 us  DENY   buy limit 0.01 BTC/USDT @ 60,000
      RISK_ORDER_NOTIONAL  order notional 30000 USDT is over max_order_notional 1500 USDT
      check risk.max_order_notional: observed 30,000 of 1,500 USDT; also risk.max_position_notional
      policy mm sha256:3f9a01c2d4e5 · account binance/main · key mm-exec
      bot mm-1 · journal 4211 · decision 01JD3V7K2M0000000000000001
trace T
└─ policykit.decide order.create      40 us  ALLOW  buy limit 0.01 BTC/USDT @ 60,000
   │  policy mm sha256:3f9a01c2d4e5 · account binance/main · key mm-exec
   │  bot mm-1 · journal 4211 · decision A
   └─ policykit.send order.create   80.0 ms  ACKNOWLEDGED buy limit 0.01 BTC/USDT @ 60,000
         partially_filled, order id 881723, client order id pkA, filled 0.007"""


def test_a_denied_and_an_allowed_order_as_trees(make: Callable[..., Any]) -> None:
    """Outcome, reason, observed and limit, the names that lead on, the send below its decision, times with units."""
    ticks = iter([AT_MS * MS, (AT_MS + 1) * MS, (AT_MS + 90) * MS])
    telemetry, seen = make(now_ns=lambda: next(ticks))
    telemetry.record(decision(reasons=(NOTIONAL, POSITION)), scope(), duration_ns=90_000)
    telemetry.record(decision("A"), scope(), duration_ns=40_000, intent=intent("A"))
    back = intent("A", state="acknowledged", order_id="881723", filled=Decimal("0.007"))
    telemetry.sent(back, scope(), duration_ns=80 * MS)
    assert re.sub(r"trace [0-9a-f]{32}", "trace T", render_tree(seen.spans)) == TREE


def test_links_errors_and_siblings_are_drawn(make: Callable[..., Any]) -> None:
    """Two sends below one decision, an unknown outcome with its error, a denial's link to the halt's span."""
    telemetry, seen = make()
    telemetry.record(decision("A"), scope(), intent=intent("A"))
    telemetry.sent(intent("A", state="unknown", error="timed out"), scope())
    telemetry.sent(intent("A", state="rejected"), scope())
    telemetry.kill_switch("all", "HALTED", "ops", "w", decision_id="A")
    telemetry.record(decision("B", reasons=(HALTED, STORE_DOWN)), scope())
    text = render_tree(seen.spans)
    assert [line.split()[0] for line in text.splitlines() if "policykit.send" in line] == ["├─", "└─"]
    assert "   │  │" not in text
    assert "error.type outcome_unknown" in text
    assert "unknown, client order id pkA, timed out" in text
    halt = seen.spans[0].context
    assert f"link to span {halt.span_id:016x} of trace {halt.trace_id:032x}" in text


def test_spans_of_others_are_drawn_without_our_facts() -> None:
    """A span that is not ours is a line; a span not yet ended has no time; no spans are no text."""
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bot")
    span = tracer.start_span("tick")
    assert render_tree([span]).splitlines()[1].split() == ["└─", "tick"]  # type: ignore[list-item]
    assert render_tree([]) == ""
