"""For each alert, series on which it fires and series on which it must not; `.ci/verify/alerts.py` asks promtool."""

from __future__ import annotations

import json
from typing import NamedTuple

from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

#: A policy that asks for every alert.
POLICY = """\
policykit: 1
name: mm
exchange: binance
account: {name: main, currency: USDT, max_age: 10s}
keys:
  mm-exec: {purpose: execution, secret: "env://MM", scopes: [read], rotation: {every: 90d, warn_before: 14d}}
  mm-two: {purpose: execution, secret: "env://M2", scopes: [read], rotation: {every: 30d}}
clock: {max_skew: 500ms}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}
risk:
  daily_loss: {limit: 3% of equity, on_breach: reduce_only}
reconciliation: {orders_every: 30s, positions_every: 60s}
incident: {contacts: [desk-head], runbook: "https://wiki.example/run book {{ .x }}"}
"""
_METRICS = {metric.name: metric for metric in (*names.METRICS, *names.EXPORTED)}
WHERE = {names.EXCHANGE: "binance", names.ACCOUNT: "main"}
OURS = {**WHERE, names.POLICY_ID: "mm"}


class Series(NamedTuple):
    """One input series, as promtool writes it."""

    series: str
    values: str


class Case(NamedTuple):
    """When an alert fires, and when it does not; `at` is the moment that is looked at."""

    fires: tuple[Series, ...]
    silent: tuple[tuple[Series, ...], ...]
    at: str = "1h"


def line(metric: str, values: str, labels: dict[str, str]) -> Series:
    """Return one series of a metric; only labels that it has, and the drill's, are let through."""
    assert set(labels) <= {*_METRICS[metric].attributes, names.DRILL}, (metric, labels)
    said = ",".join(f"{prometheus_label(name)}={json.dumps(value)}" for name, value in labels.items())
    return Series(f"{prometheus_name(_METRICS[metric])}{{{said}}}", values)


def gauge(metric: str, labels: dict[str, str], fires: str, *silent: str, at: str = "1h") -> Case:
    """Return a case of one gauge; on another account, and in a drill, it must be silent too."""
    other = {name: ("elsewhere" if name == names.ACCOUNT else value) for name, value in labels.items()}
    quiet = [(line(metric, values, labels),) for values in silent]
    quiet += [(line(metric, fires, labels | {names.DRILL: "true"}),)]
    quiet += [(line(metric, fires, other),)] if other != labels else []
    return Case((line(metric, fires, labels),), tuple(quiet), at)


def loss(usage: str, limit: str = "3000x120", labels: dict[str, str] | None = None) -> tuple[Series, ...]:
    """Return a loss and its limit."""
    of = OURS | {names.CHECK_ID: "risk.daily_loss", names.CHECK_UNIT: "USDT"} | (labels or {})
    return (line(names.M_LOSS_USAGE, usage, of), line(names.M_LOSS_LIMIT, limit, of))


def decided(values: str, **more: str) -> Series:
    """Return decisions: enforced creations at full-live."""
    usual = {"outcome": "allow", "code": "", "mode": "enforce"} | more
    labels = {names.OUTCOME: usual["outcome"], names.ACTION: "order.create", names.MODE: usual["mode"]}
    labels |= {names.REASON_CODE: usual["code"], names.STAGE: "full-live"}
    more_labels = {names.DRILL: usual.get("drill"), names.ENVIRONMENT: usual.get("environment")}
    labels |= {name: value for name, value in more_labels.items() if value}
    return line(names.M_DECISIONS, values, labels)


