"""Where exits and cancels are written down while the store cannot be: one file a policy, a JSON line each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from policykit.decision import Decision
from policykit.orders.intent import Outcome
from policykit.store.codec import decision_body, outcome_to_dict

#: The file is not grown beyond this, bytes; a store that is down for so long has been noticed.
MAX_BYTES = 50_000_000


def path_of(name: str) -> Path:
    """Return the file: POLICYKIT_JOURNAL with `.fallback.jsonl`, or one in the user's state directory."""
    named = os.environ.get("POLICYKIT_JOURNAL")
    if named:
        return Path(named + ".fallback.jsonl")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "policykit" / f"{name}.fallback.jsonl"


def write(name: str, decision: Decision) -> None:
    """Write a decision down, if it can be; an exit is never kept from the exchange by a full disk."""
    _append(name, {"at_ms": decision.at_ms, "kind": "decision", **decision_body(decision, None, ())})


def write_outcome(name: str, intent: str, outcome: Outcome) -> None:
    """Write an outcome down, if it can be."""
    _append(name, {"at_ms": outcome.at_ms, "kind": "outcome", **outcome_to_dict(intent, outcome)})


def _append(name: str, row: dict[str, Any]) -> None:
    path = path_of(name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            return
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")
    except OSError:
        return
