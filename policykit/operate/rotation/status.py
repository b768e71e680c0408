"""How far each rotation has come, as rows and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policykit.clock import iso
from policykit.operate.keys.find import Found
from policykit.operate.rotation.book import holders, read
from policykit.store import Store


def rows(store: Store, keys: Sequence[Found], host: str, now_ms: int) -> list[dict[str, Any]]:
    """Return one mapping for each key that was rotated with this store. Raise StoreUnavailable."""
    out = []
    for found in keys:
        going = read(store, found)
        if going is None:
            continue
        guards = holders(store, found, going, host, now_ms)
        row = {"key": found.name, "account": found.policy.account_key, **going.to_dict()}
        row["late"] = not going.over and now_ms > going.delete_by_ms
        row["guards"] = [one.to_dict() for one in guards] if not going.over else []
        out.append(row)
    return out


def text(told: Sequence[dict[str, Any]]) -> str:
    """Write the rows for a person: what is to be done next stands last."""
    lines: list[str] = []
    for row in told:
        name, over = row["key"], row["state"] == "done"
        lines.append(f"{name} on {row['account']}: {row['result']}, {row['active']} is in use")
        if over:
            lines.append(
                f"  {row['retiring']} is {'dead, refused' if row['proof'] == 'refused' else 'said to be dead'}"
            )
            continue
        if row["retiring"]:
            late = ", OVERDUE" if row["late"] else ""
            lines.append(f"  {row['retiring']} has to go by {iso(row['delete_by_ms'])[:16]}Z{late}")
        for guard in row["guards"]:
            kept, left = ("old key", "successor") if row["aborted"] else ("successor", "old key")
            stays = f"still signs with the {left}" if guard["signs_with"] == row["retiring"] else "not over"
            word = f"signs with the {kept}" if guard["over"] else f"{stays}: {guard['why']}"
            alive = "" if guard["alive"] else ", not heard"
            lines.append(f"  {guard['bot']} on {guard['host']}, pid {guard['pid']}{alive}: {word}")
        lines.append(f"  next: policykit rotate {_next(row)} {name} --by YOU --why WHY")
    return "\n".join(lines or ["no key was rotated with this store"]) + "\n"


def _next(row: dict[str, Any]) -> str:
    return "start" if row["state"] == "staged" else "finish"
