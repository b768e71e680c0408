"""`policykit run`: every ccxt client that a program makes is protected, with no change in the program.

The program is started with `run_site` at the front of PYTHONPATH. There Python's start-up hook waits for ccxt and calls
`install`, which loads the policy and lets ccxt's one constructor put each client behind the guard as it is made: sync,
async or pro, in this process, in forked ones and in those that it starts. What cannot be set up ends the program.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from weakref import WeakSet

from ccxt.base.errors import NotSupported

from policykit import exchanges
from policykit.clock import SystemClock
from policykit.errors import PolicykitError
from policykit.exchanges.client import check_endpoint, point
from policykit.guard.core import Guard
from policykit.guard.environment import HOSTS, hold_environment
from policykit.guard.foreign import foreign_class
from policykit.guard.gate import Gate
from policykit.guard.protect import protected_class, quiet
from policykit.guard.settings import choose_key, mode_named
from policykit.policy import load

#: The folder with the start-up hook.
SITE: Final = Path(__file__).parent / "run_site"
#: What the started program is told beside POLICYKIT_POLICY.
KEY: Final = "POLICYKIT_RUN_KEY"
ENDPOINT: Final = "POLICYKIT_RUN_ENDPOINT"
ALLOW_LOOSEN: Final = "POLICYKIT_RUN_ALLOW_LOOSEN"
#: Options under which Python reads no PYTHONPATH, or runs no start-up hook.
_DEAF: Final = "IES"
#: A first line of a script is read as far as this.
_SHEBANG: Final = 256


# ---- before the program starts


def environment(
    policy: str, key: str | None, endpoint: str | None, inherited: Mapping[str, str], *, allow_loosen: bool = False
) -> dict[str, str]:
    """Check everything that can be checked, and return the environment to start a program in.

    `allow_loosen`: the policy's file may be loosened while the program runs.

    Raise PolicyError, PolicykitError, or ValueError for an endpoint that cannot be.
    """
    effective = load(policy, now_ms=SystemClock().now_ms())
    mode_named()
    exchange = effective.model.exchange
    if exchanges.load_trading(exchange) is None:
        able = ", ".join(exchanges.trading())
        raise PolicykitError(f'{policy}: exchange is "{exchange}"; an exchange with an adapter is needed: {able}')
    told = {"POLICYKIT_POLICY": os.path.abspath(policy), KEY: choose_key(effective, key)}
    if endpoint is not None:
        told[ENDPOINT] = check_endpoint(endpoint)
    if allow_loosen:
        told[ALLOW_LOOSEN] = "1"
    behind = [entry for entry in inherited.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(SITE)]
    inherited = {name: value for name, value in inherited.items() if name != ALLOW_LOOSEN}  # each start says it anew
    return {**inherited, **told, "PYTHONPATH": os.pathsep.join((str(SITE), *behind))}


def program(command: Sequence[str]) -> str:
    """Return the path of a command's program. Raise PolicykitError when it cannot be found, or would not be protected.

    A Python with -I, -E or -S does not run the start-up hook, whether it is called so or by a script's first line.
    """
    found = shutil.which(command[0])
    if found is None:
        raise PolicykitError(f"{command[0]}: no such program; give its path, or one that PATH leads to")
    for called in (list(command), _shebang(found)):
        option = _deaf(called)
        if option is not None:
            raise PolicykitError(
                f"{command[0]}: Python runs with {option}, which keeps policykit out of it; start it without"
            )
    return found


def _shebang(path: str) -> list[str]:
    with open(path, "rb") as file:
        first = file.read(_SHEBANG).partition(b"\n")[0]
    return first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []


def _deaf(called: Sequence[str]) -> str | None:
    """Return the option with which a Python that is called so would not run the start-up hook."""
    names = [os.path.basename(word) for word in called]
    at = next((index for index, name in enumerate(names[:3]) if name.startswith(("python", "pypy"))), None)
    if at is None:
        return None
    words = iter(called[at + 1 :])
    for word in words:
        if not word.startswith("-") or word == "-":
            return None
        for place, letter in enumerate(word[1:] if word[:2] != "--" else "", 2):
            if letter in _DEAF:
                return word
            if letter in "cm":  # what follows is the program's
                return None
            if letter in "XW":  # what follows is the option's
                if place == len(word):
                    next(words, None)
                break
    return None


# ---- inside the program


class _Process:
    """The guard of this process. A forked child gets its own: a store's connection and a thread do not fork."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.gate: Gate | None = None
        self.running = False
        self.beginning: threading.Thread | None = None
        self.left_behind: list[Gate | None] = []
        #: What a forked child inherits, and its own guard has to know: they may trade without being made anew.
        self.clients: WeakSet[Any] = WeakSet()

    def forked(self) -> None:
        self.left_behind.append(self.gate)  # kept, not closed: the connection in it is the parent's
        self.lock, self.gate, self.running = threading.RLock(), None, False
        self.beginning = None

    def current(self) -> Gate:
        """Return the gate of this process, loading its guard when there is none."""
        with self.lock:
            if self.gate is None:
                endpoint = os.environ.get(ENDPOINT) or None
                key, loosen = os.environ.get(KEY) or None, bool(os.environ.get(ALLOW_LOOSEN))
                self.gate = Gate(Guard.load(key=key, endpoint=endpoint, allow_loosen=loosen))
                for client in self.clients:
                    self.gate.guard.signer.add(client)
                if self.clients:  # a child that only trades with what it inherited: nobody else starts it
                    self.maintain(waits=False)
            return self.gate

    def add(self, client: Any) -> None:
        """Take a client on: the guard of this process, and of those that are forked, says which key it signs with."""
        with self.lock:
            self.clients.add(client)
        self.current().guard.signer.add(client)

    def maintain(self, *, waits: bool = True) -> None:
        """Start the maintenance loop, once; it ends with the process. `waits`: until its first round is done."""
        with self.lock:
            gate = self.current()
            if self.running:
                return
            self.running = True
            if waits:
                gate.guard.__enter__()
            else:  # an order of the child may be an exit: it waits for no read
                self.beginning = threading.Thread(target=gate.guard.__enter__, name="policykit-begin", daemon=True)
                self.beginning.start()
            atexit.register(self.stop, gate.guard, os.getpid())

    def stop(self, guard: Guard, pid: int) -> None:
        if os.getpid() == pid:
            if self.beginning is not None:
                self.beginning.join()
            guard.__exit__()


