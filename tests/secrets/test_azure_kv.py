"""azure-kv:// through the real SDK and sign-in, over real TLS, to a stand-in that speaks the documented REST."""

from __future__ import annotations

import json

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets import Fact
from tests.secrets.azure import HOST, Cloud, error
from tests.secrets.standin import Answer

KEY = {"api_key": "key-0123456789", "api_secret": "secret-0123456789"}
NEW = {"api_key": Secret("new-key-012345"), "api_secret": Secret("new-secret-012345")}
READ = "azure-kv://desk/mm"


def refusal(reference: str = READ) -> str:
    """Return the whole message of a read that fails."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(reference)
    return str(caught.value)


def revealed(reference: str) -> dict[str, str]:
    """Return what a reference leads to, in clear."""
    return {field: value.reveal() for field, value in secrets.read(reference).items()}


@pytest.mark.parametrize("vault", ["desk", HOST])
def test_a_stored_object_is_read(cloud: Cloud, vault: str) -> None:
    """A vault's name and its full host lead to the same fields."""
    cloud.stored["mm"] = json.dumps(KEY | {"uid": 7, "owner": "desk"})
    assert revealed(f"azure-kv://{vault}/mm") == KEY | {"uid": "7"}


def test_a_new_key_is_written_and_not_overwritten(cloud: Cloud) -> None:
    """A key that lies there stays unless it may be replaced; then no field of the old one is left, and others' are."""
    secrets.write(READ, {field: Secret(value) for field, value in KEY.items()})
    assert json.loads(cloud.stored["mm"]) == KEY
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == f"{READ}: a key is there already; take another place, or say that it may be replaced"
    cloud.stored["mm"] = json.dumps(KEY | {"passphrase": "old", "owner": "desk"})
    secrets.write(READ, NEW, replace=True)
    assert json.loads(cloud.stored["mm"]) == {
        "owner": "desk",
        "api_key": "new-key-012345",
        "api_secret": "new-secret-012345",
    }


