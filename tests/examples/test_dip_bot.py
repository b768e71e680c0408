"""A bot that nobody wrote for policykit, as it is and behind a policy: what it sends, catches and retries."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ccxt
import pytest

from policykit import Guard
from policykit.clock import SystemClock
from policykit.testing import Sim, SimClock, point

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = (EXAMPLES / "dip_bot.py").read_text(encoding="utf-8")
#: What a user writes into it: where, and what.
THREE = (
    ("import ccxt\n", "import ccxt\n\nfrom policykit import Guard  # 1\n"),
    (
        "    for _ in range(",
        """\
    with Guard.load("policy.yaml", endpoint=os.environ["ENDPOINT"]) as guard:  # 2
        exchange = guard.protect(exchange)  # 3
    for _ in range(""",
    ),
)


def policy(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """Write the examples' policy, with stops allowed, into a folder; return its path."""
    text = (EXAMPLES / "ccxt_bot.yaml").read_text(encoding="utf-8")
    for old, new in (("[limit, market]", "[limit, market, stop_loss_limit]"), *changes):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(text: str, monkeypatch: pytest.MonkeyPatch, sim: Sim) -> ModuleType:
    """Make a module of a bot's source whose clients go to the simulated exchange, and whose sleep is the exchange's."""
    module = ModuleType("dip_bot")
    exec(compile(text, "dip_bot.py", "exec"), module.__dict__)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sim.clock.sleep))
    monkeypatch.setattr(ccxt, "binance", _clients_of(sim))
    monkeypatch.setenv("BOT_API_KEY", sim.key)
    monkeypatch.setenv("BOT_API_SECRET", sim.secret)
    monkeypatch.setenv("ENDPOINT", sim.url)
    return module


def _clients_of(sim: Sim) -> Any:
    class Pointed(ccxt.binance):  # type: ignore[misc]
        """Stock ccxt's, of another origin and on the exchange's clock."""

        def __init__(self, config: Any = None) -> None:
            super().__init__({**(config or {}), "enableRateLimit": False})
            if config and "apiKey" in config:
                point(self, sim.url)
                if isinstance(sim.clock, SimClock):
                    sim.clock.follow(self)

    return Pointed


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give an exchange with a flat market, on the machine's clock."""
    with Sim(clock=SystemClock(), seed=1, amplitude=0) as started:
        yield started


def test_three_lines_protect_it(
    sim: Sim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them 30,000 USDT are bought; with them it is told why not, and within the cap it trades as before."""
    monkeypatch.chdir(tmp_path)
    policy(tmp_path)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    protected = SOURCE
    for place, text in THREE:
        assert protected.count(place) == 1
        protected = protected.replace(place, text)
    head, _, loop = protected.partition("  # 3\n")
    protected = head + "  # 3\n" + "".join(f"    {line}\n" for line in loop.partition("\n\n\nif")[0].splitlines())
    added = [line for line in protected.splitlines() if line.strip() not in {x.strip() for x in SOURCE.splitlines()}]
    assert len(added) == 3
    monkeypatch.setenv("STAKE", "30000")
    loaded(SOURCE, monkeypatch, sim).main()
    assert [order.new.side for order in sim.venue.orders.values()] == ["BUY", "SELL", "SELL"]
    before = len(sim.venue.orders)
    loaded(protected, monkeypatch, sim).main()
    assert len(sim.venue.orders) == before
    said = capsys.readouterr().out
    assert (
        "skipped this round: ClientDenied order.create denied: order notional 31,500.00 USDT (at market, counted 5% "
        in said
    )
    assert "policy.yaml:29:23" in said
    assert "to do: send at most the cap" in said
    monkeypatch.setenv("STAKE", "500")
    loaded(protected, monkeypatch, sim).main()
    assert [order.new.type for order in list(sim.venue.orders.values())[before:]] == [
        "MARKET",
        "STOP_LOSS_LIMIT",
        "MARKET",
    ]
    assert capsys.readouterr().out == "bought 0.00833\nsold 0.00832\n"


def test_one_word_protects_it(sim: Sim, tmp_path: Path) -> None:
    """`policykit run --` before the command: the same file, not a line of it changed."""
    path = policy(tmp_path)
    env = {**os.environ, "BOT_API_KEY": sim.key, "BOT_API_SECRET": sim.secret, "STAKE": "30000", "ROUNDS": "2"}
    env |= {"POLICYKIT_STORE": f"sqlite:///{tmp_path}/store.db"}
    run = (sys.executable, "-m", "policykit.cli", "run", "--policy", str(path), "--endpoint", sim.url, "--")
    command = (*run, sys.executable, str(EXAMPLES / "dip_bot.py"))
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("skipped this round: ClientDenied order.create denied: order notional 31,500.00 USDT") == 2
    assert sim.truth.executed == []


# ---- what it catches


class Counting:
    """A bot behind a policy on a simulated clock."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sim: Sim, *changes: tuple[str, str], stake: str = "500"
    ) -> None:
        monkeypatch.setenv("STAKE", stake)
        self.module = loaded(SOURCE, monkeypatch, sim)
        path = policy(tmp_path, *changes)
        self.guard = Guard.load(path, store="memory:", clock=sim.clock, endpoint=sim.url)
        self.client = self.guard.protect(ccxt.binance({"apiKey": sim.key, "secret": sim.secret}))
        self.client.load_markets()
        self.guard.maintain()

    def decided(self) -> list[str]:
        """Return the first reason of each decision, or that it was allowed."""
        rows = [row.body["decision"] for row in self.guard.store.rows(0, 10_000) if row.kind == "decision"]
        return [row["reasons"][0]["code"] if row["outcome"] == "deny" else "allow" for row in rows]


