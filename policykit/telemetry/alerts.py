"""Prometheus rules of a policy: the same causes that people are told of by message, seen from outside.

Every threshold is the policy's, every metric and label comes from names.py, so an alert can neither disagree with the
policy nor ask for what is not sent. The text is the same for the same policy, byte by byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from policykit.policy import EffectivePolicy
from policykit.telemetry import names
from policykit.telemetry.causes import LOSS_SHARE, MISSED, SILENT_S, Severity
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

#: Where each alert says what it means, if the policy has no runbook of its own; anchors are the alerts' names.
PAGE: Final = "docs/alerts.md"
#: A rate budget is told from this part of what entries may use on.
BUDGET_SHARE: Final = 0.9
#: Denials are a spike when they are so many in five minutes, and so much of all decisions.
SPIKE_COUNT: Final = 10
SPIKE_SHARE: Final = 0.5
#: Journal rows that may be uncounted for five minutes.
MAX_BEHIND: Final = 1_000
#: How far ahead a loss is drawn out, seconds: at its pace of the last half hour.
BURN_S: Final = 3600
#: Reasons of denials that no order is the cause of: nothing can be decided until they are gone.
FAILURES: Final = (
    "ACCOUNT_MODE",
    "ACCOUNT_UNREADABLE",
    "CHECK_ERROR",
    "CHECK_MISSING",
    "DAY_BASE_MISSING",
    "DEAD_MAN_UNARMED",
    "EQUITY_UNEXPLAINED",
    "FACTS_MISSING",
    "FACTS_STALE",
    "HALT_PENDING",
    "KILL_FILE_UNREAD",
    "POLICY_UNAPPROVED",
    "STAGE_UNPROVEN",
    "STORE_DAMAGED",
    "STORE_DOWN",
    "STORE_EPHEMERAL",
    "STORE_FULL",
    "STORE_LOCKED",
    "STORE_READ_ONLY",
    "STORE_RESET",
)
_METRICS: Final = {metric.name: metric for metric in (*names.METRICS, *names.EXPORTED)}
_SIGNS: Final = {"": "=", "~": "=~", "!": "!=", "!~": "!~"}


class Alert(NamedTuple):
    """One alerting rule. `means` is its annotation; what to do stands under its name in the runbook."""

    name: str
    severity: Severity
    for_s: int
    expr: str
    summary: str
    means: str


def alerts(policy: EffectivePolicy) -> list[Alert]:
    """Return the alerts of a policy that a guard can run."""
    return [
        *_trading(policy),
        *_account(policy),
        *_losses(policy),
        *_keys(policy),
        *_decisions(policy),
        *_telemetry(policy),
    ]


def rules(policy: EffectivePolicy) -> str:
    """Return the alerts as a rule file for Prometheus. Raise ValueError for a profile, which no guard runs."""
    if policy.profile:
        raise ValueError(f"{policy.file}: it is a profile, which no guard runs; a policy with an exchange is needed")
    lines = [
        f"# From policy {policy.name} {policy.version} by policykit export prometheus-rules: change that instead.",
        "groups:",
        f"  - name: {json.dumps(f'policykit {policy.account_key} {policy.name}')}",
        "    rules:",
    ]
    said = policy.model.incident.runbook if policy.model.incident is not None else None
    runbook = _literal(said or PAGE)
    for alert in alerts(policy):
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(alert.expr)}",
            *([f"        for: {alert.for_s}s"] if alert.for_s else []),
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary, ensure_ascii=False)}",
            f"          description: {json.dumps(alert.means, ensure_ascii=False)}",
            f"          runbook_url: {json.dumps(f'{runbook}#{alert.name.lower()}', ensure_ascii=False)}",
        ]
    return "\n".join(lines) + "\n"


def series(metric: str, labels: Mapping[str, str] | None = None) -> str:
    """Return a selector: `series(names.M_KILL, {names.SCOPE_NAME: "all"})`; a value may start with `~`, `!` or `!~`.

    Drills are left out. Raise ValueError for a label that the metric has not.
    """
    parts = []
    for attribute, value in (labels or {}).items():
        if attribute not in _METRICS[metric].attributes:
            raise ValueError(f"{metric} has no {attribute}")
        word = value.lstrip("!~")
        sign = _SIGNS[value[: len(value) - len(word)]]
        parts.append(f"{prometheus_label(attribute)}{sign}{json.dumps(word, ensure_ascii=False)}")
    parts.append(f'{prometheus_label(names.DRILL)}!="true"')
    return f"{prometheus_name(_METRICS[metric])}{{{','.join(parts)}}}"


def _label(attribute: str) -> str:
    """Return a template that shows a label of what fired."""
    return f"{{{{ $labels.{prometheus_label(attribute)} }}}}"


def _literal(text: str) -> str:
    """Keep a word of the policy from being taken for a template."""
    return text.replace("{{", "{ {").replace(" ", "%20")


def _seconds(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")


def _where(policy: EffectivePolicy) -> dict[str, str]:
    environment = "sandbox" if policy.model.environment == "sandbox" else "!sandbox"  # one may have the other's names
    named = {names.EXCHANGE: policy.model.exchange, names.ACCOUNT: policy.model.account.name}
    return named | {names.ENVIRONMENT: environment}


def _trading(policy: EffectivePolicy) -> Iterator[Alert]:
    own = f"~all|exchange:{policy.model.exchange}|account:{policy.account_key}|bot:.+|symbol:.+"
    yield Alert(
        "PolicykitHalted",
        "critical",
        0,
        f"{series(names.M_KILL, {names.SCOPE_NAME: own})} > 0",
        f"trading is stopped for {_label(names.SCOPE_NAME)}",
        "A person or a limit of the policy stopped it. Exits pass; what increases is denied. See policykit status.",
    )
    yield Alert(
        "PolicykitGuardSilent",
        "critical",
        0,
        f"time() - {series(names.M_HEARTBEAT, _where(policy))} > {SILENT_S}",
        f"guard of bot {_label(names.BOT)} is silent",
        "Its loop was not heard for {{ $value | humanizeDuration }}, and it did not say that it ends: the process died,"
        " hangs, or its host is gone. Its open orders stay where they are.",
    )


def _account(policy: EffectivePolicy) -> Iterator[Alert]:
    where, account = _where(policy), policy.account_key
    yield Alert(
        "PolicykitUnknownOrder",
        "critical",
        30,
        f"{series(names.M_UNKNOWN, where)} > 0",
        f"{{{{ $value }}}} orders of {account} have an unknown outcome",
        "They were sent and nobody knows whether they executed; increases on their side wait. See policykit orders"
        " --unknown.",
    )
    yield Alert(
        "PolicykitDrift",
        "critical",
        0,
        f"{series(names.M_DRIFT, where)} > 0",
        f"{account} has {_label(names.DRIFT_KIND)} differences that nothing explains",
        "Something was done that did not go through policykit: by hand, by another tool, or by a thief. See policykit"
        " reconcile.",
    )
    yield Alert(
        "PolicykitAccountNotRead",
        "critical",
        60,
        f"{series(names.M_NOT_READ, where)} > 0",
        f"{account} is not read: no increase is decided",
        "A guard lives, and the exchange does not tell it what the account has: it does not answer, refuses the key, or"
        " nothing explains the equity. Exits and cancels pass. See policykit status.",
    )
    section = policy.model.reconciliation
    if section is not None:
        spans = [60_000 if span is None else span.ms for span in (section.orders_every, section.positions_every)]
        limit = MISSED * max(spans) / 1000
        yield Alert(
            "PolicykitReconcileStale",
            "warning",
            60,
            f"{series(names.M_RECONCILE_AGE, where)} > {_seconds(limit)}",
            f"{account} was last compared {{{{ $value | humanizeDuration }}}} ago",
            f"Intended and actual orders and positions are to be compared every {_seconds(max(spans) / 1000)} s.",
        )
    bound = policy.model.clock.max_skew if policy.model.clock is not None else None
    if bound is not None:
        yield Alert(
            "PolicykitClockSkew",
            "warning",
            60,
            f"abs({series(names.M_SKEW, where)}) > {_seconds(bound.ms / 1000)}",
            f"the clock is {{{{ $value }}}} s off for {account}",
            f"The policy allows {bound}: beyond it every increase is denied. Look at the host's time service.",
        )
    if policy.model.rate_budgets:
        yield Alert(
            "PolicykitBudgetHigh",
            "warning",
            120,
            f"{series(names.M_BUDGET_UTILIZATION, {**where, names.POLICY_ID: policy.name})} > {BUDGET_SHARE}",
            f"rate budget {_label(names.BUDGET)} of {account} is {{{{ $value | humanizePercentage }}}} used",
            "At 100 % of what entries may use they are denied, and only exits have what is kept for them.",
        )


def _losses(policy: EffectivePolicy) -> Iterator[Alert]:
    risk = policy.model.risk
    if risk is None or not (risk.daily_loss or risk.weekly_loss or risk.max_drawdown):
        return
    own = _where(policy) | {names.POLICY_ID: policy.name}
    usage, limit = series(names.M_LOSS_USAGE, own), series(names.M_LOSS_LIMIT, own)
    share = f"({usage} / ({limit} > 0))"
    what = f"{_label(names.CHECK_ID)} of {policy.account_key}"
    yield Alert(
        "PolicykitLossHigh",
        "warning",
        0,
        f"{share} >= {LOSS_SHARE}",
        f"{what}: {{{{ $value | humanizePercentage }}}} of the limit is lost",
        "At the limit the policy acts by itself (on_breach). Decide now whether to go on.",
    )
    usage_30m = usage + "[30m]"
    yield Alert(
        "PolicykitLossBurning",
        "critical",
        60,
        f"({share} >= {LOSS_SHARE}) and (predict_linear({usage_30m}, {BURN_S}) >= {limit})",
        f"{what}: {{{{ $value | humanizePercentage }}}} of the limit is lost, the rest within an hour at this pace",
        "Drawn out from the last half hour. policykit kill stops entries; exits pass.",
    )
    yield Alert(
        "PolicykitLossReached",
        "critical",
        0,
        f"{share} >= 1",
        f"{what}: the limit is reached",
        "The policy acts as its on_breach says; a named person resumes.",
    )


def _keys(policy: EffectivePolicy) -> Iterator[Alert]:
    due = []
    for name, key in sorted((policy.model.keys or {}).items()):
        if key.rotation is not None and key.rotation.every is not None:
            warn = key.rotation.warn_before.ms / 1000 if key.rotation.warn_before is not None else 0
            due.append((series(names.M_KEY_REMAINING, _where(policy) | {names.KEY: name}), warn))
    if not due:
        return
    yield Alert(
        "PolicykitKeyDue",
        "warning",
        0,
        " or ".join(f"({left} <= {_seconds(warn)})" for left, warn in due),
        f"key {_label(names.KEY)} is to be replaced within {{{{ $value | humanizeDuration }}}}",
        f"policykit keys plan {_label(names.KEY)} leads through making its successor.",
    )
    yield Alert(
        "PolicykitKeyExpired",
        "critical",
        0,
        " or ".join(f"({left} <= 0)" for left, _ in due),
        f"key {_label(names.KEY)} is older than the policy lets it be",
        f"It is overdue by {{{{ $value | humanizeDuration }}}}. policykit keys plan {_label(names.KEY)}.",
    )


def _decisions(policy: EffectivePolicy) -> Iterator[Alert]:
    """Yield what is counted over all policies of a process: the same in every file, so Alertmanager tells it once."""
    real = {names.ENVIRONMENT: "!sandbox"} if policy.model.environment == "live" else {}
    enforced, deny = {names.MODE: "enforce"} | real, {names.OUTCOME: "deny"}
    denied = f"increase({series(names.M_DECISIONS, deny | enforced)}[5m])"
    made = f"increase({series(names.M_DECISIONS, enforced)}[5m])"
    failed = series(names.M_DECISIONS, deny | real | {names.REASON_CODE: "~" + "|".join(FAILURES)})
    yield Alert(
        "PolicykitDenialSpike",
        "warning",
        0,
        f"(sum({denied}) > {SPIKE_COUNT}) and (sum({denied}) / sum({made}) > {SPIKE_SHARE})",
        "{{ $value | humanize }} denials in five minutes, more than half of all decisions",
        "A bot asks again and again for what the policy refuses. See policykit journal tail --outcome deny.",
    )
    yield Alert(
        "PolicykitCannotDecide",
        "critical",
        60,
        f"sum by ({prometheus_label(names.REASON_CODE)}) (increase({failed}[5m])) > 0",
        f"increases are denied: {_label(names.REASON_CODE)}",
        "No order is the cause: facts, store, key or account are not as they must be. See policykit doctor.",
    )


def _telemetry(policy: EffectivePolicy) -> Iterator[Alert]:
    yield Alert(
        "PolicykitTelemetryAbsent",
        "critical",
        300,
        f"absent({prometheus_name(_METRICS[names.M_KILL])})",
        "no metric of policykit arrives",
        "Neither a guard nor policykit exporter is heard by Prometheus: every other alert is blind.",
    )
    yield Alert(
        "PolicykitExporterBlind",
        "critical",
        60,
        f"{series(names.M_UP)} == 0",
        f"policykit exporter cannot read its {_label(names.SOURCE)}",
        "What it serves is old: /healthz says why. Where the store cannot be read, guards deny increases.",
    )
    yield Alert(
        "PolicykitJournalBacklog",
        "warning",
        300,
        f"({series(names.M_BEHIND)} > {MAX_BEHIND}) or ({series(names.M_PENDING, _where(policy))} > 0)",
        "{{ $value | humanize }} rows wait to be in the journal, or to be counted",
        "Rows that wait were written beside it while the store was down; rows that are not counted are told late.",
    )
    other = series(names.M_POLICY, {names.POLICY_ID: policy.name, names.POLICY_VERSION: f"!{policy.version}"})
    yield Alert(
        "PolicykitRulesOutdated",
        "warning",
        900,
        f"{other} > 0",
        f"policy {policy.name} is in force as {_label(names.POLICY_VERSION)}; these alerts are of {policy.version}",
        "Export the rules again: policykit export prometheus-rules.",
    )
    lost = [f"increase({series(metric)}[15m])" for metric in (names.M_DROPPED, names.M_FAILURES)]
    yield Alert(
        "PolicykitTelemetryDropped",
        "warning",
        0,
        " or ".join(f"({one} > 0)" for one in lost),
        "{{ $value | humanize }} spans or log events were lost in a quarter of an hour",
        "The journal has them all: policykit journal export --otlp sends what is missing.",
    )
    yield Alert(
        "PolicykitMessagesLost",
        "warning",
        0,
        f"increase({series(names.M_MESSAGES_LOST)}[15m]) > 0",
        "{{ $value | humanize }} messages to people were not taken",
        "Try it: policykit notify test POLICY.",
    )
