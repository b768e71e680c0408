"""The kill switch: halt the store first, wait for the permits that are out, then cancel entries and look again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policykit.clock import Clock
from policykit.exchanges.base import CallFailed, OrderState, run
from policykit.guard.own import asking
from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent
from policykit.orders.life import UNDECIDED
from policykit.store import SEND_WITHIN_MS, Store
from policykit.traits.base import product_of

if TYPE_CHECKING:
    from policykit.guard.core import Guard
    from policykit.policy import EffectivePolicy

#: List - cancel - list until empty, at most this often.
CANCEL_ROUNDS: Final = 10
#: What passed the gate at the last moment is on the wire no longer than this, ms.
ON_THE_WIRE_MS: Final = 250
#: How long a halt waits for sends that no gate watches, where `kill_switch.wait` is absent, ms.
WAIT_MS: Final = 30_000
_STEP_S: Final = 0.05


@dataclass(slots=True)
class Cancelled:
    """What became of an account's open orders. `pending`: the family may still show an order that is on its way."""

    account: str
    cancelled: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


def wait_for_sends(store: Store, clock: Clock, unsent: list[Intent], wait_ms: int = WAIT_MS) -> list[Intent]:
    """Return once every permit granted before a halt was used or has expired; name the sends that may still be on.

    A protected client cannot use a permit granted before the halt later than SEND_WITHIN_MS, so that is the wait, and
    the time on the wire. A function under `@enforce` that sends by itself is waited for `wait_ms` and then named.
    """
    ids = {intent.id for intent in unsent}
    started = clock.monotonic_ms()
    while True:
        waited = clock.monotonic_ms() - started
        left = [i for i in store.intents() if i.id in ids and i.state == "intended"]
        ungated = [i for i in left if i.permit_until_ms is None]
        gated = len(left) > len(ungated) and waited <= SEND_WITHIN_MS + ON_THE_WIRE_MS
        if not gated and (not ungated or waited > wait_ms):
            return ungated
        clock.sleep(_STEP_S)


def concerns(guard: Guard, scope: str) -> bool:
    """Tell whether a halt of this scope has orders of this guard's account to cancel."""
    kind, _, name = scope.partition(":")
    if kind == "bot":
        return any(intent.bot == name for intent in guard.store.intents(guard.account))
    return concerns_policy(guard.policy, scope)


def concerns_policy(policy: EffectivePolicy, scope: str) -> bool:
    """Tell whether a scope of exchange or account is this policy's; other scopes may be anybody's."""
    kind, _, name = scope.partition(":")
    if kind == "exchange":
        return policy.model.exchange == name
    return policy.account_key == name if kind == "account" else True


@asking()
def cancel_entries(guard: Guard, client: Any, scope: str = "all") -> Cancelled:
    """Cancel every order of an account that can increase exposure; keep what can only reduce (`cancel: all` takes all).

    Lists, cancels and lists again until nothing is left to cancel. While an order may still be on its way the family
    is pending: absence from the list proves nothing before the fence. A scope of a bot or a symbol takes its own only.
    """
    adapter, clock = guard.adapter, guard.clock
    kind, _, name = scope.partition(":")
    switch = guard.policy.model.kill_switch
    everything = switch is not None and switch.cancel == "all"
    report = Cancelled(guard.account)
    for _ in range(CANCEL_ROUNDS):
        own = (
            None if kind != "bot" else {i.client_order_id for i in guard.store.intents(guard.account) if i.bot == name}
        )
        try:
            listed = run(adapter, client, adapter.open_orders((name,) if kind == "symbol" else ()), clock)
        except CallFailed as failed:
            report.failed.append(f"open orders cannot be listed: {failed}")
            break
        listed = tuple(o for o in listed if own is None or o.client_order_id in own)
        entries = [o for o in listed if everything or can_increase(o)]
        report.kept = [o.client_order_id for o in listed if o not in entries]
        report.failed = _cancel_each(guard, client, entries, report)
        if not entries:
            break
    else:
        report.failed = report.failed or [f"{len(entries)} entries are still listed after {CANCEL_ROUNDS} rounds"]
    report.pending = [i.client_order_id for i in on_their_way(guard, scope, exits=everything)]
    return report


def _cancel_each(guard: Guard, client: Any, entries: list[OrderState], report: Cancelled) -> list[str]:
    failures = []
    for order in entries:
        try:
            gone = run(guard.adapter, client, guard.adapter.cancel(order), guard.clock)
            if gone and order.client_order_id not in report.cancelled:
                report.cancelled.append(order.client_order_id)
        except CallFailed as failed:
            failures.append(f"{order.client_order_id}: {failed}")
    return failures


def can_increase(order: OrderState) -> bool:
    """Tell whether an open order can increase exposure.

    On spot a buy can, a sale only gives back what is held; on contracts all can but what the exchange keeps from it.
    """
    return order.side == "buy" if product_of(order.symbol) == "spot" else not order.reduces


def on_their_way(guard: Guard, scope: str = "all", *, exits: bool = True) -> list[Intent]:
    """Return the intents that may still show up at the exchange: undecided, and not behind their fence."""
    now = guard.now()
    kind, _, name = scope.partition(":")
    return [
        i
        for i in guard.store.intents(guard.account)
        if i.state in UNDECIDED
        and (exits or not i.reduces)
        and name in {"bot": (i.bot,), "symbol": (i.order.symbol,)}.get(kind, (name,))
        and not _past_fence(i, fence_ms(i, guard.family(i.order.symbol, i.family), guard.clock_bound_ms), now)
    ]


def _past_fence(intent: Intent, fence: int | None, now_ms: int) -> bool:
    return fence is not None and now_ms > fence
