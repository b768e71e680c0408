"""Connects in a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from policykit.decision import Hold, Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.model.rate import CountWindow


class ConnectRate(Check):
    """Denies a connect when `retry.reconnect.max_per` were admitted in the rolling window (G39).

    Connects count over every process of the store: by address where the exchange counts them so (its traits say), else
    by account. Nothing but `stream.connect` is counted or stopped, and orders are never.
    """

    id = "retry.reconnect.max_per"
    codes = ("RATE_CONNECTS",)
    rank = 101
    room = RoomOf("rate")
    stops_reads = True

    def __init__(self, setup: Setup, window: CountWindow) -> None:
        super().__init__(setup)
        self.window = window
        connects = setup.traits.connects if setup.traits is not None else None
        by_address = connects is not None and connects.scope == "ip"
        where = f"{setup.policy.exchange}@{setup.egress}" if by_address else setup.account
        self.counter = f"{where}|connects|{window.per.ms}"

    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        retry = setup.policy.retry
        window = retry.reconnect.max_per if retry is not None and retry.reconnect is not None else None
        return cls(setup, window) if window is not None else None

    def holds(self, case: Case) -> Iterator[Hold]:
        if case.action == "stream.connect":
            yield Hold(self.counter, 1, self.window.limit, "window", self.id, self.window.per.ms)

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True  # a lane holds one action, and none is for connects

    def explain(self, case: Case, hold: Hold, used: int) -> Reason:
        return self.reason(
            f"{used} connects in the last {self.window.per}, max_per is {self.window.limit}",
            numbers=(str(used + 1), str(self.window.limit), "connects"),
        )
