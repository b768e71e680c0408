"""`policykit kill --flatten`: close what is held, with orders that can only reduce, once entries are cancelled.

Contracts go by market orders that the exchange keeps from opening anything; on spot what is held of assets that
`risk.symbols` names, in the account's currency, is sold: other assets of the account are nobody's position here.
Orders pass the guard, are journaled, and are seen to have closed what they were for: the account is read again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import PolicykitError
from policykit.exchanges.base import run
from policykit.guard.core import Guard
from policykit.guard.emptying import Target, endpoint_of, target_of
from policykit.guard.own import asking
from policykit.guard.settings import trading
from policykit.model.symbols import allows
from policykit.order import Order, Side
from policykit.redact import scrub
from policykit.store import Store
from policykit.units import plain

#: The account is read so often, a second apart, until what was closed is gone from it.
LOOKS: Final = 5
#: An account that said nothing for so long is told as not closed, seconds of the machine.
BOUND_S: Final = 120.0


@dataclass(slots=True)
class Flattened:
    """What became of an account's positions: `closed` by orders of ours, and `left`, each with why as far as known."""

    account: str
    closed: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def flatten(store: Store, clock: Clock, scope: str, files: Iterable[str], endpoint: str | None) -> Iterator[Flattened]:
    """Close what the accounts of a scope hold; yield each as it is done. No account waits for another."""
    ended: queue.Queue[tuple[str, Flattened]] = queue.Queue()
    waiting: dict[str, str] = {}
    for file in files:
        try:
            target = target_of(file, clock.now_ms())
        except (PolicykitError, OSError) as error:
            yield Flattened(file, left={"everything": str(error).splitlines()[0]})
            continue
        if target.concerned(scope):
            waiting[file] = target.account
            where = endpoint or endpoint_of(store, file)
            work = threading.Thread(target=_close, args=(store, clock, scope, target, where, ended), daemon=True)
            work.start()
    while waiting:
        try:
            file, found = ended.get(timeout=BOUND_S)
        except queue.Empty:
            for account in waiting.values():
                yield Flattened(account, left={"everything": f"no answer within {BOUND_S:.0f} s"})
            return
        del waiting[file]
        yield found


def _close(
    store: Store, clock: Clock, scope: str, target: Target, endpoint: str | None, ended: queue.Queue[Any]
) -> None:
    found = Flattened(target.account)
    try:
        if scope.startswith("bot:"):
            raise PolicykitError("positions are the account's, not a bot's; flatten the account")
        keys = [key for key in target.keys if target.policy is not None and trading(target.policy, key) is not None]
        if not keys:
            raise PolicykitError(target.why or "no guard trades on this exchange: close it there")
        for key in keys:
            assert target.policy is not None
            guard = Guard(target.policy, key=key, store=store, clock=clock)
            guard.endpoint = endpoint
            _close_with(guard, found, scope.removeprefix("symbol:") if scope.startswith("symbol:") else None)
    except Exception as error:  # noqa: BLE001 - a thread's end must be heard of
        found.left["everything"] = scrub(str(error)) if isinstance(error, PolicykitError) else type(error).__name__
    finally:
        ended.put((target.file, found))


def _close_with(guard: Guard, found: Flattened, symbol: str | None) -> None:
    client = guard.own_client()
    client.load_markets()
    why: dict[str, str] = {}
    for order in _orders(guard, client, symbol):
        name = f"{order.symbol} {order.side} {plain(order.quantity or Decimal(0))}"
        try:
            guard.place(order, client)
            found.closed.append(name)
        except Exception as error:  # noqa: BLE001 - the next position is closed all the same; ccxt's texts are scrubbed
            why[order.symbol] = scrub(str(error)).splitlines()[0]
    for look in range(LOOKS):
        left = list(_orders(guard, client, symbol))
        if not left or why:
            break
        if look < LOOKS - 1:
            guard.clock.sleep(1)
    for order in left:
        held = plain(order.quantity or Decimal(0))
        found.left[order.symbol] = f"{held} is held; {why.get(order.symbol, 'it was not gone in time')}"
    for name, amount in _for_sale(guard, symbol):
        words = f"{plain(amount)} is held for open orders that sell it, which were kept; cancel them and flatten again"
        found.left[name] = "; ".join(filter(None, (found.left.get(name), words)))


def _for_sale(guard: Guard, only: str | None) -> Iterator[tuple[str, Decimal]]:
    """Yield what of spot cannot be sold since exits of ours rest on it: a stop or a take-profit that the kill kept."""
    for asset, state in guard.facts().positions.items():
        symbol = f"{asset}/{guard.policy.model.account.currency}"
        if "/" not in asset and state.open_sells > 0 and only in (None, symbol):
            yield symbol, state.open_sells


@asking()
def _orders(guard: Guard, client: Any, only: str | None) -> Iterator[Order]:
    """Yield the order that closes each position which is worth one."""
    account = run(guard.adapter, client, guard.adapter.account(), guard.clock)
    risk, currency = guard.policy.model.risk, guard.policy.model.account.currency
    for key, quantity in account.positions.items():
        symbol, _, leg = key.partition("#")
        side: Side = "sell" if quantity > 0 else "buy"
        if only in (None, symbol) and quantity and leg:
            yield Order(symbol, side, "market", abs(quantity), position_side="long" if leg == "long" else "short")
        elif only in (None, symbol) and quantity:
            yield Order(symbol, side, "market", abs(quantity), reduce_only=True)
    out = {asset: state.open_sells for asset, state in guard.facts().positions.items()}
    for asset, total in account.balances.items():
        symbol = f"{asset}/{currency}"
        named = risk is not None and risk.symbols is not None and allows(risk.symbols, symbol)
        if asset == currency or not named or only not in (None, symbol) or symbol not in client.markets:
            continue
        free = total - out.get(asset, Decimal(0))
        least = (client.markets[symbol].get("limits") or {}).get("amount", {}).get("min") or 0
        if free > 0 and free >= Decimal(str(least)):
            yield Order(symbol, "sell", "market", free)
