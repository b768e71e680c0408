"""Every policy that differs from the effective one in a single word that decides orders: what a test must notice.

Generic over the strictness and the type of fields (model/base.py): no field is named, but for the stage, which is a
layer and no value. A *tick* is one in the last digit that the policy writes (`1.5%`: 0.1); of a length of time a
second, or a millisecond where it is no whole number of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError

from policykit.model.base import ON_BREACH, Meta, Section, Strictness, pointwise
from policykit.model.policy import Policy
from policykit.model.shape import shapes
from policykit.place import Place
from policykit.policy import EffectivePolicy, dump
from policykit.policy.show import flow
from policykit.proofs.difference import ABSENT
from policykit.units import Amount, Duration, Percent, Share, plain

#: Where something of a policy is: names of fields, and keys of maps.
Steps = tuple[str, ...]
_CHECK: Final = "check:"
_SECTION: Final = "section"
_STAGE: Final = ("stage", "current")
_REMOVED: Final = object()
_SECOND_MS: Final = 1_000
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_TIME: Final = re.compile(r"\b([0-2][0-9]):([0-5][0-9])\b")
_DAY: Final = re.compile(rf"\b({'|'.join(_DAYS)})\b")


class Mutant(NamedTuple):
    """One word changed: where the policy says it, what it says and what the mutant says, as the language writes it."""

    path: str
    place: Place
    was: str
    now: str
    held_by: tuple[str, ...]
    effective: EffectivePolicy

    def __str__(self) -> str:
        return f"{self.path}: {self.was} -> {self.now}"


class Other(NamedTuple):
    """A field that is set and decides no order: the rules or the parts of the guard that hold it."""

    path: str
    place: Place
    held_by: tuple[str, ...]


class Field(NamedTuple):
    """One field of the policy that says something, and what holds it; `removable`: the language can leave it out."""

    steps: Steps
    value: Any
    strictness: Strictness
    held_by: tuple[str, ...]
    removable: bool
    annotation: Any = None

    @property
    def path(self) -> str:
        """Return its dotted path."""
        return ".".join(self.steps)

    @property
    def decides(self) -> bool:
        """Tell whether a check on orders holds it, or it says what follows when one denies (`warn` lets through)."""
        held = any(holder.startswith(_CHECK) for holder in self.held_by)
        return held or self.strictness in (ON_BREACH, pointwise(ON_BREACH))


def mutants(effective: EffectivePolicy) -> Iterator[Mutant]:
    """Yield every mutant that the language can say, in the order of the model."""
    for field in fields(effective.model):
        if not field.decides:
            continue
        seen = {(field.path, _written(field.value))}
        for steps, value in _changes(field):
            mutant = _mutant(effective, field, steps, value)
            if mutant is not None and (mutant.path, mutant.now) not in seen:
                seen.add((mutant.path, mutant.now))
                yield mutant


def others(effective: EffectivePolicy) -> tuple[Other, ...]:
    """Return the fields that say something, are held by something, and decide no order."""
    return tuple(
        Other(field.path, effective.place(field.path), field.held_by)
        for field in fields(effective.model)
        if field.held_by and not field.decides
    )


def fields(section: Section, steps: Steps = (), above: tuple[str, ...] = ()) -> Iterator[Field]:
    """Yield every field that says something; `above` holds the section where its fields leave that to it.

    A section is a field of its own where one of its fields cannot be left out alone.
    """
    for name, shape in shapes(type(section)).items():
        value = getattr(section, name)
        if value is None or (name not in section.model_fields_set and value in ((), "")):
            continue
        model = type(section).model_fields[name]
        at, held = (*steps, name), _held(shape.meta, above)
        removable = not model.is_required() and model.default is None
        if shape.section is None:
            yield Field(at, value, shape.meta.strictness, held, removable, model.annotation)
        elif shape.kind == "list":
            yield Field(at, value, shape.meta.strictness, held, False)
        elif shape.kind == "section":
            yield from _whole(value, at, held, removable)
            yield from fields(value, at, held)
        else:
            for key, item in value.items():
                yield from _whole(item, (*at, key), held, True)
                yield from fields(item, (*at, key), held)


def _held(meta: Meta, above: tuple[str, ...]) -> tuple[str, ...]:
    """Return what holds a field: what it names itself; `section` stands for what holds the section around it."""
    return tuple(dict.fromkeys(h for one in meta.held_by for h in (above if one == _SECTION else (one,))))


def _whole(section: Section, steps: Steps, held: tuple[str, ...], removable: bool) -> Iterator[Field]:
    """Yield a section that goes as a whole: one of its fields is a limit, and must be said."""
    required = {name for name, model in type(section).model_fields.items() if model.is_required()}
    limits = [_held(shape.meta, held) for name, shape in shapes(type(section)).items() if name in required]
    by = tuple(dict.fromkeys(holder for holders in limits for holder in holders if holder.startswith(_CHECK)))
    if removable and by:
        yield Field(steps, section, Strictness(_SECTION), by, True)


def _mutant(effective: EffectivePolicy, field: Field, steps: Steps, value: Any) -> Mutant | None:
    """Return the effective policy with one word changed; None where the language cannot say that."""
    if steps == _STAGE:
        changed = effective.at_stage(value)
    elif steps == _STAGE[:1]:
        changed = replace(effective, model=put(effective.composed, steps, value))
    else:
        changed = replace(effective, model=put(effective.model, steps, value))
        try:
            Policy.model_validate(dump(changed.model))
        except ValidationError:
            return None
    was = _at(effective.model, steps)
    path = ".".join(steps)
    now = ABSENT if value is _REMOVED else _written(value)
    return Mutant(path, _place(effective, path, was, value), _written(was), now, field.held_by, changed)


def put(holder: Any, steps: Steps, value: Any) -> Any:
    """Return a section or a map with another value at a place in it."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(holder, Section):
        inner = put(getattr(holder, step), rest, value)
        return holder.model_copy(update={step: None if inner is _REMOVED else inner})
    inner = put(holder[step], rest, value)
    return {key: inner if key == step else item for key, item in holder.items() if key != step or inner is not _REMOVED}


