"""Several simulated exchanges with a policy each, and the command over them: real HTTP, a real store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.operate.incident.book import Book
from policykit.operate.incident.hands import RealHands
from policykit.operate.incident.runner import Runner
from policykit.operate.incident.start import new, opened
from policykit.sim import SimKey, SimServer
from policykit.store import Store, open_store
from policykit.testing import Sim

POLICY = """\
policykit: 1
name: {name}
owner: desk-a
exchange: {exchange}
account: {{name: main, currency: USDT}}
keys:
  {name}-exec:
    purpose: execution
    secret: env://{prefix}_EXEC
    scopes: [read, trade.spot]
  {name}-glass:
    purpose: break_glass
    secret: env://{prefix}_GLASS
    scopes: [read, trade.spot]
risk: {{symbols: ["BTC/USDT", "ETH/USDT"]}}
withdrawals: {{allowlist: required, addresses: [bc1q-cold-store]}}
"""


class Said(NamedTuple):
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return its JSON."""
        return json.loads(self.out)


class Desk:
    """The exchanges, their policies under `policies/`, and the commands."""

    def __init__(
        self, folder: Path, sims: dict[str, Sim], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.sims, self._capsys = folder, sims, capsys
        self.keys: dict[str, SimKey] = {}
        (folder / "policies").mkdir()
        self.uri = f"sqlite:///{folder}/store.db"
        patch.chdir(folder)
        patch.setenv("POLICYKIT_STORE", self.uri)
        for exchange, sim in sims.items():
            text = POLICY.format(name=exchange, exchange=exchange, prefix=exchange.upper())
            (folder / "policies" / f"{exchange}.yaml").write_text(text)
            for part, key in (("EXEC", sim.main_key), ("GLASS", sim.grant_key(addresses=["127.0.0.1"]))):
                self.keys[f"{exchange}-{part.lower()}"] = key
                for name, value in key.credentials().items():
                    patch.setenv(f"{exchange.upper()}_{part}_{name.upper()}", value)

    def incident(self, *words: str) -> Said:
        """Run `policykit incident ...` here."""
        code = main(["incident", *words])
        out, err = self._capsys.readouterr()
        return Said(code, out, err)

    def start(self, *words: str, gone: Sequence[str] = ()) -> Said:
        """Start an incident over the exchanges; those of `gone` are asked where nobody answers."""
        endpoints: list[str] = []
        for exchange, sim in self.sims.items():
            endpoints += ["--endpoint", f"{exchange}={'http://127.0.0.1:9' if exchange in gone else sim.url}"]
        return self.incident("start", *words, "--by", "alice", "--why", "secret in a log", *endpoints)

    def step(self, name: str, *words: str, by: str = "bob") -> Said:
        """Say something of a step."""
        return self.incident("step", name, *words, "--by", by, "--why", "seen in the page")

    def steps(self) -> dict[str, dict[str, Any]]:
        """Return every step as `status --format json` tells it."""
        return {step["id"]: step for step in self.incident("status", "--format", "json").json()["steps"]}

    def delete(self, name: str) -> None:
        """Delete a key, as a person does in the web page."""
        sim = self.sims[name.partition("-")[0]]
        del sim._keys[self.keys[name].key]  # the web page is not simulated

    def store(self) -> Store:
        """Return the store."""
        return open_store(self.uri)


Make = Callable[..., Desk]


@contextmanager
def desk(
    folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], exchanges: Sequence[str], **setup: Any
) -> Iterator[Desk]:
    """Start the exchanges, and stop them; `clock` is theirs."""
    with ExitStack() as running:
        sims = {name: running.enter_context(Sim(dialect=name, seed=3, amplitude=0, **setup)) for name in exchanges}
        yield Desk(folder, sims, patch, capsys)


def rest(sim: SimServer, count: int = 3, price: int = 20_000) -> None:
    """Let a bot's orders rest on spot, far from the price."""
    for number in range(count):
        sim.order("BTC/USDT", "buy", "0.01", price + number)


def left(sim: SimServer) -> int:
    """Return how many orders are open at the exchange, in truth."""
    return sum(order.is_open for order in sim.venue.orders.values())


class Skipping(SystemClock):
    """A clock whose waits cost nothing: each moves it on. Threads share it."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + int(self._skipped)

    def monotonic_ms(self) -> float:
        return super().monotonic_ms() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += seconds * 1000


def begun(desk: Desk, clock: Skipping, gone: Sequence[str] = (), **options: Any) -> Book:
    """Begin an incident of every key on another clock; `run` does what is to be done."""
    endpoints = [f"{n}={'http://127.0.0.1:9' if n in gone else sim.url}" for n, sim in desk.sims.items()]
    said = {
        "everything": True,
        "why": "leak",
        **dict.fromkeys(("exchange", "detected", "since", "good", "master", "sub_account", "freeze", "keep_exits")),
    }
    head, _ = new(clock, ("policies",), (), {"name": "alice"}, endpoints, said | options)
    return opened(clock, desk.uri, {**head, "freeze": False, "keep_exits": False, "claim": CLAIM})


CLAIM = {"name": "alice", "proof": "claimed", "os_user": "alice", "host": "h"}


def run(book: Book, desk: Desk) -> list[str]:
    """Do what policykit can; return what was told, in order: `00:00 cancel/binance/main done`."""
    told: list[str] = []
    hands = RealHands(book, book.clock, book.head["endpoints"], desk.uri)
    Runner(book, hands, lambda task, row: told.append(f"{task.id} {row['state']}")).run()
    return told
