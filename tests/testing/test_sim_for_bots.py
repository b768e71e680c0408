"""What users' own tests get: the fixture, the clients, the ground truth, and a bot that shows what they are for."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import ccxt
import pytest

from policykit.sim.faults import DEMO
from policykit.testing import Sim, SimClock, point, terms


@pytest.fixture
def market_maker(top: Path) -> ModuleType:
    """Load examples/market_maker.py as it stands."""
    spec = importlib.util.spec_from_file_location("market_maker", top / "examples" / "market_maker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_fixture_is_a_started_exchange_on_simulated_time(policykit_sim: Sim) -> None:
    """`policykit_sim` needs no import and no set-up: a client of it trades at once."""
    assert policykit_sim.client().create_order("BTC/USDT", "market", "buy", 0.01)["status"] == "closed"
    assert policykit_sim.position("BTC") == Decimal("0.00999")
    assert isinstance(policykit_sim.clock, SimClock)


def test_pointing_moves_every_url_and_nothing_else() -> None:
    """Paths are kept, the main host needs no prefix, every other host has one."""
    client: Any = ccxt.binance()
    before = dict(client.urls["api"])
    assert point(client, "http://127.0.0.1:9/") is client
    after = client.urls["api"]
    assert (after["private"], after["sapi"]) == ("http://127.0.0.1:9/api/v3", "http://127.0.0.1:9/sapi/v1")
    assert after["fapiPublic"] == "http://127.0.0.1:9/@fapi.binance.com/fapi/v1"
    assert {name: url.rpartition("/@")[2].partition("/")[2] for name, url in after.items() if "/@" in url} == {
        name: url.partition("//")[2].partition("/")[2] for name, url in before.items() if "//api.binance.com" not in url
    }


def test_terms_name_an_order_as_the_truth_does(policykit_sim: Sim) -> None:
    """What a bot meant, written with `terms`, is compared with what was executed."""
    policykit_sim.client().create_order("BTC/USDT", "limit", "buy", 0.010, 50_000.0)
    assert policykit_sim.truth.per_tag() == {terms("BTC/USDT", "buy", 0.01, 50_000): 1}
    assert terms("BTC/USDT", "SELL", "1.50", None) == "BTC/USDT sell 1.5 @ market"


def play(bot_module: ModuleType, seed: int, steps: int = 20) -> tuple[Sim, Any]:
    """Run the naive bot under the demo's faults on simulated time; return the exchange and the bot."""
    clock = SimClock()
    with Sim(clock=clock, seed=seed, faults=DEMO, latency=0.005) as sim:
        now = lambda: clock.monotonic_ms() / 1000  # noqa: E731 - the shape of time.monotonic
        bot = bot_module.MarketMaker(sim.client(), sleep=clock.sleep, now=now)
        bot.run(steps)
        clock.sleep(30)
        return sim, bot


def test_the_naive_bot_doubles_orders_and_is_banned(market_maker: ModuleType) -> None:
    """The README's bot, untouched, under the demo's faults: duplicates, a ban, far too much held."""
    sim, bot = play(market_maker, seed=1, steps=40)
    meant = Counter(terms(*order) for order in bot.meant)
    assert sim.truth.duplicates(meant) > 0
    assert sim.truth.worst_minute()[1] > 6_000
    assert sim.truth.bans >= 1
    assert sim.truth.max_position_notional("BTC") > 20_000


def test_the_naive_bot_replays_by_seed(market_maker: ModuleType) -> None:
    """Two runs of one seed meet the same faults and end the same, to the last fill."""
    first, second = (play(market_maker, seed=3, steps=8)[0].truth for _ in range(2))
    assert first.positions == second.positions
    assert first.summary() == second.summary()


def test_every_seed_is_bad_for_the_naive_bot(market_maker: ModuleType) -> None:
    """The demo's faults hurt the bare bot under each of several seeds, so that its left column never looks good."""
    for seed in range(2, 4):
        sim, bot = play(market_maker, seed)
        meant = Counter(terms(*order) for order in bot.meant)
        assert (sim.truth.duplicates(meant) > 0, sim.truth.bans > 0) == (True, True), seed


def test_the_example_does_not_know_policykit(top: Path) -> None:
    """The bot is plain ccxt: it imports nothing of ours and starts from the environment."""
    text = (top / "examples" / "market_maker.py").read_text()
    assert "policykit" not in text.replace("It knows nothing of policykit", "")
    assert len(text.splitlines()) <= 80


def test_importing_the_helpers_loads_no_ccxt() -> None:
    """`policykit.testing` and its plugin are cheap: ccxt is loaded when the first client is made."""
    import subprocess

    code = "import sys, policykit.testing, policykit.testing.plugin; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clients_of_one_exchange_are_apart(policykit_sim: Sim) -> None:
    """Two clients have their own URLs and options; a second key opens the same account."""
    first, second = policykit_sim.client(), policykit_sim.client(timeout=123)
    assert (first.timeout, second.timeout) == (10_000, 123)
    other = policykit_sim.add_key(90)
    third = policykit_sim.client(apiKey=other.key, secret=other.secret)
    placed = [c.create_order("BTC/USDT", "limit", "buy", 0.01, 40_000)["id"] for c in (first, second, third)]
    assert placed == ["1", "2", "3"]
    assert len(list(itertools.chain(third.fetch_open_orders("BTC/USDT")))) == 3
