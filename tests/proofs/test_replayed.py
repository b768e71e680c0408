"""Recorded decisions under another policy: which change, by which check, and on whose counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.decision import Hold
from policykit.guard.judge import Judge, not_of_checks, order_of
from policykit.order import CANCELS, Order
from policykit.orders.intent import Outcome
from policykit.policy import EffectivePolicy, load
from policykit.proofs.difference import Replayed
from policykit.proofs.replay import replayed
from policykit.proofs.replay.past import Past
from policykit.proofs.replay.run import CANCEL, IN_SHADOW, MOVED, NOT_KNOWN, OTHER_POLICY
from policykit.proofs.replay.tally import OWN, Tally
from policykit.store import Row
from policykit.store.ledger import Ledger
from tests.guard.test_replay import POLICY, History

Tier = Callable[[int, int], int]
CAPS = {"order": "1500 USDT", "open": 6, "orders": 60}

#: New policies: caps, windows of another span and of another number, limits that no recorded policy kept counters of.
VARIANTS: list[Callable[[str], str]] = [
    lambda text: text.replace("max_order_notional: 1500 USDT", "max_order_notional: 9500 USDT"),
    lambda text: text.replace("{limit: 60, per: 1m}", "{limit: 3, per: 10s}"),
    lambda text: text.replace("{limit: 60, per: 1m}", "{limit: 12, per: 1m}"),
    lambda text: text.replace("max_open_orders: 6", "max_open_orders_per_symbol: 4"),
    lambda text: text.replace("duplicate_window: 60s", "duplicate_window: 5m").replace(
        "on_breach: {duplicate_window: warn, price_collar: warn}", "on_breach: {price_collar: warn}"
    ),
    lambda text: text.replace("per: 1m, window: fixed", "per: 10s, window: rolling").replace("6000", "12"),
    lambda text: text.replace("max_position_notional: 20%", "max_position_notional: 5%"),
    lambda text: text.replace("max_gross_exposure: 40%", "max_gross_exposure: 9%").replace("daily_loss", "#daily_loss"),
    lambda text: text.replace("max_reentries: 3, cooldown: 5s", "max_reentries: 1, cooldown: 1s"),
    lambda text: text.replace("  duplicate_window: 60s", "  entry_cooldown: 2s\n  max_messages: {limit: 9, per: 20s}"),
]


class Busy(History):
    """The three bots on a calm day: most of what they ask is small enough, and an increase."""

    def observe(self) -> None:
        """Tell all there is to know, as of now."""
        held = {"BTC": str(Decimal(self.chance.randrange(80)) / 1_000), "ETH": "0.2"}
        marks = {"BTC/USDT": str(60_000 + self.chance.randrange(200)), "ETH/USDT": "3000"}
        equity = f"{self.chance.choice((100_000, 99_500))} USDT"
        self.guards[0].observe(equity=equity, positions=held, marks=marks, net_transfers="0 USDT", skew_ms=3)

    def order(self) -> Order:
        """Return an order near the market, of a size that fits or nearly does."""
        symbol, chance = self.chance.choice(("BTC/USDT", "ETH/USDT")), self.chance
        price = Decimal(60_000 if symbol[0] == "B" else 3_000) * chance.randrange(990, 1_010) / 1_000
        quantity = (Decimal(chance.choice((60, 600, 600, 1_450, 1_700))) / price).quantize(Decimal("0.0001"))
        own = f"own{chance.randrange(500)}" if chance.random() < 0.1 else None
        side: Any = chance.choice(("buy", "buy", "buy", "sell"))
        return Order(symbol, side, "limit", quantity, price, client_order_id=own)

    def end(self) -> None:
        """Let an order fill at a gain, wholly or in part, be refused, or be lost and found."""
        if not self.out:
            return
        guard, admitted = self.out.pop(self.chance.randrange(len(self.out)))
        intent = admitted.intent
        if intent is None or not intent.open:
            return
        asked, part = intent.order.quantity, Decimal(self.chance.choice((*"00000000", *"11111111", "0.5")))
        assert asked is not None
        cost = asked * part * (59_000 if intent.order.side == "buy" else 61_000)
        if self.chance.random() < 0.1:
            guard.settle(admitted, Outcome("unknown", guard.now()))
        guard.settle(admitted, Outcome("settled", guard.now(), "7", asked * part, closed=True, cost=cost))

    def happen(self) -> None:
        """Let one thing happen."""
        kind = self.chance.random()
        if kind < 0.44:
            self.decide()
        elif kind < 0.75:
            self.end()
        elif kind < 0.9:
            self.clock.advance(self.chance.choice((0.1, 0.4, 1, 2)))
        elif kind < 0.995:
            self.observe()
        elif kind < 0.9975:
            self.store.halt("account:binance/main", "REDUCING", "ops", "a look", self.guards[0].now())
        else:
            self.store.resume("all", "ops", "over", self.guards[0].now())


def policy(folder: Path, text: str, name: str = "mm") -> EffectivePolicy:
    """Write a policy and load it."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, now_ms=0)


