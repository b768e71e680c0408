"""A key, its successor and the one before it at one place: whoever reads it as ever finds one whole key."""

from __future__ import annotations

import json

import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from tests.secrets.test_keyring import KEY, NEW, READ, entries, library

__all__ = ["entries", "library"]
HELD = ("trading/desk", "mm")


def lies(entries: dict[tuple[str, str], str]) -> dict[str, str]:
    """Return the fields that lie there."""
    found: dict[str, str] = json.loads(entries[HELD])
    return found


@pytest.fixture
def held(entries: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Put a key there, and something of somebody else."""
    entries[HELD] = json.dumps({**KEY, "note": "of somebody else"})
    return entries


def test_a_successor_is_put_away_without_being_used(held: dict[tuple[str, str], str]) -> None:
    """Who reads the reference goes on with the key in use; what others put there stays."""
    secrets.stage(READ, NEW)
    assert {name: value.reveal() for name, value in secrets.read(READ).items()} == KEY
    assert secrets.read(READ, "next") == NEW
    assert lies(held)["note"] == "of somebody else"


def test_keys_change_places_in_one_write(held: dict[tuple[str, str], str]) -> None:
    """The successor is in use, the one before it is kept until it is dead, and nothing is there twice."""
    secrets.stage(READ, NEW)
    secrets.arrange(READ, {"current": "next", "retired": "current", "next": None})
    assert secrets.read(READ) == NEW
    assert {name: value.reveal() for name, value in secrets.read(READ, "retired").items()} == KEY
    assert "next_api_key" not in lies(held)
    secrets.arrange(READ, {"current": "retired", "retired": "current"})
    assert {name: value.reveal() for name, value in secrets.read(READ).items()} == KEY
    secrets.arrange(READ, {"retired": None})
    assert lies(held) == {**KEY, "note": "of somebody else"}


def test_a_key_that_is_not_there_is_not_moved(held: dict[tuple[str, str], str]) -> None:
    """What would leave nobody a key is refused, and nothing is changed."""
    before = lies(held)
    with pytest.raises(SecretUnavailable) as caught:
        secrets.arrange(READ, {"current": "next", "retired": "current", "next": None})
    assert str(caught.value) == (
        "keyring://trading/desk/mm: none of next_api_key, next_api_secret, next_passphrase, next_private_key, next_uid,"
        " next_wallet is there; write them under these names"
    )
    assert lies(held) == before


@pytest.mark.parametrize("values", [{}, {"api_key": Secret("only-its-id-0001")}], ids=["nothing", "half a pair"])
def test_half_a_successor_is_not_put_away(held: dict[tuple[str, str], str], values: dict[str, Secret]) -> None:
    """As with a first key: an exchange shows a secret once, and half of it opens nothing."""
    before = lies(held)
    with pytest.raises(SecretUnavailable, match="what is to be written is no complete key"):
        secrets.stage(READ, values)
    assert lies(held) == before


def test_half_a_key_in_a_role_is_no_key(held: dict[tuple[str, str], str]) -> None:
    """A pair of which one is missing is said to be, in any role."""
    held[HELD] = json.dumps({**KEY, "next_api_key": "of-a-successor-1"})
    with pytest.raises(SecretUnavailable, match="api_secret is not there; put it beside api_key"):
        secrets.read(READ, "next")


def test_an_environment_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where the successor is to be set; where it was set, it is read."""
    with pytest.raises(SecretUnavailable, match="an environment cannot be written from here"):
        secrets.stage("env://PK_T", NEW)
    monkeypatch.setenv("PK_T_NEXT_API_KEY", "new-key-012345")
    monkeypatch.setenv("PK_T_NEXT_API_SECRET", "new-secret-012345")
    assert secrets.read("env://PK_T", "next") == NEW
