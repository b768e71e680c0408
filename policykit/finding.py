"""What a lint rule found: one claim, placed, with its evidence and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from policykit.place import Place

Severity = Literal["critical", "high", "medium", "low"]
Confidence = Literal["certain", "observed", "likely"]
Status = Literal["open", "unknown", "declared", "waived", "baseline"]

#: Worst first.
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Observed:
    """What an exchange said: the second labelled span of a live finding. `at` is ISO, `age_s` seconds."""

    exchange: str
    endpoint: str
    path: str
    value: Any
    at: str
    age_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("exchange", "endpoint", "path", "value", "at", "age_s")}


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file's text.

    - `replace`: the text of `place` becomes `text`.
    - `remove`: the value at `place.path` goes, with its key, its dash or its comma.
    - `add`: the key that `place.path` ends in joins its section, with the value `text`; sections that are not there yet
      are made.
    """

    place: Place
    text: str = ""
    kind: Literal["replace", "remove", "add"] = "replace"

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **_place(self.place), "text": self.text}


@dataclass(frozen=True, slots=True)
class Fix:
    """What `--fix` does about a finding. `safe`: it changes no limit to a looser one, and what is meant is certain."""

    edits: tuple[Edit, ...]
    label: str
    safe: bool = False

    @classmethod
    def replace(cls, place: Place, text: str, label: str, *, safe: bool = False) -> Fix:
        """Replace the text at a place (YAML, or the source's own language)."""
        return cls((Edit(place, text),), label, safe)

    @classmethod
    def remove(cls, place: Place, label: str, *, safe: bool = False) -> Fix:
        """Remove the value at `place.path` with its key, dash or comma."""
        return cls((Edit(place, kind="remove"),), label, safe)

    @classmethod
    def add(cls, place: Place, text: str, label: str, *, safe: bool = False) -> Fix:
        """Add the key that `place.path` ends in, with a value (YAML text)."""
        return cls((Edit(place, text, "add"),), label, safe)

    def to_dict(self) -> dict[str, Any]:
        return {"label": self.label, "safe": self.safe, "edits": [edit.to_dict() for edit in self.edits]}


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim of one rule. `label` is written under the primary span, `next_step` says what to do."""

    rule: str
    name: str
    severity: Severity
    message: str
    primary: Place
    confidence: Confidence = "certain"
    status: Status = "open"
    guide: tuple[str, ...] = ()
    label: str = ""
    why: str = ""
    next_step: str = ""
    #: Further places that help to read the first, also in other files: ("key declared here", Place).
    context: tuple[tuple[str, Place], ...] = ()
    observed: Observed | None = None
    fix: Fix | None = None
    #: False: no waiver and no baseline accepts it.
    waivable: bool = True
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as "Lint report, version 1" of INTERFACE.md has it."""
        return {
            "rule": self.rule,
            "name": self.name,
            "severity": self.severity,
            "confidence": self.confidence,
            "status": self.status,
            "message": self.message,
            "guide": list(self.guide),
            "primary": _place(self.primary),
            "observed": self.observed.to_dict() if self.observed else None,
            "fix": self.fix.to_dict() if self.fix else None,
            **({"next": self.next_step} if self.next_step else {}),
        }


def _place(place: Place) -> dict[str, Any]:
    return place._asdict()
