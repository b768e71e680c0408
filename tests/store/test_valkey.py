"""What only a store on a server can meet: it goes and comes back, forgets, is another one, is newer, refuses us."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import valkey
from valkey.crc import key_slot

from policykit.errors import StoreUnavailable
from policykit.orders.intent import Outcome
from policykit.store import Observation, open_store
from policykit.store.valkey import ValkeyStore
from policykit.store.valkey_server import parse
from tests.canary import assert_clean, canaries
from tests.store.harm import every_call, refusal
from tests.store.made import ACCOUNT, BTC, NOW, hold_position, hold_sum, hold_window, reserve, wanted
from tests.store.servers import ValkeyServer, free_port

KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., ValkeyServer]]:
    """Return what starts a server of the test's own."""
    started = []

    def start(*settings: str, **more: Any) -> ValkeyServer:
        started.append(ValkeyServer(tmp_path / f"server-{len(started)}", *settings, **more))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def opened(uri: str, folder: Path, name: str = "journal") -> ValkeyStore:
    """Open a store with a host's journal."""
    return ValkeyStore(uri, folder / f"{name}.db", server_time=False, facts_ms=0)


def problem(store: ValkeyStore) -> str | None:
    """Return the code of what keeps increases from a store."""
    found = store.facts(ACCOUNT, "bot").store_problem
    return found[0] if found else None


# ---- down and up again


def test_a_store_that_is_down_is_refused_and_comes_back_by_itself(
    own: Callable[..., ValkeyServer], tmp_path: Path
) -> None:
    """Killed: every call that needs it says so; denials are still written; restarted, all is as it was granted."""
    server = own(*KEEPING)
    store = opened(server.uri(), tmp_path)
    intent, grant = reserve(store, hold_sum(1, 5), hold_window(1, 9), hold_position(BTC, 9 * BTC))
    assert grant.granted
    server.kill()
    message = f"valkey 127.0.0.1:{server.port}/0: cannot be reached; start it, or see POLICYKIT_STORE"
    local = {"record", "event", "rows", "checkpoint"}
    for name, call in every_call(store).items():  # type: ignore[arg-type]
        if name in local:
            call()
        else:
            assert refusal(call) == ("STORE_DOWN", message), name
    server.start()
    assert [i.id for i in store.intents()] == [intent.id]
    assert reserve(store, hold_sum(1, 5), hold_window(1, 9), hold_position(BTC, 9 * BTC))[1].used == (1, 1, BTC)
    assert (problem(store), store.problem) == (None, store.problem)
    store.close()


