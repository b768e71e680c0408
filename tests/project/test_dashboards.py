"""Grafana's dashboards are those that `dashboards/` builds, and ask only for what policykit sends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards import _query, traceql
from dashboards.boards import FOLDER, files
from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

TOP = Path(__file__).resolve().parent.parent.parent
SUFFIXES = ("", "_bucket", "_sum", "_count")
LABELS = {prometheus_label(attribute.name) for attribute in names.ATTRIBUTES}


def _targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']}", target


PROMQL = [(where, target["expr"]) for where, target in _targets() if "expr" in target]
TRACEQL = [(where, target["query"]) for where, target in _targets() if "query" in target]


def test_the_committed_files_are_what_is_built() -> None:
    """Each file equals what the code makes, and none is left over; else run: .venv/bin/python -m dashboards."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


def test_every_metric_that_is_asked_for_is_sent() -> None:
    """Names that begin with policykit_ are metrics (with a histogram's suffixes) or labels of names.py; none else."""
    metrics = {prometheus_name(metric) + suffix for metric in (*names.METRICS, *names.EXPORTED) for suffix in SUFFIXES}
    asked = {(where, word) for where, expr in PROMQL for word in re.findall(r"\bpolicykit_\w+", expr)}
    assert len(asked) > 40
    assert {each for each in asked if each[1] not in metrics | LABELS} == set()


def test_every_metric_is_on_a_dashboard() -> None:
    """What is sent is shown: add a panel to `dashboards/`, then run .venv/bin/python -m dashboards."""
    shown = "\n".join(expr for _, expr in PROMQL)
    sent = [prometheus_name(metric) for metric in (*names.METRICS, *names.EXPORTED)]
    assert [name for name in sent if not re.search(rf"\b{name}(_bucket)?\b", shown)] == []


def test_every_query_keeps_to_the_source_that_was_chosen() -> None:
    """Each metric that two sources tell has the job, or an exporter and its bots would add up; no other has it."""
    one = {prometheus_name(_query.METRICS[name]) + suffix for name in _query.UNFILTERED for suffix in SUFFIXES}
    asked = 0
    for where, expr in PROMQL:
        for metric, matchers in re.findall(r"\b(policykit_\w+)(\{[^}]*\}|(?=[\[)]))", expr):
            if metric in LABELS:
                continue
            asked += 1
            assert ('job=~"$job"' in matchers) == (metric not in one), (where, metric)
    assert asked > 60


@pytest.mark.parametrize("query", [*(query for _, query in TRACEQL), *traceql.RECIPES.values(), traceql.OF_CHECK])
def test_every_attribute_of_a_traceql_query_is_sent(query: str) -> None:
    """What stands behind `span.` is an attribute of names.py."""
    known = {attribute.name for attribute in names.ATTRIBUTES}
    asked = re.findall(r"\bspan\.([\w.]+)", query)
    assert asked
    assert [each for each in asked if each not in known] == []


def test_the_page_asks_the_recipes() -> None:
    """docs/dashboards.md has each recipe of `dashboards.traceql` under its question, and no other query."""
    page = (TOP / "docs" / "dashboards.md").read_text(encoding="utf-8")
    assert re.findall(r"\n([^\n]+)\n\n```traceql\n(.*?)\n```", page, re.DOTALL) == list(traceql.RECIPES.items())


def test_a_panel_cannot_name_what_is_not_sent() -> None:
    """The control: a metric or a label that is not in names.py is refused where the query is written."""
    with pytest.raises(KeyError, match=r"policykit\.decisons"):
        _query.series("policykit.decisons")
    with pytest.raises(KeyError, match=r"policykit\.orders\.unknown has no attribute policykit\.bot"):
        _query.worst(names.M_UNKNOWN, names.BOT)
    with pytest.raises(KeyError, match=r"policykit\.decisions has no attribute trading\.order\.symbol"):
        _query.series(names.M_DECISIONS, {names.SYMBOL: "BTC/USDT"})


def test_panels_have_a_title_a_description_and_a_place_of_their_own() -> None:
    """No panel is without words, no two overlap, none is wider than the dashboard."""
    for path in sorted(FOLDER.glob("*.json")):
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, (path.name, panel["title"])
            assert place["x"] + place["w"] <= 24, (path.name, panel["title"])
            assert panel["type"] == "row" or (panel["title"] and panel["description"].endswith(".")), path.name
            taken |= cells
