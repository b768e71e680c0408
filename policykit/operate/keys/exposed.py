"""Mark keys that may be in other hands: each is overdue at once, until a finished rotation has replaced it (G19).

A mark that was a mistake is taken back by name, with who and why.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from policykit.clock import iso
from policykit.operate.keys.find import Found
from policykit.operate.person import Person
from policykit.store import Store

#: By what keys are marked, and what has to be known of them for it.
WAYS: Final = ("name", "person", "host", "vendor", "address")


def touched(keys: Sequence[Found], store: Store, way: str, value: str) -> list[Found]:
    """Return the keys that somebody or something had: a holder, a host of its guards, a vendor, an address."""
    if way == "host":
        on = {(info.account, info.key) for info in store.guards() if info.host == value}
        return [one for one in keys if (one.policy.account_key, one.name) in on]
    return [one for one in keys if _has(one, way, value)]


def _has(one: Found, way: str, value: str) -> bool:
    if way == "name":
        return value in (one.name, f"{one.policy.name}/{one.name}")
    if way == "person":
        return value in (one.key.holders or ())
    if way == "vendor":
        vendor = (one.policy.model.vendors or {}).get(value)
        return vendor is not None and one.name in (vendor.keys or ())
    return any(_within(value, allowed.address) for allowed in one.key.ip_allowlist or ())


def _within(address: str, allowed: str) -> bool:
    if address == allowed:
        return True
    with suppress(ValueError):
        return ipaddress.ip_network(address, strict=False).subnet_of(ipaddress.ip_network(allowed, strict=False))  # type: ignore[arg-type]
    return False


def mark(
    keys: Sequence[Found], store: Store, cause: str, person: Person, why: str, now_ms: int
) -> list[dict[str, Any]]:
    """Write it of each key, once for each account and name; return the rows.

    A key that is marked stays so: a second mark does not make it younger.
    """
    rows = []
    for account, name in dict.fromkeys((one.policy.account_key, one.name) for one in keys):
        body = {"by": person.name, "why": why, "result": cause, "claim": person.to_dict()}
        if open_since(store, account, name) is None:
            store.keep(account, "exposed", name, body, now_ms)
        rows.append({"account": account, "key": name, **body})
    return rows


def withdraw(keys: Sequence[Found], store: Store, person: Person, why: str, now_ms: int) -> list[dict[str, Any]]:
    """Take back the marks of keys that were marked by mistake; the journal keeps both. Return the rows.

    What is not marked, or was replaced since, has none to take back.
    """
    rows = []
    for account, name in dict.fromkeys((one.policy.account_key, one.name) for one in keys):
        since_ms = open_since(store, account, name)
        if since_ms is not None:
            said = {"by": person.name, "why": why, "result": "withdrawn", "withdrawn": iso(since_ms)}
            body = {**said, "claim": person.to_dict()}
            store.keep(account, "exposed", name, body, now_ms)
            rows.append({"account": account, "key": name, **body})
    return rows


def open_since(store: Store, account: str, name: str) -> int | None:
    """Return since when a key may be in other hands without having been replaced, UTC ms; None: it is not."""
    from policykit.guard.measures import exposed_ms

    return exposed_ms(store.kept(account, "exposed").get(name), store.kept(account, "rotation").get(name))
