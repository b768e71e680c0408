"""Prove that two versions of the library work on one sqlite store: this one, and the last one of an earlier layout.

The old one comes out of git's history. Processes of both reserve from one cap at once, each halts and each sees the
other's halts; then both must read the same state, the cap must be spent to the last order, and the chain must be whole.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
#: The last commit of layout 1; its files have no `meta.layout` and no application id.
OLD = "211e2d0"
WORKERS, TRIES = 2, 300
#: Three of five tries are granted.
CAP = 2 * WORKERS * TRIES * 3 // 5
SECONDS = 120

WORKER = """
import json, sys
from decimal import Decimal
from policykit.decision import Decision, Hold
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome
from policykit.store import Observation
from policykit.store.sqlite import SqliteStore

NOW, ACCOUNT = 1_795_255_200_000, "binance/main"
path, act, tries, cap = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = SqliteStore(path)
granted = 0
for number in range(tries):
    name = new_id()
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.1"), Decimal(60_000))
    holds = (
        Hold(f"{ACCOUNT}|orders|86400000", 1, cap, "window", "risk.max_orders", 86_400_000),
        Hold(f"{ACCOUNT}|open_orders", 1, 10**9, "sum", "risk.max_open_orders"),
        Hold(f"{ACCOUNT}|position|BTC", 10**7, 10**12, "position", "risk.max_position_notional"),
    )
    intent = Intent(name, ACCOUNT, order, "pk" + name, "order", holds, False, "bot", "host", 1, NOW, NOW + 250, 5_000)
    decision = Decision(name, "allow", "enforce", "order.create", order, "mm", "sha256:0", "bot", NOW)
    if store.reserve(decision, intent, holds, 0, NOW).granted:
        granted += 1
        ends = {0: ("rejected", {}), 1: ("settled", {"filled": Decimal("0.1"), "closed": True}), 2: ("unknown", {})}
        state, more = ends[number % 3]
        store.outcome(name, Outcome(state, NOW + 1, **more))
if act == "observe":
    store.observe(ACCOUNT, Observation(NOW, NOW, equity=Decimal(10**6), positions={"BTC": Decimal(1)}), NOW)
    store.announce(ACCOUNT, "USDT", {"name": "mm"}, NOW)
    store.checkpoint()
if act.startswith("bot:"):
    store.halt(act, "HALTED", "desk", "a drill", NOW)
position = store.facts(ACCOUNT, "x").positions.get("BTC")
print(json.dumps({
    "granted": granted,
    "open": sorted(intent.id for intent in store.intents()),
    "halts": sorted(halt.scope for halt in store.halts()),
    "position": [str(position.low), str(position.high)] if position else None,
    "chain": store.verify(),
}))
"""


def checkout(folder: Path) -> Path:
    """Take the old library out of git's history."""
    done = subprocess.run(["git", "archive", OLD, "policykit"], cwd=TOP, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"versions: commit {OLD} is not in this clone; a whole clone is needed")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def start(library: Path, store: Path, act: str = "", tries: int = 0) -> subprocess.Popen[str]:
    """Run one worker on one version."""
    environment = {**os.environ, "PYTHONPATH": str(library)}
    command = [sys.executable, "-c", WORKER, str(store), act, str(tries), str(CAP)]
    return subprocess.Popen(command, cwd=library, env=environment, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> dict[str, object]:
    """Return what a worker printed."""
    out, _ = process.communicate(timeout=SECONDS)
    if process.returncode != 0:
        raise SystemExit("versions: a worker failed")
    said: dict[str, object] = json.loads(out)
    return said


def proved(folder: Path) -> list[str]:
    """Run both versions on one file; return what is wrong."""
    old, new, store = checkout(folder / "old"), TOP, folder / "store.db"
    told(start(old, store, tries=0))  # the old version lays the file out
    told(start(new, store, "observe"))  # and the new one brings it to its own layout, and keeps a checkpoint
    workers = [start(library, store, tries=TRIES) for library in (old, new) * WORKERS]
    granted = [int(str(told(worker)["granted"])) for worker in workers]
    told(start(old, store, "bot:a"))
    told(start(new, store, "bot:b"))
    told(start(old, store, "observe"))  # a checkpoint of the old one, for the new one to pass over
    ends = {"old": told(start(old, store)), "new": told(start(new, store))}
    print(f"versions: {OLD} and this one on one file: granted {granted}, together {sum(granted)} of {CAP}")
    wrong = []
    if sum(granted) != CAP or not all(granted):
        wrong.append("the cap was not spent by both, to the last order and not beyond")
    if ends["old"] != ends["new"]:
        wrong.append(f"they read different states: {ends}")
    if ends["new"]["halts"] != ["bot:a", "bot:b"]:
        wrong.append("a halt of one is not seen by the other")
    return wrong


def main() -> int:
    """Print what was proved; return 1 if it was not."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = proved(Path(folder))
    for line in wrong:
        print(f"versions: {line[:2_000]}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
