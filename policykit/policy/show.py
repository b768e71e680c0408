"""Write an effective policy with the origin of every value: YAML that loads again, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from policykit.policy.canonical import dump
from policykit.policy.effective import EffectivePolicy
from policykit.policy.layers import nearest
from policykit.source.scalars import meaning

#: Origins stand in one column, unless a line is longer.
_COLUMN = 56
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._%/+-]*\Z")


def scalar(value: Any) -> str:
    """Write one value so that the strict reader reads the same value again."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = bool(_PLAIN.match(value)) and not value.endswith(" ") and meaning(value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)


def flow(value: Any) -> str:
    """Write a value on one line, as it may stand in a policy."""
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    return scalar(value)


def _lines(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (line, dotted path of its value or "")."""
    pad = "  " * depth
    for key, item in value.items():
        at = f"{path}.{key}" if path else key
        if isinstance(item, dict) and item:
            yield f"{pad}{scalar(key)}:", ""
            yield from _lines(item, at, depth + 1)
        elif isinstance(item, list) and (len(flow(item)) > _COLUMN or any(isinstance(part, dict) for part in item)):
            yield f"{pad}{scalar(key)}:", ""
            for index, part in enumerate(item):
                yield f"{pad}  - {flow(part)}", f"{at}.{index}"
        else:
            yield f"{pad}{scalar(key)}: {flow(item)}", at


def _written(effective: EffectivePolicy) -> dict[str, Any]:
    data: dict[str, Any] = dump(effective.model)
    data.pop("extends", None)
    return data


def origin(effective: EffectivePolicy, path: str) -> str:
    """Return `file:line` of what says a value; `default` where no file does."""
    section, _, name = path.rpartition(".")
    if path not in effective.origins and not name.isdigit() and not _inside(effective, section):
        return "default"
    place = nearest(effective.origins, path)
    return f"{place.file}:{place.line}" if place is not None else "default"


def _inside(effective: EffectivePolicy, path: str) -> bool:
    """Say whether a path lies in a value that is one word in the file (a cap for all symbols)."""
    item: Any = effective.model
    for part in path.split(".") if path else ():
        item = item.get(part) if isinstance(item, dict) else getattr(item, part, None)
    return isinstance(item, dict) and path in effective.origins


def as_yaml(effective: EffectivePolicy) -> str:
    """Return the effective policy as YAML, with `# file:line` after each value."""
    stage = effective.model.stage
    head = [f"# {effective.name} {effective.version}", f"# files: {', '.join(effective.files)}"]
    if effective.composed is not effective.model and stage is not None:
        head.append(f"# tightened by its stage, {stage.current}")
    out = []
    for line, path in _lines(_written(effective), "", 0):
        out.append(f"{line:<{_COLUMN}}  # {origin(effective, path)}" if path else line)
    return "\n".join([*head, *out]) + "\n"


def as_json(effective: EffectivePolicy) -> str:
    """Return the effective policy as JSON: what is in force, and the origin of each value by dotted path."""
    data = _written(effective)
    origins = {path: origin(effective, path) for _, path in _lines(data, "", 0) if path}
    return json.dumps(
        {
            "version": 1,
            "name": effective.name,
            "policy_version": effective.version,
            "files": list(effective.files),
            "policy": data,
            "origins": origins,
        },
        indent=2,
        ensure_ascii=False,
    )
