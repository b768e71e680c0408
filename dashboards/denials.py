"""The dashboard for "why was it denied": by check, reason, action and stage, one by one with numbers and traces."""

from __future__ import annotations

from typing import Final

from dashboards import traceql
from dashboards._board import Board, Row
from dashboards._panels import lines, rows, spans, to_order, to_traces
from dashboards._query import ACTED, DENIED, Query, grown, legend, per_minute, worst
from policykit.telemetry import names

#: Reason codes that say that a check could not be evaluated; `telemetry.attributes.error_type` has them too.
FAILED: Final = "=~(STORE|POLICY|CHECK)_.*"
#: Reasons of the exchange's rate limits: a budget that is used up, a ban after 429 or 418.
RATE: Final = "=~RATE_.*"
REASON: Final = (names.CHECK_ID, names.REASON_CODE, names.ACTION)
LINK: Final = (to_traces("Denials of this check", traceql.OF_CHECK),)

COUNTS: Final = Row(
    "How many",
    (
        lines(
            "Share of decisions denied",
            "Denied of all decisions, shadow mode and drills left out; by action.",
            Query(
                f"{per_minute(names.M_DECISIONS, names.ACTION, where=DENIED)} / "
                f"{per_minute(names.M_DECISIONS, names.ACTION, where=ACTED)}",
                legend(names.ACTION),
            ),
            unit="percentunit",
            most=1,
        ),
        lines(
            "Denials a minute, by check",
            "The deciding check of each denial. A point's link opens these denials in Tempo.",
            Query(per_minute(names.M_DECISIONS, names.CHECK_ID, where=DENIED), legend(names.CHECK_ID)),
            unit="cpm",
            stacked=True,
            links=LINK,
        ),
        rows(
            "Most frequent reasons in this range",
            "Deciding check and reason code; `policykit explain CODE` says what to do.",
            Query(f"topk(20, {grown(names.M_DECISIONS, *REASON, where=DENIED)} > 0)"),
            {names.CHECK_ID: "Check", names.REASON_CODE: "Reason", names.ACTION: "Action"},
            value="Denials",
        ),
        lines(
            "Denials a minute, by stage",
            "The stage that was in force; early stages have tighter caps and deny more.",
            Query(per_minute(names.M_DECISIONS, names.STAGE, where=DENIED), legend(names.STAGE)),
            unit="cpm",
            stacked=True,
        ),
    ),
)
CAUSES: Final = Row(
    "What needs a person",
    (
        lines(
            "Failures to decide, a minute",
            "Denials because the store, the policy or a check failed; no limit was met.",
            Query(
                per_minute(names.M_DECISIONS, names.REASON_CODE, where=DENIED | {names.REASON_CODE: FAILED}),
                legend(names.REASON_CODE),
            ),
            unit="cpm",
            stacked=True,
        ),
        lines(
            "Denied by rate limits, a minute",
            "A budget that is used up, or a ban of the exchange after HTTP 429 or 418.",
            Query(
                per_minute(names.M_DECISIONS, names.REASON_CODE, where=DENIED | {names.REASON_CODE: RATE}),
                legend(names.REASON_CODE),
            ),
            unit="cpm",
            stacked=True,
        ),
    ),
)
SHADOW: Final = Row(
    "Shadow: what did not act",
    (
        lines(
            "Would be denied, a minute",
            "Denials of guards in mode shadow, by check.",
            Query(
                per_minute(names.M_DECISIONS, names.CHECK_ID, where={names.OUTCOME: "deny", names.MODE: "shadow"}),
                legend(names.CHECK_ID),
            ),
            unit="cpm",
            stacked=True,
        ),
        lines(
            "Orders that a candidate policy would decide otherwise",
            "Since the guard was loaded with `shadow=`; the journal's rows say which.",
            Query(
                worst(names.M_SHADOW, names.POLICY_ID, names.POLICY_VERSION),
                legend(names.POLICY_ID, names.POLICY_VERSION),
            ),
        ),
    ),
)
TIMELINE: Final = Row(
    "One by one (Tempo)",
    (
        spans(
            "Denial timeline",
            "Action, symbol, check, observed and limit; a row opens its trace, the decision id the local page.",
            traceql.DENIALS,
            links={names.DECISION_ID: to_order()},
        ),
        spans(
            "Failures to decide",
            "Denials whose span has status Error.",
            traceql.FAILURES,
            links={names.DECISION_ID: to_order()},
            width=12,
        ),
        spans(
            "Would be denied (shadow)",
            "Denials that did not act.",
            traceql.WOULD_DENY,
            links={names.DECISION_ID: to_order()},
            width=12,
        ),
    ),
)
BOARD: Final = Board(
    "denials",
    "denials",
    "Which check denied what, with which numbers; failures to decide apart from limits that were met.",
    (COUNTS, CAUSES, SHADOW, TIMELINE),
)
