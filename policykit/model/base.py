"""What every section of a policy is made of: closed, frozen models whose fields say which way is stricter."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Strictness(NamedTuple):
    """Which way a field is stricter (DESIGN 2); composition, diff and docs are generic over it.

    - `lower`, `higher`: a number, a length of time, a percentage, or a cap (a set of bounds, one a dimension).
    - `subset`, `superset`: a list; symbols compare as globs with exclusions, objects by their `address`.
    - `true`: a switch that a layer above may only set.
    - `ordered`: one of `order`, loosest first.
    - `pointwise`: a map; `of` holds for each entry, and a child's `default` tightens named entries too.
    - `section`: a section of its own, field by field.
    - `identity`: must be equal wherever it is said. `neutral`: says nothing about strictness; the child's word counts.
    """

    kind: str
    order: tuple[str, ...] = ()
    of: Strictness | None = None

    def __str__(self) -> str:
        if self.kind == "ordered":
            return " < ".join(self.order)
        return f"{self.kind}({self.of})" if self.of else self.kind


LOWER = Strictness("lower")
HIGHER = Strictness("higher")
SUBSET = Strictness("subset")
#: Symbols compare as globs with exclusions; `trade` covers `trade.spot`.
SYMBOLS = Strictness("subset", ("symbols",))
SCOPES = Strictness("subset", ("scopes",))
SUPERSET = Strictness("superset")
TRUE = Strictness("true")
IDENTITY = Strictness("identity")
NEUTRAL = Strictness("neutral")
SECTION = Strictness("section")


def ordered(*loosest_first: str) -> Strictness:
    """Return the strictness of a word out of a list, loosest first."""
    return Strictness("ordered", loosest_first)


def pointwise(of: Strictness) -> Strictness:
    """Return the strictness of a map whose entries each have strictness `of`."""
    return Strictness("pointwise", of=of)


#: What happens when a limit is broken, loosest first.
ON_BREACH = ordered("warn", "deny", "reduce_only", "cancel_open", "halt")


class Meta(NamedTuple):
    """What is said of a field, here and nowhere else.

    `held_by` names what holds the field: `check:ID` (an engine check), `rule:PKnxx` (a lint rule, or the family that
    holds it), `guard:PART` (run-time machinery), `section` (what holds the section that it is in). Empty for a section
    whose fields say it, and for a field that is neutral, unless something obeys it: a change of such a word is one.
    `inside` names the limits that bound the same thing from above: an order is part of the gross exposure, so a cap on
    orders over that one never binds (`rules.dead` has the conditions). A position is not: it counts at another price.
    """

    doc: str
    strictness: Strictness
    unit: str = ""
    guide: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    #: True: no error, log or report ever shows the value.
    secret: bool = False
    inside: tuple[str, ...] = ()
    #: What holds where a policy says nothing (of a map: for an entry that it does not name); None: nothing does. The
    #: engine and the guard read their own defaults here, so that saying one of them is no difference.
    absent: Any = None

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = dict(handler(core))
        told = "" if self.strictness.kind in ("neutral", "section", "identity") else f" Stricter: {self.strictness}."
        schema["description"] = self.doc + told + (f" ({', '.join(self.guide)})" if self.guide else "")
        return schema


class Section(BaseModel):
    """A section: closed keys, no change after reading. Built once, inside the policy that holds it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True, revalidate_instances="never"
    )

    #: The field that names an item of a list of these (see `subset`); empty for sections that are in no list.
    item_key: ClassVar[str] = ""


def meta_of(field: FieldInfo) -> Meta:
    """Return what is said of a field; every field of the model has it (a test holds that)."""
    for item in field.metadata:
        if isinstance(item, Meta):
            return item
    raise TypeError("a field of the model without Meta")


@cache
def metas(section: type[Section]) -> Mapping[str, Meta]:
    """Return the Meta of each field of a section, in the order of its file."""
    return {name: meta_of(field) for name, field in section.model_fields.items()}
