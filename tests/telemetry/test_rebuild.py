"""The spans that the journal gives are those that the guard made: a rich run, live over the wire and rebuilt."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.sim import SimClock
from policykit.store import Observation, open_store
from policykit.store.base import Row
from policykit.telemetry import Telemetry, names, setup
from policykit.telemetry.rebuild import JournalSpan, Rebuild, spans_of
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.guard.world import SYMBOL, policy_text, world
from tests.telemetry.test_guard_level import POLICY

BUY = ("BTC/USDT", "buy", "0.001", "60000")
TWO_KEYS = POLICY.replace('["BTC/USDT"]', '["BTC/USDT", "ETH/EUR"]').replace(
    "clock:", "  mm-hedge:\n    purpose: execution\n    secret: env://MH\n    scopes: [read, trade.spot]\nclock:"
)


class Live:
    """A telemetry of our own provider, and what it made."""

    def __init__(self) -> None:
        self.seen = Collector()
        self.provider = setup.configure(processors=[self.seen], install=False)
        self.telemetry = Telemetry(tracer_provider=self.provider, relay=Relay(deferred=False))

    def spans(self) -> list[dict[str, Any]]:
        """Return what policykit made, as the rebuilt ones are written."""
        return [_live(span) for span in self.seen.spans if span.name.startswith("policykit.")]


def _live(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind.name,
        "ids": (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"),
        "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
        "attributes": dict(span.attributes),
        "error": span.status.status_code.name == "ERROR",
        "links": [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links],
    }


def _rebuilt(span: JournalSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "ids": (span.trace_id, span.span_id),
        "parent": span.parent_id,
        "attributes": dict(span.attributes),
        "error": span.error,
        "links": [tuple(link) for link in span.links],
    }


def _guard(tmp_path: Path, text: str = POLICY, **more: Any) -> Guard:
    path = tmp_path / "mm.yaml"
    path.write_text(text, encoding="utf-8")
    guard = Guard.load(path, store=open_store("memory:"), clock=SimClock(), testing=True, **more)
    guard.recovered = True
    guard.observe(equity="100000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT")
    guard.store.observe(guard.account, Observation(guard.now(), guard.now(), skew_ms=3), guard.now())
    return guard


def test_every_span_of_a_rich_run_is_rebuilt_as_it_was(tmp_path: Path) -> None:
    """Allowed, denied, raising, awaited, cancelled, inside a bot's span, halted, unevaluated: nothing differs."""
    live = Live()
    guard = _guard(tmp_path, TWO_KEYS, key="mm-hedge")
    guard.telemetry = live.telemetry

    @enforce("order.create", guard=guard)
    def well(symbol: str, side: str, amount: str, price: str) -> dict[str, Any]:
        return {"id": "1", "filled": amount, "status": "closed"}

    @enforce("order.create", guard=guard)
    def broken(symbol: str, side: str, amount: str, price: str) -> None:
        raise TimeoutError("no answer")

    @enforce("order.create", guard=guard)
    async def never(symbol: str, side: str, amount: str, price: str) -> None:
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.ensure_future(never("BTC/USDT", "sell", "0.001", "60000"))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    well(*BUY)
    with live.provider.get_tracer("bot").start_as_current_span("signal"):
        well(*BUY)
        with pytest.raises(Denied):
            well("BTC/USDT", "buy", "1", "60000")
    with pytest.raises(TimeoutError):
        broken("BTC/USDT", "sell", "0.001", "60000")
    asyncio.run(cancelled())
    guard.halt("account:binance/main@sandbox", "HALTED", "risk", "why", decision_id=_newest(guard))
    with pytest.raises(Denied) as halted:
        well(*BUY)
    assert "TRADING_HALTED" in [reason.code for reason in halted.value.decision.reasons]
    guard.store.resume("all", "ops", "found", guard.now())
    guard.telemetry.kill_switch("account:binance/main@sandbox", "ACTIVE", "ops", "found")
    with pytest.raises(Denied):
        well("ETH/EUR", "buy", "1", "2000")  # no mark says what a euro is worth
    made, found = live.spans(), [_rebuilt(span) for span in spans_of(guard.store.rows(0, 10_000))]
    assert found == made
    assert len(made) == 11
    assert {span["attributes"][names.KEY] for span in made} == {"mm-hedge"}
    assert [span["links"] for span in made].count([]) == 10
    assert made[-1]["error"]
    assert made[-1]["attributes"][names.ERROR_TYPE]
    assert [span["parent"] is not None for span in made if span["name"].startswith(names.DECIDE)].count(True) == 2


