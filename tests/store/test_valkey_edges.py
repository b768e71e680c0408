"""A store on a server when others are quicker, when it refuses, hangs up or answers late: what each call does then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import StoreUnavailable
from policykit.orders.intent import Outcome
from policykit.store import Observation, valkey_link, valkey_server
from policykit.store import valkey as valkey_store
from policykit.store.valkey import ValkeyStore
from policykit.store.valkey_server import PING
from tests.store.harm import refusal
from tests.store.made import ACCOUNT, NOW, hold_sum, hold_window, reserve, wanted
from tests.store.servers import ValkeyServer

BUSY = "others changed the same 100 times in a row; try again"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., ValkeyServer]]:
    """Return what starts a server of the test's own."""
    started = []

    def start(*settings: str) -> ValkeyServer:
        started.append(ValkeyServer(tmp_path / f"server-{len(started)}", *settings))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def pair(uri: str, tmp_path: Path) -> Iterator[tuple[ValkeyStore, ValkeyStore]]:
    """Return two hosts of one store."""
    stores = [ValkeyStore(uri, tmp_path / f"{name}.db", server_time=False, facts_ms=0) for name in "ab"]
    yield stores[0], stores[1]
    for store in stores:
        store.close()


def before_each_step(store: ValkeyStore, act: Callable[[], Any], times: int) -> None:
    """Let something happen between what a store reads and what it writes, so many times."""
    real, left = store._server.step, [times]

    def step(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            act()
        return real(*args)

    store._server.step = step  # type: ignore[method-assign]


def quicker(pair: tuple[ValkeyStore, ValkeyStore], what: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return a call of the first host, and what the second does meanwhile to the same."""
    a, b = pair
    intent, _ = reserve(a, hold_sum(1, 5))
    turn = iter(range(1, 1_000))
    if what == "renew":
        return lambda: a.renew(intent.id, 0, 1, NOW), lambda: b.renew(intent.id, 0, next(turn), NOW)
    if what == "outcome":

        def saw() -> Any:
            return b.outcome(intent.id, Outcome("acknowledged", NOW, str(next(turn))))

        return lambda: a.outcome(intent.id, Outcome("sent", NOW)), saw
    if what == "observe":

        def observe(store: ValkeyStore, at: int) -> None:
            store.observe(ACCOUNT, Observation(at, at, Decimal(at)), at)

        return lambda: observe(a, NOW), lambda: observe(b, next(turn))
    return (
        lambda: a.halt("bot:a", "HALTED", "desk", "test", NOW),
        lambda: b.halt("bot:b", "HALTED", "desk", str(next(turn)), NOW),
    )


@pytest.mark.parametrize("what", ["renew", "outcome", "observe", "halt"])
def test_who_was_slower_tries_again(pair: tuple[ValkeyStore, ValkeyStore], what: str) -> None:
    """Another host changes the same in between: the change is made on what it left, and both are there."""
    if what == "renew":  # one that is "sent" waits no more
        call, meanwhile = quicker(pair, what)
        before_each_step(pair[0], meanwhile, 1)
        assert call() is True
        return
    call, meanwhile = quicker(pair, what)
    before_each_step(pair[0], meanwhile, 3)
    call()
    if what == "outcome":
        assert [intent.order_id for intent in pair[0].intents()] == ["3"]
    if what == "observe":
        assert pair[1].facts(ACCOUNT, "bot").equity == (Decimal(NOW), NOW)
    if what == "halt":
        assert [halt.scope for halt in pair[0].halts()] == ["bot:b", "bot:a"]


@pytest.mark.parametrize("what", ["renew", "outcome", "observe", "halt"])
def test_who_is_always_slower_gives_up(pair: tuple[ValkeyStore, ValkeyStore], what: str) -> None:
    """A bounded number of times, and says so."""
    call, meanwhile = quicker(pair, what)
    before_each_step(pair[0], meanwhile, 1_000)
    assert refusal(call) == ("STORE_LOCKED", f"{pair[0].address}: {BUSY}")


def test_a_permit_is_not_renewed_under_a_newer_generation(pair: tuple[ValkeyStore, ValkeyStore]) -> None:
    """A halt came in between: the order is not to be sent."""
    a, b = pair
    intent, _ = reserve(a, hold_sum(1, 5))
    before_each_step(a, lambda: b.halt("all", "HALTED", "desk", "test", NOW), 1)
    assert a.renew(intent.id, 0, 1, NOW) is False


def test_a_use_is_counted_on_the_store_that_is_there(
    pair: tuple[ValkeyStore, ValkeyStore], server: ValkeyServer
) -> None:
    """The server forgets between two calls: a use counts on what is there; one that forgets each time is given up."""
    a, tag = pair[0], pair[0].address.tag
    hold = hold_window(1, 5)

    def forget() -> None:
        with server.client() as client:
            client.delete(f"{tag}:meta")

    assert a.use((hold,), NOW).used == (0,)
    forget()
    assert a.use((hold,), NOW).used == (0,)
    before_each_step(a, forget, 1_000)
    assert refusal(lambda: a.use((hold,), NOW)) == ("STORE_LOCKED", f"{a.address}: {BUSY}")


def test_an_account_that_a_limit_halted_starts_anew_when_that_is_lifted(pair: tuple[ValkeyStore, ValkeyStore]) -> None:
    """Its peak is taken anew on every host, as `resume` says; a halt by a person leaves figures as they are."""
    a, b = pair
    for at, equity in ((NOW, 100), (NOW + 1, 50)):
        facts = Observation(
            at, at, Decimal(equity), Decimal(0), day_start_ms=NOW, week_start_ms=NOW, carried_transfers=Decimal(0)
        )
        a.observe(ACCOUNT, facts, at)
    assert b.facts(ACCOUNT, "bot").peak == (Decimal(100), NOW)
    for by, peak in (("desk-head", (Decimal(100), NOW)), ("risk.max_drawdown", None)):
        a.halt(f"account:{ACCOUNT}", "REDUCING", by, "test", NOW + 2)
        assert b.resume(f"account:{ACCOUNT}", "desk-head", "reviewed", NOW + 3) == 1
        assert a.facts(ACCOUNT, "bot").peak == peak


def test_holds_without_an_intent_are_granted(pair: tuple[ValkeyStore, ValkeyStore]) -> None:
    """A cancel counts in its budgets and leaves no intent."""
    decision, _ = wanted()
    assert pair[0].reserve(decision, None, (hold_window(1, 5),), 0, NOW).used == (0,)
    assert pair[0].intents() == []


def test_a_key_that_works_from_here_is_proved_for_all_hosts(pair: tuple[ValkeyStore, ValkeyStore]) -> None:
    """What one host proved, others see."""
    a, b = pair
    exchange, _, name = ACCOUNT.partition("/")
    a.prove({"exchange": exchange, "account": name, "host": "h", "key": "mm-exec", "environment": "live"}, NOW)
    assert b.facts(ACCOUNT, "bot").address_proofs == {"h|mm-exec": NOW}


def test_the_journal_of_a_host_is_backed_up(pair: tuple[ValkeyStore, ValkeyStore], tmp_path: Path) -> None:
    """The copy verifies, and holds this host's rows."""
    a = pair[0]
    reserve(a, hold_sum(1, 5))
    a.backup(tmp_path / "copy.db")
    assert [row.kind for row in a.rows()] == ["decision"]
    assert a.verify() == (1, None)


def test_what_is_remembered_of_open_intents_has_a_bound(
    pair: tuple[ValkeyStore, ValkeyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it records are read again, and nothing else changes."""
    monkeypatch.setattr(valkey_link, "_RECORDS", 2)
    intents = [reserve(pair[0], hold_sum(1, 9))[0] for _ in range(5)]
    assert len(pair[0]._records) <= 2
    for intent in intents:
        assert pair[0].outcome(intent.id, Outcome("sent", NOW)).state == "sent"


def test_grants_that_were_lost_on_the_way_have_a_bound(
    own: Callable[..., ValkeyServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many are taken back once the server is there; what held no intent has nothing to be taken back."""
    monkeypatch.setattr(valkey_store, "_LOST", 1)
    server = own()
    store = ValkeyStore(server.uri(), tmp_path / "j.db", server_time=False)
    server.kill()
    decision, _ = wanted()
    for call in (
        lambda: store.reserve(decision, None, (), 0, NOW),
        lambda: reserve(store, hold_sum(1, 5)),
        lambda: reserve(store, hold_sum(1, 5)),
    ):
        assert refusal(call)[0] == "STORE_DOWN"  # type: ignore[arg-type]
    assert len(store._lost) == 1
    store.close()


# ---- the connection


def test_without_the_client_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client is an extra."""
    monkeypatch.setitem(sys.modules, "valkey.connection", None)
    text = "POLICYKIT_STORE: the valkey client is not installed; pip install 'policykit-trading[valkey]'"
    assert refusal(lambda: ValkeyStore("valkey://localhost", tmp_path / "j.db")) == ("STORE_URI", text)


def test_a_connection_that_rested_is_looked_at_first(
    own: Callable[..., ValkeyServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was restarted, or left an answer that nobody waits for: a new connection, and no error."""
    monkeypatch.setattr(valkey_server, "RESTED_S", 0.0)
    server = own("--appendonly", "yes", "--appendfsync", "always")
    store = ValkeyStore(server.uri(), tmp_path / "j.db", server_time=False)
    server.kill()
    server.start()
    assert store._server.ask(PING) == ["PONG"]
    store._server._connection.send_packed_command((PING,))
    connects = store._server.connects
    while not store._server._gone(store._server._connection):
        pass
    assert store._server.ask(PING, PING) == ["PONG", "PONG"]
    assert store._server.connects == connects + 1
    assert store._server.ask(PING) == ["PONG"]
    assert store._server.connects == connects + 1
    store.close()


def test_an_interrupted_call_leaves_no_answer_for_the_next(
    pair: tuple[ValkeyStore, ValkeyStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between sending and reading: the connection is given up, since its answer is still on the way."""
    server = pair[0]._server

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(server._connection, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pair[0].facts(ACCOUNT, "bot")
    assert server._connection is None
    assert server.ask(PING) == ["PONG"]


def test_a_server_that_is_gone_is_no_server_that_keeps_a_secret(
    own: Callable[..., ValkeyServer], tmp_path: Path
) -> None:
    """What may be refused is still told apart from what cannot be asked."""
    server = own()
    store = ValkeyStore(server.uri(), tmp_path / "j.db")
    server.kill()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        store._server.may(PING)
    store.close()


def test_a_server_that_cannot_save_takes_no_change(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """Its snapshot fails: it refuses writes until that is mended, and we say why."""
    server = own()
    store = ValkeyStore(server.uri(), tmp_path / "j.db", server_time=False)
    (server.folder / "dump.rdb").mkdir()
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        server.said("Background saving error")
    text = f"{store.address}: cannot write to its disk, and takes no change; make room there"
    assert refusal(lambda: reserve(store, hold_sum(1, 5))) == ("STORE_FULL", text)
    store.close()


def test_a_server_that_loads_is_not_down(pair: tuple[ValkeyStore, ValkeyStore]) -> None:
    """It says that it still reads its data, for a moment that no test can catch it in."""
    error = pair[0]._server._errors.BusyLoadingError("LOADING the dataset in memory")
    assert str(pair[0]._server._unavailable(error)) == f"{pair[0].address}: is loading its data; wait for it"


def test_a_server_without_scripts_is_too_old(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """A command that it does not know, or that its owner took away."""
    store = ValkeyStore(own("--rename-command", "EVALSHA", "").uri(), tmp_path / "j.db", server_time=False)
    text = f"{store.address}: refuses a command; Valkey 7 or Redis 7 and later may be"
    assert refusal(lambda: reserve(store, hold_sum(1, 5))) == ("STORE_DOWN", text)
    store.close()
