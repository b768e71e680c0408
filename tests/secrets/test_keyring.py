"""keyring:// through the real library, with back-ends of its own interface that hold their entries in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets import Fact
from policykit.secrets import keyring as source

KEY = {"api_key": "key-0123456789", "api_secret": "secret-0123456789"}
NEW = {"api_key": Secret("new-key-012345"), "api_secret": Secret("new-secret-012345")}
READ = "keyring://trading/desk/mm"


@pytest.fixture
def library() -> Iterator[Any]:
    """Return keyring, and put its own back-end back afterwards."""
    import keyring

    before = keyring.get_keyring()
    yield keyring
    keyring.set_keyring(before)


@pytest.fixture
def entries(library: Any) -> dict[tuple[str, str], str]:
    """Return what a back-end in memory holds."""
    from keyring.backend import KeyringBackend

    held: dict[tuple[str, str], str] = {}

    class PlaintextInMemory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return held.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            held[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del held[service, username]

    library.set_keyring(PlaintextInMemory())  # type: ignore[no-untyped-call]
    return held


def failing(library: Any, error: BaseException, on_write: bool = False) -> None:
    """Set a back-end that raises this, at every call or only when it is written."""
    from keyring.backend import KeyringBackend

    class Failing(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if on_write:
                return None
            raise error

        def set_password(self, service: str, username: str, password: str) -> None:
            raise error

        def delete_password(self, service: str, username: str) -> None:
            raise error

    library.set_keyring(Failing())  # type: ignore[no-untyped-call]


def refusal() -> str:
    """Return the whole message of a read that fails."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(READ)
    return str(caught.value)


def test_an_entry_is_read(entries: dict[tuple[str, str], str]) -> None:
    """The last part of the path is the user, what stands before it the service."""
    entries["trading/desk", "mm"] = json.dumps(KEY | {"uid": 7, "owner": "desk"})
    assert {name: value.reveal() for name, value in secrets.read(READ).items()} == KEY | {"uid": "7"}


def test_a_new_key_is_written_and_not_overwritten(entries: dict[tuple[str, str], str]) -> None:
    """A key that lies there stays unless it may be replaced; then no field of the old one is left, and others' are."""
    secrets.write(READ, {name: Secret(value) for name, value in KEY.items()})
    assert json.loads(entries["trading/desk", "mm"]) == KEY
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == f"{READ}: a key is there already; take another place, or say that it may be replaced"
    entries["trading/desk", "mm"] = json.dumps(KEY | {"passphrase": "old", "owner": "desk"})
    secrets.write(READ, NEW, replace=True)
    assert json.loads(entries["trading/desk", "mm"]) == {
        "owner": "desk",
        "api_key": "new-key-012345",
        "api_secret": "new-secret-012345",
    }


def test_a_keyring_that_stores_nothing_is_found_out(library: Any) -> None:
    """Keyring's null back-end takes every entry and keeps none: the write fails, because it is read back."""
    from keyring.backends.null import Keyring

    library.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == f"{READ}: there is no entry; write it first, or correct the service and the user"


def test_what_lies_there_is_no_key(entries: dict[tuple[str, str], str]) -> None:
    """An entry that is missing, and one that is a bare password, are told apart."""
    form = (
        "write one with the fields api_key, api_secret, passphrase, private_key, uid, wallet, as far as they are needed"
    )
    assert refusal() == f"{READ}: there is no entry; write it first, or correct the service and the user"
    entries["trading/desk", "mm"] = "a bare password"
    assert refusal() == f"{READ}: it holds no JSON object; {form}"
    entries["trading/desk", "mm"] = "[" * 300_000
    assert refusal() == f"{READ}: it holds no JSON object; {form}"


