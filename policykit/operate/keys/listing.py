"""The keys that policies name, as a table: by the policies, the store and snapshots; nothing is asked here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from policykit.clock import iso
from policykit.guard.living import beats
from policykit.guard.measures import key_ages
from policykit.operate.keys.find import Found
from policykit.policy import EffectivePolicy
from policykit.redact import scrub
from policykit.snapshot import Snapshot, belonging
from policykit.store import Store

_HEAD = (
    *("KEY", "EXCHANGE/ACCOUNT", "FOR", "SCOPES", "ADDRESSES"),
    *("AGE", "DUE", "LAST USED", "HOLDERS", "HOSTS", "SECRET", "WHERE"),
)
_DAY_MS = 86_400_000


def rows(
    keys: Sequence[Found],
    store: Store | None = None,
    snapshots: Sequence[Snapshot] = (),
    host: str = "",
    now_ms: int = 0,
) -> list[dict[str, Any]]:
    """Return one mapping a key, as JSON has it; what neither the store nor a snapshot tells is None.

    `made` is when it was made and `made_by` who says so: the exchange ("observed"), else a person or the rotation
    ("declared"). `hosts` are those of its guards, the living ones first. Raise StoreUnavailable.
    """
    return [
        {
            "key": found.name,
            "policy": found.policy.name,
            "account": found.policy.account_key,
            "environment": found.policy.model.environment,
            "purpose": found.key.purpose,
            "scopes": list(found.key.scopes or ()),
            "addresses": [one.address for one in found.key.ip_allowlist or ()],
            "rotation_days": round(found.key.rotation.every.ms / _DAY_MS)
            if found.key.rotation and found.key.rotation.every
            else None,
            "holders": list(found.key.holders or ()),
            "secret": found.key.secret,
            "place": found.place,
            **_aged(found, store, snapshots, now_ms),
            **_used(found, store, host, now_ms),
        }
        for found in keys
    ]


def _aged(found: Found, store: Store | None, snapshots: Sequence[Snapshot], now_ms: int) -> dict[str, Any]:
    policy: EffectivePolicy = found.policy
    seen = next(
        (
            key
            for one in reversed(belonging(snapshots, policy.model.exchange, policy.model.account.name, policy.name))
            for key in one.keys
            if key.name == found.name
        ),
        None,
    )
    age = next((one for one in key_ages(store, policy) if one.key == found.name), None) if store is not None else None
    made, by = (seen.created_at, "observed") if seen is not None and seen.created_at else (None, None)
    due_ms, every = (age.due_ms if age else None), (found.key.rotation.every if found.key.rotation else None)
    declared = found.key.declared.created if found.key.declared else None
    if made is None and age is not None and age.made_ms != age.exposed_ms:
        made, by = iso(age.made_ms), "observed" if age.observed else "declared"
    elif made is None and declared is not None:
        made, by = f"{declared}T00:00:00.000Z", "declared"
    made_ms = _ms(made)
    if made_ms is not None and every is not None:
        due_ms = made_ms + every.ms
    if age is not None and age.exposed_ms is not None:
        due_ms = min(due_ms or age.exposed_ms, age.exposed_ms)
    return {
        "made": made,
        "made_by": by,
        "age_days": None if made_ms is None else (now_ms - made_ms) // _DAY_MS,
        "due": None if due_ms is None else iso(due_ms),
        "overdue": None if due_ms is None else now_ms >= due_ms,
        "exposed_since": iso(age.exposed_ms) if age is not None and age.exposed_ms is not None else None,
        "exposure_withdrawn": _withdrawn(store, policy.account_key, found.name),
        "last_used": seen.last_used_at if seen is not None else None,
    }


def _withdrawn(store: Store | None, account: str, name: str) -> dict[str, str] | None:
    """Return who took back that a key may be in other hands, since when it had been so, and why; None: nobody did."""
    row = store.kept(account, "exposed").get(name) if store is not None else None
    if row is None or "withdrawn" not in row:
        return None
    return {
        "at": iso(row["at_ms"]),
        "by": scrub(str(row["by"])),
        "why": scrub(str(row["why"])),
        "since": str(row["withdrawn"]),
    }


def _used(found: Found, store: Store | None, host: str, now_ms: int) -> dict[str, Any]:
    if store is None:
        return {"hosts": [], "rotation": None}
    account = found.policy.account_key
    guards = [info for info in store.guards() if (info.account, info.key) == (account, found.name)]
    guards.sort(key=lambda info: (not beats(info, host, now_ms), info.host))
    row = store.kept(account, "rotation").get(found.name)
    return {"hosts": list(dict.fromkeys(info.host for info in guards)), "rotation": row.get("result") if row else None}


def _ms(text: str | None) -> int | None:
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None


def table(told: Sequence[dict[str, Any]]) -> str:
    """Write the keys in columns, one a line."""
    lines = [_HEAD]
    for row in told:
        age = row["age_days"]
        lines.append(
            (
                row["key"],
                row["account"],
                row["purpose"],
                ",".join(row["scopes"]) or "unsaid",
                str(len(row["addresses"])) if row["addresses"] else "any",
                "unknown" if age is None else f"{age}d",
                _due(row),
                (row["last_used"] or "unknown")[:10],
                ",".join(row["holders"]) or "unsaid",
                ",".join(row["hosts"]) or "none",
                row["secret"] or "unsaid",
                row["place"],
            )
        )
    told_of = [
        f"{row['key']} on {row['account']}: exposed since {one['since'][:10]} was withdrawn {one['at'][:10]} by"
        f" {one['by']}: {one['why']}"
        for row in told
        if (one := row["exposure_withdrawn"])
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return (
        "\n".join(
            [
                *("  ".join(f"{word:<{w}}" for word, w in zip(line, widths, strict=True)).rstrip() for line in lines),
                *told_of,
            ]
        )
        + "\n"
    )


def _due(row: dict[str, Any]) -> str:
    if row["exposed_since"]:
        return "NOW (exposed)"
    if row["rotation"] and row["rotation"].endswith(("staged", "swapping")):
        return "being rotated"
    if row["due"] is None:
        return "never" if row["rotation_days"] is None else "unknown"
    return f"OVERDUE {row['due'][:10]}" if row["overdue"] else str(row["due"][:10])
