"""What is covered: each requirement of the guide, the rules that look at it, and what holds it at run time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from policykit.model import Meta, Policy, Section
from policykit.model.enforced import CHECKS, GUARD_PARTS
from policykit.model.shape import shapes
from policykit.rules import Entry, catalogue
from policykit.rules.guide import ALWAYS, COLUMNS, COMMANDS, GUIDE

if TYPE_CHECKING:
    from policykit.rules.guide import Requirement

#: Rules of the file itself that look at a requirement: with a literal in the place of a reference it is no policy.
_OF_THE_FILE = {"G15": ("PK011",), "G14": ("PK011",)}
NOTHING = "not in this version"
#: What the numbers are, for who meets one in a message.
GUIDE_IS = 'The guide is "API trading safety" (BloFin Academy, April 2026), restated as requirements G01 to G47.'
#: A finding of a bad example that needs neither live state nor a record.
_STATIC = re.compile(r"^open (certain|likely) ", re.MULTILINE)


class Row(NamedTuple):
    """One requirement: codes of the rules that look at it, and what else holds it, by column."""

    number: str
    title: str
    where: tuple[str, ...]
    static: tuple[str, ...]
    live: tuple[str, ...]
    source: tuple[str, ...]
    run_time: tuple[str, ...]
    operator: tuple[str, ...]

    @property
    def holes(self) -> tuple[str, ...]:
        """The columns in which the requirement bites and nothing of ours does."""
        return tuple(name for name in self.where if not getattr(self, name))


def bites(entry: Entry) -> frozenset[str]:
    """Return where a rule bites: `source`, or `static` and `live` by what its examples need."""
    if entry.rule.subject in ("source", "config"):
        return frozenset(("source",))
    bad = entry.doc.partition("## Bad")[2].partition("## Good")[0]
    static = {"static"} if _STATIC.search(bad) else set()
    return frozenset(static | ({"live"} if {"snapshot", "record"} & {*entry.rule.reads} else set()))


def rows() -> tuple[Row, ...]:
    """Return every requirement in the order of the guide."""
    where = {entry.rule.code: bites(entry) for entry in catalogue()}
    return tuple(_row(requirement, where) for requirement in GUIDE)


def _row(requirement: Requirement, where: dict[str, frozenset[str]]) -> Row:
    number = requirement.number
    mine = [entry.rule.code for entry in catalogue() if number in entry.rule.guide]

    def by(column: str) -> tuple[str, ...]:
        return tuple(code for code in mine if column in where[code])

    return Row(
        number,
        requirement.title,
        tuple(COLUMNS[letter] for letter in COLUMNS if letter in requirement.where),
        (*_OF_THE_FILE.get(number, ()), *by("static")),
        by("live"),
        by("source"),
        tuple(dict.fromkeys((*ALWAYS.get(number, ()), *_holders().get(number, ())))),
        COMMANDS.get(number, ()),
    )


@cache
def _holders() -> dict[str, tuple[str, ...]]:
    """Return requirement to the checks and parts of the guard that hold fields which cite it, those that are there."""
    found: dict[str, dict[str, None]] = {}
    for _, _, _, meta in fields():
        for holder in meta.held_by:
            kind, _, name = holder.partition(":")
            if (kind == "check" and name in CHECKS) or (kind == "guard" and name in GUARD_PARTS):
                for number in meta.guide:
                    found.setdefault(number, {})[holder] = None
    return {number: tuple(holders) for number, holders in found.items()}


def fields(section: type[Section] = Policy, path: str = "") -> Iterator[tuple[str, type[Section], str, Meta]]:
    """Yield (dotted path, section, name, Meta) of every field of the model; `NAME` and `N` stand for entries."""
    for name, shape in shapes(section).items():
        at = f"{path}.{name}" if path else name
        yield at, section, name, shape.meta
        if shape.section is not None:
            yield from fields(shape.section, at + {"map": ".NAME", "list": ".N"}.get(shape.kind, ""))


def to_dict() -> dict[str, Any]:
    """Return the table as JSON has it."""
    return {"version": 1, "requirements": [{**row._asdict(), "holes": row.holes} for row in rows()]}


def table() -> str:
    """Return the table as text: a requirement a line, below it what looks at it."""
    lines: list[str] = []
    for row in rows():
        lines.append(f"{row.number}  {row.title}")
        for letter, column in COLUMNS.items():
            said = getattr(row, column)
            if said or column in row.where:
                lines.append(f"  {letter}  {', '.join(said) or NOTHING}")
    legend = ", ".join(f"{letter} {column.replace('_', ' ')}" for letter, column in COLUMNS.items())
    told = f"{legend}; policykit explain CODE says what a rule finds, policykit explain G01 what looks at a requirement"
    return "\n".join([*lines, "", GUIDE_IS, told, ""])


def page() -> str:
    """Return docs/coverage.md."""
    known = {entry.rule.code: entry.rule.name for entry in catalogue()}
    lines = [
        "# What is covered",
        "",
        "<!-- Made by `make docs` from the rules, the model and `policykit/rules/guide.py`; do not edit. -->",
        "",
        GUIDE_IS,
        "The table has what looks at each: rules on the policy alone, rules on live state or a record, what holds it",
        "at run time, rules on the bot's source and settings, commands. An empty cell",
        f"does not apply; *{NOTHING}* would say that it does, and a test allows that nowhere.",
        "",
        "| | requirement | static | live | run time | source | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows():
        cells = [_cell(row, column, known) for column in COLUMNS.values()]
        lines.append(f"| {row.number} | {row.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, column: str, known: dict[str, str]) -> str:
    said = getattr(row, column)
    if not said:
        return f"*{NOTHING}*" if column in row.where else ""
    if column == "run_time":
        return ", ".join(f"`{s}`" if ":" in s and " " not in s else s for s in said)
    if column == "operator":
        return ", ".join(f"`{command}`" for command in said)
    return " ".join(f"[{c}](rules.md#{c.lower()}-{known[c]})" if c in known else f"[{c}](rules.md)" for c in said)
