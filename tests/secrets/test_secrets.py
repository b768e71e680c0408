"""Secret references: what is read, and that nothing is shown when it cannot be."""

from __future__ import annotations

import http.client
import importlib
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret, quiet, scrub
from policykit.secrets import Fact, base, env, wire
from policykit.secrets.base import FACTS, Reference
from tests.canary import assert_clean, canaries


def test_env_gives_every_name_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """PREFIX_API_KEY and its fellows come back as secrets under the common names, stripped."""
    key, secret, phrase = canaries(31, 3)
    monkeypatch.setenv("PK_T_API_KEY", f" {key}\n")
    monkeypatch.setenv("PK_T_API_SECRET", secret)
    monkeypatch.setenv("PK_T_PASSPHRASE", phrase)
    monkeypatch.setenv("PK_T_UID", "")
    found = secrets.read("env://PK_T")
    assert {name: value.reveal() for name, value in found.items()} == {
        "api_key": key,
        "api_secret": secret,
        "passphrase": phrase,
    }
    assert_clean(repr(found), [key, secret, phrase])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "env://P: P_API_KEY is not set; set it and P_API_SECRET where the bot runs"),
        ({"P_API_KEY": "  "}, "env://P: P_API_KEY is not set; set it and P_API_SECRET where the bot runs"),
        ({"P_API_KEY": "k" * 9}, "env://P: P_API_SECRET is not set; set it where the bot runs"),
        (
            {"P_API_KEY": "k" * 20_000, "P_API_SECRET": "s"},
            "env://P: api_key is unusable: a secret has 1 to 16384 characters; put the exchange's value there",
        ),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], message: str) -> None:
    """The variable that misses is named, with what to do."""
    with pytest.raises(SecretUnavailable) as caught:
        env.read(Reference("env", "P"), values)
    assert str(caught.value) == message


def test_env_reads_the_files_that_containers_mount(tmp_path: Path) -> None:
    """`_FILE` names a file with the value; its line end is none of it, and each can be given either way."""
    key, secret = tmp_path / "key", tmp_path / "secret"
    key.write_text("k-01234567\n", encoding="utf-8")
    secret.write_text("s-01234567", encoding="utf-8")
    named = {"P_API_KEY_FILE": str(key), "P_API_SECRET_FILE": f"{secret} ", "P_UID": "7-01234567"}
    found = env.read(Reference("env", "P"), named)
    told = {name: value.reveal() for name, value in found.items()}
    assert told == {"api_key": "k-01234567", "api_secret": "s-01234567", "uid": "7-01234567"}
    readable = env.inspect(Reference("env", "P"), named)[1]
    assert readable.words == "the environment of this process holds P_API_KEY_FILE, P_API_SECRET_FILE, P_UID"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"P_API_KEY": "k-01234567"}, "P_API_KEY and P_API_KEY_FILE are both set; leave one of them out"),
        ({"P_API_KEY_FILE": "/nowhere/key"}, "the file that P_API_KEY_FILE names cannot be read; check its path"),
        ({"P_API_KEY_FILE": "/"}, "the file that P_API_KEY_FILE names cannot be read; check its path"),
        ({"P_API_KEY_FILE": "\0"}, "the file that P_API_KEY_FILE names cannot be read; check its path"),
        ({"P_API_KEY_FILE": "BLANK"}, "the file that P_API_KEY_FILE names is empty; put the value there"),
        ({"P_API_KEY_FILE": "BINARY"}, "the file that P_API_KEY_FILE names cannot be read; check its path"),
    ],
)
def test_env_says_what_is_wrong_with_a_file(tmp_path: Path, more: dict[str, str], words: str) -> None:
    """And repeats neither its path nor what is in it."""
    for name, content in (("KEY", b"k-01234567"), ("BLANK", b" \n"), ("BINARY", b"\xff\xfe")):
        (tmp_path / name).write_bytes(content)
    named = {"P_API_KEY_FILE": "KEY", "P_API_SECRET": "s-01234567", **more}
    if named["P_API_KEY_FILE"].isupper():
        named["P_API_KEY_FILE"] = str(tmp_path / named["P_API_KEY_FILE"])
    with pytest.raises(SecretUnavailable) as refused:
        env.read(Reference("env", "P"), named)
    assert str(refused.value).startswith(f"env://P: {words}")
    assert "01234567" not in str(refused.value)


