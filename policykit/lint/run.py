"""Run the rules over what was found: one pass, no output, no network; same input and time, same findings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from policykit.errors import PolicyError
from policykit.finding import SEVERITIES, Finding, Severity
from policykit.lint.discover import Target
from policykit.place import Place
from policykit.policy import EffectivePolicy, load
from policykit.rules import Entry, Inputs, catalogue
from policykit.rules.base import iso_ms
from policykit.traits import load as load_traits

if TYPE_CHECKING:
    from policykit.lint.state import State
    from policykit.record import Record

#: Codes of findings about the file itself: whatever else is asked for, they end in exit code 2.
FILE_FAMILY = "PK0"


class Options(NamedTuple):
    """How to lint. `select` and `ignore` hold codes or beginnings of codes (`PK2`); select is all when empty."""

    now_ms: int
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: Severity = "medium"
    strict: bool = False
    record: Record | None = None

    def wants(self, code: str) -> bool:
        """Tell whether findings of a rule are asked for. PK0 cannot be left out: such a policy is in force nowhere."""
        if code.startswith(FILE_FAMILY):
            return True
        return (not self.select or code.startswith(self.select)) and not code.startswith(self.ignore or ("-",))


@dataclass(slots=True)
class Report:
    """What lint found, sorted by place."""

    now_ms: int
    findings: list[Finding] = field(default_factory=list)
    #: Policies and sources that were looked at, and how many keys and exchanges the policies have.
    policies: int = 0
    sources: int = 0
    keys: int = 0
    exchanges: int = 0
    #: Whether live state was looked at.
    live: bool = False
    #: Whether some live state that was asked for could not be read.
    unreachable: bool = False
    #: When the next waiver that was used expires, UTC ms.
    next_expiry_ms: int | None = None

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
    return 0 if report.policies or report.sources else 4


def load_policies(targets: Iterable[Target], now_ms: int) -> tuple[list[EffectivePolicy], list[Finding], int]:
    """Load every policy; return them, the PK0 findings of those that do not load, and how many those are.

    A file of a folder that another one extends is part of that one and is not linted by itself.
    """
    loaded: dict[str, EffectivePolicy] = {}
    failed: dict[str, tuple[Finding, ...]] = {}
    named = {t.file for t in targets if t.named}
    for target in targets:
        try:
            loaded[target.file] = load(target.file, now_ms=now_ms)
        except PolicyError as error:
            failed[target.file] = error.findings
    parents = {os.path.realpath(file) for policy in loaded.values() for file in policy.files[1:]}

    def alone(file: str) -> bool:
        return file in named or os.path.realpath(file) not in parents

    findings = dict.fromkeys(f for file, found in failed.items() if alone(file) for f in found)
    return [p for file, p in loaded.items() if alone(file)], list(findings), sum(alone(file) for file in failed)


def lint_policies(
    report: Report, policies: Sequence[EffectivePolicy], states: dict[str, State], options: Options
) -> None:
    """Run the rules on policies. `states` holds the live state of a policy by its file."""
    for policy in policies:
        report.policies += 1
        if policy.profile:
            continue
        state = states.get(policy.file)
        inputs = Inputs(
            options.now_ms,
            policy=policy,
            traits=load_traits(policy.model.exchange),
            snapshot=state.snapshot if state else None,
            missing=state.missing if state else (),
            record=options.record,
        )
        report.keys += len(inputs.keys)
        report.live |= state is not None
        report.findings += _waive(report, policy, _run(catalogue(source=False), inputs), options)
    report.exchanges = len({p.model.exchange for p in policies if not p.profile})


def _run(entries: Sequence[Entry], inputs: Inputs) -> list[Finding]:
    """Run the rules; those that read findings run last, with the findings of all others, selected or not."""
    found: list[Finding] = []
    for entry in sorted(entries, key=lambda e: "findings" in e.rule.reads):
        if "findings" in entry.rule.reads:
            inputs = inputs._replace(findings=tuple(found))
        try:
            found += entry.check(inputs)
        except Exception as error:  # noqa: BLE001  # a rule that fails has not passed, and must not hide the others
            found.append(_failed(entry, inputs, error))
    return found


def _failed(entry: Entry, inputs: Inputs, error: Exception) -> Finding:
    file = inputs.policy.file if inputs.policy else inputs.code.file
    message = f"this rule could not be evaluated ({type(error).__name__}); it has not passed"
    return entry.rule.unknown(Place(file), message, "please report it with the policy that shows it")


def _waive(report: Report, policy: EffectivePolicy, found: Iterable[Finding], options: Options) -> Iterable[Finding]:
    """Yield what is asked for, with the status waived where a waiver accepts it."""
    for finding in found:
        if not options.wants(finding.rule):
            continue
        waiver = policy.waived(finding.rule, finding.primary.path, options.now_ms)
        if waiver is None or finding.status not in ("open", "unknown"):
            yield finding
            continue
        ends_ms = iso_ms(waiver.expires)
        if ends_ms is not None and (report.next_expiry_ms is None or ends_ms < report.next_expiry_ms):
            report.next_expiry_ms = ends_ms
        yield replace(finding, status="waived")


def lint_sources(report: Report, targets: Sequence[Target], options: Options) -> None:
    """Run the rules of PK9 on bots' sources; without any, what reads Python is not even loaded."""
    if not targets:
        return
    from policykit.rules.code import MAX_SOURCE_BYTES, Code, read, unreadable

    def index(file: str) -> Code:
        try:
            if not stat.S_ISREG(os.stat(file).st_mode):
                return unreadable(file, "it is no regular file")
            with Path(file).open("rb") as stream:
                return read(stream.read(MAX_SOURCE_BYTES + 1).decode("utf-8-sig"), file)
        except OSError as error:
            return unreadable(file, f"it cannot be read ({error.strerror})")
        except UnicodeDecodeError:
            return unreadable(file, "it is not UTF-8")

    for target in targets:
        report.sources += 1
        found = _run(catalogue(source=True), Inputs(options.now_ms, source=index(target.file)))
        report.findings += [f for f in found if options.wants(f.rule)]


def finish(report: Report) -> Report:
    """Sort the findings by place and rule; drop exact repetitions."""
    # INVARIANT I21: the order does not depend on the order of rules, files or of a dictionary.
    unique = {_key(f): f for f in report.findings}
    report.findings = [unique[key] for key in sorted(unique)]
    return report


def _key(finding: Finding) -> tuple[str, int, int, str, str, str, str]:
    place = finding.primary
    return (place.file, place.line, place.column, finding.rule, finding.status, finding.message, place.path)
