"""The interface of a store: the one place that several bots, processes and hosts agree through.

The state is a pure `Ledger` (ledger.py); a back-end makes its changes atomic, durable and shared. What changes the
ledger is a journal row, so the journal *is* the state: a back-end replays it, and so can anybody who wants proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from policykit.decision import Decision, Hold
from policykit.engine.facts import Contract, Facts, Halt, Quote, TradingState
from policykit.orders.intent import Intent, Outcome

#: A permit to send lasts this long, ms: from before the reserve call on the sender's monotonic clock, and from the
#: store's grant for a halt that waits for it.
SEND_WITHIN_MS = 250
#: A guard that was silent for so long, seven days, is no longer listed.
GUARD_SILENT_MS = 7 * 86_400_000


class Grant(NamedTuple):
    """The answer of `reserve`.

    `granted`; or `stale` (the generation moved: assess again); or neither, and `used` holds the use found for each
    hold (same order), `failed` the indexes of those that did not fit. `duplicate` names the intent that already has
    this client order id. `seq` is the journal row, `epoch` the store's.
    """

    granted: bool
    stale: bool
    used: tuple[int, ...]
    failed: tuple[int, ...]
    seq: int
    duplicate: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts somebody read. `as_of_ms` is when the request was sent, `until_ms` when the answer was there.

    None leaves a fact as it is. `positions` is complete for the account unless `partial`.
    """

    as_of_ms: int
    until_ms: int
    equity: Decimal | None = None
    net_transfers: Decimal | None = None
    positions: Mapping[str, Decimal] | None = None
    partial: bool = False
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    contract_sizes: Mapping[str, Decimal] = field(default_factory=dict)
    skew_ms: int | None = None
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    position_mode: str | None = None
    margin_ratio: Decimal | None = None
    borrowed: Decimal | None = None
    #: What one unit of a position is worth in the account's currency, by position key: exposure is counted by it.
    units: Mapping[str, Decimal] = field(default_factory=dict)
    #: Assets that no market of the exchange prices in the account's currency: they are worth nothing that can be told.
    unlisted: frozenset[str] | None = None
    #: Start of the running day (UTC ms) by the policy's `day_starts`; 0: no daily figure is kept.
    day_start_ms: int = 0
    #: Start of the running week (UTC ms); 0: neither weekly figures nor a peak are asked for.
    week_start_ms: int = 0
    #: Net transfers from the day that was known before up to the running day's start; None: not read.
    carried_transfers: Decimal | None = None


class Row(NamedTuple):
    """One row of the journal. `hash` covers seq, at, kind, body and the row before: a chain."""

    seq: int
    at_ms: int
    kind: str
    body: dict[str, Any]
    hash: str


class GuardInfo(NamedTuple):
    """A live guard, as `policykit status` lists it."""

    bot: str
    host: str
    pid: int
    account: str
    policy_name: str
    policy_version: str
    policy_file: str
    mode: str
    beat_ms: int
    #: The effective policy as JSON, for guards of the account that have another version of it; empty: not told.
    policy: str = ""
    #: Where its own client is sent instead of the exchange; empty: to the exchange.
    endpoint: str = ""
    #: The key that it trades with, by its name in the policy; empty: not told.
    key: str = ""
    #: Whether its maintenance loop runs: then silence means that it died. False again once it ended.
    loop: bool = False
    #: The key that its clients sign with, as `exchanges.credentials.key_id` names it; empty: not told.
    signer: str = ""
    #: Why that is not the key's successor, while there is one; empty: it is, or there is none.
    signer_why: str = ""
    #: Why no increase leaves at its stage, by what the store has seen of it; empty: it may.
    unproven: str = ""
    #: The run of the candidate that judges beside its policy (guard/beside.py), and why one that runs does not.
    candidate: str = ""
    candidate_why: str = ""
    #: Whether its policy's file may loosen it while it runs.
    loosens: bool = False


#: What is known of who did something beside the name that was told (`policykit.operate.person`).
Claim = Mapping[str, str]


