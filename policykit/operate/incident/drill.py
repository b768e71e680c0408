"""Practise an incident: the real runner over real HTTP against simulated exchanges, with the clock running.

Simulated are the exchanges and the person, who deletes each key as soon as its way is shown. What is measured is from
the start until every order of every account is cancelled and a list has shown that none is left.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from policykit import traits
from policykit.clock import Clock, SystemClock
from policykit.exchanges.budget import UNKNOWN_WINDOW
from policykit.exchanges.cancelling import load as cancelling
from policykit.exchanges.cancelling.base import Resting
from policykit.operate.incident import confirm, start, text
from policykit.operate.incident.book import Book
from policykit.operate.incident.hands import RealHands
from policykit.operate.incident.runner import Runner
from policykit.operate.incident.steps import Task
from policykit.sim import SimKey, SimServer
from policykit.store import Store
from policykit.traits.base import cost

#: The exchanges of a drill, unless others are named: on some a main account's key can end keys, on some nothing can.
EXCHANGES: Final = ("binance", "bybit", "okx", "kraken", "bitget")
#: What each key of an account is for; the first is the one that leaks.
_PURPOSES: Final = ("execution", "break_glass", "hedging", "tracking")
_PAIRS: Final = ("BTC/USDT", "ETH/USDT")
#: The goal: the time taken is at most so many times what is allowed.
GOAL: Final = 1.5
MAX_ORDERS: Final = 2_000
MAX_KEYS: Final = 100


class Pace(NamedTuple):
    """What one account took, and what it could not have taken less than. Times in ms.

    `calls` were made with a key; `least` would have done: each list once before and once after, and as few cancels as
    the exchange takes them in. `allowed_ms`: those, one after another at the exchange's answering time, or as its
    published limits let them through, whichever is longer. One key's requests go one after another: nonces must grow.
    """

    account: str
    took_ms: int
    calls: int
    least: int
    limits_ms: int
    allowed_ms: int


class Drilled(NamedTuple):
    """What a drill came to. `left`: orders that were open at the exchanges at the end, in truth."""

    incident: str
    exchanges: int
    keys: int
    orders: int
    left: int
    revoked_ms: int | None
    took_ms: int
    allowed_ms: int
    accounts: tuple[Pace, ...]
    claimed: int

    @property
    def passed(self) -> bool:
        """Tell whether everything was cancelled, each key proved dead, in the time."""
        return not self.left and not self.claimed and self.revoked_ms is not None and self.ratio <= GOAL

    @property
    def ratio(self) -> float:
        """How many times what is allowed it took."""
        return self.took_ms / max(1, self.allowed_ms)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        paces = [pace._asdict() for pace in self.accounts]
        return {"version": 1, **self._asdict(), "accounts": paces, "ratio": round(self.ratio, 2), "passed": self.passed}


class _Hands(RealHands):
    """The real hands, which note the calls that each account's cancels took."""

    def __init__(self, book: Book, clock: Clock, endpoints: Sequence[str], uri: str) -> None:
        super().__init__(book, clock, endpoints, uri)
        self.calls: dict[str, list[str]] = {}
        self.ended: dict[str, float] = {}

    def noted(self, account: str, calls: Sequence[str]) -> None:
        self.calls.setdefault(account, list(calls))
        self.ended.setdefault(account, self.clock.monotonic_ms())


