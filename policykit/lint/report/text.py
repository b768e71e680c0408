"""`--format text`: findings on the annotated source, with what was observed, why, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policykit.finding import SEVERITIES, Finding, Fix, Observed
from policykit.lint.report import Style
from policykit.lint.report.quote import clean, forget, mask, quoted, width
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
}
#: The longest observed value that is shown, in characters.
MAX_VALUE = 80
#: The most findings that are drawn; nobody reads more, and the other formats have them all.
MAX_SHOWN = 500


def write(report: Report, style: Style) -> str:
    """Return the report: each finding that is not waived, then one line that counts them all."""
    forget()
    shown = [f for f in report.findings if f.status != "waived"]
    blocks = [_finding(f, style) for f in shown[:MAX_SHOWN]]
    if len(shown) > MAX_SHOWN:
        blocks.append(f"... and {len(shown) - MAX_SHOWN:,} more findings; --format concise lists them all")
    return "\n".join([*(f"{block}\n" for block in blocks), f"{summary(report, style)}\n"])


def _paint(text: str, colour: str, style: Style) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if style.colour else text


def _finding(finding: Finding, style: Style) -> str:
    shown = finding.severity if finding.status == "open" else finding.status
    likely = " (likely)" if finding.confidence == "likely" else ""
    head = _paint(f"{shown}[{finding.rule} {finding.name}]", shown, style)
    lines = [f"{head}: {clean(finding.message)}{likely}", f"  --> {clean(str(finding.primary))}"]
    if finding.status == "open":
        lines += _annotated(finding, style)
    lines += _tail(finding)
    if finding.fix is not None and finding.status == "open":
        lines += _fix(finding.fix, style)
    return "\n".join(lines)


def _annotated(finding: Finding, style: Style) -> list[str]:
    """Return the quoted lines, each span underlined, and the observed block."""
    spans = [*((place, text, "-") for text, place in finding.context), (finding.primary, finding.label, "^")]
    spans = [span for span in spans if span[0].file == finding.primary.file]
    gutter = len(str(max(place.line for place, _, _ in spans)))
    bar = " " * gutter + " |"
    body: list[str] = []
    last = 0
    for place, label, mark in sorted(spans, key=lambda s: (s[0].line, s[2])):
        drawn = quoted(place, style.columns - gutter - 3)
        if drawn is None:
            continue
        line, start, length = drawn
        if place.line != last:
            body.append(f"{place.line:>{gutter}} | {line}")
        last = place.line
        under = _paint(mark * length, finding.severity if mark == "^" else "dim", style)
        body.append(f"{bar} {' ' * start}{under} {clean(label)}".rstrip())
    lines = [bar, *body, bar] if body else []
    if finding.observed is not None:
        lines += _observed(finding.observed, gutter, style)
    return lines


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
        yield f"   = why:  {clean(finding.why)}"
    if finding.next_step:
        yield f"   = fix:  {clean(finding.next_step)}"
    yield f"   = help: policykit explain {finding.rule}"


def _fix(fix: Fix, style: Style) -> list[str]:
    edit = fix.edits[0]
    place = edit.place
    whole = Place(place.file, place.line, 1, place.line, 1)
    drawn = quoted(whole, 10_000)
    if drawn is None or place.line != place.end_line or len(fix.edits) > 1 or edit.kind != "replace":
        return [f"help: {clean(fix.label)}: {clean(edit.text)}"]
    line = drawn[0]
    new = line[: place.column - 1] + edit.text + line[place.end_column - 1 :]
    room = style.columns - 5
    return [
        f"help: {clean(fix.label)}",
        _paint(f"   - {_short(line.strip(), room)}", "high", style),
        f"   + {_short(clean(new).strip(), room)}",
    ]


def _short(line: str, columns: int) -> str:
    return line if width(line) <= columns else f"{line[: max(1, columns - 1)]}\u2026"


def summary(report: Report, style: Style) -> str:
    """Return `1 policy, 1 key, 1 exchange in 0.9 s: 1 critical, 1 unknown, 2 waived (next expires in 6 days)`."""
    sizes = [_count(report.policies, "policy"), _count(report.keys, "key"), _count(report.exchanges, "exchange")]
    others = [(report.sources, "source"), (report.configs, "settings file")]
    if report.sources or report.configs:
        sizes = [*(sizes if report.policies else []), *(_count(n, noun) for n, noun in others if n)]
    took = "" if style.seconds is None else f" in {style.seconds:.1f} s"
    counts = [
        f"{n} {severity}"
        for severity in SEVERITIES
        if (n := sum(1 for f in report.findings if f.status == "open" and f.severity == severity))
    ]
    counts += [f"{n} {status}" for status in ("unknown", "declared") if (n := report.count(status))]
    waived = report.count("waived")
    if waived:
        counts.append(f"{waived} waived{_expiry(report)}")
    if not report.count("open"):
        counts.insert(0, "no findings" if report.files else "nothing was checked")
    asked = report.live or not report.policies
    static = "" if asked else "; nothing was asked of the exchange (--live or --state does)"
    return f"{', '.join(sizes)}{took}: {', '.join(counts)}{static}"


def _expiry(report: Report) -> str:
    if report.next_expiry_ms is None:
        return ""
    days = max(0, (report.next_expiry_ms - report.now_ms) // _DAY_MS)
    return f" (next expires in {days} day{'' if days == 1 else 's'})"


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun != "key" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
