"""aws-sm:// against moto's server, and against a stand-in for what that server does not refuse."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets import Fact
from tests.secrets.standin import Answer, Asked, certificate, serving

KEY = {"api_key": "key-0123456789", "api_secret": "secret-0123456789"}
NEW = {"api_key": Secret("new-key-012345"), "api_secret": Secret("new-secret-012345")}
ENDPOINT = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """Return a name that no other test uses."""
    return f"trading/mm-{next(_numbers)}"


@pytest.fixture(scope="module")
def somebody(moto_server: str) -> Iterator[Any]:
    """Return a client of somebody else, who puts things there for the tests."""
    import boto3  # type: ignore[import-untyped]

    client = boto3.session.Session().client(
        "secretsmanager",
        region_name="eu-west-1",
        endpoint_url=moto_server,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI-of-the-tests",
    )
    yield client
    client.close()


@pytest.fixture
def account(moto: str, somebody: Any) -> Any:
    """Return that client, with the environment of one who reads there."""
    return somebody


def refusal(reference: str) -> str:
    """Return the whole message of a read that fails."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(reference)
    return str(caught.value)


def revealed(reference: str) -> dict[str, str]:
    """Return what a reference leads to, in clear."""
    return {field: value.reveal() for field, value in secrets.read(reference).items()}


def test_a_stored_object_is_read(account: Any, name: str) -> None:
    """A name and a full ARN lead to the same fields."""
    made = account.create_secret(Name=name, SecretString=json.dumps(KEY | {"uid": 7, "owner": "desk"}))
    assert revealed(f"aws-sm://{name}") == KEY | {"uid": "7"}
    assert revealed(f"aws-sm://{made['ARN']}") == KEY | {"uid": "7"}


def test_what_is_not_there_is_missing(moto: str, name: str) -> None:
    """The name, the region or the account may be wrong."""
    assert refusal(f"aws-sm://{name}") == (
        f"aws-sm://{name}: there is no secret; write it first, or correct the name, the region or the account"
    )


def test_a_secret_marked_for_deletion_is_told(account: Any, name: str) -> None:
    """Marked for deletion is no missing secret: it can be restored."""
    account.create_secret(Name=name, SecretString=json.dumps(KEY))
    account.delete_secret(SecretId=name)
    assert refusal(f"aws-sm://{name}") == (
        f"aws-sm://{name}: it is marked for deletion, or in no state to be used; restore it"
    )


FORM = "write one with the fields api_key, api_secret, passphrase, private_key, uid, wallet, as far as they are needed"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"SecretString": "just a text"}, f"it holds no JSON object; {FORM}"),
        ({"SecretString": "[1]"}, f"it holds no JSON object; {FORM}"),
        ({"SecretString": "[" * 50_000}, f"it holds no JSON object; {FORM}"),
        ({"SecretBinary": b"{}"}, f"it holds no JSON object; {FORM}"),
        ({"SecretString": '{"api_key": "k-01234567"}'}, "api_secret is not there; put it beside api_key"),
        ({"SecretString": '{"api_key": "k-01234567", "api_secret": 1.5}'}, "api_secret is no text; write it in quotes"),
    ],
)
def test_a_secret_of_another_form_is_refused(account: Any, name: str, value: Any, message: str) -> None:
    """What lies there but is no key is told by name, not by value."""
    account.create_secret(Name=name, **value)
    assert refusal(f"aws-sm://{name}") == f"aws-sm://{name}: {message}"


def test_a_new_key_is_written_and_not_overwritten(account: Any, name: str) -> None:
    """A key that lies there stays unless it may be replaced; then no field of the old one is left, and others' are."""
    reference = f"aws-sm://{name}"
    secrets.write(reference, {field: Secret(value) for field, value in KEY.items()})
    assert json.loads(account.get_secret_value(SecretId=name)["SecretString"]) == KEY
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(reference, NEW)
    assert str(caught.value) == (
        f"{reference}: a key is there already; take another place, or say that it may be replaced"
    )
    account.put_secret_value(SecretId=name, SecretString=json.dumps(KEY | {"passphrase": "old", "owner": "desk"}))
    secrets.write(reference, NEW, replace=True)
    assert json.loads(account.get_secret_value(SecretId=name)["SecretString"]) == {
        "owner": "desk",
        "api_key": "new-key-012345",
        "api_secret": "new-secret-012345",
    }


def test_a_key_is_written_beside_what_is_no_key(account: Any, name: str) -> None:
    """A place that somebody made beforehand, with no key in it, is filled."""
    account.create_secret(Name=name, SecretString='{"owner": "desk"}')
    secrets.write(f"aws-sm://{name}", NEW)
    assert revealed(f"aws-sm://{name}") == {"api_key": "new-key-012345", "api_secret": "new-secret-012345"}


