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
class Fix:
    """One edit of the policy: replace the value at `place` by `replacement` (YAML text)."""

    place: Place
    replacement: str
    label: str
    safe: bool = False


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
    #: A second place in the same file that helps to read the first: ("key declared here", Place).
    context: tuple[tuple[str, Place], ...] = ()
    observed: Observed | None = None
    fix: Fix | None = None
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as "Lint report, version 1" of INTERFACE.md has it."""
        p = self.primary
        return {
            "rule": self.rule,
            "name": self.name,
            "severity": self.severity,
            "confidence": self.confidence,
            "status": self.status,
            "message": self.message,
            "guide": list(self.guide),
            "primary": {
                "file": p.file,
                "line": p.line,
                "column": p.column,
                "end_line": p.end_line,
                "end_column": p.end_column,
                "path": p.path,
            },
            "observed": self.observed.to_dict() if self.observed else None,
            "fix": None
            if self.fix is None
            else {"label": self.fix.label, "replacement": self.fix.replacement, "safe": self.fix.safe},
        }
