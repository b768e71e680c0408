"""`policykit rules` and `policykit explain`: the catalogue in words, and one entry of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from policykit.engine import REASONS
from policykit.engine.checks import all_checks
from policykit.lint.explain import explain, page, rows
from policykit.rules import catalogue
from policykit.source.codes import CODES
from tests.lint.conftest import Said

Run = Callable[..., Said]


def test_rules_lists_every_rule_once(run: Run) -> None:
    """The table and its JSON have every rule of the catalogue and every PK0 code, in order."""
    codes = sorted([*CODES, *(e.rule.code for e in catalogue())])
    said = run("rules", "--format", "json")
    assert [row["code"] for row in json.loads(said.out)["rules"]] == codes
    assert [line.split()[0] for line in run("rules").out.splitlines() if line.startswith("  PK")] == codes


def test_rules_json_row_is_whole(run: Run) -> None:
    """A row of the JSON says all of a rule."""
    listed = json.loads(run("rules", "--format", "json").out)["rules"]
    assert next(row for row in listed if row["code"] == "PK101") == {
        "code": "PK101",
        "name": "withdraw-scope",
        "severity": "critical",
        "reads": ["policy", "live"],
        "waivable": False,
        "guide": ["G04"],
        "summary": "A bot's key can withdraw.",
    }


def test_explain_shows_a_rule_s_docstring(run: Run) -> None:
    """A rule is explained by its own docstring: headings, examples and their findings."""
    said = run("explain", "withdraw-scope")
    assert said == Said(0, explain("PK101") or "", "")
    assert said.out.startswith(
        "PK101 withdraw-scope (critical, cannot be waived; reads policy, live; G04)\n\nA bot's key can withdraw.\n\n"
        "What it finds\n"
    )
    assert (
        "Bad\n\n    keys:\n      mm-exec:\n        purpose: execution\n        scopes: [read, trade.spot, withdraw]\n"
        "  finds:\n"
        "    open certain policy.yaml:4:32 key `mm-exec` asks for withdraw; a bot's key never has it\n" in said.out
    )


@pytest.mark.parametrize("code", [r.code for r in rows()] + sorted(REASONS) + [c.id for c in all_checks()])
def test_everything_with_a_code_can_be_explained(code: str) -> None:
    """Every rule, PK0 code, reason and check has an explanation that begins with it and is no stub."""
    text = explain(code)
    assert text is not None
    assert text.startswith(code)
    assert len(text) > len(code) + 60
    assert "```" not in text


def test_a_requirement_is_explained_by_what_looks_at_it(run: Run) -> None:
    """What messages cite as G09 can be looked up: its title, what the guide is, and each rule and check by column."""
    assert run("explain", "g05") == Said(
        0,
        "G05 no internal transfer (a requirement of the guide)\n\n"
        'The guide is "API trading safety" (BloFin Academy, April 2026), restated as requirements G01 to G47.\n\n'
        "rules on the policy alone\n"
        "  PK102 transfer-scope: A bot's key can move money between accounts.\n"
        "  PK103 transfer-bundled: A bot's key can move money between accounts because its exchange bundles that "
        "with trade.\n\n"
        "rules on live state (--live, --state) or a record (--record)\n"
        "  PK102 transfer-scope: A bot's key can move money between accounts.\n"
        "  PK103 transfer-bundled: A bot's key can move money between accounts because its exchange bundles that "
        "with trade.\n"
        "  PK123 forbidden-scope: A key has at the exchange what an invariant forbids.\n\n"
        "what holds it while a bot trades\n"
        "  gate: transfer calls are refused\n\n"
        "rules on a bot's source and settings\n"
        "  PK910 transfer-call: A bot calls a method that transfers between accounts.\n",
        "",
    )
    assert (explain("G45") or "").endswith("\ncommands\n  incident\n")


def test_a_field_is_explained_by_its_path_or_its_last_word(run: Run) -> None:
    """A field of the language is looked up by its name; one that is a check as well is both."""
    assert run("explain", "egress").out == (
        "account.egress (a field of a policy)\n\n"
        "The name of the address that requests leave from; address budgets are counted by it.\n\n"
        "Holds: text\nGuide: G25\n"
    )
    assert (explain("address") or "").startswith("keys.NAME.ip_allowlist.N.address (a field of a policy)\n")
    both = explain("risk.max_order_notional") or ""
    assert both.startswith("risk.max_order_notional (a check of the engine)\n")
    assert "\nrisk.max_order_notional (a field of a policy)\n" in both


def test_explain_of_nothing_is_a_wrong_call(run: Run) -> None:
    """Something that is no code ends with 2, one line, and the nearest code."""
    said = run("explain", "order-ca")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == (
        "policykit: order-ca is no rule, requirement, reason, check or field; did you mean order-cap?; "
        "`policykit rules` lists the rules"
    )


def test_page_has_every_rule_and_its_examples() -> None:
    """docs/rules.md holds the whole documentation of each rule (that it is fresh is held by tests/project)."""
    text = page()
    for entry in catalogue():
        assert f"\n## {entry.rule.code} {entry.rule.name}\n" in text
    assert text.count("```") % 2 == 0
    assert "```finding" not in text


def test_static_lint_imports_nothing_heavy(top: object) -> None:
    """A cold lint of a policy loads neither ccxt, the SDK, jsonschema, rich, the exchanges, nor rules on source."""
    code = (
        "import sys\nfrom policykit.cli.__main__ import main\n"
        "assert main(['lint', 'policykit/testing/rules/policy.yaml', '--now', '2026-11-21']) == 0\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=str(top), capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    heavy = ("ccxt", "opentelemetry", "jsonschema", "rich", "asyncio", "requests", "sqlite3")
    ours = ("exchanges", "secrets", "guard", "store", "telemetry", "sim", "engine", "rules.pk901_unprotected_order")
    assert [m for m in (*heavy, *(f"policykit.{name}" for name in ours)) if m in loaded] == []
    assert "policykit.rules.pk603_order_cap" in loaded
