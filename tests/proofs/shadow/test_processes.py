"""Two bots in processes of their own, a person's commands in a third, on one file: only the store is shared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.policy import load
from tests.guard.world import SYMBOL, policy_text

#: A bot that does one thing for each line that it reads, and says one line of it.
BOT = f"""
import sys
from decimal import Decimal
from policykit.errors import Denied
from policykit.guard import Guard
from policykit.order import Order
from policykit.orders.intent import Outcome

guard = Guard.load(sys.argv[1], testing=True)
guard.recovered = guard.looping = True
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    marks = {{"{SYMBOL}": "60000"}}
    guard.observe(equity="100000 USDT", positions={{}}, marks=marks, net_transfers="0 USDT", skew_ms=3)
    if word == "round":
        guard.in_force.refresh()
        guard.beside.refresh()
        guard.beat()
        print(guard.policy.version, guard.shadow.run if guard.shadow else "-", flush=True)
    else:
        try:
            admitted = guard.decide(Order("{SYMBOL}", "buy", "limit", Decimal(number) / 60000, Decimal(60000)))
            guard.settle(admitted, Outcome("not_sent", guard.now(), closed=True))
            print("sent", flush=True)
        except Denied as denied:
            print(denied.decision.reasons[0].code, flush=True)
"""


@pytest.fixture
def bots(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[str], str]]]:
    """Give a starter of bots: each is asked by a line, and answers by one."""
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{folder}/store.db")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    running: list[subprocess.Popen[str]] = []

    def begin(name: str) -> Callable[[str], str]:
        command = [sys.executable, "-c", BOT, str(folder / "mm.yaml")]
        env = {**os.environ, "POLICYKIT_BOT": name}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        running.append(process)

        def ask(line: str) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        return ask

    yield begin
    for process in running:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_a_candidate_in_two_live_processes(
    bots: Callable[[str], Callable[[str], str]], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both judge by it without a restart, the report counts both, promoting names both, and both take it."""
    active, next_ = folder / "mm.yaml", folder / "next.yaml"
    active.write_text(policy_text(), encoding="utf-8")
    next_.write_text(policy_text(order="1000 USDT"), encoding="utf-8")
    first, second = bots("mm-1"), bots("mm-2")
    assert (first("round"), second("round")) == (f"{load(active).version} -",) * 2
    who = ("--by", "alice", "--why", "OPS-7")
    assert main(["shadow", "start", str(next_), *who]) == 0
    said = first("round"), second("round")
    assert said[0] == said[1]
    assert said[0].endswith(load(next_).version)
    assert [first("order 1200"), second("order 900"), second("order 1300"), first("order 1600")] == [
        *("sent", "sent", "sent"),
        "RISK_ORDER_NOTIONAL",
    ]
    capsys.readouterr()
    assert main(["shadow", "report"]) == 1
    report = capsys.readouterr().out
    assert "judged: 4 decisions of 2 bots on 1 host" in report
    assert "risk.max_order_notional: 2 allowed orders would be denied, 2,500.00 USDT" in report
    assert main(["status"]) == 0
    assert "2 of 2 live guards judge by it" in capsys.readouterr().out
    assert main(["shadow", "promote", *who]) == 1
    assert "not tried enough: 1 day asked" in capsys.readouterr().err
    active.write_text(next_.read_text(encoding="utf-8"), encoding="utf-8")  # as promoting writes it, without its wait
    assert (first("round"), second("round")) == (f"{load(next_).version} -",) * 2
    assert main(["shadow", "promote", *who, "--early"]) == 0
    told = capsys.readouterr().out
    assert f"{active}: says mm {load(next_).version} already" in told
    assert told.count("has it") == 2
    assert (first("order 1200"), second("order 900")) == ("RISK_ORDER_NOTIONAL", "sent")
