"""The catalogue: one rule a file beside this one, found by being there.

A rule file is called `pkNNN_words.py` and holds three things: its docstring (What it finds, Why, Bad with the exact
finding, Good, Source: the documentation, the text of `policykit explain` and the test), a `RULE`, and
`check(inputs)`, which yields findings. Nothing else has to be touched to add one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

__all__ = ["Entry", "Inputs", "Rule", "catalogue", "find"]

_FILE = re.compile(r"(pk[1-9][0-9]{2})_[a-z0-9_]+\.py\Z")
#: Rules of this family read bots' source; all others read policies.
SOURCE_FAMILY = "PK9"


class Entry(NamedTuple):
    """One rule: what it is, its check, and its documentation."""

    rule: Rule
    check: Callable[[Inputs], Iterator[Finding]]
    doc: str


@cache
def catalogue(source: bool | None = None) -> tuple[Entry, ...]:
    """Return the rules in the order of their codes: all, or those for source (True) or for policies (False).

    Only the files that are needed are imported: lint of a policy does not load what reads Python.
    """
    names = sorted(path.name for path in Path(__file__).parent.iterdir() if _FILE.match(path.name))
    wanted = [n for n in names if source is None or n.upper().startswith(SOURCE_FAMILY) is source]
    entries = []
    for name in wanted:
        module = importlib.import_module(f"{__name__}.{name.removesuffix('.py')}")
        entries.append(Entry(module.RULE, module.check, module.__doc__ or ""))
    return tuple(entries)


def find(code: str) -> Entry | None:
    """Return the rule of a code (`PK101`) or a name (`withdraw-scope`), in any case."""
    wanted = code.casefold()
    return next((e for e in catalogue() if wanted in (e.rule.code.casefold(), e.rule.name)), None)
