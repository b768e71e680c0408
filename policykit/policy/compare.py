"""Compare two policies: where the second is tighter than the first, where looser, and what cannot be compared.

There is no second reading of strictness: both are composed as equals (layers.py), which is as strict as each of them,
and where the composition says something else than one of the two, that one allows more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from policykit.model.policy import Policy
from policykit.policy.canonical import canonical, dump
from policykit.policy.layers import Layer, compose

#: What each policy says of itself; it bounds nothing.
_OWN: Final = frozenset(("policykit", "name", "owner", "extends", "waivers"))
_ABSENT: Final = "nothing"


class Change(NamedTuple):
    """One value that differs: where, and what was and is said there, as the language writes it."""

    path: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.path}: {self.was} -> {self.now}"


class Comparison(NamedTuple):
    """How a new policy differs from an old one. `identity`: what must be equal in both and is not, a line each."""

    tighter: tuple[Change, ...]
    looser: tuple[Change, ...]
    identity: tuple[str, ...]


def compare(old: Policy, new: Policy) -> Comparison:
    """Return where `new` is tighter and looser than `old`. A waiver makes looser; what is neutral makes neither."""
    above, below = _layer(old), _layer(new)
    # Of what is neutral the child's word counts: so each is the child in the composition that it is held against.
    over_new, clashes = compose(above, below, strict=False)
    over_old, _ = compose(below, above, strict=False)
    was, now = _flat(old), _flat(new)
    looser = _changes(_flat(over_new.model), now, was, now)
    tighter = _changes(_flat(over_old.model), was, was, now)
    accepted, accepts = (frozenset(canonical(dump(w)) for w in model.waivers) for model in (old, new))
    looser += [Change("waivers", _ABSENT, words) for words in sorted(accepts - accepted)]
    tighter += [Change("waivers", words, _ABSENT) for words in sorted(accepted - accepts)]
    return Comparison(tuple(tighter), tuple(looser), tuple(clash.message for clash in clashes))


def _layer(model: Policy) -> Layer:
    return Layer(model, MappingProxyType({}))


def _flat(model: Policy) -> dict[str, str]:
    """Return what a policy says by dotted path; each list in one order."""
    data = {name: value for name, value in dump(model).items() if name not in _OWN}
    return dict(_leaves(data, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, canonical(value)


def _changes(
    met: Mapping[str, str], own: Mapping[str, str], was: Mapping[str, str], now: Mapping[str, str]
) -> list[Change]:
    """Return each path at which a policy says something else than its composition with the other one."""
    paths = sorted(path for path in {*met, *own} if met.get(path) != _said(own, path))
    return [Change(path, was.get(path, _ABSENT), now.get(path, _ABSENT)) for path in paths]


def _said(own: Mapping[str, str], path: str) -> str | None:
    """Return what holds at a path: of an entry of a map that has no word of its own, the map's default."""
    section = path.rpartition(".")[0]
    return own.get(path, own.get(f"{section}.default"))
