"""What `policykit rules`, `policykit explain` and docs/rules.md say: the catalogue in words."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

from policykit.lint.coverage import GUIDE_IS, NOTHING
from policykit.lint.coverage import rows as requirements
from policykit.policy.page import describe
from policykit.rules import Entry, catalogue, find
from policykit.rules.guide import COLUMNS
from policykit.source.codes import CODES

if TYPE_CHECKING:
    from policykit.engine.check import Check

_FAMILIES = {
    "PK0": "the file itself",
    "PK1": "keys and scopes",
    "PK2": "addresses",
    "PK3": "storage and rotation",
    "PK4": "rate budgets",
    "PK5": "retry",
    "PK6": "risk",
    "PK7": "operation",
    "PK8": "vendors",
    "PK9": "bot source",
}
_READS = {"snapshot": "live", "record": "record", "source": "source"}
#: The columns of what is covered, in words.
_COLUMNS = {
    "static": "rules on the policy alone",
    "live": "rules on live state (--live, --state) or a record (--record)",
    "run_time": "what holds it while a bot trades",
    "source": "rules on a bot's source and settings",
    "operator": "commands",
}
#: What GitHub colours a fence as; a language that is not here is coloured as itself.
_LANGUAGES = {"finding": "text", "settings": "text"}


class Row(NamedTuple):
    """One line of the table of rules. `reads`: policy (static), live, record, source."""

    code: str
    name: str
    severity: str
    reads: tuple[str, ...]
    waivable: bool
    guide: tuple[str, ...]
    summary: str


def rows() -> tuple[Row, ...]:
    """Return every rule in the order of codes, those of PK0 first."""
    files = [Row(code, c.name, "high", ("policy",), False, (), _sentence(c.why)) for code, c in CODES.items()]
    return (*files, *(_row(entry) for entry in catalogue()))


def _row(entry: Entry) -> Row:
    rule = entry.rule
    reads = tuple(_READS.get(r, r) for r in rule.reads if r != "findings")
    return Row(rule.code, rule.name, rule.severity, reads, rule.waivable, rule.guide, entry.doc.split("\n", 1)[0])


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def table() -> str:
    """Return the table of rules as text, its columns aligned, a heading a family."""
    lines: list[str] = []
    family = ""
    everything = rows()
    width = max(len(row.name) for row in everything)
    for row in everything:
        of = row.code[:3] if row.code.startswith("PK") else row.code[:-3]
        if of != family:
            family = of
            lines += ["", f"{family}  {_FAMILIES.get(family, 'rules of other packages')}"]
        live = ", ".join(row.reads)
        lines.append(f"  {row.code}  {row.name:<{width}}  {row.severity:<8}  {live:<14}  {row.summary}".rstrip())
    return "\n".join([*lines[1:], "", "policykit explain CODE says what a rule finds, why, and shows examples", ""])


def explain(code: str) -> str | None:
    """Return the explanation of a rule (code or name), a requirement of the guide, a reason, a check or a field."""
    entry = find(code)
    if entry is not None:
        return _rule(entry)
    if code.upper() in CODES:
        found = CODES[code.upper()]
        return f"{code.upper()} {found.name} (high, cannot be waived)\n\n{_sentence(found.why)}\n{_file_words()}"
    said = (_requirement(code), _reason(code), _check(code), describe(code))
    return "\n".join(text for text in said if text) or None


def _file_words() -> str:
    return (
        "\nA finding on the file itself: until it is mended no guard loads the policy, and lint ends with 2."
        "\nIt says what stands there, what may stand there, and what to do.\n"
    )


def _rule(entry: Entry) -> str:
    row = _row(entry)
    waivable = "can be waived" if row.waivable else "cannot be waived"
    head = f"{row.code} {row.name} ({row.severity}, {waivable}; reads {', '.join(row.reads)}; {', '.join(row.guide)})"
    return f"{head}\n\n{_plain(entry.doc)}"


def _plain(doc: str) -> str:
    """Write a rule's Markdown for a terminal: headings as words, code indented."""
    lines: list[str] = []
    inside = False
    for line in doc.strip().splitlines():
        if line.startswith("```"):
            inside = not inside
            if inside and line[3:] in ("yaml", "python") and lines[-1]:
                lines.append("")
            words = {"finding": "finds:", "json": "observed:", "json record": "record:"}.get(line[3:])
            if inside and words:
                lines.append(f"  {words}")
            elif inside and line.startswith("```json"):
                lines.append(f"  observed, {line[8:]}:")
            elif inside and " " in line:
                lines += ["", f"  {line.partition(' ')[2]}:"]
        else:
            lines.append(f"    {line}".rstrip() if inside else line.removeprefix("## "))
    return "\n".join(lines) + "\n"