def drill(
    by: Mapping[str, str],
    say: Callable[[str], None],
    *,
    exchanges: Sequence[str] = EXCHANGES,
    keys: int = 20,
    orders: int = 500,
    latency_ms: int = 100,
) -> Drilled:
    """Hold a drill; `say` is told what a person would read. Raise ValueError for exchanges that cannot be drilled."""
    unknown = [name for name in exchanges if cancelling(name) is None]
    if unknown or not exchanges:
        raise ValueError(
            f"a drill needs exchanges whose orders can be cancelled; {', '.join(unknown) or 'none'} is not"
        )
    if not (len(exchanges) * 2 <= keys <= MAX_KEYS and 1 <= orders <= MAX_ORDERS):
        raise ValueError(f"a drill has two keys an exchange to {MAX_KEYS}, and 1 to {MAX_ORDERS} orders")
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="policykit-drill-") as folder, ExitStack() as running:
        sims = {
            name: running.enter_context(SimServer(dialect=name, amplitude=0, latency=latency_ms / 1000))
            for name in exchanges
        }
        leaked = running.enter_context(_desk(Path(folder), sims, keys))
        for number in range(orders):
            name = exchanges[number % len(exchanges)]
            sims[name].order(_PAIRS[number // len(exchanges) % len(_PAIRS)], "buy", "0.01", 1_000 + number)
        options = dict.fromkeys(("everything", "exchange", "master", "sub_account", "detected", "since", "good"))
        said = {**options, "freeze": False, "keep_exits": False, "drill": True, "why": "drill: a key in a public log"}
        endpoints = [f"{name}={sim.url}" for name, sim in sims.items()]
        uri = f"sqlite:///{folder}/store.db"
        began = clock.monotonic_ms()
        head, _ = start.new(clock, (f"{folder}/policies",), list(leaked), by, endpoints, said)
        say(text.opening(head))
        book = start.opened(clock, uri, head)
        hands = _Hands(book, clock, endpoints, uri)
        _run(book, hands, uri, lambda key: leaked[key], say)
        book = Book(book.store, clock, head)
        revokes = [row for ident, row in book.rows().items() if ident.startswith("revoke/")]
        paces = [_pace(hands, name, began, orders // len(exchanges), latency_ms) for name in exchanges]
        left = sum(one.is_open for sim in sims.values() for one in sim.venue.orders.values())
        book.store.close()
    return Drilled(
        book.id,
        len(exchanges),
        keys,
        orders,
        left,
        book_revoked(revokes, head),
        max(pace.took_ms for pace in paces),
        max(pace.allowed_ms for pace in paces),
        tuple(paces),
        sum(row.get("proof") != "refused" for row in revokes),
    )


def book_revoked(revokes: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> int | None:
    """Return how long after the start the last key was dead; None: one is not."""
    if any(row.get("state") != "done" for row in revokes):
        return None
    return max(int(row["dead_ms"]) for row in revokes) - int(head["started_ms"])


def _run(
    book: Book, hands: RealHands, uri: str, delete: Callable[[str], Callable[[], None]], say: Callable[[str], None]
) -> None:
    """Run the incident, and beside it the person: deletes each key whose way was shown, and confirms it."""
    shown: queue.SimpleQueue[Task | None] = queue.SimpleQueue()

    def tell(task: Task, row: Mapping[str, Any]) -> None:
        say(text.line(book, task, row))
        if task.step.id == "revoke":
            shown.put(task)

    def person() -> None:
        while (task := shown.get()) is not None:
            delete(task.key)()
            word = confirm.Word("done", None, book.head["claim"], "deleted in the web page")
            say("\n".join(confirm.confirm(book, task.id, word, uri).lines))

    deleting = threading.Thread(target=person, name="policykit-drill-person", daemon=True)
    deleting.start()
    Runner(book, hands, tell).run()
    shown.put(None)
    deleting.join()


@contextmanager
def _desk(folder: Path, sims: Mapping[str, SimServer], keys: int) -> Iterator[dict[str, Callable[[], None]]]:
    """Write a policy for each exchange, make its keys; give for each leaked key what deletes it in the web page."""
    (folder / "policies").mkdir()
    leaked: dict[str, Callable[[], None]] = {}
    before = dict(os.environ)
    try:
        for number, (name, sim) in enumerate(sims.items()):
            lines = [f"policykit: 1\nname: {name}\nowner: drill\nexchange: {name}\n", "keys:\n"]
            lines[0] += "account: {name: drill, currency: USDT}\n"
            for index in range(keys // len(sims) + (number < keys % len(sims))):
                purpose = _PURPOSES[min(index, len(_PURPOSES) - 1)]
                grants = {"read"} if purpose == "tracking" else {"read", "trade.spot"}
                key = sim.grant_key(grants=grants, addresses=("127.0.0.1",))
                prefix = f"POLICYKIT_DRILL_{name.upper()}_{index}"
                os.environ |= {f"{prefix}_{field.upper()}": value for field, value in key.credentials().items()}
                scopes = "read" if purpose == "tracking" else "read, trade.spot"
                lines.append(
                    f"  {name}-{index}: {{purpose: {purpose}, secret: 'env://{prefix}', scopes: [{scopes}]}}\n"
                )
                if index == 0:
                    leaked[f"{name}-0"] = _deleted(key)
            lines.append(f'risk: {{symbols: ["{_PAIRS[0]}", "{_PAIRS[1]}"]}}\n')
            (folder / "policies" / f"{name}.yaml").write_text("".join(lines), encoding="utf-8")
        yield leaked
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]


def _deleted(key: SimKey) -> Callable[[], None]:
    def delete() -> None:
        key.revoked = True

    return delete


def _pace(hands: _Hands, exchange: str, began: float, orders: int, latency_ms: int) -> Pace:
    """Hold what an account's cancels took against the least that its calls and limits allow."""
    account = f"{exchange}/drill"
    calls = hands.calls.get(account, [])
    facts = traits.load(exchange)
    known = cancelling(exchange)
    assert facts is not None
    assert known is not None
    lists = [one for one in known.families if one.family.startswith("spot.")]
    least = 2 * len(known.families) + _cancels(lists[0], orders)
    limits = 0
    for window in facts.rate_windows or (UNKNOWN_WINDOW,):
        used = sum(cost(facts, window.name, name) for name in calls) * min(1.0, least / max(1, len(calls)))
        limits = max(limits, int(max(0.0, used - 1) // window.limit) * window.per_ms)
    took = round(hands.ended.get(account, began) - began)
    return Pace(account, took, len(calls), least, limits, max(limits, least * latency_ms))


def _cancels(resting: Resting, orders: int) -> int:
    """Return in how few calls an exchange takes the cancels of so many orders, on the pairs of a drill."""
    if resting.every:
        return 1 if resting.every == "account" else len(_PAIRS)
    each = orders if resting.mixed else -(-orders // len(_PAIRS))
    groups = 1 if resting.mixed else len(_PAIRS)
    return groups * -(-each // max(1, resting.many))


def keep(store: Store, made: Drilled, by: Mapping[str, str], now_ms: int) -> None:
    """Write that the drill was held, where lint and the evidence look for it."""
    row = {"by": by["name"], "claim": dict(by), "result": "passed" if made.passed else "failed", **made.to_dict()}
    store.keep("", "drill", "incident", {k: v for k, v in row.items() if k not in ("version", "accounts")}, now_ms)


def rendered(made: Drilled) -> str:
    """Return what a drill came to, for a person."""
    rows = [f"{'account':<18}{'took':>8}{'allowed':>10}{'limits':>9}{'calls':>7}{'least':>7}"]
    rows += [
        f"{p.account:<18}{p.took_ms / 1000:>7.1f}s{p.allowed_ms / 1000:>9.1f}s{p.limits_ms / 1000:>8.1f}s"
        f"{p.calls:>7}{p.least:>7}"
        for p in made.accounts
    ]
    dead = "NOT ALL DEAD" if made.revoked_ms is None else f"all dead and proved after {made.revoked_ms / 1000:.1f} s"
    allowed = f"allowed by limits and answering times {made.allowed_ms / 1000:.1f} s"
    return "\n".join(
        [
            f"drill {made.incident}: {made.exchanges} exchanges, {made.keys} keys, {made.orders} open orders",
            *rows,
            f"leaked keys: {dead}" + (f"; {made.claimed} not proved" if made.claimed else ""),
            f"orders left: {made.left}",
            f"all cancelled and seen after {made.took_ms / 1000:.1f} s; {allowed}: {made.ratio:.2f}x (goal {GOAL}x)",
            "PASSED" if made.passed else "NOT PASSED",
        ]
    )