def again(rows: list[Row], *pairs: tuple[EffectivePolicy | None, EffectivePolicy | None], **more: Any) -> Replayed:
    """Replay rows as of a whole journal."""
    events = [(row.seq, row.at_ms, row.kind, row.body) for row in rows]
    return replayed(Past("test", lambda: iter(events), len(events)), pairs, **more)


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], list[Row]]:
    """Return a maker of journals: `histories(seed, things that happen)`, each made once."""
    made: dict[tuple[int, int], list[Row]] = {}

    def make(seed: int, count: int) -> list[Row]:
        if (seed, count) not in made:
            history = Busy(tmp_path_factory.mktemp("history"), seed, "memory:")
            for _ in range(count):
                history.happen()
            made[seed, count] = history.rows()
        return made[seed, count]

    return make


# ---- held against one ledger in which the rows themselves say what the new policy claims


def reference(rows: list[Row], new: EffectivePolicy) -> Counter[tuple[str, str]]:
    """Return what changes by the new policy: every decision on one ledger, fed with rows that hold what it claims."""
    ledger, found = Ledger(), Counter[tuple[str, str]]()
    judge: Judge | None = None
    warns = {f"risk.{name}" for name, word in (new.model.risk.on_breach or {}).items() if word == "warn"}  # type: ignore[union-attr]
    before: dict[str, dict[str, Any]] = {}
    for row in rows:
        body = row.body
        if row.kind == "policy" and body["name"] == new.name:
            judge = Judge(new, body["key"], body["host"], body["account"])
        if row.kind == "halt" and "decision" in body:
            before[body["decision"]] = dict(ledger.halts)
        if row.kind == "decision" and body["decision"]["policy"]["name"] == new.name:
            assert judge is not None
            said, halts = body["decision"], ledger.halts
            ledger.halts = before.get(said["id"], halts)
            order = order_of(said["order"], said["action"])
            if said["mode"] == "enforce" and said["action"] not in CANCELS and not_of_checks(body) is None:
                reused = [1 for reason in said["reasons"] if reason["code"] == "CLIENT_ORDER_ID_REUSED"]
                ids = {(judge.account, order.client_order_id): "x"} if reused else {}
                now = judge.decided(row, order, ledger, ledger, ids).decision  # type: ignore[arg-type]
                if now.outcome != said["outcome"]:
                    by: Any = now.reasons if now.outcome == "deny" else None
                    whys = [(r.code, r.check) for r in by] if by else [(r["code"], r["check"]) for r in said["reasons"]]
                    codes = [code for code, _ in whys]
                    known = [code for code, check in whys if code not in NOT_KNOWN and check not in warns]
                    if known or now.outcome == "allow":
                        found[now.outcome, (known or codes)[0]] += 1
            if said["outcome"] == "allow":
                body = _claiming(body, judge.claims(row, order, ledger))
            ledger.halts = halts
        ledger.apply(row.kind, body, row.at_ms, row.seq)
    return found


def _claiming(body: dict[str, Any], claims: tuple[Hold, ...]) -> dict[str, Any]:
    intent = body.get("intent")
    held = body.get("holds", []) if intent is None else intent["holds"]
    holds = [hold for hold in held if hold[3] not in OWN] + [list(hold) for hold in claims if hold.kind in OWN]
    return {**body, "holds": holds} if intent is None else {**body, "intent": {**intent, "holds": holds}}


def changes(done: Replayed) -> Counter[tuple[str, str]]:
    """Return how many decisions become what by which code."""
    found = Counter[tuple[str, str]]()
    for group in done.groups:
        found[group.becomes, group.code] += group.decisions
    return found