def test_each_refusal_says_what_to_do(library: Any) -> None:
    """A locked keyring, one that is not there and one that fails are told apart."""
    from keyring.errors import InitError, KeyringLocked, PasswordSetError

    failing(library, KeyringLocked("words"))
    assert refusal() == (
        f"{READ}: the keyring is locked; unlock it: log in to the desktop, or use another source on a server"
    )
    for error in (InitError("words"), RuntimeError("words"), OSError("words")):
        failing(library, error)
        assert refusal() == f"{READ}: the keyring failed; see whether its service runs"
    failing(library, PasswordSetError("words"), on_write=True)
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == f"{READ}: the keyring refuses the entry; unlock it, or see whether it may be written"
    from keyring.backends.fail import Keyring

    library.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    assert refusal() == (f"{READ}: this machine has no keyring; use vault://, aws-sm://, azure-kv:// or env:// here")


def test_a_keyring_that_waits_for_a_person_is_given_up(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt that nobody answers does not stop the program."""
    from keyring.backend import KeyringBackend

    asked = threading.Event()

    class Waiting(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            asked.wait(10)
            return None

        def set_password(self, service: str, username: str, password: str) -> None: ...

    library.set_keyring(Waiting())  # type: ignore[no-untyped-call]
    monkeypatch.setattr(source, "ANSWER_SECONDS", 0.01)
    assert refusal() == f"{READ}: the keyring did not answer in 60 s; see whether it asks for a password"
    asked.set()


COMMON = [
    Fact("tls", "yes", "nothing leaves this machine"),
    Fact("audit", "no", "a keyring keeps no record of who read it (G14)", "use a secrets manager with an audit log"),
    Fact(
        "rights",
        "no",
        "every program of this person may read, change and delete it",
        "keep a bot's key in a secrets manager, with a right to read only",
    ),
]


def test_inspect_tells_what_a_keyring_is(entries: dict[tuple[str, str], str], library: Any) -> None:
    """A plain-text back-end is bad, a desktop's is unknown, and so is one that is not known here."""
    entries["trading/desk", "mm"] = json.dumps(KEY)
    reads = [Fact("reachable", "yes", "it answers"), Fact("readable", "yes", "the reference leads to a complete key")]
    plain = Fact("encrypted at rest", "no", "the back-end stores plain text", "choose another back-end of keyring")
    assert secrets.inspect(READ) == [*reads, *COMMON, plain]
    kind = type(library.get_keyring())
    library.set_keyring(type("InMemory", (kind,), {"priority": 2})())
    other = Fact("encrypted at rest", "unknown", "this back-end of keyring is not known here", "see its documentation")
    assert secrets.inspect(READ) == [*reads, *COMMON, other]
    library.set_keyring(type("Keyring", (kind,), {"priority": 2, "__module__": "keyring.backends.SecretService"})())
    desktop = Fact(
        "encrypted at rest",
        "unknown",
        "the login keyring encrypts with the login password; with which cipher it does not tell",
        "use a secrets manager where AES-256 is asked for (G14)",
    )
    assert secrets.inspect(READ) == [*reads, *COMMON, desktop]


@pytest.mark.parametrize("path", ["trading", "trading/", "/mm", "a b/mm", "trading/m?m"])
def test_only_a_plain_path_is_asked_for(path: str) -> None:
    """A path of other characters is not repeated: it may be the secret."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(f"keyring://{path}")
    assert str(caught.value) == (
        "keyring:// needs a service and a user of letters, digits, . _ - (keyring://trading/mm)"
    )


def test_an_address_for_messages_is_read(entries: dict[tuple[str, str], str]) -> None:
    """`read_url` takes the field `url` alone; a key without one is no address."""
    entries["trading/desk", "mm"] = json.dumps({"url": "tgram://123456789:alphaBravo/1"})
    assert secrets.read_url(READ).reveal() == "tgram://123456789:alphaBravo/1"
    entries["trading/desk", "mm"] = json.dumps(KEY)
    with pytest.raises(SecretUnavailable, match="url is not there; write it under this name"):
        secrets.read_url(READ)
