"""I23 for every source: at each failure point nothing of a secret is in a message, a traceback, a log or on a terminal.

Every library logs at DEBUG, http.client prints what it sends, the traceback shows the locals of each frame, and the
managers answer with the secrets in their error texts, headers and bodies.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from tests.canary import assert_clean, canaries, leaks
from tests.secrets.azure import Cloud
from tests.secrets.conftest import Bao
from tests.secrets.standin import Answer, Asked, serving

BIRDS = canaries(2317, 6)
KEY, SECRET, PHRASE, TOKEN, PROOF, TEXT = BIRDS
VALUES = {"api_key": Secret(KEY), "api_secret": Secret(SECRET), "passphrase": Secret(PHRASE)}
FIELDS = {"api_key": KEY, "api_secret": SECRET, "passphrase": PHRASE}


@pytest.fixture
def heard(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Return `heard()`: everything that was logged, at any level, and printed, since the test began."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    names = ("", "botocore", "boto3", "urllib3", "urllib3.connectionpool", "azure", "msal", "keyring", "hvac")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    http.client.HTTPConnection.debuglevel = 1
    yield lambda: out.getvalue() + "".join(capsys.readouterr())
    http.client.HTTPConnection.debuglevel = 0
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def everything(action: Callable[[], object]) -> str:
    """Do it; return whatever a program could show of what came: a repr, or an error with its frames and causes."""
    try:
        return repr(action())
    except SecretUnavailable as error:
        caught = error
    shown = traceback.TracebackException.from_exception(caught, capture_locals=True)
    for frame in shown.stack:
        if frame.filename == __file__:
            frame.locals = None  # this file's own frames hold the canaries, as a program that writes a key does
    assert (caught.__cause__, caught.__context__) == (None, None)
    return repr(caught) + "".join(shown.format())


def answers() -> Iterator[Answer]:
    """Yield answers that hold canaries where a server could put them: words, headers, values of the wrong form."""
    loud = {"X-Error": TEXT, "Location": f"http://127.0.0.1/?token={TOKEN}", "WWW-Authenticate": f'Bearer a="{TEXT}"'}
    words = {"errors": [f"{TEXT} {KEY}"], "__type": TEXT, "message": f"{SECRET} {TEXT}", "error": {"code": KEY}}
    for status in (301, 307, 400, 401, 403, 404, 405, 409, 412, 418, 429, 500, 501, 502, 503, 504):
        yield Answer(status, words, loud)
        yield Answer(status, f"{KEY} <html> {SECRET}".encode(), loud)
    for body in (
        f"{KEY}{SECRET}".encode(),
        json.dumps([FIELDS]).encode(),
        json.dumps({"data": FIELDS | {"data": FIELDS}}).encode(),
        json.dumps({"data": {"data": {"api_key": KEY}, "metadata": {"version": 1}}}).encode(),
        json.dumps(
            {"data": {"data": {"api_key": [KEY], "api_secret": {SECRET: 1}}, "metadata": {"version": 1}}}
        ).encode(),
        json.dumps({"data": {"data": {KEY: SECRET}, "metadata": {"version": 1}}}).encode(),
        json.dumps({"data": {"path": f"{KEY}/", "type": SECRET}}).encode(),
        json.dumps({"SecretString": f"{KEY}{SECRET}", "ARN": TEXT}).encode(),
        json.dumps({"SecretString": json.dumps({"api_key": KEY})}).encode(),
        json.dumps({"SecretString": json.dumps({"api_key": KEY, "api_secret": [SECRET]})}).encode(),
        json.dumps({"value": json.dumps({KEY: SECRET}), "id": TEXT}).encode(),
        (KEY * 20_000).encode(),
    ):
        yield Answer(200, body, loud)
    yield Answer(0)


ACTIONS: Mapping[str, Callable[[str], object]] = {
    "read": secrets.read,
    "write": lambda reference: secrets.write(reference, VALUES),
    "replace": lambda reference: secrets.write(reference, VALUES, replace=True),
    "inspect": secrets.inspect,
}


ALL = list(answers())
Tier = Callable[[int, int], int]


class Loud:
    """A server's rule that can be changed while it serves."""

    def __init__(self) -> None:
        self.rule: Callable[[Asked], Answer] = lambda asked: Answer(0)

    def __call__(self, asked: Asked) -> Answer:
        """Answer by the rule of now."""
        return self.rule(asked)

    def always(self, answer: Answer) -> None:
        """Answer so, whatever is asked."""
        self.rule = lambda asked: answer

    def behind_a_mount(self, answer: Answer) -> None:
        """Answer so, once a mount of Vault was found."""
        mount = Answer(200, {"data": {"path": "kv/", "type": "kv", "options": {"version": "2"}}})
        self.rule = lambda asked: mount if "/internal/ui/" in asked.path else answer

    def when_written(self, answer: Answer) -> None:
        """Say that nothing is there, and answer so when something is written."""
        mount = Answer(200, {"data": {"path": "kv/", "type": "kv", "options": {"version": "2"}}})
        absent = Answer(404, {"errors": [], "__type": "ResourceNotFoundException", "error": {"code": "SecretNotFound"}})

        def rule(asked: Asked) -> Answer:
            if "/internal/ui/" in asked.path:
                return mount
            action = asked.headers.get("X-Amz-Target", "")
            reads = action.endswith("GetSecretValue") if action else asked.method == "GET"
            return absent if reads else answer

        self.rule = rule