def test_what_changes_is_what_one_ledger_says_that_holds_what_the_new_policy_claims(
    histories: Callable[[int, int], list[Row]], tmp_path: Path, tier: Tier
) -> None:
    """Random histories of three bots under new caps, windows and counters: the same decisions change, by the same."""
    reached = Counter[tuple[str, str]]()
    text = POLICY.format(name="mm", **CAPS)
    old = policy(tmp_path, text)
    for at, change in enumerate(VARIANTS * tier(1, 20)):
        new = policy(tmp_path, change(text))
        assert new.version != old.version
        rows = histories(1 + at // len(VARIANTS), 700)
        done = again(rows, (old, new))
        expected = reference(rows, new)
        assert changes(done) + Counter() == expected - Counter(), (at, done.left, expected)
        assert MOVED not in done.left
        assert done.decisions + sum(done.left.values()) >= sum(row.kind == "decision" for row in rows)
        reached += expected
    assert {code for _, code in reached} >= {
        "RISK_ORDER_NOTIONAL",
        "RATE_ORDERS",
        "RISK_OPEN_ORDERS",
        "ORDER_DUPLICATE",
    }


def test_of_the_same_policy_nothing_changes(histories: Callable[[int, int], list[Row]], tmp_path: Path) -> None:
    """Whatever was recorded, the policy that made it decides it the same, and nothing else is said to be unknown."""
    same = policy(tmp_path, POLICY.format(name="mm", **CAPS))
    for seed in (1, 2):
        rows = histories(seed, 700)
        done = again(rows, (same, same))
        assert (done.changed, done.other, done.incomplete) == (0, 0, "")
        assert set(done.left) == {IN_SHADOW, OTHER_POLICY, CANCEL}
        assert done.decisions + sum(done.left.values()) == sum(row.kind == "decision" for row in rows)


def _version(row: Row, version: str) -> Row:
    said = row.body["decision"]
    return row._replace(body={**row.body, "decision": {**said, "policy": {**said["policy"], "version": version}}})


def test_what_another_version_decided_the_old_policy_decides_again(
    histories: Callable[[int, int], list[Row]], tmp_path: Path
) -> None:
    """Of a journal whose middle was made by another version, old and new are both asked, each on its own counters."""
    text = POLICY.format(name="mm", **CAPS)
    old, new = policy(tmp_path, text), policy(tmp_path, VARIANTS[1](text))
    rows = histories(1, 700)
    third = len(rows) // 3
    mine = [row for row in rows if row.kind == "decision" and row.body["decision"]["policy"]["name"] == "mm"]
    between = {row.seq for row in mine if third <= row.seq < 2 * third}
    mixed = [_version(row, "sha256:another") if row.seq in between else row for row in rows]
    assert again(mixed, (old, old)).changed == 0
    done = again(mixed, (old, new))
    assert changes(done) == changes(again(rows, (old, new))) != Counter()
    assert 0 < done.other < done.decisions
    # No row was made by either: all rests on what the old policy would have counted.
    assert changes(again(rows, (new, old))) == Counter(
        {("allow" if becomes == "deny" else "deny", code): n for (becomes, code), n in changes(done).items()}
    )


def _recorded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "use", lambda self, hold, now_ms: self.recorded.use(hold, now_ms))


def _never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "ended", lambda self, intent_id: None)


def _counts_what_it_would_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Tally.count
    monkeypatch.setattr(
        Tally, "count", lambda *a: None if a[2] and a[0].fits("", None, a[2], 0, a[3]).failed else count(*a)
    )


@pytest.mark.parametrize(
    ("broken", "variant"),
    [(_recorded_only, 1), (_never_ends, 3), (_counts_what_it_would_allow, 1)],
    ids=["counters-of-the-recorded-policy", "orders-never-end", "only-what-the-new-policy-allows"],
)
def test_control_counters_of_the_wrong_policy_are_noticed(
    broken: Callable[[pytest.MonkeyPatch], None],
    variant: int,
    histories: Callable[[int, int], list[Row]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison can fail: with recorded windows, with sums that never fall, with only what would be allowed."""
    text = POLICY.format(name="mm", **CAPS)
    old, new = policy(tmp_path, text), policy(tmp_path, VARIANTS[variant](text))
    rows = histories(1, 700)
    expected = reference(rows, new)
    assert changes(again(rows, (old, new))) == expected
    broken(monkeypatch)
    assert changes(again(rows, (old, new))) != expected
