"""The first tests that `policykit init` writes: they pass at once, and notice a cap that is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.exchanges.about import ids
from tests.operate import test_init_freqtrade as from_freqtrade
from tests.operate import test_init_history as from_history
from tests.operate.conftest import Run

ANY_BUT_BTC = {"pair_whitelist": [".*/USDT"], "pair_blacklist": ["BTC/.*"]}
CONFIGS: dict[str, dict[str, Any]] = {
    "a dry run": {},
    "pairs": {"exchange": {"pair_whitelist": ["ETH/USDT", "SOL/USDT"]}},
    "a pattern, and a coin that it leaves out": {"exchange": ANY_BUT_BTC},
    "live futures": {
        "dry_run": False,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_amount": 100,
        "exchange": {"pair_whitelist": ["BTC/USDT:USDT"]},
    },
    "another currency": {"stake_currency": "EUR", "exchange": {"name": "kraken", "pair_whitelist": ["XBT/EUR"]}},
}  # fmt: skip


def _passes(capsys: pytest.CaptureFixture[str]) -> str:
    """Run what was written; return what went wrong."""
    code = main(["test"])
    out, err = capsys.readouterr()
    assert code in (0, 1, 2)
    return "" if code == 0 and "4 tests in 1 file" in out else out + err


def test_they_pass_for_any_exchange(
    run: Run, capsys: pytest.CaptureFixture[str], tier: Callable[[int, int], int]
) -> None:
    """A starter for any ccxt id has four tests, and they pass."""
    for exchange in ids()[:: max(1, 104 // tier(10, 104))]:
        assert run("init", f"at-{exchange}", "--exchange", exchange, "--ci", "none").code == 0
        assert main(["test", f"at-{exchange}"]) == 0, exchange
        assert "4 tests in 1 file" in capsys.readouterr().out


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "ETH/BTC", "BTC/USD:BTC", "SOL/USDC"])
def test_they_pass_for_any_market(run: Run, capsys: pytest.CaptureFixture[str], symbol: str) -> None:
    """Contracts, linear and inverse, and pairs of other currencies have the facts that they need."""
    exchange = "okx" if symbol == "BTC/USD:BTC" else "binance"  # no guard trades those on binance
    assert run("init", "--exchange", exchange, "--symbol", symbol, "--ci", "none").code == 0
    assert _passes(capsys) == ""


@pytest.mark.parametrize("name", CONFIGS)
def test_they_pass_for_a_freqtrade_config(run: Run, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """What a bot's config proposes is tested on a market that it trades, at its stage."""
    assert from_freqtrade.init(run, from_freqtrade.config(**CONFIGS[name])).code == 0
    assert _passes(capsys) == ""


def test_they_pass_for_a_history(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Caps that follow from own trades are tested, too."""
    rows = "".join(f"2026-11-{day:02}T10:00:00Z,ETH/USDT,buy,0.1,3000,300,o{day}\n" for day in range(1, 21))
    assert from_history.init(run, from_history.CCXT + rows).code == 0
    assert _passes(capsys) == ""


@pytest.mark.parametrize("cap", ["max_order_notional", "symbols", "daily_loss"])
def test_a_cap_that_is_gone_is_noticed(run: Run, capsys: pytest.CaptureFixture[str], cap: str) -> None:
    """Control: without the cap the first tests fail."""
    run("init", "--exchange", "binance", "--ci", "none")
    file = Path("policies/binance.yaml")
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"  {cap}:")]
    file.write_text("\n".join(lines) + "\n")
    assert main(["test"]) == 1
    assert "failed: " in capsys.readouterr().out


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_ci_file_runs_them(run: Run, ci: str) -> None:
    """Each push runs the policies' tests."""
    run("init", "--exchange", "binance", "--ci", ci)
    (file,) = list(Path().glob(".git*/**/policykit.yml"))
    assert "policykit test policies" in file.read_text()


def test_a_test_file_that_is_there_is_not_overwritten(run: Run) -> None:
    """Like any file in the way: nothing is written."""
    Path("policies").mkdir()
    Path("policies/binance.test.yaml").write_text("mine")
    said = run("init", "--exchange", "binance")
    assert (said.code, "policies/binance.test.yaml" in said.err) == (2, True)
    assert sorted(path.name for path in Path("policies").iterdir()) == ["binance.test.yaml"]
