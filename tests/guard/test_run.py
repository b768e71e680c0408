"""`policykit run`: programs that know nothing of policykit, started as users start them, on a simulated exchange."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from policykit.clock import SystemClock
from policykit.guard.run import ENDPOINT, SITE
from tests.guard.world import World, policy_text

#: A bot: makes clients in every way a process can, sends what it is told, and prints what became of it as JSON.
BOT = """
import asyncio, json, multiprocessing, os, sys
import ccxt, ccxt.pro

SETTINGS = {"apiKey": os.environ["BOT_KEY"], "secret": os.environ["BOT_SECRET"], "enableRateLimit": False}
SMALL, LARGE = ("BTC/USDT", "limit", "buy", 0.01, 50_000), ("BTC/USDT", "limit", "buy", 0.1, 50_000)

def buy(client, order):
    try:
        return client.create_order(*order)["status"]
    except ccxt.InvalidOrder as error:
        return str(error).split(":")[0]

async def abuy(order):
    client = ccxt.pro.binance(SETTINGS)
    try:
        return (await client.create_order(*order))["status"]
    except ccxt.InvalidOrder as error:
        return str(error).split(":")[0]
    finally:
        await client.close()

def child(queue):
    queue.put(buy(ccxt.binance(SETTINGS), LARGE))

def inherited(queue):
    queue.put([buy(CLIENT, LARGE), buy(CLIENT, SMALL)])

def in_process(method, target):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=target, args=(queue,))
    process.start()
    said = queue.get(timeout=60)
    process.join()
    return said

if __name__ == "__main__":
    CLIENT = getattr(ccxt, "binance")(SETTINGS)
    told = {
        "sync": [buy(CLIENT, SMALL), buy(CLIENT, LARGE)],
        "pro": asyncio.run(abuy(LARGE)),
        "fork": in_process("fork", inherited),
        "spawn": in_process("spawn", child),
        "sitecustomize": sys.modules["sitecustomize"].WHOSE,
    }
    print(json.dumps(told))
    sys.exit(7)
"""
#: What the machine has under the name of our start-up hook.
MACHINES = "WHOSE = 'the machine'"


@dataclass
class Runner:
    """Starts programs under `policykit run` in a folder of their own."""

    world: World
    folder: Path

    def start(self, *command: str, options: tuple[str, ...] = (), **env: str) -> subprocess.Popen[str]:
        """Start a command; `env` adds to the environment."""
        policy = ("--policy", str(self.world.policy), "--endpoint", self.world.sim.url)
        return subprocess.Popen(
            (sys.executable, "-m", "policykit.cli", "run", *policy, *options, "--", *command),
            cwd=self.folder,
            env={
                **os.environ,
                "POLICYKIT_STORE": self.world.store,
                "BOT_KEY": self.world.sim.key,
                "BOT_SECRET": self.world.sim.secret,
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, options: tuple[str, ...] = (), **env: str) -> tuple[int, str, str]:
        """Run a command; return its code and what it said."""
        process = self.start(*command, options=options, **env)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def program(self, text: str, **env: str) -> tuple[int, str, str]:
        """Run a program's text."""
        path = self.folder / "bot.py"
        path.write_text(text, encoding="utf-8")
        return self.run(sys.executable, str(path), **env)


@pytest.fixture
def runner(start: Callable[..., World], tmp_path: Path) -> Runner:
    """Give a runner on an exchange whose clock is the machine's."""
    sandbox = policy_text().replace("environment: live", "environment: sandbox")
    folder = tmp_path / "program"
    folder.mkdir()
    return Runner(start(clock=SystemClock(), text=sandbox), folder)


DENIED = "order.create denied"


def test_every_process_of_an_unchanged_program_is_protected(runner: Runner) -> None:
    """Sync and pro clients, forked and spawned processes: none sends what is denied; its exit code passes through.

    A `sitecustomize` that the machine has still runs.
    """
    (runner.folder / "machine").mkdir()
    (runner.folder / "machine" / "sitecustomize.py").write_text(MACHINES, encoding="utf-8")
    code, out, err = runner.program(BOT, PYTHONPATH=f"{runner.folder / 'machine'}:{os.environ.get('PYTHONPATH', '')}")
    assert (code, err) == (7, "")
    assert json.loads(out) == {
        "sync": ["open", DENIED],
        "pro": DENIED,
        "fork": [DENIED, "open"],
        "spawn": DENIED,
        "sitecustomize": "the machine",
    }
    assert [str(quantity) for _, quantity in runner.world.sent] == ["0.01", "0.01"]


def test_nothing_starts_without_its_policy(runner: Runner) -> None:
    """A policy that cannot be used ends the call with code 2 before the program, and says what is wrong with it."""
    text = runner.world.policy.read_text(encoding="utf-8").replace("max_open_orders: 20", "max_open_order: 20")
    runner.world.policy.write_text(text, encoding="utf-8")
    code, out, err = runner.program("print('started')")
    assert (code, out) == (2, "")
    assert "mm.yaml:17:3" in err
    assert "max_open_orders" in err
    assert err.endswith(f"policykit run: {sys.executable} was not started\n")


def test_a_program_cannot_outlive_its_policy(runner: Runner, tmp_path: Path) -> None:
    """A process that cannot load the policy any more cannot import ccxt either; one that does not trade goes on."""
    env = {**os.environ, "PYTHONPATH": f"{SITE}:{os.environ.get('PYTHONPATH', '')}"}
    env |= {"POLICYKIT_POLICY": str(tmp_path / "gone.yaml"), ENDPOINT: runner.world.sim.url}
    text = "print('alive', flush=True)\ntry:\n    import ccxt\nexcept Exception:\n    pass\nprint('traded')"
    done = subprocess.run((sys.executable, "-c", text), env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "alive\n")
    assert done.stderr.endswith("policykit run: nothing was started without its policy\n")
    assert "gone.yaml" in done.stderr


def test_a_python_without_policykit_cannot_import_ccxt(tmp_path: Path) -> None:
    """The program's own interpreter must have policykit; it says which one has not, and how to mend that."""
    package = tmp_path / "ccxt" / "base"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "exchange.py").touch()
    python = Path(sys.base_prefix) / "bin" / "python3"
    done = subprocess.run(
        (str(python), "-c", "import ccxt.base.exchange"),
        env={"PYTHONPATH": f"{SITE}:{tmp_path}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == (
        f"policykit run: {python} has no policykit; install it there: {python} -m pip install policykit-trading"
    )


def test_a_signal_reaches_the_program(runner: Runner) -> None:
    """The program takes the place of `policykit run`: what is sent to one is sent to the other."""
    text = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
    text += "print('up', flush=True)\nsignal.pause()"
    with runner.start(sys.executable, "-c", text) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 9
