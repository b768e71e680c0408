"""Stores: what several bots, processes and hosts agree through, and the journal that proves it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from policykit.errors import StoreUnavailable
from policykit.store.base import SEND_WITHIN_MS, Grant, GuardInfo, Observation, Row, Store

if TYPE_CHECKING:
    from policykit.store.reader import JournalReader

__all__ = [
    "SEND_WITHIN_MS",
    "SERVERS",
    "Grant",
    "GuardInfo",
    "Observation",
    "Row",
    "Store",
    "default_uri",
    "open_journal",
    "open_store",
]

#: The schemes of stores on a server: their journal is a file of each host.
SERVERS = ("valkey", "valkeys", "redis", "rediss")


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

        return SqliteStore(_file_of(uri))
    if uri.partition("://")[0] in SERVERS:
        from policykit.store.valkey import ValkeyStore

        return ValkeyStore(uri)
    raise _not_known(uri)


def open_journal(uri: str | None = None) -> JournalReader:
    """Open the journal of a store for reading; with a server's store that is this host's (POLICYKIT_JOURNAL).

    The store itself is not opened: a damaged file is read up to the damage. Raise StoreUnavailable.
    """
    from policykit.store.reader import JournalReader

    uri = uri or default_uri()
    if uri.startswith("sqlite:///"):
        return JournalReader(_file_of(uri))
    if uri.partition("://")[0] in SERVERS:
        from policykit.store.valkey_link import journal_path

        return JournalReader(journal_path())
    if uri == "memory:":
        raise StoreUnavailable("memory: has no journal that another process could read; name a store that has a file")
    raise _not_known(uri)


def _file_of(uri: str) -> str:
    return "/" + uri.removeprefix("sqlite:///").lstrip("/")


def _not_known(uri: str) -> StoreUnavailable:
    # A URI can hold a password: no more of it is shown than what kind it is.
    kind = f'"{uri.partition(":")[0]}:"' if "://" in uri else "unreadable"
    return StoreUnavailable(
        f"POLICYKIT_STORE: is of a kind that is not known ({kind}); "
        '"sqlite:///path", "valkey://host:port/db" or "memory:" may be',
        "STORE_URI",
    )
