"""The demo's comparison on a simulated clock: what `policykit demo` shows in real time, over many seeds."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from policykit.cli.demo import command as demo_command
from policykit.decision import Decision, Reason
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.telemetry import Scope, Telemetry
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector, configure
from policykit.testing import SimClock, demo
from policykit.testing.demo import halting, linting
from policykit.testing.demo.linting import show_lint
from policykit.testing.demo.tracing import show_trace
from policykit.testing.demo.trading import compare, show_comparison

FIRST_SEED = 7


@pytest.mark.prove
def test_behind_the_policy_nothing_is_doubled_over_the_cap_or_banned(
    tmp_path: Path, tier: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under every seed the bare bot doubles orders, and the guarded one keeps cap and allowance and doubles none."""
    monkeypatch.setenv("MM_EXEC_API_KEY", "")
    monkeypatch.setenv("MM_EXEC_API_SECRET", "")
    worst_bare = 0
    for seed in range(FIRST_SEED, FIRST_SEED + tier(1, 20)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        shutil.copy(Path(linting.__file__).parent / "repaired.yaml", folder)
        result = compare(folder, f"sqlite:///{folder}/store.db", seed, lambda _: None, SimClock())
        said: list[str] = []
        assert show_comparison(result, said.append) is None, (seed, said)
        assert result.guarded.unknown_left == 0
        assert result.guarded.executed * 3 >= result.guarded.meant
        worst_bare = max(worst_bare, result.bare.duplicates)
    assert worst_bare >= 5


def test_the_demo_lint_catches_the_faulty_pair_and_passes_the_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each planted fault is found, and the repaired policy with a careful key ends clean."""
    monkeypatch.setenv("MM_EXEC_API_KEY", "")
    monkeypatch.setenv("MM_EXEC_API_SECRET", "")
    said: list[str] = []
    assert show_lint(said.append, tmp_path) is None
    assert any("enableWithdrawals: true" in text for text in said)
    monkeypatch.setattr(linting, "KEY_AGE_DAYS", 3)
    assert show_lint(said.append, tmp_path) == "the faulty policy was not caught at PK302"


def test_the_demo_kills_a_run_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`policykit kill`, run as another process, stops what increases, cancels entries and lets a sale through."""
    monkeypatch.setenv("MM_EXEC_API_KEY", "")
    monkeypatch.setenv("MM_EXEC_API_SECRET", "")
    monkeypatch.setattr(halting, "BEFORE_S", 1.5)
    monkeypatch.setattr(halting, "AFTER_S", 0.5)
    monkeypatch.setattr(halting, "STEPS", 12)
    shutil.copy(Path(linting.__file__).parent / "repaired.yaml", tmp_path)
    said: list[str] = []
    assert halting.show_halt(said.append, tmp_path, f"sqlite:///{tmp_path}/store.db", FIRST_SEED) is None
    text = "\n".join(said)
    assert "HALTED account:binance/main" in text
    assert "0 after it returned" in text
    assert "while halted: passed" in text


class Spans:
    """What the demo's recorder gives: finished spans."""

    def __init__(self, decisions: tuple[Decision, ...], intents: tuple[Intent, ...]) -> None:
        collector = Collector()
        provider = configure(processors=(collector,), install=False)
        telemetry = Telemetry(tracer_provider=provider, relay=Relay(deferred=False))
        scope = Scope(exchange="binance", account="main", stage="full-live", backend="memory")
        for decision in decisions:
            telemetry.record(decision, scope)
        for intent in intents:
            telemetry.sent(intent, scope)
        self._spans = list(collector.spans)

    def spans(self) -> list[Any]:
        return self._spans


def test_the_demo_draws_one_denied_and_one_sent_order() -> None:
    """Both trees are printed; what was not traced is said and fails the part."""
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60_000))
    allow = Decision("A", "allow", "enforce", "order.create", order, "mm", "sha256:0", "bot", 1)
    reason = Reason("RISK_POSITION", "risk.max_position_notional", "too much")
    deny = Decision("D", "deny", "enforce", "order.create", order, "mm", "sha256:0", "bot", 1, (reason,))
    sent = Intent("A", "binance/main", order, "pkA", "order", (), False, "bot", "h", 1, 1, 2, 3, "acknowledged")
    said: list[str] = []
    assert show_trace(Spans((allow, deny), (sent,)), said.append) is None  # type: ignore[arg-type]
    assert "RISK_POSITION" in said[0]
    assert "policykit.send order.create" in said[1]
    assert show_trace(Spans((allow,), (sent,)), said.append) == "no denied order was traced"  # type: ignore[arg-type]
    assert show_trace(Spans((deny,), ()), said.append) == "no sent order was traced"  # type: ignore[arg-type]


@pytest.mark.parametrize(("why", "code"), [(None, 0), ("the faults did not strike", 1)])
def test_the_demo_command_ends_with_what_came_out(monkeypatch: pytest.MonkeyPatch, why: str | None, code: int) -> None:
    """Each part is judged by name; exit code 0 only if all came out as they should."""
    for name, answer in (("show_lint", None), ("show_halt", None), ("show_trace", None), ("show_comparison", why)):
        monkeypatch.setattr(demo, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(demo, "compare", lambda *_: None)
    monkeypatch.setattr(demo, "Recorder", lambda: None)
    monkeypatch.setenv("POLICYKIT_STORE", "")
    logger = logging.getLogger("policykit")
    level = logger.level
    try:
        ended = CliRunner().invoke(demo_command, ["--seed", "3"])
    finally:
        logger.setLevel(level)  # the command quietens its own process; here others go on in it
    assert ended.exit_code == code
    assert ("trading       NOT AS IT SHOULD BE: the faults did not strike" in ended.output) is (why is not None)
    assert "kill switch   as it should be" in ended.output


def test_the_demo_leaves_its_journal_where_it_is_told_to_and_says_how_to_look_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line opens the page on what just happened; a folder in use is not written into."""
    for name in ("show_lint", "show_halt", "show_trace", "show_comparison", "compare"):
        monkeypatch.setattr(demo, name, lambda *_: None)
    monkeypatch.setattr(demo, "Recorder", lambda: None)
    monkeypatch.setenv("POLICYKIT_STORE", "")
    said: list[str] = []
    demo.run(said.append, keep=tmp_path)
    assert f"policykit dashboard --store sqlite:///{tmp_path}/store.db" in said
    (tmp_path / "used").touch()
    ended = CliRunner().invoke(demo_command, ["--keep", str(tmp_path)])
    assert (ended.exit_code, ended.output) == (1, f"Error: {tmp_path}: is not empty; a new or empty folder is needed\n")
