"""What a span says of a decision and of a send: pure functions from our nouns to attributes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.decision import Decision, Reason
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.redact import scrub
from policykit.telemetry import names
from policykit.units import plain

AttributeValue = str | int | float | bool | tuple[str, ...]
#: The longest text of one attribute, characters: messages and errors are cut, never the span.
MAX_TEXT: Final = 1_000
#: Reasons of this category deny because somebody or something halted trading: their span links to what did.
HALTED: Final = "TRADING_"

_ERROR_TYPES: Final = (("STORE_", "state_unavailable"), ("POLICY_", "policy_invalid"), ("CHECK_", "check_failed"))


class Scope:
    """What is the same for every decision of one guard; made once, so that a decision only adds its own.

    `account` and `key` are the policy's own names, `exchange` ccxt's id, `currency` that of notionals.
    """

    __slots__ = ("base", "currency", "stage")

    def __init__(
        self,
        *,
        exchange: str,
        account: str,
        stage: str,
        backend: str,
        key: str | None = None,
        currency: str | None = None,
    ) -> None:
        self.stage = stage
        self.currency = currency
        self.base: dict[str, AttributeValue] = {
            names.STAGE: stage,
            names.EXCHANGE: exchange,
            names.ACCOUNT: account,
            names.STATE_BACKEND: backend,
        }
        if key is not None:
            self.base[names.KEY] = key


def clean(text: str) -> str:
    """Return a text without secrets, of at most MAX_TEXT characters."""
    # INVARIANT I23: free text (messages, errors, reasons of people) is scrubbed before it is an attribute or an event.
    text = scrub(text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def error_type(reasons: tuple[Reason, ...]) -> str | None:
    """Return the `error.type` of a denial: None when every check could be evaluated."""
    code = next((reason.code for reason in reasons if reason.failure), None)
    if code is None:
        return None
    return next((kind for prefix, kind in _ERROR_TYPES if code.startswith(prefix)), code.lower())


def _number(value: object) -> str:
    """Write a number of a bot's; one that is none as text, for the denial of it has a span too."""
    return plain(value) if isinstance(value, Decimal) else clean(str(value))


def of_order(order: Order, out: dict[str, AttributeValue], client_order_id: str | None) -> None:
    """Add the order's own words; numbers are decimal text, absent fields are left out."""
    out[names.SYMBOL] = order.symbol
    if order.side is not None:
        out[names.SIDE] = order.side
    if order.type is not None:
        out[names.TYPE] = order.type
    if order.quantity is not None:
        out[names.QUANTITY] = _number(order.quantity)
    if order.price is not None:
        out[names.PRICE] = _number(order.price)
    if client_order_id is not None:
        out[names.CLIENT_ID] = client_order_id
    if order.stop_price is not None:
        out[names.STOP_PRICE] = _number(order.stop_price)
    if order.time_in_force is not None:
        out[names.TIME_IN_FORCE] = order.time_in_force
    if order.reduce_only:
        out[names.REDUCE_ONLY] = True


def of_decision(decision: Decision, scope: Scope, intent: Intent | None = None) -> dict[str, AttributeValue]:
    """Return every attribute of the span of a decision."""
    out = scope.base.copy()
    out[names.DECISION_ID] = decision.id
    out[names.OUTCOME] = decision.outcome
    out[names.ACTION] = decision.action
    out[names.MODE] = decision.mode
    out[names.POLICY_ID] = decision.policy_name
    out[names.POLICY_VERSION] = decision.policy_version
    out[names.BOT] = decision.bot
    if decision.seq is not None:
        out[names.JOURNAL_SEQ] = decision.seq
    if decision.facts_age_s is not None:
        out[names.STATE_AGE] = float(decision.facts_age_s)
    of_order(decision.order, out, intent.client_order_id if intent is not None else decision.order.client_order_id)
    if decision.notional is not None:
        out[names.NOTIONAL] = float(decision.notional)
        if scope.currency is not None:
            out[names.QUOTE_CURRENCY] = scope.currency
    if decision.reasons:
        _of_reasons(decision.reasons, out)
    return out


def _of_reasons(reasons: tuple[Reason, ...], out: dict[str, AttributeValue]) -> None:
    first = reasons[0]
    out[names.REASON_CODE] = first.code
    out[names.REASON_MESSAGE] = clean(first.message)
    out[names.CHECK_ID] = first.check
    out[names.FAILED_CHECKS] = tuple(dict.fromkeys(reason.check for reason in reasons))
    if first.observed is not None:
        out[names.CHECK_OBSERVED] = first.observed
    if first.limit is not None:
        out[names.CHECK_LIMIT] = first.limit
    if first.unit is not None:
        out[names.CHECK_UNIT] = first.unit
    failure = error_type(reasons)
    if failure is not None:
        out[names.ERROR_TYPE] = failure


def of_send(intent: Intent, scope: Scope, decision: Decision | None = None) -> dict[str, AttributeValue]:
    """Return every attribute of the span of a send; `intent` is what is known when the call came back."""
    out = scope.base.copy()
    if decision is not None:
        out[names.POLICY_ID] = decision.policy_name
        out[names.POLICY_VERSION] = decision.policy_version
        out[names.MODE] = decision.mode
    out[names.DECISION_ID] = intent.id
    out[names.ACTION] = intent.order.action
    out[names.BOT] = intent.bot
    of_order(intent.order, out, intent.client_order_id)
    out[names.ORDER_STATE] = intent.state
    out[names.STATUS] = order_status(intent)
    if intent.order_id is not None:
        out[names.ORDER_ID] = intent.order_id
    if intent.filled:
        out[names.FILLED] = plain(intent.filled)
    if intent.error is not None:
        out[names.REJECT_REASON] = clean(intent.error)
    if intent.state in _SEND_ERRORS:
        out[names.ERROR_TYPE] = _SEND_ERRORS[intent.state]
    return out


_SEND_ERRORS: Final[Mapping[str, str]] = {"unknown": "outcome_unknown", "rejected": "rejected"}
_STATUS: Final[Mapping[str, str]] = {
    "intended": "pending_new",
    "sent": "pending_new",
    "rejected": "rejected",
    "unknown": "unknown",
    "absent": "rejected",
    "expired": "expired",
    "not_sent": "not_sent",
}


def order_status(intent: Intent) -> str:
    """Return FIX 39 as a word; `unknown` and `not_sent` are ours, FIX has no word for them."""
    status = _STATUS.get(intent.state)
    if status is not None:
        return status
    quantity = intent.order.quantity
    if quantity is not None and intent.filled >= quantity > Decimal(0):
        return "filled"
    if intent.closed or intent.state == "settled":
        return "canceled"
    return "partially_filled" if intent.filled else "new"


def metric_key(decision: Decision, stage: str) -> tuple[str, str, str, str, str, str]:
    """Return what policykit.decisions counts a denial by: outcome, reason, check, action, mode, stage."""
    first = decision.reasons[0] if decision.reasons else None
    code, check = (first.code, first.check) if first is not None else ("", "")
    return (decision.outcome, code, check, decision.action, decision.mode, stage)


def plain_json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as JSON has them (tuples become lists)."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}
