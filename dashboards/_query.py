"""PromQL of our own metrics: names, labels and the reader's choices come from names.py, never from a typed text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

METRICS: Final = {metric.name: metric for metric in (*names.METRICS, *names.EXPORTED)}
#: What a reader chooses at the top of a dashboard, by the attribute that it filters; a metric without it stays whole.
CHOICES: Final = {
    names.ACCOUNT: "account",
    names.BOT: "bot",
    names.POLICY_ID: "policy",
    names.ENVIRONMENT: "environment",
}
#: The job that `policykit exporter` is scraped as (prometheus.yaml): chosen at the top where it is there.
EXPORTER: Final = "policykit-exporter"
#: What only bots tell.
BOTS_ONLY: Final = frozenset(
    (
        names.M_DURATION,
        names.M_WRITE,
        names.M_PENDING,
        names.M_STREAM_GAP,
        names.M_SHADOW,
        names.M_DROPPED,
        names.M_FAILURES,
    )
)
#: What one source only tells.
ONE_SOURCE: Final = BOTS_ONLY | {metric.name for metric in names.EXPORTED}
#: Shown whatever source is chosen: that, and what each process tells of itself. All else both tell, and would add up.
UNFILTERED: Final = ONE_SOURCE | {names.M_MESSAGES_LOST}
#: Decisions that count: a drill's are for show, in shadow mode none acted.
ACTED: Final = {names.MODE: "enforce", names.DRILL: "!=true"}
DENIED: Final = ACTED | {names.OUTCOME: "deny"}
#: The window of a rate: four scrapes at least, however short the range that is shown.
RATE: Final = "$__rate_interval"
#: Everything that the dashboard shows, for a single figure of it.
RANGE: Final = "$__range"


class Query(NamedTuple):
    """One query of a panel; `legend` names its series, `instant` asks for the last value only."""

    expr: str
    legend: str = ""
    instant: bool = False


def name(metric: str) -> str:
    """Return a metric's name in Prometheus. Raise KeyError for one that is not sent."""
    return prometheus_name(METRICS[metric])


def series(metric: str, where: Mapping[str, str] | None = None, *, part: str = "") -> str:
    """Return the selector of a metric: the reader's choices, and `where` (an attribute: `=x`, `!=x`, `=~x`, `!~x`).

    `part` is `_bucket`, `_sum` or `_count` of a histogram. Raise KeyError for a label that the metric does not have.
    """
    known = METRICS[metric].attributes
    matchers = [] if metric in UNFILTERED else ['job=~"$job"']
    matchers += [f'{prometheus_label(each)}=~"${choice}"' for each, choice in CHOICES.items() if each in known]
    for attribute, said in (where or {}).items():
        if attribute not in known:
            raise KeyError(f"{metric} has no attribute {attribute}")
        sign = said[:2] if said[:2] in ("!=", "=~", "!~") else "="
        matchers.append(f'{prometheus_label(attribute)}{sign}"{said.removeprefix(sign)}"')
    return f"{name(metric)}{part}" + (f"{{{', '.join(matchers)}}}" if matchers else "")


def by(metric: str, *attributes: str) -> str:
    """Return ` by (labels) `, nothing for none. Raise KeyError for a label that the metric does not have."""
    strange = [each for each in attributes if each not in METRICS[metric].attributes]
    if strange:
        raise KeyError(f"{metric} has no attribute {', '.join(strange)}")
    return f" by ({', '.join(prometheus_label(each) for each in attributes)}) " if attributes else ""


def per_minute(metric: str, *attributes: str, where: Mapping[str, str] | None = None) -> str:
    """Return how often a counter moved a minute, summed over everything but `attributes`."""
    return f"60 * sum{by(metric, *attributes)}(rate({series(metric, where)}[{RATE}]))"


def grown(metric: str, *attributes: str, where: Mapping[str, str] | None = None) -> str:
    """Return how much a counter grew in the range that is shown."""
    return f"sum{by(metric, *attributes)}(increase({series(metric, where)}[{RANGE}]))"


def worst(metric: str, *attributes: str, where: Mapping[str, str] | None = None) -> str:
    """Return the largest value of a gauge for each of `attributes`: two sources of one figure do not add up."""
    return f"max{by(metric, *attributes)}({series(metric, where)})"


def least(metric: str, *attributes: str) -> str:
    """Return the smallest value of a gauge for each of `attributes`: of two limits the one that binds."""
    return f"min{by(metric, *attributes)}({series(metric)})"


def quantile(share: float, metric: str, *attributes: str, where: Mapping[str, str] | None = None) -> str:
    """Return a quantile of a histogram."""
    labels = ", ".join(["le", *(prometheus_label(each) for each in attributes)])
    by(metric, *attributes)
    return f"histogram_quantile({share}, sum by ({labels}) (rate({series(metric, where, part='_bucket')}[{RATE}])))"


def legend(*attributes: str) -> str:
    """Return a legend of labels: `{{policykit_bot}}`."""
    return " ".join(f"{{{{{prometheus_label(each)}}}}}" for each in attributes)


def each(pairs: Sequence[tuple[float, str]], metric: str, *attributes: str) -> list[Query]:
    """Return a query for each quantile, with its name in the legend."""
    rest = f" {legend(*attributes)}" if attributes else ""
    return [Query(quantile(share, metric, *attributes), f"{said}{rest}") for share, said in pairs]
