"""A paper account on a simulated exchange: a policy at the paper stage, a key that may only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.guard.world import World, policy_text, world

#: What the account begins with.
BEGINS = "100000 USDT"


def paper_text(stage: str = "paper", begins: str = BEGINS, **changes: object) -> str:
    """Return the usual policy at the paper stage; its caps are wide, so that the paper exchange is what answers."""
    wide = {"order": "90000 USDT", "position": "95% of equity", "breach": "deny", **changes}
    text = policy_text(**wide).replace("3% of equity, day", "90% of equity, day")
    text = text.replace("purpose: execution", "purpose: tracking").replace("[read, trade.spot]", "[read]")
    return text + f"stage: {{current: {stage}, paper_balances: {begins}}}\n"


@contextmanager
def paper(tmp_path: Path, text: str | None = None, **setup: Any) -> Iterator[World]:
    """Start an exchange with a policy on paper."""
    with world(tmp_path, text=text or paper_text(), **setup) as w:
        yield w
