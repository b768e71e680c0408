"""The way out of messages: a bounded queue and a thread for each target, so that a slow one delays nothing else."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from policykit import notify, secrets
from policykit.errors import PolicykitError, SecretUnavailable
from policykit.model.notify import Target
from policykit.notify import Sent, Tone
from policykit.redact import Secret, scrub, texts
from policykit.store import Store

#: Messages that wait for one target at most; further ones are dropped, counted and said.
MAX_WAITING: Final = 50
#: How often one message is tried, and the longest wait between two tries, seconds.
TRIES: Final = 4
MAX_WAIT_S: Final = 30
#: The longest that one try may take, seconds: apprise bounds each read, and an answer may come a byte at a time.
SEND_S: Final = 30.0
#: Tries of one target that were given up and still run; beyond it a message fails at once.
MAX_HANGING: Final = 8
#: How long the end of a guard waits for messages that are on their way, seconds.
CLOSE_S: Final = 5.0

_log = logging.getLogger("policykit.notify")


class Message(NamedTuple):
    """What one target is told. `about` goes into the journal with what came of it."""

    title: str
    body: str
    tone: Tone
    about: dict[str, Any]


class Outbox:
    """The targets of one process. Thread-safe; nothing here raises, and nothing waits but `close`."""

    def __init__(self, store: Store, now: Callable[[], int], *, wait_s: float = 1.0) -> None:
        self._store, self._now, self._wait_s = store, now, wait_s
        notify.prepare()  # here, at the start of a guard: beside trading it would take the bot's processor for a second
        self._lock = threading.Lock()
        #: By name, reference and process: a child of a fork has none of its parent's threads.
        self._lines: dict[tuple[str, str, int], _Line] = {}
        #: Messages that no target took, and that found no room.
        self.failed = 0
        self.dropped = 0

    def ready(self, name: str, target: Target) -> None:
        """Have a target's address read and looked at now, so that what is wrong with it is said before it counts."""
        self._line(name, target)

    def put(self, name: str, target: Target, message: Message) -> None:
        """Have a message sent."""
        line = self._line(name, target)
        try:
            line.waiting.put_nowait(message)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                _log.error("messages to %s are dropped: %d wait already", name, MAX_WAITING)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Send what waits, for at most so long, and end; what is left is in the journal as a cause, not as told."""
        with self._lock:
            lines = list(self._lines.values())
            self._lines.clear()
        for line in lines:
            line.end()
        for line in lines:
            line.thread.join(timeout_s / len(lines))
            line.over.set()

    def lost(self) -> int:
        """Return how many messages nobody got."""
        return self.failed + self.dropped

    def _line(self, name: str, target: Target) -> _Line:
        with self._lock:
            key = (name, target.secret, os.getpid())
            line = self._lines.get(key)
            if line is None:
                line = self._lines[key] = _Line(self, name, target.secret)
            return line

    def wrote(self, message: Message, name: str, sent: Sent) -> None:
        """Write down what came of a message, where that can be; a store that is down is what it may be about."""
        if not sent.ok:
            self.failed += 1
            _log.error('the message "%s" could not be sent to %s: %s', message.title, name, sent.words)
        body = {**message.about, "target": name, "ok": sent.ok, **({} if sent.ok else {"words": sent.words})}
        try:
            self._store.event("message", texts(body), self._now())
        except (PolicykitError, OSError) as error:
            _log.warning("that %s was told is not in the journal: %s", name, error)

    def send(
        self, send: Callable[[Secret, Message], Sent], address: Secret, message: Message, stop: threading.Event
    ) -> Sent:
        """Send one message, again after growing waits while it fails; `stop` leaves out the waits."""
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential
        from tenacity.nap import sleep_using_event

        tries = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=self._wait_s, max=MAX_WAIT_S),
            retry=retry_if_result(lambda sent: not sent.ok),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else Sent(False),
            sleep=sleep_using_event(stop),
        )
        done: Sent = tries(send, address, message)
        return done


class _Line:
    """One target: its queue, and the thread that empties it."""

    def __init__(self, outbox: Outbox, name: str, reference: str) -> None:
        self._outbox, self._name, self._reference = outbox, name, reference
        self.waiting: queue.Queue[Message | None] = queue.Queue(MAX_WAITING)
        self._stop = threading.Event()
        self._hanging: list[threading.Thread] = []
        #: Set when nobody waits any more: what is still in the queue is not sent.
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"policykit-notify-{name}", daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Have the thread end once its queue is empty; without room nothing more is sent."""
        self._stop.set()
        with suppress(queue.Full):
            self.waiting.put_nowait(None)

    def _run(self) -> None:
        address = self._address()
        if isinstance(address, Sent):
            _log.error("messages to %s cannot be sent: %s; trading goes on without them", self._name, address.words)
        while (message := self.waiting.get()) is not None and not self.over.is_set():
            if isinstance(address, Sent):
                address = self._address()  # it may have been put right since
            sent = address if isinstance(address, Sent) else self._outbox.send(self._send, address, message, self._stop)
            self._outbox.wrote(message, self._name, sent)
            if self._stop.is_set() and self.waiting.empty():
                return  # there was no room for the word that it is the end

    def _send(self, address: Secret, message: Message) -> Sent:
        """Send once, in at most SEND_S: what hangs is said, and keeps a thread of its own but no later message."""
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MAX_HANGING:
            return Sent(False, f"{MAX_HANGING} earlier tries still wait for the end of its answer")
        done: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        thread = threading.Thread(
            target=lambda: done.put(notify.send(address, message.title, message.body, message.tone)),
            name=f"policykit-notify-{self._name}-send",
            daemon=True,
        )
        try:
            thread.start()
        except RuntimeError:  # no threads left, or the interpreter is going down
            return notify.send(address, message.title, message.body, message.tone)
        try:
            return done.get(timeout=SEND_S)
        except queue.Empty:
            self._hanging.append(thread)
            return Sent(False, f"its answer did not end within {SEND_S:.0f} s")

    def _address(self) -> Secret | Sent:
        try:
            address = secrets.read_url(self._reference)
        except SecretUnavailable as error:
            return Sent(False, scrub(str(error)))
        except Exception as error:  # noqa: BLE001 - a manager's library may fail as it likes; its text is not ours
            return Sent(False, f"{type(error).__name__} while its address was read")
        return notify.problem(address) or address
