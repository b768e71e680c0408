"""The text of `docs/language.md`, made from the model; `make docs` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from policykit.model.base import Section
from policykit.model.policy import Policy
from policykit.model.shape import Shape, shapes
from policykit.policy.stages import MICRO, SMALL
from policykit.source.codes import CODES
from policykit.source.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_SCALAR

#: How many fields of one name are described at once: `limit` and `by` stand in many sections.
MAX_DESCRIBED = 10

_HEAD = f"""\
# The policy language

<!-- Made by `make docs` from the model; a test holds page and model equal. -->

One policy is one exchange and one account. It is strict YAML (UTF-8, at most {MAX_BYTES:,} bytes, {MAX_DEPTH}
levels, {MAX_NODES:,} values, {MAX_SCALAR:,} characters a value): no anchors, aliases, tags, directives, merge keys,
duplicate keys or second documents, no keys without a value, no invisible characters. `true`, `false` and whole
numbers are typed; everything else is text that the model types, dates included. Refused, because readers disagree
on them: `yes`, `no`, `on`, `off`, `True`, `0777`, `0x1F`, `12:30`, `1_000`, and fractions without quotes (`1.5`,
`1e3`): write `"1.5"`. What this page calls a path is dotted: `keys.mm-exec.ip_allowlist.0.address`.

A file without `exchange` is a **profile**: other policies extend it, and no guard runs it.

## Values

| kind | is written | means |
|---|---|---|
| amount | `5000 USDT`, `0.5 BTC` | money or a quantity |
| share | `1.5% of equity` | a share of the account's equity |
| cap | an amount or a share, or a list of them | a set of bounds, at most one a currency; all of them hold |
| cap by symbol | a cap, or `{{default: CAP, "BTC/USDT": CAP}}` | what is named has its own cap, all else the default |
| percent | `2%` | of what the field names |
| duration | `500ms`, `30s`, `5m`, `24h`, `90d` | a length of time |
| date | `2026-11-20` | a day, UTC |
| symbols | `["*/USDT", "!LUNA*"]` | globs of ccxt's unified names; `!` leaves out |

## Composition

`extends: [baseline.yaml]` names policies and profiles, relative to the file. What they say holds; this file may
tighten it and never loosen it: a looser word is an error at its place (PK021). What is left out is inherited; what
nobody says is no limit, and lint says which limits are missing. Each field knows which way is stricter:

- `lower`, `higher`: numbers, durations, percentages. Caps are united: in each currency the lower bound holds, and
  bounds in two currencies are never compared.
- `subset`: only what the extended policy has. `superset`: what it has, and more. `true`: once on, it stays on.
- `a < b < c`: one of these words, loosest first.
- `pointwise(...)`: entry by entry. A `default` said here tightens named entries of the extended policy too.
- `identity`: must be equal. `neutral`: this file's word counts.

Several extended policies compose to the strictest of them. A waiver here needs leave there (`waivable: [PK204]`).

A **stage** is such a layer, too. `micro-live` caps orders and positions at {MICRO}; `small-live` takes every cap in
money times {SMALL}; `full-live` adds nothing; in `sandbox` and `paper` no money moves. Counts and percentages of a
price never scale. `policykit show POLICY` prints what is in force, with the file and line that says it.

## Waivers

`rule`, `at` (a path; what lies below is meant too), `owner`, `reason`, `expires` (the first day on which it is no
longer accepted; a date that is none is expired). A waiver serves lint, live lint and run time alike. It never
touches a cap or a check on an order, and some rules cannot be waived at all: PK0, PK101 (withdraw), PK102
(transfer, where it can be told apart).

## Fields

`held by`: `check` is an engine check of every order, `guard` the run-time part that acts on it, `rule` a lint rule
or the family that reads it. A set limit whose check does not exist yet denies increases (`CHECK_MISSING`).
Strictness, unit and guide number stand at the field, in `policykit/model`.
"""

_TAIL = """\
## What can be wrong with the file

