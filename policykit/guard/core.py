"""A guard: one policy in force for one account, deciding every order that passes it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from policykit import __version__, exchanges, secrets
from policykit.clock import Clock, SystemClock
from policykit.decision import Reason
from policykit.engine import Engine, compile_policy, denial_message
from policykit.engine.facts import Facts
from policykit.errors import Denied, PolicyError, PolicykitError, StoreUnavailable
from policykit.exchanges.client import plain_client
from policykit.guard.admission import DRIVING, Admitted
from policykit.guard.beside import Beside
from policykit.guard.ceiling import Held, held
from policykit.guard.cords import Cords
from policykit.guard.dead_man import DeadMan
from policykit.guard.deciding import Deciding
from policykit.guard.given import observation, with_units
from policykit.guard.in_force import InForce, Reloaded
from policykit.guard.living import lives
from policykit.guard.paper_adapter import PaperAdapter, paper_exchange
from policykit.guard.pricing import Wanted
from policykit.guard.settings import (
    Mode,
    choose_key,
    clock_bound_ms,
    currency_problem,
    in_words,
    mode_named,
    request_validity_ms,
    retry_plan,
    store_problem,
    trading,
)
from policykit.guard.shadow import Shadow
from policykit.guard.signer import Signer
from policykit.guard.stream import Stream
from policykit.guard.streams import Streams
from policykit.guard.triggers import Triggers
from policykit.guard.waiting import waits
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import UNDECIDED
from policykit.orders.recovery import abandoned, silent
from policykit.policy import EffectivePolicy, load
from policykit.redact import texts
from policykit.store import Observation, Store, open_store
from policykit.telemetry import Scope, Telemetry, shared

if TYPE_CHECKING:
    from policykit.guard.private import Private

_log = logging.getLogger("policykit.guard")


class Guard(Deciding):
    """Decide, reserve, record: what `@enforce` and a protected client ask before anything is sent.

    Make one with `Guard.load`. `with guard:` (or `async with`) keeps its facts fresh (maintenance loop); without it
    facts must be given with `observe`, grow old, and increases are denied. Thread-safe.
    """

    def __init__(
        self,
        policy: EffectivePolicy,
        *,
        key: str,
        store: Store,
        clock: Clock,
        mode: Mode = "enforce",
        testing: bool = False,
    ) -> None:
        served = trading(policy, key)
        if served is None:
            raise PolicykitError(
                f'{policy.file}: exchange is "{policy.model.exchange}"; an exchange with an adapter is needed: '
                + ", ".join(exchanges.trading())
            )
        self.policy = policy
        self.key = key
        self.several_keys = len(policy.model.keys or ()) > 1
        self.store = store
        self.clock = clock
        self.mode: Mode = mode
        self.testing = testing
        self.bot = os.environ.get("POLICYKIT_BOT") or policy.name
        self.host = socket.gethostname()
        self.account = policy.account_key
        self.traits, self.adapter = served
        #: Where orders go at the paper stage, in the exchange's stead; None: this guard trades at the exchange.
        self.paper = paper_exchange(policy, self.adapter, store, clock, key)
        if self.paper is not None:
            self.adapter = PaperAdapter(self.adapter, self.paper)
        traits = self.traits
        self.engine: Engine = compile_policy(policy, traits, key, self.host, paper=self.paper is not None)
        self.telemetry: Telemetry = shared()
        stage = policy.model.stage.current if policy.model.stage else "full-live"
        self.scope = Scope(
            exchange=traits.id,
            account=policy.model.account.name,
            stage=stage,
            backend=store.backend,
            key=key,
            currency=policy.model.account.currency,
        )
        self.plan = retry_plan(policy)
        self.validity_ms = request_validity_ms(policy)
        self.clock_bound_ms = clock_bound_ms(policy)
        self.recovered = not self.abandoned()
        #: Whether increases need not wait for a first comparison of the account with what it should have.
        self.reconciled = True
        self._problem = None if testing or mode == "shadow" else store_problem(policy, store)
        self._problem = self._problem or currency_problem(policy, store)
        #: Why no increase may leave by what the store has seen of the policy's stages.
        self.stage_problem: tuple[str, str] | None = None
        #: Why the exchange's account is none that can be guarded now, as the last round of maintenance found.
        self.account_problem: tuple[str, str] | None = None
        #: Where the guard's own client is sent instead of the exchange.
        self.endpoint: str | None = None
        #: Whether a file that was written may loosen the policy while the guard runs.
        self.allow_loosen = False
        self.in_force = InForce(self)
        #: Which candidate runs beside the policy, by what the store says.
        self.beside = Beside(self)
        #: Markets that the bot asked for and that the policy allows by a glob: they are priced from then on.
        self.wanted = Wanted()
        self.dead_man = DeadMan(self)
        #: Whether the policy asks for a dead man's switch.
        self.switched = policy.model.dead_man_switch is not None
        self.streams = Streams(self)
        #: Which key its clients sign with, and how they go over to its successor.
        self.signer = Signer(self)
        self.cords = Cords(self)
        self.triggers = Triggers(self)
        #: Whether the maintenance loop runs, so that silence is a fault.
        self.looping = False
        self._maintenance: Any = None
        #: The client of `place`; maintenance has another, since a sync client is not for two threads at once.
        self._placing: Any = None
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        key: str | None = None,
        *,
        store: Store | str | None = None,
        clock: Clock | None = None,
        testing: bool = False,
        endpoint: str | None = None,
        allow_loosen: bool = False,
        shadow: str | Path | None = None,
    ) -> Guard:
        """Load a policy (default POLICYKIT_POLICY) and open its store (default POLICYKIT_STORE).

        `key` may be left out if only one key has a trade scope. `testing=True` lets a live policy trade on a store
        that forgets; only for tests. `endpoint` sends the guard's own client to another origin (a gateway, the
        simulated exchange). `allow_loosen`: the policy's file may be loosened while the guard runs. `shadow` is a
        candidate: what it would decide otherwise is written beside each decision. Raise PolicyError, StoreUnavailable.
        """
        clock = clock or SystemClock()
        path = path or os.environ.get("POLICYKIT_POLICY")
        if path is None:
            raise PolicykitError("no policy is named; give Guard.load a path, or set POLICYKIT_POLICY")
        try:
            policy = load(path, now_ms=clock.now_ms())
            candidate = load(shadow, now_ms=clock.now_ms()) if shadow is not None else None
        except PolicyError as error:
            shared().policy_rejected(str(path), tuple(dict.fromkeys(finding.rule for finding in error.findings)))
            raise
        opened = open_store(store) if store is None or isinstance(store, str) else store
        for _, message in opened.warnings:
            _log.warning("the store: %s", message)
        mode = mode_named()
        stage = held(policy, opened) if mode == "enforce" and not testing else Held(policy)
        policy = stage.policy
        guard = cls(policy, key=choose_key(policy, key), store=opened, clock=clock, mode=mode, testing=testing)
        guard.stage_problem = stage.problem
        if stage.problem is not None:
            _log.warning("no increase is sent: %s", stage.problem[1])
        guard.endpoint, guard.allow_loosen = endpoint, allow_loosen
        if candidate is not None:
            guard.shadow = Shadow.of(candidate, guard.key, guard.host, paper=guard.paper is not None)
        else:
            guard.beside.choose()
        guard.announce()
        guard.in_force.start()
        guard.in_force.layer()
        guard.cords.at_start()
        return guard

    @property
    def announced(self) -> int | None:
        """Return the journal row in which its policy came into force."""
        return self.judging[0]

    def announce(self, **more: Any) -> None:
        """Write down that this policy is in force in this process, and `more` that is to be known of it."""
        policy = self.policy
        loaded: dict[str, Any] = {"bot": self.bot, "key": self.key, "host": self.host, "mode": self.mode}
        loaded |= {"stage": self.scope.stage, "environment": policy.model.environment}
        loaded |= {"backend": self.store.backend, "library": __version__, **more}
        shadow = self.shadow
        loaded |= in_words(policy, None if shadow is None else shadow.engine.effective, self.now())
        if shadow is not None:
            loaded["candidate"] = shadow.told()
        if self.announced is not None:
            loaded["follows"] = self.announced  # it lived until now: how long a candidate judged is read from that
        row = self.store.announce(self.account, policy.model.account.currency, texts(loaded), self.now())
        # INVARIANT I14: in one step, so that the candidate of a decision is the one that its policy's row names.
        self.judging = (row, shadow)
        stage = self.scope.stage
        self.telemetry.policy_loaded(policy.name, policy.version, policy.file, stage=stage, mode=self.mode)
        self.beat()

    # ---- facts

    def observe(
        self,
        *,
        equity: str | None = None,
        positions: Mapping[str, Any] | None = None,
        marks: Mapping[str, Any] | None = None,
        net_transfers: str | None = None,
        carried_transfers: str | None = None,
        as_of: int | None = None,
        partial: bool = False,
        skew_ms: int | None = None,
    ) -> None:
        """Give facts: `equity="100000 USDT", positions={"BTC/USDT": "0.5"}, marks={"BTC/USDT": "60000"}`.

        Money is text with the account's currency; `positions` are complete for the account unless `partial`. `as_of` is
        when the request that read them was sent (UTC ms; default now); `skew_ms` is the local clock minus the
        exchange's, which `clock.max_skew` needs. `net_transfers` are the running day's; limits on a week or a drawdown
        need `carried_transfers` once a day as well: from the start of the day that was given before to that of this
        one. Raise ValueError for what is not a number.
        """
        given = {
            "equity": equity,
            "net_transfers": net_transfers,
            "carried_transfers": carried_transfers,
            "positions": positions,
            "marks": marks,
            "skew_ms": skew_ms,
        }
        self.take_in(observation(self.policy, given, as_of, self.now(), partial=partial))

    def take_in(self, seen: Observation) -> None:
        """Write facts to the store, with what each position is worth by them and by those that are known."""
        self.store.observe(self.account, with_units(self.engine.setup, self.facts(), seen), self.now())

    def facts(self, symbol: str = "") -> Facts:
        """Return what is known now; a store that cannot be read is a fact too."""
        if self.cords.due():
            self.look()
        try:
            facts = self.store.facts(self.account, self.bot, symbol)
        except StoreUnavailable as error:
            down = (error.code, str(error))
            return Facts(store_problem=down, recovered=self.recovered and self.reconciled, waits=waits(self))
        # What the store says of itself comes first: a reset is mended by a person, and nothing else is until then.
        problem = facts.store_problem or self.cords.problem or self._problem or self.stage_problem
        problem = problem or self.in_force.problem or self.account_problem
        if problem is None and self.switched:
            problem = self.dead_man.problem(symbol)
        streams = self.streams.problems(facts) if self.streams.needed else ()
        recovered = self.recovered and self.reconciled
        if recovered and problem is facts.store_problem and not streams:
            return facts
        return replace(
            facts, recovered=recovered, waits=() if recovered else waits(self), store_problem=problem, streams=streams
        )

    def look(self) -> None:
        """Halt the account if something outside the store, or a trigger, says so: decisions and maintenance ask."""
        self.cords.look()
        self.triggers.look(self.facts())

    def halt_on(self, *numbers: int) -> None:
        """Have these signals (`signal.SIGUSR1`) halt the account, as `policykit kill` does. Call it on the main thread.

        The handler sets a flag and nothing else: the next decision halts, or the maintenance loop if it is first. One
        that was there before is called as well; without one the process goes on, halted.
        """
        for number in numbers:
            self.cords.on_signal(number)

    # ---- life

    def beat(self) -> None:
        """Tell the store that this guard lives."""
        self.store.beat(self.in_force.info())

    def reload(self, *, allow_loosen: bool = False) -> Reloaded:
        """Read the policy's file again; what it says is in force if it loads and, unless that may be, is not looser.

        The maintenance loop does so by itself when the file was written. Raise StoreUnavailable.
        """
        return self.in_force.reload(allow_loosen=allow_loosen)

    def adopt(self, policy: EffectivePolicy) -> None:
        """Put another version of the policy in force, compiled as at the start; an order meets one or the other."""
        fresh = type(self)(
            policy, key=self.key, store=self.store, clock=self.clock, mode=self.mode, testing=self.testing
        )
        before, after = self.scope.stage, fresh.scope.stage
        if after != before:
            self.telemetry.stage_changed(policy.name, policy.version, before, after)
        if self.paper is None and fresh.paper is not None:
            # The file went to paper while this guard trades for real: it sends nothing more, and keeps what is open.
            fresh.adapter = fresh.paper.inner
            fresh.engine = compile_policy(policy, fresh.traits, self.key, self.host)
        else:
            self.paper = fresh.paper
        for name in (
            "traits",
            "adapter",
            "scope",
            "several_keys",
            "plan",
            "validity_ms",
            "clock_bound_ms",
            "_problem",
            "switched",
            "policy",
        ):
            setattr(self, name, getattr(fresh, name))
        self.engine = fresh.engine

    def own_client(self) -> Any:
        """Return a client of the guard's own, made from the policy's secret reference, behind this guard.

        Raise SecretUnavailable, ExchangeUnavailable.
        """
        model = self.policy.model
        key = (model.keys or {}).get(self.key)
        reference = key.secret if key is not None else None
        credentials = secrets.read(reference) if reference else None if self.paper is not None else {}
        sandbox = model.environment == "sandbox"
        client = plain_client(model.exchange, credentials, endpoint=self.endpoint, sandbox=sandbox)
        follow = getattr(self.clock, "follow", None)
        if follow is not None:  # a clock that is not the machine's: the client signs by it as well
            follow(client)
        return self.protect(client)

    def protect(self, client: Any) -> Any:
        """Put a ccxt client (sync or async) behind this guard, in place, and return it."""
        from policykit.guard.protect import protect

        return protect(self, client)

    def stream(
        self, name: str, connect: Callable[[], Any], *, silence_s: float | None = None, quiet: bool = False
    ) -> Stream:
        """Return a stream that the bot trades by: `async with` it (or `with`) and iterate over its messages.

        `connect` makes one connection of the `websockets` library, subscribed and all; of an async one it returns what
        is awaited. It is called when the policy lets it be (`retry.reconnect`): after a back-off, counted over every
        process. While the stream is down, or says nothing for `silence_s` (`account.max_age` if not given), or until
        the account was read after it came back, increases are denied (`STREAM_STALE`, `STREAM_GAP`); exits pass.
        `quiet`: it may say nothing for hours, as long as it is connected. Raise ValueError for a name that is in use.
        """
        bound_ms = self.engine.setup.max_age_ms if silence_s is None else max(1, round(silence_s * 1000))
        return Stream(self, name, connect, None if quiet else bound_ms)

    def private_stream(self, client: Any, **params: Any) -> Private:
        """Return the stream of the account's own orders by a ccxt.pro client, for `async with`.

        What it tells of orders counts at once, and open orders are polled less often while it is whole. `params` go to
        `watch_orders` (`type="future"` for Binance USD-M). It is a stream that the bot trades by, as `stream` is.
        """
        from policykit.guard.private import Private

        if self.paper is not None:
            raise ValueError("the stage is paper: a private stream tells of the real account; poll fetch_order instead")
        return Private(self, client, params)

    def place(self, order: Order, client: Any = None) -> Any:
        """Place an order and bring it to its end; return it as ccxt does (of an async client: await it).

        `client` is a ccxt client, put behind this guard if it is not; without one the guard makes a sync one from the
        policy's key and keeps it. The order is decided, journaled, sent once, and looked up where its outcome is not
        known; it is sent again only where it is proved absent and the policy says so. Raise Denied; OutcomeUnknown with
        the intent's id, while which increases on its side wait; ValueError for an order that cannot be told to ccxt.
        """
        from policykit.guard.placing import arguments_of

        arguments = arguments_of(order)
        if client is None:
            with self._lock:
                client = self._placing = self._placing or self.own_client()
        return self.protect(client).create_order(*arguments)

    def withdraw(self, admitted: Admitted, reason: Reason) -> Denied:
        """Take an admission back: its intent was not sent. Return the denial to raise, under the same decision id."""
        from policykit.guard.client_errors import client_denied

        # INVARIANT I17: an admission that cannot be used stays one decision; what became of it is its outcome.
        outcome = Outcome("not_sent", self.now(), closed=True, error=reason.code)
        self.settle(admitted, outcome, self.clock.monotonic_ms())
        decision = replace(admitted.decision, outcome="deny", reasons=(reason,))
        return client_denied(decision, denial_message(decision, self.policy.file))

    def maintain(self, client: Any = None) -> None:
        """Do one round of maintenance now: facts, open orders, recovery, heartbeat. `with guard:` repeats it."""
        from policykit.guard.maintenance import Maintenance

        with self._lock:
            if self._maintenance is None:
                self._maintenance = Maintenance(self, client)
        self._maintenance.round()

    @property
    def next_round_ms(self) -> int | None:
        """Return when the next round of maintenance is due (UTC ms); None: none is, unless somebody asks for it."""
        return None if self._maintenance is None else self._maintenance.due_ms

    def reconcile(self) -> None:
        """Have the account compared with what it should have before the next increase: after a stream was blind, say.

        The maintenance loop does it in its next round, if the policy reconciles.
        """
        if self._maintenance is not None:
            self._maintenance.reconciler.anew()

    def __enter__(self) -> Self:
        self.maintain()
        self._maintenance.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._maintenance.stop()
        self.store.checkpoint()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    def abandoned(self) -> list[Intent]:
        """Return the intents of this account whose outcome nobody knows and that no living process waits for."""
        now = self.now()
        alive = [(g.host, g.pid) for g in self.store.guards() if lives(g, self.host, now)]
        left = abandoned([i for i in self.store.intents(self.account) if i.state in UNDECIDED], now, alive)
        # Who was interrupted between an order's decision and its send drives nothing any more, and did not say so.
        return [i for i in left if i.id not in DRIVING or silent(i, now)]
