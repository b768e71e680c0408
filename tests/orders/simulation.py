"""Bots that trade on `venue` through the real ids, fence, life, recovery and store, one thread, one seed.

A bot wants one order after another, each once. It is made to do what bots do: it decides again every few seconds until
it sees its order, it is killed at any step, it starts again and recovers from the store. `Rules` takes single parts of
policykit's behaviour away, so that every proof has a control that fails.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from policykit.decision import Decision, Hold, unknown_counter
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import (
    UNDECIDED,
    Answer,
    Decide,
    LookUp,
    Record,
    RetryPlan,
    Send,
    Wait,
    after_failure,
    after_reply,
    not_before_ms,
    place,
    proof_of,
)
from policykit.orders.recovery import abandoned, after_open_orders, recover
from policykit.store.base import SEND_WITHIN_MS
from policykit.store.memory import MemoryStore
from policykit.store.sqlite import SqliteStore
from policykit.traits.base import ClientOrderId, Family
from tests.orders.venue import CLIENT_TIMEOUT_MS, QUANTITY, RETRY_AFTER_MS, Request, Setting, Venue, World

ACCOUNT = "venue/main"
#: The bot looks at its signal again after so long.
AGAIN_MS = 5_000
#: The bot lets go of a signal after so many looks.
LOOKS = 12
RESTART_MS = 1_000
MAINTAIN_MS = 10_000
#: A person settles what stayed unknown after so long: later than anything can still arrive at an exchange in `venue`.
BY_HAND_MS = 150_000
PLAN = RetryPlan(2_000, "new_client_order_id", 2, 120_000, None)
EXECUTED = frozenset(("acknowledged", "found", "settled"))

#: The steps of one order at which a process can die, in their order.
STEPS = (
    "before_reserve",
    "after_reserve",
    "after_send",
    "after_reply",
    "after_outcome",
    "before_look_up",
    "after_look_up",
    "before_record",
    "after_record",
)


class Crash(Exception):
    """The process is gone."""


class Refused(Exception):
    """The decision said no; nothing was sent."""


@dataclass(frozen=True)
class Rules:
    """What is taken away from policykit; the default takes nothing.

    `pending`: increases are denied while one is unknown. `retry`: "ours", or what else people do about a time-out.
    `terms`: the terms of the fence that are counted. `obey`: Retry-After is remembered by every process.
    """

    pending: bool = True
    retry: Literal["ours", "blind", "look_once", "same_id"] = "ours"
    terms: frozenset[str] = frozenset(("validity", "processing", "bound", "lag"))
    obey: bool = True
    ban_margin: bool = True
    crash: float = 0.0
    #: Kill the process at this step, the n-th time that it comes there.
    crash_at: tuple[str, int] | None = None


OURS = Rules()


@dataclass
class Bot:
    """One process. `skew`: its clock less the exchange's. `corrected`: it signs the exchange's time, not its own.

    `look`: how often it looked at its signal; `unclear`: what came of this look's order was not clear at once.
    """

    name: str
    skew: int
    corrected: bool
    pid: int
    token: int = 0
    look: int = 0
    unclear: bool = False


class Simulation:
    """Several bots, one store, one exchange. `file`: the store is SQLite, and opened afresh after each crash."""

    def __init__(
        self,
        setting: Setting,
        seed: int,
        wishes: int,
        rules: Rules = OURS,
        *,
        bots: int = 4,
        plan: RetryPlan = PLAN,
        file: Path | None = None,
    ) -> None:
        self.setting, self.rules, self.plan = setting, rules, plan
        self.world = World(seed)
        self.venue = Venue(self.world, setting)
        self.file = file
        self.store: MemoryStore | SqliteStore = self._opened()
        self.family = family_of(setting, rules)
        self.known_validity = setting.validity_ms if "validity" in rules.terms else 0
        self.bound = setting.bound_ms if "bound" in rules.terms else 0
        self.running = 0
        self.crashes = self.denied = self.dropped = self.resolved = 0
        self.recoveries = self.changed_again = self.sent_while_unknown = self.unreserved = 0
        self.reached: dict[str, int] = {}
        self.wish_of: dict[str, str] = {}
        self.recovered: list[tuple[Intent, Outcome | None]] = []
        #: How long the bot was kept by each order whose outcome was not clear at once, ms.
        self.waits: list[int] = []
        skews = (setting.bound_ms, -setting.bound_ms, 0, setting.bound_ms // 2)
        self.bots = []
        for n in range(bots):
            bot = Bot(f"bot-{n}", skews[n % 4], corrected=n % 3 == 1, pid=1000 * (n + 1))
            self.bots.append(bot)
            self._start(bot, self._trade(bot, n, wishes // bots))
        keepers = [self._keep()] + [self._person()] * (not setting.expires)
        for keeper in keepers:
            self._start(Bot("keeper", 0, False, 1), keeper)
        self.keepers = len(keepers)

    def _opened(self) -> MemoryStore | SqliteStore:
        return MemoryStore() if self.file is None else SqliteStore(self.file)

    def run(self) -> Simulation:
        """Run until every bot is done, everything late has arrived, and the keeper has settled what it can."""
        self.world.run(lambda: self.running == self.keepers)
        settled_by = self.world.now + 200_000
        self.world.run(lambda: self.world.now > settled_by)
        return self

    @property
    def duplicated(self) -> int:
        """Return how many wishes were executed more than once."""
        return sum(len(looks) > 1 for looks in self.venue.executions().values())

    @property
    def repeated(self) -> int:
        """Return how many orders were executed more than once for one decision of the bot: retried, and doubled."""
        return sum(len(looks) > len(set(looks)) for looks in self.venue.executions().values())

    @property
    def doubled(self) -> int:
        """Return how many positions the bot opened twice, because it decided again."""
        return sum(len(set(looks)) > 1 for looks in self.venue.executions().values())

    @property
    def alive(self) -> list[tuple[str, int]]:
        """Return host and pid of the bots."""
        return [("host", bot.pid) for bot in self.bots]

    # ---- processes on the heap: generators that yield a moment to wake at, or a request to wait for

    def _start(self, bot: Bot, life: Generator[Any, None, None]) -> None:
        self.running += 1
        self.world.at(self.world.now, self._wake, bot, life, bot.token)

    def _wake(self, bot: Bot, life: Generator[Any, None, None], token: int) -> None:
        if token != bot.token:
            return
        bot.token += 1
        try:
            wanted = next(life)
        except StopIteration:
            self.running -= 1
            return
        if isinstance(wanted, Request):
            wanted.waiter = lambda token=bot.token: self._wake(bot, life, token)
            wanted = self.world.now + CLIENT_TIMEOUT_MS
        self.world.at(wanted, self._wake, bot, life, bot.token)

    def clock(self, bot: Bot) -> int:
        """Return the bot's own time."""
        return self.world.now + bot.skew

    def _step(self, name: str) -> None:
        self.reached[name] = n = self.reached.get(name, 0) + 1
        rules = self.rules
        if (name, n) == rules.crash_at or (rules.crash and self.world.random.random() < rules.crash):
            raise Crash

    # ---- the bot

    def _trade(self, bot: Bot, number: int, wishes: int) -> Generator[Any, None, None]:
        for n in range(wishes):
            wish, mine, looks = f"{number}-{n}", list[str](), 0
            while looks < LOOKS and not self._have(mine):
                looks += 1
                bot.look, bot.unclear, began = looks, False, self.world.now
                try:
                    yield from self._place(bot, wish, mine)
                except Refused:
                    self.denied += 1
                except Crash:
                    yield from self._restart(bot, wish)
                if bot.unclear:
                    self.waits.append(self.world.now - began)
                if not self._have(mine):
                    yield self.world.now + AGAIN_MS
            self.dropped += not self._have(mine)
            yield self.world.now + 20

    def _have(self, mine: list[str]) -> bool:
        """Tell whether the bot's books hold an order for its wish."""
        intents = (self.store.intent(i) for i in mine)
        return any(i is not None and (i.state in EXECUTED or i.filled) for i in intents)

    def _place(self, bot: Bot, wish: str, mine: list[str]) -> Generator[Any, None, None]:
        retry = self.rules.retry
        steps: Any
        if retry == "ours":
            steps = place(self.family, self.bound, self.plan, self.clock(bot))
        else:
            steps = naive(retry, self)
        yield from self._drive(bot, steps, wish, mine)

    def _drive(self, bot: Bot, steps: Any, wish: str, mine: list[str]) -> Generator[Any, None, Any]:
        step = next(steps)
        while True:
            answer = yield from self._do(bot, step, wish, mine)
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return end.value

    def _do(self, bot: Bot, step: Any, wish: str, mine: list[str]) -> Generator[Any, None, Answer]:
        if isinstance(step, Wait):
            yield max(step.until_ms - bot.skew, self.world.now)
            return Answer(self.clock(bot))
        if isinstance(step, LookUp):
            return self._look_up(bot, step.intent)
        if isinstance(step, Decide):
            return Answer(self.clock(bot), intent=self._decide(bot, wish, mine, step.replaces))
        if isinstance(step, Send):
            intent = yield from self._send(bot, wish, mine, step.intent)
            return Answer(self.clock(bot), intent=intent)
        assert isinstance(step, Record)
        self._step("before_record")
        intent = self.store.outcome(step.intent.id, step.outcome)
        self._step("after_record")
        return Answer(self.clock(bot), intent=intent)

    def _banned_until(self, bot: Bot) -> int:
        banned = self.store.facts(ACCOUNT, bot.name).banned_until_ms
        return max(banned.values(), default=0) if self.rules.obey else 0

    def _decide(self, bot: Bot, wish: str, mine: list[str], replaces: str | None) -> Intent:
        now = self.clock(bot)
        if self._banned_until(bot) > now:
            raise Refused
        self._step("before_reserve")
        symbol = f"{bot.name}/USDT"
        order = Order(symbol, "buy", "limit", QUANTITY, QUANTITY)
        holds: tuple[Hold, ...] = (Hold(f"{ACCOUNT}|open_orders", 1, 1_000_000, "sum", "risk.max_open_orders"),)
        if self.rules.pending:
            holds += (Hold(unknown_counter(ACCOUNT, symbol, "buy"), 0, 0, "clear", "orders.pending"),)
        intent_id = new_id()
        decision = Decision(intent_id, "allow", "enforce", order.action, order, "sim", "sha256:0", bot.name, now)
        intent = Intent(
            intent_id, ACCOUNT, order, self._rendered(intent_id), "order", holds, False, bot.name, "host", bot.pid, now,
            now + SEND_WITHIN_MS, self.known_validity, changed_ms=now, replaces=replaces,
        )  # fmt: skip
        generation = self.store.facts(ACCOUNT, bot.name).generation
        if not self.store.reserve(decision, intent, holds, generation, now).granted:
            raise Refused
        self.wish_of[intent_id] = wish
        mine.append(intent_id)
        self._step("after_reserve")
        return intent

    def _rendered(self, intent_id: str) -> str:
        ids = self.family.client_order_id
        return intent_id if ids is None else ids.encode(intent_id)

    def _send(self, bot: Bot, wish: str, mine: list[str], intent: Intent) -> Generator[Any, None, Intent]:
        yield self.world.now + self.world.random.choice((0, SEND_WITHIN_MS))
        if self._banned_until(bot) > self.clock(bot):
            return self.store.outcome(intent.id, Outcome("not_sent", self.clock(bot), closed=True, error="BANNED"))
        signed = self.world.now if bot.corrected else self.clock(bot)
        order = intent.order
        validity = self.setting.validity_ms
        request = Request(wish, intent.client_order_id, order.symbol, "buy", signed, validity, look=bot.look)
        earlier = [self.store.intent(i) for i in mine if i != intent.id]
        self.sent_while_unknown += any(i is not None and i.state in UNDECIDED for i in earlier)
        self.venue.submit(request)
        self._step("after_send")
        yield request
        request.waiter = None
        self._step("after_reply")
        outcome = self._outcome(bot, request)
        bot.unclear |= outcome.state == "unknown"
        after = self.store.outcome(intent.id, replace(outcome, signed_ms=signed, validity_ms=self.known_validity))
        self._step("after_outcome")
        return after

    def _outcome(self, bot: Bot, request: Request) -> Outcome:
        now, reply = self.clock(bot), request.reply
        if reply == "ok":
            assert request.reply_seen is not None
            return after_reply(request.reply_seen, now)
        if reply in RETRY_AFTER_MS:
            bound = self.setting.bound_ms if self.rules.ban_margin else 0
            self.store.ban(ACCOUNT, "ip", not_before_ms(now, RETRY_AFTER_MS[reply], bound), now)
            self.venue.heard(reply)
            return after_failure("no", "RATE_LIMIT", now)
        if reply == "stale":
            return after_failure("no", "CLOCK", now)
        return after_failure("unknown", "DUPLICATE_ID" if reply == "duplicate" else "NETWORK", now)

    def _look_up(self, bot: Bot, intent: Intent) -> Answer:
        now = self.clock(bot)
        banned = self._banned_until(bot)
        if banned > now:
            return Answer(now, now, asked=False, not_before_ms=banned)
        if self.family.client_order_id is None:
            return Answer(now, now, asked=False)
        self._step("before_look_up")
        found = self.venue.look_up(intent.client_order_id)
        self._step("after_look_up")
        return Answer(now, now, found)

    # ---- starting again, and keeping house

    def _restart(self, bot: Bot, wish: str) -> Generator[Any, None, None]:
        """Start as a new process: settle what the last life left open, before anything else. It may be killed too."""
        while True:
            self.crashes += 1
            bot.pid += 1
            if self.file is not None:
                self.store.close()
                self.store = self._opened()
            yield self.world.now + RESTART_MS
            try:
                mine = [i for i in self.store.intents(ACCOUNT) if i.bot == bot.name]
                for intent in abandoned(mine, self.clock(bot)):
                    yield from self._recover(bot, intent, self.plan)
                yield from self._recover_again(bot)
                return
            except Crash:
                continue

    def _recover_again(self, bot: Bot) -> Generator[Any, None, None]:
        """Recover twice more in one moment: the second time nothing may be left to say."""
        once = replace(self.plan, wait_ms=0)
        for again in (False, True):
            self.recovered.clear()
            for intent in [i for i in self.store.intents(ACCOUNT) if i.bot == bot.name]:
                yield from self._recover(bot, intent, once)
            self.changed_again += again * sum(outcome is not None for _, outcome in self.recovered)
        self.recoveries += 1

    def _recover(self, bot: Bot, intent: Intent, plan: RetryPlan) -> Generator[Any, None, None]:
        proof = proof_of(intent, self.family, self.bound)
        steps = recover(intent, proof, plan, self.clock(bot))
        outcome = yield from self._drive(bot, steps, "", [])
        self.recovered.append((intent, outcome))
        if outcome is not None:
            self.store.outcome(intent.id, outcome)

    def _keep(self) -> Generator[Any, None, None]:
        """Settle what nobody waits for, and close what is closed at the exchange, as the maintenance loop does."""
        keeper = Bot("keeper", 0, False, 1)
        once = replace(self.plan, wait_ms=0)
        while True:
            yield self.world.now + MAINTAIN_MS
            now = self.clock(keeper)
            if self._banned_until(keeper) > now:
                continue
            try:
                intents = self.store.intents(ACCOUNT)
                compared = after_open_orders(intents, self.venue.listed(), now, self.setting.lag_ms)
                for intent, outcome in compared.outcomes:
                    self.store.outcome(intent.id, outcome)
                missing = [i for i in abandoned(intents, now, self.alive) if i.state in UNDECIDED]
                for intent in (*compared.look_up, *missing):
                    yield from self._recover(keeper, intent, once)
            except Crash:
                self.crashes += 1

    def _person(self) -> Generator[Any, None, None]:
        """Settle by hand what is listed as unknown and never will be by itself, knowing the truth: `orders resolve`."""
        while True:
            yield self.world.now + 20_000
            for intent in [i for i in self.store.intents(ACCOUNT) if i.state == "unknown"]:
                self.unreserved += self.reserved() < len(self.store.intents(ACCOUNT))
                if self.world.now - intent.decided_ms > BY_HAND_MS:
                    found = self.venue.look_up(intent.client_order_id)
                    now = self.world.now
                    gone = Outcome("absent", now, closed=True)
                    self.store.outcome(intent.id, gone if found is None else after_reply(found, now))
                    self.resolved += 1

    # ---- what must be true at the end

    def untrue(self) -> list[str]:
        """Return what the store believes of its intents and the exchange knows better (the last 2,000 are kept)."""
        out = []
        for intent in self.store.intents(ACCOUNT, open_only=False):
            orders = self.venue.book.get(intent.client_order_id, [])
            total = sum((o.total for o in orders), QUANTITY * 0)
            if len(orders) > 1:
                out.append(f"{intent.id} executed {len(orders)} times")
            elif intent.state in ("rejected", "absent", "not_sent") and orders:
                out.append(f"{intent.id} is {intent.state}, and executed")
            elif intent.state in EXECUTED and not orders:
                out.append(f"{intent.id} is {intent.state}, and never executed")
            elif intent.state == "settled" and intent.filled != total:
                out.append(f"{intent.id} is settled with {intent.filled} filled, and {total} were")
            elif intent.open and intent.state != "unknown" and self.family.client_order_id is not None:
                out.append(f"{intent.id} is {intent.state} for ever")
        return out

    def reserved(self) -> int:
        """Return how many reservations are held."""
        return self.store._ledger.sums.get(f"{ACCOUNT}|open_orders", 0)


