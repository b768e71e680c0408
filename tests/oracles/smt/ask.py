"""Ask z3: what holds at a point, and whether there is a point at which two policies differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

import z3

from policykit.model import Policy
from tests.oracles.smt.conditions import Key, Setting
from tests.oracles.smt.counted import Denials, always, denials
from tests.oracles.smt.points import Point
from tests.oracles.smt.space import Formula, Space, any_, no

#: What z3 may spend on one question, in its own steps: no clock is asked, so every run ends alike. What is not decided
#: with few is asked anew with another seed, and with many.
STEPS: Final = (4_000_000, 4_000_000, 100_000_000)
MOST_STEPS: Final = STEPS[-1]


def holding(space: Space, formulas: Mapping[Key, Formula], point: Point) -> set[Key]:
    """Return the keys whose formulas hold at a point. Nothing is solved: every name is defined."""
    script = space.definitions(point) + "\n" + "\n".join(f"(assert {formula})" for formula in formulas.values())
    found = z3.parse_smt2_string(script)
    said = [z3.simplify(one) for one in found]
    assert len(said) == len(formulas)
    assert all(z3.is_true(one) or z3.is_false(one) for one in said), said
    return {key for key, one in zip(formulas, said, strict=True) if z3.is_true(one)}


class Undecided(Exception):
    """z3 gave up: a failure of the question, never an agreement."""


def solve(space: Space, formulas: Iterable[Formula]) -> Point | None:
    """Return a point at which all formulas hold; None: there is none. Raise Undecided when z3 does not say."""
    script = space.declarations() + "\n" + "\n".join(f"(assert {formula})" for formula in formulas)
    for seed, steps in enumerate(STEPS):
        solver = z3.SolverFor("QF_NRA")
        solver.set("rlimit", steps)
        solver.set("random_seed", seed)
        solver.from_string(script)
        answer = solver.check()
        if answer != z3.unknown:
            return None if answer == z3.unsat else _read(solver.model())
    raise Undecided(solver.reason_unknown())


def _read(model: z3.ModelRef) -> Point:
    out: dict[str, Any] = {}
    for name in model.decls():
        value = model[name]
        if z3.is_true(value) or z3.is_false(value):
            group, word, said = str(name).partition("=")
            if word and z3.is_true(value):
                out[group] = said
            elif not word:
                out[str(name)] = z3.is_true(value)
        else:
            exact = value if z3.is_rational_value(value) else value.approx(20)
            out[str(name)] = Fraction(exact.numerator_as_long(), exact.denominator_as_long())
    return out


class Pair:
    """Two policies over one space, and what z3 says of the difference."""

    def __init__(self, old: Policy, new: Policy, settings: tuple[Setting, Setting]) -> None:
        self.space = Space()
        self.old: Denials = denials(old, settings[0], self.space)
        self.new: Denials = denials(new, settings[1], self.space)
        self.common = always(settings[0], self.space)

    def flips(self, *, looser: bool) -> Point | None:
        """Return a point that the one allows and the other denies: `looser`, the new one allows."""
        denies, allows = (self.old.all, self.new.all) if looser else (self.new.all, self.old.all)
        kept = set(allows.values())
        # What both deny by cannot be what only one of them denies by.
        alone = [formula for formula in denies.values() if formula not in kept]
        if not alone:
            return None
        rest = [no(formula) for formula in sorted(kept, key=len)]
        for formula in sorted(alone, key=len):
            found = solve(self.space, (*self.common, formula, *rest))
            if found is not None:
                return found
        return None

    def isolated(self, checks: Iterable[str], *, looser: bool) -> Point | None:
        """Return the same for some checks alone, as if there were no others."""
        wanted = tuple(checks)

        def of(denials_: Denials) -> Formula:
            return any_(*(f for (check, _), f in denials_.all.items() if check.startswith(wanted)))

        was, now = of(self.old), of(self.new)
        if was == now:
            return None
        return solve(self.space, (*self.common, was if looser else now, no(now if looser else was)))
