"""`--format text`: findings on the annotated source, with what was observed, why, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from policykit.finding import Finding, Fix, Observed
from policykit.lint.report import Style
from policykit.lint.report.quote import clean, forget, mask, quoted, width
from policykit.lint.report.shared import counts, sentence, what_to_do, why, word
from policykit.lint.run import Report
from policykit.place import Place

_DAY_MS = 86_400_000
#: SGR codes; the words beside them say the same, so nothing is lost without colour.
_COLOURS = {
    "critical": "1;31",
    "high": "31",
    "medium": "33",
    "low": "36",
    "unknown": "35",
    "declared": "34",
    "dim": "2",
    "added": "32",
}
_DIFF = {"-": "high", "+": "added"}
#: Findings that are counted and not drawn.
_COUNTED = ("waived", "baseline")
#: The longest observed value that is shown, in characters.
MAX_VALUE = 80
#: The most places of what is said once.
MAX_PLACES = 5
#: The most findings that are drawn; nobody reads more, and the other formats have them all.
MAX_SHOWN = 500


def write(report: Report, style: Style) -> str:
    """Return the report: each finding that is neither waived nor old, then one line that counts them all.

    What is not known for the same reason in several places is said once.
    """
    forget()
    groups: dict[object, list[Finding]] = {}
    for finding in report.findings:
        if finding.status not in _COUNTED:
            groups.setdefault(_said(finding), []).append(finding)
    blocks = [_finding(group[0], style, [f.primary for f in group]) for group in list(groups.values())[:MAX_SHOWN]]
    if len(groups) > MAX_SHOWN:
        left = sum(len(group) for group in list(groups.values())[MAX_SHOWN:])
        blocks.append(f"... and {left:,} more findings; --format concise lists them all")
    return "\n".join([*(f"{block}\n" for block in blocks), f"{summary(report, style)}\n"])


def _said(finding: Finding) -> object:
    """Return what findings have in common that are drawn as one; of an open one its own identity."""
    if finding.status == "open":
        return id(finding)
    return (finding.status, finding.rule, finding.message, finding.next_step)


def _paint(text: str, colour: str, style: Style) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if style.colour else text


def _finding(finding: Finding, style: Style, places: Sequence[Place]) -> str:
    shown = word(finding)
    head = _paint(f"{shown}[{finding.rule} {finding.name}]", shown, style)
    mark = " [*]" if fixable(finding) else ""
    lines = [f"{head}{mark}: {sentence(finding)}", *(f"  --> {clean(str(place))}" for place in places[:MAX_PLACES])]
    if len(places) > MAX_PLACES:
        lines.append(f"  ... and {len(places) - MAX_PLACES:,} more places")
    if finding.status == "open":
        lines += _annotated(finding, style)
    lines += (line for said in _tail(finding) for line in _wrapped(said, style.columns))
    if finding.fix is not None and finding.status == "open":
        lines += _fix(finding.fix, style)
    return "\n".join(lines)


def fixable(finding: Finding) -> bool:
    """Tell whether `--fix` mends it: the fix is safe."""
    return finding.status == "open" and finding.fix is not None and finding.fix.safe


class _Span(NamedTuple):
    """A labelled place; `mark` underlines it: carets the primary one, dashes the others."""

    place: Place
    label: str
    mark: str


def _annotated(finding: Finding, style: Style) -> list[str]:
    """Return the quoted lines, each span underlined, those of other files below their places, and what was observed."""
    spans = [
        *(_Span(place, text, "-") for text, place in finding.context),
        _Span(finding.primary, finding.label, "^"),
    ]
    gutter = len(str(max(span.place.line for span in spans)))
    lines: list[str] = []
    files = dict.fromkeys((finding.primary.file, *(span.place.file for span in spans)))
    for file in files:
        mine = [span for span in spans if span.place.file == file]
        body = _quoted(mine, gutter, finding.severity, style)
        if not body:
            continue
        if file != finding.primary.file:
            lines.append(f"{' ' * gutter} ::: {clean(str(min(mine).place))}")
        lines += body
    if finding.observed is not None:
        lines += _observed(finding.observed, gutter, style)
    return lines


def _quoted(spans: list[_Span], gutter: int, severity: str, style: Style) -> list[str]:
    """Return the lines of one file, with a bar above and below; nothing when they cannot be read."""
    bar = " " * gutter + " |"
    body: list[str] = []
    last = 0
    for place, label, mark in sorted(spans, key=lambda s: (s.place.line, s.mark)):
        drawn = quoted(place, style.columns - gutter - 3)
        if drawn is None:
            continue
        line, start, length = drawn
        if place.line != last:
            body.append(f"{place.line:>{gutter}} | {line}")
        last = place.line
        under = _paint(mark * length, severity if mark == "^" else "dim", style)
        body.append(f"{bar} {' ' * start}{under} {clean(label)}".rstrip())
    return [bar, *body, bar] if body else []


def _observed(observed: Observed, gutter: int, style: Style) -> list[str]:
    value = clean(mask(_value(observed.value)))[:MAX_VALUE]
    bar = " " * gutter + " |"
    said = f"{observed.path}: "
    where = ", ".join(p for p in (observed.exchange, observed.endpoint, _age(observed.age_s)) if p)
    under = _paint("-" * max(1, width(value)), "dim", style)
    return [
        f"{' ' * gutter} ::: {clean(where)}",
        f"{bar}     {clean(said)}{value}",
        f"{bar}     {' ' * width(clean(said))}{under} observed",
        bar,
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_value(v) for v in value) or "nothing"
    return str(value)


def _age(age_s: float | None) -> str:
    if age_s is None:
        return ""
    if age_s < 60:
        return f"{age_s:.1f} s ago"
    for unit, seconds in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if age_s >= 2 * seconds or unit == "minutes":
            return f"{age_s / seconds:.0f} {unit} ago"
    return ""


def _tail(finding: Finding) -> Iterator[str]:
    if finding.status != "open":
        if finding.next_step:
            yield f"   = next: {clean(finding.next_step)}"
        return
    if finding.why:
        yield f"   = why:  {why(finding)}"
    drawn = finding.fix is not None and finding.fix.label == finding.next_step
    if what_to_do(finding) and not drawn:
        yield f"   = fix:  {what_to_do(finding)}"
    yield f"   = help: policykit explain {finding.rule}"


def _wrapped(line: str, columns: int) -> list[str]:
    """Return a line on as many as it needs, the further ones below its text."""
    if len(line) <= columns:
        return [line]
    import textwrap

    return textwrap.wrap(
        line, columns, subsequent_indent=" " * len("   = why:  "), break_long_words=False, break_on_hyphens=False
    )


def _fix(fix: Fix, style: Style) -> list[str]:
    """Return what the fix is called, and the lines that it changes."""
    head = f"help: {clean(fix.label)}{'' if fix.safe else ' (--unsafe-fixes)'}"
    from policykit.lint.report.diff import diff_of  # reads YAML anew: only where there is a fix to draw

    drawn = diff_of(fix, style.columns - 5)
    return [head, *(_paint(f"   {kind} {text}", _DIFF.get(kind, "dim"), style) for kind, text in drawn)]


def summary(report: Report, style: Style) -> str:
    """Return `1 policy, 1 key, 1 exchange in 0.9 s: 1 critical, 1 unknown, 2 waived (next expires in 6 days)`."""
    sizes = [_count(report.policies, "policy"), _count(report.keys, "key"), _count(report.exchanges, "exchange")]
    others = [(report.sources, "source"), (report.configs, "settings file"), (report.versions, "past version")]
    if report.keys and not report.policies:  # a key alone
        sizes = sizes[1:]
    if any(number for number, _ in others):
        sizes = [*(sizes if report.policies else []), *(_count(n, noun) for n, noun in others if n)]
    took = "" if style.seconds is None else f" in {style.seconds:.1f} s"
    said = counts(report)
    if waived := report.count("waived"):
        said.append(f"{waived} waived{_expiry(report)}")
    if old := report.count("baseline"):
        said.append(f"{old} in the baseline")
    if not report.count("open"):
        said.insert(0, "no findings" if report.files or report.versions or report.keys else "nothing was checked")
    proved, of, stages = report.invariants
    if proved:
        said.append(f"{_count(proved, 'invariant')} proved over {_count(of, 'policy')} at {_count(stages, 'stage')}")
    asked = report.live or not report.policies
    static = "" if asked else "; nothing was asked of the exchange (--live or --state does)"
    return f"{', '.join(sizes)}{took}: {', '.join(said)}{_fixes(report)}{_unloaded(report)}{static}"


def _unloaded(report: Report) -> str:
    """Return that policies with a fault in the file itself have been through no other rule."""
    files = {f.primary.file for f in report.findings if f.rule.startswith("PK0") and f.status == "open"}
    return f"; {_count(len(files), 'policy')} did not load, so no other rule has looked there" if files else ""


def _fixes(report: Report) -> str:
    """Return what `--fix` can do, and what it leaves to a person who has looked."""
    safe = sum(1 for f in report.findings if fixable(f))
    unsafe = sum(1 for f in report.findings if f.status == "open" and f.fix is not None) - safe
    said = [f"[*] {safe} can be fixed with --fix"] if safe else []
    said += [f"{unsafe}{' more' if safe else ' can be fixed'} with --unsafe-fixes"] if unsafe else []
    return f"; {', '.join(said)}" if said else ""


def _expiry(report: Report) -> str:
    if report.next_expiry_ms is None:
        return ""
    days = max(0, (report.next_expiry_ms - report.now_ms) // _DAY_MS)
    return f" (next expires in {days} day{'' if days == 1 else 's'})"


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun != "key" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
