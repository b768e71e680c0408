"""A grant on a valkey server, all holds and the intent in one round trip: beside a PING of the same client."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from bench._harness import Row, interleave, row
from bench.store import HOLDS, MOST, NOW_MS, STEP_MS, made
from policykit.store import valkey_state as keys
from policykit.store.codec import intent_to_dict
from policykit.store.leases import PART, Leases
from policykit.store.valkey import ValkeyStore
from policykit.store.valkey_server import PING
from tests.store.servers import ValkeyServer

GOAL = 2.5  # SPEED: all holds and the intent's recovery data in one call
LEASE_GOAL = 1 / 30  # SPEED: a leased slice of a shared rate budget
WHOLE_GOAL = 3.0  # the same with the host's journal, synced to disk, beside the bare insert it cannot save
ROUNDS = 15


def step(store: ValkeyStore) -> Callable[[], object]:
    """Return a call that grants one new order, without the journal."""
    orders = iter([made(NOW_MS + tick * STEP_MS) for tick in range(MOST)])

    def one() -> object:
        decision, intent = next(orders)
        record = keys.new_record(intent_to_dict(intent), keys.claimed(HOLDS))
        answer = store._step(decision.at_ms, HOLDS, generation=0, account=intent.account, intent=intent, record=record)
        assert answer.status == "ok"
        return answer

    return one


def rows() -> list[Row]:
    """Return SPEED's rows of the valkey store."""
    here = Path(__file__).parent / "out"
    here.mkdir(exist_ok=True)  # on the disk of the project: a temporary folder may be in memory
    with tempfile.TemporaryDirectory(dir=here) as folder:
        server = ValkeyServer(Path(folder) / "server")
        try:
            store = ValkeyStore(server.uri(), Path(folder) / "journal.db", server_time=False)
            lease, leasing = Leases(first=PART), ValkeyStore(server.uri("lease"), Path(folder) / "lease.db")
            ping = store._server.ask
            spent = (HOLDS[2],)
            figures = interleave(
                {
                    "grant": step(store),
                    "PING": lambda: ping(PING),
                    "lease": lambda: lease.use(leasing.used_at, spent, NOW_MS),
                },
                rounds=ROUNDS,
            )
        finally:
            server.kill()
    note = f"{len(HOLDS)} holds and the intent; its server runs on the same machine"
    return [
        row("grant with intent, valkey", figures, "grant", "PING", GOAL, note=note),
        row("use of a leased rate budget, valkey", figures, "lease", "PING", LEASE_GOAL),
    ]