def test_a_server_that_hangs_is_given_up_in_time(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """A stopped process takes the connection and never answers; what it did meanwhile is taken back afterwards."""
    server = own()
    store = ValkeyStore(server.uri(), tmp_path / "j.db", timeout_ms=50, facts_ms=0)
    assert reserve(store, hold_sum(1, 5))[1].granted
    assert server.process is not None
    server.process.send_signal(19)
    code, message = refusal(lambda: reserve(store, hold_sum(1, 5)))
    server.process.send_signal(18)
    assert (code, message) == ("STORE_DOWN", f"valkey 127.0.0.1:{server.port}/0: did not answer within 0.05 s")
    store._server._timeout_s = 5
    store.facts(ACCOUNT, "bot")
    assert reserve(store, hold_sum(1, 5))[1].used == (1,)
    assert len(store.intents()) == 2
    store.close()


def test_a_grant_whose_row_cannot_be_written_is_none(server: ValkeyServer, uri: str, tmp_path: Path) -> None:
    """INVARIANT I3: without the host's journal nothing is granted, and what was counted is given back."""
    store = opened(uri, tmp_path)
    store.facts(ACCOUNT, "bot")
    store._journal._busy_ms = 0
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refusal(lambda: reserve(store, hold_sum(1, 5)))[0] == "STORE_LOCKED"
    other.execute("ROLLBACK")
    store.facts(ACCOUNT, "bot")
    assert reserve(store, hold_sum(5, 5))[1].used == (0,)
    assert [row.kind for row in store.rows()] == ["outcome", "decision"]
    store.close()


# ---- another store than the one that was


def test_a_flushed_store_is_reset_until_a_person_re_arms_it(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """Every host that remembers another state denies increases; one named re-arm lifts it for all of them."""
    server = own()
    a, b = opened(server.uri(), tmp_path, "a"), opened(server.uri(), tmp_path, "b")
    for store in (a, b):
        assert reserve(store, hold_sum(1, 9))[1].granted
    epoch = a.epoch
    server.client().flushall()
    assert reserve(a, hold_sum(1, 9))[1].stale
    for store in (a, b, opened(server.uri(), tmp_path, "a")):
        assert problem(store) == "STORE_RESET"
        assert store.epoch != epoch
    new = opened(server.uri(), tmp_path, "new")
    assert problem(new) is None
    # Exits go on, and what is granted meanwhile does not pass for what the host remembers.
    assert reserve(a, hold_sum(1, 9))[1].granted
    assert problem(opened(server.uri(), tmp_path, "a")) == "STORE_RESET"
    assert new.resume("all", "desk-head", "restored and reconciled", NOW) == 1
    for store in (a, b, new, opened(server.uri(), tmp_path, "a"), opened(server.uri(), tmp_path, "b")):
        assert problem(store) is None
        assert reserve(store, hold_sum(1, 9))[1].granted or True
    assert new.resume("all", "desk-head", "again", NOW) == 0


def test_a_store_set_back_to_an_older_state_is_reset(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """The same epoch with a lower sequence: counters of before the last grants."""
    server = own()
    store = opened(server.uri(), tmp_path)
    reserve(store, hold_sum(1, 9))
    raw = valkey.Valkey(port=server.port)
    older = {key: raw.dump(key) for key in raw.scan_iter()}
    reserve(store, hold_sum(1, 9))
    assert problem(store) is None
    raw.flushall()
    for key, value in older.items():
        raw.restore(key, 0, value)
    assert problem(store) == "STORE_RESET"
    assert store.resume("bot:x", "desk-head", "not this one", NOW) == 0
    assert problem(store) == "STORE_RESET"
    assert store.resume("all", "desk-head", "reconciled", NOW) == 1
    assert problem(store) is None


def test_another_server_is_reset(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """The host's journal remembers the store, whatever address leads there."""
    first, second = own(), own()
    reserve(opened(first.uri(), tmp_path), hold_sum(1, 9))
    store = opened(second.uri(), tmp_path)
    why = "it lost data, was set back, or is another store"
    what = f"valkey 127.0.0.1:{second.port}/0: is not as {tmp_path}/journal.db remembers it ({why})"
    assert store.reset == ("STORE_RESET", f"{what}; reconcile, then `policykit resume --scope all`")
    assert problem(opened(first.uri(), tmp_path)) is None


def test_recovery_works_on_another_host(uri: str, tmp_path: Path) -> None:
    """The first host's disk is gone: another one finds the intent with everything, and settles it."""
    first = opened(uri, tmp_path, "first")
    intent, _ = reserve(first, hold_sum(1, 1), hold_position(BTC, BTC))
    first.outcome(intent.id, Outcome("unknown", NOW))
    first.close()
    second = opened(uri, tmp_path, "second")
    (found,) = second.intents(ACCOUNT)
    assert (found.client_order_id, found.order, found.holds) == (intent.client_order_id, intent.order, intent.holds)
    second.outcome(found.id, Outcome("settled", NOW, filled=Decimal(1), closed=True))
    assert reserve(second, hold_sum(1, 1), hold_position(1, BTC))[1].used == (0, BTC)
    assert second.facts(ACCOUNT, "bot").positions["BTC"].high == 1


# ---- versions


def test_a_newer_format_is_refused_also_while_in_use(uri: str, server: ValkeyServer, tmp_path: Path) -> None:
    """A library that knows less neither opens the store nor goes on in it."""
    store = opened(uri, tmp_path)
    server.client().hset(f"{store.address.tag}:meta", "format", 3)
    text = f"{store.address}: written by a newer policykit (format 3); formats up to 2 can be read; upgrade policykit"
    assert refusal(lambda: reserve(store, hold_sum(1, 5))) == ("STORE_VERSION", text)
    assert refusal(lambda: opened(uri, tmp_path)) == ("STORE_VERSION", text)


def test_an_older_format_is_refused(uri: str, server: ValkeyServer, tmp_path: Path) -> None:
    """Its counters stand under other names: two versions would each spend the whole of a cap."""
    tag = parse(uri).tag
    server.client().hset(f"{tag}:meta", mapping={"epoch": "e", "format": 1})
    code, text = refusal(lambda: opened(uri, tmp_path))
    assert code == "STORE_VERSION"
    assert text.endswith(
        "written by an older policykit (format 1), whose counters are not read; once its bots have stopped empty it, "
        "or give it another `?name=`"
    )


def test_fields_of_another_version_are_kept(uri: str, server: ValkeyServer, tmp_path: Path) -> None:
    """N-1 reads what N wrote, changes what it knows, and leaves the rest as it was."""
    store, client = opened(uri, tmp_path), server.client()
    tag = store.address.tag
    intent, _ = reserve(store, hold_sum(1, 5))
    store.observe(ACCOUNT, Observation(NOW, NOW, Decimal(5)), NOW)
    for key, field in ((f"{tag}:open", intent.id), (f"{tag}:a:{ACCOUNT}", "facts")):
        data = json.loads(client.hget(key, field))
        data["later"] = "kept"
        data.get("intent", {})["more"] = "kept too"
        client.hset(key, field, json.dumps(data))
    store = opened(uri, tmp_path)
    store.outcome(intent.id, Outcome("acknowledged", NOW, "x"))
    store.observe(ACCOUNT, Observation(NOW + 1, NOW + 1, Decimal(6)), NOW)
    record = json.loads(client.hget(f"{tag}:open", intent.id))
    assert (record["later"], record["intent"]["more"], record["intent"]["order_id"]) == ("kept", "kept too", "x")
    facts = json.loads(client.hget(f"{tag}:a:{ACCOUNT}", "facts"))
    assert (facts["later"], facts["equity"]) == ("kept", ["6", NOW + 1])


# ---- what a server is set to


def test_a_script_that_the_server_lost_is_sent_again(uri: str, server: ValkeyServer, tmp_path: Path) -> None:
    """After SCRIPT FLUSH, or on a new server, the next step brings it along."""
    store = opened(uri, tmp_path)
    assert reserve(store)[1].granted
    server.client().script_flush()
    assert reserve(store)[1].granted


@pytest.mark.parametrize(
    ("settings", "code", "warned"),
    [
        ((), "persists nothing; set appendonly yes", None),
        (
            ("--save", "60 1"),
            None,
            "persists by snapshots, so a crash takes minutes back (STORE_RESET then); set appendonly",
        ),
        (
            ("--appendonly", "yes"),
            None,
            "syncs everysec, so a power cut takes moments back (STORE_RESET then); appendfsync",
        ),
        (KEEPING, None, None),
        (
            (*KEEPING, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"),
            "evicts keys when its memory is full (maxmemory-policy allkeys-lru); noeviction may be",
            None,
        ),
        ((*KEEPING, "--rename-command", "CONFIG", ""), None, None),
        (("--rename-command", "CONFIG", ""), None, "persists by snapshots"),
        (("--rename-command", "CONFIG", "", "--rename-command", "INFO", ""), None, "does not tell whether it persists"),
    ],
)
def test_persistence_is_looked_at(
    own: Callable[..., ValkeyServer], tmp_path: Path, settings: tuple[str, ...], code: str | None, warned: str | None
) -> None:
    """A server that would forget is no store for increases; one that may forget a little is warned about."""
    server = own(*settings)
    store = opened(server.uri(), tmp_path)
    where = f"valkey 127.0.0.1:{server.port}/0: "
    from policykit.store.durability import ephemeral

    on_disk = ephemeral(str(tmp_path / "journal.db"))
    assert store.problem == (("STORE_EPHEMERAL", where + code) if code else on_disk)
    assert len(store.warnings) == (warned is not None)
    assert all(text.startswith(f"{where}{warned}") for _, text in store.warnings)


def test_a_full_server_grants_nothing(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """At maxmemory with noeviction it takes no change, says so, and goes on once there is room."""
    server = own()
    store = opened(server.uri(), tmp_path)
    server.client().config_set("maxmemory", "1")
    text = f"{store.address}: its memory is full (maxmemory); make room"
    assert refusal(lambda: reserve(store, hold_sum(1, 5))) == ("STORE_FULL", text)
    server.client().config_set("maxmemory", "0")
    assert reserve(store, hold_sum(1, 5))[1].used == (0,)


def test_a_replica_is_refused(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """What is written there would be lost."""
    primary = own()
    replica = own("--replicaof", f"127.0.0.1 {primary.port}")
    code, text = refusal(lambda: opened(replica.uri(), tmp_path))
    assert (code, text) == ("STORE_READ_ONLY", f"valkey 127.0.0.1:{replica.port}/0: is a replica; the primary may be")


def test_it_runs_on_a_cluster(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """Every key carries one tag, so all lie in one slot, and a server in cluster mode takes every step."""
    server = own("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    client = server.client()
    client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
    server.said("Cluster state changed: ok")
    store = opened(server.uri(), tmp_path)
    intent, grant = reserve(store, hold_sum(1, 5), hold_window(1, 9), hold_position(BTC, 9 * BTC), own="mine")
    assert grant.granted
    for call in every_call(store).values():  # type: ignore[arg-type]
        with suppress(KeyError):
            call()
    store.outcome(intent.id, Outcome("settled", NOW, filled=Decimal(1), closed=True))
    names = client.keys()
    assert len(names) >= 11
    assert {key_slot(name.encode()) for name in names} == {key_slot(b"{policykit}")}


# ---- who may


def test_a_password_is_asked_for_and_never_shown(
    own: Callable[..., ValkeyServer], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I23: with the right one, a wrong one, none, and no server at all: it is in no message, repr, log or journal."""
    caplog.set_level(logging.DEBUG)
    right, wrong = canaries(7, 2)
    server = own(password=right)
    store = opened(server.uri("x"), tmp_path)
    assert reserve(store, hold_sum(1, 5))[1].granted
    seen = [
        repr(store),
        str(store),
        repr(store.address),
        str(vars(store)),
        repr(store._server),
        str(parse(server.uri())),
    ]
    refused = f"valkey 127.0.0.1:{server.port}/0: refuses the user or its password; see POLICYKIT_STORE and its ACL"
    for uri in (
        f"valkey://:{wrong}@127.0.0.1:{server.port}/0",
        f"redis://somebody:{quote(wrong)}@127.0.0.1:{server.port}",
        f"valkey://127.0.0.1:{server.port}",
    ):
        monkeypatch.setenv("POLICYKIT_STORE", uri)
        with pytest.raises(StoreUnavailable) as caught:
            open_store()
        assert str(caught.value) == refused
        assert caught.value.__suppress_context__
        seen.append(repr(caught.value))
    for uri in (
        f"valkey://:{right}@127.0.0.1:{free_port()}/0",
        f"valkey://:{right}@127.0.0.1:x/0",
        f"valkeys://:{right}@127.0.0.1:{server.port}/0",
        f"valkey://:{right}@/0",
        f"valkey://h/0?{right}={right}",
        f"valkey://:{right}@h/0?name={{}}",
        f"valkey://:{right}@h/{right}",
    ):
        with pytest.raises(StoreUnavailable) as caught:
            open_store(uri)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        seen += [repr(caught.value), str(caught.value)]
    rows = json.dumps([row.body for row in store.rows()])
    assert_clean("\n".join([*seen, rows, caplog.text]), (right, wrong))


def test_a_user_without_rights_is_refused_in_our_words(own: Callable[..., ValkeyServer], tmp_path: Path) -> None:
    """An ACL that forbids the script is an error with a message, not a traceback of the client's."""
    server = own()
    server.client().execute_command(
        "ACL", "SETUSER", "reader", "on", ">secret12", "~*", "+@read", "+hsetnx", "+@connection"
    )
    store = opened(f"valkey://reader:secret12@127.0.0.1:{server.port}/0", tmp_path)
    code, text = refusal(lambda: reserve(store, hold_sum(1, 5)))
    assert (code, text) == (
        "STORE_DOWN",
        f"{store.address}: refuses the user or its password; see POLICYKIT_STORE and its ACL",
    )


# ---- between hosts


def test_windows_go_by_the_servers_clock(uri: str, tmp_path: Path) -> None:
    """Two hosts whose clocks are a day apart share one window."""
    a, b = (ValkeyStore(uri, tmp_path / f"{name}.db") for name in "ab")
    hold = hold_window(6, 10, 3_600_000)
    assert a.use((hold,), NOW).granted
    assert b.use((hold,), NOW + 86_400_000).used == (6,)
    assert a.lease("poller", "a", 60_000, NOW)
    assert not b.lease("poller", "b", 60_000, NOW + 86_400_000)


def test_facts_that_others_moved_are_read_anew(uri: str, tmp_path: Path) -> None:
    """A grant says that newer facts are there, however long a view may stand."""
    a, b = (ValkeyStore(uri, tmp_path / f"{name}.db", server_time=False, facts_ms=10**9) for name in "ab")
    assert a.facts(ACCOUNT, "bot").equity is None
    b.observe(ACCOUNT, Observation(NOW, NOW, Decimal(5)), NOW)
    assert a.facts(ACCOUNT, "bot").equity is None
    assert reserve(a, hold_sum(1, 5))[1].granted
    assert str(a.facts(ACCOUNT, "bot").equity[0]) == "5"  # type: ignore[index]
    b.halt("all", "HALTED", "desk", "test", NOW)
    assert reserve(a, hold_sum(1, 5))[1].stale
    assert [halt.by for halt in a.facts(ACCOUNT, "bot").halts] == ["desk"]


def test_numbers_beyond_what_a_script_reads_exactly_count_against_the_order(uri: str, tmp_path: Path) -> None:
    """A position of over 2^53 steps is rounded outward, and no limit is above 2^53."""
    store = opened(uri, tmp_path)
    huge = Decimal(2**60 + 1) / BTC
    store.observe(ACCOUNT, Observation(NOW, NOW, positions={"BTC": huge}), NOW)
    client_side = store.facts(ACCOUNT, "bot").positions["BTC"]
    assert (client_side.low, client_side.high) == (huge, huge)
    _, grant = reserve(store, hold_position(1, 10**30))
    assert not grant.granted
    assert grant.used[0] >= 2**60 + 1
    assert reserve(store, hold_position(-(2**53), 0), side="sell")[1].granted


def test_names_that_are_no_text_are_names(uri: str, tmp_path: Path) -> None:
    """Half a surrogate pair from a bot: held, read back and given back like any other."""
    store = opened(uri, tmp_path)
    decision, intent = wanted(own="half \ud800")
    hold = hold_sum(1, 1, "\ud800")
    assert store.reserve(decision, intent, (hold,), 0, NOW).granted
    assert reserve(store, own="half \ud800")[1].duplicate == intent.id
    store.outcome(intent.id, Outcome("rejected", NOW, closed=True))
    assert reserve(store, hold)[1].used == (0,)
    store.halt("all", "HALTED", "\ud800", "é", NOW)
    assert [(halt.by, halt.why) for halt in store.halts()] == [("\ud800", "é")]
