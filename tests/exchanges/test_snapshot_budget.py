"""What a snapshot spends: every window that a call counts in, the bots' own counters, and no further than a ban."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from policykit.errors import StoreUnavailable
from policykit.exchanges import load
from policykit.exchanges.base import Call, CallFailed, Failure
from policykit.exchanges.budget import Budget, Shared, Spending, Stop, Tally, budget_of, running_store
from policykit.exchanges.endpoints import endpoints
from policykit.exchanges.session import Session
from policykit.exchanges.snapshot import take, take_all
from policykit.redact import Secret
from policykit.sim import SimClock, SimServer
from policykit.snapshot import Snapshot
from policykit.store.sqlite import SqliteStore
from policykit.traits.base import RateWindow
from tests.exchanges.fakes import JumpClock
from tests.exchanges.policies import TEXT, policy

TIME = Call("public", "GET /api/v3/time", weight=1)
NOW_MS = 1_795_255_200_000


def test_a_rolling_window_forgets_what_has_left_it() -> None:
    """What does not fit waits until enough of the oldest is out, not to the end of an aligned window."""
    clock = SimClock()
    budget = Budget(100, 60_000, clock, "requests", "rolling")
    assert (budget.wait_ms(60), budget.wait_ms(40)) == (0, 0)
    clock.advance(20)
    assert (budget.wait_ms(10), budget.wait_ms(70)) == (40_000, 40_000)
    clock.advance(40)
    assert (budget.wait_ms(100), budget.wait_ms(1)) == (0, 60_000)


def test_a_call_counts_in_every_window_or_in_none() -> None:
    """A call that the second window has no room for is not counted in the first."""
    adapter = load("binance")
    assert adapter is not None
    clock = SimClock()
    facts = replace(adapter.facts, costs={"by-account": {"GET /api/v3/time": 3}})
    windows = [Budget(10, 60_000, clock, "request-weight"), Budget(5, 60_000, clock, "by-account")]
    spending = Spending(facts, clock, windows, Stop(clock), Tally())
    assert (spending.spend(TIME), spending.spend(TIME)) == (0, 60_000)
    assert [(window.calls, window.weight) for window in windows] == [(1, 1), (1, 3)]
    assert (spending.tally.calls, spending.tally.weight) == (1, 1)
    spending.told({"by-account|60000": 1, "request-weight|60000": 10})
    clock.advance(59)
    assert windows[0].wait_ms(1) == 1_000


def test_reads_keep_off_what_is_kept_for_exits() -> None:
    """Of 6,000 a minute, 80 % are used and 10 % are for exits: 4,200 are left to reads; half where nothing is said."""
    clock = SimClock()
    window = RateWindow("request-weight", 6000, 60_000, "fixed", "ip")
    kept = policy(TEXT.replace("use_at_most: 80%", "use_at_most: 80%, keep_for_exits: 10%"))
    assert budget_of(kept, window, clock).limit == 4_200
    assert budget_of(policy(TEXT[: TEXT.index("rate_budgets")]), window, clock).limit == 3_000


# -- the bots' store --------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """The store of this host's bots."""
    one = SqliteStore(tmp_path / "store.db")
    yield one
    one.close()


def _shared(store: SqliteStore) -> Shared:
    adapter = load("binance")
    assert adapter is not None
    return Shared(policy(), adapter.facts, None, store)


def test_bots_and_snapshots_spend_one_budget(store: SqliteStore) -> None:
    """What a bot has spent is not there for a snapshot, and the other way round; 4,800 a minute in all."""
    bot, snapshot = _shared(store), _shared(store)
    assert bot.wait_ms(TIME._replace(weight=4_700), NOW_MS) == 0
    assert snapshot.wait_ms(TIME._replace(weight=80), NOW_MS) == 0
    assert snapshot.wait_ms(TIME._replace(weight=80), NOW_MS + 12_000) == 48_000
    assert bot.wait_ms(TIME._replace(weight=30), NOW_MS + 12_000) == 48_000
    assert snapshot.wait_ms(TIME._replace(weight=80), NOW_MS + 60_000) == 0


def test_what_headers_say_is_told_to_the_bots(store: SqliteStore) -> None:
    """The exchange counted 4,790: nobody of this store sends another 80."""
    _shared(store).told({"request-weight|60000": 4_790}, NOW_MS)
    assert _shared(store).wait_ms(TIME._replace(weight=80), NOW_MS) == 60_000


def test_a_ban_is_everybodys(store: SqliteStore) -> None:
    """What the exchange told a snapshot binds the bots, and what it told a bot binds a snapshot."""
    _shared(store).banned(NOW_MS + 120_000, NOW_MS)
    assert store.facts("binance/main", "").banned_until_ms == {"ip": NOW_MS + 120_000}
    with pytest.raises(CallFailed) as caught:
        _shared(store).wait_ms(TIME, NOW_MS)
    assert str(caught.value) == "bots of this store were told to send nothing before 2026-11-21T10:02:00.000Z; wait"
    assert _shared(store).wait_ms(TIME, NOW_MS + 120_000) == 0