def family_of(setting: Setting, rules: Rules = OURS) -> Family:
    """Return the traits of an exchange, less the terms that are taken away."""
    family = setting.family
    if family is None:
        ids = ClientOrderId("clientOrderId", "^.{1,36}$", "open", lambda text: f"pk{text}")
        family = Family(
            ids,
            validity_default_ms=setting.validity_ms if setting.expires else None,
            validity_max_ms=60_000 if setting.expires else None,
            ahead_ms=setting.ahead_ms,
            processing_ms=setting.processing_ms,
            visibility_lag_ms=setting.lag_ms,
            source="tests/orders",
        )
    if "processing" not in rules.terms and family.processing_ms is not None:
        family = replace(family, processing_ms=0)
    if "lag" not in rules.terms and family.visibility_lag_ms is not None:
        family = replace(family, visibility_lag_ms=0)
    return family


def naive(retry: str, sim: Simulation) -> Generator[Any, Answer, None]:
    """What people do about a time-out: send again; look once and send again (the guide's rule); the same id again."""
    first: Intent | None = None
    for _ in range(6):
        answer = yield Decide(None)
        intent = answer.intent
        assert intent is not None
        if first is not None and retry == "same_id":
            intent = replace(intent, client_order_id=first.client_order_id)
        first = first or intent
        answer = yield Send(intent)
        assert answer.intent is not None
        if answer.intent.state not in ("unknown", "rejected"):
            return
        if retry == "same_id" and answer.intent.error == "DUPLICATE_ID":
            yield Record(answer.intent, Outcome("found", answer.now_ms))
            return
        if retry != "blind":
            answer = yield LookUp(intent)
            if answer.found is not None:
                yield Record(intent, Outcome("found", answer.now_ms))
                return
        answer = yield Wait(answer.now_ms + 500)
