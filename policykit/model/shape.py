"""The structure of the model as data: which field holds a section, a list or a map of them, or a plain value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from policykit.model.base import Meta, Section, metas


class Shape(NamedTuple):
    """What a field holds. `section` is the class of what is inside, None for plain values."""

    kind: Literal["value", "section", "list", "map"]
    section: type[Section] | None
    meta: Meta


def _parts(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for arg in get_args(annotation):
            yield from _parts(arg)
    elif annotation is not type(None):
        yield annotation


def _section(annotation: Any) -> type[Section] | None:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, Section):
            return part
    return None


def _shape(annotation: Any, meta: Meta) -> Shape:
    for part in _parts(annotation):
        if get_origin(part) is dict:
            return Shape("map", _section(get_args(part)[1]), meta)
        if get_origin(part) is tuple:
            return Shape("list", _section(get_args(part)[0]), meta)
    inside = _section(annotation)
    return Shape("section" if inside else "value", inside, meta)


@cache
def shapes(section: type[Section]) -> dict[str, Shape]:
    """Return the shape of each field of a section."""
    table = metas(section)
    return {name: _shape(field.annotation, table[name]) for name, field in section.model_fields.items()}


def section_at(root: type[Section], path: tuple[str | int, ...]) -> type[Section] | None:
    """Return the section that belongs at a path of a document; None where keys are free (maps) or there are none."""
    section: type[Section] | None = root
    steps = iter(path)
    for step in steps:
        shape = shapes(section).get(str(step)) if section is not None else None
        if shape is None or (shape.kind in ("list", "map") and next(steps, None) is None):
            return None
        section = shape.section
    return section


def keys_at(root: type[Section], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that may stand at a path of a document; empty where keys are free (maps) or there are none."""
    section = section_at(root, path)
    return tuple(section.model_fields) if section is not None else ()


def walk(section: Section, path: str = "") -> Iterator[tuple[str, Any, Meta]]:
    """Yield (dotted path, value, Meta) of every field that is set and holds something, in the model's order.

    Sections and maps of them are opened and not yielded themselves, unless something holds them as a whole.
    """
    said, values = section.model_fields_set, section.__dict__
    for name, shape in shapes(type(section)).items():
        value = values[name]
        if value is None or (name not in said and value in ((), "")):
            continue
        at = f"{path}.{name}" if path else name
        if shape.section is None or (shape.meta.held_by and shape.kind != "list"):
            yield at, value, shape.meta
        if shape.section is None:
            continue
        if shape.kind == "section":
            yield from walk(value, at)
        else:
            items = value.items() if shape.kind == "map" else enumerate(value)
            for key, item in items:
                yield from walk(item, f"{at}.{key}")
