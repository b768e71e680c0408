"""Messages about a cause that was over: what comes after it is news."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.guard.telling import Watch
from tests.guard.world import policy_text, world
from tests.notify.receivers import webhook

MINUTE_MS = 60_000
TOLD, OVER = "policykit binance/main: trading is stopped", "policykit binance/main: over: trading is stopped"


@pytest.mark.parametrize("later_ms", [MINUTE_MS, -60 * MINUTE_MS])
def test_a_halt_after_one_that_was_lifted_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later_ms: int
) -> None:
    """The last word was that it is over: it stood for a quarter of an hour, and longer where a clock stepped back."""
    with (
        webhook() as hook,
        world(tmp_path, text=policy_text() + 'notify: {targets: {ops: {secret: "env://OPS"}}}\n') as made,
    ):
        monkeypatch.setenv("OPS_URL", hook.url())
        guard = made.guard()
        now = [guard.now()]
        watches = [Watch(guard.store, lambda: now[0], who=who) for who in ("one", "two")]

        def round_of_each() -> None:
            for watch in watches * 2:
                watch.round(guard.engine)

        guard.store.halt("all", "HALTED", "ops", "first", now[0])
        round_of_each()
        guard.store.resume("all", "ops", "mended", now[0])
        round_of_each()
        now[0] += later_ms
        guard.store.halt("all", "HALTED", "risk.daily_loss", "3% is lost", now[0])
        round_of_each()
        for watch in watches:
            watch.close()
        assert sorted(got["title"] for got in hook.got) == sorted([TOLD, OVER, TOLD])
