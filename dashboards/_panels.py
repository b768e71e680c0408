"""The few kinds of panels that the dashboards are made of, each with one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, tempo, timeseries
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models import dashboard as parts
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards._query import Query
from policykit.telemetry.prometheus import prometheus_label

PROMETHEUS: Final = parts.DataSourceRef(type_val="prometheus", uid="${datasource}")
TEMPO: Final = parts.DataSourceRef(type_val="tempo", uid="${traces}")
#: Blue and orange are told apart by everybody; red is kept for what somebody must do.
GOOD, WARN, BAD, CALM = "green", "orange", "red", "blue"
#: The whole width of a dashboard.
FULL: Final = 24
#: The most spans that a table shows.
SPANS: Final = 100
Steps = Sequence[tuple[float, str]]
Panel = Any


def _thresholds(steps: Steps, base: str) -> dashboard.ThresholdsConfig:
    first = parts.Threshold(value=None, color=base)
    return (
        dashboard.ThresholdsConfig()
        .mode(parts.ThresholdsMode.ABSOLUTE)
        .steps([first, *(parts.Threshold(value=value, color=color) for value, color in steps)])
    )


class _Spans(tempo.TempoQuery):
    """A TraceQL query that asks for a row for each span; the builder cannot say so."""

    def build(self) -> Any:
        """Return the query, with its table's type."""
        made = super().build()
        plain = made.to_json
        made.to_json = lambda: plain() | {"tableType": "spans"}  # type: ignore[method-assign]
        return made


def _asked(panel: Panel, queries: Sequence[Query], *, exemplars: bool = False) -> Panel:
    for number, query in enumerate(queries):
        made = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(PROMETHEUS)
        made = made.legend_format(query.legend) if query.legend else made
        made = made.exemplar(True) if exemplars else made
        panel = panel.with_target(made.instant() if query.instant else made.range())
    return panel.datasource(PROMETHEUS)


def lines(
    title: str,
    why: str,
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    limit: str | None = None,
    colors: Mapping[str, str] | None = None,
    links: Sequence[dashboard.DashboardLink] = (),
    most: float | None = None,
    exemplars: bool = False,
    signed: bool = False,
) -> Panel:
    """Return a panel of figures over time. `limit` is the letter of the query that is a limit: drawn red and dashed."""
    panel = timeseries.Panel().title(title).description(why).unit(unit).span(width).height(8)
    panel = panel if signed else panel.min(0)
    panel = panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .placement(models.LegendPlacement.BOTTOM)
        .display_mode(models.LegendDisplayMode.LIST)
    ).tooltip(common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI).sort(models.SortOrder.DESCENDING))
    panel = panel.line_width(1).fill_opacity(60 if stacked else 8).show_points(models.VisibilityMode.NEVER)
    if stacked:
        panel = panel.draw_style(models.GraphDrawStyle.BARS).stacking(
            common.StackingConfig().mode(models.StackingMode.NORMAL)
        )
    if most is not None:
        panel = panel.max(most)
    if limit is not None:
        dashed = {"fill": "dash", "dash": [10, 6]}
        panel = panel.override_by_query(
            limit,
            [
                parts.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": BAD}),
                parts.DynamicConfigValue("custom.lineStyle", dashed),
                parts.DynamicConfigValue("custom.fillOpacity", 0),
            ],
        )
    for said, color in (colors or {}).items():
        fixed = parts.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel = panel.override_by_name(said, [fixed])
    if links:
        panel = panel.data_links(list(links))
    return _asked(panel, queries, exemplars=exemplars)


def figure(
    title: str,
    why: str,
    query: Query,
    *,
    unit: str = "short",
    width: int = 4,
    steps: Steps = (),
    base: str = GOOD,
    words: Mapping[str, str] | None = None,
) -> Panel:
    """Return a panel of one figure, or one for each series. `words` are shown in place of values."""
    panel = (
        stat.Panel()
        .title(title)
        .description(why)
        .unit(unit)
        .span(width)
        .height(5)
        .graph_mode(models.BigValueGraphMode.NONE)
        .color_mode(models.BigValueColorMode.BACKGROUND if steps else models.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_thresholds(steps, base))
        .no_value("unknown")
    )
    if words:
        shown = {value: parts.ValueMappingResult(text=said) for value, said in words.items()}
        panel = panel.mappings([parts.ValueMap(options=shown)])
    return _asked(panel, [query._replace(instant=True)])


def bars(title: str, why: str, query: Query, *, steps: Steps, unit: str = "percentunit", width: int = 12) -> Panel:
    """Return a panel with a bar for each series, of what is whole at 1."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(why)
        .unit(unit)
        .min(0)
        .max(1)
        .span(width)
        .height(8)
        .orientation(models.VizOrientation.HORIZONTAL)
        .display_mode(models.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_thresholds(steps, CALM))
        .no_value("unknown")
    )
    return _asked(panel, [query._replace(instant=True)])


def rows(
    title: str,
    why: str,
    query: Query,
    columns: Mapping[str, str],
    *,
    value: str | None = None,
    unit: str = "short",
    width: int = 12,
) -> Panel:
    """Return a table with a row for each series: `columns` are attributes and their headings, `value` the figure's."""
    shown = {prometheus_label(attribute): heading for attribute, heading in columns.items()}
    hidden = {"Time": True} | ({"Value": True} if value is None else {})
    order = {label: number for number, label in enumerate([*shown, "Value"])}
    renamed = shown | ({} if value is None else {"Value": value})
    panel = table.Panel().title(title).description(why).span(width).height(8)
    panel = panel.with_transformation(
        parts.DataTransformerConfig(
            id_val="organize", options={"excludeByName": hidden, "indexByName": order, "renameByName": renamed}
        )
    )
    if value is not None:
        panel = panel.override_by_name(value, [parts.DynamicConfigValue("unit", unit)])
    made = prometheus.Dataquery().expr(query.expr).ref_id("A").datasource(PROMETHEUS)
    return panel.with_target(made.format(PromQueryFormat.TABLE).instant()).datasource(PROMETHEUS)


def spans(title: str, why: str, traceql: str, *, width: int = FULL, links: Mapping[str, str] | None = None) -> Panel:
    """Return a table of the spans that a TraceQL query finds; each links to its trace, `links` are columns' own."""
    panel = table.Panel().title(title).description(why).span(width).height(10)
    for column, url in (links or {}).items():
        there = [{"title": "Open in policykit dashboard", "url": url, "targetBlank": True}]
        panel = panel.override_by_name(column, [parts.DynamicConfigValue("links", there)])
    asked = _Spans().ref_id("A").query_type("traceql").query(traceql).limit(SPANS).datasource(TEMPO)
    return panel.with_target(asked).datasource(TEMPO)


def to_traces(title: str, traceql: str) -> dashboard.DashboardLink:
    """Return a link from a panel to Explore with a TraceQL query; `${...}` in it is Grafana's to fill."""
    query = traceql.replace("\\", "\\\\").replace('"', '\\"')
    pane = (
        '{"policykit":{"datasource":"${traces}","queries":[{"refId":"A","queryType":"traceql","tableType":"spans",'
        f'"query":"{query}"}}],"range":{{"from":"${{__from}}","to":"${{__to}}"}}}}}}'
    )
    return dashboard.DashboardLink(title).url(f"/explore?schemaVersion=1&panes={quote(pane, safe='${}')}")


def to_order() -> str:
    """Return the address of an order on the local page; the cell's own value is the decision's id."""
    return "${page}/order/${__value.raw}"
