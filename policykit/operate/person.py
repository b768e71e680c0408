"""Who gives a command: the name that is told, and what this machine can say of the one who tells it.

A name given with `--by` is a claim: anybody can write it. What stands beside it in the journal is what the one who
writes it does not choose: the account of the operating system, the one who logged in to it, the host, the terminal.
A signature (`policykit approve`) proves a name, by a key that somebody else said is that person's.
"""

from __future__ import annotations

import os
import pwd
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from policykit.redact import scrub

#: The longest name, as `Person` of the policy (model/types.py), which would load pydantic: a kill has no time for it.
MAX_NAME: Final = 120
#: Who logged in, as the kernel keeps it for the session: unlike the user id it outlives `su` and `sudo`.
LOGIN_UID: Final = Path("/proc/self/loginuid")
#: What is there where nobody logged in: a service, a container (Linux, include/uapi/linux/audit.h AUDIT_UID_UNSET).
_UNSET: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Person:
    """Who did something, and how far that is proved.

    `os_user` is whom the process runs as, `login` who logged in where that is another (`sudo`), `tty` the terminal;
    None: there is none. `key` is the fingerprint of the key that signed, for a proof that is "signed".
    """

    name: str
    proof: Literal["claimed", "signed"]
    os_user: str
    host: str
    login: str | None = None
    tty: str | None = None
    key: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return it as rows of the journal have it under `claim`; without what is not there."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        from policykit.telemetry.words import who  # here: a kill halts before it words anything

        return who({"claim": self.to_dict()})


def person(by: str, key: str | None = None) -> Person:
    """Return who gives this command: by the name they told, or proved by the key of this fingerprint.

    Raise ValueError for what is no name: empty, with characters that are not seen, or too long.
    """
    name = scrub(by.strip())
    if not (name.isprintable() and 1 <= len(name) <= MAX_NAME):
        raise ValueError(f'"{_seen(name)}" is no name; a person or a role is needed, in 1 to {MAX_NAME} letters')
    user = _user(os.getuid())
    login = _logged_in()
    return Person(
        name=name,
        proof="claimed" if key is None else "signed",
        os_user=user,
        host=socket.gethostname(),
        login=None if login in (None, user) else login,
        tty=_terminal(),
        key=key,
    )


def this_user() -> Person:
    """Return who runs this process, where no name was told."""
    return person(f"{_user(os.getuid())}@{socket.gethostname()}")


def _seen(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_NAME])


def _user(uid: int) -> str:
    """Return the name of a user id; LOGNAME and USER are not asked, as whoever runs the command sets them."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _logged_in() -> str | None:
    with suppress(OSError, ValueError):
        uid = int(LOGIN_UID.read_text(encoding="ascii"))
        return None if uid == _UNSET else _user(uid)
    return None


def _terminal() -> str | None:
    """Return the terminal of the command: of its input, or of what it prints to."""
    for stream in (sys.__stdin__, sys.__stderr__, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):
            return os.ttyname(stream.fileno()).removeprefix("/dev/")  # type: ignore[union-attr]
    return None
