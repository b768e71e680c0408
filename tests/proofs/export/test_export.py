"""`policykit export cedar|cel`: files that users load; the answers are held to the engine in tests/oracles."""
# ruff: noqa: E501  # tables of exact messages: one row, one line

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cedarpy
import jsonschema
import pytest
from cel_expr_python import cel

from policykit.cli.__main__ import main
from policykit.policy import load_text
from policykit.proofs.export.context import FIELDS, cedar_schema, json_schema
from policykit.proofs.export.table import TABLE
from policykit.proofs.export.write import export, rows
from tests.engine.worlds import NOW, changed

TOP = Path(__file__).resolve().parent.parent.parent.parent
#: A small buy that everything allows.
ASKED: dict[str, Any] = {
    "action": "order.create", "symbol": "BTC/USDT", "base": "BTC", "side": "buy", "type": "limit",
    "quantity": 1_000, "price": 5_900_000, "now": NOW,
    "equity": 10_000_000, "equity_as_of": NOW, "positions_as_of": NOW, "mark": 6_000_000, "mark_as_of": NOW,
    "day_base": 10_000_000, "day_base_as_of": NOW - 36_000_000, "transfers": 0, "skew": 0,
    "recovered": True, "halted": False, "reducing": False, "frozen": False,
    "position": 0, "open_buys": 0, "unknown": 0, "open_orders": 0, "open_orders_here": 0, "other_positions": 0,
    "orders": 0, "orders_here": 0, "messages": 0, "weight": 0, "cost": 1,
}  # fmt: skip


def by_cedar(text: str, asked: dict[str, Any]) -> set[str]:
    """Return the ids of what forbids."""
    request = {"principal": 'Bot::"a"', "action": 'Action::"order"', "resource": 'Account::"b"', "context": asked}
    result = cedarpy.is_authorized(request, text, "[]")
    assert result.diagnostics.errors == []
    return set() if result.allowed else set(result.diagnostics.id_annotations_by_reason.values())


