"""The edit of a policy's file that takes up a stage: shown, and written only when asked for."""

from __future__ import annotations

import os
from pathlib import Path

from policykit.clock import iso
from policykit.finding import Edit
from policykit.lint.fix import Edited
from policykit.place import Place
from policykit.policy import EffectivePolicy
from policykit.source.edits import CannotEdit, apply, changes

#: What the file has to say beside the stage, on leaving the sandbox: other hosts.
_LIVE = "environment"


def edited(policy: EffectivePolicy, stage: str, now_ms: int) -> Edited | None:
    """Return a policy's file as it is and as it is to be at a stage; None: it says so already.

    Raise CannotEdit where it cannot be written so, OSError where it cannot be read.
    """
    said = policy.composed.stage
    current = said.current if said else None
    live = stage != "sandbox" and policy.model.environment == "sandbox"
    if current == stage and not live:
        return None
    raw = Path(policy.file).read_bytes()
    wanted = {"stage.current": stage, "stage.since": iso(now_ms)[:10]} | ({_LIVE: "live"} if live else {})
    edits = [_edit(policy, path, text) for path, text in wanted.items()]
    text = raw.decode("utf-8")
    new = apply(text, changes(text, policy.file, edits))
    return Edited(policy.file, os.path.realpath(policy.file), raw, new.encode("utf-8"))


def _edit(policy: EffectivePolicy, path: str, text: str) -> Edit:
    place = policy.origins.get(path)
    if place is None:
        return Edit(Place(policy.file, path=path), text, "add")
    if os.path.realpath(place.file) != os.path.realpath(policy.file):
        raise CannotEdit(f"{path} is said in {place.file}")
    return Edit(place._replace(path=path), text)
