"""A candidate written for a person, and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from policykit.clock import iso
from policykit.guard.beside import Run, missing
from policykit.guard.living import beats
from policykit.proofs.difference import Difference, PolicyDifference
from policykit.proofs.report import Style
from policykit.proofs.report.json_ import replayed_data
from policykit.proofs.report.replayed import lines as replayed_lines
from policykit.proofs.report.text import write
from policykit.proofs.shadow.promoting import Plan, Took, commands
from policykit.proofs.shadow.report import Report, span
from policykit.proofs.shadow.starting import policies_of
from policykit.redact import scrub

if TYPE_CHECKING:
    from policykit.store import GuardInfo


def headline(run: Run, now_ms: int) -> str:
    """Say which candidate it is, for what, and how it stands."""
    word = run.said(now_ms)
    when = f"until {iso(run.until_ms)[:19]}Z" if word == "running" else f"since {iso(run.over_ms)[:19]}Z"
    return (
        f"candidate {run.name} {run.version} beside {run.name} {run.against} on {run.account}: {word} {when}\n"
        f'  {run.file} on {run.host}; by {run.by}: "{scrub(run.why)}"'
    )


def text(report: Report) -> str:
    """Return a report for a terminal."""
    return scrub("\n".join(_lines(report))) + "\n"


def _lines(report: Report) -> Iterator[str]:
    found = report.found
    yield headline(report.run, report.now_ms)
    bots, hosts = len({one.bot for one in report.seen}), len({one.host for one in report.seen})
    yield (
        f"judged: {found.decisions:,} decisions of {_some(bots, 'bot')} on {_some(hosts, 'host')}, "
        f"over {span(report.covered_ms)} of {span(report.asked_ms)}"
    )
    for one in report.seen:
        yield f"  {one.bot} on {one.host}: {one.decisions:,} decisions in {span(one.covered_ms)}"
    changed = sum(group.decisions for group in found.groups)
    yield f"would be others: {changed:,}" + ("" if changed else "; the candidate decided as the active policy did")
    yield from islice(replayed_lines(found), 1, None)
    if report.otherwise:
        yield f"  {report.otherwise:,} are denied by both, for other reasons"
    if report.unjudged:
        names = ", ".join(report.unjudged)
        yield f"not judged: {names}: its counter is new, and nobody counts it before it is in force"
    yield from (f"does not judge: {bot} on {host}: {why}" for bot, host, why in report.absent)
    if report.unread:
        hosts_ = ", ".join(report.unread)
        yield f"not read: the journals of {hosts_}; copy them here and name each with --journal FILE, with this host's"
    yield from (f"read in part: {why}" for why in report.damaged)
    yield f"not enough yet: {report.short}" if report.short else "enough: policykit shadow promote puts it in force"


def data(report: Report) -> dict[str, Any]:
    """Return a report as JSON data, version 1."""
    return {
        "version": 1,
        "candidate": run_data(report.run, report.now_ms),
        "judged": replayed_data(report.found),
        "denied_by_both_otherwise": report.otherwise,
        "asked_s": report.asked_ms // 1000,
        "covered_s": report.covered_ms // 1000,
        "bots": [
            {"bot": one.bot, "host": one.host, "decisions": one.decisions, "covered_s": one.covered_ms // 1000}
            for one in report.seen
        ],
        "not_judged": list(report.unjudged),
        "guards_without": [{"bot": bot, "host": host, "why": why} for bot, host, why in report.absent],
        "hosts_not_read": list(report.unread),
        "read_in_part": list(report.damaged),
        "enough": not report.short,
        "why_not": report.short or None,
    }


def run_data(run: Run, now_ms: int) -> dict[str, Any]:
    """Return a candidate as JSON data: without what it says, which its file does."""
    said = {name: value for name, value in run._asdict().items() if name != "policy" and not name.endswith("_ms")}
    times = {"started": iso(run.started_ms), "until": iso(run.until_ms)}
    ended = None if run.ended_ms is None else iso(run.ended_ms)
    return {**said, "state": run.said(now_ms), **times, "ended": ended}


def _some(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def guards_data(run: Run, guards: Iterable[GuardInfo], host: str, now_ms: int) -> list[dict[str, Any]]:
    """Return which live guards of its policy judge by a candidate, and of the others why not."""
    live = [info for info in policies_of(guards, run) if beats(info, host, now_ms)]
    runs = run.runs(now_ms)
    return [
        {"bot": one.bot, "host": one.host, "pid": one.pid, "judges": one.candidate == run.id}
        | {"why_not": (missing(one, run) or None) if runs else None}
        for one in live
    ]


def guards_text(run: Run, guards: Iterable[GuardInfo], host: str, now_ms: int) -> str:
    """Return a candidate with the live guards of its policy."""
    lines = [headline(run, now_ms)]
    for one in guards_data(run, guards, host, now_ms):
        said = "judges by it" if one["judges"] else "does not judge by it"
        why = f": {one['why_not']}" if one["why_not"] else ""
        lines.append(f"  {one['bot']} on {one['host']} pid {one['pid']} {said}{why}")
    if len(lines) == 1:
        lines.append("  no guard of the policy is live")
    return scrub("\n".join(lines))


def verdict(found: PolicyDifference) -> str:
    """Return how the candidate differs from what is in force, as `policykit diff` says it."""
    old, new = (policy.file if policy is not None else "" for policy in (found.old, found.new))
    return write(Difference(old, new, (found,)), Style())


def promoted(plan: Plan, kept: str | None, took: Iterable[Took]) -> str:
    """Say what was done, which guards have it, and what is left for a person to do."""
    version = plan.new.version
    lines = [f"{plan.file}: says {plan.run.name} {version}" + ("" if kept else " already")]
    if kept is not None:
        lines.append(f"  the old one is kept: {kept}")
        lines.append(f"  back: cp {shlex.quote(kept)} {shlex.quote(str(plan.file))}")
    guards = list(took)
    for one in guards:
        said = "has it" if one.has else f"does not have it: {one.why}"
        lines.append(f"  {one.bot} on {one.host} pid {one.pid} {said}")
    if not guards:
        lines.append("  no guard of the policy is live; the next one that starts has it")
    lines += [f"  commit it: {line}" for line in (commands(plan) if kept is not None else ())]
    return scrub("\n".join(lines)) + "\n"
