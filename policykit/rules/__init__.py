"""The catalogue: one rule a file beside this one, found by being there, and those of other packages.

A rule file is called `pkNNN_words.py` and holds three things: its docstring (What it finds, Why, Bad with the exact
finding, Good, Source: the documentation, the text of `policykit explain` and the test), a `RULE`, and
`check(inputs)`, which yields findings. Nothing else has to be touched to add one. Another package adds such a module by
an entry point of the group `policykit.rules`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, Subject
from policykit.rules.plugins import plugins
from policykit.source.codes import CODES

__all__ = ["Entry", "Inputs", "Rule", "catalogue", "codes", "find", "static"]

_FILE = re.compile(r"(pk[1-9][0-9]{2})_[a-z0-9_]+\.py\Z")
#: Rules of this family read what bots are made of (source, configuration); all others read policies.
BOT_FAMILY = "PK9"
_BOT_SUBJECTS = frozenset(("source", "config"))


class Entry(NamedTuple):
    """One rule: what it is, its check, and its documentation."""

    rule: Rule
    check: Callable[[Inputs], Iterator[Finding]]
    doc: str


@cache
def catalogue(*subjects: Subject) -> tuple[Entry, ...]:
    """Return the rules in the order of their codes: all, or those of the subjects.

    Only the files that are needed are imported: lint of a policy does not load what reads Python.
    """
    wanted = frozenset(subjects)
    names = _files()
    if wanted:
        bots, policies = bool(wanted & _BOT_SUBJECTS), bool(wanted - _BOT_SUBJECTS)
        names = [n for n in names if (bots if n.upper().startswith(BOT_FAMILY) else policies)]
    modules = [importlib.import_module(f"{__name__}.{name.removesuffix('.py')}") for name in names]
    entries = [Entry(m.RULE, m.check, m.__doc__ or "") for m in (*modules, *plugins())]
    return tuple(e for e in entries if not wanted or e.rule.subject in wanted)


def static() -> tuple[Entry, ...]:
    """Return the rules on one policy that have something to say where there is no live state."""
    return tuple(entry for entry in catalogue("policy") if not entry.rule.needs_snapshot)


def codes() -> tuple[str, ...]:
    """Return the code of every rule, without loading ours: those of PK0, of the files, and of other packages."""
    return (*CODES, *(name[:5].upper() for name in _files()), *(m.RULE.code for m in plugins()))


def _files() -> list[str]:
    return sorted(path.name for path in Path(__file__).parent.iterdir() if _FILE.match(path.name))


def find(code: str) -> Entry | None:
    """Return the rule of a code (`PK101`) or a name (`withdraw-scope`), in any case."""
    wanted = code.casefold()
    return next((e for e in catalogue() if wanted in (e.rule.code.casefold(), e.rule.name)), None)
