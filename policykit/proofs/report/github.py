"""`--format github`: workflow commands that mark the lines of a pull request that loosen a policy."""

from __future__ import annotations

from typing import Final

from policykit.lint.report.github import annotation
from policykit.proofs.difference import Difference, FieldChange, PolicyDifference
from policykit.proofs.report import Style
from policykit.proofs.report.words import effect, of_policy, ranked

#: GitHub shows ten of each kind of a step and drops the rest.
MAX_ANNOTATIONS: Final = 10


def write(difference: Difference, style: Style) -> str:
    """Return what does not load and what is looser, an error where nobody agreed to it, and a line with the count."""
    missing = {one.file: one.why for one in style.consents or () if one.why}
    lines = [
        annotation("error", fault.primary, f"{fault.rule} {fault.name}", fault.message, style.root)
        for fault in difference.faults
    ]
    for one in ranked(difference):
        level = "error" if one.file in missing else "warning"
        lines += [_field(one, field, level, style) for field in one.of("looser", "different")]
        if one.file in missing:
            lines.append(f"policykit: {of_policy(one)} is {one.verdict} and not approved: {missing[one.file]}")
    shown, rest = lines[:MAX_ANNOTATIONS], len(lines) - MAX_ANNOTATIONS
    if rest > 0:
        shown.append(f"policykit: {rest:,} more: see the comment, or the page of this job")
    return "".join(f"{line}\n" for line in shown)


def _field(one: PolicyDifference, field: FieldChange, level: str, style: Style) -> str:
    said = f"{of_policy(one)}: {field}"
    place = field.now_at or field.was_at
    title = f"{field.verdict}: {field.path}"
    message = "\n".join(line for line in (said, effect(field)) if line)
    return annotation(level, place, title, message, style.root) if place is not None else f"::{level}::{said}"
