"""What the reads of one run share: endpoints, budgets, the bots' store, what each exchange has said of waiting.

Every client, of every policy, is made here, so that ten keys behind one address spend one allowance, a ban is obeyed by
all of them, and a key that was refused is not tried again under another name.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple, TypeVar

from policykit.clock import Clock, iso
from policykit.errors import StoreUnavailable
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.advice import said
from policykit.exchanges.base import Answer, CallFailed, Failure, Read, Steps, run
from policykit.exchanges.budget import UNKNOWN_WINDOW, Budget, Shared, Spending, Stop, Tally, budget_of
from policykit.exchanges.client import OverBudget, Seen, make_client
from policykit.exchanges.endpoints import Endpoints
from policykit.exchanges.live_account import Asked
from policykit.policy import EffectivePolicy
from policykit.redact import Secret
from policykit.store import Store
from policykit.traits.base import RateWindow

T = TypeVar("T")
#: A secret reference in, named secrets out: `policykit.secrets.read`.
SecretSource = Callable[[str], Mapping[str, Secret]]
#: The name of an address budget where the policy names no egress: as the engine counts it.
DEFAULT_EGRESS: Final = "default"
#: A `Date` header has no more than seconds.
DATE_RESOLUTION_MS: Final = 1_000


class Place(NamedTuple):
    """Where calls go: an exchange, its sandbox or not, and the origin in its stead."""

    exchange: str
    sandbox: bool
    endpoint: str | None


class Session:
    """One run over any number of policies and exchanges. Thread-safe."""

    def __init__(
        self,
        secret_source: SecretSource,
        clock: Clock,
        endpoints: Endpoints | None = None,
        store: Store | None = None,
    ) -> None:
        """Take where secrets come from; `store`: that of the bots on this host, if there is one."""
        self.secret_source = secret_source
        self.clock = clock
        self.endpoints = endpoints or Endpoints()
        self.store = store
        #: The policies that are read in this run: one account of several is read once, for all of them.
        self.policies: Sequence[EffectivePolicy] = ()
        self._lock = threading.Lock()
        self._budgets: dict[tuple[object, ...], Budget] = {}
        self._stops: dict[tuple[str, str], Stop] = {}
        self._keys: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._refused: dict[tuple[str, str], Failure] = {}
        self._accounts: defaultdict[tuple[str, ...], OnceAccount] = defaultdict(OnceAccount)

    def place(self, effective: EffectivePolicy, *, live: bool = False) -> Place | None:
        """Return where a policy's calls go; `live`: the live host in the sandbox's stead, None: not known."""
        model = effective.model
        endpoint = self.endpoints.of(model.exchange)
        if live:
            other = self.endpoints.live.get(model.exchange)
            return None if endpoint is not None and other is None else Place(model.exchange, False, other)
        return Place(model.exchange, model.environment == "sandbox", endpoint)

    def spending(
        self, effective: EffectivePolicy, adapter: Adapter, key: str | None, place: Place, tally: Tally
    ) -> Spending:
        """Return what a key's calls are counted in; windows of an address or an account are shared with other keys."""
        windows = adapter.facts.rate_windows or (UNKNOWN_WINDOW,)
        egress = effective.model.account.egress or DEFAULT_EGRESS
        shared = None
        if self.store is not None:
            try:
                shared = Shared(effective, adapter.facts, key, self.store)
            except StoreUnavailable:
                shared = None
        with self._lock:
            counted = [self._budget(effective, window, key, place, egress) for window in windows]
            stop = self._stops.setdefault((str(place), egress), Stop(self.clock))
        return Spending(adapter.facts, self.clock, counted, stop, tally, shared)

    def _budget(
        self, effective: EffectivePolicy, window: RateWindow, key: str | None, place: Place, egress: str
    ) -> Budget:
        made = budget_of(effective, window, self.clock)
        where: tuple[object, ...] = (egress,)
        if window.scope != "ip":
            where = (effective.account_key, key if window.scope == "key" else None)
        return self._budgets.setdefault((place, window.name, made.per_ms, *where), made)

    def one_at_a_time(self, place: Place, key_id: str) -> AbstractContextManager[Any]:
        """Return a lock of one key: many exchanges want the nonces of a key to grow."""
        with self._lock:
            return self._keys[(str(place), key_id)]

    def refused(self, place: Place, key_id: str) -> Failure | None:
        """Return how a key was refused in this run; it is not tried again."""
        return self._refused.get((str(place), key_id))

    def refuse(self, place: Place, key_id: str, failure: Failure) -> None:
        """Remember that a key was refused."""
        self._refused[(str(place), key_id)] = failure

    def account(self, effective: EffectivePolicy, place: Place) -> OnceAccount:
        """Return the account of a policy, which the first that can read it reads for all."""
        model = effective.model
        with self._lock:
            return self._accounts[(str(place), model.account.name, model.account.currency)]

    def sharing(self, effective: EffectivePolicy) -> list[EffectivePolicy]:
        """Return the policies of this run that are of one account, the given one first."""
        mine, model = effective.account_key, effective.model
        others = [
            one
            for one in self.policies
            if one is not effective
            and one.account_key == mine
            and (one.model.environment, one.model.account.currency) == (model.environment, model.account.currency)
        ]
        return [effective, *others]


