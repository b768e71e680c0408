"""The kill switch: halt the store first, wait for the permits that are out, then cancel entries and look again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policykit.clock import Clock
from policykit.errors import PolicykitError
from policykit.exchanges.base import OrderState, run
from policykit.exchanges.cancelling import FamilyCount
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
#: One client cancels so many orders at least, and no more clients do so at a time: an answer takes some 50 ms, and
#: Binance takes 100 cancels a second (6,000 of weight a minute, rest-api.md).
PER_CLIENT: Final = 10
MOST_CLIENTS: Final = 4
#: And no longer than this in one family, ms: an exchange that answers slowly holds up nothing else.
CANCEL_MS: Final = 60_000
#: What passed the gate at the last moment is on the wire no longer than this, ms.
ON_THE_WIRE_MS: Final = 250
#: How long a halt waits for sends that no gate watches, where `kill_switch.wait` is absent, ms.
WAIT_MS: Final = 30_000
_STEP_S: Final = 0.05


@dataclass(slots=True)
class Cancelled:
    """What became of an account's open orders, by family and by name.

    `pending`: orders that may still show up, since they are on their way.
    """

    account: str
    families: dict[str, FamilyCount] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Tell whether nothing is left that was to be cancelled, and all of it was seen."""
        seen = all(count.flat for count in self.families.values())
        return bool(self.families) and seen and not (self.failed or self.pending)

    def add(self, other: Cancelled) -> None:
        """Take in a later pass over the same account: what it cancelled adds up, what it saw counts."""
        for family, count in other.families.items():
            before = self.families.get(family, FamilyCount())
            count.cancelled += before.cancelled
            count.listed = max(before.listed, count.cancelled + count.kept + count.left)
            self.families[family] = count
        self.cancelled += [one for one in other.cancelled if one not in self.cancelled]
        self.kept, self.failed, self.pending = other.kept, other.failed, other.pending


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


def cancel_entries(guard: Guard, client: Any, scope: str = "all") -> Cancelled:
    """Cancel every order of an account that can increase exposure; keep what can only reduce (`cancel: all` takes all).

    Each family by itself: one that cannot be listed keeps no other from being cancelled. While an order may still be on
    its way the account is pending: absence from a list proves nothing before the fence. A scope of a bot or a symbol
    takes its own only.
    """
    report = Cancelled(guard.account)
    for family in guard.adapter.families:
        cancel_family(guard, client, family, report, scope)
    still_coming(guard, report, scope)
    return report


def still_coming(guard: Guard, report: Cancelled, scope: str) -> None:
    """Name in the report what may still show up."""
    report.pending = [i.client_order_id for i in on_their_way(guard, scope, exits=_everything(guard))]


def _everything(guard: Guard) -> bool:
    switch = guard.policy.model.kill_switch
    return switch is not None and switch.cancel == "all"


@asking()
def cancel_family(
    guard: Guard,
    client: Any,
    family: str,
    report: Cancelled,
    scope: str = "all",
    more: Callable[[], Any] | None = None,
) -> None:
    """List, cancel and list again until no entry is left in a family; what came of it goes into the report.

    `more` makes another client like this one, so that many orders do not wait for one answer after the other.
    """
    adapter, clock = guard.adapter, guard.clock
    kind, _, name = scope.partition(":")
    if kind == "symbol" and product_of(name) != family.partition(".")[0]:
        return
    count = report.families[family] = FamilyCount()
    seen: set[str] = set()
    gone: set[str] = set()
    started = clock.monotonic_ms()
    entries: list[OrderState] = []
    kept: list[OrderState] = []
    failures: list[str] = []
    for _ in range(CANCEL_ROUNDS):
        try:
            own = None
            if kind == "bot":
                own = {i.client_order_id for i in guard.store.intents(guard.account) if i.bot == name}
            listed = run(adapter, client, adapter.open_orders((name,) if kind == "symbol" else (), family), clock)
        except PolicykitError as failed:
            count.unknown = f"open orders cannot be listed: {failed}"
            break
        listed = tuple(o for o in listed if own is None or o.client_order_id in own)
        entries = [o for o in listed if _everything(guard) or can_increase(o)]
        kept = [o for o in listed if o not in entries]
        seen.update(map(name_of, listed))
        count.listed, count.kept, count.left = len(seen), len(kept), len(entries)
        if not entries:
            break
        if clock.monotonic_ms() - started > CANCEL_MS:
            failures = failures or [f"{len(entries)} entries are still listed after {CANCEL_MS // 1000} s"]
            break
        failures = _cancel_each(guard, _clients(client, entries, more), entries, gone, started + CANCEL_MS)
    else:
        failures = failures or [f"{len(entries)} entries are still listed after {CANCEL_ROUNDS} rounds"]
    count.cancelled = len(gone)
    report.cancelled += sorted(gone)
    report.kept += [name_of(order) for order in kept]
    report.failed += failures if count.left else []
    if count.unknown:
        report.failed.append(f"{family}: {count.unknown}")


def name_of(order: OrderState) -> str:
    """Return what an order is called in a report: its client order id, else the exchange's."""
    return order.client_order_id or order.order_id


def _clients(client: Any, entries: list[OrderState], more: Callable[[], Any] | None) -> list[Any]:
    count = 1 if more is None else min(MOST_CLIENTS, -(-len(entries) // PER_CLIENT))
    return [client, *(more() for _ in range(count - 1) if more is not None)]


def _cancel_each(
    guard: Guard, clients: list[Any], entries: list[OrderState], gone: set[str], until_ms: float
) -> list[str]:
    """Cancel orders, each client one by one, no longer than until a moment (monotonic); return what failed."""
    failures: list[str] = []

    def work(client: Any, orders: list[OrderState]) -> None:
        for order in orders:
            if guard.clock.monotonic_ms() > until_ms:
                return
            try:
                if run(guard.adapter, client, guard.adapter.cancel(order), guard.clock):
                    gone.add(name_of(order))
            except PolicykitError as failed:
                failures.append(f"{name_of(order)}: {failed}")

    first, *others = ((client, entries[at :: len(clients)]) for at, client in enumerate(clients))
    beside = [
        threading.Thread(target=copy_context().run, args=(work, client, orders), daemon=True)
        for client, orders in others
    ]
    for thread in beside:
        thread.start()
    work(*first)
    for thread in beside:
        thread.join()
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
