"""One span per decision, one per send, and the numbers and log events beside them.

The record is the journal; this is a view of it. Nothing here raises into the order path or delays it: a decision
adds one to an int and, where somebody set up OpenTelemetry, appends to a queue (relay.py) from which the span is
made. Only `opentelemetry-api` is used; without a provider no attribute is built.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.decision import Decision
from policykit.orders.intent import Intent
from policykit.telemetry import attributes, events, names, setup
from policykit.telemetry.attributes import AttributeValue, Scope
from policykit.telemetry.counters import Counters
from policykit.telemetry.ids import Which
from policykit.telemetry.relay import Relay

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Link, Span, SpanContext, Tracer, TracerProvider

    from policykit.telemetry.span_ids import SpanIds

#: Decisions whose span can still be linked to or be a parent.
MAX_REMEMBERED: Final = 4_096
#: Halts whose span a denial links to.
MAX_HALTS: Final = 64


class _Known(NamedTuple):
    """What is kept of a decision for the spans that refer to it: its span, that of the first one it stems from."""

    context: SpanContext
    first: SpanContext
    client_order_id: str | None
    decision: Decision


class Telemetry:
    """Spans, metrics and log events of one process. Thread-safe; no method raises or waits.

    Without arguments it uses OpenTelemetry's global providers, whenever they are set. `deferred=False` makes spans
    on the caller's thread (tests). `now_ns` is UTC nanoseconds.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        relay: Relay | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        from opentelemetry import context, metrics, trace

        from policykit import __version__

        self._trace = trace
        self._current: Callable[[], Context] = context.get_current
        self._now_ns = now_ns
        self.relay = relay or Relay()
        self.counters = Counters()
        self._version = __version__
        self._tracer: Tracer | None = None
        #: The provider's ids, where they follow from the decision's.
        self._ids: SpanIds | None = None
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._halts: dict[str, SpanContext | str] = {}
        if tracer_provider is not None:
            self._take(tracer_provider)
        elif "OTEL_PYTHON_TRACER_PROVIDER" in os.environ:
            trace.get_tracer_provider()  # loads and sets the provider that the variable names
        self.counters.total(names.M_DROPPED, lambda: self.relay.dropped + setup.lost())
        self.counters.total(names.M_FAILURES, lambda: self.relay.failures)
        self._lost: list[Callable[[], int]] = []
        self.counters.total(names.M_MESSAGES_LOST, lambda: sum(lost() for lost in self._lost))
        provider = meter_provider or metrics.get_meter_provider()
        self.counters.read = type(provider).__module__.startswith("opentelemetry.sdk")
        self.counters.bind(provider.get_meter(names.SCOPE, self._version))

    # --- the order path -----------------------------------------------------------------------------------------------

    def caller(self) -> tuple[int, int] | None:
        """Return trace id and span id of the span that is current in the caller; None where there is none.

        Where nobody uses OpenTelemetry there is no context, and this costs 0.1 us.
        """
        try:
            context = self._current()
            if context:
                found = self._trace.get_current_span(context).get_span_context()
                if found.is_valid:
                    return found.trace_id, found.span_id
        except Exception as error:  # noqa: BLE001 - telemetry never raises into the order path
            self.relay.failed(error)
        return None

    def record(self, decision: Decision, scope: Scope, *, duration_ns: int = 0, intent: Intent | None = None) -> None:
        """Make the one span of a decision that is in the journal, count it, and log it when it denied.

        `duration_ns` is what it took; `intent` is given when one was made: its rendered client order id is on the
        span, and a re-send links to the first decision. The parent is the caller's current span.
        """
        # INVARIANT I17: called once a decision, after the journal row; what fails here fails alone.
        try:
            if decision.outcome == "allow":
                self.counters.allowed(decision.action, decision.mode, scope.stage)
                if self._tracer is None and self._find() is None and not self.counters.read:
                    return
            else:
                self.counters.decided(attributes.metric_key(decision, scope.stage))
                if self._tracer is None:
                    self._find()
            self.relay.put(self._decided, decision, scope, intent, self._current(), self._now_ns(), duration_ns)
        except Exception as error:  # noqa: BLE001 - telemetry never raises into the order path
            self.relay.failed(error)

    def sent(self, intent: Intent, scope: Scope, *, duration_ns: int = 0) -> None:
        """Make the span of a send once its outcome is known (or known to be unknown): a child of the decision's."""
        try:
            if (self._tracer or self._find()) is None and intent.state != "unknown":
                return
            self.relay.put(self._was_sent, intent, scope, self._current(), self._now_ns(), duration_ns)
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    # --- what happens seldom ------------------------------------------------------------------------------------------

    def kill_switch(self, scope: str, state: str, by: str, why: str, *, decision_id: str | None = None) -> None:
        """Say that a halt was set (HALTED, REDUCING) or lifted (ACTIVE).

        Denials that it causes link to the span that engaged it: that of `decision_id`, else the current one.
        """
        try:
            self.counters.gauge(names.M_KILL, 0 if state == "ACTIVE" else 1, {names.SCOPE_NAME: scope})
            self.relay.put(self._halted, scope, state, decision_id, self._current())
            said = {names.SCOPE_NAME: scope, names.STATE: state, names.BY: by, names.WHY: attributes.clean(why)}
            message = f"trading is {state} for {scope}, by {by}: {attributes.clean(why)}"
            self._event(names.E_KILL, logging.WARNING, message, said)
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def policy_loaded(self, name: str, version: str, file: str, *, stage: str, mode: str) -> None:
        """Say which policy is in force."""
        labels = {names.POLICY_ID: name, names.POLICY_VERSION: version, names.STAGE: stage, names.MODE: mode}
        try:
            self.counters.tell(f"policy {file}", [(names.M_POLICY, 1, labels)])  # in place of an earlier version
            message = f"policy {name} {version} is in force ({mode}, stage {stage})"
            self._event(names.E_LOADED, logging.INFO, message, {**labels, names.POLICY_FILE: file})
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def stage_changed(self, name: str, version: str, before: str, stage: str) -> None:
        """Say that a policy is in force at another stage than it was."""
        try:
            said = {names.POLICY_ID: name, names.POLICY_VERSION: version, names.STAGE: stage}
            message = f"policy {name} {version} is at stage {stage}; it was at {before}"
            self._event(names.E_STAGE, logging.WARNING, message, said | {names.STAGE_BEFORE: before})
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def policy_rejected(self, file: str, codes: tuple[str, ...]) -> None:
        """Say that a policy cannot be loaded, and which findings keep it from it."""
        try:
            message = f"{file}: the policy cannot be loaded ({', '.join(codes)}); see policykit lint"
            self._event(names.E_REJECTED, logging.ERROR, message, {names.POLICY_FILE: file, names.FINDINGS: codes})
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def dead_man(self, level: int, symbol: str, state: str, why: str) -> None:
        """Say what became of the dead man's switch of a market."""
        try:
            said = {names.SYMBOL: symbol, names.DEAD_MAN: state, names.WHY: attributes.clean(why)}
            self._event(names.E_DEAD_MAN, level, f"the dead man's switch of {symbol}: {attributes.clean(why)}", said)
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def drift(self, account: str, kind: str, key: str, quantity: str, note: str) -> None:
        """Say that an account differs from what it should have, and that nothing explains it."""
        try:
            said = {names.DRIFT_KIND: kind, names.DRIFT_KEY: key, names.DRIFT_QUANTITY: quantity}
            seen = f" ({attributes.clean(note)})" if note else ""
            message = f"{account}: {kind} {key} differs by {quantity}, and nothing explains it{seen}"
            self._event(names.E_DRIFT, logging.WARNING, message, said)
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def gauge(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge of names.METRICS."""
        self.counters.gauge(name, value, labels or {})

    def gauges(self, owner: str, samples: Iterable[tuple[str, float, Mapping[str, str]]]) -> None:
        """Set every gauge that `owner` tells; what it told before and tells no more is gone."""
        self.counters.tell(owner, samples)

    @property
    def read(self) -> bool:
        """Tell whether somebody reads the metrics of this process."""
        return self.counters.read

    def messages(self, lost: Callable[[], int]) -> None:
        """Count the messages to people that `lost` tells nobody got."""
        self._lost.append(lost)

    def wrote(self, took: Iterable[float]) -> None:
        """Count how long writes of the journal took, seconds."""
        try:
            histogram = self.counters.histograms.get(names.M_WRITE) if self.counters.read else None
            for each in took if histogram is not None else ():
                histogram.record(each)  # type: ignore[union-attr]
        except Exception as error:  # noqa: BLE001 - as above
            self.relay.failed(error)

    def flush(self) -> bool:
        """Make every span that waits; exporting is the provider's own matter."""
        return self.relay.flush()

    # --- behind the queue ---------------------------------------------------------------------------------------------

    def _take(self, provider: Any) -> Tracer | None:
        tracer: Tracer = provider.get_tracer(names.SCOPE, self._version)
        if not isinstance(tracer, self._trace.NoOpTracer):
            self._ids = getattr(provider, "id_generator", None)
            if not hasattr(self._ids, "meant"):
                self._ids = None  # not ours: its ids are not known beforehand
            self._tracer = tracer
        return self._tracer

    def _find(self) -> Tracer | None:
        # Read before every span until it is set, so it must cost nothing: the public call takes 0.5 us, this 0.05 us.
        provider = getattr(self._trace, "_TRACER_PROVIDER", self)
        if provider is self:
            provider = self._trace.get_tracer_provider()
            if isinstance(provider, self._trace.ProxyTracerProvider):
                return None
        return None if provider is None else self._take(provider)

    def _decided(
        self, decision: Decision, scope: Scope, intent: Intent | None, context: Context, end_ns: int, duration_ns: int
    ) -> None:
        said = attributes.of_decision(decision, scope, intent)
        try:
            if self._tracer is not None:
                made = self._decision_span(decision, intent, said, (context, end_ns - duration_ns, end_ns))
                context = self._trace.set_span_in_context(self._trace.NonRecordingSpan(made), context)
            if self.counters.read and names.M_DURATION in self.counters.histograms:
                labels = {names.OUTCOME: decision.outcome, names.ACTION: decision.action}
                duration = self.counters.histograms[names.M_DURATION]
                duration.record(duration_ns / 1e9, labels, context)  # its exemplar is this span
        finally:
            if decision.outcome == "deny":
                events.emit(names.E_DENIED, logging.WARNING, _denial(decision), said, end_ns // 1_000_000)

    def _decision_span(
        self,
        decision: Decision,
        intent: Intent | None,
        said: dict[str, AttributeValue],
        when: tuple[Context, int, int],
    ) -> SpanContext:
        context, start_ns, end_ns = when
        before = self._known.get(intent.replaces) if intent is not None and intent.replaces is not None else None
        links: list[Link] = []
        if before is not None:
            links.append(self._trace.Link(before.first))
            if before.client_order_id is not None:
                said[names.ORIGINAL_CLIENT_ID] = before.client_order_id
        if decision.reasons and self._halts and any(r.code.startswith(attributes.HALTED) for r in decision.reasons):
            links.extend(self._trace.Link(halt) for halt in self._engaged().values())
        span = self._made((decision.id, "decide"), decision.action, said, (context, start_ns, end_ns), links)
        made = span.get_span_context()
        client_order_id = intent.client_order_id if intent is not None else None
        known = _Known(made, made if before is None else before.first, client_order_id, decision)
        with self._lock:
            _remember(self._known, decision.id, known, MAX_REMEMBERED)
        return made

    def _was_sent(self, intent: Intent, scope: Scope, context: Context, end_ns: int, duration_ns: int) -> None:
        parent = self._known.get(intent.id)
        said = attributes.of_send(intent, scope, parent.decision if parent is not None else None)
        try:
            if self._tracer is not None:
                if parent is not None:
                    above = self._trace.NonRecordingSpan(parent.context)
                    context = self._trace.set_span_in_context(above, context)
                self._made((intent.id, "send"), intent.order.action, said, (context, end_ns - duration_ns, end_ns), ())
        finally:
            if intent.state == "unknown":
                message = (
                    f"the outcome of order {intent.client_order_id} is unknown "
                    f"({attributes.clean(intent.error or 'no answer')}); its reservation is kept"
                )
                events.emit(names.E_UNKNOWN, logging.ERROR, message, said, end_ns // 1_000_000)

    def _made(
        self,
        of: tuple[str, Which],
        action: str,
        said: dict[str, AttributeValue],
        when: tuple[Context, int, int],
        links: Sequence[Link],
    ) -> Span:
        """Start a span and end it: none is ever current. `of` is the decision, and which span of it this is."""
        assert self._tracer is not None
        context, start_ns, end_ns = when
        kinds = self._trace.SpanKind
        what, kind = (names.DECIDE, kinds.INTERNAL) if of[1] == "decide" else (names.SEND, kinds.CLIENT)
        if self._ids is not None:
            self._ids.meant(*of)
        try:
            span = self._tracer.start_span(f"{what} {action}", context, kind, said, links, start_ns)
        finally:
            if self._ids is not None:
                self._ids.meant(None)
        if names.ERROR_TYPE in said:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))
        span.end(end_ns)
        return span

    def _halted(self, scope: str, state: str, decision_id: str | None, context: Context) -> None:
        found = self._trace.get_current_span(context).get_span_context()
        with self._lock:
            self._halts.pop(scope, None)
            if state != "ACTIVE" and (decision_id is not None or found.is_valid):
                _remember(self._halts, scope, decision_id or found, MAX_HALTS)

    def _engaged(self) -> dict[int, SpanContext]:
        """Return the spans that engaged the halts in force; that of a decision may have been made after the halt."""
        out = {}
        for halt in list(self._halts.values()):
            known = self._known.get(halt) if isinstance(halt, str) else None
            found = known.context if known is not None else halt
            if not isinstance(found, str):
                out[found.span_id] = found
        return out

    def _event(self, event: str, level: int, message: str, said: Mapping[str, AttributeValue]) -> None:
        self.relay.put(events.emit, event, level, message, said, self._now_ns() // 1_000_000)


def _remember(kept: dict[str, Any], key: str, value: Any, limit: int) -> None:
    if len(kept) >= limit:
        del kept[next(iter(kept))]
    kept[key] = value


def _denial(decision: Decision) -> str:
    first = f": {attributes.clean(decision.reasons[0].message)}" if decision.reasons else ""
    more = f" (and {len(decision.reasons) - 1} more)" if len(decision.reasons) > 1 else ""
    shadow = "would be denied (shadow)" if decision.mode == "shadow" else "denied"
    return f"{decision.action} {shadow}{first}{more}; decision {decision.id}"


_shared: Telemetry | None = None
_shared_lock = threading.Lock()


def shared() -> Telemetry:
    """Return the telemetry of this process: one queue and one set of instruments, however many guards it has.

    The first call does what POLICYKIT_LOG and POLICYKIT_OTLP ask for; what cannot be done is a warning.
    """
    global _shared  # noqa: PLW0603 - one a process is the point
    with _shared_lock:
        if _shared is None:
            for prepare in (events.configure, setup.configure_from_environment):
                try:
                    prepare()
                except (ValueError, RuntimeError) as error:
                    warnings.warn(f"policykit: {error}", RuntimeWarning, stacklevel=2)
            _shared = Telemetry()
        return _shared
