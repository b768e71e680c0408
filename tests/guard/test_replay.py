"""I14, its stronger half: what a journal says was decided is decided again, the same, from the journal alone."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import copy
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.admission import Admitted
from policykit.guard.replay import Replayed, replay
from policykit.order import Order
from policykit.orders.intent import Outcome
from policykit.sim import SimClock
from policykit.store import Row, open_store
from policykit.store.ledger import Ledger
from policykit.telemetry.tail import every
from tests.guard.world import World
from tests.journal.test_schema import wrong

Tier = Callable[[int, int], int]
POLICY = """\
policykit: 1
name: {name}
owner: desk-a
exchange: binance
account: {{name: main, currency: USDT, max_age: 10s}}
environment: live
keys:
  mm-exec: {{purpose: execution, secret: "env://MM", scopes: [read, trade.spot]}}
  mm-read: {{purpose: tracking, secret: "env://RO", scopes: [read]}}
clock: {{max_skew: 500ms, request_validity: 5s}}
rate_budgets:
  request-weight: {{limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}}
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  order_types: [limit, market]
  max_order_notional: {order}
  max_position_notional: 20% of equity
  max_gross_exposure: 40% of equity
  max_open_orders: {open}
  max_orders: {{limit: {orders}, per: 1m}}
  duplicate_window: 60s
  price_collar: {{max_deviation: 2%, reference: mark, max_age: 5s}}
  consecutive_losses: {{limit: 4, cooldown: 10m}}
  partial_fills: {{min_fill_to_act: 10%, max_reentries: 3, cooldown: 5s}}
  daily_loss: {{limit: 3% of equity, day_starts: "00:00 UTC", on_breach: reduce_only}}
  on_breach: {{duplicate_window: warn, price_collar: warn}}
retry:
  orders: {{lookup_every: 2s, when_absent: new_client_order_id, attempts: 2, expires_after: 30s}}
