"""What z3 is asked about: one order, the facts, what is used already, as named numbers, flags and words.

A formula is SMT-LIB text, so equal formulas are equal texts. Numbers are exact reals; ages are in milliseconds, money
in the account's currency, quantities in units. A word (`side`) is one flag for each value that a policy speaks of, and
`*` for every other one; exactly one of them holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

Formula = str
TRUE, FALSE = "true", "false"
#: What stands for a word that is not said, and for every word that no policy names.
NONE, OTHER = "none", "*"


def num(value: Decimal | int | Fraction) -> str:
    """Write a number exactly."""
    exact = Fraction(value)
    text = (
        f"{abs(exact.numerator)}.0" if exact.denominator == 1 else f"(/ {abs(exact.numerator)}.0 {exact.denominator}.0)"
    )
    return f"(- {text})" if exact < 0 else text


def all_(*parts: Formula) -> Formula:
    """Write that all hold."""
    kept = list(dict.fromkeys(part for part in parts if part != TRUE))
    if FALSE in kept:
        return FALSE
    return TRUE if not kept else kept[0] if len(kept) == 1 else f"(and {' '.join(kept)})"


def any_(*parts: Formula) -> Formula:
    """Write that one holds."""
    kept = list(dict.fromkeys(part for part in parts if part != FALSE))
    if TRUE in kept:
        return TRUE
    return FALSE if not kept else kept[0] if len(kept) == 1 else f"(or {' '.join(kept)})"


def no(part: Formula) -> Formula:
    """Write that it does not hold."""
    return FALSE if part == TRUE else TRUE if part == FALSE else f"(not {part})"


def when(test: bool) -> Formula:
    """Write what is known already."""
    return TRUE if test else FALSE


def compare(sign: str, one: str, other: str) -> Formula:
    """Write a comparison."""
    return f"({sign} {one} {other})"


def times(*factors: str) -> str:
    """Write a product."""
    kept = [factor for factor in factors if factor != "1.0"]
    return "1.0" if not kept else kept[0] if len(kept) == 1 else f"(* {' '.join(kept)})"


def plus(*terms: str) -> str:
    """Write a sum."""
    return f"(+ {' '.join(terms)})"


def minus(*terms: str) -> str:
    """Write a difference; of one number its negative."""
    return f"(- {' '.join(terms)})"


_NAME = re.compile(r"\|([^|]*)\|")


def names_in(formula: Formula) -> set[str]:
    """Return the numbers and flags that a formula speaks of."""
    return set(_NAME.findall(formula))


class Space:
    """The names of a question, and what always holds among them. One space serves both policies of a pair."""

    def __init__(self) -> None:
        self.words: dict[str, dict[str, None]] = {}
        self.numbers: dict[str, None] = {}
        self.flags: dict[str, None] = {}

    def number(self, name: str) -> str:
        self.numbers[name] = None
        return f"|{name}|"

    def flag(self, name: str) -> Formula:
        self.flags[name] = None
        return f"|{name}|"

    def has(self, name: str) -> Formula:
        return self.flag(f"has {name}")

    def word(self, group: str, word: str) -> Formula:
        """Write that a word is said."""
        self.words.setdefault(group, {})[word] = None
        return f"|{group}={word}|"

    def among(self, group: str, words: Iterable[str]) -> Formula:
        """Write that one of these words is said."""
        return any_(*(self.word(group, word) for word in words))

    def only(self) -> list[Formula]:
        """Write that of each word's values exactly one holds."""
        out = []
        for group, words in self.words.items():
            names = [f"|{group}={word}|" for word in dict.fromkeys((*words, OTHER))]
            out.append(any_(*names))
            out += [no(all_(a, b)) for i, a in enumerate(names) for b in names[i + 1 :]]
        return out

    def declarations(self) -> str:
        """Declare every name."""
        flags = [*self.flags, *(f"{g}={w}" for g, ws in self.words.items() for w in dict.fromkeys((*ws, OTHER)))]
        return "\n".join(
            [f"(declare-const |{name}| Real)" for name in self.numbers]
            + [f"(declare-const |{name}| Bool)" for name in flags]
        )

    def definitions(self, point: Mapping[str, object]) -> str:
        """Define every name as a point has it; what the point does not name is 0, false, or no word."""
        out = [f"(define-fun |{name}| () Real {num(point.get(name, 0))})" for name in self.numbers]  # type: ignore[arg-type]
        out += [f"(define-fun |{name}| () Bool {when(bool(point.get(name)))})" for name in self.flags]
        for group, words in self.words.items():
            said = point.get(group, NONE)
            said = said if said in words else OTHER
            out += [f"(define-fun |{group}={w}| () Bool {when(w == said)})" for w in dict.fromkeys((*words, OTHER))]
        return "\n".join(out)
