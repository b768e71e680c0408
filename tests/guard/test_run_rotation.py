"""A rotation under `policykit run`: every client of an unchanged program goes over, and the guard says so only then."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import ccxt
import pytest

from policykit.guard import run
from policykit.guard.core import Guard
from policykit.sim import SimKey
from tests.guard.test_run_clients import SMALL, program, settings
from tests.guard.test_signer import identity, put
from tests.guard.world import World

__all__ = ["program"]
Program = Callable[..., World]


def told(guard: Guard, active: SimKey, retiring: SimKey) -> None:
    """Say in the store that a key has a successor."""
    row = {"active": identity(active), "retiring": identity(retiring), "state": "swapping"}
    guard.store.keep(guard.account, "rotation", "mm-exec", row, guard.now())


def turned(world: World, guard: Guard) -> SimKey:
    """Give the key a successor, have the guard go over, and delete the old key at the exchange."""
    old, new = world.sim.main_key, world.sim.grant_key(0)
    put(new)
    told(guard, new, old)
    guard.signer.follow()
    guard.signer.wait()
    old.revoked = True
    return new


def test_every_client_of_the_program_goes_over(program: Program) -> None:
    """Made, copied, pickled: each trades on over HTTP when the old key is dead, and the first one too, late."""
    world = program()
    client = ccxt.binance(settings(world))
    late = ccxt.binance({"enableRateLimit": False})
    late.apiKey, late.secret = world.sim.key, world.sim.secret
    clients = [client, late, copy.copy(client), copy.deepcopy(client), pickle.loads(pickle.dumps(client))]
    client.create_order(*SMALL)
    new = turned(world, client.policykit_gate.guard)
    clients.append(ccxt.binance(settings(world)))  # from what the program read at its start
    clients.append(pickle.loads(pickle.dumps(client)))
    assert {(one.apiKey, one.secret) for one in clients} == {(new.key, new.secret)}
    for one in clients:
        assert one.create_order(*SMALL)["status"] == "open"


def test_the_guard_does_not_confirm_while_a_client_signs_with_the_old_key(program: Program) -> None:
    """Its own client has gone over; the program's cannot yet, so the heartbeat names the old key and why."""
    world = program()
    client = ccxt.binance(settings(world))
    guard = client.policykit_gate.guard
    old, new = world.sim.main_key, world.sim.grant_key(0)
    guard.beat()
    assert [info.signer for info in guard.store.guards()] == [identity(old)]
    told(guard, new, old)  # the secrets manager has not got it yet
    guard.signer.follow()
    guard.signer.wait()
    guard.beat()
    (info,) = guard.store.guards()
    assert (client.apiKey, info.signer) == (old.key, identity(old))
    assert "not the successor" in guard.signer.why


def test_a_forked_process_takes_its_inherited_clients_over(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's guard is another one: it knows the clients that came with the fork, and its loop runs."""
    world = program()
    client = ccxt.binance(settings(world))
    parent = client.policykit_gate.guard
    run.PROCESS.forked()
    guard = client.policykit_gate.guard
    assert guard is not parent
    assert run.PROCESS.running
    new = turned(world, guard)
    assert client.apiKey == new.key
    assert client.create_order(*SMALL)["status"] == "open"
    parent.__exit__()
