"""vault:// against a stand-in that answers what no real server can be made to: each has its own line, no traceback."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets import wire
from tests.secrets.standin import Answer, Asked, serving

KEY = {"api_key": "key-0123456789", "api_secret": "secret-0123456789"}
EXPIRED = "the token is refused: expired, revoked, or of another namespace; log in again, or set a token that is valid"


def refusal(reference: str) -> str:
    """Return the whole message of a read that fails."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(reference)
    return str(caught.value)


MOUNT = {"data": {"path": "kv/", "type": "kv", "options": {"version": "2"}}}


def standing_in(secret: Answer, mount: Answer | None = None) -> Callable[[Asked], Answer]:
    """Answer as a manager with one mount."""

    def rule(asked: Asked) -> Answer:
        return (mount or Answer(body=MOUNT)) if "/internal/ui/" in asked.path else secret

    return rule


GOOD = {"data": {"data": KEY, "metadata": {"version": 1}}}
FORM = "the answer has not the form of a key-value secret; see that the address is the manager's"


@pytest.mark.parametrize(
    ("secret", "mount", "message"),
    [
        (Answer(500, {"errors": ["boom"]}), None, "the manager failed inside; see the manager's own log"),
        (Answer(429, {}), None, "too many requests; try again later"),
        (Answer(501, {}), None, "the manager is not initialized; initialize it"),
        (
            Answer(502, b"<html>"),
            None,
            "a gateway before the manager failed; try again, or use the manager's own address",
        ),
        (
            Answer(503, {"errors": []}),
            None,
            "the manager is on standby or in maintenance; try again, or use the active node's address",
        ),
        (
            Answer(401, {}),
            None,
            EXPIRED,
        ),
        (Answer(418, {}), None, FORM),
        (Answer(200, b"<html>"), None, FORM),
        (Answer(200, b"[" * 100_000), None, FORM),
        (Answer(200, []), None, FORM),
        (Answer(200, {"data": {"data": ["api_key"], "metadata": {"version": 1}}}), None, FORM),
        (Answer(200, {"data": {"data": KEY}}), None, FORM),
        (Answer(200, GOOD), Answer(200, {"data": {"path": "other/", "type": "kv"}}), FORM),
        (Answer(200, GOOD), Answer(200, {"data": {"path": 7}}), FORM),
        (Answer(200, gzip.compress(json.dumps(GOOD).encode()), {"Content-Encoding": "gzip"}), None, FORM),
        (
            Answer(200, b" " * 300_000),
            None,
            "its answer is longer or slower than any secret's; see that VAULT_ADDR is the manager's",
        ),
        (Answer(0), None, "nothing answers there; see that VAULT_ADDR is right and the manager runs"),
        (
            Answer(307, b"", {"Location": "https://192.0.2.1/"}),
            None,
            "the address leads on to another one; set VAULT_ADDR to that of the active node",
        ),
    ],
)
def test_every_answer_of_a_server_is_met(
    monkeypatch: pytest.MonkeyPatch, secret: Answer, mount: Answer | None, message: str
) -> None:
    """Whatever is answered, there is one line that says what it is, and no traceback."""
    monkeypatch.setenv("VAULT_TOKEN", "t-0123456789")
    with serving(standing_in(secret, mount)) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        assert refusal("vault://kv/x") == f"vault://kv/x: {message}"


def test_no_proxy_and_no_netrc_of_the_user_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In clear on loopback nothing goes through a proxy, and no other login of the user is sent along."""
    monkeypatch.setenv("VAULT_TOKEN", "t-0123456789")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password word-0123456789\n")
    with serving(standing_in(Answer(200, GOOD))) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        assert secrets.read("vault://kv/x") == {name: Secret(value) for name, value in KEY.items()}
        assert [asked.headers.get("Authorization") for asked in server.asked] == [None, None]


@pytest.mark.parametrize(("status", "asked"), [(0, 2), (500, 1), (503, 1), (429, 1)])
def test_only_what_nothing_answered_is_sent_once_more(monkeypatch: pytest.MonkeyPatch, status: int, asked: int) -> None:
    """One retry, and none of what was refused."""
    monkeypatch.setenv("VAULT_TOKEN", "t-0123456789")
    with serving(standing_in(Answer(status, {}))) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        refusal("vault://kv/x")
        assert [one.path for one in server.asked if "/internal/" not in one.path] == ["/v1/kv/data/x"] * asked


def test_a_write_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write whose answer is lost may have been done: it is not sent again."""
    monkeypatch.setenv("VAULT_TOKEN", "t-0123456789")

    def rule(asked: Asked) -> Answer:
        if "/internal/" in asked.path:
            return Answer(body=MOUNT)
        return Answer(404, {"errors": []}) if asked.method == "GET" else Answer(0)

    with serving(rule) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        with pytest.raises(SecretUnavailable) as caught:
            secrets.write("vault://kv/x", {name: Secret(value) for name, value in KEY.items()})
        assert [one.method for one in server.asked] == ["GET", "GET", "POST"]
    assert str(caught.value) == (
        "vault://kv/x: nothing answers there; see that VAULT_ADDR is right and the manager runs"
    )


def test_a_slow_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than any secret needs is given up, even when it never stops."""
    monkeypatch.setenv("VAULT_TOKEN", "t-0123456789")
    moments: Iterator[float] = itertools.count(0.0, wire.ANSWER_SECONDS + 1)
    monkeypatch.setattr(wire, "_now", lambda: next(moments))
    with serving(standing_in(Answer(200, GOOD))) as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        assert refusal("vault://kv/x") == (
            "vault://kv/x: its answer is longer or slower than any secret's; see that VAULT_ADDR is the manager's"
        )
