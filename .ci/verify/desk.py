"""A desk for the verify scripts: two bots on one simulated account and one store, and everything that can befall them.

One bot trades, one is in shadow mode; a candidate policy is judged beside the first; an order of it is lost on its way
and never found; the price falls after it bought; a stranger trades on the account; one scope is halted and resumed,
another stays halted; the exchange bans their address for a moment. All of it is real: stock ccxt, HTTP on loopback,
processes of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from policykit.testing import Sim

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
#: How long a bot may take to begin or to end, and a command to answer, seconds.
PATIENCE_S = 60
#: How long the exchange bans the desk's address, seconds.
BAN_S = 4
#: How old the bots' key is, days: within the policy's rotation, and not new.
KEY_AGE_DAYS = 80
#: The first order is lost on its way, and looking for it never gets an answer: its outcome stays unknown.
FAULTS = (
    {"at": "order", "do": "drop", "when": [1]},
    {"at": "lookup", "call": "GET /api/v3/order", "do": "drop", "ratio": 1},
)
POLICY = """\
policykit: 1
name: {name}
owner: desk-a
exchange: binance
account: {{name: main, kind: sub, currency: USDT, max_age: 30s, egress: this-host}}
environment: live
store: {{share: host}}
keys:
  mm-exec:
    purpose: execution
    secret: env://MM_EXEC
    scopes: [read, trade.spot]
    ip_allowlist:
      - {{address: 198.51.100.7, why: "execution host"}}
    rotation: {{every: 90d, warn_before: 14d, delete_old_within: 24h}}
    holders: [ops-lead]
clock: {{max_skew: 500ms, request_validity: 5s}}
rate_budgets:
  request-weight: {{limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}}
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  order_types: [limit]
  max_order_notional: {order}
  max_position_notional: 20% of equity
  max_gross_exposure: 50% of equity
  max_open_orders: 40
  max_orders: {{limit: 400, per: 1m}}
  price_collar: {{max_deviation: 10%, reference: mark}}
  daily_loss: {{limit: 3% of equity, day_starts: "00:00 UTC", on_breach: reduce_only}}
retry:
  orders: {{lookup_every: 500ms, when_absent: hold, attempts: 1, expires_after: 60s, wait: 2s}}
  data: {{wait_initial: 500ms, factor: 2, wait_max: 1s, jitter: full, attempts: 3}}
  reconnect: {{wait_initial: 1s, factor: 2, wait_max: 60s, jitter: full, max_per: {{limit: 50, per: 5m}}}}
kill_switch: {{cancel: entries, wait: 1s, rearm: {{by: [desk-head], reason_required: true}}, drill_every: 30d}}
reconciliation: {{on_start: required, orders_every: 5s, positions_every: 5s, tolerance: 5 USDT, on_breach: warn}}
"""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Desk:
    """The exchange, the store and the bots of one run: `with Desk(folder) as desk: ...`."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder}/store.db"
        kept = {name: str(folder) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME")}  # nothing of it stays
        self.environment = {**os.environ, "POLICYKIT_STORE": self.store, **kept, **(environment or {})}
        self.policy = folder / "mm.yaml"
        self.policy.write_text(POLICY.format(name="mm", order="1% of equity"), encoding="utf-8")
        self._candidate = folder / "candidate.yaml"
        self._candidate.write_text(POLICY.format(name="mm-next", order="100 USDT"), encoding="utf-8")
        self._stack = ExitStack()
        self._bots: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self.sim = self._stack.enter_context(Sim(seed=3, faults=FAULTS, balances={"USDT": 100_000}))
        self._stack.callback(self.end)
        key = self.sim.add_key(age_days=KEY_AGE_DAYS)
        self.environment |= {"MM_EXEC_API_KEY": key.key, "MM_EXEC_API_SECRET": key.secret}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self, bot: str, *, first: bool = False, **more: str) -> None:
        """Start a bot and wait until it trades; the first loses an order, has a stream and a candidate policy."""
        arguments = [str(self.policy), self.sim.url]
        arguments += [self.sim.ws_url, str(self._candidate)] if first else ["", ""]
        log = self._stack.enter_context((self.folder / f"{bot}.log").open("w", encoding="utf-8"))
        process = subprocess.Popen(
            [sys.executable, str(HERE / "desk_bot.py"), *arguments],
            env={**self.environment, "POLICYKIT_BOT": bot, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        self._bots.append(process)
        assert process.stdout is not None
        if process.stdout.readline().strip() != "trading":
            raise RuntimeError(f"the bot {bot} did not begin:\n{(self.folder / f'{bot}.log').read_text()[-2000:]}")

    def command(self, *arguments: str) -> str:
        """Run a policykit command on the desk's store; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "policykit.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stdout + done.stderr

    def befall(self) -> None:
        """Halt two scopes and resume one, lint; the price falls, a stranger trades, the exchange bans the address."""
        for scope in ("symbol:ETH/USDT", "bot:nobody"):
            self.command("kill", "--scope", scope, "--by", "desk-head", "--why", "verify")
        self.command(
            "resume", "--scope", "symbol:ETH/USDT", "--by", "desk-head", "--why", "verify", "--policy", str(self.policy)
        )
        self.command("lint", "--live", str(self.policy), "--endpoint", self.sim.url)
        stranger = self.sim.client()
        ask = stranger.fetch_ticker("ETH/USDT")["ask"]
        stranger.create_order("ETH/USDT", "limit", "buy", 0.5, ask * 1.01)
        self.sim.pin("BTC/USDT", round(stranger.fetch_ticker("BTC/USDT")["bid"] * 0.99, 2))
        banned = {"at": "market", "do": "ban", "seconds": BAN_S, "when": [1]}
        self.sim.strike(banned, FAULTS[1])

    def end(self) -> None:
        """End the bots, and wait for them."""
        for process in self._bots:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
        for process in self._bots:
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._bots.clear()
