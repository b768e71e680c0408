"""What may be typed at a cursor: keys of the language, names that are known, values; also inside of broken text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from policykit.model.base import Section
from policykit.model.shape import shapes
from policykit.proofs.lsp.cursor import Outline, Path, Spot, outline
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.fields import Field, described, field_at, is_map, section_of, takes_one
from policykit.proofs.lsp.offers import Offer, names, values
from policykit.proofs.lsp.text import Span
from policykit.source.layout import key_text

#: The most that is offered at once.
MAX_ITEMS: Final = 200
_STEP: Final = "  "


class Item(NamedTuple):
    """One thing that may be typed. `snippet` has stops (`$1`) for editors that take them, `text` has none."""

    label: str
    kind: Literal["key", "value", "file"]
    detail: str
    doc: str
    span: Span
    text: str
    snippet: str
    #: What it is sorted by; what is needed comes first.
    sort: str


def complete(desk: Desk, file: str, offset: int) -> list[Item]:
    """Return what may stand at a character of an open file, the needed first."""
    text = desk.text(file)
    found = outline(text.text, offset)
    spot = found.spot
    if spot is None:
        return []
    items = list(_items(desk, file, found, spot))
    return items[:MAX_ITEMS]


def _items(desk: Desk, file: str, found: Outline, spot: Spot) -> Iterator[Item]:
    field = field_at(spot.path)
    section = section_of(spot.path)
    whole = field is not None and not field.inside and field.shape.kind in ("list", "map")
    if section is not None and not whole and (spot.role == "key" or isinstance(spot.path[-1], int)):
        yield from _keys(section, found, spot)
    elif field is not None and spot.role == "key" and is_map(field) and spot.path == field.path:
        present = found.present(spot.path)
        offers = (offer for offer in names(desk, file, field, found) if offer.text not in present)
        yield from _named(offers, field, spot)
    elif field is not None and (spot.role == "value" or field.shape.kind == "list"):
        yield from _values(desk, file, found, field, spot)


def _keys(section: type[Section], found: Outline, spot: Spot) -> Iterator[Item]:
    """Yield the keys of a section that are not there yet."""
    present = found.present(spot.path)
    for index, name in enumerate(shapes(section)):
        if name in present:
            continue
        field = field_at((*spot.path, name))
        if field is None:
            continue
        text = snippet = name
        if not spot.colon:
            text, snippet = _key_texts(name, field, spot.flow)
        needed = field.info.is_required()
        title, *rest = described(field)
        yield Item(
            name,
            "key",
            title.partition(" (")[2].removesuffix(")"),
            "\n\n".join(rest),
            Span(spot.start, spot.end),
            text,
            snippet,
            f"{0 if needed else 1}{index:03}",
        )


def _key_texts(name: str, field: Field, flow: bool) -> tuple[str, str]:
    """Return a key with what begins its value: as it is, and with stops at what is to be written."""
    shape = field.shape
    if shape.section is None:
        listed = shape.kind == "list" and not takes_one(field.info)
        return f"{name}: ", f"{name}: [$1]" if listed else f"{name}: $1"
    inner = _needed(shape.section)
    if flow:
        return f"{name}: ", f"{name}: [{{{inner}}}]" if shape.kind == "list" else f"{name}: {{{inner}}}"
    if shape.kind == "section":
        return f"{name}:", f"{name}:\n{_STEP}{_lines(shape.section, _STEP)}"
    if shape.kind == "list":
        return f"{name}:", f"{name}:\n{_STEP}- {{{inner}}}"
    return f"{name}:", f"{name}:\n{_STEP}${{1:name}}:\n{_STEP * 2}{_lines(shape.section, _STEP * 2, 2)}"


def _stops(section: type[Section], first: int = 1) -> Iterator[tuple[str, str]]:
    """Yield the keys that a section cannot be without, each with a stop; a single empty stop where there are none."""
    needed = [name for name, info in section.model_fields.items() if info.is_required()]
    yield from ((name, f"${{{number}}}") for number, name in enumerate(needed, first))


def _needed(section: type[Section]) -> str:
    return ", ".join(f"{name}: {stop}" for name, stop in _stops(section)) or "$1"


def _lines(section: type[Section], indent: str, first: int = 1) -> str:
    return f"\n{indent}".join(f"{name}: {stop}" for name, stop in _stops(section, first)) or f"${first}"


def _named(offers: Iterable[Offer], field: Field, spot: Spot) -> Iterator[Item]:
    """Yield names that a map may have as keys."""
    for index, offer in enumerate(offers):
        name = key_text(offer.text)
        if spot.colon:
            text = snippet = name
        elif field.shape.section is None:
            text, snippet = f"{name}: ", f"{name}: $1"
        elif spot.flow:
            text, snippet = f"{name}: ", f"{name}: {{{_needed(field.shape.section)}}}"
        else:
            text, snippet = f"{name}:", f"{name}:\n{_STEP}{_lines(field.shape.section, _STEP)}"
        yield Item(
            offer.text, "key", offer.detail, offer.doc, Span(spot.start, spot.end), text, snippet, f"1{index:03}"
        )


def _values(desk: Desk, file: str, found: Outline, field: Field, spot: Spot) -> Iterator[Item]:
    listed = field.shape.kind == "list" and not field.inside and not takes_one(field.info)
    taken = _taken(desk, file, field.path) if field.shape.kind == "list" else frozenset()
    for index, offer in enumerate(values(desk, file, field, spot, found)):
        if offer.text in taken and offer.text != spot.prefix:
            continue
        # What a list holds is offered as a list where its key stands alone.
        text = f"[{offer.text}]" if listed and not spot.prefix.startswith("[") else offer.text
        span = Span(spot.start, spot.end)
        yield Item(
            offer.label or offer.text, offer.kind, offer.detail, offer.doc, span, text, _literal(text), f"{index:04}"
        )


def _taken(desk: Desk, file: str, path: Path) -> frozenset[str]:
    """Return what a list holds already."""
    value: Any = desk.document(file)[0].data
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return frozenset()
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()


def _literal(text: str) -> str:
    """Write a text so that a snippet has it as it is."""
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("}", "\\}")
