"""`keyring://SERVICE/USER`: one entry of the login keyring of this machine, a JSON object, through keyring.

The last part of the path is the user, what stands before it the service. The object has the fields api_key, api_secret
and, where needed, passphrase, private_key, uid, wallet.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from policykit.redact import Secret, quiet
from policykit.secrets.base import (
    NAMES,
    Fact,
    Names,
    Problem,
    Reference,
    changed,
    decoded,
    fetch,
    library,
    reading,
    settled,
    store,
    unseen,
)

FORM: Final = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+\Z")
NEEDS: Final = "keyring:// needs a service and a user of letters, digits, . _ - (keyring://trading/mm)"
#: How long a keyring may take, in seconds: it may be asking a person for a password.
ANSWER_SECONDS: Final = 60

_MISSING = Problem("there is no entry", "write it first, or correct the service and the user", absent=True)
_LOCKED = Problem("the keyring is locked", "unlock it: log in to the desktop, or use another source on a server")
_NONE = Problem("this machine has no keyring", "use vault://, aws-sm://, azure-kv:// or env:// here", "no")
_SLOW = Problem(f"the keyring did not answer in {ANSWER_SECONDS} s", "see whether it asks for a password", "no")
_FAILED = Problem("the keyring failed", "see whether its service runs", "no")
#: Error class of keyring -> what it means; by name, so that keyring is imported only when it is used.
_CLASSES: Final = {
    "KeyringLocked": _LOCKED,
    "NoKeyringError": _NONE,
    "PasswordSetError": Problem("the keyring refuses the entry", "unlock it, or see whether it may be written"),
}
#: Back-ends by module: whether they encrypt what they store. The ones of a desktop do, each its own way; the plain-text
#: ones say so in their names (keyring 25.7.0, `keyring/backends`; keyrings.alt 5.0.2, `keyrings/alt/file.py`).
_DESKTOP: Final = ("keyring.backends.SecretService", "keyring.backends.libsecret", "keyring.backends.kwallet",
                   "keyring.backends.macOS", "keyring.backends.Windows")  # fmt: skip

Found = TypeVar("Found")


class Server:
    """One conversation with the back-end about one entry."""

    def __init__(self, module: Any, reference: Reference) -> None:
        self.module = module
        self.service, _, self.user = reference.path.rpartition("/")

    def current(self) -> dict[str, object] | Problem:
        """Return the fields that lie there."""
        found = _asked(lambda: self.module.get_password(self.service, self.user))
        if isinstance(found, Problem):
            return found
        return _MISSING if found is None else decoded(found)

    def put(self, fields: dict[str, object], new: bool, replace: bool) -> Problem | None:
        """Write the entry."""
        text = json.dumps(fields)
        done = _asked(lambda: self.module.set_password(self.service, self.user, text))
        return done if isinstance(done, Problem) else None


def read(reference: Reference, names: Names = NAMES) -> dict[str, Secret]:
    """Return the secrets of one entry. Raise SecretUnavailable naming what is missing or refused."""
    return settled(reference, _at(reference, lambda server: fetch(server, names)))


def write(reference: Reference, values: Mapping[str, Secret], replace: bool = False) -> None:
    """Write a complete key as one entry. Raise SecretUnavailable."""
    settled(reference, _at(reference, lambda server: store(server, values, replace)))


def change(reference: Reference, work: Callable[[dict[str, object]], dict[str, object] | Problem]) -> None:
    """Write what `work` makes of the fields that lie there. Raise SecretUnavailable."""
    settled(reference, _at(reference, lambda server: changed(server, work)))


def inspect(reference: Reference) -> list[Fact]:
    """Return what is known of the keyring in use."""
    found = _at(reference, _facts)
    return unseen(found) if isinstance(found, Problem) else found


def _facts(server: Server) -> list[Fact]:
    found = reading(fetch(server))
    backend = _asked(server.module.get_keyring)
    module, name = type(backend).__module__, type(backend).__name__
    rest = Fact("encrypted at rest", "unknown", "this back-end of keyring is not known here", "see its documentation")
    if module in _DESKTOP:
        rest = Fact(
            "encrypted at rest",
            "unknown",
            "the login keyring encrypts with the login password; with which cipher it does not tell",
            "use a secrets manager where AES-256 is asked for (G14)",
        )
    elif "Plaintext" in name:
        rest = Fact("encrypted at rest", "no", "the back-end stores plain text", "choose another back-end of keyring")
    return [
        *found,
        Fact("tls", "yes", "nothing leaves this machine"),
        Fact(
            "audit", "no", "a keyring keeps no record of who read it (G14)", "use a secrets manager with an audit log"
        ),
        Fact(
            "rights",
            "no",
            "every program of this person may read, change and delete it",
            "keep a bot's key in a secrets manager, with a right to read only",
        ),
        rest,
    ]


def _at(reference: Reference, work: Callable[[Server], Found | Problem]) -> Found | Problem:
    with quiet():
        module = library("keyring", "keyring")
        return module if isinstance(module, Problem) else work(Server(module, reference))


def _asked(call: Callable[[], Any]) -> Any | Problem:
    """Make one call of keyring in a thread of its own: no back-end has a time-out, and a prompt may wait for ever."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(call())
        except Exception as error:  # noqa: BLE001 - any back-end, any text
            answers.put(_meaning(error))

    threading.Thread(target=ask, name="policykit-keyring", daemon=True).start()
    try:
        return answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        return _SLOW


def _meaning(error: BaseException) -> Problem:
    for kind in type(error).__mro__:
        if kind.__name__ in _CLASSES:
            return _CLASSES[kind.__name__]
    return _FAILED
