"""`policykit check`: one decision for a person or a program, without a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.engine import trial
from policykit.engine.facts import Facts
from policykit.order import Order
from tests.engine.worlds import CANONICAL, NOW, changed, engine, order

TOTALS = {
    "risk.max_gross_exposure": "20000 USDT",
    "risk.max_net_exposure": "15000 USDT",
    "risk.max_asset_exposure": "7000 USDT",
    "risk.max_open_positions": 2,
    "groups.desk.max_gross_exposure": "10000 USDT",
    "risk.max_position_notional": None,
}
ASKED = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.01", "price": 59000.5}
KNOWN: dict[str, Any] = {
    "equity": "100000 USDT",
    "day_base": "100000 USDT",
    "net_transfers": "0 USDT",
    "positions": {"BTC/USDT": "0.1"},
    "marks": {"BTC/USDT": "60000", "ETH/USDT": "3000"},
    "skew_ms": 0,
}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Return the path of the canonical policy."""
    path = tmp_path / "mm.yaml"
    path.write_text(json.dumps(CANONICAL))
    return str(path)


def _check(
    policy: str, capsys: pytest.CaptureFixture[str], asked: Any = ASKED, known: Any = KNOWN, *more: str
) -> tuple[int, str, str]:
    arguments = ["check", policy, "--order", asked if isinstance(asked, str) else json.dumps(asked)]
    if known is not None:
        arguments += ["--facts", known if isinstance(known, str) else json.dumps(known)]
    code = main([*arguments, "--now", "2026-11-21T10:00:00Z", *more])
    done = capsys.readouterr()
    return code, done.out, done.err


