"""Facts from the journal that lint reads: last drill, stage evidence. Given by `--record`, else unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What the journal proves of one stage: when it was entered (ISO), the orders sent in it, the denials of it that
    nobody has looked at yet.
    """

    since: str
    orders: int | None = None
    denials_open: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal proves. None: it does not say. Times are ISO text."""

    last_drill_at: str | None = None
    #: Each stage that this policy was at, by name; None: the journal does not say.
    stages: Mapping[str, StageFacts] | None = None
