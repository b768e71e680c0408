"""What ccxt itself says of an exchange before anybody has a key: what is traded there, what a key is made of."""

from __future__ import annotations

import importlib.util
import pkgutil
from typing import Final, NamedTuple

from policykit.exchanges.imports import exchange_class

#: Names of ccxt's credentials by the name that a secret reference gives them, in the order people know them in.
_CREDENTIALS: Final = {
    "apiKey": "API_KEY",
    "secret": "API_SECRET",
    "password": "PASSPHRASE",
    "privateKey": "PRIVATE_KEY",
    "uid": "UID",
    "walletAddress": "WALLET",
}


class About(NamedTuple):
    """One exchange as ccxt has it. `wait_ms`: the pause that ccxt makes between two requests."""

    id: str
    spot: bool
    swap: bool
    sandbox: bool
    credentials: tuple[str, ...]
    wait_ms: float


def ids() -> tuple[str, ...]:
    """Return the id of every exchange of ccxt, none of them loaded; empty when ccxt is not installed."""
    spec = importlib.util.find_spec("ccxt")
    places = spec.submodule_search_locations if spec is not None else None
    return tuple(sorted(module.name for module in pkgutil.iter_modules(places or []) if not module.ispkg))


def about(exchange_id: str) -> About:
    """Return what ccxt says of an exchange. Raise ExchangeUnavailable when it has no such exchange."""
    client = exchange_class(exchange_id)()
    needed = tuple(name for field, name in _CREDENTIALS.items() if client.requiredCredentials.get(field))
    return About(
        id=exchange_id,
        spot=client.has.get("spot") is True,
        swap=client.has.get("swap") is True,
        sandbox=bool(client.urls.get("test")),
        credentials=needed,
        wait_ms=float(client.rateLimit),
    )
