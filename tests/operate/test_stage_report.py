"""`policykit stage report`: what became of orders at each stage, from rows of a store, in bounded memory."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.engine.facts import Quote
from policykit.operate.stages import report as module
from policykit.operate.stages.report import Figures, report
from policykit.store import Observation, open_store
from policykit.store.reader import JournalReader
from tests.store.lives import TEXT, begin, ordered, outcome, policy_at
from tests.store.made import ACCOUNT, NOW

PAPER, MICRO = policy_at("paper"), policy_at("micro-live")


def lived(store: Any) -> None:
    """Fill two orders of one at paper, at the market; half of each at micro-live, 10 and 30 of 10,000 worse."""
    store.observe(ACCOUNT, Observation(NOW, NOW, marks={"BTC/USDT": Decimal(1)}), NOW)
    quotes = {"BTC/USDT": Quote(Decimal(59_990), Decimal(60_010), NOW)}
    store.observe(ACCOUNT, Observation(NOW, NOW, quotes=quotes), NOW)
    begin(store, PAPER, NOW)
    for _ in range(2):
        done = outcome("acknowledged", filled="1", cost=Decimal(60_000), closed=True, took_ms=2.0)
        ordered(store, PAPER, NOW, outcome("acknowledged", took_ms=2.0), done)
    begin(store, MICRO, NOW)
    for worse in (60, 180):
        half = outcome("acknowledged", filled="0.5", cost=Decimal(30_000) + worse // 2, took_ms=80.0)
        ordered(store, MICRO, NOW, half, outcome("settled", filled="0.5", closed=True))
    ordered(store, MICRO, NOW, outcome("rejected"))
    ordered(store, MICRO, NOW, outcome("acknowledged"))
    ordered(store, policy_at("full-live"), NOW, outcome("acknowledged"))


def test_stages_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Orders that are out are counted as sent only; what was not measured is not shown as nothing."""
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    lived(store)
    store.close()
    file = tmp_path / "mm.yaml"
    file.write_text(TEXT.format(stage="paper", environment="live"), encoding="utf-8")
    asked = ["stage", "report", str(file), "--store", f"sqlite:///{path}"]
    assert main([*asked, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)["stages"]
    two = pytest.approx(2, rel=0.02)
    assert said["paper"] == {
        "orders": 2,
        "over": 2,
        "filled_wholly": 2,
        "filled_partly": 0,
        "fill_ratio": 1.0,
        "latency_ms": {"count": 2, "mean": 2.0, "median": two, "p95": two},
        "slippage_bps": {"count": 2, "mean": 0.0, "median": 0.0, "p95": 0.0},
    }
    micro = said["micro-live"]
    assert (micro["orders"], micro["over"], micro["filled_partly"], micro["fill_ratio"]) == (4, 3, 2, 0.3333)
    assert micro["slippage_bps"]["mean"] == 20.0
    assert micro["slippage_bps"]["p95"] == pytest.approx(30, rel=0.02)
    assert main(asked) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["paper", "micro-live"]
    assert table[5].split() == ["fill", "ratio", "1", "0.3333"]
    assert report(JournalReader(path), PAPER).measured["paper"].to_dict() == said["paper"]


def test_a_journal_without_orders_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to compare."""
    file = tmp_path / "mm.yaml"
    file.write_text(TEXT.format(stage="paper", environment="live"), encoding="utf-8")
    assert main(["stage", "report", str(file), "--store", f"sqlite:///{tmp_path}/store.db"]) == 0
    assert capsys.readouterr().out == "mm: no order of any stage is in this journal\n"


def test_a_sell_for_less_is_worse() -> None:
    """Slippage is a cost, whatever the side; quantiles hold to 2 %, also of negative figures."""
    figures = Figures()
    for value in (-5.0, -1.0, 0.0, 3.0, 100.0):
        figures.add(value)
    assert [round(figures.at(share) or 0, 1) for share in (0.2, 0.4, 0.6, 0.8, 1.0)] == pytest.approx(
        [-5, -1, 0, 3, 100], rel=0.02
    )
    assert Figures().at(0.5) is None
    store = open_store("memory:")
    begin(store, PAPER, NOW)
    store.observe(ACCOUNT, Observation(NOW, NOW, marks={"BTC/USDT": Decimal(60_000)}), NOW)
    done = outcome("acknowledged", filled="1", cost=Decimal(59_940), closed=True)
    ordered(store, PAPER, NOW, done, side="sell")
    assert report(store, PAPER).measured["paper"].slippage_bps.total == pytest.approx(10)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits the oldest price and order are forgotten."""
    monkeypatch.setattr(module, "MAX_OPEN", 1)
    monkeypatch.setattr(module, "MAX_SYMBOLS", 1)
    store = open_store("memory:")
    begin(store, PAPER, NOW)
    for symbol in ("BTC/USDT", "ETH/USDT"):
        store.observe(ACCOUNT, Observation(NOW, NOW, marks={symbol: Decimal(60_000)}), NOW)
    first, second = ordered(store, PAPER, NOW), ordered(store, PAPER, NOW)
    for order in (first, second):
        store.outcome(order, outcome("acknowledged", filled="1", cost=Decimal(60_000), closed=True))
    found = report(store, PAPER).measured["paper"]
    assert (found.orders, found.over, found.slippage_bps.count) == (2, 1, 0)