"""
SYMBOLS = ("BTC/USDT", "BTC/USDT", "ETH/USDT", "DOGE/USDT")
PRICES = {"BTC/USDT": 60_000, "ETH/USDT": 3_000, "DOGE/USDT": 1}
ENDS = ("acknowledged", "acknowledged", "rejected", "unknown", "not_sent", "settled")


class History:
    """Three bots on one account: one enforces, one has other caps, one is in shadow mode with a candidate beside it."""

    def __init__(self, folder: Path, seed: int, store: str | None = None) -> None:
        self.chance = random.Random(seed)
        self.folder, self.clock = folder, SimClock()
        self.store = open_store(store or f"sqlite:///{folder}/store.db")
        texts = {
            "mm": {"order": "1500 USDT", "open": 6, "orders": 60},
            "hedger": {"order": "1% of equity", "open": 40, "orders": 8},
            "candidate": {"order": "700 USDT", "open": 3, "orders": 60},
        }
        for name, caps in texts.items():
            (folder / f"{name}.yaml").write_text(POLICY.format(name=name, **caps), encoding="utf-8")
        self.guards = [self._guard(folder, "mm"), self._guard(folder, "hedger"), self._guard(folder, "mm", shadow=True)]
        self.out: list[tuple[Guard, Admitted]] = []
        self.absent: list[tuple[Guard, Order, str]] = []
        self.last = self.order()
        self.observe()

    def _guard(self, folder: Path, name: str, *, shadow: bool = False) -> Guard:
        candidate = folder / "candidate.yaml" if shadow else None
        path = folder / f"{name}.yaml"
        guard = Guard.load(path, store=self.store, clock=self.clock, testing=True, shadow=candidate)
        guard.bot = f"{name}-shadow" if shadow else name
        guard.mode = "shadow" if shadow else "enforce"
        guard.recovered = True
        return guard

    def observe(self) -> None:
        """Tell new facts, some of them, and not always as of now."""
        chance, guard = self.chance, self.chance.choice(self.guards)
        guard.observe(
            equity=f"{chance.choice((100_000, 100_000, 99_500, 98_000, 98_500, 96_900))} USDT",
            positions={"BTC/USDT": str(chance.choice((0, "0.05", "0.2")))} if chance.random() < 0.5 else {},
            marks={s: str(p * Decimal(chance.randrange(995, 1005)) / 1000) for s, p in PRICES.items() if s[0] != "D"},
            net_transfers="0 USDT",
            skew_ms=chance.choice((3, 3, 3, 3, 3, 900)),
            as_of=guard.now() - chance.choice((0, 0, 0, 4_000)),
        )

    def order(self) -> Order:
        """Return an order such as bots ask for, some of them absurd."""
        chance = self.chance
        symbol = chance.choice(SYMBOLS)
        price = Decimal(PRICES[symbol]) * Decimal(chance.randrange(97, 103)) / 100
        quantity = (Decimal(chance.choice((60, 600, 600, 1_400, 9_000))) / PRICES[symbol]).quantize(Decimal("0.0001"))
        kind = chance.choice(("limit", "limit", "market", "stop"))
        own = f"own{chance.randrange(2_000)}" if chance.random() < 0.1 else None
        side: Any = chance.choice(("buy", "sell"))
        order = Order(symbol, side, kind, quantity, None if kind == "market" else price, client_order_id=own)
        if chance.random() < 0.03:
            order.quantity = chance.choice(("a lot", Decimal("NaN"), Decimal(-1), None))
        return order

    def decide(self) -> None:
        """Ask for an order, a cancel, an amend, or again for one that was proved absent."""
        chance, guard = self.chance, self.chance.choice(self.guards)
        kind = chance.random()
        try:
            if kind < 0.1:
                guard.release(guard.decide(Order(chance.choice(("", "BTC/USDT")), action="order.cancel")))
            elif kind < 0.2 and self.out:
                self._amend()
            elif kind < 0.3 and self.absent:
                guard, order, ident = self.absent.pop()
                order = copy(order)
                order.client_order_id = None
                self.out.append((guard, guard.decide(order, replaces=ident)))
            else:
                if chance.random() < 0.8:
                    self.last = self.order()
                self.out.append((guard, guard.decide(self.last, gated=chance.random() < 0.5)))
        except Denied:
            return

    def _amend(self) -> None:
        guard, admitted = self.chance.choice(self.out)
        intent = admitted.intent
        if guard.mode == "shadow" or intent is None or not intent.open:
            return
        order, before = copy(intent.order), copy(intent.order)
        before.client_order_id = intent.client_order_id
        order.action, order.amends, order.client_order_id = "order.amend", before, None
        order.quantity = intent.order.quantity * self.chance.choice((1, 2, 3)) / 2
        guard.release(guard.decide(order, amends=intent))

    def end(self) -> None:
        """Let something become known of an order that is out."""
        if not self.out:
            return
        chance = self.chance
        at = chance.randrange(len(self.out))
        guard, admitted = self.out[at]
        intent = admitted.intent
        if intent is None or not intent.open:
            guard.release(admitted)
            del self.out[at]
            return
        state: Any = chance.choice(ENDS)
        if intent.state == "unknown":
            state = chance.choice(("found", "absent"))
        quantity, filled = intent.order.quantity, None
        if state in ("acknowledged", "settled", "found"):
            filled = quantity * chance.choice((0, 1, 2, 4)) / 4
        closed = state in ("rejected", "not_sent", "settled", "absent") or filled == quantity
        cost = None if filled is None else filled * chance.choice((59_000, 61_000))
        guard.settle(admitted, Outcome(state, guard.now(), "77", filled, closed, cost=cost))
        if state == "absent":
            self.absent.append((guard, intent.order, intent.id))

    def happen(self) -> None:
        """Let one thing happen."""
        chance, guard = self.chance, self.chance.choice(self.guards)
        kind = chance.random()
        if kind < 0.6:
            self.decide()
        elif kind < 0.85:
            self.end()
        elif kind < 0.91:
            self.clock.advance(chance.choice((0.01, 0.2, 1, 1, 1, 3, 12, 90)))
        elif kind < 0.96:
            self.observe()
        elif kind < 0.97:
            scope = chance.choice((f"account:{guard.account}", f"bot:{guard.bot}", "symbol:ETH/USDT", "all"))
            self.store.halt(scope, chance.choice(("REDUCING", "HALTED")), "ops", "drill", guard.now())
        elif kind < 0.985:
            self.store.resume("all", "ops", "over", guard.now())
        elif kind < 0.988:
            self.store.ban(guard.account, "ip", guard.now() + 2_000, guard.now())
        elif kind < 0.992:
            guard.recovered = chance.random() < 0.9
        elif kind < 0.996:
            guard.account_problem = chance.choice((None, None, None, None, ("EQUITY_UNEXPLAINED", "it jumped")))
        else:
            name = "book"
            guard.streams.drop(name)
            if chance.random() < 0.3:
                guard.streams.need(name, guard.streams.line(name, 1_000))

    def rows(self) -> list[Row]:
        """Return the whole journal."""
        return list(every(self.store))


@pytest.fixture
def kept(folder: Path) -> Iterator[Callable[[int, int], list[Row]]]:
    """Return a maker of journals: `kept(seed, things that happen)`."""
    made: list[History] = []

    def make(seed: int, count: int) -> list[Row]:
        place = folder / str(len(made))
        place.mkdir()
        history = History(place, seed)
        made.append(history)
        for _ in range(count):
            history.happen()
        return history.rows()

    yield make
    for history in made:
        history.store.close()


def told(done: Replayed) -> str:
    """Return what a failure of these tests should show."""
    return "\n".join(map(str, done.differences[:5]))


def test_I14_a_journal_is_decided_again_the_same(kept: Callable[[int, int], list[Row]], tier: Tier) -> None:
    """Histories of three bots with every kind of row: outcome, codes, observed, limit and holds of each come again."""
    codes: Counter[str] = Counter()
    total = tier(3_000, 160_000)
    decisions = earlier = 0
    for seed in range(max(2, total // 20_000)):
        rows = kept(seed, total // max(2, total // 20_000))
        done = replay(rows)
        assert done.different == 0, told(done)
        assert done.others == Counter()
        # One thread: each is of the state right before its row, but for those that set a halt first, and say so. Where
        # trading was REDUCING already, the state after it says the same.
        earlier += done.earlier
        assert done.earlier <= sum("facts_seq" in row.body for row in rows)
        decisions += done.equal
        for row in rows:
            if row.kind == "decision":
                codes.update(reason["code"] for reason in row.body["decision"]["reasons"])
                codes.update(name for name in ("facts", "shadow", "warnings", "replaces") if name in row.body)
    assert earlier > 0
    assert decisions > total // 2
    assert set(codes) >= REACHED, REACHED - set(codes)


#: What the histories come by, or they would prove little.
REACHED = {
    *("facts", "shadow", "warnings", "replaces"),
    *("RISK_ORDER_NOTIONAL", "RISK_POSITION", "DAILY_LOSS", "RATE_ORDERS", "RISK_SYMBOL", "RISK_ORDER_TYPE"),
    *("TRADING_HALTED", "TRADING_REDUCING", "RATE_BANNED", "RECOVERY_PENDING", "EQUITY_UNEXPLAINED", "STREAM_STALE"),
    *("FACTS_STALE", "CLOCK_SKEW", "ORDER_OUTCOME_PENDING", "ORDER_INVALID", "CLIENT_ORDER_ID_REUSED"),
}


def _without(rows: Iterable[Row], drop: Callable[[Row], bool]) -> list[Row]:
    return [row for row in rows if not drop(row)]


def _changed(rows: Iterable[Row], change: Callable[[dict[str, Any]], dict[str, Any]], kind: str) -> list[Row]:
    return [row._replace(body=change(row.body)) if row.kind == kind else row for row in rows]


def _looser(body: dict[str, Any]) -> dict[str, Any]:
    policy = body["policy"]
    return {**body, "policy": {**policy, "risk": {**policy["risk"], "max_order_notional": "1400 USDT"}}}


CHANGES: list[Callable[[list[Row]], list[Row]]] = [
    lambda rows: _changed(rows, _looser, "policy"),
    lambda rows: _without(rows, lambda row: row.kind == "observe" and row.seq == 4),
    lambda rows: _without(rows, lambda row: row.kind == "halt"),
    lambda rows: _without(rows, lambda row: row.kind == "outcome"),
    lambda rows: _changed(rows, lambda body: {k: v for k, v in body.items() if k != "facts"}, "decision"),
]


@pytest.fixture(scope="module")
def journal() -> Iterator[list[Row]]:
    """Return a journal that the controls change."""
    with TemporaryDirectory() as folder:
        history = History(Path(folder), 1, "memory:")
        for _ in range(700):
            history.happen()
        yield history.rows()


@pytest.mark.parametrize("change", CHANGES, ids=["limit", "observe", "halt", "outcome", "facts"])
def test_I14_control_another_journal_is_decided_otherwise(
    journal: list[Row], change: Callable[[list[Row]], list[Row]]
) -> None:
    """The check can fail: another limit, and each kind of row or field that a decision was made on, taken away."""
    assert replay(journal).different == 0
    done = replay(change(journal))
    assert done.different > 0
    assert len(done.differences) > 0


def test_I14_threads_of_one_store_are_decided_again_the_same(folder: Path, tier: Tier) -> None:
    """Bots on four threads of one store: each decision comes again on a state between its facts and its row."""
    history = History(folder, 7)
    for guard in history.guards:
        guard.mode = "enforce"
    count = tier(60, 2_000)

    def trade(at: int) -> None:
        guard, chance = history.guards[at % 3], random.Random(at)
        for number in range(count):
            if number % 20 == 0:
                guard.observe(equity=f"{100_000 - number} USDT", marks={"BTC/USDT": 60_000 + number}, skew_ms=3)
            price = Decimal(60_000 - chance.randrange(300))
            order = Order("BTC/USDT", chance.choice(("buy", "sell")), "limit", Decimal("0.001"), price)
            with suppress(Denied):
                admitted = guard.decide(order)
                guard.settle(admitted, Outcome("settled", guard.now(), "1", Decimal("0.001"), closed=True))
                guard.release(admitted)

    threads = [threading.Thread(target=trade, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = replay(history.rows())
    history.store.close()
    assert (done.different, done.equal) == (0, 4 * count), told(done)


def test_what_no_check_decided_is_told_apart(start: Callable[..., World]) -> None:
    """A raw call, a decision without a store, one that others outran, one of an unknown policy: counted, by why."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Denied):
        client.private_post_order({"symbol": "BTCUSDT"})
    client.create_order("BTC/USDT", "limit", "buy", 0.001, 59_000)
    rows = list(every(guard.store))
    done = replay(rows)
    assert (done.equal, done.others, done.decisions) == (1, Counter({"gate": 1}), 2)
    (bought,) = [row for row in rows if row.kind == "decision" and row.body["decision"]["outcome"] == "allow"]

    def again(**more: Any) -> Counter[str]:
        return replay([rows[0], bought._replace(body={**bought.body, **more})]).others

    def denied(code: str, check: str) -> dict[str, Any]:
        return {**bought.body["decision"], "outcome": "deny", "reasons": [{"code": code, "check": check}]}

    assert again(without_store=True) == Counter({"store": 1})
    assert again(decision=denied("STORE_DOWN", "store")) == Counter({"store": 1})
    assert again(decision=denied("STATE_MOVING", "trading_state")) == Counter({"moving": 1})
    assert again(in_force=77) == Counter({"policy": 1})
    later = rows[0]._replace(body={**rows[0].body, "policy": {"policykit": 1, "of": "a later version"}})
    elsewhere = rows[0]._replace(body={**rows[0].body, "policy": {**rows[0].body["policy"], "exchange": "kraken"}})
    assert [replay([row, bought]).others for row in (later, elsewhere)] == [Counter({"policy": 1})] * 2


