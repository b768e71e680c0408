"""A key's successor: each request is signed with one of the two keys, never with a mix, and nothing fails meanwhile."""

from __future__ import annotations

import asyncio
import hmac
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ccxt
import pytest

from policykit.exchanges.credentials import key_id, signing, signs_with
from policykit.guard.signer import replace
from policykit.redact import Secret
from policykit.sim import SimKey
from policykit.testing import LimitSizes
from tests.guard.world import SYMBOL, World, policy_text

Start = Callable[..., World]
ACCOUNT = "binance/main"
#: Room for as many orders as a test sends.
WIDE = {"open": 100_000, "orders": 1_000_000, "position": "90% of equity", "weight": 1_000_000}
ROOMY = LimitSizes(weight_1m=1_000_000, orders_10s=1_000_000, sapi_1m=1_000_000)
#: So many orders are sent at most: a test that fails must end.
MOST = 2_000


@pytest.fixture
def eager() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def identity(key: SimKey) -> str:
    """Name a key as the guard does."""
    return key_id({name: Secret(value) for name, value in key.credentials().items()})


def put(key: SimKey) -> None:
    """Put a key where the policy's reference leads."""
    os.environ.update(MM_EXEC_API_KEY=key.key, MM_EXEC_API_SECRET=key.secret)


def told(guard: Any, active: SimKey, retiring: SimKey) -> None:
    """Say in the store that a key has a successor."""
    row = {"active": identity(active), "retiring": identity(retiring), "state": "swapping"}
    guard.store.keep(ACCOUNT, "rotation", "mm-exec", row, guard.now())


def went_over(guard: Any) -> None:
    """Do a round of maintenance and what it began; then another, when nothing that was signed before is on its way."""
    guard.maintain()
    guard.signer.wait()
    drain(guard)
    guard.maintain()


def drain(guard: Any) -> None:
    """Let the time pass in which a request may be on its way."""
    guard.clock.sleep(36)


def test_a_client_goes_over_to_the_successor_and_trades_on_when_the_old_key_is_deleted(start: Start) -> None:
    """Both the bot's client and the guard's own: the old key is refused from then on, and neither notices."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
    old, new = world.sim.main_key, world.sim.grant_key(0)
    assert guard.signer.key_id == identity(old)
    put(new)
    told(guard, new, old)
    went_over(guard)
    assert (client.apiKey, client.secret) == (new.key, new.secret)
    assert guard.signer.key_id == identity(new)
    old.revoked = True
    client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
    guard.maintain()
    assert guard.facts().store_problem is None
    assert len(world.sent) == 2
    (row,) = [row.body for row in guard.store.rows(0, 10_000) if row.kind == "signer"]
    assert (row["old"], row["new"], row["clients"]) == (identity(old), identity(new), 2)


def test_without_going_over_the_deleted_key_stops_the_bot(start: Start) -> None:
    """The control: nothing told the guard of a successor, and its next order is refused."""
    world = start()
    client = world.protected()
    put(world.sim.grant_key(0))
    world.sim.main_key.revoked = True
    with pytest.raises(ccxt.AuthenticationError):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)


def test_the_heartbeat_says_which_key_is_in_use(start: Start) -> None:
    """So that nobody deletes a key that somebody signs with: `rotate finish` reads it."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    old, new = world.sim.main_key, world.sim.grant_key(0)
    guard.beat()
    (info,) = guard.store.guards()
    assert (info.signer, info.signer_why) == (identity(old), "")
    told(guard, new, old)
    went_over(guard)
    (info,) = guard.store.guards()
    assert info.signer == identity(old)
    assert info.signer_why == (
        f"env://MM_EXEC holds {identity(old)}, not the successor {identity(new)};"
        " what is set there counts from the next start"
    )
    assert client.apiKey == old.key
    put(new)
    went_over(guard)
    (info,) = guard.store.guards()
    assert (info.signer, info.signer_why) == (identity(new), "")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda key: setattr(key, "revoked", True), "-2015"),
        (lambda key: os.environ.pop("MM_EXEC_API_SECRET"), "MM_EXEC_API_SECRET is not set"),
    ],
    ids=["refused from here", "half of it is there"],
)
def test_a_successor_that_cannot_be_used_is_not_taken(start: Start, spoil: Callable[[SimKey], Any], words: str) -> None:
    """The old key stays in use, the heartbeat says why, and the bot trades on."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    new = world.sim.grant_key(0)
    put(new)
    spoil(new)
    told(guard, new, world.sim.main_key)
    went_over(guard)
    assert words in guard.signer.why
    assert guard.in_force.info().signer == identity(world.sim.main_key)
    client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
    assert len(world.sent) == 1


def test_a_key_of_something_else_is_left_alone(start: Start) -> None:
    """A client that signs with a third key is not of this rotation."""
    world = start()
    guard = world.guard()
    other = world.sim.grant_key(0)
    client = guard.protect(world.sim.client(apiKey=other.key, secret=other.secret))
    new = world.sim.grant_key(0)
    put(new)
    told(guard, new, world.sim.main_key)
    went_over(guard)
    assert client.apiKey == other.key


def test_a_client_that_is_made_late_with_the_old_key_goes_over_at_once(start: Start) -> None:
    """A bot that makes its client anew knows only what it read at its start."""
    world = start()
    guard = world.guard()
    new = world.sim.grant_key(0)
    put(new)
    told(guard, new, world.sim.main_key)
    went_over(guard)
    world.sim.main_key.revoked = True
    late = guard.protect(world.sim.client())
    assert late.apiKey == new.key
    late.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)


def test_a_rotation_that_was_given_up_leads_back(start: Start) -> None:
    """`rotate abort` names the old key as the one to use, and the successor as the one to leave."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    old, new = world.sim.main_key, world.sim.grant_key(0)
    put(new)
    told(guard, new, old)
    went_over(guard)
    put(old)
    told(guard, old, new)
    went_over(guard)
    assert (client.apiKey, client.secret) == (old.key, old.secret)
    assert guard.signer.key_id == identity(old)


