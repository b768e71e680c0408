"""Compose two layers of a policy: every bound of both applies, and the lower layer may tighten, never loosen.

Generic over the strictness that the model's fields carry. Origins go along: which file says what is in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from policykit.finding import Finding
from policykit.model.base import NEUTRAL, SECTION, Section, Strictness, metas
from policykit.model.policy import Policy
from policykit.model.shape import Shape, shapes
from policykit.place import Place
from policykit.policy.values import meet, quoted
from policykit.source.codes import finding

#: Strictness kinds whose default value binds a child: a section that says nothing else means it.
_BINDING_DEFAULTS = frozenset(("ordered", "true"))
#: Said by each file of itself; never composed.
_OWN = frozenset(("policykit", "name", "owner", "extends", "waivers"))


class Layer(NamedTuple):
    """A policy and the place of each value that it says."""

    model: Policy
    places: Mapping[str, Place]


def nearest(places: Mapping[str, Place], path: str) -> Place | None:
    """Return the place of a value, or of the nearest parent that has one."""
    while path:
        found = places.get(path)
        if found is not None:
            return found
        path = path.rpartition(".")[0]
    return places.get("")


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _meant(absent: Any, section: Section, entries: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a map about the fields beside it, with what silence means for each that another names.

    INVARIANT I16: a cap denies where nothing else is said of it, so what extends it cannot make it a warning.
    """
    silent = [key for key in others if getattr(section, key, None) is not None]
    return {**dict.fromkeys(silent, absent), **entries}


class _Merge:
    """One composition. `strict` is False between two policies that one file extends: neither is above the other."""

    def __init__(self, parent: Layer, child: Layer, strict: bool) -> None:
        self.above = parent.places
        self.below = child.places
        self.strict = strict
        self.places: dict[str, Place] = {}
        self.findings: list[Finding] = []

    # -- origins ------------------------------------------------------------------------------------------------

    def take(self, value: Any, path: str, places: Mapping[str, Place]) -> Any:
        """Take over a value with the places of all that is in it."""
        place = places.get(path)
        if place is not None:
            self.places[path] = place
        if isinstance(value, Section):
            for name in value.model_fields_set:
                self.take(getattr(value, name), _join(path, name), places)
        elif isinstance(value, dict):
            for key, item in value.items():
                self.take(item, _join(path, key), places)
        elif type(value) is tuple:
            for index, item in enumerate(value):
                self.take(item, _join(path, index), places)
        return value

    def origin(self, path: str, places: Mapping[str, Place], source: str | None = None) -> None:
        place = nearest(places, source or path)
        if place is not None:
            self.places[path] = place

    # -- structure ----------------------------------------------------------------------------------------------

    def section(self, parent: Section, child: Section, path: str, child_path: str | None = None) -> Section:
        said = child_path if child_path is not None else path
        values: dict[str, Any] = {}
        self.origin(path, self.below, said)
        for name, shape in shapes(type(child)).items():
            at = _join(path, name)
            if not path and name in _OWN:
                if name in child.model_fields_set:
                    values[name] = self.take(getattr(child, name), at, self.below)
                continue
            upper = name in parent.model_fields_set
            defaults = shape.meta.strictness.kind in _BINDING_DEFAULTS
            if shape.kind == "map" and shape.meta.absent is not None:
                met = self.words(shape, parent, child, name, at)
                if met:
                    values[name] = met
                continue
            # Between equals the child's silence is a word too; below a parent it inherits.
            spoken = name in child.model_fields_set or (
                defaults and upper and not self.strict and getattr(child, name) is not None
            )
            if not spoken:
                if upper:
                    values[name] = self.take(getattr(parent, name), at, self.above)
                continue
            value = getattr(child, name)
            binding = defaults and getattr(parent, name) is not None
            if upper or binding:
                value = self.field(shape, getattr(parent, name), value, at, _join(said, name))
            elif child_path is None:
                self.take(value, at, self.below)
            values[name] = value
        return type(child).model_construct(_fields_set=set(values), **values)

    def words(self, shape: Shape, parent: Section, child: Section, name: str, path: str) -> dict[str, Any]:
        """Meet maps whose entries are about the fields beside them; where there is none for a field, silence counts."""
        above, below = getattr(parent, name) or {}, getattr(child, name) or {}
        upper = _meant(shape.meta.absent, parent, above, below)
        lower = below if self.strict else _meant(shape.meta.absent, child, below, above)
        return self.map(shape.meta.strictness.of or NEUTRAL, upper, lower, path) if upper or lower else {}

    def field(self, shape: Shape, parent: Any, child: Any, path: str, said: str) -> Any:
        strictness = shape.meta.strictness
        if strictness == NEUTRAL:
            return self.take(child, path, self.below)
        if shape.kind == "section":
            return self.section(parent, child, path)
        if shape.kind == "map":
            return self.map(strictness.of or NEUTRAL, parent, child, path)
        if shape.section is not None:
            return self.items(shape.section, parent, child, path)
        return self.leaf(strictness, parent, child, path, said)

    def map(self, of: Strictness, parent: dict[str, Any], child: dict[str, Any], path: str) -> dict[str, Any]:
        if of == SECTION:
            return self.sections(parent, child, path)
        met: dict[str, Any] = {}
        for key in dict.fromkeys((*parent, *child)):
            at = _join(path, key)
            upper = parent.get(key, parent.get("default"))
            lower = child.get(key, child.get("default"))
            if lower is None or upper is None:
                source, places = (key, self.above) if lower is None else (key, self.below)
                value = upper if lower is None else lower
                self.origin(at, places, _join(path, source))
                met[key] = value
            else:
                # INVARIANT I16: a child's `default` tightens named entries too, and what it names is held to the
                # parent's default. Only what the child says by name can be too loose.
                source = key if key in child else "default"
                met[key] = self.leaf(of, upper, lower, at, _join(path, source), quiet=key not in child)
        self.origin(path, self.below)
        return met

    def sections(self, parent: dict[str, Any], child: dict[str, Any], path: str) -> dict[str, Any]:
        met: dict[str, Any] = {}
        self.origin(path, self.below)
        for key in dict.fromkeys((*parent, *child)):
            at = _join(path, key)
            if key not in child:
                met[key] = self.take(parent[key], at, self.above)
            elif key not in parent:
                met[key] = self.take(child[key], at, self.below)
            else:
                met[key] = self.section(parent[key], child[key], at)
        return met

    def items(self, section: type[Section], parent: Any, child: Any, path: str) -> tuple[Section, ...]:
        by = section.item_key
        above = {getattr(item, by): item for item in parent}
        met: list[Section] = []
        self.origin(path, self.below)
        for index, item in enumerate(child):
            name = getattr(item, by)
            said = _join(path, index)
            if name not in above:
                self.loose(said, quoted(name), f"only {quoted(tuple(above))}", path)
                continue
            for field, meta in metas(section).items():  # under the same name it must be the same, reasons aside
                was, now = getattr(above[name], field), getattr(item, field)
                if meta.strictness != NEUTRAL and was != now:
                    one, two = ("any" if value is None else value for value in (was, now))
                    self.differs(_join(said, field), _join(said, field), one, two)
            at = _join(path, len(met))
            self.origin(at, self.below, said)
            for name in item.model_fields_set:
                self.origin(_join(at, name), self.below, _join(said, name))
            met.append(item)
        return tuple(met)

    # -- values -------------------------------------------------------------------------------------------------

    def leaf(
        self, strictness: Strictness, parent: Any, child: Any, path: str, said: str, *, quiet: bool = False
    ) -> Any:
        if strictness.kind == "identity":
            if parent != child:
                self.differs(path, said, parent, child)
            self.origin(path, self.below, said)
            return child
        met = meet(strictness, parent, child)
        if met.looser and not quiet:
            self.loose(said, met.looser, met.may, path)
        # Equal values keep the child's place: it is the nearer one.
        self.origin(path, self.below if met.winner == "child" else self.above, said if met.winner == "child" else path)
        if type(met.value) is tuple:
            self.elements(met.value, parent, child, path, said)
        return met.value

    def elements(self, value: tuple[Any, ...], parent: Any, child: Any, path: str, said: str) -> None:
        """Note for each element of a list or a cap which layer says it."""
        for index, item in enumerate(value):
            at = _join(path, index)
            if item in child:
                self.origin(at, self.below, _join(said, child.index(item)))
            elif item in parent:
                self.origin(at, self.above, _join(path, parent.index(item)))

    def loose(self, said: str, what: str, may: str, path: str) -> None:
        if not self.strict:
            return
        place = nearest(self.below, said) or Place("")
        above = nearest(self.above, path)
        self.findings.append(
            finding(
                "PK021",
                place._replace(path=path),
                f"{path} is {what}, looser than {above} allows",
                f"{may}",
                do="tighten it, or leave it out",
                label="looser than what it extends",
            )
        )

    def differs(self, path: str, said: str, parent: Any, child: Any) -> None:
        place = nearest(self.below, said) or Place("")
        self.findings.append(
            finding(
                "PK022",
                place._replace(path=path),
                f"{path} is {quoted(child)}; {nearest(self.above, path)} says {quoted(parent)}",
                "the two must be equal",
                do="leave it out here, or extend another policy",
            )
        )


