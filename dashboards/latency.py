"""The dashboard of policykit itself: what a decision costs, whether the journal and telemetry keep up."""

from __future__ import annotations

from typing import Final

from dashboards import overview, traceql
from dashboards._board import Board, Row
from dashboards._panels import BAD, WARN, figure, lines, spans, to_order
from dashboards._query import Query, each, legend, series, worst
from policykit.telemetry import names

QUANTILES: Final = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
DECISIONS: Final = Row(
    "Decisions",
    (
        lines(
            "Time of a decision",
            "From the call to the decision, the store included. Only bots send it: an exporter cannot know it.",
            *each(QUANTILES, names.M_DURATION),
            unit="s",
            exemplars=True,
        ),
        lines(
            "Time of a decision, p99 by action",
            "Which action is slow. Only bots send it.",
            *each(((0.99, "p99"),), names.M_DURATION, names.ACTION),
            unit="s",
        ),
        spans(
            "Slow decisions (Tempo)",
            "Decisions that took more than 10 ms; mostly a store's disk.",
            traceql.SLOW,
            links={names.DECISION_ID: to_order()},
        ),
    ),
)
HEALTH: Final = Row(
    "Health",
    (
        figure(
            "Spans and events dropped in this range",
            "Dropped because a queue was full. The journal has them: policykit journal export --otlp.",
            Query(f"sum(increase({series(names.M_DROPPED)}[$__range]))"),
            steps=((1, WARN),),
            width=6,
        ),
        figure(
            "Lost to errors in telemetry in this range",
            "Spans and events that an error in telemetry lost; no decision is touched by it.",
            Query(f"sum(increase({series(names.M_FAILURES)}[$__range]))"),
            steps=((1, WARN),),
            width=6,
        ),
        figure(
            "Guards: silent for",
            "Time since each bot's guard last ran its maintenance.",
            Query(f"time() - {worst(names.M_HEARTBEAT, *overview.GUARD)}", legend(*overview.GUARD)),
            unit="s",
            steps=((overview.SILENT_S, BAD),),
            width=12,
        ),
    ),
)
BOARD: Final = Board(
    "latency-and-health",
    "latency and health",
    "What policykit costs, and whether its journal, guards and telemetry keep up.",
    (DECISIONS, HEALTH),
)