def _newest(guard: Guard) -> str:
    return str([row for row in guard.store.rows(0, 10_000) if row.kind == "decision"][-1].body["decision"]["id"])


def test_a_resend_links_to_the_first_and_its_times_are_the_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the simulated exchange: an order that got lost, its re-send, one whose answer got lost."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    faults = ({"at": "order", "do": "drop", "when": [1]}, {"at": "order", "do": "lost_reply", "when": [3]})
    text = policy_text().replace("max_age: 10s", "max_age: 5m").replace("30s", "60s")
    live = Live()
    with world(tmp_path, *faults, text=text) as there:
        guard = there.guard()
        guard.telemetry = live.telemetry
        client = there.protected(guard)
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        client.create_order(SYMBOL, "limit", "buy", 0.02, 58_000)
    made = live.spans()
    spans = spans_of(guard.store.rows(0, 100_000))
    assert [_rebuilt(span) for span in spans] == made
    first, again = [span for span in spans if span.name == f"{names.DECIDE} order.create"][:2]
    assert [tuple(link) for link in again.links] == [(first.trace_id, first.span_id)]
    assert again.attributes[names.ORIGINAL_CLIENT_ID] == first.attributes[names.CLIENT_ID]
    for span, given in zip(spans, [s for s in live.seen.spans if s.name.startswith("policykit.")], strict=True):
        assert span.end_ns - span.start_ns == (given.end_time - given.start_time if span.kind == "CLIENT" else 0)


def test_shadow_decisions_are_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision that did not act says so in both."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    live = Live()
    guard = _guard(tmp_path)
    guard.telemetry = live.telemetry
    enforce("order.create", guard=guard)(lambda symbol, side, amount, price: None)("DOGE/USDT", "buy", "1", "60000")
    made = live.spans()
    assert [_rebuilt(span) for span in spans_of(guard.store.rows(0, 1_000))] == made
    assert (made[0]["attributes"][names.MODE], made[0]["attributes"][names.OUTCOME]) == ("shadow", "deny")


def test_rows_of_others_make_no_span_and_no_error() -> None:
    """A row of another version, a look-up, a send whose decision is not known: none of them ends the reading."""
    rebuild = Rebuild()
    for kind, body in (
        ("decision", {}),
        ("decision", {"decision": {"order": 7}}),
        ("outcome", {}),
        ("outcome", {"intent": "never seen", "state": "acknowledged", "took_ms": 4.0}),
        ("policy", {}),
        ("halt", {}),
        ("resume", {}),
        ("lookup", {"intent": "x"}),
    ):
        assert rebuild.take(Row(1, 1, kind, body, "")) == []
    assert rebuild.unreadable == 6


def test_a_reader_that_starts_in_the_middle_knows_the_policies_it_is_given(tmp_path: Path) -> None:
    """Stage, key and account of a denial come from the policy's row; without it they are left unsaid."""
    guard = _guard(tmp_path)
    with pytest.raises(Denied):
        enforce("order.create", guard=guard)(lambda symbol, side, amount, price: None)("DOGE/USDT", "buy", "1", "6")
    rows = list(guard.store.rows(0, 1_000))
    (denied,) = [row for row in rows if row.kind == "decision"]
    (policy,) = [row for row in rows if row.kind == "policy"]
    (with_it,) = Rebuild([policy.body]).take(denied)
    (without,) = Rebuild().take(denied)
    assert [with_it.attributes[name] for name in (names.STAGE, names.KEY, names.ACCOUNT)] == [
        "full-live",
        "mm-exec",
        "main",
    ]
    assert with_it._replace(attributes={}) == without._replace(attributes={})
    assert names.KEY not in without.attributes


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more decisions than MAX_DECISIONS the oldest is forgotten: its send has no span any more."""
    from policykit.telemetry import rebuild as module

    monkeypatch.setattr(module, "MAX_DECISIONS", 1)
    guard = _guard(tmp_path)
    sends = enforce("order.create", guard=guard)(lambda symbol, side, amount, price: {"id": "1"})
    sends(*BUY)
    sends(*BUY)
    rows = list(guard.store.rows(0, 1_000))
    decided = [row for row in rows if row.kind == "decision"]
    rest = [row for row in rows if row.kind == "outcome"]
    assert [span.kind for span in spans_of([*decided, *rest])] == ["INTERNAL", "INTERNAL", "CLIENT"]
