"""A guard's part in telling people: what only it can see, beside what everybody reads in the store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from policykit.guard.notices import Notice, defused, undecidable
from policykit.guard.telling import Watch

if TYPE_CHECKING:
    from policykit.guard.core import Guard

_log = logging.getLogger("policykit.notify")


class Watching:
    """What the maintenance of one guard calls in each round. Makes nothing, and costs nothing, without `notify:`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._watch: Watch | None = None
        self._complaint = ""

    def round(self) -> None:
        """Tell what is wrong; nothing is raised: messages are beside trading."""
        guard = self._guard
        section = guard.policy.model.notify
        if section is None or not section.targets:
            return
        try:
            if self._watch is None:
                self._watch = Watch(guard.store, guard.now, who=guard.bot)
                guard.telemetry.messages(self._watch.outbox.lost)
            self._watch.round(guard.engine, own(guard), own_keys(guard))
            self._complaint = ""
        except Exception as error:  # noqa: BLE001 - maintenance must go on; the text is not ours
            if type(error).__name__ != self._complaint:
                self._complaint = type(error).__name__
                _log.error("what is wrong with %s cannot be told: %s", guard.account, self._complaint)

    def close(self) -> None:
        """Let what waits be sent, for a few seconds at most."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def own_keys(guard: Guard) -> list[str]:
    """Return the keys of what only this guard sees."""
    return [f"{cause}|{guard.bot}@{guard.account}" for cause in ("cannot_decide", "policy_rejected")]


def own(guard: Guard) -> list[Notice]:
    """Return what only this guard sees: why it denies every increase, and that it refused its policy's file."""
    found, subject = [], f"{guard.bot}@{guard.account}"
    why = undecidable(guard.policy, guard.facts(), guard.now())
    if why:
        found.append(Notice("cannot_decide", subject, why, "policykit doctor; policykit status"))
    if guard.in_force.refused:
        file = guard.in_force.own.file  # the command names it; a phone shows the reason first
        told = defused(guard.in_force.refused.removeprefix(f"{file}: "))
        found.append(Notice("policy_rejected", subject, told, f"policykit lint {file}"))
    return found
