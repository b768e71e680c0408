"""`policykit test --mutate`: what tests do not notice is named at its line, with a test that does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from policykit.cli.init import command as init
from policykit.cli.test import command
from policykit.proofs.mutation.all_of import mutate_all
from policykit.proofs.mutation.run import mutate
from policykit.proofs.suite import SuiteError, load_suite

POLICY = """policykit: 1
name: small
exchange: binance
account: {name: main, currency: USDT}
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1000 USDT
  max_orders: {limit: 3, per: 1m}
"""
HEAD = """policykit_test: 1
given: {equity: 100000 USDT, marks: {BTC/USDT: "50000", DOGE/USDT: "10"}}
tests:
"""
SYMBOLS = """  - name: only BTC is traded
    steps:
      - {order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.001", price: "50000"}, then: cancelled}
      - order: {symbol: DOGE/USDT, side: buy, type: limit, quantity: "1", price: "10"}
        expect: {deny: RISK_SYMBOL}
"""
AT_CAP = """  - name: an order is worth 1000 USDT at most
    steps:
      - {order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.02", price: "50000"}, then: cancelled}
"""
OVER_CAP = """      - order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.02000001", price: "50000"}
        expect: {deny: RISK_ORDER_NOTIONAL}
"""
ORDERS = """  - name: three orders a minute
    steps:
      - {order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.001", price: "50000"}, times: 3}
      - order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.001", price: "50000"}
        expect: {deny: RATE_ORDERS}
      - after: 59999ms
        order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.001", price: "50000"}
        expect: {deny: RATE_ORDERS}
      - {after: 500ms, order: {symbol: BTC/USDT, side: buy, type: limit, quantity: "0.001", price: "50000"}}
"""
ALL = SYMBOLS + AT_CAP + OVER_CAP + ORDERS


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Write a small policy."""
    file = tmp_path / "small.yaml"
    file.write_text(POLICY)
    return file


def beside(policy: Path, tests: str) -> Path:
    """Write the tests of a policy beside it."""
    file = policy.with_name("small.test.yaml")
    file.write_text(HEAD + tests)
    return file


def alive(file: Path) -> list[str]:
    """Return what survives the tests of one file."""
    suite, policy = load_suite(str(file))
    return [f"{mutant.place.line}: {mutant}" for mutant in mutate([suite], policy).survivors]


def test_tests_at_every_edge_notice_every_mutant(policy: Path) -> None:
    """A policy whose limits are each tried just inside and just outside has a score of 100."""
    suite, effective = load_suite(str(beside(policy, ALL)))
    found = mutate([suite], effective)
    assert found.survivors == []
    assert found.score == 100
    assert {killed.by for killed in found.killed} == {
        "only BTC is traded",
        "an order is worth 1000 USDT at most",
        "three orders a minute",
    }
    assert [other.path for other in found.others] == [
        *("policykit", "exchange", "account.name", "account.currency", "environment"),
    ]


@pytest.mark.parametrize(
    ("tests", "survivors"),
    [
        (
            SYMBOLS + AT_CAP + ORDERS,
            ["7: risk.max_order_notional: 1000 USDT -> 1001 USDT", "7: risk.max_order_notional: 1000 USDT -> nothing"],
        ),
        (
            SYMBOLS + AT_CAP.replace('"0.02"', '"0.001"') + OVER_CAP + ORDERS,
            ["7: risk.max_order_notional: 1000 USDT -> 999 USDT"],
        ),
        (
            SYMBOLS + AT_CAP + OVER_CAP + ORDERS.replace("59999ms", "30s").replace("500ms", "30500ms"),
            ["8: risk.max_orders.per: 1m -> 59s"],
        ),
        (
            AT_CAP + OVER_CAP + ORDERS,
            [
                '6: risk.symbols: [BTC/USDT] -> ["*/USDT"]',
                "6: risk.symbols: [BTC/USDT] -> nothing",
            ],
        ),
    ],
    ids=["none over the cap", "none at the cap", "none at the end of the window", "no other symbol"],
)
def test_control_without_an_assertion_exactly_its_mutants_live(policy: Path, tests: str, survivors: list[str]) -> None:
    """Each assertion that is left out lets just the mutants of its threshold live, named at their line."""
    assert alive(beside(policy, tests)) == survivors


def test_what_survives_is_shown_with_a_test_that_notices_it(policy: Path, tmp_path: Path) -> None:
    """The report quotes the line, and the test that it suggests kills the mutant once it is kept."""
    beside(policy, SYMBOLS + AT_CAP + ORDERS)
    new = tmp_path / "small.edges.test.yaml"
    ran = CliRunner().invoke(command, [str(policy), "--mutate", "--write", str(new)])
    assert ran.exit_code == 1
    assert "survives: risk.max_order_notional: 1000 USDT -> 1001 USDT\n  --> " in ran.output
    assert f"{policy}:7:23\n    7 |   max_order_notional: 1000 USDT\n" in ran.output
    assert "a test that notices it:\n    - name: An order is worth at most 1000 USDT\n" in ran.output
    assert ran.output.count("- name: An order is worth at most 1000 USDT\n") == 1
    assert "noticed by the test above, An order is worth at most 1000 USDT\n" in ran.output
    assert ran.output.endswith(f"policykit: wrote {new}\n")
    assert f"{policy}: 8 of 10 mutants noticed, 80.0 %; 0 equivalent, 5 fields decide no order" in ran.output
    again = CliRunner().invoke(command, [str(policy), "--mutate"])
    assert again.exit_code == 0, again.output
    assert "10 of 10 mutants noticed, 100.0 %" in again.output


def test_what_is_asked_for_decides_the_exit_code(policy: Path, tmp_path: Path) -> None:
    """Less than the score that is asked for is a no; a file that is there, a wrong call and no tests are told apart."""
    run = CliRunner().invoke
    assert run(command, [str(policy), "--mutate"]).exit_code == 4
    beside(policy, SYMBOLS + AT_CAP + ORDERS)
    assert run(command, [str(policy), "--mutate", "--min-score", "80"]).exit_code == 0
    there = run(command, [str(policy), "--mutate", "--write", str(policy)])
    assert there.exit_code == 2
    assert f"{policy}: it is there already; the name of a new file is needed" in there.output
    assert run(command, [str(policy), "--mutate", "--format", "junit"]).exit_code == 2
    assert run(command, [str(policy), "--write", str(tmp_path / "new.test.yaml")]).exit_code == 2
    beside(policy, SYMBOLS.replace("RISK_SYMBOL", "RISK_SIDE"))
    failing = run(command, [str(policy), "--mutate"])
    assert failing.exit_code == 1
    assert "not mutated, 1 tests fail on the policy itself (only BTC is traded)" in failing.output


def test_json_has_all_of_it(policy: Path) -> None:
    """The report for machines names each mutant with its place, what noticed it, or a test that would."""
    beside(policy, SYMBOLS + AT_CAP + ORDERS)
    ran = CliRunner().invoke(command, [str(policy), "--mutate", "--format", "json"])
    (one,) = json.loads(ran.output)["policies"]
    assert (one["policy"], one["score"], len(one["killed"])) == (str(policy), "80.0", 8)
    first = one["survivors"][0]
    assert first["place"] == f"{policy}:7:23"
    assert (first["path"], first["was"], first["now"]) == ("risk.max_order_notional", "1000 USDT", "1001 USDT")
    assert first["test"]["name"] == "An order is worth at most 1000 USDT"
    assert one["killed"][0]["by"] == "only BTC is traded"


def test_what_a_test_file_adds_to_a_profile_is_not_mutated(tmp_path: Path) -> None:
    """Of a profile only its own words are changed; the exchange and the caps that a test gives it are the test's."""
    (tmp_path / "small.yaml").write_text("policykit: 1\nname: small\nrisk: {max_order_notional: 1000 USDT}\n")
    added = 'with: {exchange: binance, account: {name: main, currency: USDT}, risk: {symbols: ["BTC/USDT"]}}\n'
    (tmp_path / "small.test.yaml").write_text(HEAD.replace("given", f"{added}given", 1) + AT_CAP + OVER_CAP)
    (mutation,) = mutate_all((str(tmp_path),)).mutations
    assert {killed.mutant.path for killed in mutation.killed} == {"risk.max_order_notional"}
    assert (mutation.survivors, mutation.name) == ([], str(tmp_path / "small.yaml"))


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
def test_who_keeps_every_suggestion_of_a_new_project_has_100_percent(tmp_path: Path, exchange: str) -> None:
    """What `policykit init` writes can be tested whole: keys and a day's budget too, which no row of orders fills."""
    run = CliRunner().invoke
    assert run(init, [str(tmp_path), "--exchange", exchange]).exit_code == 0
    policy = tmp_path / "policies" / f"{exchange}.yaml"
    new = policy.with_name(f"{exchange}.edges.test.yaml")
    assert run(command, [str(policy), "--mutate", "--write", str(new)]).exit_code == 1
    again = run(command, [str(policy), "--mutate"])
    assert again.exit_code == 0, again.output
    assert ", 100.0 %" in again.output
    assert f"key: {exchange}-bot\n" in new.read_text()


def test_what_is_used_must_be_of_a_rate_budget(policy: Path) -> None:
    """A counter that the policy has no rate budget for would count nothing: it is refused at its place."""
    file = beside(policy, ALL.replace("  - name: three", "  - given: {used: {orders: 3}}\n    name: three"))
    with pytest.raises(SuiteError, match=r'"orders" is no counter of a rate budget'):
        load_suite(str(file))


KEYS = """keys:
  exec: {purpose: execution, scopes: [read, trade.spot]}
  tax: {purpose: tracking, scopes: [read]}
"""


def test_what_changes_who_starts_is_neither_noticed_nor_equivalent(policy: Path) -> None:
    """A key that is for incidents now, or gone, stops its bot: whoever starts it notices, with or without a suite."""
    policy.write_text(POLICY + KEYS)
    file = beside(policy, ALL)
    file.write_text(file.read_text().replace("given:", "key: exec\ngiven:", 1))
    suite, effective = load_suite(str(file))
    found = mutate([suite], effective, among=lambda mutant: mutant.path.startswith("keys"))
    starting = {(each.mutant.path, each.mutant.now): each.why for each in found.starting}
    assert starting["keys.exec.purpose", "break_glass"] == "a bot with the key exec does not start"
    assert starting["keys.tax.purpose", "break_glass"] == "a bot with the key tax does not start"
    assert ("keys.tax.purpose", "market_data") in {(each.mutant.path, each.mutant.now) for each in found.equivalent}
    apart = {str(each.mutant) for each in found.starting}
    assert apart.isdisjoint(str(each.mutant) for each in (*found.killed, *found.equivalent))
    assert apart.isdisjoint(map(str, found.survivors))
    ran = CliRunner().invoke(command, [str(policy), "--mutate", "--coverage"])
    assert "changes who starts: keys.tax.purpose: tracking -> break_glass: a bot with the key tax does" in ran.output
    assert f", {len(apart)} change which bots start\n" in ran.output
    ran = CliRunner().invoke(command, [str(policy), "--mutate", "--format", "json"])
    (one,) = json.loads(ran.output)["policies"]
    assert {each["why"] for each in one["starting"]} == set(starting.values())
