"""Two containers' worth of processes on one bind-mounted directory, recreated during a halt: still halted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.guard.world import policy_text

#: What runs in a container: one order a line of stdin, and what became of it a line of stdout.
BOT = """
import socket, sys
from policykit.errors import Denied
from policykit.guard import Guard, enforce

policy, folder = sys.argv[1:]
guard = Guard.load(policy, store=f"sqlite:///{folder}/store.db", testing=True)

@enforce("order.create", guard=guard)
def order(symbol, side, amount, price):
    return "sent"

def one(word):
    if word == "halt":
        return f"generation {guard.store.halt('all', 'HALTED', 'desk-head', 'a drill', guard.now())[0]}"
    if word == "resume":
        return f"lifted {guard.store.resume('all', 'desk-head', 'the drill is over', guard.now())}"
    guard.observe(equity="100000 USDT", positions={"BTC/USDT": "1"}, marks={"BTC/USDT": "60000"},
                  net_transfers="0 USDT", skew_ms=0)
    try:
        return order("BTC/USDT", word, 0.01, 60_000)
    except Denied as denied:
        return denied.decision.reasons[0].code

print(socket.gethostname(), flush=True)
for line in sys.stdin:
    print(one(line.strip()), flush=True)
"""
#: Own users, mounts and host name, as a container has them; the directory is mounted where only it sees it.
CONTAINER = 'hostname "$1" && mount --bind "$2" "$3" && shift 3 && exec "$@"'


class Box:
    """One container: `box("buy")` says what became of a buy in it."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.host = ""

    def ready(self) -> None:
        """Wait until it runs."""
        self.host = self._read()

    def __call__(self, word: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as `docker kill` does: at once, in the middle of whatever it does."""
        self._process.kill()
        self._process.communicate()


def command(folder: Path, name: str, *, mounted: bool) -> list[str]:
    """Return what starts a container: its own directory, onto which the shared one is mounted."""
    (folder / "bot.py").write_text(BOT)
    (folder / "policy.yaml").write_text(policy_text(order="1500 USDT", position="900% of equity"))
    shared, inside = folder / "shared", folder / name
    shared.mkdir(exist_ok=True)
    inside.mkdir()
    bot = [sys.executable, str(folder / "bot.py"), str(folder / "policy.yaml")]
    if not mounted:
        return [*bot, str(shared)]
    own = ["unshare", "--user", "--map-root-user", "--mount", "--uts", "sh", "-c", CONTAINER, "sh"]
    return [*own, name, str(shared), str(inside), *bot, str(inside)]


def may_mount() -> bool:
    """Tell whether this host lets a test mount in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--user", "--map-root-user", "--mount", "--uts", "mount", "--bind", "/usr", "/usr"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@contextmanager
def running(folder: Path, *names: str, mounted: bool) -> Iterator[list[Box]]:
    """Run containers; whatever happens, none is left."""
    with ExitStack() as stack:
        boxes = []
        for name in names:
            boxes.append(Box(command(folder, name, mounted=mounted)))
            stack.callback(boxes[-1].kill)
        for box in boxes:
            box.ready()
        yield boxes


def test_I15_containers_that_are_recreated_during_a_halt_are_halted(tmp_path: Path) -> None:
    """A halt by one stops the other; killed and made anew, with other names, both are still halted and may still exit.

    Where this host lets nobody mount in a user namespace, they are processes on one directory.
    """
    mounted = may_mount()
    with running(tmp_path, "box-1", "box-2", mounted=mounted) as (one, two):
        assert (one("buy"), two("buy")) == ("sent", "sent")
        assert one("halt") == "generation 1"
        assert (two("buy"), one("buy"), two("sell")) == ("TRADING_HALTED", "TRADING_HALTED", "sent")
    with running(tmp_path, "box-3", "box-4", mounted=mounted) as (three, four):
        assert (three.host, four.host) == ("box-3", "box-4") or not mounted
        assert (three("buy"), four("buy"), three("sell")) == ("TRADING_HALTED", "TRADING_HALTED", "sent")
        assert four("resume") == "lifted 1"
        assert (three("buy"), four("buy")) == ("sent", "sent")
    assert (tmp_path / "box-1" / "store.db").exists() is False  # what was mounted was seen in the container only