def _at(holder: Any, steps: Steps) -> Any:
    for step in steps:
        holder = getattr(holder, step) if isinstance(holder, Section) else holder[step]
    return holder


def _place(effective: EffectivePolicy, path: str, was: Any, now: Any) -> Place:
    """Return the place of the one item that a change of a list or of a cap is about, else of the value."""
    if type(was) is tuple and type(now) is tuple:
        gone = next((index for index, item in enumerate(was) if item not in now), None)
        if gone is not None:
            return effective.place(f"{path}.{gone}")
    return effective.place(path)


def _written(value: Any) -> str:
    """Write a value as the language does; of a section only what it cannot be without (it may name a secret)."""
    if not isinstance(value, Section):
        return flow(dump(value))
    required = [name for name, model in type(value).model_fields.items() if model.is_required()]
    needed = flow({name: dump(getattr(value, name)) for name in required})
    return needed if len(required) == len(value.model_fields_set) else f"{needed[:-1]}, ...}}"


# -- what is changed to what -------------------------------------------------------------------------------------------


def _changes(field: Field) -> Iterator[tuple[Steps, Any]]:
    """Yield (where, what) of every change of a field: moved, a part of it changed, left out."""
    if isinstance(field.value, dict):
        of = field.strictness.of or field.strictness
        for key, item in field.value.items():
            for value in _other_values(of, item, field.annotation):
                yield (*field.steps, key), value
            yield (*field.steps, key), _REMOVED
    elif not isinstance(field.value, Section):
        for value in _other_values(field.strictness, field.value, field.annotation):
            yield field.steps, value
    if field.removable:
        yield field.steps, _REMOVED


def _other_values(strictness: Strictness, value: Any, annotation: Any) -> Iterator[Any]:
    if strictness.kind == "ordered":
        at = strictness.order.index(value)
        yield from (strictness.order[other] for other in (at - 1, at + 1) if 0 <= other < len(strictness.order))
    elif type(value) is tuple:
        yield from _other_items(strictness, value, annotation)
    elif isinstance(value, str):
        yield from (word for word in _words(annotation) if word != value)
        yield from _other_times(value)
    else:
        yield from _moved(value)


def _other_items(strictness: Strictness, value: tuple[Any, ...], annotation: Any) -> Iterator[tuple[Any, ...]]:
    """Change each item of a list or a cap, take each out, and add each word that the language has and the list not."""
    symbols = strictness.order == ("symbols",)
    for index, item in enumerate(value):
        before, after = value[:index], value[index + 1 :]
        if not isinstance(item, str):
            changed = tuple(_moved(item))
        else:
            changed = _widened(item) if symbols else tuple(_other_times(item))
        yield from ((*before, one, *after) for one in changed)
        yield (*before, *after)
    yield from ((*value, word) for word in _words(annotation) if word not in value)


def _widened(pattern: str) -> tuple[str, ...]:
    """Return a pattern of symbols with every base asset in it: `*/USDT` of `BTC/USDT`."""
    base, slash, rest = pattern.partition("/")
    return () if pattern.startswith("!") or not slash or base == "*" else (f"*/{rest}",)


def _words(annotation: Any) -> tuple[str, ...]:
    """Return the words that a type allows; none where any text may stand."""
    if get_origin(annotation) is Literal:
        return tuple(get_args(annotation))
    return tuple(dict.fromkeys(word for part in get_args(annotation) for word in _words(part)))


def _moved(value: Any) -> Iterator[Any]:
    """Yield a value moved by one tick, down and up; a switch flipped."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, Duration):
        tick = 1 if value.ms % _SECOND_MS else _SECOND_MS
        yield from (Duration(value.ms - tick), Duration(value.ms + tick))
    elif isinstance(value, Amount):
        yield from (Amount(number, value.currency) for number in _last_digit(value.value))
    elif isinstance(value, Share | Percent):
        yield from (type(value)(number / 100) for number in _last_digit(value.fraction * 100))
    elif isinstance(value, int | Decimal):
        yield from (type(value)(number) for number in _last_digit(Decimal(value)))


def _last_digit(number: Decimal) -> tuple[Decimal, Decimal]:
    exponent = Decimal(plain(number)).as_tuple().exponent
    assert isinstance(exponent, int)
    tick = Decimal(1).scaleb(exponent)
    return number - tick, number + tick


def _other_times(text: str) -> Iterator[str]:
    """Yield a text with one time of day in it moved by a minute, or one day of the week by a day; each both ways."""
    for found in _TIME.finditer(text):
        minutes = int(found[1]) * 60 + int(found[2])
        for moved in ((minutes - 1) % _DAY_MINUTES, (minutes + 1) % _DAY_MINUTES):
            yield f"{text[: found.start()]}{moved // 60:02}:{moved % 60:02}{text[found.end() :]}"
    for found in _DAY.finditer(text):
        at = _DAYS.index(found[1])
        for other in (_DAYS[at - 1], _DAYS[(at + 1) % len(_DAYS)]):
            yield text[: found.start()] + other + text[found.end() :]
