"""policies/: each lints clean and compiles; its faulty twin has exactly the findings that its comments name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policykit.engine.compile import compile_policy
from policykit.lint import Call, Options, lint
from policykit.policy import load
from policykit.rules.base import iso_ms
from policykit.traits import load as load_traits
from tests.policies import harness

NAMES = harness.names(harness.GOOD)
STAGES = ("sandbox", "paper", "micro-live", "small-live", "full-live")


def test_every_policy_has_a_faulty_twin() -> None:
    """A policy without a twin, and a twin without a policy, are named."""
    assert harness.names(harness.FAULTY) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_policy_lints_clean(name: str, tmp_path: Path) -> None:
    """Nothing is open in a policy of ours; a profile is looked at inside of one that extends it."""
    file = harness.GOOD / name
    shown = harness.open_findings(harness.carried(name, file, tmp_path) if harness.is_profile(name) else file)
    assert [(f.primary.line, f.rule, f.message) for f in shown] == []


@pytest.mark.parametrize("name", NAMES)
def test_twin_has_exactly_its_findings(name: str, tmp_path: Path) -> None:
    """Each line that is wrong is found by the rules that its comment names, and nothing else is."""
    twin = harness.FAULTY / name
    expected = harness.expected(twin)
    assert len(expected) >= 5
    file = harness.carried(name, twin, tmp_path) if harness.is_profile(name) else twin
    assert harness.found(harness.open_findings(file), twin) == expected


def test_all_of_them_together_lint_clean() -> None:
    """The folder as a whole is clean too: no two policies contradict each other."""
    now_ms = iso_ms(harness.NOW)
    assert now_ms is not None
    ended = lint(Call((str(harness.GOOD),)), Options(now_ms))
    assert (ended.code, ended.problems) == (0, ())
    opened = [f for f in ended.report.findings if f.status == "open"]
    assert [f.message for f in opened if f.rule != harness.OF_THIS_VERSION] == []


@pytest.mark.parametrize("name", [n for n in NAMES if not harness.is_profile(n)])
def test_policy_compiles(name: str) -> None:
    """The engine takes every policy that names an exchange."""
    effective = load(harness.GOOD / name)
    engine = compile_policy(effective, load_traits(effective.model.exchange))
    assert "risk.max_order_notional" in {check.id for check in engine.checks}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_file_is_of_its_stage(stage: str) -> None:
    """Each stage has one file, which says that stage and what is needed to leave it."""
    model = load(harness.GOOD / "stages" / f"{stage}.yaml").model
    assert model.stage is not None
    assert model.stage.current == stage
    assert model.stage.next_needs is not None
    assert model.stage.next_needs.approver == "risk"


def test_stage_takes_a_target_policy_down(tmp_path: Path) -> None:
    """A policy that extends its target and a stage has the stage's figures where they are stricter."""
    names = [
        harness.relative(harness.GOOD / n, tmp_path) for n in ("binance-market-maker.yaml", "stages/micro-live.yaml")
    ]
    file = tmp_path / "micro.yaml"
    file.write_text(f"policykit: 1\nname: micro\nextends: [{', '.join(names)}]\n")
    model = load(file).model
    assert model.stage is not None
    assert model.risk is not None
    assert model.risk.daily_loss is not None
    assert model.stage.current == "micro-live"
    assert [str(bound) for bound in model.risk.daily_loss.limit] == ["0.5% of equity"]
    assert [str(bound) for bound in model.risk.max_order_notional or ()] == ["0.1% of equity"]
    assert model.risk.max_open_orders == 5


def test_figures_come_with_source_and_date() -> None:
    """Each example of one exchange says where its facts come from and when they were read."""
    for name in NAMES:
        text = (harness.GOOD / name).read_text()
        if "rate_budgets:" in text and name != "binance-market-maker.yaml":
            assert re.search(r"(docs?\.|docs-v5|developers\.|github\.com/).*", text), name
            assert re.search(r"read\s+(# )?November 2026", text), name
