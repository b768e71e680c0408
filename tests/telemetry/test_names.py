"""The names are public API: the rules they follow, and the page that is made from them."""

from __future__ import annotations

import re
from pathlib import Path

from policykit.telemetry import names
from policykit.telemetry.page import page

METRICS = (*names.METRICS, *names.EXPORTED)

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
UNITS = re.compile(r"(?:_|\.)(?:total|seconds|s|ms|bytes|ratio|percent)$")


def test_the_page_is_what_the_constants_say() -> None:
    """docs/telemetry.md is what `make docs` writes."""
    assert (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8") == page()


def test_names_follow_opentelemetrys_rules() -> None:
    """Lower case, dots for namespaces, no unit and no total in a name, none twice."""
    listed = [a.name for a in names.ATTRIBUTES] + [m.name for m in METRICS] + [e.name for e in names.EVENTS]
    assert [name for name in listed if not NAME.fullmatch(name) or UNITS.search(name)] == []
    assert sorted(set(listed)) == sorted(listed)


def test_every_constant_is_in_its_table() -> None:
    """A name without a row in a table would be sent and not be documented."""
    constants = {value for key, value in vars(names).items() if key.isupper() and isinstance(value, str)}
    documented = {
        *(a.name for a in names.ATTRIBUTES),
        *(m.name for m in METRICS),
        *(e.name for e in names.EVENTS),
        *(s.name.removesuffix(" {action}") for s in names.SPANS),
        names.SCOPE,
    }
    assert constants == documented


def test_symbols_are_never_on_metrics() -> None:
    """A dimension of a metric is an attribute with few values; symbols, ids and messages are none."""
    dimensions = {name for metric in METRICS for name in metric.attributes}
    assert [name for name in dimensions if name.startswith("trading.") or name.endswith((".id", ".message"))] == [
        name for name in dimensions if name in (names.CHECK_ID, names.POLICY_ID)
    ]
    decided = next(m for m in names.METRICS if m.name == names.M_DECISIONS).attributes
    assert {a.name for a in names.ATTRIBUTES if a.metric} == {
        *decided,
        names.SCOPE_NAME,
        names.STREAM,
        names.DRIFT_KIND,
        names.BUDGET,
        names.SEVERITY,
        names.RULE,
        names.DRILL,
        names.ENVIRONMENT,
        names.SOURCE,
    }


def test_buckets_run_from_a_microsecond_to_a_second() -> None:
    """The histogram's buckets are in order, from 1 us to 1 s."""
    assert names.DURATION_BUCKETS[0] == 1e-6
    assert names.DURATION_BUCKETS[-1] == 1.0
    assert list(names.DURATION_BUCKETS) == sorted(names.DURATION_BUCKETS)


def test_what_telemetry_md_names_for_this_slice_is_here() -> None:
    """The names that the design page fixes are spelt as it spells them."""
    fixed = [
        "policykit.decision.id",
        "policykit.decision.outcome",
        "policykit.decision.reason.code",
        "policykit.decision.reason.message",
        "policykit.check.id",
        "policykit.decision.failed_checks",
        "policykit.check.observed",
        "policykit.check.limit",
        "policykit.check.unit",
        "policykit.action",
        "policykit.enforcement.mode",
        "policykit.stage",
        "policykit.policy.id",
        "policykit.policy.version",
        "policykit.exchange.name",
        "policykit.account.alias",
        "policykit.key.name",
        "policykit.bot",
        "policykit.state.backend",
        "policykit.state.age",
        "policykit.journal.seq",
        "error.type",
        "trading.order.client_id",
        "trading.order.original_client_id",
        "trading.order.id",
        "trading.order.symbol",
        "trading.order.side",
        "trading.order.type",
        "trading.order.time_in_force",
        "trading.order.quantity",
        "trading.order.price",
        "trading.order.stop_price",
        "trading.order.notional",
        "trading.order.quote_currency",
        "trading.order.reduce_only",
        "trading.order.status",
        "trading.order.reject_reason",
    ]
    assert [name for name in fixed if name not in {a.name for a in names.ATTRIBUTES}] == []
