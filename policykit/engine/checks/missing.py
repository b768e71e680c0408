"""Limits that nothing holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Self, get_args, get_origin

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.model.base import Section, metas

_CHECK: Final = "check:"
#: Checks that only bind a live environment.
_LIVE_ONLY: Final = "key."


def unheld(section: Section, known: frozenset[str], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, check) of every set field whose check does not exist."""
    for name, meta in metas(type(section)).items():
        value = getattr(section, name)
        at = f"{path}.{name}" if path else name
        if value is None:
            continue
        for holder in meta.held_by:
            if holder.startswith(_CHECK) and holder.removeprefix(_CHECK) not in known:
                yield at, holder.removeprefix(_CHECK)
        if isinstance(value, Section):
            yield from unheld(value, known, at)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if isinstance(item, Section):
                    yield from unheld(item, known, f"{at}.{key}")


def checks_named(section: type[Section], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, check) of every field of the language that names a check; a map's entries are `*`."""
    for name, meta in metas(section).items():
        at = f"{path}.{name}" if path else name
        yield from ((at, holder.removeprefix(_CHECK)) for holder in meta.held_by if holder.startswith(_CHECK))
        for inner, entry in _sections(section.model_fields[name].annotation):
            yield from checks_named(inner, f"{at}.*" if entry else at)


def _sections(annotation: object, entry: bool = False) -> Iterator[tuple[type[Section], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, entry
    for argument in get_args(annotation):
        yield from _sections(argument, entry or get_origin(annotation) is dict)


class Missing(Check):
    """Denies increases while the policy sets a limit whose check this version does not have.

    Each field of the model names what holds it; a limit is never silently unenforced.
    """

    id = "policy.unheld"
    codes = ("CHECK_MISSING",)
    rank = 50

    def __init__(self, setup: Setup, fields: tuple[tuple[str, str], ...]) -> None:
        super().__init__(setup)
        self.fields = fields

    # INVARIANT I12: a set limit without a check denies.
    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        from policykit.engine.checks import all_checks  # the registry imports this file

        known = frozenset(check.id for check in all_checks())
        live = setup.policy.environment == "live"
        fields = tuple(f for f in unheld(setup.policy, known) if live or not f[1].startswith(_LIVE_ONLY))
        return cls(setup, fields) if fields else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        for path, check in self.fields:
            text = f"{path} is set, and this version has no check for it; take it out, or use a version that has"
            yield Reason("CHECK_MISSING", check, text, place=self.setup.place(path))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
