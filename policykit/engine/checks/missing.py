"""Limits that nothing holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Self, get_args, get_origin

from policykit.decision import Reason
from policykit.engine.case import Case
from policykit.engine.check import Check
from policykit.engine.lane import Lane
from policykit.engine.setup import Setup
from policykit.model.base import Section, metas
from policykit.model.enforced import unheld
from policykit.traits.base import unarmable

_CHECK: Final = "check:"
_GUARD: Final = "guard:"


class Unenforced(NamedTuple):
    """A limit that nothing holds: where it is said, what would hold it, and what is wrong with it."""

    path: str
    holder: str
    text: str


def unenforced(setup: Setup, checks: frozenset[str]) -> Iterator[Unenforced]:
    """Yield every limit that the policy sets and nothing holds."""
    for path, holder in unheld(setup.policy, setup.effective.origins, checks):
        text = f"{path} is set, and this version does not enforce it; take it out, or use a version that does"
        yield Unenforced(path, holder.removeprefix(_CHECK).replace(":", "."), text)
    traits = setup.traits
    if traits is None:
        return  # every call counts one of every budget, then
    switch = setup.policy.dead_man_switch
    why = None if switch is None else unarmable(traits, traits.products, switch.timeout.ms)
    if why is not None:
        text = f"dead_man_switch is set, and {why}; take it out, or trade where the exchange has such a timer"
        yield Unenforced("dead_man_switch", "guard.dead_man", text)
    known = sorted({*traits.costs, *(window.name for window in traits.rate_windows)})
    for name, budget in sorted((setup.policy.rate_budgets or {}).items()):
        if name not in known and not budget.costs:
            text = (
                f"rate_budgets.{name} is no allowance of {traits.id} ({', '.join(known)}) and states no costs, so it "
                "counts nothing; use one of these names, or add costs"
            )
            yield Unenforced(f"rate_budgets.{name}", "rate_budgets", text)


def holders_named(section: type[Section], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, holder) of every field of the language that a check or the guard holds; a map's entries are `*`."""
    for name, meta in metas(section).items():
        at = f"{path}.{name}" if path else name
        yield from ((at, holder) for holder in meta.held_by if holder.startswith((_CHECK, _GUARD)))
        for inner, entry in _sections(section.model_fields[name].annotation):
            yield from holders_named(inner, f"{at}.*" if entry else at)


def _sections(annotation: object, entry: bool = False) -> Iterator[tuple[type[Section], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, entry
    for argument in get_args(annotation):
        yield from _sections(argument, entry or get_origin(annotation) is dict)


class Missing(Check):
    """Denies increases while the policy sets a limit that this version does not enforce.

    Each field of the model names what holds it, a check or a part of the guard; a limit is never silently unenforced.
    What only lint and persons act on, and a default that nobody wrote, asks nothing of the guard. A rate budget that
    the exchange's traits do not name, without costs of its own, counts nothing and is no limit either.
    """

    id = "policy.unheld"
    codes = ("CHECK_MISSING",)
    rank = 50

    def __init__(self, setup: Setup, fields: tuple[Unenforced, ...]) -> None:
        super().__init__(setup)
        self.fields = fields

    # INVARIANT I12: a set limit that nothing holds denies.
    @classmethod
    def compile(cls, setup: Setup) -> Self | None:
        from policykit.engine.checks import all_checks  # the registry imports this file

        checks = frozenset(check.id for check in all_checks())
        fields = tuple(unenforced(setup, checks))
        return cls(setup, fields) if fields else None

    def reasons(self, case: Case) -> Iterator[Reason]:
        for path, holder, text in self.fields:
            yield Reason("CHECK_MISSING", holder, text, place=self.setup.place(path))

    def narrow(self, case: Case, lane: Lane) -> bool:
        return True