def test_a_store_that_is_gone_is_said_and_not_asked_again(store: SqliteStore) -> None:
    """The local budget goes on; the reason stands."""
    shared = _shared(store)
    store.close()
    assert shared.wait_ms(TIME, NOW_MS) == 0
    assert shared.problem.endswith("the store was closed; open it again")
    assert shared.wait_ms(TIME, NOW_MS) == 0


def test_a_snapshot_is_in_the_bots_counters(store: SqliteStore) -> None:
    """What a whole snapshot weighed is what the store's window holds."""
    with SimServer(clock=SimClock(), balances={"USDT": 5}) as sim:
        pair = {"api_key": Secret(sim.key), "api_secret": Secret(sim.secret)}
        taken = take(policy(), endpoint=sim.url, clock=sim.clock, store=store, secret_source=lambda _: pair)
        now = sim.clock.now_ms()
    assert taken.errors == []
    free = 4_800 - taken.cost["weight"]
    assert _shared(store).wait_ms(TIME._replace(weight=free + 1), now) == 60_000
    assert _shared(store).wait_ms(TIME._replace(weight=free), now) == 0


def test_no_store_is_ever_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none there is none afterwards; one that is damaged is said, and the command goes on."""
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/none/store.db")
    assert running_store() == (None, "")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "bad.db").write_bytes(b"no database" * 100)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/bad.db")
    opened, problem = running_store()
    assert opened is None
    assert problem.startswith("the bots' store cannot be used, so only this command's own calls are counted: ")
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/good.db")
    SqliteStore(tmp_path / "good.db").close()
    opened, problem = running_store()
    assert (opened is not None, problem) == (True, "")
    assert opened is not None
    opened.close()


def test_a_policy_that_does_not_compile_its_budget_has_none(store: SqliteStore) -> None:
    """A policy without rate budgets holds nothing in the store; its local half of the allowance stands."""
    adapter = load("binance")
    assert adapter is not None
    shared = Shared(policy(TEXT[: TEXT.index("rate_budgets")]), adapter.facts, None, store)
    assert shared.wait_ms(TIME._replace(weight=9_999), NOW_MS) == 0


# -- limits and bans --------------------------------------------------------------------------------------------


def test_a_short_limit_is_waited_for_and_a_long_one_is_not() -> None:
    """Up to 10 s are waited; a longer limit, and every ban, is the failure again, and nothing is sent."""
    clock = SimClock()
    stop = Stop(clock)
    stop.set(Failure("no", "RATE_LIMIT", "too many", 2_000))
    assert stop.wait_ms() == 2_000
    clock.advance(2)
    assert stop.wait_ms() == 0
    for code, wait_ms in (("RATE_LIMIT", 10_001), ("BANNED", 1_000)):
        stop = Stop(clock)
        stop.set(Failure("no", code, "words", wait_ms))
        with pytest.raises(CallFailed) as caught:
            stop.wait_ms()
        until = {10_001: "2026-11-21T10:00:12.001Z", 1_000: "2026-11-21T10:00:03.000Z"}[wait_ms]
        assert (caught.value.code, str(caught.value)) == (code, f"words; nothing may be sent before {until}")


def _secrets(pairs: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Secret]]:
    return {reference: {name: Secret(text) for name, text in pair.items()} for reference, pair in pairs.items()}


@pytest.mark.parametrize("refused", ["rate", "ban"])
def test_a_ban_stops_its_exchange_and_no_other(refused: str) -> None:
    """Ten keys of a banned exchange: few are sent at all, none after the ban; the other exchange is read whole."""
    keys = "".join(f"  k{i}:\n    purpose: tracking\n    secret: env://K{i}\n    scopes: [read]\n" for i in range(10))
    head = TEXT[: TEXT.index("keys:")]
    banned = policy(f"{head.replace('exchange: binance', 'exchange: bybit')}keys:\n{keys}")
    well = policy(TEXT)
    clock = JumpClock()
    with SimServer(clock=clock, dialect="bybit") as bybit, SimServer(clock=clock) as binance:
        pairs = {f"env://K{i}": bybit.grant_key(refused=refused).credentials() for i in range(10)}
        pairs |= {"env://MM": binance.main_key.credentials(), "env://TR": binance.main_key.credentials()}
        known = _secrets(pairs)
        session = Session(known.__getitem__, clock, endpoints([f"bybit={bybit.url}", f"binance={binance.url}"]))
        first, second = take_all(session, [banned, well])
        sent = bybit.truth.by_route["GET /v5/user/query-api"]
    assert isinstance(first, Snapshot)
    assert isinstance(second, Snapshot)
    assert {error["code"] for error in first.errors} == {"RATE_LIMIT" if refused == "rate" else "BANNED"}
    assert len(first.errors) == 10
    assert all("; nothing may be sent before 2026-11-21T10:" in error["message"] for error in first.errors)
    assert sent <= 8  # those that were on their way
    assert (second.errors, [key.name for key in second.keys]) == ([], ["mm-exec", "tracker"])


def test_an_unreadable_policy_of_the_store_is_no_crash(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails while a ban is told, or headers are, changes nothing for the snapshot."""
    shared = _shared(store)

    def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(store, "ban", down)
    monkeypatch.setattr(store, "at_least", down)
    shared.banned(NOW_MS + 1, NOW_MS)
    shared.told({"request-weight|60000": 5}, NOW_MS)
    assert shared.wait_ms(TIME, NOW_MS) == 0
