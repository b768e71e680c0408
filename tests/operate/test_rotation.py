"""A rotation step by step, over HTTP: with a guard that trades, a secrets manager, and an exchange that refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit import secrets
from policykit.errors import SecretUnavailable
from policykit.exchanges.credentials import key_id
from policykit.guard import Guard
from policykit.guard.measures import measure
from policykit.guard.notices import notices
from policykit.operate.keys.find import one
from policykit.operate.person import person
from policykit.operate.rotation import status, steps
from policykit.redact import Secret
from policykit.sim import SimKey
from policykit.store import open_store
from policykit.telemetry import names
from policykit.testing import Sim, SimClock
from tests.guard.world import PRICE, SYMBOL, policy_text
from tests.secrets.test_keyring import READ, entries, library

__all__ = ["entries", "library"]
HELD = ("trading/desk", "mm")
ROTATION = "rotation: {every: 90d, warn_before: 14d, delete_old_within: 24h}, ip_allowlist: [{address: 127.0.0.1}]"


def identity(key: SimKey) -> str:
    """Name a key as the store does."""
    return key_id({name: Secret(value) for name, value in key.credentials().items()})


@dataclass
class House:
    """An exchange, a secrets manager with a key in it, a policy, a store, and a guard that trades with the key."""

    sim: Sim
    clock: SimClock
    file: Path
    store: Any
    guard: Guard
    client: Any
    entries: dict[tuple[str, str], str]

    @property
    def desk(self) -> steps.Desk:
        """Return where steps are done."""
        found = one((str(self.file),), "mm-exec")
        return steps.Desk(found, self.store, person("alice"), "90 days", self.clock, self.sim.url)

    def start(self, key: SimKey, **more: Any) -> steps.Done:
        """Begin a rotation, giving the successor's values as a person does."""
        given = key.credentials()
        return steps.start(self.desk, lambda name: given[name], **more)

    def finish(self, **more: Any) -> steps.Done:
        """End it; nobody confirms anything unless a test says so."""
        return steps.finish(self.desk, **{"confirm": lambda way: True, **more})

    def round(self, seconds: float = 0) -> None:
        """Let the guard do a round, and time pass."""
        self.guard.maintain()
        self.guard.signer.wait()
        if seconds:
            self.clock.sleep(seconds)
            self.guard.maintain()

    def trade(self) -> None:
        """Place one order."""
        self.client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)

    def held(self) -> dict[str, str]:
        """Return what lies in the secrets manager."""
        found: dict[str, str] = json.loads(self.entries[HELD])
        return found


