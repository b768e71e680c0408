"""The dashboard to look at first: is trading on, under which policy, how much is denied, how close are the limits."""

from __future__ import annotations

from typing import Final

from dashboards import risk, traceql
from dashboards._board import Board, Row
from dashboards._panels import BAD, CALM, FULL, WARN, bars, figure, lines, rows, spans, to_order, to_traces
from dashboards._query import ACTED, DENIED, Query, grown, least, legend, per_minute, series, worst
from policykit.telemetry import names

#: A guard's maintenance runs every few seconds; `policykit status --check` takes a minute's silence for a dead bot.
SILENT_S: Final = 60
GUARD: Final = (names.ACCOUNT, names.BOT)

STATE: Final = Row(
    "State",
    (
        figure(
            "Trading",
            "HALTED or REDUCING while any scope is; ACTIVE needs a policy in force, else it is unknown. "
            "`policykit status` says who halted it and why, `policykit resume` lifts it.",
            Query(f"max({series(names.M_KILL, {names.DRILL: '!=true'})} or 0 * {series(names.M_POLICY)})"),
            steps=((1, BAD),),
            words={"0": "ACTIVE", "1": "HALTED or REDUCING"},
        ),
        figure(
            "Guards: silent for",
            "Time since each bot's guard last ran its maintenance; that of a dead bot grows.",
            Query(f"time() - {worst(names.M_HEARTBEAT, *GUARD)}", legend(*GUARD)),
            unit="s",
            width=8,
            steps=((SILENT_S, BAD),),
        ),
        figure(
            "Unknown orders",
            "Orders that were sent and of which nobody knows whether they executed. `policykit orders` lists them.",
            Query(f"sum({worst(names.M_UNKNOWN, names.EXCHANGE, names.ACCOUNT)})"),
            steps=((1, BAD),),
        ),
        figure(
            "Unexplained differences",
            "What the account has and the journal cannot explain, by the last reconciliation.",
            Query(f"sum({worst(names.M_DRIFT, names.EXCHANGE, names.ACCOUNT, names.DRIFT_KIND)})"),
            steps=((1, BAD),),
        ),
        figure(
            "Denied in this range",
            "Share of decisions that denied, shadow mode and drills left out.",
            Query(f"{grown(names.M_DECISIONS, where=DENIED)} / {grown(names.M_DECISIONS, where=ACTED)}"),
            unit="percentunit",
        ),
    ),
)
POLICIES: Final = Row(
    "Policies and halts",
    (
        rows(
            "Policies in force",
            "Which version of each policy guards register; two versions of one name are both applied.",
            Query(worst(names.M_POLICY, names.POLICY_ID, names.POLICY_VERSION, names.STAGE, names.MODE)),
            {names.POLICY_ID: "Policy", names.POLICY_VERSION: "Version", names.STAGE: "Stage", names.MODE: "Mode"},
        ),
        lines(
            "Halts by scope",
            "1 while a scope is halted or reducing.",
            Query(worst(names.M_KILL, names.SCOPE_NAME, names.DRILL), legend(names.SCOPE_NAME)),
            most=1,
        ),
    ),
)
DECISIONS: Final = Row(
    "Decisions",
    (
        lines(
            "Decisions a minute, by outcome",
            "Allowed and denied. A deny in mode shadow did not act.",
            Query(per_minute(names.M_DECISIONS, names.OUTCOME, names.MODE), legend(names.OUTCOME, names.MODE)),
            unit="cpm",
            stacked=True,
            colors={"allow enforce": CALM, "deny enforce": WARN, "allow shadow": "light-blue", "deny shadow": "yellow"},
        ),
        lines(
            "Denials a minute, by check",
            "The deciding check of each denial. A point's link opens these denials in Tempo.",
            Query(per_minute(names.M_DECISIONS, names.CHECK_ID, where=DENIED), legend(names.CHECK_ID)),
            unit="cpm",
            stacked=True,
            links=(to_traces("Denials of this check", traceql.OF_CHECK),),
        ),
    ),
)
LIMITS: Final = Row(
    "How close the limits are",
    (
        bars(
            "Loss: used part of each limit",
            "Of the limits on losses; budgets and risk draws it with a forecast.",
            Query(
                f"{worst(names.M_LOSS_USAGE, *risk.LOSS)} / {least(names.M_LOSS_LIMIT, *risk.LOSS)}",
                legend(*risk.CHECK),
            ),
            steps=risk.STEPS,
            width=8,
        ),
        bars(
            "Rate budgets: used",
            "Of what entries may use of each budget.",
            Query(worst(names.M_BUDGET_UTILIZATION, *risk.BUDGET), legend(*risk.BUDGET)),
            steps=risk.STEPS,
            width=8,
        ),
        bars(
            "Positions and exposure: used",
            "Used part of each cap, of the position with the least room.",
            Query(worst(names.M_POSITION, *risk.CHECK), legend(*risk.CHECK)),
            steps=risk.STEPS,
            width=8,
        ),
    ),
)
LATEST: Final = Row(
    "Latest denials",
    (
        spans(
            "Denials with observed and limit",
            "A row opens its trace, the decision id the local page, which shows the same without a Tempo.",
            traceql.DENIALS,
            width=FULL,
            links={names.DECISION_ID: to_order()},
        ),
    ),
)
BOARD: Final = Board(
    "overview",
    "overview",
    "Is trading on, under which policy, what is denied, how close are the limits.",
    (STATE, LIMITS, DECISIONS, POLICIES, LATEST),
)
