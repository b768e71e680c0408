"""What all dashboards have in common: the reader's choices, links, the marks of halts, rows of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as parts

from dashboards._panels import BAD, PROMETHEUS
from dashboards._query import EXPORTER, name, series
from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label

#: Where `policykit dashboard` listens unless it is told otherwise.
PAGE: Final = "http://127.0.0.1:8770"
TAG: Final = "policykit"


class Row(NamedTuple):
    """Panels under a heading."""

    title: str
    panels: Sequence[Any]


class Board(NamedTuple):
    """One dashboard: its file is `grafana/{slug}.json`."""

    slug: str
    title: str
    why: str
    rows: Sequence[Row]


def _values(of: str, metric: str, label: str, said: str, why: str) -> dashboard.QueryVariable:
    chosen = EXPORTER if of == "job" else "All"  # without an exporter Grafana falls back to All
    selector = name(metric) if of == "job" else f'{name(metric)}{{job=~"$job"}}'
    return (
        dashboard.QueryVariable(of)
        .label(said)
        .description(why)
        .datasource(PROMETHEUS)
        .query({"query": f"label_values({selector}, {label})", "refId": "StandardVariableQuery"})
        .refresh(parts.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(parts.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(parts.VariableOption(selected=True, text=chosen, value="$__all" if chosen == "All" else chosen))
    )


def _choices() -> list[Any]:
    source = dashboard.DatasourceVariable
    return [
        source("datasource").label("Metrics").type("prometheus"),
        source("traces")
        .label("Traces")
        .type("tempo")
        .description("A Tempo that takes policykit's spans; may be empty"),
        _values(
            "job",
            names.M_POLICY,
            "job",
            "Source",
            "policykit exporter, or the bots by a Collector; both tell of the same decisions, so they would add up",
        ),
        _values("account", names.M_UNKNOWN, prometheus_label(names.ACCOUNT), "Account", "Filters what is an account's"),
        _values("bot", names.M_HEARTBEAT, prometheus_label(names.BOT), "Bot", "Filters what is one bot's"),
        _values("policy", names.M_POLICY, prometheus_label(names.POLICY_ID), "Policy", "Filters what is a policy's"),
        _environment(),
        dashboard.TextBoxVariable("page").label("Local page").default_value(PAGE),
    ]


def _environment() -> dashboard.CustomVariable:
    """Return the choice of real or sandbox decisions; the label is absent on real ones."""
    options = {"All": ".*", "live": "^$", "sandbox": "sandbox"}
    return (
        dashboard.CustomVariable("environment")
        .label("Environment")
        .description("Real accounts or sandboxes; decisions are told apart by the exporter only")
        .values(", ".join(f"{text} : {value}" for text, value in options.items()))
        .options([parts.VariableOption(selected=text == "All", text=text, value=v) for text, v in options.items()])
        .current(parts.VariableOption(selected=True, text="All", value=".*"))
    )


def _halts() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Halts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(BAD)
        .expr(f"max by ({prometheus_label(names.SCOPE_NAME)}) ({series(names.M_KILL)}) == 1")
    )


def build(board: Board) -> parts.Dashboard:
    """Return a dashboard as Grafana reads it."""
    others = dashboard.DashboardLink("policykit").type(parts.DashboardLinkType.DASHBOARDS).tags([TAG])
    made = (
        dashboard.Dashboard(f"policykit: {board.title}")
        .uid(f"policykit-{board.slug}")
        .description(board.why)
        .tags([TAG])
        .timezone("utc")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(parts.DashboardCursorSync.CROSSHAIR)
        .variables(_choices())
        .annotation(_halts())
        .link(others.keep_time(True).include_vars(True).as_dropdown(True))
        .link(
            dashboard.DashboardLink("Local page")
            .type(parts.DashboardLinkType.LINK)
            .url("${page}")
            .target_blank(True)
            .tooltip("policykit dashboard, on the host of the journal")
        )
    )
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made = made.with_panel(panel)
    built = made.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built
