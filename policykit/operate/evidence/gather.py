"""Gather a package from policies, snapshots and journals: the tables, the anchor, and everything that is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from policykit import __version__
from policykit.clock import iso
from policykit.operate.evidence import of_journal, of_policies
from policykit.operate.evidence.of_policies import Sources
from policykit.operate.evidence.package import Package, Unknown, limited
from policykit.operate.evidence.reading import read
from policykit.policy import EffectivePolicy
from policykit.snapshot import Snapshot
from policykit.store.anchor import Anchor, check
from policykit.store.reader import JournalReader


class Period(NamedTuple):
    """From a moment on, up to another that no longer counts, UTC ms."""

    since_ms: int
    until_ms: int


def gather(
    period: Period,
    journals: Sequence[JournalReader],
    policies: Sequence[EffectivePolicy],
    snapshots: Sequence[Snapshot] = (),
    *,
    anchor: Anchor | None = None,
    unread: Sequence[str] = (),
) -> Package:
    """Return the package of a period. `journals`: the store's is the last, archives and other hosts' before it.

    `unread` are lines on policies that could not be read. The same input gives the same package: no clock is asked.
    """
    told = read(journals, period.since_ms, period.until_ms)
    sources = Sources(tuple(sorted(policies, key=lambda one: (one.name, one.version))), tuple(snapshots), told)
    made = [
        of_policies.keys(sources),
        *(of_journal.listed(one, sources) for one in of_journal.LISTED),
        of_policies.waivers(sources),
        of_policies.vendors(sources),
        of_policies.in_force(sources),
        *(count(sources) for count in of_journal.COUNTED),
    ]
    unknown = of_journal.journal(sources, anchored=anchor is not None)
    unknown += [Unknown("policies", line, "mend the file") for line in unread]
    if not policies:
        unknown.append(Unknown("policies", "no policy was given", "name their folder with --policies"))
    tables = []
    for table, missing in made:
        whole, left = limited(table)
        tables.append(whole)
        unknown += [*missing, *left]
    problem = check(anchor, journals) if anchor is not None else None
    held = None if anchor is None else (problem or f"row {anchor.seq:,} of {anchor.at} is there", problem is None)
    return Package(
        iso(period.since_ms),
        iso(period.until_ms),
        __version__,
        tuple(tables),
        tuple(unknown),
        tuple(told.spans),
        held,
        of_policies.texts(sources.policies),
    )
