"""What the language wants at a place, in words: the form of a section or a list, the value of a key that is missing."""

from __future__ import annotations

from typing import Final, Literal, get_args, get_origin

from policykit.model.policy import Policy
from policykit.model.shape import section_at
from policykit.model.types import BOUND, Text

#: A section of more keys is not spelt out: `policykit explain` and the editor's schema have them.
MAX_KEYS: Final = 8
_SECTIONS: Final = ("dict_type", "model_type", "model_attributes_type")


def form(path: tuple[str | int, ...], kind: str) -> str | None:
    """Return what a section or a list at this place looks like; None where pydantic wanted something else.

    A list is told from a section by pydantic's `kind`; its items are looked up at index 0.
    """
    if kind == "tuple_type":
        item, keys = _keys((*path, 0))
        return (
            f"a list (`[{{{item}}}]`) is needed; in an item may be: {keys}" if keys else "a list (`[a, b]`) is needed"
        )
    if kind in _SECTIONS:
        item, keys = _keys(path)
        return f"a section (`{item}`) is needed; here may be: {keys}" if keys else "a section (`key: value`) is needed"
    return None


def _keys(path: tuple[str | int, ...]) -> tuple[str, str]:
    """Return the key that an entry cannot be without, and all that it may have; empty where there are too many."""
    section = section_at(Policy, path)
    if section is None or len(section.model_fields) > MAX_KEYS:
        return "", ""
    fields = section.model_fields
    first = next((name for name, field in fields.items() if field.is_required()), next(iter(fields)))
    return f"{first}: ...", ", ".join(fields)


def wanted(path: tuple[str | int, ...]) -> str:
    """Return what a key that must be there may hold: ``one of `fixed` or `rolling```, `a duration ("30s")`."""
    field = (section_at(Policy, path[:-1]) or Policy).model_fields[str(path[-1])]
    if get_origin(field.annotation) is Literal:
        words = [f"`{word}`" for word in get_args(field.annotation)]
        return f"one of {', '.join(words[:-1])} or {words[-1]}"
    if field.annotation is int:
        return "a whole number" if path != ("policykit",) else "the version of the language: `policykit: 1`"
    text = next((item for item in field.metadata if isinstance(item, Text)), BOUND)
    return text.needs.removesuffix(" is needed")
