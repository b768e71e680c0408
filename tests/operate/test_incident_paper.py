"""An incident of a key whose only policy is on paper: the key is real, so is the account that is acted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operate.incidents import desk, left, rest


@pytest.mark.parametrize("on_paper", [True, False])
def test_the_real_account_is_acted_on_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], on_paper: bool
) -> None:
    """A thief places real orders with it, whatever the stage is: they are cancelled, and told as real ones."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as found:
        policy = tmp_path / "policies" / "binance.yaml"
        if on_paper:
            policy.write_text(policy.read_text() + "stage: {current: paper, paper_balances: 1000 USDT}\n")
        rest(found.sims["binance"])
        found.start("--key", "binance-exec")
        (step,) = (step for name, step in found.steps().items() if name.startswith("cancel/"))
        assert (step["cancelled"], left(found.sims["binance"])) == (3, 0)
        assert ("this is the REAL account" in str(step)) == on_paper
        assert ("the REAL account" in found.incident("status").out) == on_paper
