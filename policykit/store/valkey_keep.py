"""Whether a Valkey server keeps what it is told: appends to a file, evicts nothing."""

from __future__ import annotations

from typing import Final

from policykit.store.valkey_server import Server, encode

Said = tuple[str, str]
_ASKED: Final = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy")


def keeps(server: Server) -> tuple[Said | None, tuple[Said, ...]]:
    """Return (why increases must not trust the server, what its owner should know), each as (code, message).

    (valkey.io/topics/persistence, valkey.io/topics/lru-cache; from memory of 2026-11, not read anew.)
    """
    where = server.address
    settings = _settings(server)
    if not settings:
        text = f"{where}: does not tell whether it persists (CONFIG and INFO are refused); see to it that it does"
        return None, (("STORE_EPHEMERAL", text),)
    appends, snapshots = settings.get("appendonly") == "yes", bool(settings.get("save"))
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction" and settings.get("maxmemory", "0") != "0":
        text = f"{where}: evicts keys when its memory is full (maxmemory-policy {policy}); noeviction may be"
        return ("STORE_EPHEMERAL", text), ()
    if not appends and not snapshots:
        return ("STORE_EPHEMERAL", f"{where}: persists nothing; set appendonly yes"), ()
    if not appends:
        text = f"{where}: persists by snapshots, so a crash takes minutes back (STORE_RESET then); set appendonly yes"
        return None, (("STORE_EPHEMERAL", text),)
    sync = settings.get("appendfsync", "")
    if sync not in ("always", ""):
        text = f"{where}: syncs {sync}, so a power cut takes moments back (STORE_RESET then); appendfsync always may be"
        return None, (("STORE_EPHEMERAL", text),)
    return None, ()


def _settings(server: Server) -> dict[str, str]:
    """Ask for the settings; where a hosting service refuses that, for what the server says of itself."""
    found = server.may(encode("CONFIG", "GET", *_ASKED))
    if found:
        return dict(zip(found[::2], found[1::2], strict=True))
    said = str(server.may(encode("INFO", "everything")) or "")
    lines = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    if "aof_enabled" not in lines:
        return {}
    return {
        "appendonly": "yes" if lines["aof_enabled"] == "1" else "no",
        "save": "?" if lines.get("rdb_last_save_time") else "",
        "maxmemory": lines.get("maxmemory", "0"),
        "maxmemory-policy": lines.get("maxmemory_policy", "noeviction"),
    }
