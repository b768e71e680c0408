"""Every name that policykit puts on the wire. Names are public API: `docs/telemetry.md` is made from this module.

They follow OpenTelemetry's naming rules: lower case, dots for namespaces, no unit and no `_total` in a name, UCUM
units, seconds. A name that is not here is not sent (a test reads back what was sent and compares).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

AttributeType = Literal["string", "string[]", "int", "double", "bool"]
Instrument = Literal["counter", "histogram", "gauge"]

#: The instrumentation scope of every span and metric; its version is the library's.
SCOPE: Final = "policykit"


class Attribute(NamedTuple):
    """An attribute of spans (`on` says which) and, where `metric`, a dimension of metrics."""

    name: str
    type: AttributeType
    on: str
    meaning: str
    metric: bool = False


class Metric(NamedTuple):
    """A metric; `unit` is UCUM. A share is `{share}`: of `1` a Collector makes `_ratio`, the SDK's exporter nothing."""

    name: str
    instrument: Instrument
    unit: str
    attributes: tuple[str, ...]
    meaning: str


class Named(NamedTuple):
    """A span or a log event."""

    name: str
    meaning: str


# --- spans ------------------------------------------------------------------------------------------------------------
DECIDE: Final = "policykit.decide"
SEND: Final = "policykit.send"

SPANS: Final = (
    Named(
        f"{DECIDE} {{action}}",
        "One per decision, kind INTERNAL. A deny leaves the status Unset: the decision worked. Error with `error.type` "
        "only when a reason says that a check could not be evaluated.",
    ),
    Named(
        f"{SEND} {{action}}",
        "One per send, kind CLIENT, child of its decision; carries the outcome. Error with `error.type` when the "
        "outcome is unknown or the exchange rejected the order.",
    ),
)

# --- attributes -------------------------------------------------------------------------------------------------------
DECISION_ID: Final = "policykit.decision.id"
OUTCOME: Final = "policykit.decision.outcome"
REASON_CODE: Final = "policykit.decision.reason.code"
REASON_MESSAGE: Final = "policykit.decision.reason.message"
CHECK_ID: Final = "policykit.check.id"
FAILED_CHECKS: Final = "policykit.decision.failed_checks"
CHECK_OBSERVED: Final = "policykit.check.observed"
CHECK_LIMIT: Final = "policykit.check.limit"
CHECK_UNIT: Final = "policykit.check.unit"
ACTION: Final = "policykit.action"
MODE: Final = "policykit.enforcement.mode"
STAGE: Final = "policykit.stage"
POLICY_ID: Final = "policykit.policy.id"
POLICY_VERSION: Final = "policykit.policy.version"
EXCHANGE: Final = "policykit.exchange.name"
ACCOUNT: Final = "policykit.account.alias"
KEY: Final = "policykit.key.name"
BOT: Final = "policykit.bot"
STREAM: Final = "policykit.stream.name"
STATE_BACKEND: Final = "policykit.state.backend"
STATE_AGE: Final = "policykit.state.age"
JOURNAL_SEQ: Final = "policykit.journal.seq"
ERROR_TYPE: Final = "error.type"
ORDER_STATE: Final = "policykit.order.state"
CLIENT_ID: Final = "trading.order.client_id"
ORIGINAL_CLIENT_ID: Final = "trading.order.original_client_id"
ORDER_ID: Final = "trading.order.id"
SYMBOL: Final = "trading.order.symbol"
SIDE: Final = "trading.order.side"
TYPE: Final = "trading.order.type"
TIME_IN_FORCE: Final = "trading.order.time_in_force"
QUANTITY: Final = "trading.order.quantity"
PRICE: Final = "trading.order.price"
STOP_PRICE: Final = "trading.order.stop_price"
FILLED: Final = "trading.order.filled_quantity"
NOTIONAL: Final = "trading.order.notional"
QUOTE_CURRENCY: Final = "trading.order.quote_currency"
REDUCE_ONLY: Final = "trading.order.reduce_only"
STATUS: Final = "trading.order.status"
REJECT_REASON: Final = "trading.order.reject_reason"
#: Dimensions that only metrics and log events have.
SCOPE_NAME: Final = "policykit.kill_switch.scope"
STATE: Final = "policykit.kill_switch.state"
BY: Final = "policykit.kill_switch.by"
WHY: Final = "policykit.kill_switch.why"
DEAD_MAN: Final = "policykit.dead_man.state"
POLICY_FILE: Final = "policykit.policy.file"
FINDINGS: Final = "policykit.policy.findings"
BUDGET: Final = "policykit.rate_budget.name"
SEVERITY: Final = "policykit.lint.severity"
RULE: Final = "policykit.lint.rule"
DRILL: Final = "policykit.drill"
STAGE_BEFORE: Final = "policykit.stage.before"
ENVIRONMENT: Final = "policykit.environment"
SOURCE: Final = "policykit.exporter.source"
DRIFT_KIND: Final = "policykit.reconcile.kind"
DRIFT_KEY: Final = "policykit.reconcile.key"
DRIFT_QUANTITY: Final = "policykit.reconcile.quantity"

