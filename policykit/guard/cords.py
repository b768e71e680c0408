"""The cords that stop a guard from outside its store: a file that is there, a signal, an environment variable.

Each halts the guard's account in the store, as `policykit kill` does, and latches: what pulled it may go, the halt
stays until `policykit resume`. While the store takes no halt the guard keeps it, denies what increases by it, and
writes it as soon as the store is there again.
"""

from __future__ import annotations

import os
import signal as signals
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from policykit.engine.facts import Halt
from policykit.errors import StoreUnavailable
from policykit.redact import scrub
from policykit.store.halting import kill_file, kill_files

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: The variable that halts a guard at its start, whatever it says.
HALT_VARIABLE: Final = "POLICYKIT_HALT"
#: A decision looks for the files again after so long, ms; the maintenance loop looks this often as well.
LOOK_EVERY_MS: Final = 50
#: A halt that the store did not take is tried again by decisions after so long, ms: a store that is down is slow.
AGAIN_MS: Final = 5_000
#: A decision waits so long for a look at the files, seconds of the machine: a mount that hangs holds up no exit.
ANSWER_S: Final = 0.02
#: A file system that has said nothing for so long, seconds of the machine, is one that cannot be read.
SILENT_S: Final = 1.0


class Cords:
    """The cords of one guard. Thread-safe: each step is one assignment, and a halt that is set twice is one halt."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        #: A halt that the store has not taken yet.
        self._pending: Halt | None = None
        #: Why a file that was named cannot be looked for: (reason code, message).
        self._unread: tuple[str, str] | None = None
        #: A look at the files that has not come back.
        self._out: _Look | None = None
        self._signal = ""
        #: The handlers that are its own, by signal.
        self._handlers: dict[int, Any] = {}
        self._next_ms = 0.0
        self._retry_ms = 0.0

    @property
    def files(self) -> list[str]:
        """The files whose existence halts: the policy's, the environment's, and the usual one."""
        switch = self._guard.policy.model.kill_switch
        named = [] if switch is None or switch.file is None else [switch.file]
        folder = os.path.dirname(os.path.abspath(self._guard.policy.file))
        named = [os.path.join(folder, file) for file in named]
        return [*named, *kill_files()]

    def on_signal(self, number: int) -> None:
        """Have a signal halt this guard; a handler that was there before is called as well. Main thread only."""
        before: Any = signals.getsignal(number)
        if before is not None and before is self._handlers.get(number):
            return
        name = signals.Signals(number).name

        def handler(received: int, frame: FrameType | None) -> None:
            # Nothing else: the interpreter may be inside the store, or hold any lock, when this runs.
            self._signal = name
            if callable(before) and before is not signals.default_int_handler:
                before(received, frame)

        self._handlers[number] = handler
        signals.signal(number, handler)

    def at_start(self) -> None:
        """Halt if the environment says so."""
        said = os.environ.get(HALT_VARIABLE)
        if said:
            self.pull("environment", f"{HALT_VARIABLE} is set: {scrub(said)}")

    @property
    def problem(self) -> tuple[str, str] | None:
        """Why increases are denied, beside halts of the store: one that it did not take, or a file that is not seen."""
        if self._pending is None:
            return self._unread
        return "HALT_PENDING", f"{self._pending.why}; the store has not taken the halt yet"

    def due(self) -> bool:
        """Tell whether it is time to look: what each decision asks, so it costs next to nothing."""
        return bool(self._signal) or self._guard.clock.monotonic_ms() >= self._next_ms

    def look(self) -> None:
        """Look for signals and files, and halt the account where one is there."""
        now = self._guard.clock.monotonic_ms()
        self._next_ms = now + LOOK_EVERY_MS
        if self._pending is not None and now >= self._retry_ms:
            self._write(self._pending)
        name, self._signal = self._signal, ""
        if name:
            self.pull("signal", f"this process received {name}")
        self._look_for_files()

    def _look_for_files(self) -> None:
        """Look on a thread of its own: a network file system may answer never."""
        look = self._out
        if look is None:
            look = _Look(self.files)
            look.start()  # before others can see it: who joins a thread must find it started
            self._out = look
        look.join(ANSWER_S)
        if look.is_alive():
            if time.monotonic() - look.since > SILENT_S:
                said = f"one of {', '.join(look.files)} cannot be looked for (its file system is silent)"
                self._unread = ("KILL_FILE_UNREAD", said)
            return
        self._out, self._unread = None, None
        for file, why in look.found:
            if not why:
                self.pull("file", f"{file} is there")
            elif file != kill_file():  # nobody may have made its folder for this user
                self._unread = ("KILL_FILE_UNREAD", f"{file} cannot be looked for ({why})")

    def pull(self, by: str, why: str) -> None:
        """Halt the guard's account unless it is halted."""
        guard, scope = self._guard, f"account:{self._guard.account}"
        if self._pending is not None or any(
            h.scope in (scope, "all") and h.state == "HALTED" and not h.drill for h in guard.facts().halts
        ):
            return
        halt = Halt(scope, "HALTED", by, f"{why} on {guard.host}", guard.now())
        self._pending = halt
        self._write(halt)

    def _write(self, halt: Halt) -> None:
        self._retry_ms = self._guard.clock.monotonic_ms() + AGAIN_MS
        try:
            self._guard.halt(halt.scope, halt.state, halt.by, halt.why)
        except StoreUnavailable:
            return
        self._pending = None


class _Look(threading.Thread):
    """One look at the files. `found`: those that are there, and those of which it cannot be told, with why."""

    def __init__(self, files: list[str]) -> None:
        super().__init__(name="policykit-kill-file", daemon=True)
        self.files = files
        self.found: list[tuple[str, str]] = []
        self.since = time.monotonic()

    def run(self) -> None:
        for file in self.files:
            try:
                os.stat(file)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                self.found.append((file, type(error).__name__))
            else:
                self.found.append((file, ""))