_DENIED = {"outcome": "deny", "code": "RISK_ORDER_NOTIONAL"}
_DOWN = {"outcome": "deny", "code": "STORE_DOWN"}
_ALL = {names.SCOPE_NAME: "all"}
_KEY = {**WHERE, names.KEY: "mm-exec"}
#: Samples lie 30 s apart: 120 of them are an hour.
CASES: dict[str, Case] = {
    "PolicykitHalted": Case(
        (line(names.M_KILL, "0x60 1x60", {names.SCOPE_NAME: "bot:x"}),),
        (
            (line(names.M_KILL, "1x60 0x60", {names.SCOPE_NAME: "all"}),),
            (line(names.M_KILL, "1x120", {names.SCOPE_NAME: "all", names.DRILL: "true"}),),
            (line(names.M_KILL, "1x120", {names.SCOPE_NAME: "account:binance/other"}),),
            (line(names.M_KILL, "1x120", {names.SCOPE_NAME: "exchange:kraken"}),),
        ),
    ),
    # The clock of promtool starts at 0: a heartbeat of 3530 at 3600 s is 70 s old.
    "PolicykitGuardSilent": gauge(names.M_HEARTBEAT, {**WHERE, names.BOT: "a"}, "3530x120", "3550x120"),
    "PolicykitUnknownOrder": gauge(names.M_UNKNOWN, WHERE, "0x110 1x10", "0x120", "0x119 1"),
    "PolicykitDrift": gauge(names.M_DRIFT, {**WHERE, names.DRIFT_KIND: "position"}, "0x100 2x20", "2x60 0x60"),
    "PolicykitAccountNotRead": gauge(names.M_NOT_READ, WHERE, "0x60 1x60", "0x120", "0x119 1"),
    "PolicykitReconcileStale": gauge(names.M_RECONCILE_AGE, WHERE, "181x120", "180x120", "0x118 181"),
    "PolicykitClockSkew": gauge(names.M_SKEW, WHERE, "-0.6x120", "0.5x120", "-0.5x120"),
    "PolicykitBudgetHigh": gauge(
        names.M_BUDGET_UTILIZATION, {**OURS, names.BUDGET: "request-weight"}, "0.95x120", "0.9x120", "0x117 0.95x3"
    ),
    "PolicykitLossHigh": Case(
        loss("2400x120"),
        (
            loss("2399x120"),
            loss("2400x120", "0x120"),
            loss("-2400x120"),
            loss("2400x120", labels={names.DRILL: "true"}),
        ),
    ),
    "PolicykitLossBurning": Case(
        loss("0+21x120"),  # 2,520 lost after an hour, 2,520 more in the next
        (loss("2500x120"), loss("0+10x120"), loss("3600-10x120")),
    ),
    "PolicykitLossReached": Case(loss("3000x120"), (loss("2999x120"),)),
    "PolicykitKeyDue": gauge(names.M_KEY_REMAINING, _KEY, "1209600x120", "1209601x120"),
    "PolicykitKeyExpired": Case(
        (line(names.M_KEY_REMAINING, "0x120", {**WHERE, names.KEY: "mm-two"}),),
        (
            (line(names.M_KEY_REMAINING, "1x120", _KEY),),
            (line(names.M_KEY_REMAINING, "-1x120", {**_KEY, names.KEY: "z"}),),
        ),
    ),
    "PolicykitDenialSpike": Case(
        (decided("0+2x120", **_DENIED), decided("0+1x120")),
        (
            (decided("0+2x120", **_DENIED), decided("0+3x120")),
            (decided("0+1x100 100x20", **_DENIED), decided("0+0x120")),
            (decided("0+2x120", **_DENIED, mode="shadow"), decided("0+1x120")),
            (decided("0+2x120", **_DENIED, drill="true"), decided("0+1x120")),
            (decided("0+2x120", **_DENIED, environment="sandbox"), decided("0+1x120")),
        ),
    ),
    "PolicykitCannotDecide": Case(
        (decided("0+1x120", **_DOWN), decided("0+1x120")),
        ((decided("0+1x100 100x20", **_DOWN),), (decided("0+1x120", **_DENIED),)),
    ),
    "PolicykitTelemetryAbsent": Case(
        (line(names.M_KILL, "0x80", _ALL),),
        ((line(names.M_KILL, "0x120", _ALL),), (line(names.M_KILL, "0x110", _ALL),)),
    ),
    "PolicykitExporterBlind": gauge(names.M_UP, {names.SOURCE: "store"}, "1x100 0x20", "1x120", "1x118 0x2"),
    "PolicykitJournalBacklog": Case(
        (line(names.M_BEHIND, "1000x120", {}), line(names.M_PENDING, "3x120", {**WHERE, names.BOT: "a"})),
        (
            (line(names.M_BEHIND, "1000x120", {}), line(names.M_PENDING, "0x120", {**WHERE, names.BOT: "a"})),
            (line(names.M_BEHIND, "0x115 5000x5", {}),),
        ),
    ),
    "PolicykitRulesOutdated": Case(
        (line(names.M_POLICY, "1x120", {names.POLICY_ID: "mm", names.POLICY_VERSION: "sha256:000000000000"}),),
        (
            (line(names.M_POLICY, "1x120", {names.POLICY_ID: "mm", names.POLICY_VERSION: "VERSION"}),),
            (line(names.M_POLICY, "1x120", {names.POLICY_ID: "other", names.POLICY_VERSION: "sha256:000000000000"}),),
        ),
    ),
    "PolicykitTelemetryDropped": Case(
        (line(names.M_FAILURES, "0x110 3x10", {}),),
        ((line(names.M_DROPPED, "0x60 3x60", {}), line(names.M_FAILURES, "5x120", {})),),
    ),
    "PolicykitMessagesLost": Case(
        (line(names.M_MESSAGES_LOST, "0x110 3x10", {}),), ((line(names.M_MESSAGES_LOST, "3x120", {}),),)
    ),
}


def promtool_tests(rule_file: str, version: str) -> str:
    """Return the test file for `promtool test rules`; `version` is the policy's."""
    tests = []
    for name, case in CASES.items():
        for count, inputs in ((1, case.fires), *((0, silent) for silent in case.silent)):
            asked = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
            expected = {"expr": asked, "eval_time": case.at, "exp_samples": [{"labels": "{}", "value": count}]}
            series = [{"series": one.series.replace("VERSION", version), "values": one.values} for one in inputs]
            tests.append({"interval": "30s", "input_series": series, "promql_expr_test": [expected]})
    return json.dumps({"rule_files": [rule_file], "evaluation_interval": "30s", "tests": tests}, indent=1)
