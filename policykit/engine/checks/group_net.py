"""The net exposure of a group of accounts."""

from __future__ import annotations

from collections.abc import Iterator

from policykit.engine.case import Case
from policykit.engine.exposing import WHY_NOT, Exposing
from policykit.engine.setup import Setup
from policykit.engine.use import RoomOf
from policykit.units import Bound


class GroupNet(Exposing):
    """Denies an increase in a group's account after which the long less the short positions of its members, or the
    reverse, could be over it.

    `groups.NAME.max_net_exposure`: all accounts of one store whose policies name the group count, each with all of
    its positions; every member's own cap of it is applied. Accounts counted in another currency are a group of their
    own.
    """

    id = "groups.max_net_exposure"
    codes = ("GROUP_NET_EXPOSURE", *WHY_NOT)
    rank = 86
    room = RoomOf("exposure", "group")
    total = "net exposure of group "
    kind = "net"

    @classmethod
    def said(cls, setup: Setup) -> Iterator[tuple[str, tuple[Bound, ...] | None]]:
        for name, group in sorted((setup.policy.groups or {}).items()):
            yield name, group.max_net_exposure

    def owner(self, case: Case, name: str) -> str:
        return self.setup.effective.group_owner(name)
