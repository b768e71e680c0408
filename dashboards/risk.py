"""The dashboard for "how close are we": budgets, caps, the day's loss against its limit, each in its own series."""

from __future__ import annotations

from typing import Final

from dashboards._board import Board, Row
from dashboards._panels import BAD, WARN, bars, lines
from dashboards._query import Query, by, least, legend, series, worst
from policykit.telemetry import names

#: Where a bar turns; full is the limit itself.
STEPS: Final = ((0.8, WARN), (1.0, BAD))
WHERE: Final = (names.EXCHANGE, names.ACCOUNT, names.POLICY_ID)
BUDGET: Final = (*WHERE, names.BUDGET)
CHECK: Final = (*WHERE, names.CHECK_ID)
LOSS: Final = (*CHECK, names.CHECK_UNIT)
#: The loss is followed over half an hour, and drawn on for an hour.
PACE, AHEAD_S = "30m", 3_600
FORECAST: Final = f"max{by(names.M_LOSS_USAGE, *LOSS)}(predict_linear({series(names.M_LOSS_USAGE)}[{PACE}], {AHEAD_S}))"

NOW: Final = Row(
    "Now",
    (
        bars(
            "Rate budgets: used",
            "Of what entries may use of each budget; over 100 % while exits use their reserve.",
            Query(worst(names.M_BUDGET_UTILIZATION, *BUDGET), legend(*BUDGET)),
            steps=STEPS,
        ),
        bars(
            "Positions and exposure: used",
            "Used part of each cap on positions or exposure, of the position with the least room.",
            Query(worst(names.M_POSITION, *CHECK), legend(*CHECK)),
            steps=STEPS,
        ),
    ),
)
LOSSES: Final = Row(
    "Losses",
    (
        lines(
            "Loss against its limit",
            "What was lost as each check counts it, unrealised included, and its limit in money. Below 0: won.",
            Query(worst(names.M_LOSS_USAGE, *LOSS), legend(*LOSS)),
            Query(least(names.M_LOSS_LIMIT, *LOSS), f"limit {legend(*LOSS)}"),
            limit="B",
            signed=True,
        ),
        lines(
            "Part of the loss limit that is used, and in an hour at this pace",
            f"The forecast is a straight line through the last {PACE}; at 100 % the policy's on_breach acts.",
            Query(f"{worst(names.M_LOSS_USAGE, *LOSS)} / {least(names.M_LOSS_LIMIT, *LOSS)}", legend(*CHECK)),
            Query(f"{FORECAST} / {least(names.M_LOSS_LIMIT, *LOSS)}", f"in an hour: {legend(*CHECK)}"),
            unit="percentunit",
            signed=True,
        ),
    ),
)
HISTORY: Final = Row(
    "Over time",
    (
        lines(
            "Rate budgets: used and limit",
            "Weight used in the window of each budget, and what entries may use of it.",
            Query(worst(names.M_BUDGET_USAGE, *BUDGET), legend(*BUDGET)),
            Query(least(names.M_BUDGET_LIMIT, *BUDGET), f"limit {legend(*BUDGET)}"),
            limit="B",
        ),
        lines(
            "Positions and exposure: used",
            "Used part of each cap over time; at 100 % increases are denied, exits pass.",
            Query(worst(names.M_POSITION, *CHECK), legend(*CHECK)),
            unit="percentunit",
        ),
    ),
)
BOARD: Final = Board(
    "budgets-and-risk",
    "budgets and risk",
    "How close every limit is: rate budgets, positions and exposure, losses with a forecast.",
    (NOW, LOSSES, HISTORY),
)