@dataclass(slots=True)
class OnceAccount:
    """An account that is read once in a run."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read: dict[str, Any] | None = None


class Line:
    """The clients of one policy, and the reads that are made over them."""

    def __init__(self, session: Session, effective: EffectivePolicy, adapter: Adapter) -> None:
        """Take the run, the policy, and the adapter of its exchange."""
        self.session = session
        self.effective = effective
        self.adapter = adapter
        self.clock = session.clock
        self.tally = Tally()
        self.skew_ms = 0
        #: Whether no call tells the time, so that the next answer's `Date` header has to.
        self.clock_by_date = False
        place = session.place(effective)
        assert place is not None
        self.place = place

    def client(
        self, credentials: Mapping[str, Secret] | None = None, key: str | None = None, *, place: Place | None = None
    ) -> Any:
        """Return a read-only client. Raise ExchangeUnavailable, SecretUnavailable."""
        place = place or self.place
        client = make_client(
            self.adapter.id,
            credentials,
            endpoint=place.endpoint,
            sandbox=place.sandbox,
            budget=self.session.spending(self.effective, self.adapter, key, place, self.tally),
            clock=self.clock,
        )
        # Reads are signed by the exchange's clock, so that a wrong clock here is a finding and not a failure.
        client.milliseconds = lambda: self.clock.now_ms() - self.skew_ms
        return client

    def read(self, client: Any, steps: Steps[T]) -> T:
        """Drive a read. Raise CallFailed; what the exchange says of waiting stops every client of it."""
        client.policykit_seen.clear()
        try:
            return run(self.adapter, client, steps, self.clock)
        except CallFailed as failed:
            failure = failed.failure
            if client.policykit_seen and not isinstance(failed, OverBudget):
                client.policykit_budget.failed(failure)
            message = said(failure, self.clock.now_ms())
            if self.place.sandbox and not client.policykit_seen and _of_ccxt(failure):
                # ccxt raises NotSupported, TypeError or KeyError where its sandbox lacks an interface (Binance: sapi).
                message = f"{self.adapter.id}: ccxt's sandbox has no such call; nothing was sent"
                failure = failure._replace(code="NOT_SUPPORTED", executed="no")
            raise CallFailed(failure._replace(message=message)) from None

    def ask(self, client: Any, read: Read) -> Asked:
        """Make one call; say which endpoints it came to."""
        answer = self.read(client, _once(read))
        names = list(dict.fromkeys(seen.name for seen in client.policykit_seen))
        private = list(dict.fromkeys(seen.name for seen in client.policykit_seen if seen.kind == "read"))
        return Asked(answer.data, ", ".join((private or names)[-3:]), iso(answer.sent_ms))


def _of_ccxt(failure: Failure) -> bool:
    """Tell whether a failure is no more than ccxt's own, with no words of the adapter's."""
    return failure.code == "UNKNOWN" or (
        failure.code == "NOT_SUPPORTED" and "the client has no such call" in failure.message
    )


def _once(read: Read) -> Steps[Answer]:
    answer = yield read
    return answer


def by_date(client: Any) -> tuple[int, int, int] | None:
    """Return (server time, skew, round trip), ms, from the `Date` header of the last answer; None: it has none.

    The header is cut to seconds, so the server's time is taken as the middle of that second.
    """
    seen: Seen | None = client.policykit_seen[-1] if client.policykit_seen else None
    if seen is None or seen.date is None:
        return None
    try:
        server = int(parsedate_to_datetime(seen.date).timestamp() * 1000) + DATE_RESOLUTION_MS // 2
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    trip = seen.received_ms - seen.sent_ms
    return server, seen.sent_ms + trip // 2 - server, trip
