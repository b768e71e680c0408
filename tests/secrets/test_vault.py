"""vault:// against a real OpenBao server over TLS."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.secrets import Fact
from tests.secrets.conftest import Bao

KEY = {"api_key": "key-0123456789", "api_secret": "secret-0123456789"}
EXPIRED = "the token is refused: expired, revoked, or of another namespace; log in again, or set a token that is valid"
_numbers = itertools.count()


@pytest.fixture
def place() -> str:
    """Return a path that no other test uses."""
    return f"trading/mm-{next(_numbers)}"


def refusal(reference: str) -> str:
    """Return the whole message of a read that fails."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(reference)
    return str(caught.value)


def revealed(reference: str) -> dict[str, str]:
    """Return what a reference leads to, in clear."""
    return {name: value.reveal() for name, value in secrets.read(reference).items()}


def test_a_secret_of_version_2_is_read(bao: Bao, place: str) -> None:
    """Each field comes back under its name, stripped; a number counts as its text; fields of others are left alone."""
    fields = KEY | {"passphrase": " p-12345678\n", "uid": 12345, "wallet": "", "owner": "desk"}
    bao.call("POST", f"secret/data/{place}", {"data": fields})
    assert revealed(f"vault://secret/{place}") == KEY | {"passphrase": "p-12345678", "uid": "12345"}


def test_a_secret_of_version_1_is_read(bao: Bao, place: str) -> None:
    """The mount's version is asked, not guessed."""
    bao.call("POST", f"one/{place}", KEY)
    assert revealed(f"vault://one/{place}") == KEY


def test_a_mount_of_several_parts_is_found(bao: Bao, place: str) -> None:
    """The mount is what the server says it is, not the first part of the path."""
    bao.call("POST", "sys/mounts/desk/kv", {"type": "kv", "options": {"version": "2"}})
    bao.call("POST", f"desk/kv/data/{place}", {"data": KEY})
    assert revealed(f"vault://desk/kv/{place}") == KEY
    bao.call("DELETE", "sys/mounts/desk/kv")


