"""What an incident finds at the exchange: logins, orders that are not ours, and which calls may be made for it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit import traits
from policykit.exchanges import load
from policykit.exchanges.base import Answer, CallFailed, Failure
from policykit.exchanges.cancelling import load as cancelling
from policykit.exchanges.records import LOGINS, TRADES, opened
from policykit.operate.incident import looking
from policykit.orders.intent import Outcome
from policykit.snapshot import KeyReport
from policykit.store import open_store
from tests.operate.incidents import Desk, desk
from tests.store.made import reserve


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """One exchange on which a bot trades."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as found:
        yield found


def test_trades_of_no_order_of_ours_are_told_from_ours(one: Desk) -> None:
    """An order that the journal has is ours by its client order id, or by the exchange's; any other is not."""
    sim, store = one.sims["binance"], open_store(one.uri)
    client = sim.client()
    now = sim.clock.now_ms()
    by_id, _ = reserve(store, now=now - 60_000, client_order_id="ours-by-our-id", account="binance/main")
    by_theirs, _ = reserve(store, now=now - 60_000, client_order_id="not-told", account="binance/main")
    params = {"newClientOrderId": by_id.client_order_id}
    client.create_order("BTC/USDT", "market", "buy", 0.01, None, params)
    known = client.create_order("BTC/USDT", "market", "buy", 0.02)
    store.outcome(by_theirs.id, Outcome("settled", now, str(known["id"]), Decimal("0.02"), closed=True))
    client.create_order("BTC/USDT", "market", "sell", 0.005)
    one.start("--key", "binance-exec")
    step = one.steps()["history/binance/main"]
    assert (step["state"], step["foreign"]) == ("alarm", 1)
    assert step["words"] == "1 of 3 trades seen are of no order of ours; there may be more: export it in the web page"
    assert " BTC/USDT sell 0.00500000 at " in step["lines"][0]
    assert "AT THE EXCHANGE, binance/main: BTC/USDT sell 0.00500000" in one.incident("report").out


