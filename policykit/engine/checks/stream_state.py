"""The streams that a bot trades by."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane


class StreamState(Check):
    """Denies increases while a stream that this bot trades by is down, is silent, or came back and is not made up for.

    What was said while it was down is lost; only what is read after it came back makes up for that (G39).
    """

    id = "trading.streams"
    codes = ("STREAM_STALE", "STREAM_GAP")
    rank = 26

    def reasons(self, case: Case) -> Iterator[Reason]:
        for code, message in case.facts.streams:
            yield self.reason(message, code)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane is for one set of facts, and these are among them
