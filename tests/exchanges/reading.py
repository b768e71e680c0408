"""Drive an adapter's read with scripted answers, or over HTTP from the simulated exchange."""

from __future__ import annotations

from typing import Any

from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import Answer, Steps
from policykit.exchanges.client import make_client
from policykit.redact import Secret
from policykit.sim import SimKey, SimServer
from policykit.snapshot import KeyReport

#: 2026-11-21T10:00:00Z.
NOW_MS = 1_795_255_200_000


class MoreAsked(Exception):
    """A read asked for more than was answered."""


def answered(steps: Steps[Any], *answers: Any) -> Any:
    """Return what a read makes of these answers; an exception is thrown into it."""
    next(steps)
    try:
        for answer in answers:
            if isinstance(answer, Exception):
                steps.throw(answer)
            else:
                steps.send(Answer(answer, NOW_MS, NOW_MS))
    except StopIteration as stop:
        return stop.value
    raise MoreAsked


def report_of(adapter: Adapter, *answers: Any) -> KeyReport:
    """Return the key report that an adapter reads from these answers."""
    report: KeyReport = answered(adapter.key_report(), *answers)
    return report


def client_of(sim: SimServer, key: SimKey, **more: Any) -> Any:
    """Return the read-only client that holds a key of the simulated exchange."""
    secrets = {name: Secret(value) for name, value in key.credentials().items()}
    return make_client(sim.dialect, secrets, endpoint=sim.url, clock=sim.clock, **more)


def recorded(adapter: Adapter, client: Any) -> list[Any]:
    """Return the answers of which a key report is made, as they came over HTTP."""
    steps = adapter.key_report()
    answers: list[Any] = []
    read = next(steps)
    try:
        while True:
            answers.append(getattr(client, read.method)(dict(read.params)))
            read = steps.send(Answer(answers[-1], NOW_MS, NOW_MS))
    except StopIteration:
        return answers
