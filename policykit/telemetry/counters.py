"""Metrics as plain numbers: a decision adds one to an int (0.2 us), a reader collects them when it likes.

`counter.add` of the SDK costs about 6 us a call, an observable instrument over our own ints nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from policykit.telemetry import names

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

#: Different label sets of one metric at most; more are counted together under no labels.
MAX_SERIES: Final = 2_000
Key = tuple[str, str, str, str, str, str]
_KEY: Final = (names.OUTCOME, names.REASON_CODE, names.CHECK_ID, names.ACTION, names.MODE, names.STAGE)
_REST: Final[Key] = ("", "", "", "", "", "")
Labels = tuple[tuple[str, str], ...]


class Counters:
    """The numbers of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decisions: dict[Key, list[int]] = {}
        self._allowed: dict[tuple[str, str, str], list[int]] = {}
        self.gauges: dict[str, dict[Labels, float]] = {}
        #: What each owner told last.
        self._told: dict[str, set[tuple[str, Labels]]] = {}
        self._totals: dict[str, Callable[[], int]] = {}
        #: Durations, by the metric's name; empty until `bind`.
        self.histograms: dict[str, Histogram] = {}
        #: True once somebody reads metrics: durations are worth recording only then.
        self.read = False

    def allowed(self, action: str, mode: str, stage: str) -> None:
        """Count one decision that allowed."""
        cell = self._allowed.get((action, mode, stage))
        if cell is None:
            cell = self._allowed[(action, mode, stage)] = self._cell(("allow", "", "", action, mode, stage))
        with self._lock:
            cell[0] += 1

    def decided(self, key: Key) -> None:
        """Count one decision."""
        cell = self._cell(key)
        with self._lock:
            cell[0] += 1

    def _cell(self, key: Key) -> list[int]:
        with self._lock:
            if key not in self._decisions and len(self._decisions) >= MAX_SERIES:
                key = _REST
            return self._decisions.setdefault(key, [0])

    def gauge(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""
        with self._lock:
            self._set(name, value, tuple(sorted(labels.items())))

    def tell(self, owner: str, samples: Iterable[tuple[str, float, Mapping[str, str]]]) -> None:
        """Set all gauges of an owner: what it told before and tells no more is gone, a halt that is lifted is 0."""
        told = {(name, tuple(sorted(labels.items()))): value for name, value, labels in samples}
        with self._lock:
            for name, key in self._told.get(owner, set()) - told.keys():
                if name == names.M_KILL:
                    told[(name, key)] = 0
                else:
                    self.gauges[name].pop(key, None)
            for (name, key), value in told.items():
                self._set(name, value, key)
            self._told[owner] = set(told)

    def _set(self, name: str, value: float, key: Labels) -> None:
        series = self.gauges.setdefault(name, {})
        if key in series or len(series) < MAX_SERIES:
            series[key] = value

    def total(self, name: str, read: Callable[[], int]) -> None:
        """Have a counter read from elsewhere."""
        self._totals[name] = read

    def bind(self, meter: Meter) -> None:
        """Make the instruments; a proxy's meter binds them when a real provider is set."""
        for metric in names.METRICS:
            if metric.instrument == "histogram":
                self.histograms[metric.name] = meter.create_histogram(
                    metric.name,
                    metric.unit,
                    metric.meaning,
                    explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS,
                )
            elif metric.instrument == "counter":
                meter.create_observable_counter(metric.name, [self._reader(metric.name)], metric.unit, metric.meaning)
            else:
                meter.create_observable_gauge(metric.name, [self._reader(metric.name)], metric.unit, metric.meaning)

    def _reader(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        from opentelemetry.metrics import Observation

        def read(_: CallbackOptions) -> Iterable[Observation]:
            self.read = True
            return [Observation(value, labels) for value, labels in self.series(name)]

        return read

    def series(self, name: str) -> list[tuple[float, dict[str, Any]]]:
        """Return every value of one metric with its labels, in a fixed order."""
        with self._lock:
            if name == names.M_DECISIONS:
                decided = sorted((key, cell[0]) for key, cell in self._decisions.items())
                return [(n, {k: v for k, v in zip(_KEY, key, strict=True) if v}) for key, n in decided]
            if name in self._totals:
                return [(self._totals[name](), {})]
            return [(value, dict(labels)) for labels, value in sorted(self.gauges.get(name, {}).items())]