def _requirement(number: str) -> str | None:
    """Return what looks at a requirement of the guide, column by column."""
    found = next((row for row in requirements() if row.number == number.upper()), None)
    if found is None:
        return None
    lines = [f"{found.number} {found.title} (a requirement of the guide)", "", GUIDE_IS]
    for column in COLUMNS.values():
        said = getattr(found, column)
        if said or column in found.where:
            lines += ["", _COLUMNS[column], *(f"  {_held(one)}" for one in said or (NOTHING,))]
    return "\n".join([*lines, ""])


def _held(name: str) -> str:
    entry = find(name)
    return name if entry is None else f"{name} {entry.rule.name}: {entry.doc.partition(chr(10))[0]}"


def _reason(code: str) -> str | None:
    from policykit.engine import REASONS

    text = REASONS.get(code.upper())
    if text is None:
        return None
    checks = [check.id for check in _checks() if code.upper() in check.codes]
    by = f"\nGiven by: {', '.join(dict.fromkeys(checks))}.\n" if checks else ""
    return f"{code.upper()} (a reason of the engine)\n\n{_sentence(text.means)}\nWhat to do: {text.do}.\n{by}"


def _check(name: str) -> str | None:
    for check in _checks():
        if check.id == name.lower():
            doc = inspect.cleandoc(check.__doc__ or "")
            return f"{check.id} (a check of the engine)\n\n{doc}\n\nReasons it gives: {', '.join(check.codes)}.\n"
    return None


def _checks() -> tuple[type[Check], ...]:
    from policykit.engine.checks import all_checks

    return all_checks()


def nearest(code: str) -> str:
    """Return `; did you mean PK101?` for something like a code, or nothing."""
    from policykit.engine import REASONS

    known = [text for row in rows() for text in (row.code, row.name)] + list(REASONS) + [c.id for c in _checks()]
    close = difflib.get_close_matches(code, known, n=1) or difflib.get_close_matches(code.upper(), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def page() -> str:
    """Return docs/rules.md: the table, then every rule's documentation."""
    lines = [
        "# Rules",
        "",
        "<!-- Made by `make docs` from the rules' own docstrings; do not edit. -->",
        "",
        "Each rule is one file in `policykit/rules/`. An example's fragment stands in the place of the same sections",
        "of a clean policy, JSON in the place of fields of a clean snapshot; places count in the fragment.",
        "Under Source, GUIDE is the guide ([coverage.md](coverage.md)); DESIGN and PITFALLS are the notes from which",
        "policykit was built, and are not kept here.",
        "",
        "| code | name | severity | reads | guide | finds |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows():
        code = f"[{row.code}](#{row.code.lower()}-{row.name})" if not row.code.startswith("PK0") else row.code
        guide = ", ".join(row.guide)
        severity = row.severity if row.waivable else f"{row.severity}, not waivable"
        lines.append(f"| {code} | {row.name} | {severity} | {', '.join(row.reads)} | {guide} | {row.summary} |")
    for entry in catalogue():
        body = entry.doc.strip().replace("\n## ", "\n### ")
        body = re.sub(r"^```(finding|[a-z]+ [^\n]+)$", _fence, body, flags=re.MULTILINE)
        lines += ["", f"## {entry.rule.code} {entry.rule.name}", "", body]
    return "\n".join(lines) + "\n"


def _fence(found: re.Match[str]) -> str:
    """Return the fence of an example in Markdown, below a line with what stands behind its language."""
    language, _, rest = found[1].partition(" ")
    fence = f"```{_LANGUAGES.get(language, language)}"
    return f"{rest}:\n\n{fence}" if rest and language != "json" else fence
