"""The dashboard of policykit itself: what a decision costs, whether the journal and telemetry keep up."""

from __future__ import annotations

from typing import Final

from dashboards import overview, traceql
from dashboards._board import Board, Row
from dashboards._panels import BAD, GOOD, WARN, figure, lines, spans, to_order
from dashboards._query import Query, each, least, legend, series, worst
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
ORDERS: Final = Row(
    "Orders",
    (
        lines(
            "From the decision to the signing",
            "Of orders that were sent, throttlers and renewed permits included. Only the exporter tells it.",
            *each(QUANTILES, names.M_TO_SENT),
            unit="s",
        ),
        lines(
            "From the signing to the answer",
            "What the exchange and the road to it take. Only the exporter tells it.",
            *each(QUANTILES, names.M_TO_ANSWER),
            unit="s",
        ),
    ),
)
JOURNAL: Final = Row(
    "Journal",
    (
        lines(
            "Time of a journal row's write",
            "The disk's sync included; most of what a decision costs. Only bots send it.",
            *each(QUANTILES, names.M_WRITE),
            unit="s",
        ),
        lines(
            "Rows that are not in the journal yet",
            "Written beside a store that was down, or waiting for another thread's sync. Only bots send it.",
            Query(worst(names.M_PENDING, *overview.GUARD), legend(*overview.GUARD)),
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
EXPORTER: Final = Row(
    "Exporter and messages",
    (
        figure(
            "Exporter reads",
            "1 while `policykit exporter` can read the source. `curl /healthz` of it says why not.",
            Query(least(names.M_UP, names.SOURCE), legend(names.SOURCE)),
            steps=((1, GOOD),),
            base=BAD,
            words={"0": "cannot be read", "1": "yes"},
            width=8,
        ),
        figure(
            "Since it was read",
            "Time since the exporter last read store and journal.",
            Query(worst(names.M_STALE, names.SOURCE), legend(names.SOURCE)),
            unit="s",
            steps=((overview.SILENT_S, BAD),),
            width=6,
        ),
        figure(
            "Rows not counted yet",
            "Rows of the journal that the exporter's index has still to take in.",
            Query(worst(names.M_BEHIND)),
            width=3,
        ),
        figure(
            "Rows not counted",
            "Rows that were not understood, or pruned before they were counted.",
            Query(worst(names.M_UNREAD)),
            steps=((1, WARN),),
            width=3,
        ),
        figure(
            "Messages nobody got",
            "Messages of `notify:` that were lost in this range.",
            Query(f"sum(increase({series(names.M_MESSAGES_LOST)}[$__range]))"),
            steps=((1, BAD),),
        ),
    ),
)
BOARD: Final = Board(
    "latency-and-health",
    "latency and health",
    "What policykit costs, and whether its journal, guards and telemetry keep up.",
    (DECISIONS, ORDERS, JOURNAL, HEALTH, EXPORTER),
)
