"""Rules of other packages: an installed package with an entry point adds rules that have every right of ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policykit.rules import catalogue, codes, find
from policykit.rules.plugins import PluginError, plugins
from tests.lint.conftest import NOW, Said, policy, run

__all__ = ["policy", "run"]

RULE = '''"""A policy has no ticket.

## What it finds
A policy whose name has no ticket's number.

## Why
Acme's auditors ask.
"""
from policykit.rules import Rule

RULE = Rule("ACME001", "ticket", "high", ("G12",), "auditors ask", ("policy",))

def check(inputs):
    if not any(c.isdigit() for c in inputs.model.name):
        yield RULE.finding(inputs.place("name"), "the name has no ticket")
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return `install(name=source, ...)`: a package with an entry point for each module, as pip leaves one."""
    site = tmp_path / "site-packages"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)

    def write(**modules: str) -> None:
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        points = "".join(f"{name} = {name}\n" for name in modules)
        (info / "entry_points.txt").write_text(f"[policykit.rules]\n{points}")
        monkeypatch.syspath_prepend(str(site))
        catalogue.cache_clear()
        plugins.cache_clear()

    yield write
    for name in [n for n in sys.modules if n.startswith("acme")]:
        del sys.modules[name]
    catalogue.cache_clear()
    plugins.cache_clear()


def test_rule_of_another_package_is_one_of_ours(install: Install, run: Callable[..., Said], policy: Path) -> None:
    """It finds, it is selected, ignored, waived, explained and listed; its waiver loads."""
    install(acme_ticket=RULE)
    assert (find("ticket"), "ACME001" in codes()) == (find("acme001"), True)
    said = run("lint", policy, "--select", "ACME", "--format", "concise", "--now", NOW)
    assert said == Said(1, "mm.yaml:2:7: high[ACME001 ticket] the name has no ticket\n", "")
    assert run("lint", policy, "--ignore", "ACME001", "--select", "ACME", "--format", "concise", "--now", NOW).out == ""
    waiver = "waivers:\n  - {rule: ACME001, at: name, owner: a, ticket: T-1, reason: agreed, expires: 2026-12-01}\n"
    policy.write_text(policy.read_text() + waiver)
    report = json.loads(run("lint", policy, "--select", "ACME,PK7", "--format", "json", "--now", NOW).out)
    assert [f["status"] for f in report["findings"] if f["rule"] == "ACME001"] == ["waived"]
    assert "ACME001 ticket (high, can be waived; reads policy; G12)" in run("explain", "ACME001").out
    assert "ACME  rules of other packages\n  ACME001  ticket" in run("rules").out


def test_rule_of_another_package_that_no_waiver_touches(
    install: Install, run: Callable[..., Said], policy: Path
) -> None:
    """What a package's rule finds is as un-waivable as what ours find: no waiver and no baseline accepts it."""
    install(acme_g=RULE.replace('("policy",))', '("policy",), waivable=False)'))
    waiver = "waivers:\n  - {rule: ACME001, at: name, owner: a, ticket: T-1, reason: agreed, expires: 2026-12-01}\n"
    policy.write_text(policy.read_text() + waiver)
    lint = ("lint", policy, "--select", "ACME", "--format", "concise", "--now", NOW)
    line = "mm.yaml:2:7: high[ACME001 ticket] the name has no ticket\n"
    assert run(*lint) == Said(1, line, "")
    assert run(*lint, "--write-baseline", "b.json")[:2] == (1, line)
    assert run(*lint, "--baseline", "b.json") == Said(1, line, "")


def test_package_whose_files_cannot_be_read_has_no_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read names nothing: a folder in the place of the file hinders no lint."""
    (tmp_path / "odd-1.0.dist-info" / "entry_points.txt").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.cache_clear()
    assert plugins() == ()


def test_without_such_a_package_nothing_of_it_is_there() -> None:
    """Control: the same code is nothing when no package brings it."""
    assert (find("ACME001"), "ACME001" in codes(), plugins()) == (None, False, ())


def test_metadata_are_read_only_where_a_package_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what all packages bring takes longer than lint: without such a package nobody does."""
    monkeypatch.setattr("importlib.metadata.entry_points", None)
    plugins.cache_clear()
    assert plugins() == ()


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"acme_a": "1 / 0"}, "acme_a: cannot be imported (ZeroDivisionError); mend or uninstall it"),
        ({"acme_b": "RULE = 1"}, "acme_b: not a rule; a module with a docstring, RULE and check(inputs) is needed"),
        (
            {"acme_c": RULE.replace("ACME001", "PK101")},
            "acme_c: its code is 'PK101'; letters other than PK and three digits are needed",
        ),
        (
            {"acme_d": RULE, "acme_e": RULE},
            "policykit.rules: two packages have a rule ACME001; each code once; leave one of them out",
        ),
    ],
)
def test_broken_package_is_named_and_nothing_passes(
    install: Install, run: Callable[..., Said], policy: Path, modules: dict[str, str], said: str
) -> None:
    """A module that is no rule ends lint with 2 and one line: a rule that cannot run has not passed."""
    install(**modules)
    with pytest.raises(PluginError) as raised:
        plugins()
    assert str(raised.value) == said
    ended = run("lint", policy, "--now", NOW)
    assert (ended.code, ended.err) == (2, f"policykit: {said}\n")


def test_rule_that_raises_has_not_passed(install: Install, run: Callable[..., Said], policy: Path) -> None:
    """A rule that fails on a policy is a finding there, of its severity: it has not passed, and no other is hidden."""
    install(acme_f=RULE.replace("if not any", "raise KeyError('x')\n    if not any"))
    said = run("lint", policy, "--select", "ACME", "--format", "concise", "--now", NOW)
    line = "mm.yaml:1:1: high[ACME001 ticket] this rule could not be evaluated (KeyError); it has not passed\n"
    assert said == Said(1, line, "")
