"""Send a real bot's spans to Arize Phoenix (PyPI) and find them there by what they say: software we did not write.

The bot of `desk.py` trades, is denied and loses an order; its spans go to Phoenix by OTLP, then once more from its
journal by `policykit journal export --otlp`. Then Phoenix is asked, by attribute: every decision of the journal must be
there once, with its check, observed and limit; a denied order's tree hangs on the bot's own span; a send hangs on its
decision; the lost order is an error. No secret is in any of it. Chromium opens the denied order's trace and must show
its numbers; the picture is left in .make/phoenix.png.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from desk import Desk, free_port
from pinned import environment

from policykit.store.reader import JournalReader
from policykit.telemetry import names

TOP = Path(__file__).resolve().parent.parent.parent
VENV = TOP / ".make" / "phoenix"
REQUIREMENTS = Path(__file__).resolve().parent / "phoenix.txt"
PICTURE = TOP / ".make" / "phoenix.png"
#: How long the bot trades, and how long Phoenix or the browser may take, seconds.
TRADING_S, PATIENCE_S, SETTLING_S = 8, 120, 15
#: Spans asked for at a time; rows of the journal of so short a run.
PAGE, MOST_ROWS = 500, 100_000
BOT = "mm-1"
#: Phoenix's own start, with its gRPC port kept to loopback as its HTTP port is: it takes every address else.
START = """
import sys
from grpc.aio._server import Server
listen = Server.add_insecure_port
Server.add_insecure_port = lambda self, address: listen(self, address.replace("[::]", "127.0.0.1"))
from phoenix.server.main import main
sys.argv = ["phoenix", "serve"]
main()
"""


class Phoenix:
    """A Phoenix on loopback that keeps what it gets in a folder."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = folder / "phoenix.log"
        self._process = subprocess.Popen(
            [str(VENV / "bin" / "python"), "-c", START],
            env={
                "HOME": str(folder),
                "PATH": "/usr/bin:/bin",
                "PHOENIX_WORKING_DIR": str(folder / "phoenix"),
                "PHOENIX_HOST": "127.0.0.1",
                "PHOENIX_PORT": self.url.rpartition(":")[2],
                "PHOENIX_GRPC_PORT": str(free_port()),
                "PHOENIX_TELEMETRY_ENABLED": "false",
                "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
            },
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def ready(self) -> None:
        """Wait until it answers. Raise RuntimeError when it does not."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.5)
        raise RuntimeError(f"Phoenix does not begin:\n{self.said()}")

    def ask(self, path: str, **query: str) -> Any:
        """Return what its API answers."""
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def spans(self, attribute: str = "", **query: str) -> list[dict[str, Any]]:
        """Return every span with an attribute (`key:value`)."""
        asked = {"limit": str(PAGE), **query} | ({"attribute": attribute} if attribute else {})
        found, cursor = [], ""
        while cursor is not None:
            page = self.ask("/v1/projects/default/spans", **asked, **({"cursor": cursor} if cursor else {}))
            found += page["data"]
            cursor = page["next_cursor"]
        return found

    def said(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(encoding="utf-8")[-3000:]

    def ids(self) -> set[str]:
        """Return the decisions that it has a span of."""
        return {one["attributes"][names.DECISION_ID] for one in self.spans() if one["name"].startswith(names.DECIDE)}

    def settled(self, wanted: set[str]) -> None:
        """Wait, but not for ever, until it shows what it took: it writes some time after it answers."""
        until = time.monotonic() + SETTLING_S
        while not wanted <= self.ids() and time.monotonic() < until:
            time.sleep(0.5)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def decided(store: Path) -> list[tuple[str, ...]]:
    """Return of each decision in the journal: id, outcome, deciding check, observed, limit, journal row."""
    reader = JournalReader(str(store))
    try:
        rows = [row for row in reader.rows(0, MOST_ROWS) if row.kind == "decision"]
    finally:
        reader.close()
    found = []
    for row in rows:
        decision = row.body["decision"]
        first = decision["reasons"][0] if decision["outcome"] == "deny" else {}
        said = (first.get(name) or "" for name in ("check", "observed", "limit"))
        found.append((decision["id"], decision["outcome"], *said, str(row.seq)))
    return sorted(found)


def _decision(span: dict[str, Any]) -> tuple[str, ...]:
    said = span["attributes"]
    shown = (
        names.DECISION_ID,
        names.OUTCOME,
        names.CHECK_ID,
        names.CHECK_OBSERVED,
        names.CHECK_LIMIT,
        names.JOURNAL_SEQ,
    )
    return tuple(str(said.get(name, "")) for name in shown)


def _say(what: str, right: bool, more: object = "") -> int:
    print(f"phoenix: {what}: {'yes' if right else f'NO: {more}'}", flush=True)
    return 0 if right else 1


def look(phoenix: Phoenix, desk: Desk) -> int:
    """Ask Phoenix; return how much is not as the journal says."""
    wrong, meant = 0, decided(desk.folder / "store.db")
    phoenix.settled({each[0] for each in meant})
    live = phoenix.ids()
    said = "spans are lost" in (desk.folder / f"{BOT}.log").read_text(encoding="utf-8")
    wrong += _say(
        f"{len(live)} of {len(meant)} decisions came live; the bot says so where one was lost",
        said or live == {each[0] for each in meant},
        f"it says nothing; {sorted({each[0] for each in meant} - live)}; {phoenix.said()}",
    )
    told = desk.command("journal", "export", "--otlp", phoenix.url)
    phoenix.settled({each[0] for each in meant})
    for outcome in ("allow", "deny"):
        wanted = [each for each in meant if each[1] == outcome]
        shown = sorted(_decision(span) for span in phoenix.spans(f"{names.OUTCOME}:{outcome}"))
        wrong += _say(
            f"after the journal's own export: {len(wanted)} decisions found by {names.OUTCOME} == {outcome}, each once",
            bool(wanted) and shown == wanted,
            f"{len(shown)} found; {sorted(set(shown) ^ set(wanted))[:4]}; {told[-300:]}",
        )
    spans = {span["context"]["span_id"]: span for span in phoenix.spans()}

    def parent(span: dict[str, Any]) -> dict[str, Any]:
        return spans.get(span["parent_id"] or "", {"name": "", "attributes": {}})

    capped = [
        span
        for span in phoenix.spans(f"{names.OUTCOME}:deny")
        if span["attributes"][names.CHECK_ID] == "risk.max_order_notional"
    ]
    wrong += _say(
        f"the tree of {len(capped)} orders over the cap hangs on the bot's own step; status Unset: the decision worked",
        bool(capped) and all((parent(s)["name"], s["status_code"]) == ("bot.step", "UNSET") for s in capped),
    )
    sends = [span for span in spans.values() if span["name"].startswith(names.SEND)]
    alike = [
        parent(span)["attributes"].get(names.OUTCOME) == "allow"
        and parent(span)["attributes"].get(names.CLIENT_ID) == span["attributes"][names.CLIENT_ID]
        for span in sends
    ]
    wrong += _say(f"{len(sends)} sends, each under the decision that allowed it", len(sends) > 0 and all(alike), alike)
    lost = phoenix.spans(f"{names.ORDER_STATE}:unknown")
    wrong += _say(
        "the order that was lost: one send, unknown, an error, under its decision",
        [(s["status_code"], parent(s)["attributes"].get(names.OUTCOME)) for s in lost] == [("ERROR", "allow")],
        [s["status_code"] for s in lost],
    )
    text = json.dumps(list(spans.values()))
    secrets = [desk.environment["MM_EXEC_API_KEY"], desk.environment["MM_EXEC_API_SECRET"], "signature="]
    wrong += _say(f"no secret in {len(spans)} spans", not any(secret in text for secret in secrets))
    return wrong + (picture(phoenix, capped[0]) if capped else 1)


def picture(phoenix: Phoenix, span: dict[str, Any]) -> int:
    """Open the denied order's trace in chromium; return 0 when its numbers are on the page. The picture is kept."""
    (project,) = (one["id"] for one in phoenix.ask("/v1/projects")["data"] if one["name"] == "default")
    page = f"{phoenix.url}/projects/{project}/traces/{span['context']['trace_id']}?selectedSpanNodeId={span['id']}"
    with tempfile.TemporaryDirectory(prefix="policykit-chromium-", ignore_cleanup_errors=True) as profile:
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        browser += ["--hide-scrollbars", "--window-size=1400,1000", "--virtual-time-budget=20000"]
        shot = subprocess.run(
            [*browser, f"--screenshot={PICTURE}", page], capture_output=True, timeout=PATIENCE_S, check=False
        )
        told = subprocess.run(
            [*browser, "--dump-dom", page], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        ).stdout
    said = span["attributes"]
    wanted = [str(said[name]) for name in (names.CHECK_ID, names.CHECK_OBSERVED, names.CHECK_LIMIT, names.SYMBOL)]
    missing = [each for each in wanted if each not in told]
    return _say(
        f"chromium shows the denied order's trace with {', '.join(wanted)}; look at {PICTURE.relative_to(TOP)}",
        shot.returncode == 0 and PICTURE.exists() and not missing,
        missing or "no picture",
    )


def main() -> int:
    """Send, ask, look; 0 when all is as the journal says."""
    if not environment(VENV, REQUIREMENTS):
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policykit-phoenix-")))
        phoenix = Phoenix(folder)
        stack.callback(phoenix.close)
        phoenix.ready()
        desk = stack.enter_context(Desk(folder, {"POLICYKIT_OTLP": phoenix.url}))
        desk.start(BOT, first=True)
        time.sleep(TRADING_S)
        desk.end()  # its exporter empties its queue as it ends
        return 1 if look(phoenix, desk) else 0


if __name__ == "__main__":
    sys.exit(main())