@pytest.fixture
def house(tmp_path: Path, entries: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Start everything; the guard holds the key in use."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file, clock = tmp_path / "mm.yaml", SimClock()
    text = policy_text().replace('secret: "env://MM_EXEC"', f'secret: "{READ}", {ROTATION}')
    file.write_text(text, encoding="utf-8")
    with Sim(clock=clock, seed=1) as sim:
        sim.pin(SYMBOL, PRICE)
        entries[HELD] = json.dumps(sim.main_key.credentials())
        store = open_store(f"sqlite:///{tmp_path}/store.db")
        guard = Guard.load(file, store=store, clock=clock, testing=True, endpoint=sim.url)
        client = guard.protect(sim.client())
        guard.maintain()
        yield House(sim, clock, file, store, guard, client, entries)


def successor(house: House, **setup: Any) -> SimKey:
    """Make a key at the exchange as the policy says."""
    return house.sim.grant_key(0, **{"addresses": ["127.0.0.1"], **setup})


def test_a_key_is_replaced_while_its_bot_trades(house: House) -> None:
    """The whole of it: no order fails, the old key is proved dead, and its secret is gone from the manager."""
    old, new = house.sim.main_key, successor(house)
    house.trade()
    done = house.start(new)
    assert done.ok, done.lines
    assert done.lines[0] == "mm-exec: binance says it may read, trade.spot"
    assert "mm-exec: test order passed: POST /api/v3/order/test: the exchange would take an order" in done.lines
    assert done.lines[-1] == f"mm-exec: {READ} gives the successor from now on"
    refused = house.finish()
    assert (refused.ok, refused.lines[-1]) == (
        False,
        "mm-exec: not revoked, 1 guards sign with it yet; restart them, or give --insist",
    )
    house.round()
    house.trade()
    assert not house.finish().ok, "requests of the old key may be on their way"
    house.round(seconds=40)

    def revoked(way: Any) -> bool:
        old.revoked = True
        return True

    ended = house.finish(confirm=revoked)
    assert ended.lines == (f"mm-exec: {identity(old)} is dead: the exchange refuses it; {identity(new)} is in use",)
    house.trade()
    assert len(house.sim.truth.executed) == 3
    assert house.held() == new.credentials()
    assert house.finish().ok, "again is no harm"


def test_no_secret_is_in_a_row(house: House) -> None:
    """The journal says which key, who, when; never a value of one."""
    new = successor(house)
    house.start(new)
    text = "".join(json.dumps(row.body) for row in house.store.rows(0, 10_000))
    assert identity(new) in text
    values = [value for key in (new, house.sim.main_key) for value in key.credentials().values()]
    assert not [value for value in values if value in text]


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ({"grants": ["read", "trade.spot", "withdraw"]}, "critical[PK101 withdraw-scope]"),
        ({"addresses": []}, "PK201"),
        ({"grants": ["read"]}, "PK119"),
        ({"refused": "permission"}, "the successor was not checked"),
    ],
    ids=["withdraws", "from everywhere", "cannot trade", "is refused"],
)
def test_a_successor_that_is_not_as_the_policy_says_is_not_used(
    house: House, setup: dict[str, Any], words: str
) -> None:
    """G16: it lies beside the key in use, nobody signs with it, and a better one takes its place."""
    done = house.start(successor(house, **setup))
    assert not done.ok
    assert any(words in line for line in done.lines), done.lines
    assert done.rotation is not None
    assert done.rotation.state == "staged"
    house.round()
    assert house.client.apiKey == house.sim.main_key.key
    assert house.held()["api_key"] == house.sim.main_key.key


def test_start_goes_on_with_what_was_put_away(house: House) -> None:
    """What was mended at the exchange needs no second paste: nobody is asked for the values again."""
    new = successor(house, refused="permission")
    assert not house.start(new).ok
    new.refused = None
    done = steps.start(house.desk, lambda name: pytest.fail(f"asked for {name}"))
    assert done.ok, done.lines
    assert house.held()["api_key"] == new.key


def test_the_key_in_use_is_no_successor(house: House) -> None:
    """Pasting the old key again is a slip, and said to be."""
    with pytest.raises(ValueError, match="that is the key in use; make a new one"):
        house.start(house.sim.main_key)


def test_a_second_rotation_waits_for_the_first(house: House) -> None:
    """Two successors at once would leave a guard with neither."""
    assert house.start(successor(house)).ok
    again = house.start(successor(house))
    assert (again.ok, again.lines) == (
        False,
        ("mm-exec: a rotation is under way; policykit rotate status, finish or abort",),
    )


def test_a_key_that_lives_is_not_called_dead(house: House) -> None:
    """A person says that it is deleted; the exchange answers it: the wrong one was."""
    assert house.start(successor(house)).ok
    house.round(seconds=40)
    done = house.finish(by_hand=True)
    assert not done.ok
    assert done.lines == (f"mm-exec: the key {identity(house.sim.main_key)} lives: binance answered: the key is alive",)


def test_without_a_person_the_steps_are_shown(house: House) -> None:
    """A script cannot delete a key in a web page: it says what to do, with exit code 1."""
    assert house.start(successor(house)).ok
    house.round(seconds=40)
    done = house.finish(confirm=lambda way: False)
    assert not done.ok
    assert done.lines[0].startswith("1. ")
    assert (
        done.lines[-1]
        == f"mm-exec: delete the key {identity(house.sim.main_key)}, then policykit rotate finish mm-exec"
    )