def test_a_leaked_key_that_may_withdraw_is_named(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a thief can do with a key that still works is told, also where no other key is left to ask."""
    key = one.sims["binance"].grant_key(grants=frozenset({"read", "trade.spot", "withdraw"}))
    for name, value in key.credentials().items():
        monkeypatch.setenv(f"BINANCE_EXEC_{name.upper()}", value)
    one.start("--all")
    step = one.steps()["audit/binance/main"]
    assert (step["state"], step["lines"]) == (
        "alarm",
        ["binance-exec, LEAKED AND STILL ALIVE: may withdraw beyond its policy"],
    )


def test_a_bot_that_traded_all_day_does_not_crowd_what_was_done_out(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeline has so many lines: the oldest of the journal's go, and it is said; what was done stays."""
    monkeypatch.setattr("policykit.operate.incident.report.MAX_LINES", 30)
    store, now = open_store(one.uri), one.sims["binance"].clock.now_ms()
    for number in range(40):
        reserve(store, now=now - 60_000 + number, client_order_id=f"order-{number}", account="binance/main")
    one.start("--key", "binance-exec")
    text = one.incident("report").out
    timeline = text.partition("## Timeline (UTC)")[2].partition("\n## ")[0]
    assert "incident started by" in timeline
    assert "halt binance/main: done" in timeline
    assert "rows of the journal up to here are left out" in timeline
    assert timeline.count("our order") < 30


@pytest.mark.parametrize("exchange", sorted({*TRADES, *LOGINS}))
def test_what_is_open_beyond_the_allowlist_only_reads(exchange: str) -> None:
    """No call of it is a cancel, an order, or of a form that changes anything; logins are those of the traits."""
    facts, known = traits.load(exchange), cancelling(exchange)
    assert facts is not None
    mine = TRADES.get(exchange, frozenset()) | (LOGINS[exchange][1] if exchange in LOGINS else frozenset())
    placed = {call for product in facts.products.values() for call in product.calls.values()}
    assert not mine & placed
    assert known is None or not mine & known.calls
    if exchange in LOGINS:
        assert facts.aftermath is not None
        assert LOGINS[exchange][1] <= {facts.aftermath.logins, facts.aftermath.changes}
    assert {call for call in mine if not call.startswith("GET ")} <= {"POST /v2/auth/r/logins/hist"}


def test_nothing_else_leaves(one: Desk) -> None:
    """The client of an incident makes those calls and reads; an order is refused before a byte leaves."""

    class Client:
        policykit_beyond: Any = None

    client = opened(Client(), "okx")
    assert client.policykit_beyond("GET", "https://www.okx.com/api/v5/trade/fills-history?instType=SPOT", None)
    assert not client.policykit_beyond("POST", "https://www.okx.com/api/v5/trade/order", "{}")
    assert not opened(Client(), "kraken").policykit_beyond("POST", "https://api.kraken.com/0/private/AddOrder", "")


def test_logins_are_read_in_each_form() -> None:
    """Bitfinex's rows are lists, Deribit's and BitMEX's have names; what is neither is a login all the same."""
    bitfinex = [[1, None, 1_770_000_000_000, None, "203.0.113.9"], [2]]
    deribit = {"result": {"data": [{"timestamp": 1_770_000_000_000, "result": "success", "ip": "203.0.113.9"}]}}
    bitmex = [{"type": "login", "created": "2026-02-02T02:40:00.000Z", "ip": "203.0.113.9"}, "strange"]
    assert [looking._login(row) for row in looking._listed(bitfinex)] == [
        (1_770_000_000_000, "from 203.0.113.9"),
        (None, "a login of unknown form"),
    ]
    assert [looking._login(row) for row in looking._listed(deribit)] == [(1_770_000_000_000, "success 203.0.113.9")]
    assert [looking._login(row) for row in looking._listed(bitmex)] == [
        (1_770_000_000_000, "login 203.0.113.9"),
        (None, "a login of unknown form"),
    ]
    assert looking._listed({"result": None}) is None


@pytest.mark.parametrize("said", [None, {}, {"result": None}, {"result": {}}, "no", 0])
def test_an_answer_without_rows_is_not_no_logins(said: object) -> None:
    """Nobody is said not to have logged in by an answer that cannot be read; a list without rows says so."""
    act = looking._logins(said, 100, 3)
    assert (act.state, act.words) == ("waiting", "the answer cannot be read: look in the web page")
    assert looking._logins([], 100, 3).state == "done"


def test_a_full_page_of_logins_is_not_all_of_them() -> None:
    """As many rows as were asked for may have more behind them, old as they are."""
    old = [{"type": "login", "created": "2026-02-02T02:40:00.000Z"}] * 2
    assert looking._logins(old, 3, 2_000_000_000_000).state == "done"
    full = looking._logins(old, 2, 2_000_000_000_000)
    assert (full.state, full.words) == (
        "waiting",
        "0 logins and changes: whose are they?; there may be more: look in the web page",
    )
    assert looking._logins(old, 2, 3).state == "alarm"


def test_trades_that_are_all_ours_wait_for_a_person(one: Desk) -> None:
    """What one look shows is never all of it: it says what was seen, and somebody confirms it."""
    sim, store = one.sims["binance"], open_store(one.uri)
    mine, _ = reserve(store, now=sim.clock.now_ms() - 60_000, client_order_id="ours", account="binance/main")
    sim.client().create_order("BTC/USDT", "market", "buy", 0.01, None, {"newClientOrderId": mine.client_order_id})
    one.start("--key", "binance-exec")
    step = one.steps()["history/binance/main"]
    assert (step["state"], step["foreign"]) == ("waiting", 0)
    assert step["words"] == "1 trades seen, of orders of ours; there may be more: export it in the web page"


@pytest.mark.parametrize(
    ("answer", "count", "said"),
    [
        ([], 0, "trades beyond the 0 of one call, of all markets"),
        ([{"order": "o1"}], 1, "trades beyond the 1 of one call, of all markets"),
        ([{"order": "o1"}, "strange"], 1, "trades beyond the 1 of one call, of all markets"),
        ({}, 0, "trades of all markets: the answer cannot be read"),
        (None, 0, "trades of all markets: the answer cannot be read"),
    ],
)
def test_one_call_is_not_all_trades(answer: object, count: int, said: str) -> None:
    """A unified call has one page, full or not; an answer that is no list shows nothing at all."""

    class Line:
        adapter = load("okx")

    missing: list[str] = []
    steps = looking._fills(Line(), [], 3, missing)  # type: ignore[arg-type]
    next(steps)
    steps.send(Answer({}, 0, 0))
    with pytest.raises(StopIteration) as ended:
        steps.send(Answer(answer, 0, 0))
    assert (len(ended.value.value), missing) == (count, [said])


def test_trades_over_unified_calls_are_asked_by_symbol_where_they_must_be() -> None:
    """The whole account first; where that is refused each symbol of the policies, and what is not seen is said."""

    class Line:
        adapter = load("okx")

    class Policy:
        class model:  # noqa: N801 - as a policy has it
            class risk:  # noqa: N801
                symbols = ("BTC/USDT", "*/USDT", "!LUNA/USDT")

    row = {"timestamp": 5, "symbol": "BTC/USDT", "side": "buy", "amount": 1, "price": 2, "order": "o1"}
    missing: list[str] = []
    steps = looking._fills(Line(), [Policy()], 3, missing)  # type: ignore[arg-type,list-item]
    assert next(steps).method == "load_markets"
    assert steps.send(Answer({}, 0, 0)).args == (None, 3, None)
    asked = steps.throw(CallFailed(Failure("no", "BAD_SYMBOL", "a symbol is needed")))
    assert asked.args == ("BTC/USDT", 3, None)
    with pytest.raises(StopIteration) as ended:
        steps.send(Answer([row, "strange"], 0, 0))
    assert [(one["order"], one["amount"]) for one in ended.value.value] == [("o1", "1")]
    assert missing == [
        "trades outside BTC/USDT: okx tells them by symbol only",
        "trades beyond the 1 of one call, of BTC/USDT",
    ]
    steps = looking._fills(Line(), [Policy()], 3, missing)  # type: ignore[arg-type,list-item]
    next(steps)
    steps.send(Answer({}, 0, 0))
    with pytest.raises(CallFailed):
        steps.throw(CallFailed(Failure("no", "KEY_REJECTED", "no such key")))


def test_a_key_with_more_than_its_policy_says_is_named() -> None:
    """Scopes beyond the policy and a key from anywhere; `trade` stands for every kind of it."""
    report = KeyReport("k", "i", {"read": "granted", "trade.spot": "granted", "withdraw": "granted"}, "no")
    assert looking._wrong(report, ("read", "trade")) == ["may withdraw beyond its policy", "works from any address"]
    assert looking._wrong(report, ("read", "trade.spot", "withdraw")) == ["works from any address"]
    assert looking._use(report) == "its last use is not told"
    report.addresses, report.last_used_at = ["203.0.113.9"], "2026-11-20"
    assert looking._use(report) == "from 203.0.113.9; last used 2026-11-20"
