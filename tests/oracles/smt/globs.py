"""Lists of symbol patterns as languages: z3 finds a market that one list allows and another one does not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import z3

from tests.oracles.smt.ask import MOST_STEPS, Undecided

#: What a name of ccxt is made of: `BASE/QUOTE`, and `:SETTLE` of a contract.
_PART: Final = z3.Loop(
    z3.Union(z3.Range("A", "Z"), z3.Range("a", "z"), z3.Range("0", "9"), z3.Re("."), z3.Re("_")), 1, 30
)
_ANY: Final = z3.Star(z3.AllChar(z3.ReSort(z3.StringSort())))
_SPOT: Final = z3.Concat(_PART, z3.Re("/"), _PART)
#: Every market, and those that the formulas speak of.
SHAPES: Final = {
    "any": z3.Union(_SPOT, z3.Concat(_SPOT, z3.Re(":"), _PART)),
    "spot": z3.Concat(_PART, z3.Re("/USDT")),
    "contract": z3.Concat(_PART, z3.Re("/USDT:USDT")),
}


def _one(pattern: str) -> z3.ReRef:
    parts: list[z3.ReRef] = []
    for index, text in enumerate(pattern.split("*")):
        parts += ([_ANY] if index else []) + ([z3.Re(text)] if text else [])
    return z3.Concat(*parts) if len(parts) > 1 else parts[0]


def _language(patterns: Sequence[str] | None) -> z3.ReRef:
    """Return the names that a list allows: one of its patterns without `!` fits, and none with it; None: all."""
    wanted = [_one(p) for p in patterns or () if not p.startswith("!")] or [_ANY]
    without = [z3.Complement(_one(p[1:])) for p in patterns or () if p.startswith("!")]
    return _intersected([_united(wanted), *without])


def _united(parts: list[z3.ReRef]) -> z3.ReRef:
    return z3.Union(*parts) if len(parts) > 1 else parts[0]


def _intersected(parts: list[z3.ReRef]) -> z3.ReRef:
    return z3.Intersect(*parts) if len(parts) > 1 else parts[0]


@cache
def beyond(allows: tuple[str, ...] | None, denies: tuple[str, ...] | None, shape: str = "any") -> str | None:
    """Return a market that the first list allows and the second one does not; None: there is none."""
    name, solver = z3.String("name"), z3.Solver()
    solver.set("rlimit", MOST_STEPS)
    only = _intersected([SHAPES[shape], _language(allows), z3.Complement(_language(denies))])
    solver.add(z3.InRe(name, only))
    answer = solver.check()
    if answer == z3.unknown:
        raise Undecided(solver.reason_unknown())
    return str(solver.model()[name].as_string()) if answer == z3.sat else None
