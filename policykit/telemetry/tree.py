"""Draw finished spans as a tree, for `policykit demo`: what was decided, why, what was sent, what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from policykit.telemetry import names
from policykit.telemetry.words import grouped


class FinishedSpan(Protocol):
    """What is read of a span; the SDK's ReadableSpan has it."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def context(self) -> Any:
        """Return its ids."""

    @property
    def parent(self) -> Any:
        """Return its parent's ids, or None."""

    @property
    def start_time(self) -> int | None:
        """Return when it started, UTC ns."""

    @property
    def end_time(self) -> int | None:
        """Return when it ended, UTC ns."""

    @property
    def attributes(self) -> Mapping[str, Any] | None:
        """Return its attributes."""

    @property
    def links(self) -> Any:
        """Return its links."""


#: One tree is cut here, spans: a trace of a long run is for a trace viewer.
MAX_SPANS: Final = 500
#: Columns for the lines and the name of a span.
NAME_COLUMNS: Final = 33
_ORDER: Final = (names.SIDE, names.TYPE, names.QUANTITY, names.SYMBOL)
_FACTS: Final = (
    ("policy", names.POLICY_ID, names.POLICY_VERSION),
    ("account", names.EXCHANGE, names.ACCOUNT),
    ("key", names.KEY, None),
    ("bot", names.BOT, None),
    ("journal", names.JOURNAL_SEQ, None),
    ("decision", names.DECISION_ID, None),
)


def render_tree(spans: Iterable[FinishedSpan]) -> str:
    """Return the spans as text, one tree a trace, each in the order of its start; "" for none.

    A span whose parent is not among them is a root: a bot's own span is drawn by the bot's own tools.
    """
    kept = sorted(spans, key=lambda span: (span.start_time or 0, span.end_time or 0))[:MAX_SPANS]
    by_id = {span.context.span_id for span in kept}
    children: dict[int, list[FinishedSpan]] = {}
    roots = []
    for span in kept:
        if span.parent is not None and span.parent.span_id in by_id:
            children.setdefault(span.parent.span_id, []).append(span)
        else:
            roots.append(span)
    lines: list[str] = []
    for root in roots:
        lines.append(f"trace {root.context.trace_id:032x}")
        _draw(root, children, "", True, lines)
    return "\n".join(lines)


def _draw(
    span: FinishedSpan, children: Mapping[int, list[FinishedSpan]], indent: str, last: bool, lines: list[str]
) -> None:
    below = children.get(span.context.span_id, [])
    lines.append(f"{indent + ('└─ ' if last else '├─ ') + span.name:<{NAME_COLUMNS}} {_took(span):>9}  {_result(span)}")
    indent += "   " if last else "│  "
    stem = "│  " if below else "   "
    lines.extend(f"{indent}{stem}{fact}" for fact in _facts(span))
    for number, child in enumerate(below, 1):
        _draw(child, children, indent, number == len(below), lines)


def _took(span: FinishedSpan) -> str:
    if span.start_time is None or span.end_time is None:
        return ""
    ns = span.end_time - span.start_time
    return f"{ns / 1e6:,.1f} ms" if ns >= 1_000_000 else f"{ns / 1e3:,.0f} us"


def _result(span: FinishedSpan) -> str:
    said = span.attributes or {}
    order = " ".join(grouped(said[name]) for name in _ORDER if name in said)
    if names.PRICE in said:
        order += f" @ {grouped(said[names.PRICE])}"
    result = said.get(names.OUTCOME) or said.get(names.ORDER_STATE) or ""
    return f"{str(result).upper():<6} {order}".rstrip()


def _facts(span: FinishedSpan) -> list[str]:
    said = span.attributes or {}
    facts = []
    if names.REASON_CODE in said:
        facts.append(f"{said[names.REASON_CODE]}  {said.get(names.REASON_MESSAGE, '')}".rstrip())
        seen = f"check {said.get(names.CHECK_ID, '')}"
        if names.CHECK_OBSERVED in said and names.CHECK_LIMIT in said:
            unit = f" {said[names.CHECK_UNIT]}" if names.CHECK_UNIT in said else ""
            seen += f": observed {grouped(said[names.CHECK_OBSERVED])} of {grouped(said[names.CHECK_LIMIT])}{unit}"
        failed = said.get(names.FAILED_CHECKS, ())
        facts.append(seen + (f"; also {', '.join(failed[1:])}" if len(failed) > 1 else ""))
    if names.ERROR_TYPE in said:
        facts.append(f"error.type {said[names.ERROR_TYPE]}")
    if names.ORDER_STATE in said:
        facts.append(_sent(said))
    elif names.POLICY_ID in said:
        facts.extend(_wide([f"{word} {_joined(said, name, more)}" for word, name, more in _FACTS if name in said]))
    facts.extend(
        f"link to span {link.context.span_id:016x} of trace {link.context.trace_id:032x}" for link in span.links or ()
    )
    return facts


def _sent(said: Mapping[str, Any]) -> str:
    parts = [str(said.get(names.STATUS, ""))]
    if names.ORDER_ID in said:
        parts.append(f"order id {said[names.ORDER_ID]}")
    if names.CLIENT_ID in said:
        parts.append(f"client order id {said[names.CLIENT_ID]}")
    if names.FILLED in said:
        parts.append(f"filled {grouped(said[names.FILLED])}")
    if names.REJECT_REASON in said:
        parts.append(str(said[names.REJECT_REASON]))
    return ", ".join(parts)


def _joined(said: Mapping[str, Any], name: str, more: str | None) -> str:
    if more is None or more not in said:
        return str(said[name])
    return f"{said[name]}{' ' if name == names.POLICY_ID else '/'}{said[more]}"


def _wide(facts: list[str]) -> list[str]:
    """Put the facts on lines of two or three, so that a tree stays inside 100 columns."""
    return [" · ".join(facts[start : start + 3]) for start in range(0, len(facts), 3)]