def test_a_retry_loop_sends_a_denied_order_once_to_be_decided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loops repeat what is a NetworkError; a denial is none, so it is decided once and caught as ccxt's BaseError."""
    with Sim(clock=SimClock(), seed=1, amplitude=0) as sim:
        bot = Counting(monkeypatch, tmp_path, sim, stake="30000")
        with pytest.raises(ccxt.BaseError) as denied:
            bot.module.trade(bot.client)
        assert isinstance(denied.value, ccxt.InvalidOrder)
        assert not isinstance(denied.value, ccxt.NetworkError)
        assert bot.decided() == ["RISK_ORDER_NOTIONAL"]
        assert capsys.readouterr().out == ""
        assert sim.truth.executed == []


def test_control_a_denial_that_were_a_network_error_is_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check can fail: of that class the same loop decides five times."""
    from policykit.guard import client_errors, steps

    class Wrong(client_errors.ClientDenied, ccxt.NetworkError):  # type: ignore[misc]
        """A denial in a class that bots retry."""

    with Sim(clock=SimClock(), seed=1, amplitude=0) as sim:
        bot = Counting(monkeypatch, tmp_path, sim, stake="30000")
        monkeypatch.setattr(steps, "client_denied", Wrong)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            bot.module.trade(bot.client)
        assert bot.decided() == ["RISK_ORDER_NOTIONAL"] * 5
        assert capsys.readouterr().out.count("network, trying again") == 5


def test_a_read_over_the_budget_makes_it_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ReadWaits, which its handler waits on: no request leaves over the budget, and the trade is made after."""
    waits = ("retry:\n", "retry:\n  data: {wait_initial: 500ms, factor: 2, wait_max: 1s, jitter: full, attempts: 5}\n")
    with Sim(clock=SimClock(1_795_255_250_000), seed=1, amplitude=0) as sim:
        bot = Counting(monkeypatch, tmp_path, sim, waits)
        bot.guard.banned(sim.clock.now_ms() + 3_000)
        asked = sim.truth.requests.total()
        bot.module.patiently(bot.client.fetch_ticker, "BTC/USDT")
        assert capsys.readouterr().out.count("busy, waiting: ReadWaits") == 2
        assert sim.truth.requests.total() == asked + 1


def test_an_order_in_a_ban_is_denied_and_not_retried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its loop would send it into the ban again and again: a denial is no reason to wait, as that of a read is."""
    with Sim(clock=SimClock(), seed=1, amplitude=0) as sim:
        bot = Counting(monkeypatch, tmp_path, sim)
        bot.guard.banned(sim.clock.now_ms() + 60_000)
        with pytest.raises(ccxt.InvalidOrder):
            bot.module.patiently(bot.client.create_order, "BTC/USDT", "market", "buy", 0.001)
        assert bot.decided() == ["RATE_BANNED"]


def test_an_unknown_outcome_is_never_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither found nor proved absent: no NetworkError, so its loop does not send the order again."""
    hold = ("when_absent: new_client_order_id", "when_absent: hold, wait: 3s")
    faults = ({"at": "order", "do": "drop", "when": [1]}, {"at": "lookup", "do": "drop"})
    with Sim(clock=SimClock(), seed=1, amplitude=0, faults=faults) as sim:
        bot = Counting(monkeypatch, tmp_path, sim, hold)
        with pytest.raises(ccxt.BaseError) as unknown:
            bot.module.trade(bot.client)
        assert type(unknown.value).__name__ == "ClientOutcomeUnknown"
        assert bot.decided() == ["allow"]
        assert sim.truth.by_route["POST /api/v3/order"] == 0
        assert [fault[1:] for fault in sim.truth.faults if fault[1] == "order"] == [("order", 1, "drop")]
        assert "again" not in capsys.readouterr().out
