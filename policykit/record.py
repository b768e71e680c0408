"""Facts from the journal that lint reads: last drill, stage evidence. Given by `--record`, else unknown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal proves. None: it does not say. Times are ISO text."""

    last_drill_at: str | None = None
    stage_since: str | None = None
