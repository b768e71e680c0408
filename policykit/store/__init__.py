"""Stores: what several bots, processes and hosts agree through, and the journal that proves it."""

from __future__ import annotations

import os

from policykit.errors import StoreUnavailable
from policykit.store.base import SEND_WITHIN_MS, Grant, GuardInfo, Observation, Row, Store

__all__ = ["SEND_WITHIN_MS", "Grant", "GuardInfo", "Observation", "Row", "Store", "default_uri", "open_store"]


def default_uri() -> str:
    """Return POLICYKIT_STORE, or a file in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.environ.get("POLICYKIT_STORE") or f"sqlite:///{state}/policykit/store.db"


def open_store(uri: str | None = None) -> Store:
    """Open a store by URI: `sqlite:///path`, `valkey://host:port/db` or `memory:`; default `default_uri()`.

    `valkeys://` speaks TLS; `redis://` and `rediss://` are taken for the same. Raise StoreUnavailable.
    """
    uri = uri or default_uri()
    if uri == "memory:":
        from policykit.store.memory import MemoryStore

        return MemoryStore()
    if uri.startswith("sqlite:///"):
        from policykit.store.sqlite import SqliteStore

        return SqliteStore("/" + uri.removeprefix("sqlite:///").lstrip("/"))
    if uri.partition("://")[0] in ("valkey", "valkeys", "redis", "rediss"):
        from policykit.store.valkey import ValkeyStore

        return ValkeyStore(uri)
    # A URI can hold a password: no more of it is shown than what kind it is.
    kind = f'"{uri.partition(":")[0]}:"' if "://" in uri else "unreadable"
    raise StoreUnavailable(
        f"POLICYKIT_STORE: is of a kind that is not known ({kind}); "
        '"sqlite:///path", "valkey://host:port/db" or "memory:" may be',
        "STORE_URI",
    )
