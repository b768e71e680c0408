"""What follows the judging when it is asked for: fixes, findings of the baseline set apart, a baseline made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from policykit.lint.baseline import Entry, acceptable, matched, of, relative, text_of
from policykit.lint.discover import Target
from policykit.lint.fix import Mended, mend
from policykit.lint.judge import Options, StateOf, project
from policykit.lint.rewrite import diff, write
from policykit.lint.run import Report, lint_targets
from policykit.rules import find

if TYPE_CHECKING:
    from policykit.lint import Call

#: The most fixes that were left out and are named one by one.
MAX_NAMED = 20


def fixed(
    call: Call, targets: Sequence[Target], options: Options, state_of: StateOf, report: Report, notes: list[str]
) -> tuple[Report, str | None, list[str]]:
    """Make fixes; return the report of what is left, the diff when that was asked for, and what was not written."""

    among = project(targets)  # some files judged again are judged among all the others

    def judged(some: Sequence[Target], texts: Mapping[str, bytes]) -> Report:
        every = options._replace(texts=texts, select=(), ignore=(), project=among)
        found, _ = lint_targets(some, every, state_of, alone=call.take is not None)
        _set_apart(call, found, _edited(texts))
        return found

    whole = not (call.baseline or options.select or options.ignore)
    first = report if whole else judged(targets, {})
    mended = mend(
        targets,
        first.findings,
        call.fix or "safe",
        lambda some, texts: judged(some, texts).findings,
        strict=options.strict,
        wants=options.wants,
    )
    shown = diff(mended.files) if call.diff else None
    unwritten = [] if call.diff else [line for line in map(write, mended.files) if line]
    notes += _said(mended, call)[1 if unwritten else 0 :]
    if call.diff or not mended.files:
        return report, shown, unwritten
    return lint_targets(targets, options, state_of, alone=call.take is not None)[0], shown, unwritten


def _said(mended: Mended, call: Call) -> list[str]:
    left = [f for f in mended.findings if f.status == "open"]
    line = f"{'would fix' if call.diff else 'fixed'} {mended.made} of {mended.made + len(left)} findings"
    more = sum(1 for f in left if f.fix is not None and not f.fix.safe)
    if more and call.fix == "safe":
        line += f"; {more} more with --unsafe-fixes"
    rest = len(mended.left_out) - MAX_NAMED
    return [line, *mended.left_out[:MAX_NAMED], *([f"and {rest} more that are not fixed"] if rest > 0 else [])]


def _edited(texts: Mapping[str, bytes]) -> Callable[[str], str]:
    def text(file: str) -> str:
        raw = texts.get(os.path.realpath(file))
        return text_of(file) if raw is None else raw.decode("utf-8", "replace")

    return text


def _set_apart(call: Call, report: Report, text: Callable[[str], str] = text_of) -> Counter[Entry]:
    """Give findings of the baseline that status; return the entries that no finding used up."""
    if call.baseline is None:
        return Counter()
    report.findings, left = matched(report.findings, call.baseline, text)
    return left


def noted(call: Call, options: Options, report: Report, notes: list[str]) -> str | None:
    """Set the findings of the baseline apart, say which of its entries are gone, return the new one if asked for."""
    left = _set_apart(call, report)
    if call.write_baseline is None:
        if call.baseline is not None:
            gone = sum(n for entry, n in left.items() if _looked_for(entry, call.baseline.folder, options, report))
            if gone:
                said = "1 baseline entry no longer occurs" if gone == 1 else f"{gone} baseline entries no longer occur"
                notes.append(f"{said}; rewrite with --write-baseline")
        return None
    folder = os.path.dirname(os.path.abspath(call.write_baseline))
    made = of(report.findings, folder, text_of)
    report.findings, _ = matched(report.findings, made, text_of)
    never = Counter(f.rule for f in report.findings if f.status == "open" and not acceptable(f))
    count = made.entries.total()
    notes.append(f"{count} {'finding is' if count == 1 else 'findings are'} in the baseline {call.write_baseline}")
    if never:
        rules = ", ".join(sorted(never))
        notes.append(f"{never.total()} of {rules} stay open; no baseline accepts what cannot be waived")
    return made.write()


def _looked_for(entry: Entry, folder: str, options: Options, report: Report) -> bool:
    """Tell whether this lint would have found an entry: its file was looked at, or is gone, and so were its inputs."""
    rule = find(entry.rule)
    if not options.wants(entry.rule) or rule is None:
        return rule is None
    if (entry.live and not report.live) or ("record" in rule.rule.reads and options.record is None):
        return False
    names = {relative(name, folder) for name in report.names}
    return entry.file in names or not os.path.exists(os.path.join(folder, entry.file))
