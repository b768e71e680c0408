"""Live state as data: what an exchange said of the keys and the account, and what it could not tell.

`to_dict`/`from_dict` write and read "Snapshot, version 1" of INTERFACE.md. There is no secret in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

Granted = Literal["granted", "denied", "unknown"]
_Told = Literal["yes", "no", "unknown"]
_TOLD: Final = ("yes", "no", "unknown")
#: The version of the format that is written, and the only one read.
VERSION: Final = 1
#: How many keys, limits, addresses, errors one snapshot holds; more is refused.
MAX_ROWS: Final = 1000
#: The longest text in a snapshot, in characters.
MAX_TEXT: Final = 2000
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


#: What to do about an error, by its code.
ADVICE: Final = {
    "KEY_REJECTED": "check key, secret and allowlist, and whether the key lives and is of this environment",
    "ADDRESS_NOT_ALLOWED": "run this where the key is allowed, or add this host's address to the key's allowlist",
    "PERMISSION_MISSING": "let the key read; what it may not read stays unknown",
    "CLOCK": "set this host's clock (chrony, systemd-timesyncd); where it is right, give each program its own key",
    "RATE_LIMIT": "wait, then ask again; where it recurs, leave room for reads in rate_budgets, or read less often",
    "BANNED": "send nothing until then, from this address and with this key; find what sent too much or a wrong key",
    "MAINTENANCE": "wait until the exchange is back, then ask again",
    "NETWORK": "check this host's way to the exchange: name service, firewall, proxy, --endpoint",
    "WRONG_ENDPOINT": "check --endpoint: it must lead to this exchange, path and all; without it the exchange is asked",
    "NOT_SUPPORTED": "look it up on the exchange's page of the key, and record it under `declared:`",
    "BAD_ANSWER": "check the endpoint: something answered that is not the exchange",
    "READ_ONLY": "report it: this version asked for a call that it does not allow itself",
    "SECRET_UNAVAILABLE": "put the secret where the reference says, on the host where the key lives",
}


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
    #: Whose key it is, hashed; keys with one hash are of one account.
    account_id: str | None = None
    sub_account: Literal["yes", "no", "unknown"] = "unknown"
    #: Whether it is bound to somebody's application (a vendor's).
    third_party: Literal["yes", "no", "unknown"] = "unknown"
    #: "live" when a sandbox policy's key opened the live exchange.
    environment: Literal["live", "sandbox", "unknown"] = "unknown"
    #: Other keys of the account that the answer names: `{"id": "sha256:...", "label": "..."}`.
    others: list[dict[str, str]] = field(default_factory=list)
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
    #: Whose keys these are: the policy's name, and its account's; None in files that do not say it.
    policy: str | None = None
    account_name: str | None = None


def to_dict(snapshot: Snapshot) -> dict[str, Any]:
    """Write "Snapshot, version 1" of INTERFACE.md."""
    return {
        "version": VERSION,
        "taken_at": snapshot.taken_at,
        "exchange": snapshot.exchange,
        "policy": snapshot.policy,
        "account_name": snapshot.account_name,
        "endpoint": snapshot.endpoint,
        "cost": dict(snapshot.cost),
        "clock": dict(snapshot.clock),
        "keys": [_key_to_dict(key) for key in snapshot.keys],
        "limits": [
            {"name": one.name, "limit": one.limit, "per_ms": one.per_ms, "source": _source(one.endpoint, one.at)}
            for one in snapshot.limits
        ],
        "account": dict(snapshot.account),
        "withdrawal_addresses": snapshot.withdrawal_addresses,
        "errors": [dict(error) for error in snapshot.errors],
    }


def _source(endpoint: str, at: str) -> dict[str, str]:
    return {"endpoint": endpoint, "at": at}


def _key_to_dict(key: KeyReport) -> dict[str, Any]:
    return {
        "name": key.name,
        "id": key.id,
        "label": key.label,
        "permissions": dict(key.permissions),
        "raw": dict(key.raw),
        "unrecognised": list(key.unrecognised),
        "ip_allowlist": {"restricted": key.restricted, "addresses": key.addresses},
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "account_id": key.account_id,
        "sub_account": key.sub_account,
        "third_party": key.third_party,
        "environment": key.environment,
        "others": [dict(one) for one in key.others],
        "unknown": dict(key.unknown),
        "source": _source(key.endpoint, key.at),
    }


class _Reader:
    """Read plain data strictly: each getter raises ValueError `PATH: what is; what may be`."""

    def __init__(self, data: object, path: str) -> None:
        if not isinstance(data, Mapping):
            raise ValueError(f"{path} is no mapping; a snapshot of policykit is needed")
        self.data = data
        self.path = path

    def text(self, name: str, *, needed: bool = True) -> str:
        value = self.maybe(name)
        if value is None and needed:
            raise ValueError(f"{self.path}.{name} is missing; text is needed")
        return value or ""

    def maybe(self, name: str) -> str | None:
        value = self.data.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
            raise ValueError(f"{self.path}.{name} is no text of at most {MAX_TEXT} characters")
        return value

    def whole(self, name: str) -> int:
        value = self.data.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{self.path}.{name} is no whole number")
        return value

    def rows(self, name: str) -> list[_Reader]:
        value = self.data.get(name) or []
        if not isinstance(value, list) or len(value) > MAX_ROWS:
            raise ValueError(f"{self.path}.{name} is no list of at most {MAX_ROWS}")
        return [_Reader(row, f"{self.path}.{name}[{i}]") for i, row in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        value = self.data.get(name) or []
        if not isinstance(value, list) or len(value) > MAX_ROWS or not all(isinstance(one, str) for one in value):
            raise ValueError(f"{self.path}.{name} is no list of text")
        return [str(one)[:MAX_TEXT] for one in value]

    def mapping(self, name: str) -> dict[str, Any]:
        return {str(key): value for key, value in self.inner(name).data.items()}

    def inner(self, name: str) -> _Reader:
        value = self.data.get(name)
        return _Reader({} if value is None else value, f"{self.path}.{name}")

    def choice(self, name: str, options: tuple[str, ...]) -> str:
        """Return one of the options; "unknown" when it is not there: absence is never an answer."""
        value = self.data.get(name, "unknown")
        if value not in options:
            raise ValueError(f"{self.path}.{name} is none of {', '.join(options)}")
        return str(value)


def from_dict(data: object) -> Snapshot:
    """Read "Snapshot, version 1"; what is absent is unknown. Raise ValueError, saying where, for other data."""
    top = _Reader(data, "snapshot")
    if type(top.data.get("version")) is not int or top.data["version"] != VERSION:
        raise ValueError(f"snapshot.version is not {VERSION}; take the snapshot anew with this version of policykit")
    addresses = top.data.get("withdrawal_addresses")
    keys = [_key_from(row) for row in top.rows("keys")]
    names = [key.name for key in keys]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ValueError(f"snapshot.keys has two reports of {twice!r}; one report of each key is needed")
    return Snapshot(
        taken_at=top.text("taken_at"),
        exchange=top.text("exchange"),
        endpoint=top.maybe("endpoint"),
        cost={name: top.inner("cost").whole(name) for name in top.mapping("cost")},
        clock=top.mapping("clock"),
        keys=keys,
        limits=[
            RateLimit(
                row.text("name"),
                row.whole("limit"),
                row.whole("per_ms"),
                row.inner("source").text("endpoint", needed=False),
                row.inner("source").text("at", needed=False),
            )
            for row in top.rows("limits")
        ],
        account=top.mapping("account"),
        withdrawal_addresses=None if addresses is None else [dict(r.data) for r in top.rows("withdrawal_addresses")],
        errors=[
            {name: row.text(name, needed=False) for name in ("key", "code", "message")} for row in top.rows("errors")
        ],
        policy=top.maybe("policy"),
        account_name=top.maybe("account_name"),
    )


def _key_from(row: _Reader) -> KeyReport:
    allowlist = row.inner("ip_allowlist")
    permissions = row.inner("permissions")
    named = row.mapping("permissions")
    others = [scope[:MAX_TEXT] for scope, said in named.items() if scope not in SCOPES and said != "denied"]
    unknown = {name: str(why)[:MAX_TEXT] for name, why in row.mapping("unknown").items()}
    read: dict[str, Granted] = {}
    for scope in SCOPES:
        read[scope] = cast("Granted", permissions.choice(scope, ("granted", "denied", "unknown")))
        if scope not in permissions.data:
            unknown.setdefault(f"permissions.{scope}", "the snapshot does not say")
    return KeyReport(
        name=row.text("name"),
        id=row.text("id", needed=False),
        permissions=read,
        restricted=cast("_Told", allowlist.choice("restricted", _TOLD)),
        addresses=None if allowlist.data.get("addresses") is None else allowlist.texts("addresses"),
        label=row.maybe("label"),
        raw=row.mapping("raw") if isinstance(row.data.get("raw"), Mapping) else {},
        unrecognised=list(dict.fromkeys((*row.texts("unrecognised"), *others))),
        created_at=row.maybe("created_at"),
        expires_at=row.maybe("expires_at"),
        last_used_at=row.maybe("last_used_at"),
        account_id=row.maybe("account_id"),
        sub_account=cast("_Told", row.choice("sub_account", _TOLD)),
        third_party=cast("_Told", row.choice("third_party", _TOLD)),
        environment=cast("Any", row.choice("environment", ("live", "sandbox", "unknown"))),
        others=[{"id": one.text("id"), "label": one.text("label", needed=False)} for one in row.rows("others")],
        unknown=unknown,
        endpoint=row.inner("source").text("endpoint", needed=False),
        at=row.inner("source").text("at", needed=False),
    )


def belonging(snapshots: Sequence[Snapshot], exchange: str, account: str, policy: str) -> list[Snapshot]:
    """Return what snapshots say of one policy: its keys, and its account as any policy of that account saw it.

    A key is named by its policy: what another policy of the account says of a key of that name is left out. A snapshot
    that names no account or no policy is taken for this one's, as is one without an exchange.
    """
    found: list[Snapshot] = []
    for one in snapshots:
        if one.exchange not in ("", exchange) or one.account_name not in (None, account):
            continue
        mine = one.policy in (None, policy)
        found.append(replace(one, exchange=exchange) if mine else replace(one, exchange=exchange, keys=[], errors=[]))
    return found


def _still(before: KeyReport | None, key: KeyReport) -> KeyReport:
    """Return a newer report of a key, in which no unknown hides what an older one of the same key had found."""
    if before is None or before.id != key.id or before.environment != key.environment:
        return key
    granted = [s for s, said in before.permissions.items() if said == "granted" and key.permissions.get(s) == "unknown"]
    opened = before.restricted == "no" and key.restricted == "unknown"
    if not granted and not opened:
        return key
    told = {f"permissions.{scope}" for scope in granted} | ({"ip_allowlist.restricted"} if opened else set())
    return replace(
        key,
        permissions={**key.permissions, **dict.fromkeys(granted, "granted")},
        restricted="no" if opened else key.restricted,
        addresses=[] if opened else key.addresses,
        unknown={name: why for name, why in key.unknown.items() if name not in told},
        endpoint=before.endpoint,
        at=before.at,  # the evidence is the older one's
    )


def merge(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Join snapshots that hosts took of their own keys: the newest report of each key, the newest account.

    What an older report knew to be granted, or open to all addresses, and a newer one cannot tell stays so.
    An error stays beside an older report of the same key: the key may have been revoked since.
    Raise ValueError for none, for two exchanges, and for two accounts.
    """
    if len({one.exchange for one in snapshots}) != 1:
        raise ValueError("snapshots of one exchange are needed; group them by exchange first")
    if len({one.account_name for one in snapshots if one.account_name is not None}) > 1:
        raise ValueError("snapshots of one account are needed; group them by account first")
    ordered = sorted(snapshots, key=lambda one: one.taken_at)
    newest = ordered[-1]
    keys: dict[str, KeyReport] = {}
    errors: dict[str, dict[str, str]] = {}
    for one in ordered:
        for key in one.keys:
            keys[key.name] = _still(keys.get(key.name), key if key.at else replace(key, at=one.taken_at))
            errors.pop(key.name, None)
        for error in one.errors:
            errors[error.get("key", "")] = error
    return replace(
        newest,
        cost=dict(newest.cost),
        keys=[keys[name] for name in sorted(keys)],
        limits=next((one.limits for one in reversed(ordered) if one.limits), []),
        account=next((one.account for one in reversed(ordered) if one.account), {}),
        withdrawal_addresses=next(
            (one.withdrawal_addresses for one in reversed(ordered) if one.withdrawal_addresses is not None), None
        ),
        errors=[errors[name] for name in sorted(errors)],
    )
