"""The way out of messages: what one target does to its own line, and to nothing else."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from policykit.guard import outbox
from policykit.model.notify import Target
from policykit.notify import Sent
from policykit.redact import Secret
from policykit.store.memory import MemoryStore
from tests.canary import canaries, leaks
from tests.telemetry.nouns import AT_MS


def test_an_answer_that_never_ends_is_said_and_keeps_no_later_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that answers a byte a second was waited for in silence, and nothing more was told by it."""
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1/in")
    end, hangs, sent = threading.Event(), [True] * outbox.MAX_HANGING, []

    def send(address: Any, title: str, body: str, tone: str) -> Sent:
        if hangs:
            hangs.pop()
            end.wait(30)
        sent.append(title)
        return Sent(True)

    monkeypatch.setattr("policykit.notify.send", send)
    monkeypatch.setattr(outbox, "SEND_S", 0.02)
    store = MemoryStore()
    box = outbox.Outbox(store, lambda: AT_MS, wait_s=0)
    target = Target(secret="env://OPS")
    for number in range(outbox.MAX_HANGING // outbox.TRIES + 1):
        box.put("ops", target, outbox.Message(str(number), "b", "warning", {"cause": "halt"}))
    (line,) = box._lines.values()
    box.close(30)
    assert not line.thread.is_alive()
    late, full = "its answer did not end within 0 s", "8 earlier tries still wait for the end of its answer"
    assert [(row.body["ok"], row.body["words"]) for row in store.rows()] == [
        (False, late),
        (False, late),
        (False, full),
    ]
    assert (box.lost(), sent) == (3, [])
    end.set()
    for thread in line._hanging:
        thread.join(30)
    assert line._send(Secret("json://127.0.0.1/in"), outbox.Message("after", "b", "warning", {})) == Sent(True)
    assert line._hanging == []


def test_I23_what_is_journaled_of_a_message_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subject is a foreign word, a bot's name or a scope, as its text is."""
    (bird,) = canaries(seed=23, count=1)
    Secret(bird)
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1/in")
    monkeypatch.setattr("policykit.notify.send", lambda *_: Sent(True))
    store = MemoryStore()
    box = outbox.Outbox(store, lambda: AT_MS, wait_s=0)
    about = {"cause": "halt", "subject": f"bot:{bird}", "text": f"halted for {bird}"}
    box.put("ops", Target(secret="env://OPS"), outbox.Message("t", "b", "warning", about))
    box.close(30)
    (row,) = store.rows()
    assert row.body["ok"]
    assert not leaks(repr(row), [bird])
