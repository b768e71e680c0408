"""The checks, one a file, found by being there: each file holds one `Check` class."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from policykit.engine.check import Check


@cache
def all_checks() -> tuple[type[Check], ...]:
    """Return every check class in the order in which reasons are given."""
    found: list[type[Check]] = []
    for module in pkgutil.iter_modules(__path__):
        names = vars(importlib.import_module(f"{__name__}.{module.name}"))
        found += [
            item
            for item in names.values()
            if isinstance(item, type)
            and issubclass(item, Check)
            and item is not Check
            and item.__module__.endswith(module.name)
        ]
    return tuple(sorted(found, key=lambda check: (check.rank, check.id)))
