"""What the language says of a place in a policy: its field, the words that may stand there, its documentation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from policykit.model import types
from policykit.model.base import Section
from policykit.model.policy import Policy
from policykit.model.shape import Shape, section_at, shapes
from policykit.policy.page import kind_of, tells, words_of
from policykit.proofs.lsp.cursor import Path
from policykit.rules.guide import GUIDE

_TITLES: Final = {row.number: row.title for row in GUIDE}
_NO_STRICTNESS: Final = ("neutral", "section", "identity")


class Field(NamedTuple):
    """A field of the language. `inside`: the place lies in its value (an item, an entry), not at the field itself."""

    path: Path
    shape: Shape
    info: FieldInfo
    inside: Path = ()


def field_at(path: Path) -> Field | None:
    """Return the field of a place, or the one whose value the place lies in; None where the language has none."""
    section: type[Section] | None = Policy
    steps = list(path)
    found: Field | None = None
    at = 0
    while section is not None and at < len(steps):
        shape = shapes(section).get(str(steps[at]))
        if shape is None:
            return None
        at += 1
        rest = tuple(steps[at:])
        found = Field(tuple(steps[:at]), shape, section.model_fields[str(steps[at - 1])], rest)
        section = shape.section
        if shape.kind in ("list", "map"):
            at += 1
    if found is not None and section is not None and at >= len(steps):
        return found
    return found if found is None or found.shape.section is None else None


def section_of(path: Path) -> type[Section] | None:
    """Return the section that belongs at a place; None where keys are free or there are none."""
    return Policy if not path else section_at(Policy, path)


def is_map(field: Field) -> bool:
    """Tell whether a field's keys are names that the file gives."""
    return field.shape.kind == "map"


@cache
def _pattern(name: str) -> str:
    text = next(item for item in get_args(getattr(types, name)) if isinstance(item, types.Text))
    return text.pattern


#: The typed texts that completion knows more of than their form.
KINDS: Final = {
    _pattern(name): name
    for name in (
        "BoundText", "DurationText", "SpanText", "PercentText", "FileName", "ExchangeId", "Currency", "Date",
        "DayStart", "SymbolPattern", "RuleCode", "SecretRef", "SymbolKey", "WeekStart", "TradingHours", "Address",
        "Person",
    )
} | {types.AMOUNT.pattern: "Amount"}  # fmt: skip


def takes_one(info: FieldInfo) -> bool:
    """Tell whether a field that holds a list also takes one item alone."""
    return any(hasattr(part, "widen") for part in _parts((*info.metadata, info.annotation)))


def value_of(field: Field) -> Any:
    """Return the type of the value at a place: of a map's entry, not of the map."""
    parts = (field.info.annotation, *get_args(field.info.annotation))
    found = next((get_args(part)[1] for part in parts if get_origin(part) is dict), None)
    return found if field.inside and field.shape.kind == "map" and found is not None else field.info.annotation


def _parts(parts: tuple[Any, ...]) -> Iterator[Any]:
    for part in parts:
        yield part
        yield from _parts(get_args(part))


def texts_of(info: FieldInfo) -> tuple[types.Text, ...]:
    """Return the typed texts that a field's value is made of, the outermost first."""
    return tuple(_texts((*info.metadata, info.annotation)))


def _texts(parts: tuple[Any, ...]) -> Iterator[types.Text]:
    for part in parts:
        if isinstance(part, types.Text):
            yield part
        elif isinstance(part, tuple) and isinstance(getattr(part, "of", None), types.Text):
            yield part.of  # type: ignore[attr-defined]
        else:
            yield from _texts(get_args(part))


def kinds_of(info: FieldInfo) -> tuple[str, ...]:
    """Return the names of the typed texts of a field that completion knows."""
    return tuple(KINDS[text.pattern] for text in texts_of(info) if text.pattern in KINDS)


def needs_of(field: Field) -> str:
    """Return the form of a value, as errors give it; empty where it has none of its own."""
    return next((text.needs.removesuffix(" is needed") for text in texts_of(field.info)), "")


def is_switch(info: FieldInfo) -> bool:
    """Tell whether a field is true or false."""
    return any(part is bool for part in (info.annotation, *get_args(info.annotation))) or any(
        bool in get_args(part) for part in get_args(info.annotation)
    )


def default_of(field: Field) -> str:
    """Return what holds where nobody says the field; empty when that is nothing."""
    default = field.info.get_default()
    return (str(default).lower() if isinstance(default, bool) else str(default)) if tells(default) else ""


def head(field: Field) -> str:
    """Return what a field holds, in a few words: `cap; required; stricter: lower`."""
    meta = field.shape.meta
    words = words_of(field.info.annotation) if field.shape.section is None else ()
    kind = (
        ("list of words" if field.shape.kind == "list" else "one word") if words else kind_of(field.shape, field.info)
    )
    said = [kind.replace("`", "")]
    if meta.unit and meta.unit not in (kind, "duration", "count"):
        said.append(meta.unit)
    if field.info.is_required():
        said.append("required")
    strictness = meta.strictness.of or meta.strictness
    if strictness.kind not in _NO_STRICTNESS:
        said.append(f"stricter: {strictness}{', entry by entry' if meta.strictness.of else ''}")
    return "; ".join(said)


def described(field: Field) -> list[str]:
    """Return what the language says of a field, a paragraph each."""
    meta = field.shape.meta
    name = ".".join("N" if isinstance(step, int) else str(step) for step in field.path)
    out = [f"**{name}** ({head(field)})", meta.doc]
    words = words_of(field.info.annotation) if field.shape.section is None else ()
    lines = []
    if words:
        lines.append(f"one of: {', '.join(f'`{word}`' for word in words)}")
    if default_of(field):
        lines.append(f"where nobody says it: `{default_of(field)}`")
    lines += [f"guide {number}: {_TITLES[number]}" for number in meta.guide]
    held = [holder.replace(":", " ", 1) for holder in meta.held_by if holder != "section"]
    if held:
        lines.append(f"held by: {', '.join(held)}")
    return [*out, *(["\n".join(f"- {line}" for line in lines)] if lines else [])]
