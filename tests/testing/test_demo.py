"""The demo's comparison on a simulated clock: what `policykit demo` shows in real time, over many seeds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.testing import SimClock
from policykit.testing.demo import linting
from policykit.testing.demo.linting import show_lint
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
