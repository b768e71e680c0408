"""TraceQL of policykit's spans: what the dashboards ask Tempo for, and the recipes of docs/dashboards.md.

Each is parsed by Grafana's own grammar in `make verify`; its attributes are those of names.py (a test).
"""

from __future__ import annotations

from typing import Final

from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label


def _span(attribute: str) -> str:
    return f"span.{attribute}"


def _columns(*attributes: str) -> str:
    return f"select({', '.join(_span(each) for each in attributes)})"


#: What the choices at the top of a dashboard leave over.
CHOSEN: Final = (
    f'{_span(names.ACCOUNT)} =~ "$account" && {_span(names.BOT)} =~ "$bot" && {_span(names.POLICY_ID)} =~ "$policy"'
)
#: The columns of a denial, most telling first.
_DENIAL: Final = _columns(
    names.DECISION_ID,
    names.ACTION,
    names.SYMBOL,
    names.CHECK_ID,
    names.CHECK_OBSERVED,
    names.CHECK_LIMIT,
    names.CHECK_UNIT,
    names.REASON_CODE,
    names.REASON_MESSAGE,
    names.BOT,
    names.JOURNAL_SEQ,
)
_DENIED: Final = f'{_span(names.OUTCOME)} = "deny"'

DENIALS: Final = f'{{ {_DENIED} && {_span(names.MODE)} = "enforce" && {CHOSEN} }} | {_DENIAL}'
WOULD_DENY: Final = f'{{ {_DENIED} && {_span(names.MODE)} = "shadow" && {CHOSEN} }} | {_DENIAL}'
FAILURES: Final = f"{{ status = error && {_DENIED} && {CHOSEN} }} | {_DENIAL}"
UNKNOWN: Final = (
    f'{{ {_span(names.ORDER_STATE)} = "unknown" && {CHOSEN} }} | '
    f"{_columns(names.DECISION_ID, names.SYMBOL, names.CLIENT_ID, names.REJECT_REASON, names.BOT)}"
)
SLOW: Final = (
    f"{{ {_span(names.OUTCOME)} != nil && duration > 10ms && {CHOSEN} }} | "
    f"{_columns(names.DECISION_ID, names.ACTION, names.STATE_BACKEND, names.BOT)}"
)


#: What a point of a panel by check links to: the denials of that check.
OF_CHECK: Final = (
    f'{{ {_DENIED} && {_span(names.CHECK_ID)} = "${{__field.labels.{prometheus_label(names.CHECK_ID)}}}" }} | {_DENIAL}'
)

#: The recipes of docs/dashboards.md: question and query.
RECIPES: Final = {
    "Which limit denied BTC orders today?": (
        f'{{ {_DENIED} && {_span(names.SYMBOL)} =~ "BTC/.*" }} | '
        + _columns(names.CHECK_ID, names.CHECK_OBSERVED, names.CHECK_LIMIT, names.CHECK_UNIT, names.DECISION_ID)
    ),
    "The order behind this client order id, decision and send": (
        f'{{ {_span(names.CLIENT_ID)} = "pk01JD3V7K2M0000000000000001" }}'
    ),
    "The decision of a line in the journal": f"{{ {_span(names.JOURNAL_SEQ)} = 4211 }}",
    "Orders whose outcome was unknown after the send, with the decision before": (
        f'{{ {_span(names.OUTCOME)} = "allow" }} > {{ {_span(names.ORDER_STATE)} = "unknown" }}'
    ),
    "Denials because a check could not be evaluated, not because a limit was met": (
        f"{{ {_DENIED} && status = error }} | {_columns(names.ERROR_TYPE, names.REASON_MESSAGE, names.BOT)}"
    ),
    "What a policy in shadow would have denied": f'{{ {_DENIED} && {_span(names.MODE)} = "shadow" }}',
    "Denials a second, by check": f"{{ {_DENIED} }} | rate() by ({_span(names.CHECK_ID)})",
    "Sends that took longer than a second": f"{{ {_span(names.ORDER_STATE)} != nil && duration > 1s }}",
}