PROCESS: Final = _Process()


def install(module: ModuleType) -> None:
    """Have every client protected that ccxt makes from now on. `module` is `ccxt.base.exchange`.

    Raise what a guard that cannot be loaded raises: then no client may be made.
    """
    PROCESS.current()
    os.register_at_fork(after_in_child=PROCESS.forked)
    base = next(cls for cls in module.Exchange.__mro__ if "__init__" in vars(cls))
    original = base.__init__

    @functools.wraps(original)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        adopt(self)

    base.__init__ = made


def current() -> Gate:
    """Return the gate of this process."""
    return PROCESS.current()


def adopt(client: Any) -> None:
    """Put a client that was just made behind the guard of this process; one of another exchange loses its keys."""
    guard, kind = current().guard, client.__class__
    # ccxt's constructor writes each property under its other name too.
    for other in ("policykitGate", "policykitSigning"):
        client.__dict__.pop(other, None)
    if client.id != guard.policy.model.exchange:
        if not hasattr(client, "_policykit_of"):
            # INVARIANT I15: on paper nothing like an order leaves, whatever the mode and the exchange.
            client.__class__ = foreign_class(kind, current, guard.mode == "shadow" and guard.paper is None)
        return
    quiet(client)
    if not hasattr(client, "_policykit_of"):
        client.__class__ = run_class(kind, paper=guard.paper is not None)
    if guard.endpoint is not None:
        client._policykit_at_home(guard)
    PROCESS.add(client)
    PROCESS.maintain()


@cache
def run_class(cls: Any, *, paper: bool) -> Any:
    """Make the class of a client under `policykit run` from the one that the program named; `paper` as in `protect`."""
    protected = protected_class(cls, paper=paper)
    return type(protected.__name__, (_Run, protected), {"__module__": cls.__module__, "_policykit_of": cls})


def again(cls: Any) -> Any:
    """Make an empty client behind the guard, for a copy to fill."""
    made = run_class(cls, paper=current().guard.paper is not None)
    return made.__new__(made)


class _Run:
    """What a client under `policykit run` does beside a protected one: it may be copied, forked, sent elsewhere."""

    urls: dict[str, Any]
    _policykit_of: type[Any]

    @property
    def policykit_gate(self) -> Gate:
        return current()

    @property
    def policykit_signing(self) -> Any:
        """Return one lock for all clients of a process: a client is copied and pickled, a lock cannot be."""
        return vars(current()).setdefault("signing", threading.RLock())

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Be behind the guard where a copy arrives: the class stands in no module."""
        return again, (self._policykit_of,), self.__getstate__()

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)
        PROCESS.add(self)

    def fetch2(self, *args: Any, **kwargs: Any) -> Any:
        gate = self.policykit_gate
        gate.adapter.set_validity(self, gate.guard.validity_ms)  # a bot's own recvWindow is not the policy's
        self._policykit_at_home(gate.guard)
        return super().fetch2(*args, **kwargs)  # type: ignore[misc]

    def _policykit_at_home(self, guard: Guard) -> None:
        """Keep the client at the endpoint, or hold its hosts against the environment whenever they were changed."""
        seen = self.__dict__.get(HOSTS)
        if seen is self.urls["api"]:
            return
        if guard.endpoint is not None:
            if seen is None:
                self.urls["api"] = self.urls.get("apiBackup", self.urls["api"])  # made for the sandbox
                point(self, guard.endpoint)
            else:
                self.urls["api"] = seen  # turned to the sandbox: the endpoint decides
        else:
            hold_environment(guard, self)
        self.__dict__[HOSTS] = self.urls["api"]

    def client(self, url: str) -> Any:
        if self.policykit_gate.guard.endpoint is not None:
            raise NotSupported("policykit: an endpoint has no websockets; use REST")
        return super().client(url)  # type: ignore[misc]