ATTRIBUTES: Final = (
    Attribute(
        DECISION_ID,
        "string",
        "all",
        "128 bits in ULID's alphabet; the bits of the client order id too, unless the caller gave one",
    ),
    Attribute(
        OUTCOME, "string", "decide", "allow or deny; with enforcement mode shadow a deny did not act", metric=True
    ),
    Attribute(
        REASON_CODE,
        "string",
        "decide, when denied",
        "the deciding reason, CATEGORY_CONDITION, from a closed set",
        metric=True,
    ),
    Attribute(REASON_MESSAGE, "string", "decide, when denied", "the deciding reason for a person; no secrets"),
    Attribute(CHECK_ID, "string", "decide, when denied", "the deciding check, risk.max_order_notional", metric=True),
    Attribute(FAILED_CHECKS, "string[]", "decide, when denied", "every failing check, in the order of the checks"),
    Attribute(CHECK_OBSERVED, "string", "decide, when denied", "what the deciding check saw, 64500.00"),
    Attribute(CHECK_LIMIT, "string", "decide, when denied", "what it allows, 50000"),
    Attribute(CHECK_UNIT, "string", "decide, when denied", "the unit of both, USDT"),
    Attribute(ACTION, "string", "all", "order.create, order.cancel, ...: a closed set", metric=True),
    Attribute(MODE, "string", "all", "enforce or shadow", metric=True),
    Attribute(STAGE, "string", "all", "the stage of the policy that was in force", metric=True),
    Attribute(POLICY_ID, "string", "all", "the policy's name"),
    Attribute(POLICY_VERSION, "string", "all", "sha256: and 12 hex digits of the canonical effective policy"),
    Attribute(EXCHANGE, "string", "all", "ccxt's id of the exchange"),
    Attribute(ACCOUNT, "string", "all", "the account's name in the policy"),
    Attribute(KEY, "string", "all", "the key's name in the policy, never a key"),
    Attribute(BOT, "string", "all", "the bot's name (POLICYKIT_BOT)"),
    Attribute(STREAM, "string", "gauge", "the stream's name, or where it goes; no listen key", metric=True),
    Attribute(STATE_BACKEND, "string", "all", "the store: memory, sqlite, valkey"),
    Attribute(
        STATE_AGE,
        "double",
        "decide",
        "seconds since the facts were read that it was made on; absent when there were none",
    ),
    Attribute(JOURNAL_SEQ, "int", "decide", "the journal row of the same decision"),
    Attribute(
        ERROR_TYPE,
        "string",
        "decide, send",
        "state_unavailable, policy_invalid, check_failed, the code in lower case; outcome_unknown, rejected",
    ),
    Attribute(ORDER_STATE, "string", "send", "the intent's state after the send: acknowledged, rejected, unknown, ..."),
    Attribute(CLIENT_ID, "string", "order", "the client order id as it is on the wire (FIX 11)"),
    Attribute(ORIGINAL_CLIENT_ID, "string", "order", "the client order id that this order replaces (FIX 41)"),
    Attribute(ORDER_ID, "string", "send", "the exchange's order id (FIX 37)"),
    Attribute(SYMBOL, "string", "order", "ccxt's unified symbol (FIX 55)"),
    Attribute(SIDE, "string", "order", "buy or sell (FIX 54)"),
    Attribute(TYPE, "string", "order", "limit, market, ... (FIX 40)"),
    Attribute(TIME_IN_FORCE, "string", "order", "GTC, IOC, ... (FIX 59)"),
    Attribute(QUANTITY, "string", "order", "decimal text (FIX 38)"),
    Attribute(PRICE, "string", "order", "decimal text (FIX 44)"),
    Attribute(STOP_PRICE, "string", "order", "decimal text (FIX 99)"),
    Attribute(FILLED, "string", "send", "cumulative executed quantity, decimal text (FIX 14)"),
    Attribute(
        NOTIONAL, "double", "order", "for queries, in trading.order.quote_currency; the exact figure is in the journal"
    ),
    Attribute(QUOTE_CURRENCY, "string", "order", "the currency of trading.order.notional"),
    Attribute(REDUCE_ONLY, "bool", "order", "the bot's own flag, set only when true"),
    Attribute(
        STATUS, "string", "send", "FIX 39 as a word: new, partially_filled, filled, canceled, rejected; or unknown"
    ),
    Attribute(
        REJECT_REASON,
        "string",
        "send",
        "why the exchange rejected it (FIX 103), or why the outcome is unknown; no secrets",
    ),
    Attribute(
        SCOPE_NAME, "string", "metric, log event", "all, exchange:X, account:X/NAME, bot:X, symbol:X", metric=True
    ),
    Attribute(STATE, "string", "log event", "ACTIVE, REDUCING or HALTED"),
    Attribute(BY, "string", "log event", "who changed it"),
    Attribute(WHY, "string", "log event", "why, in their words; no secrets"),
    Attribute(DEAD_MAN, "string", "log event", "armed, disarmed, failed, fired or cancels_exits"),
    Attribute(POLICY_FILE, "string", "log event", "the policy's file"),
    Attribute(DRIFT_KIND, "string", "metric, log event", "order, position or balance", metric=True),
    Attribute(DRIFT_KEY, "string", "log event", "the order, symbol or asset that differs"),
    Attribute(DRIFT_QUANTITY, "string", "log event", "by how much, decimal text"),
    Attribute(FINDINGS, "string[]", "log event", "the codes of the findings that keep a policy from loading"),
    Attribute(BUDGET, "string", "gauge", "the rate budget's name in the policy", metric=True),
    Attribute(SEVERITY, "string", "gauge", "of lint's findings: critical, high, medium, low, or unknown", metric=True),
    Attribute(RULE, "string", "gauge", "the rule's code, PK101", metric=True),
    Attribute(
        DRILL, "string", "gauge", "true on what a drill caused; every generated alert leaves it out", metric=True
    ),
    Attribute(STAGE_BEFORE, "string", "log event", "the stage that was in force before"),
    Attribute(ENVIRONMENT, "string", "exporter", "sandbox, where the policy says so; else absent", metric=True),
    Attribute(SOURCE, "string", "exporter", "store or journal", metric=True),
)