def outspoken(one: Section, other: Section) -> Section:
    """Return a section that says what its silence means (`Meta.absent`) wherever another one speaks.

    Two whole policies compose so: a default of the engine is a bound, too. A layer is silent for want of a word.
    """
    values = {name: getattr(one, name) for name in one.model_fields_set}
    for name, shape in shapes(type(one)).items():
        theirs = getattr(other, name) if name in other.model_fields_set else None
        mine = values.get(name)
        if theirs is None:
            continue
        if shape.kind == "section":
            filled = outspoken(type(theirs).model_construct(set()) if mine is None else mine, theirs)
            if filled.model_fields_set:
                values[name] = filled
        elif mine is None and shape.kind != "map" and shape.meta.absent is not None:
            values[name] = shape.meta.absent
    return type(one).model_construct(_fields_set=set(values), **values)


def compose(parent: Layer, child: Layer, *, strict: bool = True) -> tuple[Layer, list[Finding]]:
    """Return both layers as one, as strict as each of them, and what of the child is looser than the parent.

    With `strict` False neither is above the other: the stricter word counts and only contradictions are findings.
    """
    merge = _Merge(parent, child, strict)
    model = merge.section(parent.model, child.model, "")
    assert isinstance(model, Policy)
    waivers = (*child.model.waivers, *parent.model.waivers)
    for index in range(len(child.model.waivers), len(waivers)):
        merge.origin(f"waivers.{index}", parent.places, f"waivers.{index - len(child.model.waivers)}")
    if waivers:
        model = model.model_copy(update={"waivers": waivers})
    return Layer(model, merge.places), merge.findings
