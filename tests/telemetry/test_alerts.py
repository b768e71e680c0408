"""The Prometheus rules of a policy, without Prometheus: `.ci/verify/alerts.py` asks the real one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from policykit.cli.export import command
from policykit.engine.reasons import REASONS
from policykit.policy import load
from policykit.telemetry import alerts, names
from policykit.telemetry.prometheus import prometheus_label, prometheus_name
from tests.telemetry.alert_cases import CASES, POLICY, promtool_tests

TOP = Path(__file__).resolve().parents[2]
#: A metric with its labels in an expression.
SELECTOR = re.compile(r"(policykit_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)(?:=~|!=|!~|=)"')


@pytest.fixture
def policy(tmp_path: Path) -> Any:
    """Give a policy that asks for every alert."""
    path = tmp_path / "mm.yaml"
    path.write_text(POLICY)
    return load(path)


def rules_of(text: str) -> list[dict[str, Any]]:
    """Read a rule file as Prometheus does."""
    (group,) = YAML(typ="safe").load(text)["groups"]
    return list(group["rules"])


def metric_labels() -> dict[str, set[str]]:
    """Return the labels of each metric, as Prometheus has them."""
    return {
        prometheus_name(metric): {prometheus_label(name) for name in (*metric.attributes, names.DRILL)}
        for metric in (*names.METRICS, *names.EXPORTED)
    }


@pytest.mark.parametrize(
    "file", sorted(str(p.relative_to(TOP)) for p in TOP.glob("policies/*.yaml") if ".test." not in p.name)
)
def test_every_example_policy_has_rules_of_names_that_are_sent(file: str) -> None:
    """Each expression asks for metrics and labels of names.py alone, and leaves drills out."""
    policy, known = load(TOP / file), metric_labels()
    if policy.profile:
        with pytest.raises(ValueError, match="it is a profile, which no guard runs"):
            alerts.rules(policy)
        return
    found = rules_of(alerts.rules(policy))
    assert len(found) > 10
    for rule in found:
        asked = SELECTOR.findall(re.sub(r"sum by \([^)]*\)", "", rule["expr"]))
        asked = [(name, labels) for name, labels in asked if name in known or labels]
        assert asked, rule
        for name, labels in asked:
            assert set(LABEL.findall(labels)) <= known[name], (rule["alert"], name)
            assert 'policykit_drill!="true"' in labels or rule["expr"].startswith("absent(")
        shown = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))
        assert set(shown) <= set().union(*known.values())


def test_an_alert_names_no_metric_or_label_that_is_not_sent() -> None:
    """A wrong name is an error of the generator, not a rule that never fires."""
    with pytest.raises(KeyError):
        alerts.series("policykit.no.such")
    with pytest.raises(ValueError, match=r"policykit\.kill_switch\.engaged has no policykit\.bot"):
        alerts.series(names.M_KILL, {names.BOT: "x"})
    assert alerts.series(names.M_KILL, {names.SCOPE_NAME: '!a"b'}) == (
        'policykit_kill_switch_engaged{policykit_kill_switch_scope!="a\\"b",policykit_drill!="true"}'
    )


def test_the_reasons_of_failure_are_reasons() -> None:
    """Each code of `FAILURES` is one that a decision can carry."""
    assert set(alerts.FAILURES) <= set(REASONS)


def test_every_alert_is_tested_by_promtool_and_explained(policy: Any) -> None:
    """The alerts of the policy that asks for all are those of the cases and of docs/alerts.md."""
    made = [alert.name for alert in alerts.alerts(policy)]
    assert made == list(CASES)
    page = (TOP / "docs/alerts.md").read_text()
    assert re.findall(r"^### (Policykit\w+)$", page, re.MULTILINE) == made
    assert promtool_tests("r.yaml", policy.version).count('"input_series"') == sum(
        1 + len(c.silent) for c in CASES.values()
    )


def test_thresholds_are_the_policys(policy: Any) -> None:
    """What the policy says is what fires; what it does not say has no alert."""
    by_name = {rule["alert"]: rule for rule in rules_of(alerts.rules(policy))}
    ends = {
        "PolicykitReconcileStale": "} > 180",
        "PolicykitClockSkew": "}) > 0.5",
        "PolicykitKeyExpired": 'policykit_drill!="true"} <= 0)',
    }
    assert {name: by_name[name]["expr"].endswith(end) for name, end in ends.items()} == dict.fromkeys(ends, True)
    assert "} <= 1209600) or (" in by_name["PolicykitKeyDue"]["expr"]
    assert by_name["PolicykitHalted"]["labels"] == {"severity": "critical"}
    assert by_name["PolicykitRulesOutdated"]["for"] == "900s"
    assert by_name["PolicykitDrift"]["annotations"]["runbook_url"] == (
        "https://wiki.example/run%20book%20{%20{%20.x%20}}#policykitdrift"
    )
    bare = POLICY.partition("keys:")[0]
    Path(policy.file).write_text(bare)
    left = {rule["alert"] for rule in rules_of(alerts.rules(load(policy.file)))}
    assert set(by_name) - left == {
        "PolicykitReconcileStale",
        "PolicykitClockSkew",
        "PolicykitBudgetHigh",
        "PolicykitLossHigh",
        "PolicykitLossBurning",
        "PolicykitLossReached",
        "PolicykitKeyDue",
        "PolicykitKeyExpired",
    }


def test_the_command_writes_the_same_text_each_time(policy: Any, tmp_path: Path) -> None:
    """To a file or to the terminal; a profile is a wrong call."""
    shown = CliRunner().invoke(command, ["prometheus-rules", policy.file])
    out = tmp_path / "r.yaml"
    assert CliRunner().invoke(command, ["prometheus-rules", policy.file, "-o", str(out)]).exit_code == 0
    assert shown.output == out.read_text() == alerts.rules(load(policy.file))
    assert shown.output.startswith(f"# From policy mm {policy.version} by policykit export prometheus-rules")
    done = CliRunner().invoke(command, ["prometheus-rules", str(TOP / "policies/baseline.yaml")])
    assert (done.exit_code, "it is a profile" in done.output) == (2, True)