def test_a_refusal_proves_nothing_of_a_key_that_nobody_saw_working(house: House) -> None:
    """It may be the address that is refused: a person has to say so, and is named."""
    old = house.sim.main_key
    old.refused = "address"
    assert house.start(successor(house)).ok
    old.refused, old.revoked = None, True
    house.round(seconds=40)
    done = house.finish()
    assert not done.ok
    assert "was never seen working from here" in done.lines[-1]
    done = house.finish(by_hand=True)
    assert done.ok
    assert f"{identity(old)} is deleted, as alice says" in done.lines[-1]


def test_a_person_may_insist(house: House) -> None:
    """A leak does not wait for a bot that hangs; what signs with the old key is refused from then on."""
    assert house.start(successor(house)).ok
    old = house.sim.main_key

    def revoked(way: Any) -> bool:
        old.revoked = True
        return True

    assert house.finish(insist=True, confirm=revoked).ok
    house.round(seconds=1)
    house.trade()


def test_going_back(house: House) -> None:
    """Guards return to the old key, and it is the successor that has to go."""
    old, new = house.sim.main_key, successor(house)
    assert house.start(new).ok
    house.round(seconds=40)
    assert house.client.apiKey == new.key
    done = steps.abort(house.desk)
    assert done.lines == (
        f"mm-exec: {READ} gives the old key again",
        "mm-exec: the successor has to go: policykit rotate finish mm-exec",
    )
    house.round(seconds=40)
    assert house.client.apiKey == old.key

    def revoked(way: Any) -> bool:
        new.revoked = True
        return True

    assert house.finish(confirm=revoked).ok
    house.trade()
    assert house.held() == old.credentials()


def test_going_back_before_anybody_signed_with_it(house: House) -> None:
    """A successor that was refused is given up: it has to go all the same."""
    new = successor(house, grants=["read", "trade.spot", "withdraw"])
    assert not house.start(new).ok
    done = steps.abort(house.desk)
    assert done.lines[0] == f"mm-exec: {READ} gives the old key as ever"
    new.revoked = True
    assert not house.finish().ok, "nobody saw it working from here"
    assert house.finish(by_hand=True).ok
    assert house.held() == house.sim.main_key.credentials()
    assert not steps.abort(house.desk).ok


def test_status_says_who_is_not_over_and_by_when(house: House) -> None:
    """One glance: which key is in use, which has to go, who signs with it yet, what is next."""
    old, new = house.sim.main_key, successor(house)
    found = [one((str(house.file),), "mm-exec")]
    assert status.text(status.rows(house.store, found, house.guard.host, house.clock.now_ms())) == (
        "no key was rotated with this store\n"
    )
    house.start(new)
    (row,) = rows = status.rows(house.store, found, house.guard.host, house.clock.now_ms())
    assert (row["active"], row["retiring"], row["late"]) == (identity(new), identity(old), False)
    assert [(guard["over"], guard["alive"]) for guard in row["guards"]] == [(False, True)]
    assert "next: policykit rotate finish mm-exec --by YOU --why WHY" in status.text(rows)
    (guard,) = row["guards"]
    for more, word in (
        ({"signs_with": ""}, f"not over: {guard['why']}\n"),
        ({"signs_with": identity(old)}, "still signs with the old key: "),
        ({"over": True, "signs_with": identity(new)}, "signs with the successor\n"),
    ):
        assert f": {word}" in status.text([{**row, "guards": [{**guard, **more}]}])
    aborted = {**row, "aborted": True, "active": identity(old), "retiring": identity(new)}
    for more, word in (
        ({"signs_with": identity(new)}, "still signs with the successor"),
        ({"over": True}, "signs with the old key"),
    ):
        assert f": {word}" in status.text([{**aborted, "guards": [{**guard, **more}]}])
    house.clock.sleep(86_401)
    late = status.rows(house.store, found, house.guard.host, house.clock.now_ms())
    assert "OVERDUE" in status.text(late)


