"""A rotation whose command dies between two steps: what the manager holds counts, and no wrong key is ended."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from policykit import secrets
from policykit.errors import StoreUnavailable
from policykit.operate.rotation import steps
from policykit.redact import Secret
from tests.operate.test_rotation import HELD, House, entries, house, identity, library, successor

__all__ = ["entries", "house", "library"]


def broken(house: House, monkeypatch: pytest.MonkeyPatch, step: Any, rows: int = 0) -> None:
    """Do a step whose command can write so many rows, and dies."""
    left = [rows]
    real = steps.write

    def write(*arguments: Any) -> Any:
        if not left[0]:
            raise StoreUnavailable("the command was killed")
        left[0] -= 1
        return real(*arguments)

    with monkeypatch.context() as patch, suppress(StoreUnavailable):
        patch.setattr(steps, "write", write)
        step()


def test_start_goes_on_where_the_manager_gives_the_successor(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the manager was written, and before the row: start again tells the guards, and asks nobody."""
    old, new = house.sim.main_key, successor(house)
    broken(house, monkeypatch, lambda: house.start(new), rows=1)
    assert house.held()["api_key"] == new.credentials()["api_key"]
    done = steps.start(house.desk, lambda name: pytest.fail("asked again"))
    assert done.ok, done.lines
    assert done.rotation is not None
    assert (done.rotation.active, done.rotation.retiring) == (identity(new), identity(old))
    assert house.held()["retired_api_key"] == old.credentials()["api_key"]


def test_going_back_is_one_move_however_often(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the manager was written: abort again leaves the old key in use, and the successor has to go."""
    old, new = house.sim.main_key, successor(house)
    assert house.start(new).ok
    broken(house, monkeypatch, lambda: steps.abort(house.desk))
    assert steps.abort(house.desk).ok
    assert house.held()["api_key"] == old.credentials()["api_key"]
    assert house.held()["retired_api_key"] == new.credentials()["api_key"]


def test_going_back_from_a_start_that_died(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manager gave the successor though no row said so: abort gives the old key again."""
    old, new = house.sim.main_key, successor(house)
    broken(house, monkeypatch, lambda: house.start(new), rows=1)
    assert steps.abort(house.desk).ok
    assert house.held()["api_key"] == old.credentials()["api_key"]
    assert house.held()["retired_api_key"] == new.credentials()["api_key"]


def test_only_the_key_that_has_to_go_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another key where the retired one should lie (a hand in the manager): nothing is revoked, none called dead."""
    new = successor(house)
    assert house.start(new).ok
    house.round(seconds=40)
    other = house.sim.grant_key(0, addresses=["127.0.0.1"])
    held = house.held() | {f"retired_{name}": value for name, value in other.credentials().items()}
    house.entries[HELD] = json.dumps(held)
    asked: list[Any] = []
    done = house.finish(confirm=lambda way: bool(asked.append(way)) or True)
    assert not done.ok
    assert not asked
    assert "another key" in done.lines[-1]


def test_of_two_who_begin_at_once_none_takes_the_others_key(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one successor is checked another is put away: the first is not said to be in use, and start goes on."""
    first, second = successor(house), successor(house)
    old, real = house.sim.main_key, steps._checked

    def checked(*arguments: Any) -> Any:
        monkeypatch.setattr(steps, "_checked", real)
        values = {name: Secret(value) for name, value in second.credentials().items()}
        secrets.stage(house.desk.reference, values)
        return real(*arguments)

    monkeypatch.setattr(steps, "_checked", checked)
    done = house.start(first)
    assert (done.ok, done.lines[-1].partition("; ")[0]) == (False, "mm-exec: somebody else began a rotation meanwhile")
    assert house.held()["api_key"] == old.credentials()["api_key"]
    again = house.start(second)
    assert again.ok, again.lines
    assert again.rotation is not None
    assert (again.rotation.active, again.rotation.retiring) == (identity(second), identity(old))
