"""The example bot on ccxt, run as its user runs it, on a simulated exchange."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from policykit import Guard
from policykit.testing import Sim, SimClock

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture
def bot() -> ModuleType:
    """Load the example."""
    spec = importlib.util.spec_from_file_location("ccxt_bot", EXAMPLES / "ccxt_bot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_three_lines_protect_it() -> None:
    """What was added to the bot is marked, and is three lines."""
    lines = (EXAMPLES / "ccxt_bot.py").read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if line.rstrip().endswith(("# 1", "# 2", "# 3"))]
    assert [line.strip() for line in marked] == [
        "from policykit import Guard  # 1",
        "with Guard.load(POLICY) as guard:  # 2",
        "exchange = guard.protect(exchange)  # 3",
    ]
    assert sum("guard" in line.lower() for line in lines) == len(marked)


def test_it_trades_and_is_told_what_it_may_not(
    bot: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dip is bought; with a stake over the cap the same dip is refused in words, and the bot goes on."""
    clock = SimClock()
    with Sim(clock=clock, seed=1, amplitude=0) as sim:
        monkeypatch.setenv("BOT_API_KEY", sim.key)
        monkeypatch.setenv("BOT_API_SECRET", sim.secret)
        guard = Guard.load(bot.POLICY, store=f"sqlite:///{tmp_path}/store.db", clock=clock, endpoint=sim.url)
        guard.maintain(sim.client())
        client = guard.protect(sim.client())
        monkeypatch.setattr(bot, "time", SimpleNamespace(sleep=clock.sleep))  # the module's: other threads sleep, too
        for stake in (500, 50_000):
            trader = bot.MeanReversion(client, stake=stake)
            monkeypatch.setattr(trader, "mean", lambda: 70_000)  # far above the price: a dip
            trader.run(2, pause=1.0)
        assert [str(order.new.quantity) for order in sim.venue.orders.values()] == ["0.00833", "0.00833"]
        said = capsys.readouterr().out
    assert said.count("refused: order.create denied:") == 2


def test_its_mean_is_the_mean_of_closes(bot: ModuleType) -> None:
    """It reads candles over stock ccxt."""
    with Sim(clock=SimClock(), seed=1, amplitude=0) as sim:
        assert bot.MeanReversion(sim.client()).mean() == 60_000
