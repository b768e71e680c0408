"""Live state as data: what an exchange said of the keys and the account, and what it could not tell.

`to_dict`/`from_dict` write and read "Snapshot, version 1" of INTERFACE.md. There is no secret in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Granted = Literal["granted", "denied", "unknown"]
#: Every scope a snapshot reports, in the order it is shown.
SCOPES = (
    "read",
    "trade.spot",
    "trade.margin",
    "trade.derivatives",
    "trade.options",
    "trade.other",
    "transfer",
    "withdraw",
    "key_admin",
)


@dataclass(slots=True)
class KeyReport:
    """What the exchange says of one key. Times are ISO text or None; `unknown` says why a field is not known."""

    name: str
    id: str
    permissions: dict[str, Granted]
    restricted: Literal["yes", "no", "unknown"] = "unknown"
    addresses: list[str] | None = None
    label: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    unrecognised: list[str] = field(default_factory=list)
    created_at: str | None = None
    expires_at: str | None = None
    last_used_at: str | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    endpoint: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit that the exchange publishes: `name` as budgets name it, `per_ms` its window."""

    name: str
    limit: int
    per_ms: int
    endpoint: str
    at: str


@dataclass(slots=True)
class Snapshot:
    """The live state of the keys of one policy."""

    taken_at: str
    exchange: str
    endpoint: str | None = None
    cost: dict[str, int] = field(default_factory=dict)
    clock: dict[str, Any] = field(default_factory=dict)
    keys: list[KeyReport] = field(default_factory=list)
    limits: list[RateLimit] = field(default_factory=list)
    account: dict[str, Any] = field(default_factory=dict)
    withdrawal_addresses: list[dict[str, Any]] | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