class Store(Protocol):
    """What a guard needs of a store. Every method may raise StoreUnavailable. Thread-safe."""

    #: "memory", "sqlite", "valkey".
    backend: str
    #: Random, made with the store; another epoch means another store.
    epoch: str
    #: Why a live policy must not trust its increases to this store: (reason code, message).
    problem: tuple[str, str] | None
    #: What its owner should know of it all the same, each as (reason code, message); `doctor` and a guard say it.
    warnings: tuple[tuple[str, str], ...]

    def facts(self, account: str, bot: str, symbol: str = "") -> Facts:
        """Return what is known of an account, with the halts that bind this bot and symbol."""
        ...

    def reserve(
        self, decision: Decision, intent: Intent | None, holds: tuple[Hold, ...], generation: int, now_ms: int
    ) -> Grant:
        """Grant every hold or none, in one atomic step, and write the decision with its intent; durable on return."""
        ...

    def record(self, decision: Decision, now_ms: int) -> int:
        """Write a decision that holds nothing (a denial, a cancel); return its sequence number; durable on return."""
        ...

    def use(self, holds: tuple[Hold, ...], now_ms: int) -> Grant:
        """Count a use of budgets that no decision is made on (reads): every hold or none."""
        ...

    def used(self, holds: tuple[Hold, ...], now_ms: int) -> tuple[int, ...]:
        """Return what is used of each hold's counter now, as `reserve` would find it; nothing is held or written."""
        ...

    def at_least(self, hold: Hold, now_ms: int) -> None:
        """Raise the use of a window to `hold.amount`, as the exchange counts it, if less is counted here."""
        ...

    def renew(self, intent_id: str, generation: int, validity_ms: int, now_ms: int) -> bool:
        """Let an intent that waits to be sent be signed for SEND_WITHIN_MS from now, with at most this validity.

        False when the generation moved or the intent is not waiting. Durable on return.
        """
        ...

    def outcome(self, intent_id: str, outcome: Outcome) -> Intent:
        """Write what became known of an intent; return it. Fills convert holds, final states give the rest back.

        Raise KeyError for an intent that the store does not remember.
        """
        ...

    def intent(self, intent_id: str) -> Intent | None:
        """Return one intent, open or not, as far as the store remembers it."""
        ...

    def intents(self, account: str | None = None, *, open_only: bool = True) -> list[Intent]:
        """Return intents, oldest first."""
        ...

    def observe(self, account: str, seen: Observation, now_ms: int) -> None:
        """Take facts in; an older `as_of_ms` never replaces a newer one. Raise ValueError for what is no number."""
        ...

    def halt(  # noqa: PLR0913  # a halt says as much as its row
        self,
        scope: str,
        state: TradingState,
        by: str,
        why: str,
        now_ms: int,
        *,
        freeze: bool = False,
        latched: bool = True,
        decision_id: str | None = None,
        claim: Claim | None = None,
    ) -> tuple[int, list[Intent]]:
        """Set a halt and bump the generation; return it with the intents whose older permits may still be sent.

        For the record only: `decision_id` is the denial that made it necessary, `claim` what is known of who did it.
        """
        ...

    def resume(self, scope: str, by: str, why: str, now_ms: int, *, claim: Claim | None = None) -> int:
        """Lift the halts of a scope; return how many there were. `claim` is for the record only."""
        ...

    def halts(self) -> list[Halt]:
        """Return every halt in force."""
        ...

    def ban(self, account: str, scope: str, until_ms: int, now_ms: int) -> None:
        """Remember that nothing may be sent before `until_ms`; a later ban never shortens an earlier one."""
        ...

    def reconcile(self, account: str, compared: Mapping[str, Any], now_ms: int) -> int:
        """Write a comparison of the account with the exchange: what it should have, what nothing explains (`drift`)."""
        ...

    def reconciled(self, account: str) -> Mapping[str, Any]:
        """Return the last comparison of an account as it was written; empty: there was none."""
        ...

    def announce(self, account: str, currency: str, loaded: Mapping[str, Any], now_ms: int) -> int:
        """Write that a policy is in force for an account; the first to do so fixes the currency it is counted in."""
        ...

    def prove(self, proof: Mapping[str, Any], now_ms: int) -> int:
        """Write that a key works from a host's address: exchange, environment, endpoint, account, key, host."""
        ...

    def linted(self, account: str, found: Mapping[str, Any], now_ms: int) -> int:
        """Write what `lint --live` found of a policy: its name and version, findings, when its keys were made."""
        ...

    def lints(self, account: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what the last `lint --live` of each policy of an account found, by name, with its `at_ms`."""
        ...

    def keep(self, account: str, kind: str, name: str, body: Mapping[str, Any], now_ms: int) -> int:
        """Write what an operator did (a kind of `kept.KINDS`); the newest of each name is kept until there is another.

        `account` is empty for what concerns the whole store. Raise ValueError for another kind.
        """
        ...

    def kept(self, account: str, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what `keep` wrote last by name, with its `at_ms`, the oldest first."""
        ...

    def event(self, kind: str, body: Mapping[str, Any], now_ms: int) -> int:
        """Write a journal row that changes no state.

        Raise ValueError for a kind that other methods write.
        """
        ...

    def beat(self, guard: GuardInfo) -> None:
        """Say that a guard lives; not journaled. Who was silent for over GUARD_SILENT_MS is forgotten."""
        ...

    def guards(self) -> list[GuardInfo]:
        """Return every guard that said so, live or not; `beat_ms` tells."""
        ...

    def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> bool:
        """Take or keep a named lease (the account's poller, recovery); False when another holder has it."""
        ...

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        """Yield journal rows in order."""
        ...

    def verify(self) -> tuple[int, str | None]:
        """Check the chain; return (rows read, None) or (rows good, what is wrong and where)."""
        ...

    def written(self) -> list[float]:
        """Return how long each write of a journal row took since this was asked last, seconds; the newest of many."""
        ...

    def waiting(self) -> int:
        """Return how many threads of this process wait to write, as of now."""
        ...

    def checkpoint(self) -> None:
        """Keep the state beside the journal, so that the next to open it replays less."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
