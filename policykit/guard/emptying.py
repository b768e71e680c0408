"""One account of a kill: cancel in every order family at once, with a guard where one trades, else without.

A guard's own client cancels where a guard trades: quickest, journaled, inside the budgets that all bots share. What no
guard trades there, and everything while the store or the policy cannot be read, goes over a client that can only read
and cancel (`exchanges.cancelling`), which needs a key's reference and nothing else.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policykit import secrets
from policykit.clock import Clock
from policykit.errors import PolicyError, PolicykitError, StoreUnavailable
from policykit.exchanges import cancelling
from policykit.guard.core import Guard
from policykit.guard.halt import CANCEL_MS, Cancelled, cancel_family, concerns_policy, still_coming
from policykit.guard.settings import choose_key, trading
from policykit.policy import PAPER, EffectivePolicy, load
from policykit.source import read_file
from policykit.store import Store

#: How long orders that may still arrive are waited for and cancelled again, ms; the longest fence is shorter.
ARRIVALS_MS: Final = 30_000
#: A guard that was silent for so long is not counted on to cancel its entries, ms.
SILENT_MS: Final = 30_000
#: The products that a scope trades, by the names of order families; `trade` alone trades all.
_PRODUCTS: Final = {
    "trade.spot": ("spot",),
    "trade.margin": ("spot", "margin"),
    "trade.derivatives": ("swap", "inverse"),
    "trade.options": ("option",),
    "trade.other": ("spread",),
}

#: Cancels in some families once, and says what came of it.
Pass = Callable[[], Cancelled]


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of an account that is to be emptied: from its policy, or from what of a broken one can be read."""

    file: str
    exchange: str
    account: str
    sandbox: bool
    #: Secret reference and scopes of each key that may trade, by its name.
    keys: Mapping[str, tuple[str, tuple[str, ...]]]
    symbols: tuple[str, ...]
    everything: bool
    #: None: it does not load, and why.
    policy: EffectivePolicy | None
    why: str = ""

    @property
    def paper(self) -> bool:
        """Whether its orders are on paper: then nothing is asked or cancelled at the exchange."""
        return self.account.endswith(PAPER)

    def concerned(self, scope: str) -> bool:
        """Tell whether a halt of this scope has orders of this account to cancel."""
        if self.policy is not None:
            return concerns_policy(self.policy, scope)
        kind, _, name = scope.partition(":")
        return name == {"exchange": self.exchange, "account": self.account}.get(kind, name)


def target_of(file: str, now_ms: int) -> Target:
    """Read a policy; of one that does not load whatever a cancel needs. Raise PolicykitError, OSError without that."""
    try:
        policy = load(file, now_ms=now_ms)
    except PolicyError as error:
        return _of_broken(file, error)
    model = policy.model
    keys = {name: (key.secret or "", tuple(key.scopes or ())) for name, key in (model.keys or {}).items()}
    symbols = tuple(s for s in (model.risk.symbols if model.risk else None) or () if not set(s) & set("*!?"))
    everything = model.kill_switch is not None and model.kill_switch.cancel == "all"
    sandbox = model.environment == "sandbox"
    return Target(file, model.exchange, policy.account_key, sandbox, _traders(keys), symbols, everything, policy)


def _of_broken(file: str, error: PolicyError) -> Target:
    data: Any = read_file(file).data
    try:
        keys = {str(name): (str(key["secret"]), tuple(map(str, key["scopes"]))) for name, key in data["keys"].items()}
        exchange, account = str(data["exchange"]), f"{data['exchange']}/{data['account']['name']}"
        sandbox = data["environment"] == "sandbox"
        paper = isinstance(stage := data.get("stage"), dict) and stage.get("current") == "paper"
    except (KeyError, TypeError, AttributeError):
        raise error from None
    why = str(error).splitlines()[0]
    account += PAPER if paper else ""
    return Target(file, exchange, account, sandbox, _traders(keys), (), False, None, why)


