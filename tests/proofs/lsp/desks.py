"""Policies for the tests of the editor, and a cursor in them: `|` is written as `¦`."""

from __future__ import annotations

from pathlib import Path

from policykit.proofs.lsp.desk import Desk
from policykit.rules.base import iso_ms

NOW_MS = iso_ms("2026-11-21T10:00:00Z") or 0
TOP = Path(__file__).resolve().parents[3]
CURSOR = "¦"

PARENT = """\
policykit: 1
name: base
waivable: [PK603]
risk:
  max_order_notional: 5% of equity
  max_leverage: 3
"""
CHILD = """\
policykit: 1
name: mm
owner: desk-a
extends: [base.yaml]
exchange: binance
account: {name: main, currency: USDT}
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    rotation: {every: 90d}
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 4% of equity  # 📈 the cap
"""


def desk(folder: Path, text: str = CHILD, *, parent: str = PARENT, now_ms: int = NOW_MS) -> tuple[Desk, str]:
    """Return a desk with one open policy, and its file; what it extends is on the disk."""
    (folder / "base.yaml").write_text(parent, encoding="utf-8")
    file = str(folder / "mm.yaml")
    made = Desk(lambda: now_ms)
    made.put(file, text, 1)
    return made, file


def cut(text: str) -> tuple[str, int]:
    """Return a text without its cursor, and where that stood."""
    return text.replace(CURSOR, "", 1), text.index(CURSOR)
