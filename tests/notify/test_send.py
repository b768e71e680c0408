"""The adapter to apprise, against real receivers."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from policykit.notify import Sent, send
from policykit.redact import SecretUrl
from tests.notify.receivers import mail_server, webhook

TOKEN = "0f9b2c7d1e5a4b3c"


def test_a_message_arrives_as_it_is() -> None:
    """Title, text and tone arrive at a webhook unchanged, hostile characters too."""
    body = "BTC/USDT <b>&amp; *_`[x](y) 50,000 of 60,000 USDT"
    with webhook() as hook:
        assert send(SecretUrl(hook.url()), "halt", body, "critical") == Sent(True)
        assert [(got["title"], got["message"], got["type"]) for got in hook.got] == [("halt", body, "failure")]


def test_a_mail_arrives() -> None:
    """A mail goes through a real SMTP conversation, with the title as its subject."""
    with mail_server() as server:
        url = f"mailto://127.0.0.1:{server.server_address[1]}?from=bot@desk.example&to=ops@desk.example"
        assert send(SecretUrl(url), "order unknown", "see policykit orders", "warning") == Sent(True)
        (mail,) = server.mails
        assert "Subject: order unknown" in mail
        assert "To: ops@desk.example" in mail


@pytest.mark.parametrize("level", [logging.DEBUG, logging.NOTSET])
def test_no_address_gets_out(caplog: pytest.LogCaptureFixture, level: int) -> None:
    """A refused message says so in words without the token, and no logger of the process says it, at DEBUG either."""
    for name in ("", "apprise", "urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(level, name or None)
    with webhook() as hook:
        hook.status = 403
        url = f"json://desk:{TOKEN}pw@127.0.0.1:{hook.server_address[1]}/{TOKEN}?+X-Key={TOKEN}hd"
        sent = send(SecretUrl(url), "halt", "text", "critical")
        assert hook.paths == [f"/{TOKEN}"]
    assert sent == Sent(False, "Failed to send JSON POST notification: error=403.")
    gone = send(SecretUrl(url), "halt", "text", "critical")
    assert not gone.ok
    assert gone.words
    assert TOKEN[:8] not in f"{sent}{gone}{caplog.text}{SecretUrl(url)!r}"
    assert [record.name for record in caplog.records] == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nothing://x", "the address is none that apprise knows; tgram://, slack://, mailtos://, jsons:// may be"),
        (TOKEN, "the address is none that apprise knows; tgram://, slack://, mailtos://, jsons:// may be"),
        ("json://hooks.example/in", "json:// sends in clear; use jsons://, or a receiver on this machine"),
    ],
)
def test_an_address_that_cannot_be_used_is_said(url: str, words: str) -> None:
    """Nothing is sent, and the words do not repeat it."""
    assert send(SecretUrl(url), "t", "b", "warning") == Sent(False, words)


def test_a_bug_of_a_service_stays_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a library is a failed message with the error's class alone."""
    import apprise

    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"bad {TOKEN}")

    monkeypatch.setattr(apprise.Apprise, "notify", broken)
    assert send(SecretUrl("json://127.0.0.1:9/in"), "t", "b", "warning") == Sent(
        False, "ValueError in the message service"
    )


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without apprise a message fails with the command to run."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert send(SecretUrl("json://127.0.0.1:9/in"), "t", "b", "warning") == Sent(
        False, 'apprise is not installed; run `pip install "policykit-trading[notify]"`'
    )


def test_apprise_loads_with_the_first_message_only() -> None:
    """Importing the room loads no apprise: a guard without messages does not pay for it."""
    code = "import sys, policykit.notify; print('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_what_is_slow_to_load_is_loaded_when_a_guard_starts() -> None:
    """After `prepare` a message imports nothing of apprise any more."""
    code = (
        "import sys, policykit.notify as n; from policykit.redact import SecretUrl; n.prepare();"
        "before = {m for m in sys.modules if m.startswith('apprise')};"
        "n.send(SecretUrl('json://127.0.0.1:9/in'), 't', 'b', 'warning');"
        "print(len(before) > 100, {m for m in sys.modules if m.startswith('apprise')} - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"
