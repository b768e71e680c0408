"""`policykit test`: what is found, how a failure reads, what ends with which code."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from tests.proofs.suite.making import buy, sell, write

NOTHING = "nothing to run; a file NAME.test.yaml beside NAME.yaml is needed"
FAILING: list[dict[str, Any]] = [
    {"name": "a small order is denied", "order": buy(), "expect": {"deny": ["RISK_ORDER_NOTIONAL"]}},
    {"name": "a large order passes", "order": buy("0.5")},
    {"name": "the second is over the rate", "order": buy(), "times": 31},
    {"name": "what is over can fill", "steps": [{"order": buy(), "then": "filled"}, {"filled": "last"}]},
    {"name": "a sale passes", "order": sell()},
]


def _main(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["test", *arguments])
    done = capsys.readouterr()
    return code, done.out, done.err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, and work in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_failure_shows_both_places(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expected and was, the line of the test, the line of the policy, and what the denial says."""
    write(here, FAILING)
    code, out, err = _main(capsys, "mm.test.yaml")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[:8] == [
        "failed: a small order is denied",
        "  --> mm.test.yaml:21:14",
        '    21 |    "expect": {',
        "       |              ^ expected: deny, RISK_ORDER_NOTIONAL",
        "  was: allow",
        "    ::: mm.yaml:33:25",
        '    33 |   "max_order_notional": "1.5% of equity",',
        "       |                         ^^^^^^^^^^^^^^^^ risk.max_order_notional did not deny",
    ]
    at = lines.index("failed: a large order passes")
    assert lines[at + 4 : at + 8] == [
        "  was: deny, RISK_ORDER_NOTIONAL, RISK_POSITION",
        (
            "    RISK_ORDER_NOTIONAL: order notional 30,000.00 USDT is over max_order_notional 1,500.00 USDT "
            "(1.5% of equity 100,000.00 USDT, 0.0 s old)"
        ),
        "    ::: mm.yaml:33:25",
        '    33 |   "max_order_notional": "1.5% of equity",',
    ]
    assert "  was: deny, RISK_OPEN_ORDERS (order 21 of the step)" in lines
    assert "  was: the last order is settled, so it cannot be filled" in lines
    assert lines[-2].startswith("mm.test.yaml: 5 tests, 4 failed, ")
    assert lines[-1].startswith("5 tests in 1 file, 25 decisions in ")
    assert lines[-1].endswith(" s: 4 failed")


def test_a_policy_that_is_named_is_tested_and_a_folder_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test file, the policy beside it, the folder, and the folder policies/ by default: the same tests."""
    (here / "policies").mkdir()
    write(here / "policies", [{"name": "passes", "order": buy()}])
    for arguments in ((), ("policies",), ("policies/mm.yaml",), ("policies/mm.test.yaml", "policies")):
        code, out, err = _main(capsys, *arguments)
        assert (code, err, out.splitlines()[-1].partition(",")[0]) == (0, "", "1 test in 1 file")


def test_a_policy_without_tests_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What runs and has no tests is told; a profile is not, and one that another's test extends is tested by that."""
    write(here, [{"name": "passes", "order": buy()}])
    (here / "profile.yaml").write_text("policykit: 1\nname: profile\n")
    (here / "other.yaml").write_text(
        "policykit: 1\nname: other\nexchange: binance\naccount: {name: main, currency: USDT}\n"
    )
    code, out, _ = _main(capsys, ".")
    assert (code, out.splitlines()[-2]) == (0, "other.yaml: no tests; other.test.yaml is where they stand")
    code, out, err = _main(capsys, "other.yaml")
    assert (code, err) == (
        4,
        "policykit: other.yaml: nothing to run; a file NAME.test.yaml beside NAME.yaml is needed\n",
    )


def test_a_wrong_file_ends_with_2_and_the_others_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem is a line with its place; what can run did."""
    write(here, FAILING[-1:])
    (here / "bad.test.yaml").write_text("policykit_test: 1\npolicy: mm.yaml\ntests: 7\n")
    code, out, err = _main(capsys, ".")
    assert (code, err) == (2, "policykit: bad.test.yaml:3:8: tests is no list of tests; at least one is needed\n")
    assert out.splitlines()[-1].endswith(": all passed; 1 problem in the files")
    code, _, err = _main(capsys, "nowhere")
    assert (code, err.startswith("policykit: nowhere: cannot be read")) == (2, True)


def test_only_tests_of_a_name_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-k` takes those whose name holds the text, in any case; none is nothing to run."""
    write(here, FAILING)
    code, out, _ = _main(capsys, ".", "-k", "SALE")
    assert (code, out.splitlines()[-1].partition(",")[0]) == (0, "1 test in 1 file")
    code, _, err = _main(capsys, ".", "-k", "nothing of that")
    assert (code, err) == (4, "policykit: .: nothing to run; no test has nothing of that in its name\n")