def test_a_key_that_the_manager_cannot_hold_is_not_sent(cloud: Cloud) -> None:
    """The documented limit is held before anything is sent."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, {field: Secret("x" * 16_000) for field in ("api_key", "api_secret")})
    assert str(caught.value) == f"{READ}: the key is longer than 25000 bytes; use another place"
    assert cloud.stored == {}


FORM = "write one with the fields api_key, api_secret, passphrase, private_key, uid, wallet, as far as they are needed"
DENIED = "access denied; give this identity the role `Key Vault Secrets User`, and see the vault's firewall"
REFUSED = "the manager refuses the request; see that the vault and the name are right"
FOREIGN = "the answer is not that of Key Vault; see that the vault's name is right"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(404, error("SecretNotFound")), "there is no secret; write it first, or correct the name"),
        (Answer(403, error("Forbidden")), DENIED),
        (Answer(429, error("Throttled")), "too many requests; try again later"),
        (
            Answer(400, error("BadParameter")),
            REFUSED,
        ),
        (Answer(500, error("InternalError")), "the manager failed inside; try again later"),
        (Answer(302, b"", {"Location": "https://192.0.2.1/"}), FOREIGN),
        (Answer(200, b"<html>"), FOREIGN),
        (Answer(200, {"value": "text"}), f"it holds no JSON object; {FORM}"),
        (Answer(200, {"value": '{"api_key": "k-01234567"}'}), "api_secret is not there; put it beside api_key"),
        (
            Answer(200, b" " * 300_000),
            "its answer is longer or slower than any secret's; see that the vault's name is the manager's",
        ),
        (Answer(0), "nothing answers there; see that the vault's name is right and the manager runs"),
    ],
)
def test_every_answer_of_a_server_is_met(cloud: Cloud, no_pause: None, answer: Answer, message: str) -> None:
    """Whatever is answered, there is one line that says what it is, and no traceback."""
    cloud.refuse = lambda asked: answer
    assert refusal() == f"{READ}: {message}"
    assert cloud.let_in <= 2


LOGIN_FIRST = "no identity of this machine is accepted; set AZURE_CLIENT_ID and its fellows, or attach an identity"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AZURE_CLIENT_SECRET", "wrong-0123456789", LOGIN_FIRST),
        ("AZURE_CLIENT_SECRET", "", LOGIN_FIRST),
        (
            "REQUESTS_CA_BUNDLE",
            "",
            "its certificate is not trusted, or it speaks no TLS; set REQUESTS_CA_BUNDLE to its certificate authority",
        ),
        (
            "REQUESTS_CA_BUNDLE",
            "no-such-file.pem",
            "its certificate authority cannot be read; set REQUESTS_CA_BUNDLE to a file of certificates",
        ),
    ],
)
def test_each_refusal_says_what_to_do(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, no_pause: None, variable: str, value: str, message: str
) -> None:
    """Who is not let in learns what to set."""
    cloud.stored["mm"] = json.dumps(KEY)
    monkeypatch.setenv(variable, value)
    assert refusal() == f"{READ}: {message}"


def test_a_name_that_was_deleted_is_not_free(cloud: Cloud) -> None:
    """A soft-deleted secret holds its name: the write says so."""
    cloud.refuse = lambda asked: Answer(409, error("Conflict")) if asked.method == "PUT" else None
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == (
        f"{READ}: a deleted secret of this name is still kept; recover or purge it, or take another name"
    )


def test_a_reader_may_not_write(cloud: Cloud) -> None:
    """The refusal of a write names the role that a write needs."""
    cloud.refuse = lambda asked: Answer(403, error("Forbidden")) if asked.method == "PUT" else None
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(READ, NEW)
    assert str(caught.value) == (
        f"{READ}: access denied; write as an identity with the role `Key Vault Secrets Officer`"
    )


def test_inspect_tells_what_key_vault_tells(cloud: Cloud) -> None:
    """The TLS version is what was spoken; what Key Vault does not tell is unknown, with where to look."""
    cloud.stored["mm"] = json.dumps(KEY)
    assert secrets.inspect(READ) == [
        Fact("reachable", "yes", "it answers"),
        Fact("readable", "yes", "the reference leads to a complete key"),
        Fact("tls", "yes", "https, TLS 1.3"),
        Fact(
            "audit",
            "unknown",
            "whether the vault's log is kept is not told by Key Vault",
            "see its diagnostic settings",
        ),
        Fact(
            "rights",
            "unknown",
            "what this identity may do is not told by Key Vault",
            "give the bot's identity the role `Key Vault Secrets User` on this secret, and nothing else",
        ),
        Fact("encrypted at rest", "yes", "it encrypts every secret (as documented)"),
    ]


@pytest.mark.parametrize(
    "path", ["desk", "desk/", "desk/a/b", "desk/a_b", "evil.example/mm", "desk.vault.azure.net.evil.example/mm"]
)
def test_the_token_goes_to_no_other_host(path: str) -> None:
    """Only a vault's name, or a host of Key Vault, is asked; the text is not repeated."""
    assert refusal(f"azure-kv://{path}") == (
        "azure-kv:// needs a vault and a name of letters, digits and - (azure-kv://trading/mm)"
    )


def test_an_address_for_messages_is_read(cloud: Cloud) -> None:
    """`read_url` takes the field `url` alone; a key without one is no address."""
    cloud.stored["mm"] = json.dumps({"url": "tgram://123456789:alphaBravo/1"})
    assert secrets.read_url("azure-kv://desk/mm").reveal() == "tgram://123456789:alphaBravo/1"
    cloud.stored["mm"] = json.dumps(KEY)
    with pytest.raises(SecretUnavailable, match="url is not there; write it under this name"):
        secrets.read_url("azure-kv://desk/mm")