def test_env_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be set here ends with the process: it is said where to set it, or what to use."""
    monkeypatch.setenv("PK_T_API_KEY", "k-01234567")
    with pytest.raises(SecretUnavailable) as caught:
        secrets.write("env://PK_T", {"api_key": Secret("k-01234567"), "api_secret": Secret("s-01234567")}, replace=True)
    assert str(caught.value) == (
        "env://PK_T: an environment cannot be written from here; set PK_T_API_KEY and its fellows where the bot is"
        " started, or use vault://, aws-sm://, azure-kv:// or keyring://"
    )


REST = [
    Fact("tls", "yes", "nothing leaves this machine"),
    Fact(
        "audit",
        "unknown",
        "an environment keeps no record of who read it (G14)",
        "use a secrets manager with an audit log",
    ),
    Fact(
        "rights",
        "unknown",
        "every process of this user can read it, and every child inherits it",
        "let the bot run as a user of its own",
    ),
    Fact(
        "encrypted at rest",
        "unknown",
        "where the variables are set is not seen from here",
        "keep the file that sets them encrypted, or readable for this user alone",
    ),
]


def test_inspect_of_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which variables are there is told, and that an environment has no audit log."""
    here = Fact("reachable", "yes", "the environment of this process")
    missing = "PK_T_API_KEY is not set"
    advice = "set it and PK_T_API_SECRET where the bot runs"
    assert secrets.inspect("env://PK_T") == [here, Fact("readable", "no", missing, advice), *REST]
    monkeypatch.setenv("PK_T_API_KEY", "k-01234567")
    monkeypatch.setenv("PK_T_API_SECRET", "s-01234567")
    held = Fact("readable", "yes", "the environment of this process holds PK_T_API_KEY, PK_T_API_SECRET")
    assert secrets.inspect("env://PK_T") == [here, held, *REST]


REFERENCES = {
    "env": "env://PK_T",
    "vault": "vault://kv/trading/mm",
    "aws-sm": "aws-sm://trading/mm",
    "azure-kv": "azure-kv://trading/mm",
    "keyring": "keyring://trading/mm",
}


def test_every_source_tells_the_same_facts(monkeypatch: pytest.MonkeyPatch, led_home: Callable[[int], None]) -> None:
    """Six facts in one order for every scheme, whatever can be reached; what was not seen is never good."""
    led_home(9)
    monkeypatch.setenv("VAULT_TOKEN", "t-01234567")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:9")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert REFERENCES.keys() == secrets.SOURCES.keys()
    for reference in REFERENCES.values():
        facts = secrets.inspect(reference)
        assert tuple(fact.name for fact in facts) == FACTS
        assert facts[1].state != "yes"
        assert all(fact.next_step for fact in facts if fact.state != "yes")


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [
        ("vault", "hvac", "vault"),
        ("aws-sm", "boto3", "aws"),
        ("azure-kv", "azure", "azure"),
        ("keyring", "keyring", "keyring"),
    ],
)
def test_a_missing_library_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, extra: str
) -> None:
    """Who has not installed the extra is told the command, and doctor calls nothing good or bad."""
    find = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return find(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "t-01234567")
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(REFERENCES[scheme])
    assert str(caught.value) == (
        f"{REFERENCES[scheme]}: {module} is not installed; run `pip install policykit-trading[{extra}]`"
    )
    assert {fact.state for fact in secrets.inspect(REFERENCES[scheme])} == {"unknown"}


def test_no_manager_is_imported_before_it_is_used() -> None:
    """A user of env:// pays for no library of a manager, and reading the room's modules imports none of them."""
    code = """
import importlib, os, sys
from policykit import secrets
os.environ |= {"T_API_KEY": "k-01234567", "T_API_SECRET": "s-01234567"}
secrets.read("env://T")
print(sorted({"ssl", "http.client", "policykit.secrets.wire"} & set(sys.modules)))
for module in secrets.SOURCES.values():
    importlib.import_module(f"policykit.secrets.{module}")
print(sorted({"hvac", "requests", "urllib3", "boto3", "botocore", "azure", "keyring"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


@pytest.mark.parametrize(
    ("values", "replace"),
    [
        ({}, True),
        ({"api_key": Secret("k-01234567")}, True),
        ({"api_key": Secret("k-01234567"), "api_secret": Secret("s-01234567"), "owner": Secret("desk-a")}, False),
    ],
)
def test_only_a_complete_key_is_written(values: dict[str, Secret], replace: bool) -> None:
    """Half a pair, nothing, or a name that no exchange has: none of it is sent."""
    assert base.merged({}, values, replace) == base.Problem(
        "what is to be written is no complete key",
        "give api_key and its secret, of api_key, api_secret, passphrase, private_key, uid, wallet",
    )


def test_an_unknown_scheme_is_not_repeated() -> None:
    """The schemes that there are, are named; the text is not."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read("gcp-sm://a/b")
    assert str(caught.value) == (
        "the reference's scheme is not known; env://, vault://, aws-sm://, azure-kv://, keyring:// may be"
    )