def test_what_ccxt_keeps_of_the_old_key_goes_with_it(start: Start) -> None:
    """A listen key or a token of the old key would live on in the new one's name, and die with the old."""
    world = start()
    client = world.protected()
    client.options.update(listenKey="aaaa", lastAuthenticatedTime=5, wsToken="bbbb", wsTokenTimestamp=7)
    client.options["spot"] = {"listenKey": "cccc", "lastAuthenticatedTime": 9, "fetchOrders": 1}
    new = world.sim.grant_key(0)
    replace(client, {"apiKey": new.key, "secret": new.secret})
    kept = {
        name: client.options[name] for name in ("listenKey", "lastAuthenticatedTime", "wsToken", "wsTokenTimestamp")
    }
    assert kept == {"listenKey": None, "lastAuthenticatedTime": 0, "wsToken": None, "wsTokenTimestamp": 0}
    assert client.options["spot"] == {"listenKey": None, "lastAuthenticatedTime": 0, "fetchOrders": 1}
    assert "signedChallenge" not in client.options


# ---- under load


def busy(start: Start) -> tuple[World, Any]:
    """Start a world with room for many orders, and a guard in it."""
    world = start(text=policy_text(**WIDE), limits=ROOMY)
    return world, world.guard()


def trade(client: Any, stop: threading.Event, least: int) -> list[BaseException]:
    """Send orders until told to stop, at least so many; return what failed."""
    failed: list[BaseException] = []
    sent = 0
    while sent < least or (not stop.is_set() and sent < MOST):
        sent += 1
        try:
            order = client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
            client.cancel_order(order["id"], SYMBOL)
        except Exception as error:
            failed.append(error)
    return failed


def naive(client: Any, key: SimKey) -> None:
    """Replace a key as a bot would: field by field, while another thread may be signing."""
    client.apiKey = key.key
    threading.Event().wait(0)  # a thread may be taken off here
    client.secret = key.secret


def whole(client: Any, key: SimKey) -> None:
    """Replace a key as the guard does."""
    replace(client, signing(client, {name: Secret(value) for name, value in key.credentials().items()}))


def mixed(client: Any, keys: list[SimKey], change: Callable[[Any, SimKey], None], signatures: int) -> int:
    """Count signatures that are of no key, over many changes made by another thread."""
    stop = threading.Event()

    def turn() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            change(client, keys[count % 2])

    secret_of = {key.key: key.secret.encode() for key in keys}
    thread = threading.Thread(target=turn)
    thread.start()
    try:
        wrong = 0
        for _ in range(signatures):
            made = client.sign("order", ["private"], "POST", {"a": 1})
            said, _, signature = made["body"].rpartition("&signature=")
            secret = secret_of[made["headers"]["X-MBX-APIKEY"]]
            wrong += hmac.new(secret, said.encode(), "sha256").hexdigest() != signature
    finally:
        stop.set()
        thread.join()
    return wrong


