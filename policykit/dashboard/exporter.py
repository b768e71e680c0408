"""`policykit exporter`: /metrics for Prometheus and /healthz for whoever restarts services, of one host.

A process of its own that reads store and journal, so a bot that died is seen: its last heartbeat stays. What is not
known is absent, never 0, and said by policykit_exporter_up. An answer is made of what is at hand and waits for nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policykit.dashboard.background import own_host
from policykit.dashboard.guarding import Guarding
from policykit.dashboard.intake import longest
from policykit.dashboard.queries import Delay, Newest, Total
from policykit.dashboard.sources import JournalSource, JournalView, Known, Source, StoreSource, watch
from policykit.guard.measures import Sample
from policykit.telemetry import names
from policykit.telemetry.attributes import clean
from policykit.telemetry.ids import ids_of
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family
    from prometheus_client.samples import Exemplar

#: A source that was read so lately counts as read: two rounds may fail.
LATE_S: Final = 10.0
#: For so long the gauges of a store that cannot be read are told as they were. Then they are absent: an age that does
#: not grow, or a loss that does not, would say that all is well.
KEEP_S: Final = 30.0
#: What stays true: a heartbeat grows old by itself, and a halt is not lifted by a store that is gone.
_STAY: Final = (names.M_HEARTBEAT, names.M_KILL)
#: Rows that may be uncounted while all is well.
MAX_BEHIND: Final = 1_000
_METRICS: Final = {metric.name: metric for metric in (*names.METRICS, *names.EXPORTED)}
_DECISION: Final = (
    names.OUTCOME,
    names.REASON_CODE,
    names.CHECK_ID,
    names.ACTION,
    names.MODE,
    names.STAGE,
)
_FOREVER: Final = float("inf")
_DELAYS: Final = {"decided_to_sent": names.M_TO_SENT, "sent_to_answered": names.M_TO_ANSWER}


class Exporter:
    """What /metrics and /healthz answer from: two sources, each read in the background once `start` was called."""

    def __init__(self, uri: str | None, host: str) -> None:
        self._journal, self._store = JournalSource(uri), StoreSource(uri, host)
        self.journal: Source[JournalView] = Source("journal", self._journal.read)
        self.store: Source[list[Sample]] = Source("store", self._store.read)
        self._stop = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()

    def start(self) -> None:
        """Begin to read."""
        self._threads = (
            watch(self.journal, self._stop, lambda view: view.behind > 0 and view.health.problem is None),
            watch(self.store, self._stop),
        )

    def stop(self) -> None:
        """End reading; what hangs is left behind."""
        self._stop.set()
        for thread in self._threads:
            thread.join(1.0)
        if not any(thread.is_alive() for thread in self._threads):
            self._journal.close()
            self._store.close()

    def health(self) -> dict[str, Any]:
        """Return what /healthz says, version 1: `problems` is empty while all is well."""
        journal, store = self.journal.known(), self.store.known()
        problems = [f"{source.name}: {why}" for source in (self.journal, self.store) if (why := _late(source.known()))]
        view = journal.value
        if view is not None:
            if view.health.problem is not None:
                problems.append(f"journal: {view.health.problem}")
            if view.behind > MAX_BEHIND:
                problems.append(f"journal: {view.done:,} of {view.end:,} rows are counted")
        return {
            "version": 1,
            "healthy": not problems,
            "problems": [clean(problem) for problem in problems],
            "journal": {
                "age_s": _seconds(journal),
                "rows": None if view is None else view.end,
                "behind": None if view is None else view.behind,
                "in_memory": None if view is None else view.health.in_memory,
            },
            "store": {"age_s": _seconds(store)},
        }

    def collect(self) -> Iterator[Family]:
        """Yield every family that is known now, for prometheus-client."""
        journal, store = self.journal.known(), self.store.known()
        yield from _of_sources({"journal": journal, "store": store})
        if journal.value is not None:
            yield from _of_journal(journal.value)
        if store.value is not None:
            stale = (store.age_s or 0) > KEEP_S
            yield from _gauges(sample for sample in store.value if not stale or sample.name in _STAY)


def _late(known: Known[Any]) -> str | None:
    """Say why a source does not count as read; None: it does."""
    if known.age_s is None:
        return known.problem
    if known.age_s > LATE_S:
        return f"{known.problem or 'does not answer'}; last read {known.age_s:.0f} s ago"
    return None


def _seconds(known: Known[Any]) -> float | None:
    return None if known.age_s is None else round(known.age_s, 1)


def _of_sources(sources: Mapping[str, Known[Any]]) -> Iterator[Family]:
    up, age = _family(names.M_UP), _family(names.M_STALE)
    for name, known in sources.items():
        labels = {prometheus_label(names.SOURCE): name}
        broken = isinstance(known.value, JournalView) and known.value.health.problem is not None
        _add(up, names.M_UP, labels, 0 if broken or _late(known) else 1)
        if known.age_s is not None:
            _add(age, names.M_STALE, labels, known.age_s)
    yield from (up, age)


def _of_journal(view: JournalView) -> Iterator[Family]:
    behind, unread = _family(names.M_BEHIND), _family(names.M_UNREAD)
    _add(behind, names.M_BEHIND, {}, view.behind)
    _add(unread, names.M_UNREAD, {}, view.health.strange + view.health.missed)
    yield from (behind, unread)
    if view.behind > MAX_BEHIND:
        return  # while years of rows are counted, a rate would say that they are being decided now
    decisions = _family(names.M_DECISIONS)
    last = {one.total[:-1]: _exemplar(one) for one in view.newest}
    name = prometheus_name(_METRICS[names.M_DECISIONS])
    for total in view.totals:
        labels, exemplar = _labels(_decided(total)), last.get(total[:-1])
        decisions.add_sample(name, labels, total.decisions, exemplar=exemplar)
    yield decisions
    yield from map(_histogram, view.delays)


def _exemplar(one: Newest) -> Exemplar:
    """Name the newest decision's span, live or rebuilt from the journal: both have these ids."""
    from prometheus_client.samples import Exemplar

    trace, span = ids_of(one.ident)
    labels = {"trace_id": one.trace or trace.hex(), "span_id": span.hex()}
    return Exemplar(labels, 1, one.at_ms / 1000)