def test_quiet_silences_and_restores() -> None:
    """Inside, the libraries log nothing, whatever level a user gave them, nested too; afterwards all is as it was."""
    parent, child = logging.getLogger("botocore"), logging.getLogger("botocore.endpoint")
    other = logging.getLogger("my.bot")
    before = parent.level
    child.setLevel(logging.DEBUG)
    http.client.HTTPConnection.debuglevel = 1
    try:
        with quiet(), quiet():
            late = logging.getLogger("botocore.made_late")
            assert [one.isEnabledFor(logging.CRITICAL) for one in (parent, child, late, other)] == [False] * 3 + [True]
            assert http.client.HTTPConnection.debuglevel == 0
        assert (parent.level, child.level) == (before, logging.DEBUG)
        assert http.client.HTTPConnection.debuglevel == 1
    finally:
        child.setLevel(logging.NOTSET)
        http.client.HTTPConnection.debuglevel = 0


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("https://vault.example", {"HTTPS_PROXY": "http://192.0.2.1:3128"}, {"https": "http://192.0.2.1:3128"}),
        ("https://vault.example", {"HTTPS_PROXY": "http://192.0.2.1:3128", "NO_PROXY": "vault.example"}, {}),
        ("https://127.0.0.1:8200", {"HTTPS_PROXY": "http://192.0.2.1:3128"}, {}),
        ("http://127.0.0.1:8200", {"HTTP_PROXY": "http://192.0.2.1:3128"}, {}),
        ("https://vault.example", {"HTTP_PROXY": "http://192.0.2.1:3128"}, {}),
    ],
)
def test_no_proxy_sees_a_token(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], expected: dict[str, str]
) -> None:
    """A proxy carries only what is encrypted through it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wire.proxies(url) == expected


def test_I23_a_secret_in_the_place_of_a_reference_is_not_repeated() -> None:
    """Whatever stands where a reference should, no message repeats it, in 100 forms."""
    for seed in range(100):
        (bird,) = canaries(seed + 2300)
        for text in (
            bird,
            f"{bird}://x",
            f"env://{bird[:16]}-{bird[16:]}",
            f"vault://u:{bird}@h",
            f"vault://{bird}",
            f"vault://{bird}?a/b",
            f"aws-sm://{bird}=%",
            f"azure-kv://{bird}",
            f"azure-kv://{bird}/a_b",
            f"keyring://{bird}",
            "env://",
            f"\0{bird}://y",
        ):
            with pytest.raises(SecretUnavailable) as caught:
                secrets.read(text)
            assert_clean(str(caught.value) + repr(caught.value), [bird])
            assert re.fullmatch(r"[ -~]{10,200}", str(caught.value))


# Made-up credentials: a Slack webhook, a Telegram bot, a mailbox, a PagerDuty key, webhooks.
@pytest.mark.parametrize(
    ("url", "secrets_in_it"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/ops", ("T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ")),
        ("tgram://123456789:alphaBravo-C_delta/12315544/", ("123456789", "alphaBravo-C_delta", "12315544")),
        ("mailtos://desk:swp%2Ffish@mail.example:587?to=x", ("swp%2Ffish",)),
        ("pagerduty://A1BRTD4JDA1B@T1JJ3T3L2T1J", ("A1BRTD4JDA1B", "T1JJ3T3L2T1J")),
        ("jsons://hooks.example/in/0f9b2c7d1e?token=qwertzuiop", ("0f9b2c7d1e", "qwertzuiop")),
        ("jsons://desk:pin7@hooks.example/in", ("pin7",)),
    ],
)
def test_an_address_for_messages_is_known_by_its_parts(
    monkeypatch: pytest.MonkeyPatch, url: str, secrets_in_it: tuple[str, ...]
) -> None:
    """What is secret in an address is removed from text wherever it stands; other addresses stay readable."""
    monkeypatch.setenv("OPS_URL", url)
    found = secrets.read_url("env://OPS")
    assert (found.reveal(), repr(found)) == (url, "Secret([redacted])")
    for part in secrets_in_it:
        assert part not in scrub(f"POST /{part}/sendMessage: {part[:8]} refused")
        assert scrub(f"bot{part} is wrong") == "bot[redacted] is wrong"
    assert scrub("see https://docs.example/page on mail.example, hooks.example") == (
        "see https://docs.example/page on mail.example, hooks.example"
    )


def test_a_missing_address_for_messages_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable; a key that lies at the same place is no address."""
    monkeypatch.setenv("OPS_API_KEY", "a-key-of-an-exchange")
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read_url("env://OPS")
    assert str(caught.value) == "env://OPS: OPS_URL is not set; set it where the bot runs"
    assert base.wrapped({"api_key": "x"}, (base.URL,)) == base.Problem("url is not there", "write it under this name")