def test_a_secret_without_a_value_is_not_taken_for_a_free_place(account: Any, name: str) -> None:
    """What exists but cannot be read is written only when it may be replaced."""
    account.create_secret(Name=name)
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(f"aws-sm://{name}", NEW)
    assert str(caught.value) == (
        f"aws-sm://{name}: it is there, but holds no value that can be read;"
        " see what it is, or say that it may be replaced"
    )
    secrets.write(f"aws-sm://{name}", NEW, replace=True)
    assert revealed(f"aws-sm://{name}") == {"api_key": "new-key-012345", "api_secret": "new-secret-012345"}


def test_a_key_that_the_manager_cannot_hold_is_not_sent(moto: str, name: str) -> None:
    """The documented limit is held before anything is sent."""
    long = {field: Secret("x" * 16_000) for field in ("api_key", "api_secret", "passphrase", "private_key", "wallet")}
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(f"aws-sm://{name}", long)
    assert str(caught.value) == f"aws-sm://{name}: the key is longer than 65536 bytes; use another place"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "there are no credentials; set AWS_PROFILE, or run where a role is attached",
        ),
        (
            {"AWS_SECRET_ACCESS_KEY": None},
            "there are no credentials; set AWS_PROFILE, or run where a role is attached",
        ),
        ({"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "no region is set; set AWS_REGION"),
        ({"AWS_PROFILE": "nobody"}, "the profile is not there; correct AWS_PROFILE"),
        (
            {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"},
            "nothing answers there; see that AWS_ENDPOINT_URL_SECRETS_MANAGER is right and the manager runs",
        ),
        (
            {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://192.0.2.1"},
            (
                "AWS_ENDPOINT_URL_SECRETS_MANAGER is plain http to another machine, where everyone on the way reads the"
                " secret; set AWS_ENDPOINT_URL_SECRETS_MANAGER to its https:// address"
            ),
        ),
    ],
    ids=["no credentials", "half credentials", "no region", "no profile", "nothing there", "in clear"],
)
def test_each_refusal_says_what_to_do(
    moto: str, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], message: str
) -> None:
    """What is missing is told apart, each with its own advice."""
    for variable, value in changes.items():
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
    assert refusal("aws-sm://trading") == f"aws-sm://trading: {message}"


def _error(code: str, status: int = 400) -> Answer:
    return Answer(status, {"__type": code, "message": "words of the manager"})


DENIED = (
    "access denied; allow this identity secretsmanager:GetSecretValue on it, and kms:Decrypt if it has a key of its own"
)
FOREIGN = "the answer is not that of Secrets Manager; see that AWS_ENDPOINT_URL_SECRETS_MANAGER is right"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_error("AccessDeniedException"), DENIED),
        (_error("com.amazonaws.secretsmanager#AccessDeniedException"), DENIED),
        (
            _error("DecryptionFailure"),
            "its encryption key cannot be used; allow kms:Decrypt on it, or turn it on again",
        ),
        (_error("ExpiredTokenException"), "the credentials have expired; log in again"),
        (
            _error("UnrecognizedClientException"),
            "the credentials are refused; set valid ones, for example by AWS_PROFILE",
        ),
        (
            _error("InvalidSignatureException", 403),
            "the credentials are refused; set valid ones, for example by AWS_PROFILE",
        ),
        (_error("RequestExpired"), "the request came too late for the manager's clock; set this machine's clock"),
        (
            _error("NobodyKnowsThis"),
            "the manager refuses the request; see that the region, the account and the identity are right",
        ),
        (_error("NobodyKnowsThis", 500), "the manager failed inside; try again later"),
        (Answer(200, b"<html>"), FOREIGN),
        (Answer(200, {"SecretString": 7}), f"it holds no JSON object; {FORM}"),
        (
            Answer(200, b" " * 300_000),
            f"its answer is longer or slower than any secret's; see that {ENDPOINT} is the manager's",
        ),
        (
            Answer(0),
            "nothing answers there; see that AWS_ENDPOINT_URL_SECRETS_MANAGER is right and the manager runs",
        ),
    ],
)
def test_every_answer_of_a_server_is_met(
    moto: str, monkeypatch: pytest.MonkeyPatch, no_pause: None, answer: Answer, message: str
) -> None:
    """Whatever is answered, there is one line that says what it is, and no traceback."""
    with serving(lambda asked: answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        assert refusal("aws-sm://trading") == f"aws-sm://trading: {message}"
        assert len(server.asked) <= 2


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's pause before its one retry take no time."""
    import botocore.endpoint  # type: ignore[import-untyped]

    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda seconds: None)


