"""The SDK's generator of ids, without its fault: ids that neither `random` nor a seed of it decides.

The SDK's own draws them from `random` (opentelemetry.sdk.trace.id_generator, 1.45), so a bot that seeds it gets the
same trace ids in every run. A provider of the bot's own has this one by `TracerProvider(id_generator=SpanIds())`, a bot
under `opentelemetry-instrument` by `OTEL_PYTHON_ID_GENERATOR=policykit`; POLICYKIT_OTLP sets it by itself.
"""

from __future__ import annotations

import os
import threading

from opentelemetry.sdk.trace.id_generator import IdGenerator

from policykit.telemetry import ids


class SpanIds(IdGenerator):
    """Ids from the operating system; those of a decision's spans follow from its id (ids.py)."""

    def __init__(self) -> None:
        self._meant = threading.local()

    def meant(self, decision_id: str | None, which: ids.Which = "decide") -> None:
        """Say that this thread starts the span of a decision next; None: any other again."""
        self._meant.of = None if decision_id is None else ids.ids_of(decision_id, which)

    def generate_span_id(self) -> int:
        """Return the id of a span that starts."""
        of = getattr(self._meant, "of", None)
        return int.from_bytes(os.urandom(8) if of is None else of[1], "big") or 1

    def generate_trace_id(self) -> int:
        """Return the id of a trace that starts."""
        of = getattr(self._meant, "of", None)
        return int.from_bytes(os.urandom(16) if of is None else of[0], "big") or 1