# --- metrics ----------------------------------------------------------------------------------------------------------
M_DECISIONS: Final = "policykit.decisions"
M_DURATION: Final = "policykit.decision.duration"
M_WRITE: Final = "policykit.journal.write.duration"
M_PENDING: Final = "policykit.journal.pending"
M_UNKNOWN: Final = "policykit.orders.unknown"
M_KILL: Final = "policykit.kill_switch.engaged"
M_POLICY: Final = "policykit.policy.info"
M_HEARTBEAT: Final = "policykit.guard.heartbeat"
M_SKEW: Final = "policykit.clock.skew"
M_NOT_READ: Final = "policykit.account.not_read"
M_BUDGET_UTILIZATION: Final = "policykit.rate_budget.utilization"
M_BUDGET_USAGE: Final = "policykit.rate_budget.usage"
M_BUDGET_LIMIT: Final = "policykit.rate_budget.limit"
M_LOSS_USAGE: Final = "policykit.risk.loss.usage"
M_LOSS_LIMIT: Final = "policykit.risk.loss.limit"
M_POSITION: Final = "policykit.risk.position.utilization"
M_KEY_AGE: Final = "policykit.key.age"
M_KEY_REMAINING: Final = "policykit.key.rotation.remaining"
M_KEY_WAITING: Final = "policykit.key.rotation.waiting"
M_LINT: Final = "policykit.lint.findings"
M_STREAM_GAP: Final = "policykit.stream.gap"
M_DRIFT: Final = "policykit.reconcile.drift"
M_RECONCILE_AGE: Final = "policykit.reconcile.age"
M_SHADOW: Final = "policykit.shadow.differences"
M_DROPPED: Final = "policykit.telemetry.dropped"
M_FAILURES: Final = "policykit.telemetry.failures"
M_MESSAGES_LOST: Final = "policykit.notify.lost"

