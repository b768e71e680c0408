"""The dashboard of what decays: keys against their rotation, findings of lint, differences, streams, clocks."""

from __future__ import annotations

from typing import Final

from dashboards import traceql
from dashboards._board import Board, Row
from dashboards._panels import BAD, WARN, bars, figure, lines, rows, spans, to_order
from dashboards._query import Query, least, legend, worst
from policykit.telemetry import names

WHERE: Final = (names.EXCHANGE, names.ACCOUNT)
KEY: Final = (*WHERE, names.KEY)
AGE: Final = worst(names.M_KEY_AGE, *KEY)
KEYS: Final = Row(
    "Keys and lint",
    (
        bars(
            "Keys: life that is used",
            "Age of each key as a part of its time until rotation. A key of unknown age is not shown.",
            Query(
                f"{AGE} / ({AGE} + {least(names.M_KEY_REMAINING, *KEY)})",
                legend(*KEY),
            ),
            steps=((0.8, WARN), (1.0, BAD)),
            width=8,
        ),
        lines(
            "Keys: time until rotation",
            "Below 0: overdue. `policykit keys` lists them.",
            Query(least(names.M_KEY_REMAINING, *KEY), legend(*KEY)),
            unit="s",
            width=8,
            signed=True,
        ),
        lines(
            "Keys: guards on the old key",
            "While a key is replaced: live guards that sign with the old one yet. `policykit rotate status` says why.",
            Query(worst(names.M_KEY_WAITING, *KEY), legend(*KEY)),
            width=8,
        ),
        rows(
            "Findings of the last lint",
            "Of the last `policykit lint --live` with this store; `policykit explain RULE` says what to do.",
            Query(worst(names.M_LINT, names.POLICY_ID, names.SEVERITY, names.RULE)),
            {names.POLICY_ID: "Policy", names.SEVERITY: "Severity", names.RULE: "Rule"},
            value="Findings",
            width=8,
        ),
    ),
)
DRIFT: Final = Row(
    "Reconciliation",
    (
        lines(
            "Unexplained differences, by kind",
            "Orders, positions and balances that differ from the journal, and that nothing explains.",
            Query(worst(names.M_DRIFT, *WHERE, names.DRIFT_KIND), legend(*WHERE, names.DRIFT_KIND)),
            stacked=True,
        ),
        lines(
            "Since the account was last compared",
            "Grows while nobody reconciles: a dead poller, an exchange that does not answer.",
            Query(worst(names.M_RECONCILE_AGE, *WHERE), legend(*WHERE)),
            unit="s",
        ),
        figure(
            "Unknown orders",
            "Orders of which nobody knows whether they executed; they keep their reservation.",
            Query(worst(names.M_UNKNOWN, *WHERE), legend(*WHERE)),
            steps=((1, BAD),),
            width=6,
        ),
        figure(
            "Accounts not read",
            "1 while the account of a live guard is not read: no increase is decided. `policykit status` says why.",
            Query(worst(names.M_NOT_READ, *WHERE), legend(*WHERE)),
            steps=((1, BAD),),
            width=6,
        ),
        spans(
            "Unknown after the send (Tempo)",
            "Sends without a proven outcome; the journal says what became of them.",
            traceql.UNKNOWN,
            width=12,
            links={names.DECISION_ID: to_order()},
        ),
    ),
)
CONNECTION: Final = Row(
    "Streams and clocks",
    (
        lines(
            "Streams: silent for",
            "How long a stream has said nothing.",
            Query(
                worst(names.M_STREAM_GAP, *WHERE, names.BOT, names.STREAM),
                legend(names.ACCOUNT, names.BOT, names.STREAM),
            ),
            unit="s",
        ),
        lines(
            "Clock ahead of the exchange",
            "Local clock minus the exchange's. Orders are refused past the policy's clock.max_skew.",
            Query(worst(names.M_SKEW, *WHERE), legend(*WHERE)),
            unit="s",
            signed=True,
        ),
    ),
)
BOARD: Final = Board(
    "keys-and-drift",
    "keys and drift",
    "What decays: keys against their rotation, findings of the last lint, the account against the journal.",
    (KEYS, DRIFT, CONNECTION),
)