def _decided(total: Total) -> dict[str, str]:
    labels = dict(zip(_DECISION, map(str, total), strict=False))
    if total.drill:
        labels[names.DRILL] = "true"
    if total.sandbox:
        labels[names.ENVIRONMENT] = "sandbox"
    return labels


def _histogram(delay: Delay) -> Family:

    name = _DELAYS[delay.kind]
    family, base = _family(name), prometheus_name(_METRICS[name])
    for bound in (*names.DELAY_BUCKETS, _FOREVER):
        count = sum(n for low, n in delay.counts.items() if longest(low) <= bound * 1000)
        family.add_sample(f"{base}_bucket", {"le": "+Inf" if bound == _FOREVER else str(bound)}, count)
    family.add_sample(f"{base}_count", {}, sum(delay.counts.values()))
    family.add_sample(f"{base}_sum", {}, delay.sum_ms / 1000)
    return family


def _gauges(samples: Iterable[Sample]) -> Iterator[Family]:
    families: dict[str, Family] = {}
    for sample in samples:
        family = families.get(sample.name) or families.setdefault(sample.name, _family(sample.name))
        _add(family, sample.name, _labels(sample.labels), sample.value)
    yield from families.values()


def _family(name: str) -> Family:
    from prometheus_client.core import Metric

    metric = _METRICS[name]
    return Metric(prometheus_name(metric).removesuffix("_total"), metric.meaning, metric.instrument)


def _add(family: Family, name: str, labels: dict[str, str], value: float) -> None:
    family.add_sample(prometheus_name(_METRICS[name]), labels, value)


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels as Prometheus has them: no secret, and an empty one is none."""
    return {prometheus_label(name): clean(str(value)) for name, value in labels.items() if value}


def application(exporter: Exporter, port: int, names: Iterable[str] = ()) -> Guarding:
    """Return the web application; `names` are those that it may be asked by, beside addresses and localhost."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    registry = CollectorRegistry(auto_describe=False)
    registry.register(exporter)
    known = tuple(names)

    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": kind})

    def healthz(_: Request) -> Response:
        said = exporter.health()
        return JSONResponse(said, 200 if said["healthy"] else 503)

    def front(_: Request) -> Response:
        return PlainTextResponse("policykit exporter: /metrics for Prometheus, /healthz for monitors\n")

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/", front)]
    return Guarding(Starlette(routes=routes), port, lambda host: own_host(host, known))
