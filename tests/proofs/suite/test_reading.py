"""A test file that is wrong is refused with a place and what may be there, all of it in one go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policykit.proofs.suite import SuiteError, load_suite
from policykit.proofs.suite.form import MAX_STEPS, MAX_TESTS
from tests.engine.worlds import CANONICAL

HEAD = """policykit_test: 1
given: {equity: 100000 USDT, marks: {"BTC/USDT": "60000"}}
tests:
  - name: one
"""
ORDER = '    order: {symbol: "BTC/USDT", side: buy, type: limit, quantity: "0.01", price: "60000"}\n'


def problems(folder: Path, text: str, name: str = "mm.test.yaml") -> list[str]:
    """Return what is wrong with a test file, without its folder."""
    (folder / "mm.yaml").write_text(json.dumps(CANONICAL))
    (folder / name).write_text(text)
    with pytest.raises(SuiteError) as caught:
        load_suite(str(folder / name))
    return [line.replace(f"{folder}/", "") for line in caught.value.problems]


WRONG: dict[str, tuple[str, list[str]]] = {
    "unknown code": (
        HEAD + ORDER + "    expect: {deny: [RISK_ORDER_NOTIONL]}\n",
        ['mm.test.yaml:6:21: "RISK_ORDER_NOTIONL" is no reason code; did you mean RISK_ORDER_NOTIONAL?'],
    ),
    "a pasted secret is not quoted": (
        HEAD + ORDER + "    expect: {deny: [Zk3v9QpL8sTw2XyB4nRd]}\n",
        ['mm.test.yaml:6:21: "..." is no reason code; `policykit explain CODE` and docs/checks.md show those that are'],
    ),
    "unknown check": (
        HEAD + ORDER + "    expect: {deny: [{code: RATE_ORDERS, check: risk.max_orderz}]}\n",
        ['mm.test.yaml:6:48: "risk.max_orderz" is no check; did you mean risk.max_orders?'],
    ),
    "unknown keys": (
        "policykit_tests: 1\ntest: []\n",
        [
            "mm.test.yaml:1:1: `policykit_tests` is no key of a test file; did you mean policykit_test?",
            "mm.test.yaml:2:1: `test` is no key of a test file; did you mean tests?",
        ],
    ),
    "not yaml": ("a: [", ["mm.test.yaml:2:1: "]),
    "nothing": ("", ["mm.test.yaml:1:1: "]),
    "no test at all": (
        "policykit_test: 1\ntests: []\n",
        ["mm.test.yaml:2:8: tests is no list of tests; at least one is needed"],
    ),
    "a name twice": (
        HEAD + ORDER + "  - name: one\n" + ORDER,
        ["mm.test.yaml:6:11: a test has no name of its own; `name: what must hold` is needed"],
    ),
    "a test that is none": (
        "policykit_test: 1\ntests: [7]\n",
        ["mm.test.yaml:2:9: a test is no object; its keys are name, stage, now, given, steps, "],
    ),
    "another version": (
        HEAD.replace("1", "2", 1) + ORDER,
        ["mm.test.yaml:1:17: policykit_test is not 1; `policykit_test: 1` is needed"],
    ),
    "no moment": (
        "now: 10:00\n" + HEAD + ORDER,
        ["mm.test.yaml:1:6: "],
    ),
    "a moment of another form": (
        "now: soon\n" + HEAD + ORDER,
        ["mm.test.yaml:1:6: now is no moment; an ISO time (2026-11-21T10:00:00Z) is needed"],
    ),
    "a stage that is none": (
        HEAD + ORDER + "    stage: micro\n",
        ['mm.test.yaml:6:12: stage is "micro"; did you mean micro-live?'],
    ),
    "money in another currency": (
        HEAD.replace("100000 USDT", "100000 EUR") + ORDER,
        ["mm.test.yaml:2:17: equity is '100000 EUR'; an amount in the account's currency (\"100000 USDT\") is needed"],
    ),
    "a wrong fact of a step": (
        HEAD + '    steps:\n      - given: {marks: {"BTC/USDT": x}}\n        after: 1s\n    ' + ORDER,
        ["mm.test.yaml:6:37: marks.BTC/USDT: text is not a number; a plain number is needed"],
    ),
    "no order at all": (
        HEAD + "    steps:\n      - after: 1h\n      - halt: all\n",
        ["mm.test.yaml:4:5: no step asks for an order, so nothing is tried; `order: {...}` does"],
    ),
    "what becomes of an order that is denied": (
        HEAD + ORDER + "    expect: deny\n    then: filled\n",
        ["mm.test.yaml:7:5: `then` stands with an order that must be denied"],
    ),
    "two orders of one name": (
        HEAD + "    steps:\n" + 2 * f"      -{ORDER[3:]}        as: entry\n",
        ['mm.test.yaml:9:13: an earlier order is "entry" already; another name is needed'],
    ),
    "a fact that is none": (
        HEAD + "    given: {mark: {}}\n" + ORDER,
        ["mm.test.yaml:5:13: `mark` is no key of given; did you mean marks?"],
    ),
    "a side and a type that are none": (
        HEAD + "    order: {symbol: BTC/USDT, side: bye, type: limt, quantity: 1, price: 1}\n    expect: deny\n",
        [
            'mm.test.yaml:5:37: side is "bye"; did you mean buy?',
            'mm.test.yaml:5:48: type is "limt"; did you mean limit?',
        ],
    ),
    "an order that is none": (
        HEAD + "    order: {amount: 1}\n",
        ["mm.test.yaml:5:21: 'amount' is no field of an order; the fields are action, symbol, side, type, "],
    ),
    "an action that is none": (
        HEAD + "    order: {action: order.creat}\n",
        ["mm.test.yaml:5:21: action is 'order.creat'; one of order.create, order.amend, "],
    ),
    "nothing happens": (
        HEAD,
        ["mm.test.yaml:4:5: nothing happens here; one of order, filled, cancelled, rejected, lost, "],
    ),
    "two things happen": (
        HEAD + ORDER + "    halt: all\n",
        ["mm.test.yaml:4:5: more than one thing happens here; each is a step of its own"],
    ),
    "expected of nothing": (
        HEAD + "    halt: all\n    expect: deny\n",
        ["mm.test.yaml:6:5: `expect` stands without an order; it is an order's"],
    ),
    "what is expected is not understood": (
        HEAD + ORDER + "    expect: {allow: []}\n",
        [
            (
                "mm.test.yaml:6:13: expect is not understood; allow, deny, {deny: [CODE, ..]} or {warn: [CODE, ..]} "
                "is needed"
            )
        ],
    ),
    "a denial of no code": (
        HEAD + ORDER + "    expect: {deny: []}\n",
        ["mm.test.yaml:6:20: deny is no list of codes; {deny: [RISK_ORDER_NOTIONAL]} is one"],
    ),
    "an order of nobody": (
        HEAD + "    steps:\n      - filled: entry\n",
        ['mm.test.yaml:6:17: "entry" names no order of an earlier step; say `as: NAME` there'],
    ),
    "an order of nobody, nearly": (
        HEAD + f"    steps:\n      - {ORDER.strip()}\n        as: entry\n      - filled: entri\n",
        ['mm.test.yaml:8:17: "entri" names no order of an earlier step; did you mean entry?'],
    ),
    "times, after, then": (
        HEAD + ORDER + "    times: 0\n    after: soon\n    then: eaten\n",
        [
            'mm.test.yaml:7:12: after is no duration; a duration ("500ms", "30s", "5m", "24h", "90d") is needed',
            "mm.test.yaml:6:12: times is no number from 1 to 1000; one is needed",
            "mm.test.yaml:8:11: then is none of filled, cancelled, rejected, lost; one of them is needed",
        ],
    ),
    "a halt of nothing": (
        HEAD + "    halt: me\n",
        ['mm.test.yaml:5:11: the scope of halt is "me"; all, exchange:X, account:X/NAME, bot:X or symbol:X is needed'],
    ),
    "a fill of no number": (
        HEAD + f"    steps:\n      - {ORDER.strip()}\n      - filled: {{quantity: much}}\n",
        ["mm.test.yaml:7:28: tests.0.steps.1.filled.quantity: text is not a number; a plain number is needed"],
    ),
    "steps that are none": (
        HEAD + "    steps: []\n",
        [f"mm.test.yaml:5:12: steps is no list of 1 to {MAX_STEPS} steps; one is needed"],
    ),
    "a step's word beside steps": (
        HEAD + "    expect: deny\n    steps:\n      - halt: all\n",
        ["mm.test.yaml:5:5: `expect` stands beside steps; it is one step's"],
    ),
    "a policy that is not there": (
        "policy: gone.yaml\n" + HEAD + ORDER,
        ['mm.test.yaml:1:9: the policy "gone.yaml" is not there; `policy: FILE` names it from here'],
    ),
    "a policy by an absolute path": (
        "policy: /etc/mm.yaml\n" + HEAD + ORDER,
        ["mm.test.yaml:1:9: policy is no path from this file; one is needed"],
    ),
    "a key that is none": (
        "key: nobody\n" + HEAD + ORDER,
        ["mm.test.yaml:1:6: "],
    ),
    "additions that are none": (
        "with: {extends: [x.yaml]}\n" + HEAD + ORDER,
        ["mm.test.yaml:1:7: with is no part of a policy; its sections are needed, without `extends`"],
    ),
    "additions that loosen": (
        "with: {risk: {max_open_orders: 21}}\n" + HEAD + ORDER,
        ["mm.test.yaml:1:32: "],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_its_place(name: str, tmp_path: Path) -> None:
    """Each mistake has its place and what may be; the first words of a message are enough where others say it."""
    text, expected = WRONG[name]
    found = problems(tmp_path, text)
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected


def test_a_file_that_is_not_beside_a_policy_says_which(tmp_path: Path) -> None:
    """Only NAME.test.yaml has a policy by its name."""
    assert problems(tmp_path, HEAD + ORDER, "tests.yaml") == [
        "tests.yaml:1:1: there is no `policy`; a file that is not called NAME.test.yaml says which it is"
    ]


def test_a_policy_that_does_not_load_says_why_at_its_own_place(tmp_path: Path) -> None:
    """What is wrong with the policy is told as lint tells it."""
    (tmp_path / "bad.yaml").write_text("policykit: 1\nname: x\nriks: {}\n")
    found = problems(tmp_path, "policy: bad.yaml\n" + HEAD + ORDER)
    assert found == ["bad.yaml:3:1: there is no key `riks` here; did you mean `risk`?"] or "riks" in found[0]
    assert found[0].startswith("bad.yaml:3:1: ")


def test_a_profile_needs_what_it_is_tried_with(tmp_path: Path) -> None:
    """A profile names no exchange; `with` adds one, and its limits are tested."""
    (tmp_path / "base.yaml").write_text('policykit: 1\nname: base\nrisk: {symbols: ["BTC/USDT"]}\n')
    assert problems(tmp_path, "policy: base.yaml\n" + HEAD + ORDER) == [
        f"mm.test.yaml:1:9: {tmp_path}/base.yaml is a profile, which no guard runs; ".replace(f"{tmp_path}/", "")
        + "`with: {exchange: binance, account: {name: main, currency: USDT}}` adds what it is to be tried with"
    ]
    added = "with: {exchange: binance, account: {name: main, currency: USDT}}\npolicy: base.yaml\n"
    (tmp_path / "mm.test.yaml").write_text(added + HEAD + ORDER)
    suite, policy = load_suite(str(tmp_path / "mm.test.yaml"))
    assert (policy.model.exchange, policy.model.risk and policy.model.risk.symbols) == ("binance", ("BTC/USDT",))
    assert str(policy.place("risk.symbols")).endswith("base.yaml:3:17")
    assert str(policy.place("exchange")) == f"{suite.file}:1:18"


def test_there_is_a_limit_on_tests(tmp_path: Path) -> None:
    """No file has more than so many tests."""
    many: dict[str, Any] = {
        "policykit_test": 1,
        "tests": [{"name": str(n), "halt": "all"} for n in range(MAX_TESTS + 1)],
    }
    assert problems(tmp_path, json.dumps(many))[0].endswith(
        f"{MAX_TESTS + 1} tests are in one file; at most {MAX_TESTS} may be"
    )