def by_cel(text: str, asked: dict[str, Any]) -> set[str]:
    """Return the names of what denies."""
    environment = cel.NewEnv(variables={"o": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    found = environment.compile(text).eval(data={"o": asked}).plain_value()
    return {name for name, denied in found.items() if denied}


ASK = {"cedar": by_cedar, "cel": by_cel}


def policy(changes: dict[str, Any] | None = None) -> Any:
    """Return the canonical policy with some values replaced."""
    return load_text(json.dumps(changed(changes or {})), "mm.yaml")


@pytest.mark.parametrize("language", ASK)
def test_the_file_is_loaded_and_answers(language: str) -> None:
    """A small order passes; one over the cap is denied by the id that names check and code; so is what is unknown."""
    text, ask = export(policy(), language), ASK[language]
    assert ask(text, ASKED) == set()
    assert ask(text, ASKED | {"quantity": 3_000}) == {"risk.max_order_notional|RISK_ORDER_NOTIONAL"}
    assert ask(text, {name: value for name, value in ASKED.items() if name != "equity_as_of"}) == {
        "account.max_age|FACTS_MISSING"
    }
    assert "order.shape|ORDER_INVALID" in ask(text, {name: value for name, value in ASKED.items() if name != "base"})


@pytest.mark.parametrize("language", ASK)
def test_I12_a_fact_without_its_time_denies(language: str) -> None:
    """Cedar passes over a `forbid` that fails: no condition fails, whatever is left out of what is not needed."""
    text = export(policy({"risk.price_collar": {"max_deviation": "2%"}, "risk.max_drawdown": {"limit": "9%" + " of equity"}}), language)  # fmt: skip
    assert "risk.price_collar|PRICE_STALE" in ASK[language](text, {k: v for k, v in ASKED.items() if k != "mark_as_of"})
    for name in ("equity", "day_base_as_of", "transfers", "skew", "price", "side"):
        if not FIELDS[name].needed:
            ASK[language](text, {key: value for key, value in ASKED.items() if key != name})


def test_cedar_validates_the_file_by_the_schema() -> None:
    """Cedar's own strict validation has nothing against any policy that can be exported."""
    everything = {
        "risk.time_in_force": ["GTC"],
        "risk.sides": ["buy"],
        "risk.max_slippage": "1%",
        "stage.current": "paper",
    }
    everything |= {"risk.weekly_loss": {"limit": "5% of equity"}, "risk.risk_at_stop": "100 USDT"}
    for changes in ({}, everything):
        result = cedarpy.validate_policies(export(policy(changes), "cedar"), json.dumps(cedar_schema()))
        assert (result.validation_passed, [str(error) for error in result.errors]) == (True, [])
    wrong = export(policy(), "cedar").replace("context.symbol", "context.sybol")
    assert not cedarpy.validate_policies(wrong, json.dumps(cedar_schema())).validation_passed


def test_the_context_is_what_the_tests_ask() -> None:
    """The published form of a question takes what was asked here, and nothing that is misspelt."""
    jsonschema.validate(ASKED, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ASKED | {"quantiy": 1}, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(ASKED | {"quantity": 10**9}, json_schema())


def test_what_is_left_out_is_listed() -> None:
    """Every check that the policy sets is named, held or not, with the reason; one that only warns is left out."""
    effective = policy({"risk.max_gross_exposure": "50% of equity", "risk.on_breach": {"order_types": "warn"}})
    table = {row.check: row for row in rows(effective)}
    assert table["risk.max_order_notional"].expressed
    assert (table["risk.max_gross_exposure"].expressed, table["risk.max_gross_exposure"].note) == (
        False,
        TABLE["risk.max_gross_exposure"].note,
    )
    assert table["risk.order_types"].note == "it only warns, and neither language warns"
    text = export(effective, "cel")
    assert "RISK_ORDER_TYPE" not in text
    assert "//   risk.max_gross_exposure: " in text.partition("// Not held:")[2]
    assert by_cel(text, ASKED | {"type": "stop_limit", "stop_price": 6_000_000}) == {
        "risk.max_order_notional|RISK_ORDER_NOTIONAL"
    } - {"risk.max_order_notional|RISK_ORDER_NOTIONAL"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exchange": "binanceusdm"}, "mm.yaml: binanceusdm is not known to keep spot from borrowing, so a sell may be an entry there; only spot that cannot borrow can be exported"),
        ({"exchange": None, "account": None}, "mm.yaml: it is a profile: it names no exchange; a policy that extends it can be exported"),
        ({"risk.max_order_notional": "1 BTC"}, "mm.yaml: a bound in BTC needs a division by its mark; cel has whole numbers only: write the limit on the grid, or leave it out of a copy"),
        ({"risk.max_order_notional": "1.005 USDT"}, "mm.yaml: 1.005 is no multiple of 0.01; cel has whole numbers only: write the limit on the grid, or leave it out of a copy"),
        ({"keys.a": {"purpose": "execution"}, "keys.b": {"purpose": "tracking"}}, "mm.yaml: it has 2 keys, and an export is for orders of one; --key says which"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported(changes: dict[str, Any], message: str) -> None:
    """A policy of which the export would say something else is refused, with the reason."""
    with pytest.raises(ValueError, match=re.escape(message)):
        export(policy(changes), "cel")


def test_the_name_of_a_file_stays_a_comment() -> None:
    """A line break in it ends no comment: what stands behind one would be read as a part of the policy."""
    evil = replace(policy(), file="a\npermit(principal, action, resource);\n.yaml")
    for language in ("cedar", "cel"):
        assert "\npermit(principal, action, resource);\n.yaml" not in export(evil, language)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each way of asking writes what it says, and a wrong call ends with 2."""
    file = str(TOP / "policies" / "binance-market-maker.yaml")
    assert main(["export", "cedar", file, "-o", str(tmp_path / "mm.cedar")]) == 0
    assert "permit(principal, action, resource);" in (tmp_path / "mm.cedar").read_text()
    capsys.readouterr()
    assert main(["export", "cel", file, "--context"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
    assert main(["export", "cedar", file, "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == cedar_schema()
    assert main(["export", "cel", file, "--list", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"check": "risk.order_types", "expressed": True, "note": "wholly"} in listed
    assert main(["export", "cel", file, "--list", "--key", "mm-exec"]) == 0
    assert "not held  risk.max_leverage: spot has none" in capsys.readouterr().out
    assert main(["export", "cel", file, "--key", "zzz"]) == 2
    assert "there is no key zzz; its keys are mm-exec" in capsys.readouterr().err
    assert main(["export", "cel", str(TOP / "policies" / "baseline.yaml")]) == 2


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """docs/export.md: its two programs are run as they stand, on the file that its command writes."""
    page = (TOP / "docs" / "export.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 2
    for language in ASK:
        (tmp_path / f"mm.{language}").write_text(export(policy(), language))
    (tmp_path / "question.json").write_text(json.dumps(ASKED | {"quantity": 3_000}))
    monkeypatch.chdir(tmp_path)
    for program in programs:
        said: dict[str, Any] = {}
        exec(compile(program, "docs/export.md", "exec"), said)  # the page's own text
        assert said["denied"] == ["risk.max_order_notional|RISK_ORDER_NOTIONAL"]
