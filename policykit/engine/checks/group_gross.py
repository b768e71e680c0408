"""The gross exposure of a group of accounts."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.engine.case import Case
from policykit.engine.exposing import WHY_NOT, Exposing
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.units import Bound


class GroupGross(Exposing):
    """Denies an increase in a group's account after which all positions of its members, long and short added up,
    could be over it (G01).

    `groups.NAME.max_gross_exposure`: all accounts of one store whose policies name the group count, each with all of
    its positions; every member's own cap of it is applied. Accounts counted in another currency are a group of their
    own.
    """

    id = "groups.max_gross_exposure"
    codes = ("GROUP_GROSS_EXPOSURE", *WHY_NOT)
    rank = 84
    room = RoomOf("exposure", "group")
    total = "gross exposure of group "

    @classmethod
    def said(cls, setup: Setup) -> Iterator[tuple[str, tuple[Bound, ...] | None]]:
        for name, group in sorted((setup.policy.groups or {}).items()):
            yield name, group.max_gross_exposure

    def owner(self, case: Case, name: str) -> str:
        return self.setup.effective.group_owner(name)