def test_no_signature_is_of_two_keys(start: Start, eager: None) -> None:
    """Two threads, one that signs and one that changes keys all the time; the control mixes them up."""
    world = start()
    client = world.protected()
    keys = [world.sim.main_key, world.sim.grant_key(0)]
    assert mixed(client, keys, whole, 3_000) == 0
    assert mixed(client, keys, naive, 3_000) > 0


@pytest.mark.parametrize("threads", [1, 4])
def test_orders_of_threads_go_on_while_the_key_is_replaced(start: Start, eager: None, threads: int) -> None:
    """Over HTTP, each thread with a client of its own: 0 failed, 0 unknown, and the old key is deleted in the end."""
    world, guard = busy(start)
    clients = [world.protected(guard) for _ in range(threads)]
    old, new, stop = world.sim.main_key, world.sim.grant_key(0), threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        work = [pool.submit(trade, client, stop, 20) for client in clients]
        put(new)
        told(guard, new, old)
        guard.signer.follow()
        guard.signer.wait()
        stop.set()
        failed = [error for one in work for error in one.result()]
    assert failed == []
    assert guard.signer.key_id == identity(old), "requests may be on their way"
    drain(guard)
    guard.maintain()
    assert guard.signer.key_id == identity(new)
    old.revoked = True
    assert [error for client in clients for error in trade(client, stop, 3)] == []
    assert not [intent for intent in guard.store.intents(ACCOUNT) if intent.state == "unknown"]


def test_orders_of_tasks_go_on_while_the_key_is_replaced(start: Start) -> None:
    """The same of an async client: it is changed on its own loop, between two of its coroutines' steps."""
    world, guard = busy(start)
    old, new = world.sim.main_key, world.sim.grant_key(0)
    seen: set[str] = set()

    async def one(client: Any, stop: asyncio.Event) -> list[BaseException]:
        failed: list[BaseException] = []
        for _ in range(MOST):
            if stop.is_set():
                break
            seen.add(signs_with(client))
            try:
                order = await client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
                await client.cancel_order(order["id"], SYMBOL)
            except Exception as error:
                failed.append(error)
        return failed

    async def run() -> tuple[list[BaseException], list[BaseException]]:
        client = guard.protect(world.sim.client(async_=True))
        try:
            await client.load_markets()
            stop = asyncio.Event()
            tasks = [asyncio.create_task(one(client, stop)) for _ in range(4)]
            await client.fetch_time()
            put(new)
            told(guard, new, old)
            guard.signer.follow()
            await asyncio.to_thread(guard.signer.wait)
            await client.fetch_time()
            stop.set()
            during = [error for errors in await asyncio.gather(*tasks) for error in errors]
            drain(guard)  # no request is out: the clock's step would make its timestamp too old
            await asyncio.to_thread(guard.maintain)
            old.revoked = True
            after = asyncio.Event()
            task = asyncio.create_task(one(client, after))
            for _ in range(3):
                await client.fetch_time()
            after.set()
            return during, await task
        finally:
            await client.close()

    assert asyncio.run(run()) == ([], [])
    assert {identity(old), identity(new)} <= seen
    assert guard.signer.key_id == identity(new)
    assert not [intent for intent in guard.store.intents(ACCOUNT) if intent.state == "unknown"]


def test_what_goes_wrong_on_the_way_keeps_the_old_key(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ban is waited for, a manager that fails in its own words is said in ours, and the next round tries again."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    old, new = world.sim.main_key, world.sim.grant_key(0)
    put(new)
    told(guard, new, old)
    guard.banned(guard.now() + 60_000)
    guard.signer.follow()
    guard.signer.wait()
    assert guard.signer.why == "the exchange takes nothing from this address yet; it is tried later"
    world.clock.advance(61)
    with monkeypatch.context() as patch:
        patch.setattr("policykit.guard.signer.secrets.read", lambda reference: 1 / 0)
        guard.signer.follow()
        guard.signer.wait()
    assert guard.signer.why == "ZeroDivisionError while the successor was read"
    assert client.apiKey == old.key
    went_over(guard)
    assert (client.apiKey, guard.signer.why) == (new.key, "")
