"""Ask a real Prometheus every query of the dashboards, after it scraped a real run; name each panel and what it found.

Prometheus scrapes two sources of one desk (`desk.py`): the bots, through OpenTelemetry's own Prometheus exporter, and
`policykit exporter`. A query that finds nothing in either fails, unless EMPTY says why it must. At the end Prometheus
must come to the journal's own count of decisions. `promtool` checks each expression as a rule; variables and intervals
are put in as Grafana does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from desk import Desk, free_port
from pinned import library

from dashboards._query import EXPORTER, ONE_SOURCE
from policykit.store.reader import JournalReader
from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

TOP = Path(__file__).resolve().parent.parent.parent
DASHBOARDS = TOP / "dashboards" / "grafana"
REQUIREMENTS = Path(__file__).resolve().parent / "prometheus.txt"
#: Where OpenTelemetry's Prometheus exporter is put.
LIBRARY = TOP / ".make" / "prometheus"
#: How long the desk trades before and after what befalls it, and how long a server may take to begin, seconds.
BEFORE_S, AFTER_S, PATIENCE_S = 12, 18, 30
BOTS = "bots"
HTTP_BAD_REQUEST = 400
#: Rows of the journal of so short a run.
MOST_ROWS = 1_000_000
#: What Grafana puts in: `All` of each variable, a window of four scrapes, the range that is shown.
GRAFANA = {
    "$job": ".*",
    "$account": ".*",
    "$bot": ".*",
    "$policy": ".*",
    "$environment": ".*",
    "$__rate_interval": "20s",
    "$__range": "1m",
}
#: Panels that show nothing after a run without the trouble they are for, and why.
EMPTY: dict[str, str] = {}


class Panel(NamedTuple):
    """One query of one panel."""

    name: str
    expr: str


def panels() -> Iterator[Panel]:
    """Give every PromQL query of the dashboards, marks and choices included, as Prometheus gets it."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for mark in board["annotations"]["list"]:
            yield Panel(f"{path.stem}: mark {mark['name']}", _filled(mark["expr"]))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                if "expr" in target:
                    more = f" ({target['refId']})" if len(panel["targets"]) > 1 else ""
                    yield Panel(f"{path.stem}: {panel['title']}{more}", _filled(target["expr"]))
        for choice in board["templating"]["list"]:
            if choice["type"] == "query":
                selector, _, label = choice["query"]["query"][len("label_values(") : -1].rpartition(", ")
                yield Panel(f"{path.stem}: choice {choice['name']}", f"count by ({label}) ({_filled(selector)})")


def _filled(expr: str) -> str:
    for name in sorted(GRAFANA, key=len, reverse=True):
        expr = expr.replace(name, GRAFANA[name])
    return expr


class Prometheus:
    """A real Prometheus on loopback that scrapes what it is told, once a second."""

    def __init__(self, folder: Path, targets: dict[str, list[int]]) -> None:
        self.port = free_port()
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            for job, ports in targets.items()
        ]
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8")
        self._log = (folder / "prometheus.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def ask(self, expr: str, job: str | None = None) -> list[Any]:
        """Return the series that a query finds now, each with a number; `job` keeps it to one source.

        Raise ValueError for a query that is none.
        """
        asked = expr if job is None else expr.replace('job=~".*"', f'job="{job}"')
        query = urllib.parse.urlencode({"query": asked})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10) as answer:
                return [each for each in json.load(answer)["data"]["result"] if each["value"][1] != "NaN"]
        except urllib.error.HTTPError as refused:
            if refused.code != HTTP_BAD_REQUEST:
                raise  # it is not ready
            raise ValueError(json.load(refused)["error"]) from None

    def wait(self, count: int) -> None:
        """Wait until so many targets are scraped. Raise RuntimeError when they are not."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                if len(self.ask("up == 1")) >= count:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"Prometheus scrapes {len(self.ask('up == 1'))} of {count} targets")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self._log.close()


def exporter(desk: Desk, port: int) -> subprocess.Popen[bytes]:
    """Start `policykit exporter` on the desk's store."""
    return subprocess.Popen(
        [sys.executable, "-m", "policykit.cli", "exporter", "--port", str(port)],
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=(desk.folder / "exporter.log").open("wb"),
    )


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(PATIENCE_S)