#: Of `policykit exporter` only.
M_UP: Final = "policykit.exporter.up"
M_STALE: Final = "policykit.exporter.age"
M_BEHIND: Final = "policykit.exporter.behind"
M_UNREAD: Final = "policykit.exporter.unread"
M_TO_SENT: Final = "policykit.order.send.delay"
M_TO_ANSWER: Final = "policykit.order.answer.delay"

#: Which account it is of.
_WHERE: Final = (EXCHANGE, ACCOUNT, ENVIRONMENT)
_BUDGET: Final = (*_WHERE, POLICY_ID, BUDGET)
_LOSS: Final = (*_WHERE, POLICY_ID, CHECK_ID, CHECK_UNIT)

METRICS: Final = (
    Metric(
        M_DECISIONS,
        "counter",
        "{decision}",
        (OUTCOME, REASON_CODE, CHECK_ID, ACTION, MODE, STAGE, DRILL, ENVIRONMENT),
        "decisions made",
    ),
    Metric(M_DURATION, "histogram", "s", (OUTCOME, ACTION), "from the call to the decision, the store included"),
    Metric(M_WRITE, "histogram", "s", (), "a journal row's write, the sync included"),
    Metric(
        M_PENDING,
        "gauge",
        "{row}",
        (*_WHERE, BOT),
        "rows that are not in the journal yet: written beside a store that was down, or waiting for another thread's",
    ),
    Metric(M_UNKNOWN, "gauge", "{order}", _WHERE, "orders whose outcome nobody knows"),
    Metric(M_KILL, "gauge", "{halt}", (SCOPE_NAME, DRILL), "1 while the scope is halted or reducing, else 0"),
    Metric(M_POLICY, "gauge", "{policy}", (POLICY_ID, POLICY_VERSION, STAGE, MODE), "1 for each policy in force"),
    Metric(M_HEARTBEAT, "gauge", "s", (*_WHERE, BOT), "when the guard's loop last ran, UTC seconds since 1970"),
    Metric(
        M_NOT_READ,
        "gauge",
        "{account}",
        _WHERE,
        "1 while the account of a live guard is not read, or its equity not known: no increase is decided; else 0",
    ),
    Metric(M_SKEW, "gauge", "s", _WHERE, "the clock of the account's poller minus the exchange's"),
    Metric(
        M_BUDGET_UTILIZATION,
        "gauge",
        "{share}",
        _BUDGET,
        "the part of a rate budget that is used, of what entries may use; over 1 while exits use their reserve",
    ),
    Metric(M_BUDGET_USAGE, "gauge", "{weight}", _BUDGET, "what is used of a rate budget in its window"),
    Metric(M_BUDGET_LIMIT, "gauge", "{weight}", _BUDGET, "what entries may use of it"),
    Metric(
        M_LOSS_USAGE,
        "gauge",
        "{currency}",
        _LOSS,
        "what was lost, as the check counts it, in `policykit.check.unit`; below 0: won",
    ),
    Metric(M_LOSS_LIMIT, "gauge", "{currency}", _LOSS, "the limit that it is held against"),
    Metric(
        M_POSITION,
        "gauge",
        "{share}",
        (*_WHERE, POLICY_ID, CHECK_ID),
        "the used part of a limit on positions or exposure: of the position with the least room",
    ),
    Metric(M_KEY_AGE, "gauge", "s", (*_WHERE, KEY), "since a key was made; absent where it is not known"),
    Metric(
        M_KEY_REMAINING,
        "gauge",
        "s",
        (*_WHERE, KEY),
        "until a key is to be rotated, below 0 when that is overdue; absent where its age is not known",
    ),
    Metric(
        M_KEY_WAITING,
        "gauge",
        "{guard}",
        (*_WHERE, KEY),
        "live guards that sign with the old key yet; absent while no rotation is under way",
    ),
    Metric(
        M_LINT, "gauge", "{finding}", (POLICY_ID, SEVERITY, RULE), "findings of the last `lint --live` with this store"
    ),
    Metric(M_DRIFT, "gauge", "{mismatch}", (*_WHERE, DRIFT_KIND), "differences that nothing explains"),
    Metric(M_RECONCILE_AGE, "gauge", "s", _WHERE, "since the account was last compared"),
    Metric(
        M_STREAM_GAP,
        "gauge",
        "s",
        (EXCHANGE, ACCOUNT, BOT, STREAM),
        "how long a stream has said nothing; 0 while one that may be silent is connected",
    ),
    Metric(
        M_SHADOW, "gauge", "{decision}", (POLICY_ID, POLICY_VERSION), "orders that a candidate would decide otherwise"
    ),
    Metric(
        M_DROPPED,
        "counter",
        "{item}",
        (),
        "spans and log events dropped: a queue was full, or the collector of POLICYKIT_OTLP did not take them",
    ),
    Metric(M_FAILURES, "counter", "{item}", (), "spans and log events lost to an error in telemetry"),
    Metric(M_MESSAGES_LOST, "counter", "{message}", (), "messages to people that nobody got"),
)
#: What `policykit exporter` tells beside the gauges of METRICS and policykit.decisions; a guard does not.
EXPORTED: Final = (
    Metric(M_UP, "gauge", "{source}", (SOURCE,), "1 while the exporter can read the source, else 0"),
    Metric(M_STALE, "gauge", "s", (SOURCE,), "since the source was last read; absent before it first was"),
    Metric(M_BEHIND, "gauge", "{row}", (), "journal rows that are not counted yet"),
    Metric(M_UNREAD, "gauge", "{row}", (), "journal rows that are not counted: not understood, or pruned before"),
    Metric(M_TO_SENT, "histogram", "s", (), "from an order's decision to its signing, to 1/32, from the journal"),
    Metric(M_TO_ANSWER, "histogram", "s", (), "from an order's signing to the exchange's answer, to 1/32"),
)
#: Upper bounds of the buckets of the delays of orders, seconds: 1 ms to 1 min.
DELAY_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
#: Upper bounds of the buckets of policykit.decision.duration, seconds: 1 us to 1 s.
DURATION_BUCKETS: Final = (
    1e-6,
    2e-6,
    5e-6,
    1e-5,
    2e-5,
    5e-5,
    1e-4,
    2e-4,
    5e-4,
    1e-3,
    2e-3,
    5e-3,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
)

# --- log events -------------------------------------------------------------------------------------------------------
E_DENIED: Final = "policykit.order.denied"
E_UNKNOWN: Final = "policykit.order.unknown"
E_KILL: Final = "policykit.kill_switch.changed"
E_DRIFT: Final = "policykit.reconcile.drift_detected"
E_LOADED: Final = "policykit.policy.loaded"
E_REJECTED: Final = "policykit.policy.rejected"
E_STAGE: Final = "policykit.stage.changed"
E_DEAD_MAN: Final = "policykit.dead_man.changed"

EVENTS: Final = (
    Named(E_DENIED, "A decision denied; warning. Once per decision, with the attributes of its span."),
    Named(E_UNKNOWN, "An order was sent and nobody knows whether it executed; error."),
    Named(E_KILL, "A halt was set or lifted; warning."),
    Named(E_DRIFT, "The account differs from what it should have, and nothing explains it; warning. Once each."),
    Named(E_LOADED, "A guard has loaded a policy; info."),
    Named(E_STAGE, "A running guard is at another stage, for its policy was changed; warning."),
    Named(E_REJECTED, "A policy cannot be loaded; error."),
    Named(E_DEAD_MAN, "A dead man's switch was armed or taken off; error: it failed, or fired."),
)
