"""The exporter: what Prometheus reads is what journal and store say, and what is not known is said."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.dashboard.background import Background
from policykit.dashboard.exporter import KEEP_S, LATE_S, MAX_BEHIND, Exporter, application
from policykit.dashboard.index import Index
from policykit.dashboard.serving import listen
from policykit.dashboard.sources import Source, StoreSource
from policykit.guard.telling import HostWatch
from policykit.redact import Secret
from policykit.store import GuardInfo, Store, open_store
from policykit.store.codec import decision_body
from policykit.telemetry import names
from policykit.telemetry.ids import ids_of
from tests.dashboard.made import Said, ident, life, policy, rows_of, write
from tests.guard.world import policy_text, world
from tests.notify.receivers import webhook
from tests.store.servers import ValkeyServer
from tests.telemetry.nouns import AT_MS, NOTIONAL, decision, intent

DEAD_MS = AT_MS - 3_600_000
PLACE = {"policykit_exchange_name": "binance", "policykit_account_alias": "main"}


class Served(NamedTuple):
    """An exporter that answers on loopback; `refresh` reads its sources once."""

    exporter: Exporter
    url: str
    uri: str

    def refresh(self) -> None:
        """Read both sources, as its threads do every two seconds."""
        self.exporter.journal.refresh()
        self.exporter.store.refresh()

    def metrics(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Return what /metrics says: by name and labels."""
        return told(httpx.get(f"{self.url}/metrics").text)

    def value(self, name: str, **labels: str) -> float | None:
        """Return one value; None where there is none."""
        return self.metrics().get(name, {}).get(tuple(sorted(labels.items())))


