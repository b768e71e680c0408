"""The keys that policies name, as a table: from the policies alone, nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policykit.operate.keys.find import Found

_HEAD = ("KEY", "EXCHANGE/ACCOUNT", "FOR", "SCOPES", "ADDRESSES", "ROTATION", "SECRET", "WHERE")


def rows(keys: Sequence[Found]) -> list[dict[str, Any]]:
    """Return one mapping a key, as JSON has it."""
    return [
        {
            "key": found.name,
            "policy": found.policy.name,
            "account": found.policy.account_key,
            "environment": found.policy.model.environment,
            "purpose": found.key.purpose,
            "scopes": list(found.key.scopes or ()),
            "addresses": [one.address for one in found.key.ip_allowlist or ()],
            "rotation_days": round(found.key.rotation.every.ms / 86_400_000)
            if found.key.rotation and found.key.rotation.every
            else None,
            "holders": list(found.key.holders or ()),
            "secret": found.key.secret,
            "place": found.place,
        }
        for found in keys
    ]


def table(keys: Sequence[Found]) -> str:
    """Write the keys in columns, one a line."""
    lines = [_HEAD]
    for row in rows(keys):
        days = row["rotation_days"]
        lines.append(
            (
                row["key"],
                row["account"],
                row["purpose"],
                ",".join(row["scopes"]) or "unsaid",
                str(len(row["addresses"])) if row["addresses"] else "any",
                f"{days}d" if days is not None else "none",
                row["secret"] or "unsaid",
                row["place"],
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return (
        "\n".join("  ".join(f"{word:<{w}}" for word, w in zip(line, widths, strict=True)).rstrip() for line in lines)
        + "\n"
    )
