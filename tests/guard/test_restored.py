"""A store that was restored from a backup, at the guard: increases wait for a named person, exits do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.errors import Denied
from tests.guard.world import SYMBOL, World

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.001, 62_000)


def test_a_restored_store_lets_exits_pass_until_it_is_re_armed(
    start: Callable[..., World], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Backup, two more orders, restore: a buy is STORE_RESET and says what to do, a sale passes; resume lifts it."""
    world = start(balances={"USDT": Decimal(99_000), "BTC": Decimal("0.01")})
    copy, path = tmp_path / "copy.db", Path(world.store.removeprefix("sqlite://"))
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*BUY)
    assert main(["journal", "backup", str(copy), "--store", world.store]) == 0
    client.create_order(*BUY)
    guard.store.close()
    for file in path.parent.glob("store.db*"):
        file.unlink()
    shutil.copy(copy, path)
    again = world.guard()
    client = world.protected(again)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    (reason,) = denied.value.decision.reasons
    assert reason.code == "STORE_RESET"
    assert "is a backup as of row" in reason.message
    assert "reconcile, then `policykit resume --scope all`" in reason.message
    assert client.create_order(*SELL)["status"] == "open"
    arguments = ["resume", "--store", world.store, "--scope", "all", "--why", "reconciled", "--by"]
    assert main([*arguments, "mallory"]) == 1
    assert main([*arguments, "desk-head"]) == 0
    assert "1 halt lifted for all by desk-head" in capsys.readouterr().out
    assert client.create_order(*BUY)["status"] == "open"
