"""Part 4: the spans of one denied and one sent order, kept in memory while the demo ran, drawn as trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from policykit.telemetry import names, shared
from policykit.telemetry.setup import Collector, configure
from policykit.telemetry.tree import render_tree


class Recorder:
    """Keep the spans of the run, as an application's own OpenTelemetry set-up would export them."""

    def __init__(self) -> None:
        self._collector = Collector()
        configure(processors=(self._collector,), install=True)

    def spans(self) -> list[Any]:
        """Return what was recorded so far."""
        shared().flush()
        return list(self._collector.spans)


def show_trace(recorder: Recorder, say: Callable[[str], None]) -> str | None:
    """Print one tree of each; return what was not there."""
    spans = recorder.spans()
    denied = next((s for s in spans if _said(s, names.OUTCOME) == "deny" and _said(s, names.SYMBOL)), None)
    sent = next((s for s in spans if s.parent is not None and s.name.startswith("policykit.send")), None)
    if denied is None or sent is None:
        return "no denied order was traced" if denied is None else "no sent order was traced"
    for span in (denied, sent):
        trace = span.context.trace_id
        say(render_tree([s for s in spans if s.context.trace_id == trace]))
    return None


def _said(span: Any, name: str) -> Any:
    return (span.attributes or {}).get(name)