def test_a_token_with_read_on_one_path_is_enough(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot's token needs no right but `read` on its secret, not even the default policy."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    monkeypatch.setenv("VAULT_TOKEN", bao.token(f"secret/data/{place}: read", no_default_policy=True))
    assert revealed(f"vault://secret/{place}") == KEY


def test_the_token_of_a_login_is_used(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a variable the file of `vault login` is read."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    (tmp_path / ".vault-token").write_text(bao.token(f"secret/data/{place}: read") + "\n")
    monkeypatch.delenv("VAULT_TOKEN")
    assert revealed(f"vault://secret/{place}") == KEY


def test_the_variables_of_openbao_are_read(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """BAO_ADDR, BAO_TOKEN and BAO_CACERT do what VAULT_* do."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    for name in ("ADDR", "TOKEN", "CACERT"):
        monkeypatch.delenv(f"VAULT_{name}")
    monkeypatch.setenv("BAO_ADDR", bao.url)
    monkeypatch.setenv("BAO_TOKEN", bao.token(f"secret/data/{place}: read"))
    monkeypatch.setenv("BAO_CACERT", str(bao.authority))
    assert revealed(f"vault://secret/{place}") == KEY


def test_a_namespace_is_used(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """VAULT_NAMESPACE leads into a tenant's own mounts."""
    bao.call("POST", "sys/namespaces/desk-a", {})
    bao.call("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}, namespace="desk-a")
    bao.call("POST", f"kv/data/{place}", {"data": KEY}, namespace="desk-a")
    assert refusal(f"vault://kv/{place}") == (
        f"vault://kv/{place}: permission denied; give this token `read` on the path, and see that the path is right"
    )
    monkeypatch.setenv("VAULT_NAMESPACE", "desk-a")
    assert revealed(f"vault://kv/{place}") == KEY


def test_an_approle_logs_in_and_leaves_no_token(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Role and secret id are enough; the token they give is revoked after use."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    bao.token(f"secret/data/{place}: read")
    policy = f"p{abs(hash((f'secret/data/{place}: read',)))}"
    bao.call("POST", "auth/approle/role/bot", {"token_policies": [policy]})
    monkeypatch.setenv("VAULT_ROLE_ID", bao.call("GET", "auth/approle/role/bot/role-id")["data"]["role_id"])
    proof = bao.call("POST", "auth/approle/role/bot/secret-id", {})["data"]["secret_id"]
    monkeypatch.setenv("VAULT_SECRET_ID", proof)
    monkeypatch.delenv("VAULT_TOKEN")
    before = len(bao.call("LIST", "auth/token/accessors")["data"]["keys"])
    assert revealed(f"vault://secret/{place}") == KEY
    assert len(bao.call("LIST", "auth/token/accessors")["data"]["keys"]) == before
    monkeypatch.setenv("VAULT_SECRET_ID", "no-such-secret-id")
    assert refusal(f"vault://secret/{place}") == (
        f"vault://secret/{place}: the AppRole login is refused; set a valid role and secret id"
    )


def _no_token(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("VAULT_TOKEN")


def _old_token(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_TOKEN", "s.expired-long-ago")


def _other_token(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_TOKEN", bao.token("secret/data/other: read"))


def _no_authority(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("VAULT_CACERT")


def _no_file(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_CACERT", "no-such-file.pem")


def _nothing_there(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_ADDR", "https://127.0.0.1:9")


def _in_clear(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_ADDR", "http://192.0.2.1:8200")


def _no_address(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_ADDR", "https://user:word@127.0.0.1")


def _unset(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("VAULT_ADDR")


def _two(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("BAO_ADDR", "https://127.0.0.1:8200")


def _unverified(bao: Bao, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("VAULT_SKIP_VERIFY", "true")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_token, "there is no token; set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or log in"),
        (
            _old_token,
            EXPIRED,
        ),
        (_other_token, "permission denied; give this token `read` on the path, and see that the path is right"),
        (
            _no_authority,
            "its certificate is not trusted, or it speaks no TLS; set VAULT_CACERT to its certificate authority",
        ),
        (_no_file, "its certificate authority cannot be read; set VAULT_CACERT to a file of certificates"),
        (_nothing_there, "nothing answers there; see that VAULT_ADDR is right and the manager runs"),
        (
            _in_clear,
            (
                "VAULT_ADDR is plain http to another machine, where everyone on the way reads the secret;"
                " set VAULT_ADDR to its https:// address"
            ),
        ),
        (_no_address, "VAULT_ADDR is no address; set VAULT_ADDR to https://HOST:PORT"),
        (_unset, "VAULT_ADDR is not set; set it to the manager's https address"),
        (_two, "VAULT_ADDR and BAO_ADDR differ; unset the one that is not meant"),
        (
            _unverified,
            "VAULT_SKIP_VERIFY is set, and then anyone may pose as the manager; unset it and set VAULT_CACERT",
        ),
    ],
    ids=lambda value: value.__name__[1:] if callable(value) else "",
)
def test_each_refusal_says_what_to_do(
    bao: Bao,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Bao, pytest.MonkeyPatch], None],
    message: str,
) -> None:
    """What is missing or refused is told apart, each with its own advice."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    change(bao, monkeypatch)
    assert refusal(f"vault://secret/{place}") == f"vault://secret/{place}: {message}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"key": "x" * 9},
            "none of api_key, api_secret, passphrase, private_key, uid, wallet is there; write them under these names",
        ),
        ({"api_key": "k" * 9}, "api_secret is not there; put it beside api_key"),
        ({"api_key": "k" * 9, "api_secret": ["s"]}, "api_secret is no text; write it in quotes"),
        ({"api_key": True, "api_secret": "s" * 9}, "api_key is no text; write it in quotes"),
        (
            {"api_key": "k" * 20_000, "api_secret": "s" * 9},
            "api_key is unusable: a secret has 1 to 16384 characters; put the exchange's value there",
        ),
    ],
    ids=["unknown fields", "half a pair", "a list", "a flag", "too long"],
)
def test_a_secret_of_another_form_is_refused(bao: Bao, place: str, fields: object, message: str) -> None:
    """What lies there but is no key is told by name, not by value."""
    bao.call("POST", f"secret/data/{place}", {"data": fields})
    assert refusal(f"vault://secret/{place}") == f"vault://secret/{place}: {message}"


def test_what_is_not_there_or_was_deleted_is_missing(bao: Bao, place: str) -> None:
    """A path never written and one deleted read the same."""
    message = f"vault://secret/{place}: there is no secret; write it first, or correct the path"
    assert refusal(f"vault://secret/{place}") == message
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    bao.call("DELETE", f"secret/data/{place}")
    assert refusal(f"vault://secret/{place}") == message


def test_a_mount_of_another_kind_is_refused(bao: Bao) -> None:
    """The path of an engine that holds no key-value secrets is said to be one."""
    bao.call("POST", "sys/mounts/ssh-a", {"type": "ssh"})
    assert refusal("vault://ssh-a/trading") == (
        "vault://ssh-a/trading: the mount holds no key-value secrets; name a mount of type kv"
    )
    bao.call("DELETE", "sys/mounts/ssh-a")


def test_a_sealed_manager_is_told(bao: Bao, place: str) -> None:
    """Sealed is no missing secret and no refused token."""
    bao.call("PUT", "sys/seal")
    try:
        message = refusal(f"vault://secret/{place}")
        facts = secrets.inspect(f"vault://secret/{place}")
    finally:
        bao.call("PUT", "sys/unseal", {"key": bao.unseal_key})
    assert message == f"vault://secret/{place}: the manager is sealed; unseal it"
    assert facts[:2] == [
        Fact("reachable", "yes", "it answers"),
        Fact("readable", "no", "the manager is sealed", "unseal it"),
    ]


def test_a_new_key_is_written_and_not_overwritten(bao: Bao, place: str) -> None:
    """A key that lies there stays unless it may be replaced; then no field of the old one is left, and others' are."""
    new = {"api_key": Secret("new-key-012345"), "api_secret": Secret("new-secret-012345")}
    old = {name: Secret(value) for name, value in KEY.items()} | {"passphrase": Secret("old-phrase")}
    for mount, data in (("secret", "secret/data"), ("one", "one")):
        reference = f"vault://{mount}/{place}"
        secrets.write(reference, old)
        read = bao.call("GET", f"{data}/{place}")["data"]
        assert (read["data"] if mount == "secret" else read) == KEY | {"passphrase": "old-phrase"}
        with pytest.raises(SecretUnavailable) as caught:
            secrets.write(reference, new)
        assert str(caught.value) == (
            f"{reference}: a key is there already; take another place, or say that it may be replaced"
        )
        fields = KEY | {"passphrase": "old-phrase", "owner": "desk"}
        bao.call("POST", f"{data}/{place}", {"data": fields} if mount == "secret" else fields)
        secrets.write(reference, new, replace=True)
        read = bao.call("GET", f"{data}/{place}")["data"]
        assert (read["data"] if mount == "secret" else read) == {
            "owner": "desk",
            "api_key": "new-key-012345",
            "api_secret": "new-secret-012345",
        }


def test_a_key_is_written_over_a_deleted_one(bao: Bao, place: str) -> None:
    """A deleted version is no key that lies there."""
    bao.call("POST", f"secret/data/{place}", {"data": {"api_key": "gone-0123456", "api_secret": "gone-9876543"}})
    bao.call("DELETE", f"secret/data/{place}")
    secrets.write(f"vault://secret/{place}", {name: Secret(value) for name, value in KEY.items()})
    assert revealed(f"vault://secret/{place}") == KEY


def test_a_write_at_the_same_moment_is_refused(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write another version came: nothing is overwritten."""
    from policykit.secrets.vault import Server

    look = Server.current

    def looked(self: Server) -> object:
        found = look(self)
        bao.call("POST", f"secret/data/{place}", {"data": {"api_key": "theirs-01234", "api_secret": "theirs-56789"}})
        return found

    monkeypatch.setattr(Server, "current", looked)
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(f"vault://secret/{place}", {name: Secret(value) for name, value in KEY.items()})
    assert str(caught.value) == (
        f"vault://secret/{place}: another version is there, of this moment or destroyed; look at it, then do it again"
    )
    monkeypatch.undo()
    assert bao.call("GET", f"secret/data/{place}")["data"]["data"]["api_key"] == "theirs-01234"


def test_a_reader_may_not_write(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal of a write names the rights that a write needs."""
    monkeypatch.setenv("VAULT_TOKEN", bao.token(f"secret/data/{place}: read"))
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write(f"vault://secret/{place}", {name: Secret(value) for name, value in KEY.items()})
    assert str(caught.value) == (
        f"vault://secret/{place}: permission denied; write with a token that may `create` and `update` there"
    )


def test_what_may_not_be_read_is_not_overwritten(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may write but not read cannot know what it would destroy: nothing is written, at either version."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    bao.call("POST", f"one/{place}", KEY)
    monkeypatch.setenv("VAULT_TOKEN", bao.token(f"secret/data/{place}: create update", f"one/{place}: create update"))
    for mount in ("secret", "one"):
        for replace in (False, True):
            with pytest.raises(SecretUnavailable) as caught:
                secrets.write(
                    f"vault://{mount}/{place}",
                    {"api_key": Secret("new-key-012345"), "api_secret": Secret("new-secret-012345")},
                    replace=replace,
                )
            assert str(caught.value) == (
                f"vault://{mount}/{place}: permission denied;"
                " give this token `read` on the path, and see that the path is right"
            )
    assert bao.call("GET", f"secret/data/{place}")["data"]["data"] == KEY
    assert bao.call("GET", f"one/{place}")["data"] == KEY


REST = Fact("encrypted at rest", "yes", "it encrypts all it stores with AES-256 (as documented)")
TLS = Fact("tls", "yes", "https, TLS 1.3")
READS = [Fact("reachable", "yes", "it answers"), Fact("readable", "yes", "the reference leads to a complete key")]


def test_inspect_tells_of_a_bot_that_may_only_read(bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token a bot should have: what it may not see is unknown, with the reason."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    monkeypatch.setenv("VAULT_TOKEN", bao.token(f"secret/data/{place}: read"))
    assert secrets.inspect(f"vault://secret/{place}") == [
        *READS,
        TLS,
        Fact(
            "audit",
            "unknown",
            "this token may not list the audit devices (sys/audit needs sudo)",
            "ask the manager's operator, or run doctor with an operator's token",
        ),
        Fact("rights", "yes", "this token may only read it"),
        REST,
    ]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (("secret/data/{}: read update", "secret/metadata/{}: list delete"), "update, delete, list"),
        (("secret/data/{}: read", "secret/destroy/{}: update"), "update"),
        (("one/{}: read create patch",), "create, patch"),
    ],
)
def test_inspect_tells_of_a_token_that_may_more(
    bao: Bao, place: str, monkeypatch: pytest.MonkeyPatch, rules: tuple[str, ...], words: str
) -> None:
    """Rights to change, to list or to destroy are named, wherever version 2 keeps them."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    bao.call("POST", f"one/{place}", KEY)
    monkeypatch.setenv("VAULT_TOKEN", bao.token(*(rule.format(place) for rule in rules)))
    mount = rules[0].partition("/")[0]
    assert secrets.inspect(f"vault://{mount}/{place}")[4] == Fact(
        "rights", "no", f"this token may also: {words}", "give the bot a token that may only `read` this path"
    )


def test_inspect_tells_of_root_and_of_audit_devices(bao: Bao, place: str, tmp_path: Path) -> None:
    """Who may see everything learns whether an audit device is on, and that root is no bot."""
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    root = Fact(
        "rights",
        "no",
        "this token is root: it may do everything",
        "give the bot a token that may only `read` this path",
    )
    off = Fact("audit", "no", "no audit device is on (G14)", "turn one on in the manager's configuration")
    assert secrets.inspect(f"vault://secret/{place}") == [*READS, TLS, off, root, REST]
    told = []
    for name in ("a", "b"):
        bao.call("PUT", f"sys/audit/{name}", {"type": "file", "options": {"file_path": str(tmp_path / name)}})
        told.append(secrets.inspect(f"vault://secret/{place}")[3])
    for name in ("a", "b"):
        bao.call("DELETE", f"sys/audit/{name}")
    assert told == [Fact("audit", "yes", "1 audit device is on"), Fact("audit", "yes", "2 audit devices are on")]


def test_inspect_of_what_does_not_answer_is_unknown(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called good that was not seen."""
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:9")
    see = "see that VAULT_ADDR is right and the manager runs"
    facts = secrets.inspect("vault://secret/x")
    assert facts[:2] == [
        Fact("reachable", "no", "nothing answers there", see),
        Fact("readable", "unknown", "it was not reached", see),
    ]
    assert [(fact.name, fact.state) for fact in facts[2:5]] == [
        ("tls", "unknown"),
        ("audit", "unknown"),
        ("rights", "unknown"),
    ]


@pytest.mark.parametrize(
    "path", ["kv", "kv/", "/kv/x", "kv/../sys/raw", "kv/./x", "kv//x", "kv/x y", "kv/x?list=1", "kv/%2e"]
)
def test_only_a_plain_path_is_asked_for(path: str) -> None:
    """No path climbs out of its mount or asks for something else; the text is not repeated."""
    assert refusal(f"vault://{path}") == (
        "vault:// needs a mount and a path of letters, digits, . _ - (vault://kv/trading/mm)"
    )


def test_the_message_is_one_line(bao: Bao) -> None:
    """Every message has its form PLACE: what is; what to do."""
    assert re.fullmatch(r"vault://secret/none: [^\n:]+; [^\n]+", refusal("vault://secret/none"))


def test_an_address_for_messages_is_read(bao: Bao, place: str) -> None:
    """`read_url` takes the field `url` alone; a key without one is no address."""
    bao.call("POST", f"secret/data/{place}", {"data": {"url": "tgram://123456789:alphaBravo/1"}})
    assert secrets.read_url(f"vault://secret/{place}").reveal() == "tgram://123456789:alphaBravo/1"
    bao.call("POST", f"secret/data/{place}", {"data": KEY})
    with pytest.raises(SecretUnavailable, match="url is not there; write it under this name"):
        secrets.read_url(f"vault://secret/{place}")
