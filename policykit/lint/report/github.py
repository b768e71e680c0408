"""`--format github`: workflow commands that mark lines of a pull request, and the whole list on the job's page."""

from __future__ import annotations

from policykit.finding import Finding
from policykit.lint.report import Style, markdown
from policykit.lint.report.quote import clean
from policykit.lint.report.shared import path, ranked, sentence, what_to_do, word
from policykit.lint.run import Report
from policykit.place import Place

#: GitHub shows ten errors and ten warnings of a step and drops the rest; a person reads fewer.
MAX_ANNOTATIONS = 10
_COMMANDS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


def write(report: Report, style: Style) -> str:
    """Return the ten annotations that matter most, new findings first, and a line that counts the rest.

    What is not known is marked only with `--strict`: it would be there in every pull request.
    """
    findings = ranked(report)
    marked = ("open", "unknown", "baseline") if style.strict else ("open", "baseline")
    lines = [_command(f, style) for f in findings if f.status in marked][:MAX_ANNOTATIONS]
    rest = len(findings) - len(lines)
    if rest:
        lines.append(f"policykit: {rest:,} more finding{'' if rest == 1 else 's'}: see the page of this job")
    return "".join(f"{line}\n" for line in lines)


def job_page(report: Report, style: Style) -> str:
    """Return every finding as Markdown."""
    return markdown.write(report, style)


def _command(finding: Finding, style: Style) -> str:
    command = _COMMANDS[finding.severity] if finding.status == "open" else "notice"
    lines = [line for line in (sentence(finding), what_to_do(finding)) if line]
    title = f"{word(finding)}: {finding.rule} {finding.name}"
    return annotation(command, finding.primary, title, "\n".join(lines), style.root)


def annotation(command: str, place: Place, title: str, message: str, root: str | None) -> str:
    """Return a workflow command (`error`, `warning`, `notice`) that marks a place; paths are relative to `root`."""
    properties = {"file": path(place.file, root), "line": place.line, "endLine": max(place.line, place.end_line)}
    if place.line == place.end_line and place.end_column > place.column:  # GitHub reads columns on one line only
        properties |= {"col": place.column, "endColumn": place.end_column}
    properties["title"] = title
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{command} {said}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")