def test_allowed_order_is_told_with_its_claims(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An allowed order exits 0 and shows its value and what it would hold of each counter."""
    code, out, err = _check(policy, capsys)
    version = trial.read_json(_check(policy, capsys, ASKED, KNOWN, "--format", "json")[1], "x")["policy"]["version"]
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "order.create allowed: order notional 590.005 USDT; can increase",
        f"  policy mm {version}, {policy}; 18 checks",
        "  holds 0.11 of 0.33333333: binance/main|position|BTC",
        "  holds 1 of 20: binance/main|open_orders",
        "  holds 1 of 30: binance/main|orders|60000",
        "  holds 1 of 4200: binance@fra-1|request-weight|60000|fixed",
    ]


def test_sell_is_told_as_what_can_only_reduce(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any facts a market sell passes; its value is not known, and its claims have no limit."""
    asked = {"symbol": "BTC/USDT", "side": "sell", "type": "market", "quantity": 1}
    code, out, _ = _check(policy, capsys, asked, None)
    assert code == 0
    assert out.splitlines()[0] == "order.create allowed: order notional unknown; can only reduce"
    assert out.splitlines()[2] == "  holds 1 without a limit: binance/main|position|BTC"


def test_denied_order_is_told_with_every_reason(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A denied order exits 1 and shows each reason with its place; what was used already counts."""
    code, out, _ = _check(policy, capsys, {**ASKED, "quantity": "0.5"})
    assert code == 1
    assert out.splitlines()[0].startswith(
        "order.create denied: order notional 29,500.25 USDT is over max_order_notional"
    )
    assert [line.split(":")[0].strip() for line in out.splitlines()[2:]] == ["RISK_ORDER_NOTIONAL", "RISK_POSITION"]
    assert f"({policy}:1:" in out
    used = {**KNOWN, "used": {"binance/main|open_orders": 20}}
    code, out, _ = _check(policy, capsys, ASKED, used)
    assert (code, out.splitlines()[2].split(" (")[0]) == (
        1,
        "  RISK_OPEN_ORDERS: 20 orders are open, max_open_orders is 20",
    )
    code, out, _ = _check(policy, capsys, ASKED, {**KNOWN, "positions": {"BTC": "0.33"}})
    assert (code, "position BTC/USDT would be 20,400.00 of max_position_notional 20,000.00 USDT" in out) == (1, True)


def test_json_is_the_decision_version_1(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format json` is INTERFACE's decision; the same question has the same answer, id included."""
    asked = {**ASKED, "quantity": "0.5", "price": "60000", "client_order_id": "x-1"}
    first, second = (_check(policy, capsys, asked, KNOWN, "--format", "json") for _ in range(2))
    assert first == second
    found = json.loads(first[1])
    assert list(found) == ["version", "id", "outcome", "mode", "bot", "action", "policy", "order", "reasons"]
    assert found["order"] == {
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "limit",
        "quantity": "0.5",
        "price": "60000",
        "client_order_id": "x-1",
    }
    reason = found["reasons"][0]
    assert {k: reason[k] for k in ("code", "check", "observed", "limit", "unit")} == {
        "code": "RISK_ORDER_NOTIONAL",
        "check": "risk.max_order_notional",
        "observed": "30000",
        "limit": "1500",
        "unit": "USDT",
    }


def test_unknown_denies(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without facts an increase is denied, each missing one named."""
    code, out, _ = _check(policy, capsys, ASKED, None)
    assert code == 1
    codes = [line.split(":")[0].strip() for line in out.splitlines()[2:]]
    assert codes[:3] == ["CLOCK_SKEW", "FACTS_MISSING", "FACTS_MISSING"]
    _, out, _ = _check(policy, capsys, ASKED, {**KNOWN, "as_of": "2026-11-21T09:59:00Z"})
    assert "equity 60 s old, over max_age 10 s" in out


def test_warning_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that only warns is shown and lets the order pass."""
    path = tmp_path / "warn.yaml"
    path.write_text(json.dumps(changed({"risk.daily_loss": {"limit": "1 USDT", "on_breach": "warn"}})))
    code, out, _ = _check(str(path), capsys, ASKED, {**KNOWN, "day_base": "100001 USDT"})
    assert code == 0
    assert out.splitlines()[2].startswith("  warning DAILY_LOSS: the day's loss 1.00 USDT has reached daily_loss 1.00")


WRONG = [
    ("{", None, "--order is no JSON; an object is needed"),
    ("[" * 100_000, None, "--order is no JSON; an object is needed"),
    ("[]", None, "--order is no JSON object; an object is needed"),
    ({"amount": 1}, None, "'amount' is no field of an order; the fields are action, symbol, side"),
    ({"action": "steal"}, None, "action is 'steal'; one of order.create, order.amend"),
    ({"quantity": "1e"}, None, "quantity: text is not a number; a plain number is needed"),
    ({"quantity": True}, None, "quantity: bool is not a number; a plain number is needed"),
    (ASKED, {"cash": 1}, "'cash' is no field of facts; the fields are equity"),
    (ASKED, {"equity": "5 EUR"}, "equity is '5 EUR'; an amount in the account's currency (\"100000 USDT\") is needed"),
    (ASKED, {"equity": "x USDT"}, "equity: text is not a number; a plain number is needed"),
    (ASKED, {"marks": []}, "marks is no object; names with numbers are needed"),
    (ASKED, {"marks": {"BTC/USDT": None}}, "marks.BTC/USDT: NoneType is not a number; a plain number is needed"),
    (ASKED, {"skew_ms": "0"}, "skew_ms is no whole number of milliseconds; one is needed"),
    (ASKED, {"skew_ms": True}, "skew_ms is no whole number of milliseconds; one is needed"),
    (ASKED, {"as_of": "soon"}, "as_of is no moment; an ISO time (2026-11-21T10:00:00Z) is needed"),
    ("@nowhere.json", None, "nowhere.json: cannot be read; a JSON file is needed"),
]


@pytest.mark.parametrize(("asked", "known", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_call_is_one_line(
    asked: Any, known: Any, message: str, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read is named with what is needed, exit 2, no traceback."""
    code, out, err = _check(policy, capsys, asked, known)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[0]


def test_files_are_read_with_a_bound(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`@FILE` reads JSON from a file, of at most a megabyte."""
    small, large = tmp_path / "order.json", tmp_path / "large.json"
    small.write_text(json.dumps(ASKED))
    large.write_text(" " * 1_000_001)
    assert _check(policy, capsys, f"@{small}")[0] == 0
    code, _, err = _check(policy, capsys, f"@{large}")
    assert (code, "over 1000000 bytes; a smaller file is needed" in err) == (2, True)


def test_position_below_zero_counts_for_sells() -> None:
    """A short is closed by a buy and grown by a sell: the trial counts both sides as a store does."""
    made = engine({"rate_budgets": None}, None)
    given = trial.read_facts({**KNOWN, "positions": {"BTC": "-0.3"}}, "USDT", NOW)
    denied, _ = trial.decide_once(made, order(side="sell", quantity="0.04", price="60000"), given, NOW)
    assert [reason.code for reason in denied.reasons] == ["RISK_ORDER_NOTIONAL", "RISK_POSITION"]
    grown, _ = trial.decide_once(made, order(side="sell", quantity="0.02", price="60000"), given, NOW)
    allowed, _ = trial.decide_once(made, order(), given, NOW)
    assert ([r.code for r in grown.reasons], allowed.outcome, allowed.reduces) == ([], "allow", True)


def test_empty_facts_are_unknown() -> None:
    """Given nothing, nothing is known."""
    assert trial.read_facts({}, "USDT", NOW) == trial.Given(Facts(), {})
    assert trial.read_order({}) == Order("", None, None, None)


def test_positions_that_are_given_are_added_up() -> None:
    """A check counts the positions of the facts into every total, as a guard's store does; `used` says it otherwise."""
    made = engine(TOTALS)
    known = {**KNOWN, "positions": {"BTC/USDT": "0.1", "ETH/USDT": "1", "USDT": "100"}}
    given = trial.read_facts(known, "USDT", NOW)
    allowed, assessment = trial.decide_once(made, order(), given, NOW)
    assert allowed.reasons == ()
    out = trial.report(made, allowed, assessment, given).splitlines()[2:8]
    assert out == [
        "  holds 0.11 without a limit: binance/main|position|BTC",
        "  holds 6600 of 7000: binance/main|asset|BTC|gross",
        "  holds 9600 of 20000: binance/main|gross",
        "  holds 9600 of 15000: binance/main|net",
        "  holds 9600 of 10000: group|desk|USDT|gross",
        "  holds 2 of 2: binance/main|positions|BTC",
    ]
    used = trial.read_facts({**known, "used": {"group|desk|USDT|gross": 94_000_001}}, "USDT", NOW)
    denied, _ = trial.decide_once(made, order(), used, NOW)
    assert [reason.message for reason in denied.reasons] == [
        "gross exposure of group desk would be 10,000.0001 of max_gross_exposure 10,000.00 USDT"
    ]
    short = trial.read_facts({**KNOWN, "positions": {"BTC": "0.1", "ETH/USDT:USDT": "-3"}}, "USDT", NOW)
    denied, _ = trial.decide_once(made, order(), short, NOW)
    assert [reason.message for reason in denied.reasons if reason.code == "PRICE_MISSING"] == [
        "ETH/USDT:USDT is held and no price of it was observed, so no total counts it"
    ] * 5
