"""Secret references: what is read, and that nothing is shown when it cannot be."""

from __future__ import annotations

import re

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.secrets import env
from policykit.secrets.base import Reference
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
            "env://P: api_key is unusable: a secret has 1 to 16384 characters",
        ),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], message: str) -> None:
    """The variable that misses is named, with what to do."""
    with pytest.raises(SecretUnavailable) as caught:
        env.read(Reference("env", "P"), values)
    assert str(caught.value) == message


@pytest.mark.parametrize("scheme", ["vault", "aws-sm", "azure-kv", "keyring"])
def test_schemes_of_later_versions_say_so(scheme: str) -> None:
    """A scheme of the language that is not built yet is named, with what may be used."""
    with pytest.raises(SecretUnavailable) as caught:
        secrets.read(f"{scheme}://a/b")
    assert str(caught.value) == f"{scheme}:// is not in this version; env:// may be; use it, or wait"


def test_I23_a_secret_in_the_place_of_a_reference_is_not_repeated() -> None:
    """Whatever stands where a reference should, no message repeats it, in 100 forms."""
    for seed in range(100):
        (bird,) = canaries(seed + 2300)
        for text in (
            bird,
            f"{bird}://x",
            f"env://{bird[:16]}-{bird[16:]}",
            f"vault://u:{bird}@h",
            "env://",
            f"\0{bird}://y",
        ):
            with pytest.raises(SecretUnavailable) as caught:
                secrets.read(text)
            assert_clean(str(caught.value) + repr(caught.value), [bird])
            assert re.fullmatch(r"[ -~]{10,200}", str(caught.value))
