"""Facts of each exchange, one file each, with source and date: pure data and pure functions."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from typing import Final

from policykit.traits.base import Exchange
from policykit.traits.ccxt_ids import IDS

_ID = re.compile(r"[a-z][a-z0-9]{1,39}\Z")
#: Modules of this room that are no exchange.
_OTHERS: Final = frozenset(("base",))


@cache
def known() -> tuple[str, ...]:
    """Return the ids of every exchange with a file here."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if _ID.match(name) and name not in _OTHERS))


def exists(exchange_id: str) -> bool:
    """Tell whether an id is one of ccxt's, or of an exchange that ccxt has no more and this version still reads."""
    return exchange_id in IDS or exchange_id in known()


def load(exchange_id: str) -> Exchange | None:
    """Return the facts of an exchange (a ccxt id); None when nothing is known of it: the careful behaviour."""
    if exchange_id not in known():
        return None
    module = importlib.import_module(f"{__name__}.{exchange_id}")
    exchange: Exchange = module.EXCHANGE
    return exchange
