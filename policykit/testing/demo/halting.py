"""Part 3: the kill switch, tripped by `policykit kill` from another process while the bot trades."""

from __future__ import annotations

import subprocess  # nosec B404 - our own command, in another process
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from policykit.guard import Guard
from policykit.testing import Sim
from policykit.testing.demo.bot import naive_bot
from policykit.testing.demo.linting import use
from policykit.testing.demo.trading import EDGE

SYMBOL: Final = "BTC/USDT"
#: The bot trades this long before the kill, and tries on this long after it, seconds.
BEFORE_S: Final = 3.0
AFTER_S: Final = 3.0
STEPS: Final = 60
#: The kill command may take this long, seconds; it waits for permits and for orders that are on their way.
KILL_TIMEOUT_S: Final = 60


def show_halt(say: Callable[[str], None], folder: Path, store: str, seed: int) -> str | None:
    """Kill in the middle of a run and print what happened at the exchange; return what did not come out right."""
    with Sim(seed=seed) as sim:
        use(sim.add_key())
        policy = folder / "repaired.yaml"
        with Guard.load(policy, store=store, testing=True, endpoint=sim.url) as guard:
            client = guard.protect(sim.client())
            ask = client.fetch_ticker(SYMBOL)["ask"]
            client.create_order(SYMBOL, "limit", "buy", 0.001, round(ask * 0.95, 2))
            bot = naive_bot()(client, SYMBOL, edge=EDGE)
            thread = threading.Thread(target=bot.run, args=(STEPS, 0.1), daemon=True)
            thread.start()
            time.sleep(BEFORE_S)
            command = ["kill", "--scope", "account:binance/main", "--by", "desk-head", "--why", "demo"]
            say("$ policykit " + " ".join(command))
            killed = _policykit([*command, "--policy", str(policy), "--store", store, "--endpoint", sim.url])
            halted_ms = guard.now()
            say(killed.stdout.rstrip())
            exit_order = _sell(client)
            time.sleep(AFTER_S)
            thread.join(timeout=AFTER_S * 10)
            return _judge(say, sim, halted_ms, killed.returncode, exit_order)


def _policykit(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "policykit.cli", *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command,  # nosec B603
        capture_output=True,
        text=True,
        timeout=KILL_TIMEOUT_S,
        check=False,
    )


def _sell(client: Any) -> str | None:
    """Place an order that only reduces, while trading is halted; return what kept it back."""
    bid = client.fetch_ticker(SYMBOL)["bid"]
    try:
        client.create_order(SYMBOL, "limit", "sell", 0.001, round(bid * 0.999, 2))
    except Exception as error:  # noqa: BLE001 - shown, and the part fails
        return str(error).splitlines()[0]
    return None


def _judge(say: Callable[[str], None], sim: Sim, halted_ms: int, code: int, exit_order: str | None) -> str | None:
    before = [e for e in sim.truth.executed if e.side == "buy" and e.time_ms <= halted_ms]
    after = [e for e in sim.truth.executed if e.side == "buy" and e.time_ms > halted_ms]
    reduced = "passed" if exit_order is None else f"was refused: {exit_order}"
    say(f"\nbuys taken by the exchange: {len(before)} before the kill, {len(after)} after it returned")
    say(f"a sale of what is held, while halted: {reduced}")
    wrong = []
    if after:
        wrong.append("orders that increase left after the kill")
    if not before:
        wrong.append("the bot had not traded before the kill")
    if exit_order is not None:
        wrong.append("an order that can only reduce was refused")
    if code != 0:
        wrong.append(f"policykit kill ended with exit code {code}")
    return "; ".join(wrong) or None
