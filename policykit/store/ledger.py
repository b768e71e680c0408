"""The state of a store, pure: what is held, known, halted. Back-ends make its changes atomic, durable and shared.

Two kinds of methods: those that answer (`facts`, `fits`, ...) and change nothing that a row would not, and `apply`,
which takes one journal row in. A back-end writes the row first and applies it after, so a write that failed leaves
the ledger as it was, and replaying the rows gives the same ledger.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from heapq import heappop, heappush
from itertools import islice
from typing import Any, Final

from policykit.decision import Hold, Use, unknown_counter
from policykit.engine.facts import Facts, Halt
from policykit.orders.intent import Intent, Outcome, advance
from policykit.store.account import AccountState
from policykit.store.base import SEND_WITHIN_MS, Grant
from policykit.store.changes import CHANGES
from policykit.store.codec import (
    intent_from_dict,
    intent_to_dict,
)
from policykit.store.exposure import Exposure
from policykit.store.kept import Kept
from policykit.store.positions import PositionState
from policykit.store.windows import Window, make
from policykit.units import MAX_COUNTER, scale_down, scale_up

#: Intents that are over are remembered for look-ups, for late fills, and for client order ids that must not come twice.
CLOSED_INTENTS: Final = 2_000
#: An intent that nobody reported on this long after its permit ended counts as unknown: its process is gone, or hangs.
SILENT_MS: Final = 30_000

#: A window is forgotten when it was empty already so long ago.
STEP_MS: Final = 7_200_000

_RANK: Final = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2}
_tuple = tuple.__new__
#: Nobody reported on these yet.
_WAITING: Final = frozenset(("intended", "sent"))


class Ledger:
    """Counters, facts, intents and halts of one store."""

    def __init__(self) -> None:
        self.seq = 0
        #: The row that changed what `facts` returns; facts of an earlier one are not the newest.
        self.moved_seq = 0
        self.generation = 0
        self.halts: dict[str, Halt] = {}
        self.accounts: dict[str, AccountState] = {}
        self.sums: dict[str, int] = {}
        self.windows: dict[str, Window] = {}
        self.open: dict[str, Intent] = {}
        self.closed: OrderedDict[str, Intent] = OrderedDict()
        #: (account, client order id) -> intent id
        self.client_ids: dict[tuple[str, str], str] = {}
        #: unknown_counter -> (end of permit, id) of intents that nobody reported on yet: a heap, pruned when looked at
        self.waiting: dict[str, list[tuple[int, str]]] = {}
        #: unknown_counter -> ids of intents whose outcome is unknown
        self.unknown: dict[str, set[str]] = {}
        #: intent id -> signed quantity that its position hold still claims, by counter
        self.held: dict[str, tuple[str, int]] = {}
        self.exposure = Exposure()
        self.kept = Kept()
        #: counter -> the position that it counts, with its account and key: found once, for it stays the same object
        self._places: dict[str, tuple[PositionState, AccountState, str]] = {}
        self._facts: dict[str, Facts] = {}

    # ---- answers

    def account(self, name: str) -> AccountState:
        """Return an account's state, empty if nothing is known."""
        state = self.accounts.get(name)
        if state is None:
            state = self.accounts[name] = AccountState(name, self.exposure)
            self._facts.pop(name, None)
            self.moved_seq = self.seq
        return state

    def facts(self, account: str, bot: str, symbol: str) -> Facts:
        """Return the facts with the halts that bind this account, bot and symbol."""
        facts = self._facts.get(account)
        if facts is None:
            state = self.accounts.get(account) or AccountState(account, self.exposure)
            facts = self._facts[account] = state.facts(self.generation, self.seq)
        if not self.halts:
            return facts
        exchange = account.partition("/")[0]
        scopes = ("all", f"exchange:{exchange}", f"account:{account}", f"bot:{bot}", f"symbol:{symbol}")
        return replace(facts, halts=tuple(self.halts[s] for s in scopes if s in self.halts))

    # INVARIANT I8: every hold is checked against what is used now, and all are granted or none. Asking changes nothing.
    def fits(self, account: str, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int) -> Grant:
        """Tell whether every hold fits now; changes nothing."""
        if generation != self.generation:
            return Grant(False, True, (), (), self.seq)
        if intent is not None:
            taken = self.client_ids.get((account, intent.client_order_id))
            if taken is not None:
                return Grant(False, False, (), (), self.seq, taken)
        used: list[int] = []
        failed: list[int] = []
        for hold in holds:
            use = self.use(hold, now_ms)
            if use + abs(hold[1]) > hold[2]:
                failed.append(len(used))
            used.append(use)
        return _tuple(Grant, (not failed, False, tuple(used), tuple(failed), self.seq, None))

    def use(self, hold: Hold, now_ms: int) -> int:
        """Return what is used now of a hold's counter."""
        counter, amount, _, kind, _, _, _ = hold
        if kind == "window":
            window = self.windows.get(counter)
            return 0 if window is None else window.used(now_ms)
        if kind == "sum":
            return self.sums.get(counter, 0)
        if kind == "position":
            place = self._places.get(counter)
            state = self._position(counter) if place is None else place[0]
            return 0 if state is None else state.use(amount > 0)
        if kind == "clear":
            return self._unknown(counter, now_ms)
        if kind == "positions":
            return self._others(counter)
        return self.exposure.use(counter, net=kind == "net", buy=amount > 0)

    def using(self, now_ms: int) -> Use:
        """Return what tells what is used of counters as of now."""
        return lambda holds: tuple(self.use(hold, now_ms) for hold in holds)

    def _position(self, counter: str) -> PositionState | None:
        """Find a position, if anything is known of it."""
        name, _, key = counter.split("|", 2)
        account = self.accounts.get(name)
        return None if account is None else account.positions.get(key)

    def _others(self, counter: str) -> int:
        """Count the positions of an account that are not flat at their worst, without the one that is named."""
        total, state = self.exposure.total(counter.split("|", 1)[0]), self._position(counter)
        return total.positions - (0 if state is None else state.counted[3])

    def _unknown(self, counter: str, now_ms: int) -> int:
        """Count the unknown intents; all that are silent count as one, which no `clear` hold allows either."""
        heap = self._pruned(counter) if counter in self.waiting else []
        silent = bool(heap) and now_ms > heap[0][0] + SILENT_MS
        unknown = self.unknown.get(counter)
        return silent if unknown is None else len(unknown) + silent

    def _pruned(self, counter: str) -> list[tuple[int, str]]:
        """Return the heap of a counter's permits; the first, if any, still waits for a report."""
        heap = self.waiting.get(counter, [])
        while heap:
            until_ms, intent_id = heap[0]
            intent = self.open.get(intent_id)
            if intent is not None and intent.state in _WAITING and intent.permit_until_ms == until_ms:
                break
            heappop(heap)
        return heap

    def renewable(self, intent_id: str, generation: int) -> bool:
        """Tell whether a permit may be extended."""
        intent = self.open.get(intent_id)
        return intent is not None and intent.state == "intended" and generation == self.generation

    def unsent(self, now_ms: int) -> list[Intent]:
        """Return the intents whose permit still allows a send."""
        return [
            i
            for i in self.open.values()
            if i.state == "intended" and (i.permit_until_ms is None or i.permit_until_ms >= now_ms)
        ]

    def intent(self, intent_id: str) -> Intent | None:
        """Return an intent, open or over."""
        return self.open.get(intent_id) or self.closed.get(intent_id)

    def intents(self, account: str | None, *, open_only: bool) -> list[Intent]:
        """Return intents, oldest first."""
        chosen = list(self.open.values()) if open_only else [*self.closed.values(), *self.open.values()]
        return sorted((i for i in chosen if account in (None, i.account)), key=lambda i: (i.decided_ms, i.id))

    # ---- changes: one a row

    def apply(self, kind: str, body: dict[str, Any], at_ms: int, seq: int | None = None) -> None:
        """Take one journal row in; kinds that change no state are passed over."""
        self.seq = self.seq if seq is None else seq
        change = CHANGES.get(kind)
        if change is not None:
            change(self, body, at_ms)

    def granted(self, intent: Intent | None, holds: tuple[Hold, ...], now_ms: int) -> None:
        """Count holds that fitted, and the intent that they are for."""
        for counter, amount, _, kind, _, span_ms, fixed in holds:
            if kind == "window":
                window = self.windows.get(counter)
                if window is None:
                    self._prune(now_ms)
                    window = self.windows[counter] = make(span_ms, fixed=fixed)
                window.add(amount, now_ms)
            elif kind == "sum":
                self.sums[counter] = self.sums.get(counter, 0) + amount
            elif kind == "position" and intent is not None:
                self.held[intent.id] = (counter, amount)
                self._claim(counter, amount, buy=amount > 0)
        if intent is not None:
            self.open[intent.id] = intent
            self.client_ids[(intent.account, intent.client_order_id)] = intent.id
            self._expect(intent)

    def _prune(self, now_ms: int) -> None:
        """Look at the two oldest windows and forget those that are long empty: as windows are made, all come by.

        Long, so that a clock which steps by an hour and back talks nobody over a limit.
        """
        for name in list(islice(self.windows, 2)):
            window = self.windows.pop(name)
            if window.used(now_ms - STEP_MS):
                self.windows[name] = window

    def _expect(self, intent: Intent) -> None:
        """Remember until when an intent's permit runs; without a gate it runs until somebody reports."""
        if intent.permit_until_ms is not None:
            counter = unknown_counter(intent.account, intent.order.symbol, intent.order.side)
            self._pruned(counter)
            heappush(self.waiting.setdefault(counter, []), (intent.permit_until_ms, intent.id))

    def renewed(self, intent_id: str, validity_ms: int, now_ms: int) -> None:
        """Extend a permit."""
        intent = replace(self.open[intent_id], permit_until_ms=now_ms + SEND_WITHIN_MS, validity_ms=validity_ms)
        self.open[intent_id] = intent
        self._expect(intent)

    def settle(self, intent_id: str, outcome: Outcome) -> Intent:
        """Take an outcome in; return the intent after it. Raise KeyError when there is no such intent."""
        before = self.open.get(intent_id) or self.closed[intent_id]
        after = advance(before, outcome)
        if after.filled > before.filled:
            self._fill(before, after, outcome.at_ms)
        self._entered(before, after, outcome.at_ms)
        if not before.open:
            self.closed[intent_id] = after
            return after
        self.open[intent_id] = after
        if after.order is not before.order:
            self._resize(after)
        self._mark_unknown(after)
        if not after.open:
            self._release(after)
        return after

    # INVARIANT I9: a fill counts from the first moment it may have happened, rounded both ways.
    def _fill(self, before: Intent, after: Intent, at_ms: int) -> None:
        """Move what filled from the hold to the position; a fill counts even if its hold is gone.

        It happened at some time since the decision: a report can be late, so an earlier one proves no later start.
        """
        counter = next((hold.counter for hold in after.holds if hold.kind == "position"), None)
        if counter is None:
            return
        was, now = before.filled, after.filled
        self._give_back(after.id, scale_down(now) - scale_down(was))
        down, up = max(0, scale_down(now) - scale_up(was)), scale_up(now) - scale_down(was)
        if after.order.side != "buy":
            down, up = -up, -down
        state, account, key = self._place(counter)
        state.fill(down, up, before.decided_ms, at_ms)
        account.counted(key, state)
        if not state.unit:
            self.moved()  # what is held without a price is a fact: no total counts it
        cost = None if after.cost is None or (was and before.cost is None) else after.cost - (before.cost or 0)
        quantity = now - was if after.order.side == "buy" else was - now
        if account.filled(key, quantity, cost, at_ms, reduces=after.reduces):
            self.moved()

    def _entered(self, before: Intent, after: Intent, at_ms: int) -> None:
        """Tell the account of an entry that filled, or is over, where partial fills are counted."""
        account = self.accounts.get(after.account)
        if account is None or account.entries is None or after.reduces:
            return
        if (after.filled > before.filled or after.open < before.open) and account.entries.saw(after, at_ms):
            self.moved()

    def _give_back(self, intent_id: str, quantity: int) -> None:
        """Lower what a position hold still claims, by at most what it claims."""
        counter, held = self.held.get(intent_id, ("", 0))
        back = min(abs(held), quantity)
        if back:
            buy = held > 0
            signed = back if buy else -back
            self.held[intent_id] = (counter, held - signed)
            self._claim(counter, -signed, buy=buy)

    def _resize(self, intent: Intent) -> None:
        """Let the position hold of an order that was amended claim what can still fill of it, be that more or less.

        The amend held what it added already; what the exchange shows counts, whatever the limit is.
        """
        counter, held = self.held.get(intent.id, ("", 0))
        if counter:
            buy = intent.order.side == "buy"
            claims = min(scale_up(intent.remaining), MAX_COUNTER) * (1 if buy else -1)
            self.held[intent.id] = (counter, claims)
            self._claim(counter, claims - held, buy=buy)

    def _claim(self, counter: str, amount: int, *, buy: bool) -> None:
        """Add a signed amount to what is out on one side of a position; the opposite sign gives back."""
        state, account, key = self._place(counter)
        state.claim(amount, buy=buy)
        account.counted(key, state)

    def _place(self, counter: str) -> tuple[PositionState, AccountState, str]:
        """Return a position with its account and key, made if nothing is known of it."""
        place = self._places.get(counter)
        if place is None:
            name, _, key = counter.split("|", 2)
            account = self.account(name)
            place = self._places[counter] = (account.position(key), account, key)
        return place

    def _mark_unknown(self, intent: Intent) -> None:
        if intent.state != "unknown" and not self.unknown:
            return
        counter = unknown_counter(intent.account, intent.order.symbol, intent.order.side)
        if intent.state == "unknown":
            self.unknown.setdefault(counter, set()).add(intent.id)
        elif counter in self.unknown:
            self.unknown[counter].discard(intent.id)

    def _release(self, intent: Intent) -> None:
        """Give back what is left of the holds of an intent that is over. Happens once: a final state is never left."""
        del self.open[intent.id]
        for hold in intent.holds:
            if hold[3] == "sum":
                self.sums[hold[0]] -= hold[1]
        counter, held = self.held.pop(intent.id, ("", 0))
        if held:
            self._claim(counter, -held, buy=held > 0)
        self.closed[intent.id] = intent
        while len(self.closed) > CLOSED_INTENTS:
            _, old = self.closed.popitem(last=False)
            self.client_ids.pop((old.account, old.client_order_id), None)

    @staticmethod
    def changes(kind: str) -> bool:
        """Tell whether rows of a kind change the state."""
        return kind in CHANGES

    def moved(self) -> None:
        """Forget cached facts: something other than a hold changed."""
        self._facts.clear()
        self.moved_seq = self.seq

    # ---- checkpoints

    def dump(self) -> dict[str, Any]:
        """Return the whole state as JSON data."""
        return {
            "seq": self.seq,
            "generation": self.generation,
            "halts": [list(halt) for halt in self.halts.values()],
            "accounts": {name: state.dump() for name, state in self.accounts.items()},
            "sums": dict(self.sums),
            "windows": {name: [w.span_ms, w.fixed, w.dump()] for name, w in self.windows.items()},
            "open": [intent_to_dict(i) for i in self.open.values()],
            "closed": [intent_to_dict(i) for i in self.closed.values()],
            "held": {intent_id: list(held) for intent_id, held in self.held.items()},
            "kept": self.kept,
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> Ledger:
        """Read what `dump` wrote."""
        ledger = cls()
        ledger.seq, ledger.generation = data["seq"], data["generation"]
        ledger.halts = {halt[0]: Halt(*halt) for halt in data["halts"]}
        for name, state in data["accounts"].items():
            ledger.account(name).load(state)
        ledger.sums = dict(data["sums"])
        for name, (span_ms, fixed, state) in data["windows"].items():
            ledger.windows[name] = make(span_ms, fixed=fixed)
            ledger.windows[name].load(state)
        for item in data["closed"]:
            intent = intent_from_dict(item)
            ledger.closed[intent.id] = intent
            ledger.client_ids[(intent.account, intent.client_order_id)] = intent.id
        for item in data["open"]:
            intent = intent_from_dict(item)
            ledger.open[intent.id] = intent
            ledger.client_ids[(intent.account, intent.client_order_id)] = intent.id
            ledger._mark_unknown(intent)
            if intent.state in _WAITING:
                ledger._expect(intent)
        ledger.held = {intent_id: (held[0], held[1]) for intent_id, held in data["held"].items()}
        ledger.kept = Kept(data.get("kept", {}))
        return ledger