A policy loads if and only if there is none of these; `policykit lint` prints them (exit 2), a guard raises them as
`PolicyError`. None can be waived.
"""


def _fields(section: type[Section], path: str) -> Iterator[tuple[str, Shape, Any]]:
    for name, shape in shapes(section).items():
        field = section.model_fields[name]
        at = f"{path}.{name}" if path else name
        yield at, shape, field
        if shape.section is not None:
            inner = {"map": f"{at}.NAME", "list": f"{at}.N", "section": at}[shape.kind]
            yield from _fields(shape.section, inner)


def kind_of(shape: Shape, field: Any) -> str:
    """Return what a field holds, in a word or two; the words that it may have, if there are such."""
    if shape.section is not None:
        return {"map": "map of sections", "list": "list of sections", "section": "section"}[shape.kind]
    text = str(field.annotation)
    words = words_of(field.annotation)
    if words:
        return ("list of " if shape.kind == "list" else "") + ", ".join(f"`{word}`" for word in words)
    if shape.kind == "map":
        return "cap by symbol" if "Amount" in text else "map of whole numbers"
    for mark, name in _KINDS:
        if mark in text:
            return name
    return "list of text" if shape.kind == "list" else "text"


_KINDS = (
    ("Amount", "cap"),
    ("Duration", "duration"),
    ("Percent", "percent"),
    ("Decimal", "number"),
    ("bool", "`true`, `false`"),
    ("int", "whole number"),
)


def words_of(annotation: Any) -> tuple[str, ...]:
    """Return the words that a field may have; empty for one that holds anything else."""
    for part in get_args(annotation):
        if isinstance(part, str):
            return tuple(str(word) for word in get_args(annotation))
        found = words_of(part)
        if found:
            return found
    return ()


def _row(path: str, shape: Shape, field: Any) -> tuple[str, ...]:
    meta = shape.meta
    needed = " **required**" if field.is_required() else ""
    default = field.get_default()
    said = f" Default: `{str(default).lower() if isinstance(default, bool) else default}`." if tells(default) else ""
    kind = kind_of(shape, field)
    unit = f", {meta.unit}" if meta.unit and meta.unit not in ("duration", "count") else ""
    said_kind = meta.unit if meta.unit.startswith(kind) else kind + unit
    strictness = "" if meta.strictness.kind == "section" else str(meta.strictness)
    held = ", ".join(meta.held_by).replace("section", "its section") or (
        "neutral" if meta.strictness.kind == "neutral" else "its fields"
    )
    return (
        f"`{path}`",
        said_kind + needed,
        meta.doc + said,
        strictness,
        " ".join(meta.guide),
        held,
    )


def tells(default: Any) -> bool:
    """Tell whether a default is worth a word: absent, empty and nothing are not."""
    return isinstance(default, str | bool) and default != ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def describe(name: str) -> str | None:
    """Return what the language says of the fields called so: a whole path, or the end of one (`ip_allowlist`)."""
    every = list(_fields(Policy, ""))
    found = [item for item in every if item[0] == name] or [item for item in every if item[0].endswith(f".{name}")]
    return "\n".join(_described(*item) for item in found[:MAX_DESCRIBED]) or None


def _described(path: str, shape: Shape, field: Any) -> str:
    _, holds, doc, stricter, guide, _ = (cell.replace("`", "") for cell in _row(path, shape, field))
    holds = holds.replace(" **required**", "; required")
    if shape.section is not None:
        holds += f": {', '.join(shape.section.model_fields)}"
    told = {"Holds": holds, "Stricter": stricter.replace("neutral", ""), "Guide": guide}
    held = [holder.replace(":", " ") for holder in shape.meta.held_by if holder != "section"]
    told["Held by"] = ", ".join(held)
    lines = [f"{label}: {text}" for label, text in told.items() if text]
    return "\n".join([f"{path} (a field of a policy)", "", doc, "", *lines, ""])


def page() -> str:
    """Return the page as Markdown."""
    rows = [_row(*item) for item in _fields(Policy, "")]
    codes = [(f"`{code}`", row.name, row.why) for code, row in CODES.items()]
    head = ("path", "type, unit", "what it says", "stricter", "guide", "held by")
    return "\n".join(
        [
            _HEAD,
            _table(head, rows),
            _TAIL,
            _table(("code", "name", "why it is refused"), codes),
        ]
    )