def told(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Read an exposition with Prometheus' own client."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in read_text(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.fixture
def serve() -> Iterator[Callable[[str], Served]]:
    """Return what serves a store's figures on a free port of loopback."""
    running: list[tuple[Exporter, Background]] = []

    def start(uri: str) -> Served:
        listening = listen(0)
        exporter = Exporter(uri, "fra-1")
        server = Background(application(exporter, listening.getsockname()[1], ("fra-1",)), listening)
        server.start()
        running.append((exporter, server))
        return Served(exporter, server.url, uri)

    yield start
    for exporter, server in running:
        server.stop()
        exporter.stop()


def fill(store: Store) -> None:
    """Write what a guard does that has died since, and a halt."""
    store.announce("binance/main", "USDT", {"name": "mm", "version": "v1", "stage": "full-live"}, AT_MS)
    store.beat(GuardInfo("mm-1", "elsewhere", 7, "binance/main", "mm", "v1", "mm.yaml", "enforce", DEAD_MS, loop=True))
    store.reserve(decision("01JD3V7K2M0000000000000001"), intent(), (), 0, AT_MS)
    store.record(decision("01JD3V7K2M0000000000000002", (NOTIONAL,)), AT_MS)
    store.halt("bot:mm-1", "HALTED", "ops", "a test", AT_MS)


@pytest.fixture
def served(serve: Callable[[str], Served], tmp_path: Path) -> Served:
    """Return an exporter of a store with a dead guard, two decisions and a halt; both sources were read."""
    uri = f"sqlite:///{tmp_path}/store.db"
    store = open_store(uri)
    fill(store)
    store.close()
    found = serve(uri)
    found.refresh()
    return found


def test_it_tells_what_store_and_journal_say(served: Served) -> None:
    """Decisions by their labels, the halt, and the last heartbeat of a bot that died."""
    same = {"policykit_action": "order.create", "policykit_enforcement_mode": "enforce"}
    allowed, denied = same | {"policykit_decision_outcome": "allow"}, same | {"policykit_decision_outcome": "deny"}
    denied |= {"policykit_decision_reason_code": NOTIONAL.code, "policykit_check_id": NOTIONAL.check}
    assert served.value("policykit_decisions_total", **allowed) == 1
    assert served.value("policykit_decisions_total", **denied) == 1
    assert served.value("policykit_guard_heartbeat_seconds", **PLACE, policykit_bot="mm-1") == DEAD_MS / 1000
    assert served.value("policykit_kill_switch_engaged", policykit_kill_switch_scope="bot:mm-1") == 1
    assert served.value("policykit_exporter_up", policykit_exporter_source="store") == 1
    assert served.value("policykit_exporter_up", policykit_exporter_source="journal") == 1
    assert (served.value("policykit_exporter_behind"), served.value("policykit_exporter_unread")) == (0, 0)
    health = httpx.get(f"{served.url}/healthz")
    assert (health.status_code, health.json()["healthy"], health.json()["problems"]) == (200, True, [])


def test_what_is_new_is_told_at_the_next_reading(served: Served) -> None:
    """Another process decides, resumes, and sends a heartbeat: the same exporter tells of it."""
    store = open_store(served.uri)
    store.resume("bot:mm-1", "ops", "mended", AT_MS)
    store.beat(
        GuardInfo("mm-1", "elsewhere", 7, "binance/main", "mm", "v1", "mm.yaml", "enforce", DEAD_MS + 5_000, loop=True)
    )
    store.record(decision("01JD3V7K2M0000000000000003", (NOTIONAL,)), AT_MS)
    store.close()
    served.refresh()
    assert sum(served.metrics()["policykit_decisions_total"].values()) == 3
    assert served.value("policykit_guard_heartbeat_seconds", **PLACE, policykit_bot="mm-1") == DEAD_MS / 1000 + 5
    assert not served.value("policykit_kill_switch_engaged", policykit_kill_switch_scope="bot:mm-1")


def test_totals_and_delays_of_a_long_journal_are_those_of_its_rows(
    serve: Callable[[str], Served], tmp_path: Path
) -> None:
    """Counted from thousands of rows: decisions by reason; delays with their sum and every bucket."""
    write(tmp_path / "store.db", [policy()])
    write(tmp_path / "store.db", life(500))
    served = serve(f"sqlite:///{tmp_path}/store.db")
    served.exporter.journal.refresh()
    rows, metrics = rows_of(tmp_path / "store.db"), served.metrics()
    reasons = Counter(
        (row.body["decision"]["reasons"] or [{"code": ""}])[0]["code"] for row in rows if row.kind == "decision"
    )
    found: Counter[str] = Counter()
    for labels, value in metrics["policykit_decisions_total"].items():
        assert dict(labels)["policykit_stage"] == "full-live"
        found[dict(labels).get("policykit_decision_reason_code", "")] += int(value)
    assert found == reasons
    sent = {row.body["intent"]: row for row in rows if row.kind == "outcome" and "signed_ms" in row.body}
    took = [row.at_ms - row.body["signed_ms"] for row in sent.values()]
    name = "policykit_order_answer_delay_seconds"
    assert metrics[f"{name}_sum"][()] == pytest.approx(sum(took) / 1000)
    assert metrics[f"{name}_count"][()] == len(took) > 200
    buckets = {dict(labels)["le"]: count for labels, count in metrics[f"{name}_bucket"].items()}
    assert {le: buckets[le] for le in ("0.02", "0.05", "0.1", "60.0", "+Inf")} == {
        le: sum(ms / 1000 <= float(le) for ms in took) for le in ("0.02", "0.05", "0.1", "60.0", "+Inf")
    }


def test_while_it_reads_an_old_journal_it_tells_no_rate(
    serve: Callable[[str], Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions of years are not told as if they were made now; /healthz says how far it is."""
    write(tmp_path / "store.db", life(1_000))
    whole = Index.advance
    monkeypatch.setattr(Index, "advance", lambda index: whole(index, 1_500))
    served = serve(f"sqlite:///{tmp_path}/store.db")
    served.refresh()
    newest = rows_of(tmp_path / "store.db")[-1].seq
    assert newest > 1_500 + MAX_BEHIND
    assert served.value("policykit_exporter_behind") == newest - 1_500
    assert "policykit_decisions_total" not in served.metrics()
    health = httpx.get(f"{served.url}/healthz")
    assert (health.status_code, health.json()["problems"]) == (503, [f"journal: 1,500 of {newest:,} rows are counted"])
    served.refresh()
    assert sum(served.metrics()["policykit_decisions_total"].values()) == 1_000
    assert httpx.get(f"{served.url}/healthz").status_code == 200


def test_both_formats_are_prometheus(served: Served) -> None:
    """Prometheus asks for OpenMetrics, others for text: both are read by its own client, with the same values."""
    answer = httpx.get(f"{served.url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read_openmetrics(answer.text)
        for sample in family.samples
    }
    text = {(name, labels): value for name, series in served.metrics().items() for labels, value in series.items()}
    ages = {key for key in text if key[0] == "policykit_exporter_age_seconds"}
    assert {key: found[key] for key in text if key not in ages} == {k: v for k, v in text.items() if k not in ages}
    assert found.keys() == text.keys()


def test_each_count_leads_to_the_trace_of_its_newest_decision(serve: Callable[[str], Served], tmp_path: Path) -> None:
    """An exemplar has the ids of the decision's span: of the caller's trace where he had one, else its own."""
    asked = decision(ident(2), (NOTIONAL,), trace=(int("ab" * 16, 16), int("cd" * 8, 16)))
    rows = [decision_body(one, None, ()) for one in (decision(ident(1)), decision(ident(3)), asked)]
    write(tmp_path / "store.db", [Said(AT_MS, "decision", body) for body in rows])
    served = serve(f"sqlite:///{tmp_path}/store.db")
    served.exporter.journal.refresh()
    answer = httpx.get(f"{served.url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    (family,) = [one for one in read_openmetrics(answer.text) if one.name == "policykit_decisions"]
    found = {sample.labels["policykit_decision_outcome"]: sample.exemplar for sample in family.samples}
    trace, span = (part.hex() for part in ids_of(ident(3)))
    assert found["allow"].labels == {"trace_id": trace, "span_id": span}
    assert float(found["allow"].timestamp) == AT_MS / 1000
    assert found["deny"].labels == {"trace_id": "ab" * 16, "span_id": ids_of(ident(2))[1].hex()}


def test_a_journal_that_is_not_there_yet_is_said_and_then_read(serve: Callable[[str], Served], tmp_path: Path) -> None:
    """A service that starts before the first bot answers 503 with what to do, makes no store, and goes on by itself."""
    uri = f"sqlite:///{tmp_path}/store.db"
    served = serve(uri)
    served.refresh()
    health = httpx.get(f"{served.url}/healthz")
    why = f"{tmp_path}/store.db: there is no journal; set POLICYKIT_STORE or --store to the one that bots use"
    assert (health.status_code, health.json()["problems"]) == (503, [f"journal: {why}", f"store: {why}"])
    assert served.metrics()["policykit_exporter_up"] == {
        (("policykit_exporter_source", "journal"),): 0,
        (("policykit_exporter_source", "store"),): 0,
    }
    assert not (tmp_path / "store.db").exists()
    store = open_store(uri)
    fill(store)
    store.close()
    served.refresh()
    assert httpx.get(f"{served.url}/healthz").status_code == 200


def test_a_damaged_journal_is_said_while_the_rest_is_told(served: Served, tmp_path: Path) -> None:
    """What was counted stays, up says 0, and /healthz names the row."""
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as db:
        seq = db.execute("SELECT max(seq) FROM journal").fetchone()[0]
        db.execute("INSERT INTO journal VALUES (?, 1, 'decision', '{}', 'no hash')", (seq + 1,))
    served.refresh()
    assert sum(served.metrics()["policykit_decisions_total"].values()) == 2
    assert served.value("policykit_exporter_up", policykit_exporter_source="journal") == 0
    health = httpx.get(f"{served.url}/healthz")
    assert health.status_code == 503
    assert any(f"row {seq + 1} does not carry the hash" in problem for problem in health.json()["problems"])


def test_a_store_that_is_replaced_is_opened_anew(served: Served, tmp_path: Path) -> None:
    """After a restore nobody has to restart the exporter."""
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.db{end}").unlink(missing_ok=True)
    store = open_store(served.uri)
    store.record(decision("01JD3V7K2M0000000000000009", (NOTIONAL,)), AT_MS)
    store.close()
    for _ in range(2):  # the first finds out
        served.refresh()
    assert list(served.metrics()["policykit_decisions_total"].values()) == [1]
    assert httpx.get(f"{served.url}/healthz").status_code == 200


class Hanging:
    """A clock, and a read of the store that does not come back."""

    def __init__(self, exporter: Exporter) -> None:
        self.now = 1_000.0
        self.release, self.begun = threading.Event(), threading.Event()
        read = exporter._store.read
        exporter.store = Source("store", read, lambda: self.now)
        exporter.store.refresh()
        exporter.store._read = self._hang
        self.thread = threading.Thread(target=exporter.store.refresh, daemon=True)
        self.thread.start()
        assert self.begun.wait(20)

    def _hang(self) -> Any:
        self.begun.set()
        assert self.release.wait(60)
        return []


def test_a_store_that_hangs_holds_up_no_answer(served: Served) -> None:
    """First its figures stay as they were, then ages and losses are absent; heartbeat and halt stay, up says 0."""
    hanging = Hanging(served.exporter)
    before = served.metrics()
    assert served.value("policykit_exporter_up", policykit_exporter_source="store") == 1
    hanging.now += LATE_S + 1
    assert served.value("policykit_exporter_up", policykit_exporter_source="store") == 0
    assert served.metrics().keys() == before.keys()
    health = httpx.get(f"{served.url}/healthz")
    assert (health.status_code, health.json()["problems"]) == (503, ["store: does not answer; last read 11 s ago"])
    hanging.now += KEEP_S
    after = served.metrics()
    assert served.value("policykit_exporter_age_seconds", policykit_exporter_source="store") == LATE_S + 1 + KEEP_S
    own = {
        name for name in before if name.startswith(("policykit_exporter", "policykit_decisions", "policykit_order_"))
    }
    assert after.keys() == own | {"policykit_guard_heartbeat_seconds", "policykit_kill_switch_engaged"}
    assert sum(after["policykit_decisions_total"].values()) == 2
    hanging.release.set()
    hanging.thread.join(20)


def test_a_defect_in_reading_is_said_and_ends_nothing(served: Served) -> None:
    """An error that nobody foresaw is named by its kind: its text may hold anything."""

    def broken() -> Any:
        raise RuntimeError("s3cret-value-of-a-defect")

    served.exporter.store = Source("store", broken)
    served.refresh()
    health = httpx.get(f"{served.url}/healthz")
    assert health.json()["problems"] == ["store: internal error RuntimeError; please report it"]
    assert sum(served.metrics()["policykit_decisions_total"].values()) == 2


def test_I23_no_secret_is_told(serve: Callable[[str], Served], tmp_path: Path) -> None:
    """A secret that got into a bot's name, a scope or a path leaves the process nowhere."""
    secret = "canary-7f3e9a1c5b2d"
    Secret(secret)
    uri = f"sqlite:///{tmp_path}/{secret}.db"
    served = serve(uri)
    served.refresh()
    assert secret not in httpx.get(f"{served.url}/healthz").text
    store = open_store(uri)
    store.beat(GuardInfo(secret, "h", 7, "binance/main", "mm", "v1", "mm.yaml", "enforce", DEAD_MS, loop=True))
    store.halt(f"bot:{secret}", "HALTED", secret, secret, AT_MS)
    store.record(decision("01JD3V7K2M0000000000000003", (NOTIONAL,), bot=secret), AT_MS)
    store.close()
    served.refresh()
    said = httpx.get(f"{served.url}/metrics").text + httpx.get(f"{served.url}/healthz").text
    assert "policykit_kill_switch_engaged" in said
    assert secret not in said
    assert "canary-7" not in said


def test_hostile_labels_are_escaped(serve: Callable[[str], Served], tmp_path: Path) -> None:
    """A bot's name with quotes, line ends and braces makes no second line."""
    uri, name = f"sqlite:///{tmp_path}/store.db", 'a"} 1\npolicykit_fake 1\\'
    store = open_store(uri)
    store.beat(GuardInfo(name, "h", 7, "binance/main", "mm", "v1", "mm.yaml", "enforce", DEAD_MS, loop=True))
    store.close()
    served = serve(uri)
    served.refresh()
    assert "policykit_fake" not in served.metrics()
    assert served.value("policykit_guard_heartbeat_seconds", **PLACE, policykit_bot=name) == DEAD_MS / 1000


def test_only_its_own_names_are_answered(served: Served) -> None:
    """Another site that has its name lead here, and who would write, get nothing."""
    for host in ("evil.example", "evil.example:80", "fra-1.evil.example"):
        assert httpx.get(f"{served.url}/metrics", headers={"host": host}).status_code == 421
    for host in ("localhost", "127.0.0.1:1", "[::1]:9464", "10.1.2.3:9464", "FRA-1", "fra-1.:80"):
        assert httpx.get(f"{served.url}/metrics", headers={"host": host}).status_code == 200
    assert httpx.post(f"{served.url}/metrics").status_code == 405
    assert httpx.get(f"{served.url}/nothing").status_code == 404
    assert "server" not in httpx.get(f"{served.url}/").headers


def test_with_valkey_the_journal_is_told_when_the_server_is_gone(
    serve: Callable[[str], Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gauges come from the server, decisions from this host's journal; the server's password from neither."""
    monkeypatch.setenv("POLICYKIT_JOURNAL", str(tmp_path / "journal.db"))
    server = ValkeyServer(tmp_path / "valkey", password="hunter22-of-valkey")
    try:
        uri = server.uri("exporter")
        store = open_store(uri)
        fill(store)
        served = serve(uri)
        served.refresh()
        assert sum(served.metrics()["policykit_decisions_total"].values()) == 2
        assert served.value("policykit_guard_heartbeat_seconds", **PLACE, policykit_bot="mm-1") == DEAD_MS / 1000
        store.close()
        server.kill()
        served.refresh()
        served.exporter.store._monotonic = lambda: SystemClock().monotonic_ms() / 1000 + LATE_S + 1
        health = httpx.get(f"{served.url}/healthz").json()
        assert [problem.partition(":")[0] for problem in health["problems"]] == ["store"]
        assert "hunter22" not in str(health)
        assert sum(served.metrics()["policykit_decisions_total"].values()) == 2
    finally:
        server.kill()


NOTIFY = """\
notify:
  targets:
    ops: {secret: "env://OPS"}
"""


def test_people_are_told_by_it_when_a_guard_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead process sends no message; the exporter of its host does, once, and counts what nobody got."""
    with world(tmp_path, text=policy_text() + NOTIFY) as made, webhook() as hook:
        monkeypatch.setenv("OPS_URL", hook.url())
        guard = made.guard()
        guard.store.beat(guard.in_force.info()._replace(loop=True))
        source = StoreSource(made.store, guard.host, made.clock)
        source.read()
        source.close()
        assert hook.got == []
        made.clock.advance(61)
        for _ in range(2):
            samples = {sample.name: sample.value for sample in source.read()}
        source.close()
        titles = [got["title"] for got in hook.got]
        assert titles.count("policykit binance/main: a guard is silent") == 1
        assert samples[names.M_MESSAGES_LOST] == 0


def test_what_cannot_be_told_keeps_no_figure_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages are beside the figures: an error of theirs is logged once, by its kind."""

    def broken(_: HostWatch) -> None:
        raise ValueError("s3cret")

    monkeypatch.setattr(HostWatch, "round", broken)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    fill(store)
    store.close()
    source = StoreSource(f"sqlite:///{tmp_path}/store.db", "fra-1")
    assert [names.M_HEARTBEAT in {sample.name for sample in source.read()} for _ in range(2)] == [True, True]
    source.close()
    said = [record.getMessage() for record in caplog.records if record.name == "policykit.notify"]
    assert said == ["what is wrong with the accounts of the store cannot be told: ValueError"]


def test_it_reads_by_itself_and_ends_what_it_began(serve: Callable[[str], Served], tmp_path: Path) -> None:
    """Once started it follows the journal without being asked, a long one at once; stopped, it reads no more."""
    write(tmp_path / "store.db", [policy(), *life(300)])
    served = serve(f"sqlite:///{tmp_path}/store.db")
    served.exporter.start()
    while httpx.get(f"{served.url}/healthz").status_code != 200:
        pass
    assert sum(served.metrics()["policykit_decisions_total"].values()) == 300
    served.exporter.stop()
    assert [thread.is_alive() for thread in served.exporter._threads] == [False, False]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(served: Served, sign: signal.Signals) -> None:
    """Both end it the same way, and what was set for them before is set again."""
    listening = listen(0)
    server = Background(application(served.exporter, listening.getsockname()[1]), listening)
    before = signal.getsignal(sign)

    def ask_then_end() -> None:
        while httpx.get(f"{server.url}/").status_code != 200:
            pass
        signal.raise_signal(sign)

    ending = threading.Thread(target=ask_then_end)
    ending.start()
    server.run()
    ending.join(20)
    assert not ending.is_alive()
    assert signal.getsignal(sign) is before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/")


# ---- the command


def test_the_command_serves_until_it_is_told_to_end(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints where, reads by itself, and SIGTERM is a clean end; a second one on its port says so in one line."""
    command = [sys.executable, "-m", "policykit.cli", "exporter", "--store", served.uri, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[2].removesuffix("/metrics")
            port = url.rpartition(":")[2]
            while httpx.get(f"{url}/healthz").status_code != 200:
                pass
            assert sum(told(httpx.get(f"{url}/metrics").text)["policykit_decisions_total"].values()) == 2
            assert main(["exporter", "--port", port]) == 3
            wanted = f"port {port} of 127.0.0.1 cannot be used (Address already in use); give another by --port\n"
            assert tuple(capsys.readouterr()) == ("", wanted)
        finally:
            process.send_signal(signal.SIGTERM)
        assert (process.wait(60), process.stderr.read() if process.stderr else None) == (0, "")