def _traders(keys: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {name: key for name, key in keys.items() if any(scope.startswith("trade") for scope in key[1])}


class Emptying:
    """The work on one account; `found` is what came of it so far, or why nothing did."""

    def __init__(self, store: Store | None, clock: Clock, target: Target, scope: str, endpoint: str | None) -> None:
        self.store, self.clock, self.target, self.scope = store, clock, target, scope
        self.endpoint = endpoint or (None if store is None else endpoint_of(store, target.file))
        self.found: Cancelled | str = "it was not begun"
        self._passes: list[Pass] = []
        self._guard: Guard | None = None
        #: Why a key could not be used.
        self._unused: list[str] = []
        self._until_ms = clock.monotonic_ms() + ARRIVALS_MS

    @property
    def patient(self) -> bool:
        """Whether what may still arrive is waited for."""
        return self.clock.monotonic_ms() < self._until_ms

    def begin(self, ended: queue.Queue[str]) -> None:
        """Cancel once, on a thread of its own; its end is put into the queue, whatever came of it."""
        name = f"policykit-kill {self.target.account}"
        threading.Thread(target=self._run, args=(ended,), name=name, daemon=True).start()

    def _run(self, ended: queue.Queue[str]) -> None:
        try:
            report = self._once()
            if isinstance(self.found, Cancelled):
                self.found.add(report)
            else:
                self.found = report
        except (PolicykitError, ValueError) as error:
            self.found = f"{error}; {self._who_else()}"
        except BaseException as error:  # noqa: BLE001 - a thread's end must be heard of; the text is not ours
            self.found = f"{type(error).__name__}; cancel at the exchange"
        finally:
            ended.put(self.target.file)

    def _once(self) -> Cancelled:
        """Cancel in every family at once."""
        self._passes = self._passes or list(self._hands())
        if not self._passes:
            raise PolicykitError("; ".join(self._unused) or "no key of the policy may trade, so none can cancel")
        parts: list[Cancelled] = []
        work = [
            threading.Thread(target=lambda one=one: parts.append(self._told(one)), daemon=True) for one in self._passes
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        report = Cancelled(self.target.account)
        for part in parts:
            report.families |= part.families
            report.cancelled += part.cancelled
            report.kept += part.kept
            report.failed += part.failed
        report.failed += self._unused
        if self._guard is not None:
            try:
                still_coming(self._guard, report, self.scope)
            except StoreUnavailable as error:
                report.failed.append(f"what may still arrive is not known: {error}")
        return report

    def _told(self, one: Pass) -> Cancelled:
        try:
            return one()
        except (PolicykitError, ValueError) as error:
            return Cancelled(self.target.account, failed=[str(error)])
        except BaseException as error:  # noqa: BLE001 - the text is not ours
            return Cancelled(self.target.account, failed=[f"{type(error).__name__} while orders were cancelled"])

    def _hands(self) -> Iterator[Pass]:
        """Yield what cancels in each family: each key that trades does so where no other did before."""
        if self.target.paper:
            yield from self._on_paper()
            return
        families: set[str] = set()
        products: set[str] = set()
        unused: list[tuple[set[str], str]] = []
        for name, (reference, scopes) in self.target.keys.items():
            rest = _products(self.target.exchange, scopes)
            try:
                for family, hand in self._guarded(name):
                    rest.discard(family.partition(".")[0])
                    if family not in families:
                        families.add(family)
                        products.add(family.partition(".")[0])
                        yield hand
                if rest - products:
                    yield self._unguarded(reference, frozenset(rest - products))
                    products |= rest
            except (PolicykitError, ValueError) as error:
                unused.append((rest, f"{name}: {error}"))
        # A key that could not be used matters where no other key sees what it may have traded.
        self._unused = [why for rest, why in unused if rest - products or not products]

    def _on_paper(self) -> Iterator[Pass]:
        """Yield what cancels in the paper book, with any key: it needs none that trades. Never the real account."""
        policy = self.target.policy
        if policy is not None:
            key = next(iter(self.target.keys), None) or choose_key(policy, None)
            for _, hand in self._guarded(key):
                yield hand
        if self._guard is None:
            self._unused = ["the paper book cannot be read: store or policy cannot be, or no guard trades there"]

    def _guarded(self, key: str) -> Iterator[tuple[str, Pass]]:
        policy = self.target.policy
        if self.store is None or policy is None or trading(policy, key) is None:
            return
        try:
            guard = Guard(policy, key=key, store=self.store, clock=self.clock)
        except StoreUnavailable:
            return
        guard.endpoint = self.endpoint
        for family in guard.adapter.families:
            client = guard.own_client()
            self._guard = self._guard or guard

            def hand(family: str = family, client: Any = client) -> Cancelled:
                part = Cancelled(guard.account)
                cancel_family(guard, client, family, part, self.scope, guard.own_client)
                return part

            yield family, hand

    def _unguarded(self, reference: str, products: frozenset[str]) -> Pass:
        from policykit.exchanges.cancelling.canceller import canceller

        target, kind, (_, _, name) = self.target, self.scope.partition(":")[0], self.scope.partition(":")
        credentials = secrets.read(reference)

        def going(order: cancelling.OpenOrder) -> bool:
            concerned = kind != "symbol" or order.symbol == name
            if kind == "bot":
                concerned = order.client_order_id in self._orders_of(name)
            return concerned and (target.everything or not order.only_reduces)

        def hand() -> Cancelled:
            part = Cancelled(target.account)
            more: dict[str, Any] = {"endpoint": self.endpoint, "sandbox": target.sandbox, "clock": self.clock}
            with canceller(target.exchange, credentials, symbols=target.symbols, products=products, **more) as client:
                for family, count in client.clear(lambda order: not going(order), within_ms=CANCEL_MS).items():
                    part.families[family] = count
                    if count.left or count.unknown:
                        part.failed.append(f"{family}: {count.unknown or f'{count.left} orders are left'}")
            return part

        return hand

    def _orders_of(self, bot: str) -> set[str]:
        if self.store is None:
            raise PolicykitError("without the store nobody knows which orders are this bot's; kill the account")
        return {intent.client_order_id for intent in self.store.intents() if intent.bot == bot}

    def _who_else(self) -> str:
        """Say which live guard of the account cancels its entries by itself."""
        if self.target.paper:
            return "the policy is on paper: nothing was asked or cancelled at the exchange"
        try:
            guards = [] if self.store is None else self.store.guards()
        except StoreUnavailable:
            guards = []
        for guard in guards:
            silent_ms = self.clock.now_ms() - guard.beat_ms
            if guard.account == self.target.account and silent_ms < SILENT_MS:
                return f"its guard on {guard.host} (pid {guard.pid}, heard {silent_ms / 1000:.0f} s ago) cancels there"
        return "no live guard of that account was heard of: cancel at the exchange"


def _products(exchange: str, scopes: tuple[str, ...]) -> set[str]:
    """Return the products of an exchange's order families that a key of these scopes trades."""
    known = cancelling.load(exchange)
    if known is None:
        return set()
    there = {
        family.partition(".")[0]
        for family in (*(name for one in known.families for name in one.families), *known.unlisted)
    }
    if "trade" in scopes:
        return there
    return there & {product for scope in scopes for product in _PRODUCTS.get(scope, ())}


def endpoint_of(store: Store, file: str) -> str | None:
    """Return where the guards that run a policy send their own clients; None: to the exchange."""
    return next((guard.endpoint for guard in store.guards() if guard.policy_file == file and guard.endpoint), None)