def some(tier: Tier) -> list[Answer]:
    """Return the answers to try: some in `make test`, all in `make prove`."""
    count = tier(5, len(ALL))
    return ALL[:: len(ALL) // count] if count < len(ALL) else ALL


@pytest.mark.parametrize("action", ACTIONS)
def test_I23_no_answer_of_a_vault_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch, heard: Callable[[], str], tier: Tier, action: str
) -> None:
    """Whatever is answered, at any call, by token and by role, nothing of it is shown."""
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    loud, shown = Loud(), []
    with serving(loud) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        for answer in some(tier):
            for change in (loud.always, loud.behind_a_mount, loud.when_written):
                change(answer)
                shown.append(everything(lambda: ACTIONS[action]("vault://kv/x")))
        monkeypatch.setenv("VAULT_ROLE_ID", TOKEN)
        monkeypatch.setenv("VAULT_SECRET_ID", PROOF)
        for answer in (Answer(400, {"errors": [PROOF]}), Answer(200, {"auth": {"client_token": [TEXT]}}), Answer(0)):
            loud.always(answer)
            shown.append(everything(lambda: ACTIONS[action]("vault://kv/x")))
        assert any(TOKEN in asked.headers.get("X-Vault-Token", "") for asked in server.asked)
    assert_clean("".join(shown) + heard(), BIRDS)


def test_I23_a_real_vault_shows_no_secret(bao: Bao, heard: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, read, looked at, refused: nothing is shown, and the server's own right answers are no exception."""
    shown = [everything(lambda: ACTIONS["write"]("vault://secret/leak/a"))]
    shown += [everything(lambda action=action: ACTIONS[action]("vault://secret/leak/a")) for action in ACTIONS]  # type: ignore[misc]
    assert secrets.read("vault://secret/leak/a") == VALUES
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    shown += [everything(lambda action=action: ACTIONS[action]("vault://secret/leak/a")) for action in ACTIONS]  # type: ignore[misc]
    assert_clean("".join(shown) + heard(), BIRDS)


@pytest.mark.parametrize("action", ACTIONS)
def test_I23_no_answer_of_aws_shows_a_secret(
    moto: str, monkeypatch: pytest.MonkeyPatch, heard: Callable[[], str], tier: Tier, action: str
) -> None:
    """Whatever is answered, nothing of it is shown, nor of the account's own secret."""
    import botocore.endpoint  # type: ignore[import-untyped]

    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    monkeypatch.setenv("AWS_SESSION_TOKEN", PROOF)
    shown = [everything(lambda: ACTIONS[action](f"aws-sm://leak/{action}"))]
    loud = Loud()
    with serving(loud) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        for number, answer in enumerate(some(tier)):
            (loud.when_written if number % 2 and "write" in action else loud.always)(answer)
            shown.append(everything(lambda: ACTIONS[action]("aws-sm://x")))
    assert_clean("".join(shown) + heard(), BIRDS)


@pytest.mark.parametrize("action", ACTIONS)
def test_I23_no_answer_of_azure_shows_a_secret(
    cloud: Cloud, no_pause: None, monkeypatch: pytest.MonkeyPatch, heard: Callable[[], str], tier: Tier, action: str
) -> None:
    """Whatever the sign-in or the vault answers, nothing of it is shown, nor of the principal's own secret."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", f"right-{TOKEN}")
    shown = [everything(lambda: ACTIONS[action]("azure-kv://desk/leak"))]
    for number, answer in enumerate(some(tier)):
        if number % 2 and "write" in action:
            cloud.refuse = lambda asked, answer=answer: answer if asked.method == "PUT" else None  # type: ignore[misc]
        else:
            cloud.refuse = lambda asked, answer=answer: answer  # type: ignore[misc]
        shown.append(everything(lambda: ACTIONS[action]("azure-kv://desk/leak")))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", PROOF)
    shown.append(everything(lambda: ACTIONS[action]("azure-kv://desk/leak")))
    assert_clean("".join(shown) + heard(), BIRDS)


@pytest.mark.parametrize("action", ACTIONS)
def test_I23_no_keyring_shows_a_secret(heard: Callable[[], str], action: str, request: pytest.FixtureRequest) -> None:
    """Whatever a back-end returns or raises, nothing of it is shown."""
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.errors import InitError, KeyringLocked, PasswordSetError

    before = keyring.get_keyring()
    request.addfinalizer(lambda: keyring.set_keyring(before))
    now: list[Any] = []

    class Loose(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            logging.getLogger("keyring").debug("the entry is %s", FIELDS)
            if isinstance(now[0], Exception):
                raise now[0]
            return now[0]  # type: ignore[no-any-return]

        def set_password(self, service: str, username: str, password: str) -> None:
            print(f"debug level of http.client: {http.client.HTTPConnection.debuglevel}")
            raise PasswordSetError(password)

        def delete_password(self, service: str, username: str) -> None: ...

    keyring.set_keyring(Loose())  # type: ignore[no-untyped-call]
    shown = []
    errors = (KeyringLocked(KEY), InitError(SECRET), RuntimeError(TEXT), PasswordSetError(PHRASE), OSError(TOKEN))
    for found in (*errors, None, KEY, json.dumps(FIELDS), json.dumps({"api_key": KEY}), json.dumps([FIELDS]), 7):
        now[:] = [found]
        shown.append(everything(lambda: ACTIONS[action]("keyring://x/y")))
    assert_clean("".join(shown) + heard(), BIRDS)


def test_I23_the_ear_hears(heard: Callable[[], str], moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without `quiet`, boto3's log and http.client's print show the secret, and a careless error does."""
    from policykit import redact

    monkeypatch.setattr(redact, "_silence", lambda: None)
    monkeypatch.setattr(redact, "_restore", lambda: None)
    secrets.write("aws-sm://leak/control", VALUES)
    told = heard()
    assert "send: b'{" in told or "send: b'POST" in told
    assert leaks(told, [SECRET])

    def careless() -> None:
        raise SecretUnavailable(f"the manager said {TEXT}")

    assert leaks(everything(careless), [TEXT])
