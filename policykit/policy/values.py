"""Compare and meet two values of one field by its strictness: generic, knows no field by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from policykit.model.base import Strictness
from policykit.model.symbols import common, narrowed, within
from policykit.units import Bound, Duration, Percent, dimension


class Met(NamedTuple):
    """The stricter of two values. `winner`: whose word it is; `looser`: what the child says that the parent forbids."""

    value: Any
    winner: str
    looser: str = ""
    may: str = ""


def size(bound: Any) -> Any:
    """Return the number behind a bound, a length, a percentage or a plain number: what is compared."""
    return bound[0] if isinstance(bound, tuple) else bound


def quoted(value: Any) -> str:
    """Return a typed value as messages show it."""
    if isinstance(value, tuple) and not isinstance(value, Duration | Percent) and not hasattr(value, "_fields"):
        return "[" + ", ".join(quoted(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if not isinstance(value, int) else str(value)


def meet(strictness: Strictness, parent: Any, child: Any) -> Met:
    """Return the stricter of two values of a field that is neither a section nor a map."""
    kind = strictness.kind
    if kind in ("lower", "higher"):
        if type(parent) is tuple:
            return _bounds(parent, child)
        return _number(kind, parent, child)
    if kind == "ordered":
        at = strictness.order.index
        if at(child) < at(parent):
            return Met(parent, "parent", quoted(child), f"{quoted(parent)} or stricter")
        return Met(child, "child")
    if kind == "true":
        if parent and not child:
            return Met(True, "parent", "false", "true")
        return Met(child, "child")
    if kind == "subset":
        return _subset(strictness, parent, child)
    if kind == "superset":
        return Met(tuple(dict.fromkeys((*parent, *child))), "child")
    return Met(child, "child")


def _number(kind: str, parent: Any, child: Any) -> Met:
    loose = size(child) > size(parent) if kind == "lower" else size(child) < size(parent)
    if loose:
        return Met(parent, "parent", quoted(child), f"at {'most' if kind == 'lower' else 'least'} {quoted(parent)}")
    return Met(child, "child")


def _bounds(parent: Sequence[Bound], child: Sequence[Bound]) -> Met:
    """Union of two sets of bounds, the lower one in each dimension; dimensions are never compared."""
    above = {dimension(b): b for b in parent}
    met: dict[str, Bound] = dict(above)
    looser = ""
    may = ""
    for bound in child:
        held = above.get(dimension(bound))
        if held is not None and size(bound) > size(held):
            looser, may = looser or quoted(bound), may or f"at most {quoted(held)}"
        else:
            met[dimension(bound)] = bound
    return Met(tuple(met.values()), "child", looser, may)


def _covers(how: str, held: str, item: str) -> bool:
    return item == held or (how == "scopes" and item.startswith(f"{held}."))


def _subset(strictness: Strictness, parent: Sequence[str], child: Sequence[str]) -> Met:
    how = strictness.order[0] if strictness.order else ""
    if how == "symbols":
        beyond = within(child, parent)
        if beyond:
            return Met(common(child, parent), "child", quoted(beyond[0]), f"only {quoted(tuple(parent))}")
        return Met(narrowed(child, parent), "child")
    extra = [item for item in child if not any(_covers(how, held, item) for held in parent)]
    narrower = (held for held in parent if any(_covers(how, item, held) for item in extra))
    kept = tuple(dict.fromkeys((*(item for item in child if item not in extra), *narrower)))
    if extra:
        return Met(kept, "child", quoted(extra[0]), f"only {quoted(tuple(parent))}")
    return Met(kept, "child")
