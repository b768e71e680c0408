"""Look at `policykit dashboard` in a real browser: a real run on the simulated exchange, then long journals.

What it shows is compared with the journal, read beside it; axe-core must find nothing, the console must be silent, and
nothing may be asked of any other address. First paint with 100,000 decisions is measured and held to a second.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import Browser, BrowserGone, Tab
from npm import TOOLS, TOP, ToolsMissing, install

sys.path.insert(0, str(TOP))

from policykit import Denied
from policykit.decision import Reason
from policykit.guard import Guard
from policykit.place import Place
from policykit.store import open_journal, open_store
from policykit.store.base import Row
from policykit.testing import Sim
from policykit.testing.demo.linting import HERE, _today, use
from tests.dashboard import made
from tests.telemetry.nouns import decision

SYMBOL = "BTC/USDT"
MOST_PAINT_MS = 1_000
LONG_TASK_MS = 50
SIZES = ((1400, False), (1400, True), (400, False), (400, True))
HOSTILE = "<img src=x onerror=\"window.ran='yes'\"><script>window.ran='yes'</script>\u202e'\"--></td>{{7*7}}"
#: Enough decisions that the list is paged, few enough for a picture.
ORDERS = 12


class Wrong(Exception):
    """The page is not what it should be."""


def hold(true: object, what: str) -> None:
    """Raise Wrong unless it is true."""
    if not true:
        raise Wrong(what)


@contextmanager
def dashboard(uri: str, cache: Path) -> Iterator[tuple[str, int]]:
    """Run the command on a free port; yield its address and its process id."""
    command = [sys.executable, "-m", "policykit.cli", "dashboard", "--store", uri, "--port", "0", "--no-open"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(TOP)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        address = re.match(r"(http://127\.0\.0\.1:\d+)/", process.stdout.readline())
        hold(address, "the command did not print its address")
        assert address is not None
        yield address[1], process.pid
    finally:
        process.send_signal(2)
        hold(process.wait(30) == 0, "the command did not end cleanly")


def axe(tab: Tab, where: str) -> None:
    """Raise Wrong for what axe-core finds."""
    tab.run((TOOLS / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = tab.ask(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) =>"
        " `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target + ' ' + (n.any[0]?.message ?? '')).slice(0, 3)}`))"
    )
    hold(not found, f"axe-core, {where}: {found}")


def quiet(tab: Tab, address: str, *, but: str = "status of 404") -> None:
    """Raise Wrong for a complaint of the console, and for anything that was asked of another address."""
    errors = [line for line in tab.errors if but not in line]
    hold(not errors, f"the console complained: {errors}")
    away = [url for url in tab.fetched if not url.startswith((address, "about:", "data:"))]
    hold(not away, f"asked of elsewhere: {away}")


def rows(uri: str) -> list[Row]:
    """Return the journal, read beside the page."""
    reader = open_journal(uri)
    try:
        return list(reader.rows(0, 1_000_000))
    finally:
        reader.close()


def counts(uri: str) -> dict[str, int]:
    """Count the decisions of a journal by outcome."""
    said = [row.body["decision"] for row in rows(uri) if row.kind == "decision"]
    return {word: sum(one["outcome"] == word for one in said) for word in ("allow", "deny")}


def shown(tab: Tab) -> dict[str, int]:
    """Return the totals that the page shows."""
    totals = "[...document.querySelectorAll('[data-total]')].map((b) => [b.dataset.total, b.textContent])"
    return {
        name: int(text.replace(",", ""))
        for name, text in tab.ask(f"Object.fromEntries({totals})").items()
        if name != "shadow"
    }


def trade(client: Any, count: int, *, too_large: bool = False) -> None:
    """Place orders; those that are too large are denied."""
    for number in range(count):
        ask = client.fetch_ticker(SYMBOL)["ask"]
        try:
            client.create_order(
                SYMBOL, "limit", "buy", 1 if too_large else 0.002, round(ask * (0.95 - number / 1e3), 2)
            )
        except Denied:
            hold(too_large, "an order was denied that should pass")


def real_run(browser: Browser, folder: Path) -> None:
    """Follow a bot from an empty page to a denied order that is found."""
    uri = f"sqlite:///{folder}/store.db"
    os.environ["POLICYKIT_BOT"] = "mm-1"
    policy = folder / "repaired.yaml"
    policy.write_text(_today((HERE / "repaired.yaml").read_text(encoding="utf-8")), encoding="utf-8")
    with dashboard(uri, folder) as (address, _):
        tab = browser.tab()
        tab.open(address)
        hold("No journal yet" in tab.ask("document.querySelector('h1').textContent"), "the empty page")
        axe(tab, "the empty page")
        with Sim(seed=7) as sim:
            use(sim.add_key())
            with Guard.load(policy, store=uri, testing=True, endpoint=sim.url) as guard:
                client = guard.protect(sim.client())
                trade(client, ORDERS)
                trade(client, 4, too_large=True)
                tab.until("document.querySelectorAll('[data-denial]').length >= 4")
                follow(tab, client, uri)
                look(browser, address, uri, folder)
        quiet(tab, address)
        tab.close()


def follow(tab: Tab, client: Any, uri: str) -> None:
    """Hold what the page shows to the journal, and see it change by itself."""
    tab.until(f"document.querySelector('[data-total=deny]').textContent === '{counts(uri)['deny']}'")
    hold(shown(tab) == counts(uri), f"the page shows {shown(tab)}, the journal has {counts(uri)}")
    hold(tab.ask("document.querySelector('#trading .big').textContent") == "ACTIVE", "trading is not said to be on")
    before = counts(uri)["deny"]
    started = time.monotonic()
    trade(client, 1, too_large=True)
    tab.until(f"document.querySelector('[data-total=deny]')?.textContent === '{before + 1}'")
    print(f"page: a new denial was on the page after {time.monotonic() - started:.1f} s, by itself")
    said = tab.until("document.querySelector('#said').textContent")
    hold(said.startswith("1 new denial: BTC/USDT risk."), f"a screen reader hears {said!r}")


def look(browser: Browser, address: str, uri: str, folder: Path) -> None:
    """Find a denied order starting from the page: by the list, by a filter, by the search."""
    denied = next(
        row for row in reversed(rows(uri)) if row.kind == "decision" and row.body["decision"]["outcome"] == "deny"
    )
    reason, ident = denied.body["decision"]["reasons"][0], denied.body["decision"]["id"]
    for width, dark in SIZES:
        tab = browser.tab(width, 1000, dark=dark)
        tab.open(f"{address}/")
        tab.until("document.querySelector('.chart canvas') && document.querySelector('#live').dataset.state === 'live'")
        axe(tab, f"the overview at {width}, {'dark' if dark else 'light'}")
        hold(tab.ask("document.documentElement.scrollWidth") <= width, f"the overview is wider than {width}")
        tab.draw(folder / f"page-overview-{width}-{'dark' if dark else 'light'}.png", whole=width < 600)
        tab.key("j", "j")
        tab.key("Enter")
        tab.until("location.pathname.startsWith('/order/') && document.readyState === 'complete'")
        hold(tab.ask("location.pathname") == f"/order/{ident}", "j and Enter do not open the newest denial")
        text = tab.ask("document.querySelector('main').innerText")
        for word in (reason["message"], reason["code"], ident, f"seq {denied.seq:,}"):
            hold(word in text, f"the order's page does not say {word!r}")
        axe(tab, f"the order at {width}, {'dark' if dark else 'light'}")
        tab.draw(folder / f"page-order-{width}-{'dark' if dark else 'light'}.png", whole=width < 600)
        quiet(tab, address)
        tab.close()
    tab = browser.tab()
    tab.open(f"{address}/")
    tab.key("/", "/")
    tab.type(ident[-6:])
    tab.key("Enter")
    tab.until(f"location.pathname === '/order/{ident}' || document.body.innerText.includes({ident!r})")
    tab.open(f"{address}/")
    tab.ask(f"(() => {{ const s = document.querySelector('select[name=check]'); s.value = {reason['check']!r};"
            " s.dispatchEvent(new Event('change', {bubbles: true})); })()")  # fmt: skip
    tab.until(f"location.search.includes('check={reason['check']}') && !!document.querySelector('a.clear')")
    listed = tab.until("[...document.querySelectorAll('[data-denial]')].map((row) => row.dataset.denial)")
    said = [row.body["decision"] for row in reversed(rows(uri)) if row.kind == "decision"]
    fits = [one["id"] for one in said if one["reasons"] and one["reasons"][0]["check"] == reason["check"]]
    hold(listed == fits, "the filter does not list what the journal has")
    tab.open(f"{address}/order/nothing-like-it")
    axe(tab, "what is not found")
    quiet(tab, address)
    tab.close()


def hostile(browser: Browser, folder: Path) -> None:
    """Show what others may have written; nothing of it may run."""
    uri = f"sqlite:///{folder}/hostile.db"
    store = open_store(uri)
    now_ms = time.time_ns() // 1_000_000
    reason = Reason("RISK_X", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, Place(HOSTILE, 1, 1))
    made_ = decision("01JD3V7K2N0000000000000001", (reason,), bot=HOSTILE, policy_name=HOSTILE)
    store.record(made_, now_ms)
    store.halt("all", "HALTED", HOSTILE, HOSTILE, now_ms)
    store.close()
    with dashboard(uri, folder) as (address, _):
        tab = browser.tab()
        for path in ("/", "/order/01JD3V7K2N0000000000000001", f"/?bot={urllib.request.quote(HOSTILE)}"):
            tab.open(address + path)
            tab.until("document.querySelector('main').innerText.includes('onerror=')")
            hold(tab.ask("window.ran") is None, f"{path}: what others wrote ran")
            hold(tab.ask("document.querySelector('main img, main script')") is None, f"{path}: it became markup")
            axe(tab, f"hostile text, {path[:8]}")
        quiet(tab, address)
        tab.close()


def long_journal(browser: Browser, folder: Path, decisions: int, goal_ms: float | None) -> None:
    """Measure a long journal: catching up, first paint, typing and scrolling, memory and the time of a question."""
    file = folder / f"long-{decisions}.db"
    total = made.write(file, made.life(decisions))
    with dashboard(f"sqlite:///{file}", folder) as (address, pid):
        tab = browser.tab()
        cold = paint(tab, address, "/?span=all")
        started = time.monotonic()
        tab.until(
            "!document.querySelector('progress') && document.querySelector('#live').dataset.state === 'live'", 1800
        )
        caught = time.monotonic() - started
        paints = sorted(
            paint(tab, address, path) for path in ("/?span=all", "/", "/?span=24h", "/?span=7d", "/?span=all")
        )
        slowest = long_tasks(tab, address)
        asked = statistics.median(answered(f"{address}/parts?span=all") for _ in range(9))
        order = statistics.median(answered(f"{address}/order/{made.ident(decisions // 2)}") for _ in range(9))
        memory = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) // 1024  # type: ignore[index]
        print(
            f"page: {decisions:,} decisions, {total:,} rows: first paint {cold:.0f} ms while it is read the first time"
            f" ({caught:.0f} s), then {paints[0]:.0f} to {paints[-1]:.0f} ms; overview answered in"
            f" {asked:.0f} ms, an order in {order:.0f} ms; {memory} MiB;"
            f" longest task while scrolling and typing {slowest:.0f} ms (0: none over 50)"
        )
        quiet(tab, address)
        tab.close()
        if goal_ms is not None:
            hold(paints[-1] < goal_ms, f"first paint took {paints[-1]:.0f} ms; under {goal_ms:.0f} is promised")


def paint(tab: Tab, address: str, path: str) -> float:
    """Return when something was first seen, ms after the page was asked for."""
    tab.open(address + path)
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    return float(tab.until(first))


def long_tasks(tab: Tab, address: str) -> float:
    """Return the longest task of the page while it is scrolled and typed into, ms; 0: none over 50."""
    tab.open(f"{address}/?span=all")
    tab.until("!!document.querySelector('.chart canvas')")
    tab.ask("window.long = []; new PerformanceObserver((l) => l.getEntries().forEach((e) => long.push(e.duration)))"
            ".observe({entryTypes: ['longtask']})")  # fmt: skip
    for step in range(20):
        tab.ask(f"scrollTo(0, {step * 150}); new Promise((done) => requestAnimationFrame(() => done(1)))")
    tab.key("/", "/")
    tab.type("01JD3V7K2M00000")
    return float(tab.ask("Math.max(0, ...long)"))


def answered(address: str) -> float:
    """Return how long a question takes, ms."""
    started = time.perf_counter()
    with urllib.request.urlopen(address, timeout=60) as answer:
        answer.read()
    return (time.perf_counter() - started) * 1000


def vendored() -> None:
    """Hold the page's copy of uPlot to the package that is pinned by its hash."""
    for name in ("uPlot.iife.min.js", "uPlot.min.css"):
        ours = TOP / "policykit" / "dashboard" / "static" / "uplot" / name
        hold(
            ours.read_bytes() == (TOOLS / "node_modules" / "uplot" / "dist" / name).read_bytes(), f"{name} was changed"
        )


def main() -> int:
    """Look; 0 when all is as it should be."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--keep", type=Path, help="keep the pictures in this folder")
    said.add_argument("--decisions", type=int, nargs="*", default=[100_000, 360_000], help="lengths of long journals")
    chosen = said.parse_args()
    try:
        install()
        vendored()
        with tempfile.TemporaryDirectory() as name, Browser() as browser:
            folder = Path(name)
            real_run(browser, folder)
            hostile(browser, folder)
            for number, decisions in enumerate(chosen.decisions):
                long_journal(browser, folder, decisions, MOST_PAINT_MS if not number else None)
            if chosen.keep is not None:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                for file in folder.glob("page-*.png"):
                    shutil.copy(file, chosen.keep)
    except (ToolsMissing, BrowserGone, Wrong) as error:
        print(f"page: {error}", file=sys.stderr)
        return 1
    print("page: the numbers are the journal's; axe-core, the console and the network say nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
