"""The stages of going live: their order, and the least time that the guide asks for in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from policykit.model.stage import StageName

#: First to last.
STAGES: Final[tuple[str, ...]] = get_args(StageName)
#: Days in a stage before it is left (GUIDE G41: a week, two to four weeks, one to two weeks, two weeks).
MINIMUM_DAYS: Final[Mapping[str, int]] = {"sandbox": 7, "paper": 14, "micro-live": 7, "small-live": 14}
#: The stage that no other follows.
LAST: Final = STAGES[-1]
