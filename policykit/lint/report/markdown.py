"""`--format markdown`: the comment of a pull request, and the summary of a job."""

from __future__ import annotations

import re
from itertools import accumulate

from policykit.finding import Finding
from policykit.lint.report import Style
from policykit.lint.report.quote import clean
from policykit.lint.report.shared import counts, path, ranked, sentence, what_to_do, why, word
from policykit.lint.run import Report

#: A comment may have 65,536 characters; what does not fit is counted.
MAX_CHARACTERS = 60_000
#: The first line, by which a bot finds the comment that it wrote before.
MARK = "<!-- policykit lint -->"
_HEAD = "| | rule | place | what | what to do |\n|---|---|---|---|---|\n"
#: What would be markup, a mention or a link. A code span keeps its backticks: messages name values in them.
_MARKUP = re.compile(r"([\\|*_~<>\[\]#])")


def write(report: Report, style: Style) -> str:
    """Return the counts, a table of what is new, and folded ones of what is not known and what was accepted."""
    findings = ranked(report)
    parts = [_title(report)]
    parts += _table([f for f in findings if f.status == "open"], style, MAX_CHARACTERS // 2)
    for status, title in (("unknown", "not known"), ("declared", "declared, not verified"), ("baseline", "old")):
        rows = _table([f for f in findings if f.status == status], style, MAX_CHARACTERS // 8)
        if rows:
            head = f"<details><summary>{report.count(status)} {title}</summary>"
            parts += [head, *rows, "</details>"]
    return "\n\n".join([MARK, *parts]) + "\n"


def _title(report: Report) -> str:
    said = counts(report)
    if not report.count("open"):
        said.insert(0, "no findings" if report.files or report.versions else "nothing was checked")
    said += [f"{n} {status}" for status in ("waived", "baseline") if (n := report.count(status))]
    return f"### policykit lint: {', '.join(said)}"


def _table(findings: list[Finding], style: Style, room: int) -> list[str]:
    """Return a table that takes at most `room` characters, and a line that counts what is left out."""
    rows = [_row(f, style) for f in findings]
    kept = sum(1 for size in accumulate(len(row) for row in rows) if size <= room)
    left = len(rows) - kept
    table = [_HEAD + "\n".join(rows[:kept])] if kept else []
    return [*table, *([f"... and {left:,} more"] if left else [])]


def _row(finding: Finding, style: Style) -> str:
    place = finding.primary
    what = text(sentence(finding)) + (f"<br>{text(why(finding))}" if finding.status == "open" and finding.why else "")
    cells = (
        f"**{word(finding)}**" if finding.status == "open" else word(finding),
        f"{finding.rule} {finding.name}",
        code(f"{path(place.file, style.root)}:{place.line}:{place.column}"),
        what,
        text(what_to_do(finding)),
    )
    return f"| {' | '.join(cells)} |"


def text(said: str) -> str:
    """Return text that Markdown shows as it stands: no markup, no mention, no link, no cell that ends early."""
    parts = said.split("`")
    if len(parts) % 2 == 0:  # a backtick without its twin
        parts = [*parts[:-2], "'".join(parts[-2:])]
    return "".join(code(part) if index % 2 else _plain(part) for index, part in enumerate(parts))


def _plain(said: str) -> str:
    marked = _MARKUP.sub(r"\\\1", said.replace("&", "&amp;"))
    return marked.replace("@", "@<!-- -->").replace("://", ":&#47;/")  # a mention is found in the rendered text


def code(said: str) -> str:
    """Return text as a code span; nothing for nothing."""
    return f"`{clean(said).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if said else ""