def rules(folder: Path) -> str:
    """Check every expression with promtool, as a recording rule each; return what it says against them."""
    made = [{"record": f"panel:n{number}:x", "expr": panel.expr} for number, panel in enumerate(panels())]
    path = folder / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": made}]}), encoding="utf-8")
    said = ""
    for what, command in (
        (f"{len(made)} expressions", ("rules", str(path))),
        ("dashboards/prometheus.yaml", ("config", str(DASHBOARDS.parent / "prometheus.yaml"))),
    ):
        done = subprocess.run(["promtool", "check", *command], capture_output=True, text=True, check=False)
        print(f"grafana: promtool checks {what}: {'yes' if done.returncode == 0 else 'NO'}", flush=True)
        said += "" if done.returncode == 0 else done.stdout + done.stderr
    return said


def found(prometheus: Prometheus) -> int:
    """Ask every query of both sources; print what each found; return how many found nothing."""
    empty = 0
    for panel in panels():
        jobs = (BOTS, EXPORTER) if 'job=~".*"' in panel.expr else (None,)
        counts = {job or "one source": len(prometheus.ask(panel.expr, job)) for job in jobs}
        said = ", ".join(f"{count} of {job}" for job, count in counts.items())
        if any(counts.values()):
            verdict = "stale entry of EMPTY" if panel.name in EMPTY else "yes"
        else:
            verdict = f"none: {EMPTY[panel.name]}" if panel.name in EMPTY else "NO DATA"
        empty += verdict in ("NO DATA", "stale entry of EMPTY")
        print(f"grafana: {panel.name}: {verdict} ({said} series)", flush=True)
    return empty


def counted(store: Path) -> Counter[tuple[str, str]]:
    """Return how many decisions of each outcome and mode are in the journal."""
    reader = JournalReader(str(store))
    try:
        made = [row.body["decision"] for row in reader.rows(0, MOST_ROWS) if row.kind == "decision"]
    finally:
        reader.close()
    return Counter((decision["outcome"], decision["mode"]) for decision in made)


def agrees(prometheus: Prometheus, store: Path) -> bool:
    """Whether Prometheus comes to the journal's own count of decisions, once the bots have ended."""
    outcome, mode = prometheus_label(names.OUTCOME), prometheus_label(names.MODE)
    expr = f'sum by ({outcome}, {mode}) (policykit_decisions_total{{job="{EXPORTER}"}})'
    meant = dict(counted(store))
    until = time.monotonic() + PATIENCE_S
    shown: dict[tuple[str, str], int] = {}
    while shown != meant and time.monotonic() < until:
        time.sleep(1)
        shown = {(s["metric"][outcome], s["metric"][mode]): int(s["value"][1]) for s in prometheus.ask(expr)}
    print(f"grafana: decisions as the journal counts them, {meant}: {'yes' if shown == meant else f'NO: {shown}'}")
    return shown == meant


def alike(prometheus: Prometheus) -> bool:
    """Whether what both sources tell has the same labels from both, and what one tells comes from one only."""
    of_scrape = {"job", "instance", "__name__", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
    wrong = []
    for metric in names.METRICS:
        name = prometheus_name(metric)
        labels = [
            {frozenset(set(each["metric"]) - of_scrape) for each in prometheus.ask(f'{name}{{job="{job}"}}')}
            for job in (BOTS, EXPORTER)
        ]
        if all(labels) and (metric.name in ONE_SOURCE or not labels[0] & labels[1]):
            wrong.append(f"{name}: {labels}")
    print(f"grafana: both sources say the same with the same labels: {'yes' if not wrong else f'NO: {wrong}'}")
    return not wrong


def main() -> int:
    """Run the desk, scrape it, ask; 0 when every panel has data."""
    if not library(LIBRARY, REQUIREMENTS):
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policykit-grafana-")))
        said = rules(folder)
        if said:
            print(said, file=sys.stderr)
            return 1
        desk = stack.enter_context(Desk(folder, {"PYTHONPATH": str(LIBRARY)}))
        ports = [free_port(), free_port(), free_port()]
        desk.start("mm-1", first=True, DESK_METRICS=str(ports[0]))
        desk.start("mm-2", POLICYKIT_MODE="shadow", DESK_METRICS=str(ports[1]))
        desk.start("mm-3", DESK_METRICS=str(ports[2]), DESK_CAREFUL="1", POLICYKIT_STORE="memory:")
        served = free_port()
        stack.callback(_ended, exporter(desk, served))
        prometheus = Prometheus(folder, {BOTS: ports, EXPORTER: [served]})
        stack.callback(prometheus.close)
        prometheus.wait(3)
        time.sleep(BEFORE_S)
        desk.befall()
        time.sleep(AFTER_S)
        empty = found(prometheus)
        same = alike(prometheus)
        desk.end()
        same = agrees(prometheus, folder / "store.db") and same
    print(f"grafana: {empty} queries without data" if empty else "grafana: every panel has data, or says why not")
    return 1 if empty or not same else 0


if __name__ == "__main__":
    sys.exit(main())