def test_a_manager_that_cannot_be_written_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The successor is not half there: no row says that guards are to go over."""

    def broken(reference: str, moves: Any) -> None:
        raise SecretUnavailable(f"{reference}: the keyring is locked; unlock it")

    monkeypatch.setattr(secrets, "arrange", broken)
    with pytest.raises(SecretUnavailable, match="the keyring is locked"):
        house.start(successor(house))
    house.round()
    assert house.client.apiKey == house.sim.main_key.key


def test_an_environment_is_set_by_hand(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written there: it is checked, said, and a bot that restarts with it has gone over."""
    old, new = house.sim.main_key, successor(house)
    house.file.write_text(house.file.read_text().replace(READ, "env://MM_ROT"), encoding="utf-8")
    for name, value in old.credentials().items():
        monkeypatch.setenv(f"MM_ROT_{name.upper()}", value)
    done = house.start(new)
    assert done.lines[-1] == "mm-exec: set the new values where env://MM_ROT is set, and restart each bot"
    assert not house.finish().ok
    for name, value in new.credentials().items():
        monkeypatch.setenv(f"MM_ROT_{name.upper()}", value)
    guard = Guard.load(house.file, store=house.store, clock=house.clock, testing=True, endpoint=house.sim.url)
    client = guard.protect(house.sim.client(apiKey=new.key, secret=new.secret))
    guard.maintain()
    old.revoked = True
    done = house.finish()
    assert "its secret is not at hand" in done.lines[-1]
    assert client.apiKey == new.key
    assert house.finish(by_hand=True).ok


def test_the_master_key_ends_it_where_the_api_can(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one documented call, and its death is proved as any other: by its refusal."""
    master = house.sim.grant_key(0, label="master")
    for name, value in master.credentials().items():
        monkeypatch.setenv(f"MASTER_{name.upper()}", value)
    assert house.start(successor(house)).ok
    house.round(seconds=40)
    with pytest.raises(ValueError, match="the sub-account's e-mail is needed to end the key"):
        house.finish(master="env://MASTER")
    house.sim.main_key.account = "desk@example.com"  # its own, beside that of the master key
    done = house.finish(master="env://MASTER", sub_account="desk@example.com")
    assert done.ok, done.lines
    assert house.sim.main_key.revoked
    house.trade()


def test_the_control_a_key_deleted_without_a_rotation_stops_the_bot(house: House) -> None:
    """Without all this: the bot's next order is refused."""
    house.sim.main_key.revoked = True
    with pytest.raises(ccxt.AuthenticationError):
        house.trade()


def test_people_are_told_of_a_rotation_that_does_not_end(house: House) -> None:
    """A gauge counts who signs with the old key yet; after ten minutes, or when it lives too long, people are told."""

    def told() -> list[str]:
        found = notices(house.guard.engine, house.store, house.guard.host, house.clock.now_ms())
        return [one.what for one in found if one.subject == "binance/main/mm-exec/rotation"]

    def gauge() -> list[float]:
        samples = measure(house.store, house.guard.host, house.clock.now_ms())
        return [one.value for one in samples if one.name == names.M_KEY_WAITING]

    assert gauge() == []
    assert house.start(successor(house)).ok
    house.guard.beat()
    assert (gauge(), told()) == ([1], [])
    house.clock.sleep(601)
    house.guard.beat()
    assert told() == ["key mm-exec is being replaced, and 1 guards sign with the old key yet"]
    house.round(seconds=40)
    assert (gauge(), told()) == ([0], [])
    house.clock.sleep(86_400)
    house.guard.beat()
    assert told() == ["key mm-exec is being replaced, and its old key is not proved dead: it lives longer than it may"]
