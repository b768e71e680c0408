"""What is shown of the place under a cursor: its field, what is in force and who says it, and what there is live."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any, NamedTuple

from policykit.finding import Finding
from policykit.place import Place
from policykit.policy import EffectivePolicy, dump
from policykit.policy.layers import nearest
from policykit.policy.show import flow
from policykit.proofs.lsp.cursor import Path
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.fields import default_of, described, field_at
from policykit.proofs.lsp.live import live
from policykit.proofs.lsp.places import dotted, here
from policykit.proofs.lsp.text import Span
from policykit.rules import find

#: The longest value that is shown.
MAX_SHOWN = 300


class Hover(NamedTuple):
    """Markdown about the characters of a span."""

    text: str
    span: Span


def hover(desk: Desk, file: str, offset: int) -> Hover | None:
    """Return what is shown at a character of an open policy; None where there is nothing to say."""
    parts: list[str] = []
    found = here(desk, file, offset)
    span = found.span if found is not None else None
    if found is not None:
        parts += _field(desk, file, found.path)
        code = desk.text(file).text[found.span.start : found.span.end].strip("\"'")
        entry = find(code) if found.path[-1:] == ("rule",) or found.path[:1] == ("waivable",) else None
        if entry is not None and not found.is_key:
            first = entry.doc.partition("\n")[0]
            parts.append(f"**{entry.rule.code} {entry.rule.name}** ({entry.rule.severity}): {first}")
    for finding in _under(desk, file, offset):
        parts.append(_finding(finding))
        span = span or desk.text(file).span(finding.primary)
    return Hover("\n\n".join(parts), span) if parts and span is not None else None


def _under(desk: Desk, file: str, offset: int) -> list[Finding]:
    real = os.path.realpath(file)
    text = desk.text(file)
    return [
        finding
        for finding in desk.judged(file).shown
        if finding.status in ("open", "unknown")
        and os.path.realpath(finding.primary.file) == real
        and text.span(finding.primary).touches(Span(offset, offset))
    ]


def _finding(finding: Finding) -> str:
    lines = [f"**{finding.rule} {finding.name}**: {escape(finding.message)}"]
    if finding.why:
        lines.append(f"why: {escape(finding.why)}")
    if finding.next_step:
        lines.append(f"next: {escape(finding.next_step)}")
    return "\n\n".join([*lines, f"`policykit explain {finding.rule}`"])


def escape(text: str) -> str:
    """Write a text so that Markdown shows it as it is; the backticks of our own messages stay."""
    return "".join(f"\\{char}" if char in "\\*_<>[]" else char for char in text)


def _field(desk: Desk, file: str, path: Path) -> list[str]:
    field = field_at(path)
    if field is None:
        return []
    parts = described(field)
    effective = desk.last_effective(file)
    if effective is not None:
        old = "" if desk.effective(file) is not None else " when this policy last loaded"
        lines = [f"- {line}" for line in in_force(effective, path, file, old)]
        parts += ["\n".join(lines)] if lines else []
        seen = live(desk, effective, path)
        if seen is not None:
            said = "\n".join(f"- {escape(line)}" for line in seen.lines)
            parts.append(f"{seen.head(desk.now_ms()) if seen.at else f'live ({seen.files})'}:\n\n{said}")
    return parts


def in_force(effective: EffectivePolicy, path: Path, file: str, old: str = "") -> list[str]:
    """Return what is in force at a place, who says it, and what the stage did to it."""
    field = field_at(path)
    if field is None or field.shape.meta.secret:
        return []
    if field.shape.kind == "list" and field.inside:
        path = field.path
    if any(isinstance(step, int) for step in path) and path[0] != "waivers":
        return []  # what is composed may have another item there
    value = _at(effective.model, path)
    if value is None:
        default = default_of(field)
        return [f"in force{old}: `{default}`, since no file says it"] if default else []
    lines = []
    if not isinstance(value, dict) or field.shape.section is None:
        lines.append(f"in force{old}: `{_short(value)}` ({_origin(effective, path, file)})")
    before = _at(effective.composed, path)
    stage = effective.model.stage.current if effective.model.stage is not None else ""
    if before != value and field.shape.section is None:
        lines.append(f"without the stage `{stage}`: `{_short(before) if before is not None else 'nothing'}`")
    return lines


def _at(model: Any, path: Path) -> Any:
    """Return the value at a place as the language writes it; a cap for all symbols is found under its field."""
    value: Any = model
    for step in path:
        if isinstance(value, dict):
            inner = value.get(step)
        elif isinstance(value, tuple) and not hasattr(value, "_fields"):
            inner = value[step] if isinstance(step, int) and step < len(value) else None
        else:
            inner = getattr(value, str(step), None)
        if inner is None:
            return None
        value = inner
    written = dump(value)
    if isinstance(written, dict) and set(written) == {"default"}:
        return written["default"]
    return str(written) if isinstance(written, Decimal) else written


def _short(value: Any) -> str:
    text = flow(value) if not isinstance(value, str) else value
    return text.replace("`", "'") if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN].replace('`', chr(39))} ..."


def _origin(effective: EffectivePolicy, path: Path, file: str) -> str:
    place = nearest(effective.origins, dotted(path))
    return located(place, file) if place is not None else "the default"


def located(place: Place, file: str) -> str:
    """Write a place for who looks at a file: `baseline.yaml:12`, or `line 12` of the file itself."""
    if os.path.realpath(place.file) == os.path.realpath(file):
        return f"line {place.line}"
    return f"{os.path.relpath(place.file, os.path.dirname(os.path.abspath(file)))}:{place.line}"