def test_json_has_every_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, places, failures with their reasons, and the coverage of each check."""
    write(here, FAILING)
    code, out, _ = _main(capsys, ".", "--format", "json")
    said = json.loads(out)
    assert (code, said["version"]) == (1, 1)
    assert said["summary"] == {"files": 1, "tests": 5, "failed": 4, "decisions": 25, "wrong": 0}
    tests = said["files"][0]["tests"]
    assert [test["outcome"] for test in tests] == ["failed"] * 4 + ["passed"]
    assert tests[0]["failure"] == {
        "place": {"file": "mm.test.yaml", "line": 21, "column": 14},
        "expected": "deny, RISK_ORDER_NOTIONAL",
        "was": "allow",
        "reasons": [],
        "limits": ["mm.yaml:33:25"],
    }
    assert [reason["code"] for reason in tests[1]["failure"]["reasons"]] == ["RISK_ORDER_NOTIONAL", "RISK_POSITION"]
    assert tests[2]["failure"]["nth"] == 21
    checks = {one["check"]: one for one in said["files"][0]["coverage"]["checks"]}
    assert checks["risk.max_order_notional"] == {
        "check": "risk.max_order_notional",
        "counted": True,
        "allow": True,
        "deny": True,
        "unknown": None,
        "waived": None,
    }
    assert checks["risk.symbols"]["deny"] is False
    assert checks["order.shape"]["counted"] is False


def test_junit_has_a_case_a_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A suite is a file, a failure says expected and was; a wrong file is an error."""
    write(here, FAILING)
    (here / "bad.test.yaml").write_text("policykit_test: 1\npolicy: mm.yaml\ntests: 7\n")
    code, _, _ = _main(capsys, ".", "--format", "junit", "-o", "tests.xml")
    root = ET.fromstring((here / "tests.xml").read_text())
    assert (code, {name: root.get(name) for name in ("tests", "failures", "errors")}) == (
        2,
        {"tests": "6", "failures": "4", "errors": "1"},
    )
    cases = root.findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == [*(test["name"] for test in FAILING), "can be read"]
    assert cases[0].find("failure").get("message") == "expected deny, RISK_ORDER_NOTIONAL; was allow"  # type: ignore[union-attr]
    assert cases[4].find("failure") is None


def test_coverage_is_shown_and_can_be_asked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a row a check; a cell that cannot happen is `-`; too little of it ends with 1."""
    write(here, [{"name": "passes", "order": buy()}], {"risk.on_breach": {"max_order_notional": "warn"}})
    code, out, _ = _main(capsys, ".", "--coverage")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("  ")}
    assert code == 0
    assert rows["risk.max_order_notional"] == ["yes", "no", "-", "no"]
    assert rows["account.max_age"] == ["yes", "-", "no", "-"]
    assert rows["risk.symbols"] == ["yes", "no", "-", "-"]
    code, _, err = _main(capsys, ".", "--min-coverage", "90")
    assert (code, err.startswith("policykit: mm.test.yaml: 10 of ")) == (1, True)
    assert err.endswith("under 90 %; --coverage shows which are not\n")
    another = json.loads((here / "mm.test.yaml").read_text())
    another["tests"] = [{"name": "denied", "order": buy(symbol="DOGE/USDT"), "expect": "deny"}]
    (here / "mm.more.test.yaml").write_text(json.dumps({"policy": "mm.yaml", **another}))
    code, out, err = _main(capsys, ".", "--min-coverage", "90")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("  ")}
    assert rows["risk.symbols"] == ["yes", "yes", "-", "-"]
    assert out.count("risk.symbols") == 1
    assert err.startswith("policykit: mm.more.test.yaml, mm.test.yaml: 12 of ")


def test_lint_takes_no_test_for_a_policy(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named, by a glob of the shell, or in a folder: lint reads the policy only."""
    write(here, [{"name": "passes", "order": buy()}])
    (here / "flow.yaml").write_text('{"policykit_test": 1, "policy": "mm.yaml", "tests": []}')
    for arguments in (["."], ["mm.yaml", "mm.test.yaml", "flow.yaml"]):
        main(["lint", *arguments, "--format", "json"])
        assert json.loads(capsys.readouterr().out)["summary"]["files"] == 1
    assert main(["lint", "mm.test.yaml"]) == 4
