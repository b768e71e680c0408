"""The dashboards, and the files they are written to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import denials, keys, latency, overview, risk
from dashboards._board import build

FOLDER: Final = Path(__file__).resolve().parent / "grafana"
BOARDS: Final = (overview.BOARD, denials.BOARD, risk.BOARD, keys.BOARD, latency.BOARD)


def files() -> dict[str, str]:
    """Return each dashboard's file name and text."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{board.slug}.json": encoder.encode(build(board)) + "\n" for board in BOARDS}
