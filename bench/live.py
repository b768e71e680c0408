"""`lint --live` of ten keys on five exchanges, beside the slowest of the five alone: simulated, 50 ms a request.

The exchanges run in a process of their own; every request is answered 50 ms after it came, as over a network. What is
measured is one process that takes the snapshots, ccxt's classes loaded: their import is what `cold` rows are about.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench._harness import Row

#: Where the keys are, two each: exchanges whose allowance lets them go on without a pause (the row would hide in it).
EXCHANGES = ("binance", "bybit", "coinbase", "deribit", "kucoin")
KEYS = 2
LATENCY_S = 0.05
ROUNDS = 7
_POLICY = """\
policykit: 1
name: {exchange}
owner: desk
exchange: {exchange}
account: {{name: main, currency: USDT}}
environment: live
keys:
"""
_KEY = "  k{index}:\n    purpose: tracking\n    secret: env://{exchange}-{index}\n    scopes: [read, trade.spot]\n"
#: What serves the exchanges: it prints their origins and keys, and ends with its standard input.
_SERVE = """
import json, sys
from contextlib import ExitStack
from policykit.sim import SimServer
with ExitStack() as stack:
    told = {}
    for exchange in sys.argv[3:]:
        sim = stack.enter_context(SimServer(dialect=exchange, latency=float(sys.argv[1])))
        keys = [sim.grant_key().credentials() for _ in range(int(sys.argv[2]))]
        told[exchange] = {"url": sim.url, "keys": keys}
    print(json.dumps(told), flush=True)
    sys.stdin.read()
"""


@contextmanager
def _exchanges() -> Iterator[Mapping[str, Any]]:
    command = [sys.executable, "-c", _SERVE, str(LATENCY_S), str(KEYS), *EXCHANGES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()  # type: ignore[union-attr]


def _seconds(told: Mapping[str, Any], exchanges: tuple[str, ...]) -> float:
    """Read these exchanges' keys and accounts in one run; return how long that took. Raise for what was not read."""
    from policykit.clock import SystemClock
    from policykit.exchanges.endpoints import endpoints
    from policykit.exchanges.session import Session
    from policykit.exchanges.snapshot import take_all
    from policykit.policy import load_text
    from policykit.redact import Secret
    from policykit.snapshot import Snapshot

    secrets = {
        f"env://{exchange}-{index}": {name: Secret(text) for name, text in key.items()}
        for exchange in exchanges
        for index, key in enumerate(told[exchange]["keys"])
    }
    policies = [
        load_text(
            _POLICY.format(exchange=exchange)
            + "".join(_KEY.format(exchange=exchange, index=index) for index in range(KEYS)),
            f"{exchange}.yaml",
        )
        for exchange in exchanges
    ]
    where = endpoints([f"{exchange}={told[exchange]['url']}" for exchange in exchanges])
    started = time.perf_counter()
    taken = take_all(Session(secrets.__getitem__, SystemClock(), where), policies)
    seconds = time.perf_counter() - started
    for one in taken:
        if not isinstance(one, Snapshot) or len(one.keys) != KEYS:
            raise RuntimeError(f"bench: live: {one} was not read whole")
    return seconds


def rows() -> list[Row]:
    """Return the row of SPEED on `--live`."""
    with _exchanges() as told:
        _seconds(told, EXCHANGES)  # ccxt's classes are loaded, connections are not kept
        rounds = [
            (max(_seconds(told, (exchange,)) for exchange in EXCHANGES), _seconds(told, EXCHANGES))
            for _ in range(ROUNDS)
        ]
    ratio = statistics.median(together / alone for alone, together in rounds)
    seconds = statistics.median(together for _, together in rounds)
    slowest = statistics.median(alone for alone, _ in rounds)
    note = f"at 50 ms a request; the slowest of the {len(EXCHANGES)} alone takes {slowest:.2f} s"
    return [Row("lint --live: 10 keys on 5 exchanges", 2.0, ratio, "x the slowest exchange alone", seconds, note)]
