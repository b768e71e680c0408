"""Judge every file, compare the policies, apply waivers and what was asked for, and say how it ends."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

from policykit.finding import SEVERITIES, Finding
from policykit.lint.discover import Target
from policykit.lint.judge import FILE_FAMILY, Options, StateOf, judge_fleet
from policykit.lint.many import judge_all
from policykit.model.waivers import Waiver
from policykit.policy import accepted
from policykit.rules.base import iso_ms
from policykit.rules.fleet import Card


@dataclass(slots=True)
class Report:
    """What lint found, sorted by place."""

    now_ms: int
    findings: list[Finding] = field(default_factory=list)
    #: How many policies, bots' sources and files of settings were looked at, and how many keys and exchanges the
    #: policies have.
    policies: int = 0
    sources: int = 0
    configs: int = 0
    keys: int = 0
    exchanges: int = 0
    #: Whether live state was looked at.
    live: bool = False
    #: Whether some live state that was asked for could not be read.
    unreachable: bool = False
    #: When the next waiver that was used expires, UTC ms.
    next_expiry_ms: int | None = None
    #: How many past versions of files were looked at.
    versions: int = 0
    #: How many invariants were proved, added up over how many policies, and at how many stages at most.
    invariants: tuple[int, int, int] = (0, 0, 0)
    #: The files that were looked at, sorted.
    names: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many files were looked at."""
        return self.policies + self.sources + self.configs

    def count(self, status: str) -> int:
        """Return how many findings have a status."""
        return sum(1 for finding in self.findings if finding.status == status)


def exit_code(report: Report, options: Options) -> int:
    """Return the exit code of lint (INTERFACE): the first that applies of 2, 1, 3, 4, 0."""
    if any(f.rule.startswith(FILE_FAMILY) for f in report.findings):
        return 2
    limit = SEVERITIES.index(options.fail_on)
    counted = ("open", "unknown") if options.strict else ("open",)
    if any(f.status in counted and SEVERITIES.index(f.severity) <= limit for f in report.findings):
        return 1
    if report.unreachable:
        return 3
    return 0 if report.files or report.versions else 4


def lint_targets(
    targets: Sequence[Target], options: Options, state_of: StateOf, *, alone: bool = False
) -> tuple[Report, list[Card]]:
    """Lint files; return the report, and what each policy shows to others.

    A file of a folder that another one extends is part of that one: it is compared with no other, and is linted by
    itself only if a guard could run it as it stands, with an exchange and a key. `alone`: in this process.
    """
    judged = judge_all(targets, options, state_of, alone=alone)
    parents = {parent for j in judged for parent in j.parents}
    whole = [j.target.named or not parents or os.path.realpath(j.target.file) not in parents for j in judged]
    apart = list(compress(judged, whole))
    # What extends a policy may be stricter than it; that makes the policy itself no safer.
    kept = [j for j, apart_too in zip(judged, whole, strict=True) if apart_too or (j.card is not None and j.card.keys)]
    cards = [j.card for j in apart if j.card is not None]
    report = Report(
        options.now_ms,
        policies=sum(j.target.kind == "policy" for j in kept),
        sources=sum(j.target.kind == "source" for j in kept),
        configs=sum(j.target.kind == "config" for j in kept),
        keys=sum(len(c.keys) for c in cards),
        exchanges=len({c.exchange for c in cards}),
        live=any(j.live for j in kept),
        unreachable=any(j.unreachable for j in kept),
        invariants=(
            sum(j.proved for j in kept),
            sum(j.proved > 0 for j in kept),
            max((j.stages for j in kept), default=0),
        ),
        names=tuple(sorted(j.target.file for j in kept)),
    )
    found: list[tuple[Finding, Sequence[Waiver]]] = [
        (f, j.card.waivers if j.card else ()) for j in kept for f in j.findings
    ]
    waivers: defaultdict[str, list[Waiver]] = defaultdict(list)
    for c in cards:
        for file in c.files:
            waivers[file] += c.waivers
    found += [
        (f, waivers[f.primary.file]) for f in judge_fleet(apart, options, tuple(j.never for j in judged if j.never))
    ]
    report.findings = _sorted(_waive(report, found, options))
    return report, cards


def add(report: Report, findings: Iterable[Finding], options: Options) -> None:
    """Add findings that no policy can waive, as far as they are asked for."""
    report.findings = _sorted((*report.findings, *(f for f in findings if options.wants(f.rule))))


def _waive(report: Report, found: Iterable[tuple[Finding, Sequence[Waiver]]], options: Options) -> Iterator[Finding]:
    """Yield what is asked for, with the status waived where a waiver accepts it."""
    for finding, waivers in found:
        if not options.wants(finding.rule):
            continue
        known = waivers if finding.waivable else ()
        waiver = accepted(known, finding.rule, finding.primary.path, options.now_ms)
        if waiver is None or finding.status not in ("open", "unknown"):
            yield finding
            continue
        ends_ms = iso_ms(waiver.expires)
        if ends_ms is not None and (report.next_expiry_ms is None or ends_ms < report.next_expiry_ms):
            report.next_expiry_ms = ends_ms
        said = {name: getattr(waiver, name) for name in ("owner", "ticket", "reason", "expires")}
        yield replace(finding, status="waived", extra={**finding.extra, "waiver": said})


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by place and rule; drop exact repetitions."""
    # INVARIANT I21: the order does not depend on the order of rules, files or of a dictionary.
    unique = {_key(f): f for f in findings}
    return [unique[key] for key in sorted(unique)]


def _key(finding: Finding) -> tuple[str, int, int, str, str, str, str]:
    place = finding.primary
    return (place.file, place.line, place.column, finding.rule, finding.status, finding.message, place.path)
