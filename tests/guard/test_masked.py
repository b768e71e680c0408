"""I23: what a bot puts into an order by mistake is in no row, span, event or message: words, numbers, ids, params."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.guard.masking import holds_secret, masked
from policykit.order import Order
from policykit.redact import Secret, forget
from policykit.sim import SimClock
from policykit.store import open_store
from policykit.telemetry import Telemetry
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from policykit.telemetry.tail import every
from tests.canary import assert_clean, canaries, leaks
from tests.guard.world import SYMBOL, World, policy_text

WORDS = ("symbol", "type", "side", "time_in_force", "self_trade_prevention", "position_side", "client_order_id")
NUMBERS = ("quantity", "price", "stop_price", "quote_quantity", "leverage")
ACTIONS = ("order.create", "order.cancel", "orders.cancel_all", "account.configure", "order.amend")


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """Return a guard that knows all it needs, on a file."""
    path = tmp_path / "mm.yaml"
    path.write_text(policy_text(orders=1_000_000), encoding="utf-8")
    made = Guard.load(path, store=open_store(f"sqlite:///{tmp_path}/store.db"), clock=SimClock(), testing=True)
    made.recovered = True
    made.observe(equity="100000 USDT", positions={}, marks={SYMBOL: "60000"}, net_transfers="0 USDT", skew_ms=3)
    return made


def poisoned(number: int, bird: str) -> Order:
    """Return an order with a secret in one of its places, in turn: whole, in the middle of something, or a piece."""
    action = ACTIONS[number // 2 % len(ACTIONS)]
    order = Order(SYMBOL, "buy", "limit", Decimal("0.001"), Decimal(59_000), action=action)
    names = WORDS + NUMBERS
    said = (bird, f"x-{bird}-1", bird[3:15])[number % 3]
    setattr(order, names[number % len(names)], [said] if number % 17 == 0 else said)
    return order


def kept(guard: Guard, folder: Path, collector: Collector) -> Iterator[str]:
    """Yield everything that is kept or sent of what was decided."""
    for span in collector.spans:
        yield f"{span.name} {dict(span.attributes or {})} {span.status.description}"
    yield repr(list(every(guard.store)))
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_I23_no_secret_of_an_order_is_kept(
    guard: Guard, tmp_path: Path, mode: Any, tier: Callable[[int, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    """Each word and number of each kind of order, with a canary in it: rows, spans, files, logs, texts hold none."""
    caplog.set_level(logging.DEBUG)
    collector, provider = Collector(1_000_000), TracerProvider()
    provider.add_span_processor(collector)
    guard.telemetry = Telemetry(tracer_provider=provider, relay=Relay(deferred=False))
    guard.mode = mode
    birds = canaries(seed=5, count=4)
    for bird in birds:
        Secret(bird)
    said = []
    for number in range(tier(300, 30_000)):
        try:
            admitted = guard.decide(poisoned(number, birds[number % len(birds)]))
            said.append(f"{admitted.decision.to_dict()} {admitted.intent}")
            guard.release(admitted)
        except Denied as denied:
            said.append(f"{denied} {denied.decision.to_dict()}")
    said += [record.getMessage() for record in caplog.records]
    assert_clean("\n".join([*said, *kept(guard, tmp_path, collector)]), birds)
    assert "[redacted]" in "".join(said)
    assert len(collector.spans) == sum(row.kind == "decision" for row in every(guard.store))  # whatever stood in it


def test_I23_control_an_order_is_kept_as_it_is_where_no_secret_is_known(guard: Guard) -> None:
    """The check can fail: an unknown text stands in the row."""
    (bird,) = canaries(seed=6, count=1)
    with pytest.raises(Denied):
        guard.decide(Order(bird, "buy", "limit", Decimal(1), Decimal(1)))
    assert leaks(json.dumps([row.body for row in every(guard.store)]), [bird])


def test_an_order_whose_id_is_a_secret_is_not_placed(start: Callable[..., World]) -> None:
    """It would be sent and kept; a cancel passes all the same, without the secret in its row."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    (bird,) = canaries(seed=7, count=1)
    Secret(bird)
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000, {"clientOrderId": bird})
    assert denied.value.decision.reasons[0].code == "SECRET_IN_ORDER"

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float, client_order_id: str) -> None:
        raise AssertionError("not called")

    with pytest.raises(Denied):
        buy(SYMBOL, "buy", 0.001, 59_000, bird)
    assert world.sent == []
    admitted = guard.decide(Order(bird, action="order.cancel"))
    assert (admitted.decision.outcome, admitted.decision.order.symbol) == ("allow", "[redacted]")
    assert not leaks(repr(list(every(guard.store))), [bird])


def test_an_exit_passes_whatever_its_words_hold(guard: Guard) -> None:
    """A passphrase that happens to be a part of every symbol denies entries, and keeps nobody in a position."""
    later = (guard.clock.now_ms() + 1) / 1000
    guard.observe(positions={"BTC/USDT": "0.5"}, marks={SYMBOL: "60000"}, as_of=later)
    Secret("USDT")
    try:
        with pytest.raises(Denied) as denied:
            guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.001"), Decimal(59_000)))
        assert denied.value.decision.reasons[0].code == "SECRET_IN_ORDER"
        sale = guard.decide(Order(SYMBOL, "sell", "limit", Decimal("0.001"), Decimal(59_000)))
        assert sale.decision.outcome == "allow"
    finally:
        forget(["USDT"])


def test_a_clean_order_is_the_same_object() -> None:
    """Nothing is copied where there is nothing to hide; what is no text is not trusted."""
    order = Order(SYMBOL, "buy", "limit", Decimal("0.001"), Decimal(59_000), client_order_id="mine-1")
    assert masked(order) is order
    assert not holds_secret(order)
    assert holds_secret(Order(["BTC/USDT"], "buy"))  # type: ignore[arg-type]
