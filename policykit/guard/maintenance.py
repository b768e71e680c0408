"""What keeps a guard's knowledge true: facts, open orders, recovery, a halt's cancels. One poller an account, by lease.

A round asks the exchange on the guard's own client and takes the answers in. `Maintenance.start` repeats rounds on a
thread until `stop`; nothing runs before a bot asks for it (`with guard:`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from policykit.clock import SystemClock
from policykit.engine.facts import DRILL_NOTHING_CANCELLED, Halt, Quote
from policykit.engine.money import DOWN
from policykit.errors import PolicykitError
from policykit.exchanges.adapter import ACCOUNT_MODE
from policykit.exchanges.base import CallFailed, LiveAccount, run
from policykit.guard import fallback
from policykit.guard.admission import DRIVING
from policykit.guard.given import day_start_ms, week_start_ms
from policykit.guard.halt import cancel_entries, concerns
from policykit.guard.jump import Jump
from policykit.guard.measures import Watched, measure
from policykit.guard.own import asking
from policykit.guard.pricing import contract_sizes, needs_quotes, prices, settings
from policykit.guard.reconcile import Reconciler
from policykit.guard.transfers import Transfers
from policykit.guard.watching import Watching
from policykit.guard.worth import debt_of, equity_of
from policykit.orders.cancels import DOUBTS, doubt_ends
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import UNDECIDED, Answer, LookUp, RetryPlan, proof_of
from policykit.orders.recovery import after_open_orders, recover
from policykit.store import Observation
from policykit.telemetry import names

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Time between two looks whether something halts the account, seconds.
LOOK_S: Final = 0.25
#: Time between two rounds, seconds; less where `account.max_age` asks for it.
ROUND_S: Final = 5.0
#: Rounds for which another guard waits for a silent poller: more, and facts would be too old before one took over.
LEASE_ROUNDS: Final = 2
#: Rounds between two checkpoints of the store.
CHECKPOINT_ROUNDS: Final = 120

#: Failures of reading the account that no waiting ends, and the reasons that they are.
_PROBLEMS: Final = {
    ACCOUNT_MODE: "ACCOUNT_MODE",
    **dict.fromkeys(("KEY_REJECTED", "PERMISSION_MISSING", "ADDRESS_NOT_ALLOWED"), "ACCOUNT_UNREADABLE"),
}

_log = logging.getLogger("policykit.guard")


class Maintenance:
    """The maintenance of one guard. `client` is its own ccxt client; made from the policy's key when not given."""

    def __init__(self, guard: Guard, client: Any = None) -> None:
        self.guard = guard
        self._client = client
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._transfers = Transfers(guard)
        self._jump = Jump(guard)
        self.reconciler = Reconciler(guard)
        section = guard.policy.model.reconciliation
        guard.reconciled = section is None or section.on_start != "required"
        self._handled_ms = 0
        self._rounds = 0
        #: When the thread's next round is due, UTC ms; None: no thread runs.
        self.due_ms: int | None = None
        self._complaint = ""
        #: Why what is borrowed could not be read, when that was logged last.
        self._unread = ""
        self._watching = Watching(guard)

    def start(self) -> None:
        """Repeat rounds on a thread; with a simulated clock rounds are the caller's, since waiting would move time."""
        self.guard.looping = True
        self.guard.triggers.started()
        self._safely(self.guard.beat)
        if isinstance(self.guard.clock, SystemClock) and self._thread is None:
            self._stop.clear()
            self.due_ms = self.guard.now()
            self._thread = threading.Thread(target=self._loop, name="policykit-maintenance", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the round it is in."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=ROUND_S * 2)
            self._thread = self.due_ms = None
        if self.guard.dead_man.armed:
            self._safely(lambda: self.guard.dead_man.release(self._own_client()))
        with suppress(PolicykitError):  # else the next poller waits for the lease to run out
            self._lead(0)
        self.guard.looping = False
        with suppress(PolicykitError):  # else it counts as silent in a minute
            self.guard.beat()
        self._watching.close()

    def _tend(self) -> None:
        if self.guard.switched or self.guard.dead_man.armed:
            self.guard.dead_man.tend(self._own_client())

    def _loop(self) -> None:
        clock, due_ms, tended_ms = self.guard.clock, 0.0, 0.0
        while not self._stop.wait(min(self._every_s(), self.guard.dead_man.every_s, LOOK_S)):
            self._look()
            if self.guard.urgent or clock.monotonic_ms() >= due_ms:
                self.guard.urgent = False
                due_ms = clock.monotonic_ms() + self._every_s() * 1000
                self.due_ms = clock.now_ms() + round(self._every_s() * 1000)
                self.round()
            elif clock.monotonic_ms() >= tended_ms:
                tended_ms = clock.monotonic_ms() + self.guard.dead_man.every_s * 1000
                self._safely(self._tend)

    def _look(self) -> None:
        try:
            self.guard.look()
        except Exception as error:  # noqa: BLE001 - the thread must live; the text is not ours
            self._complain(f"{type(error).__name__} while it was looked whether to halt")

    def _every_s(self) -> float:
        """Return the time between two rounds: three of them before facts are too old."""
        max_age = self.guard.policy.model.account.max_age
        return min(ROUND_S, max_age.ms / 3000) if max_age else ROUND_S

    def round(self) -> None:
        """Ask and take in, once. What fails is logged and leaves facts to grow old, which denies increases."""
        self._safely(self._round)
        self._watching.round()

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            with asking():
                work()
            self._complaint = ""
        except (PolicykitError, OSError) as error:
            self._complain(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must live; the text is not ours
            self._complain(f"{type(error).__name__} in maintenance")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            _log.warning("maintenance of %s: %s; increases are denied once facts are too old", self.guard.account, text)

    def _round(self) -> None:
        guard = self.guard
        guard.look()
        self._tend()
        guard.signer.follow()
        guard.beat()
        fallback.merge(guard.policy.name, guard.store, guard.host, guard.now())
        guard.in_force.refresh()
        guard.beside.refresh()
        self._rounds += 1
        if self._rounds % CHECKPOINT_ROUNDS == 0:
            guard.store.checkpoint()
        if self._halts():
            self._halted(self._own_client())
        if not self._lead(round(self._every_s() * 1000 * LEASE_ROUNDS)):
            guard.recovered = not guard.abandoned()
            self.reconciler.heard()
            self.reconciler.instead(self._own_client)
            guard.account_problem = None  # it is the poller's to find; what it cannot read grows old for all
            self._prices_of_its_own()
            self._gauges()
            return
        try:
            client = self._own_client()
            for ask in (self._recover, self._open_orders, self._facts):
                ask(client)
                self._tend()  # a slow exchange must not make it fire
        except BaseException:
            self._lead(0)  # another guard of the account may be able to do what this one is not
            raise
        self._gauges()

    def _lead(self, ttl_ms: int) -> bool:
        """Take or keep the lease of the account's one poller; with 0 let go of it."""
        guard = self.guard
        holder = f"{guard.host}/{os.getpid()}/{guard.bot}/{id(guard)}"
        return guard.store.lease(f"poller|{guard.account}", holder, ttl_ms, guard.now())

    def _gauges(self) -> None:
        guard = self.guard
        own = Watched(guard.in_force.info(), True, guard.engine)
        samples = measure(guard.store, guard.host, guard.now(), (own,), counted=guard.telemetry.read)
        # Which policy is in force was told when it was put there, with what other guards add to it.
        guard.telemetry.gauges(own.owner, (sample for sample in samples if sample.name != names.M_POLICY))
        guard.streams.tell()
        guard.telemetry.wrote(guard.store.written())
        pending = fallback.pending(guard.policy.name, guard.store.epoch) + guard.store.waiting()
        who = {names.EXCHANGE: guard.traits.id, names.ACCOUNT: guard.policy.model.account.name, names.BOT: guard.bot}
        guard.telemetry.gauge(names.M_PENDING, pending, who)
        if guard.shadow is not None:
            candidate = guard.shadow.engine.effective
            labels = {names.POLICY_ID: candidate.name, names.POLICY_VERSION: candidate.version}
            guard.telemetry.gauge(names.M_SHADOW, guard.shadow.differed, labels)

    def _own_client(self) -> Any:
        if self._client is None:
            self._client = self.guard.own_client()
        return self.guard.protect(self._client)

    # ---- facts

    def _facts(self, client: Any) -> None:
        guard, currency = self.guard, self.guard.policy.model.account.currency
        skew_ms = self._skew(client)
        account = self._account(client)
        owed = self._owed(client)
        symbols = self._symbols(client, account, owed or {})
        marks = run(guard.adapter, client, guard.adapter.marks(symbols), guard.clock)
        worth = DOWN.add(equity_of(account.balances, marks, currency), equity_of(account.margin, marks, currency))
        told = self._transfers.told(client, marks, worth, account.as_of_ms)
        day_ms = day_start_ms(guard.policy, account.as_of_ms)
        jump = None if told.moved else self._jump.told(client, account, marks, worth, told.total, day_ms)
        guard.account_problem = None if jump is None else ("EQUITY_UNEXPLAINED", jump)
        guard.take_in(
            Observation(
                as_of_ms=account.as_of_ms,
                until_ms=account.until_ms,
                equity=None if told.moved or jump is not None else worth,
                net_transfers=told.total,
                carried_transfers=told.carried,
                positions={**account.balances, **account.positions},
                marks=marks,
                contract_sizes=contract_sizes(client, symbols),
                unlisted=frozenset(a for a in account.balances if f"{a}/{currency}" not in client.markets),
                quotes=self._quotes(client, symbols),
                contracts=run(guard.adapter, client, settings(guard, account, symbols), guard.clock),
                position_mode=account.position_mode,
                margin_ratio=account.margin_ratio,
                borrowed=debt_of(owed, marks, currency),
                skew_ms=skew_ms,
                day_start_ms=day_ms,
                week_start_ms=week_start_ms(guard.policy, account.as_of_ms),
            )
        )
        self.reconciler.round(client, account)

    def _skew(self, client: Any) -> int:
        """Measure how far the host's clock is ahead of the exchange's, ms. Raise CallFailed."""
        guard, before = self.guard, self.guard.now()
        server = run(guard.adapter, client, guard.adapter.server_time(), guard.clock)
        return (before + guard.now()) // 2 - server

    def _account(self, client: Any) -> LiveAccount:
        """Read the account; where only a person can mend why that fails, increases are denied with that reason."""
        guard = self.guard
        guard.account_problem, before = None, guard.account_problem
        try:
            return run(guard.adapter, client, guard.adapter.account(), guard.clock)
        except CallFailed as failed:
            code = _PROBLEMS.get(failed.code)
            guard.account_problem = before if code is None else (code, str(failed))
            raise

    def _owed(self, client: Any) -> dict[str, Decimal] | None:
        """Read what is borrowed where loans are limited; None where it cannot be read, which denies further ones."""
        guard, risk = self.guard, self.guard.policy.model.risk
        if risk is None or risk.max_borrow is None:
            return None
        try:
            return run(guard.adapter, client, guard.adapter.borrowed(), guard.clock)
        except CallFailed as failed:
            if str(failed) != self._unread:
                self._unread = str(failed)
                _log.warning("what %s owes is not known: %s; loans are denied", guard.account, failed)
            return None

    def _symbols(self, client: Any, account: LiveAccount, owed: Mapping[str, Decimal]) -> tuple[str, ...]:
        """Return what to price: the policy's symbols, those asked for, and what is held or owed, if it is listed."""
        model, takes = self.guard.policy.model, self.guard.adapter.takes
        currency = model.account.currency
        named = [s for s in (model.risk.symbols if model.risk else None) or () if not set(s) & set("*!?")]
        held = [f"{asset}/{currency}" for asset in {*account.balances, *account.margin, *owed} - {currency}]
        held += [f"{asset}/{currency}:{currency}" for asset in account.margin if asset != currency]
        held += [key.partition("#")[0] for key in account.positions]
        client.load_markets()
        return tuple(sorted(s for s in {*named, *self.guard.wanted, *held} if s in client.markets and takes(s)))

    def _prices_of_its_own(self) -> None:
        """Price what this guard's bot asked for: the account's poller, another guard, knows nothing of it."""
        guard, wanted = self.guard, tuple(self.guard.wanted)
        if wanted:
            client = self._own_client()
            client.load_markets()
            seen = run(guard.adapter, client, prices(guard, client, wanted), guard.clock)
            guard.take_in(seen)

    def _quotes(self, client: Any, symbols: tuple[str, ...]) -> dict[str, Quote]:
        """Read bids and asks where a limit of the policy is held against them."""
        guard = self.guard
        if not needs_quotes(guard.policy):
            return {}
        sent = guard.now()
        found = run(guard.adapter, client, guard.adapter.quotes(symbols), guard.clock)
        return {symbol: Quote(bid, ask, sent) for symbol, (bid, ask) in found.items()}

    # ---- orders

    # INVARIANT I5: every intent that was left open is looked up before the first increase, and nothing is re-sent.
    def _recover(self, client: Any) -> None:
        guard = self.guard
        asked = [self._look_up(client, intent) for intent in guard.abandoned()]
        guard.recovered = guard.recovered or all(asked)

    def _look_up(self, client: Any, intent: Intent) -> bool:
        """Ask once for one intent and record what that proves; False when the exchange could not be asked."""
        guard = self.guard
        family = guard.family(intent.order.symbol, intent.family)
        proves = doubt_ends if intent.error in DOUBTS else proof_of
        proof = proves(intent, family, guard.clock_bound_ms)
        steps = recover(intent, proof, RetryPlan(wait_ms=0), guard.now())
        answered = False
        try:
            step = next(steps)
            while True:
                answer = (
                    self._answer(client, intent, proof.fence_ms) if isinstance(step, LookUp) else Answer(guard.now())
                )
                answered |= answer.asked
                step = steps.send(answer)
        except StopIteration as end:
            outcome: Outcome | None = end.value
        if outcome is not None and answered:
            guard.store.outcome(intent.id, outcome)
        return answered

    def _answer(self, client: Any, intent: Intent, fence: int | None) -> Answer:
        guard, sent = self.guard, self.guard.now()
        search = guard.look_up(intent)
        found, asked = None, True
        try:
            found = run(guard.adapter, client, search, guard.clock)
        except CallFailed:
            asked = False
        if found is None and (fence is None or sent <= fence):
            guard.looked(intent, asked=asked, fence=fence)
        if not asked:
            return Answer(guard.now(), sent_ms=sent, asked=False)
        proves = found is None and fence is not None and sent > fence
        return Answer(guard.now(), sent_ms=sent, found=found, clock_ok=proves and self._clock_ok(client))

    def _clock_ok(self, client: Any) -> bool:
        """Tell whether our clock is within the bound; it may have stepped since the last round, so ask the exchange."""
        try:
            return abs(self._skew(client)) <= self.guard.clock_bound_ms
        except CallFailed:
            return False

    def _open_orders(self, client: Any) -> None:
        """Hold open intents against the exchange's list; what left the list is looked up, since only that tells why."""
        guard = self.guard
        intents = [i for i in guard.store.intents(guard.account) if i.id not in DRIVING and i.state not in UNDECIDED]
        symbols = tuple(sorted({i.order.symbol for i in intents}))
        doubts = [intent for intent in intents if intent.error in DOUBTS]
        if not symbols or not (guard.streams.lists_orders() or doubts):
            return
        sent = guard.now()
        listed = run(guard.adapter, client, guard.adapter.open_orders(symbols), guard.clock)
        lags = [guard.family(i.order.symbol, i.family).visibility_lag_ms for i in intents]
        known = [lag for lag in lags if lag is not None]
        compared = after_open_orders(intents, listed, sent, max(known) if len(known) == len(lags) else None)
        for intent, outcome in compared.outcomes:
            guard.store.outcome(intent.id, outcome)
        for intent in {i.id: i for i in (*compared.look_up, *doubts)}.values():
            self._look_up(client, intent)

    # ---- a halt

    def _halts(self) -> list[Halt]:
        """Return the halts of this guard whose entries are not known to be gone."""
        halts = [h for h in self.guard.store.halts() if h.state == "HALTED" and h.at_ms > self._handled_ms]
        return [h for h in halts if h.why != DRILL_NOTHING_CANCELLED and concerns(self.guard, h.scope)]

    def _halted(self, client: Any) -> None:
        """Cancel this account's entries when somebody halted it since the last round (each live guard does).

        Again in every round until none is left, and none may still arrive.
        """
        halts = self._halts()
        reports = [cancel_entries(self.guard, client, halt.scope) for halt in halts]
        if halts and not any(report.failed or report.pending for report in reports):
            self._handled_ms = max(halt.at_ms for halt in halts)
