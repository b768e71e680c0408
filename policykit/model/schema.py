"""The JSON Schema of a policy, generated from the model; it accepts exactly the documents that the model accepts."""

from __future__ import annotations

from typing import Any, Final

from policykit.model.contracts import DIALECT, contracts

#: The names that `policykit schema` knows.
NAMES: Final = ("policy", "lint-report", "snapshot", "decision", "journal", "policy-test", "diff")


def schema(name: str) -> dict[str, Any]:
    """Return one published schema; KeyError for another name."""
    if name != "policy":
        return contracts()[name]
    from policykit.model.policy import Policy

    made = _tidy(Policy.model_json_schema())
    assert isinstance(made, dict)
    return {
        "$schema": DIALECT,
        "title": "policykit policy, version 1",
        "description": made.pop("description"),
        **{key: made[key] for key in ("type", "additionalProperties", "required", "properties")},
        "$defs": dict(sorted(made["$defs"].items())),
    }


def _tidy(node: Any) -> Any:
    """Drop what says nothing (titles, null defaults), and close maps: a key that fits no pattern is refused.

    An absent field is left out, never null: the reader refuses a key without a value.
    """
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _tidy_key(key, item) for key, item in node.items() if not _says_nothing(key, item)}
    options = [option for option in out.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1 and len(options) < len(out["anyOf"]):
        del out["anyOf"]
        out = options[0] | out
    elif options:
        out["anyOf"] = options
    patterns = out.pop("patternProperties", None)
    if patterns is not None:
        ((pattern, value),) = patterns.items()
        out |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
    return out


def _tidy_key(key: str, item: Any) -> Any:
    # The names below are the document's own, not words of JSON Schema.
    if key in ("properties", "$defs", "patternProperties"):
        return {name: _tidy(value) for name, value in item.items()}
    return _tidy(item)


def _says_nothing(key: str, item: Any) -> bool:
    return (
        (key == "title" and isinstance(item, str))
        or (key == "default" and (item is None or item in ("", [], {})))
        or (key == "default" and isinstance(item, dict))
    )