def test_a_journal_is_replayed_from_the_ledger_before_it(journal: list[Row]) -> None:
    """From a row in the middle, with the state and the policies before it: as from the start."""
    ledger = Ledger()
    policies = [row for row in journal if row.kind == "policy"]
    for row in journal[:350]:
        ledger.apply(row.kind, row.body, row.at_ms, row.seq)
    whole, done = replay(journal), replay(journal[350:], ledger, policies)
    assert (done.different, done.others) == (0, Counter())
    assert done.equal == whole.equal - sum(row.kind == "decision" for row in journal[:350])


def test_differences_are_counted_beyond_those_that_are_kept(
    journal: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, as many are kept as are of use."""
    monkeypatch.setattr("policykit.guard.replay.MAX_DIFFERENCES", 3)
    done = replay(_changed(journal, _looser, "policy"))
    assert len(done.differences) == 3
    assert done.different > 1


def test_I14_a_denial_that_halts_is_decided_again_on_the_facts_before_its_halt(folder: Path) -> None:
    """The halt's row comes before the denial's, which says which facts it was made on."""
    history = History(folder, 3)
    guard = history.guards[0]
    guard.observe(equity="100000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT", skew_ms=3)
    guard.observe(equity="90000 USDT", net_transfers="0 USDT", skew_ms=3)
    with pytest.raises(Denied):
        guard.decide(Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60_000)))
    rows = history.rows()
    done = replay(rows)
    assert [row.kind for row in rows[-2:]] == ["halt", "decision"]
    assert (done.equal, done.earlier, done.different) == (1, 1, 0)
    forgot = _changed(rows, lambda body: {k: v for k, v in body.items() if k != "facts_seq"}, "decision")
    assert replay(forgot).different == 1
    history.store.close()


def test_I14_a_resend_is_decided_again_as_one(folder: Path) -> None:
    """It counts in the place of the attempt that was proved absent; a row that did not say so would be of a double."""
    history = History(folder, 3)
    guard = history.guards[0]
    guard.observe(equity="100000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT", skew_ms=3)
    order = Order("BTC/USDT", "buy", "limit", Decimal("0.01"), Decimal(60_000))
    first = guard.decide(order)
    guard.settle(first, Outcome("unknown", guard.now()))
    guard.settle(first, Outcome("absent", guard.now(), closed=True))
    again = guard.decide(order, replaces=first.decision.id)
    assert not again.decision.warnings
    rows = history.rows()
    assert (replay(rows).equal, replay(rows).different) == (2, 0)
    forgot = _changed(rows, lambda body: {k: v for k, v in body.items() if k != "replaces"}, "decision")
    assert {difference.field for difference in replay(forgot).differences} == {"warnings", "holds"}
    history.store.close()


def test_every_row_of_a_history_is_as_published(journal: list[Row]) -> None:
    """schemas/journal.schema.json names all that these rows hold."""
    assert [found for row in journal for found in wrong(row)] == []


def test_a_policy_comes_into_force_with_the_waivers_that_are_accepted_then(tmp_path: Path) -> None:
    """Its row has the whole policy, without where its secrets live, and of its waivers those that hold that day."""
    waiver = "rule: PK204, at: keys.mm-exec, owner: desk-a, reason: later, expires: "
    path, text = tmp_path / "mm.yaml", POLICY.format(name="mm", order="1500 USDT", open=6, orders=60)
    path.write_text(f"{text}waivers:\n  - {{{waiver}2099-01-01}}\n  - {{{waiver}2020-01-01}}\n", encoding="utf-8")
    store = open_store("memory:")
    guard = Guard.load(path, store=store, clock=SimClock(), testing=True)
    (row,) = store.rows()
    assert [said["expires"] for said in row.body["waivers"]] == ["2099-01-01"]
    assert row.body["policy"]["risk"]["max_order_notional"] == "1500 USDT"
    assert row.body["policy"]["keys"]["mm-exec"] == {"purpose": "execution", "scopes": ["read", "trade.spot"]}
    assert (guard.announced, wrong(row)) == (1, [])
