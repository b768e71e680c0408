"""The languages that the simulated exchange speaks: one file an exchange, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from policykit.sim.dialects.base import Dialect, Speech

_ID: Final = re.compile(r"[a-z][a-z0-9]{1,39}\Z")
#: Modules of this folder that are no exchange.
_OTHERS: Final = frozenset(("base", "reading"))


@cache
def known() -> tuple[str, ...]:
    """Return the ids of the exchanges whose language is spoken."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if _ID.match(name) and name not in _OTHERS))


def load(exchange_id: str) -> type[Dialect]:
    """Return the dialect of an exchange. Raise ValueError for one that is not spoken."""
    if exchange_id not in known():
        raise ValueError(f"sim: dialect is {exchange_id!r}; may be {', '.join(known())}")
    dialect: type[Dialect] = importlib.import_module(f"{__name__}.{exchange_id}").DIALECT
    return dialect


def speech(exchange_id: str) -> Speech | None:
    """Return how an exchange speaks over websockets; None where only its REST interface is spoken."""
    made: Callable[[], Speech] | None = getattr(importlib.import_module(f"{__name__}.{exchange_id}"), "SPEECH", None)
    return None if made is None else made()