def test_a_reader_may_not_write(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of a write names the rights that a write needs."""

    def rule(asked: Asked) -> Answer:
        reads = asked.headers["X-Amz-Target"].endswith("GetSecretValue")
        return _error("ResourceNotFoundException" if reads else "AccessDeniedException")

    with serving(rule) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        with pytest.raises(SecretUnavailable) as caught:
            secrets.write("aws-sm://trading", NEW)
    assert str(caught.value) == (
        "aws-sm://trading: access denied; write as an identity that may secretsmanager:CreateSecret and PutSecretValue"
    )


def test_a_write_that_did_not_arrive_is_told(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that says yes and stores something else is found out: the exchange shows a secret once."""
    stored = {"SecretString": '{"api_key": "other-012345", "api_secret": "other-67890"}'}
    written: list[Asked] = []

    def rule(asked: Asked) -> Answer:
        if asked.headers["X-Amz-Target"].endswith("GetSecretValue"):
            return Answer(200, stored) if written else _error("ResourceNotFoundException")
        written.append(asked)
        return Answer(200, {"Name": "trading"})

    with serving(rule) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        with pytest.raises(SecretUnavailable) as caught:
            secrets.write("aws-sm://trading", NEW)
    assert str(caught.value) == (
        "aws-sm://trading: what is read back is not what was written; look at it before going on"
    )


RIGHTS = Fact(
    "rights",
    "unknown",
    "what this identity may do is not told by Secrets Manager",
    "allow the bot's identity secretsmanager:GetSecretValue on this secret, and nothing else of it",
)
READS = [Fact("reachable", "yes", "it answers"), Fact("readable", "yes", "the reference leads to a complete key")]


def test_inspect_of_an_endpoint_that_is_not_aws(account: Any, name: str) -> None:
    """What AWS documents is not said of another endpoint."""
    account.create_secret(Name=name, SecretString=json.dumps(KEY))
    other = Fact("audit", "unknown", "the endpoint is not one of AWS", "see what it records itself")
    assert secrets.inspect(f"aws-sm://{name}") == [
        *READS,
        Fact("tls", "yes", "plain http on loopback: nothing leaves this machine"),
        other,
        RIGHTS,
        other._replace(name="encrypted at rest"),
    ]


@pytest.mark.parametrize(
    ("newest", "fact"),
    [
        (ssl.TLSVersion.TLSv1_3, Fact("tls", "yes", "https, TLS 1.3")),
        (
            ssl.TLSVersion.TLSv1_2,
            Fact("tls", "no", "https, TLS 1.2; the guide asks for 1.3 (G14)", "let the server offer TLS 1.3"),
        ),
    ],
)
def test_inspect_of_an_endpoint_of_aws(
    moto: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    led_home: Callable[[int], None],
    newest: ssl.TLSVersion,
    fact: Fact,
) -> None:
    """The TLS version is what was spoken; record and encryption are AWS's word, and said to be."""
    chain, context = certificate(tmp_path, "secretsmanager.eu-west-1.amazonaws.com")
    context.maximum_version = newest
    monkeypatch.delenv("AWS_ENDPOINT_URL_SECRETS_MANAGER")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(chain))
    with serving(lambda asked: Answer(200, {"SecretString": json.dumps(KEY)}), context) as server:
        led_home(server.port)
        facts = secrets.inspect("aws-sm://trading")
    assert facts == [
        *READS,
        fact,
        Fact("audit", "yes", "CloudTrail records every call for 90 days (as documented); a trail keeps it longer"),
        RIGHTS,
        Fact("encrypted at rest", "yes", "it encrypts every value with AES-256 (as documented)"),
    ]


@pytest.mark.parametrize("path", ["a b", "a?b", "a%2e", "x" * 513, "a\\b"])
def test_only_a_plain_name_is_asked_for(path: str) -> None:
    """A name of other characters is not repeated: it may be the secret."""
    form = "the secret reference has no form SCHEME://PATH; env://PREFIX may be"
    needs = "aws-sm:// needs a name of letters, digits and /_+=.- (aws-sm://trading/mm)"
    assert refusal(f"aws-sm://{path}") == (form if len(path) > 512 else needs)


def test_an_address_for_messages_is_read(account: Any, name: str) -> None:
    """`read_url` takes the field `url` alone; a key without one is no address."""
    account.create_secret(Name=name, SecretString=json.dumps({"url": "tgram://123456789:alphaBravo/1"}))
    assert secrets.read_url(f"aws-sm://{name}").reveal() == "tgram://123456789:alphaBravo/1"
    account.put_secret_value(SecretId=name, SecretString=json.dumps(KEY))
    with pytest.raises(SecretUnavailable, match="url is not there; write it under this name"):
        secrets.read_url(f"aws-sm://{name}")
