"""Read live state for lint: say what it costs, take snapshots of all policies at once, and make what failed unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from policykit.clock import iso
from policykit.lint.state import State
from policykit.rules.base import iso_ms

if TYPE_CHECKING:
    from policykit.exchanges.session import Session
    from policykit.finding import Finding
    from policykit.policy import EffectivePolicy
    from policykit.record import Record
    from policykit.store import Store

#: Told how many of how many policies were read.
Progress = Callable[[int, int], None]


class Taker:
    """Read the live state of policies, each once, on the host where their keys live."""

    def __init__(
        self,
        endpoint: str | Sequence[str] | None,
        now_ms: int,
        announce: Callable[[str], None],
        progress: Progress | None = None,
    ) -> None:
        """Take `[ID=]URL` endpoints, the moment that lint counts from, and who is told what it costs and how far it is.

        Raise ValueError for an endpoint that is no origin, or plain http off this machine.
        """
        from policykit.exchanges.endpoints import endpoints

        self._endpoints = endpoints(endpoint)
        self._now_ms = now_ms
        self._announce = announce
        self._progress = progress
        self._taken: dict[str, tuple[State, tuple[str, ...]]] = {}
        self._policies: dict[str, EffectivePolicy] = {}

    def __call__(self, policy: EffectivePolicy) -> tuple[State, tuple[str, ...]]:
        """Return the live state of a policy, and in a line each what could not be read."""
        if policy.file not in self._taken:
            self.prepare([policy])
        return self._taken[policy.file]

    def prepare(self, policies: Sequence[EffectivePolicy]) -> None:
        """Say what all of it costs, then read policies at once: each exchange waits for itself only."""
        from policykit.clock import SystemClock
        from policykit.exchanges import snapshot as live
        from policykit.exchanges.budget import running_store
        from policykit.exchanges.session import Session

        policies = list({one.file: one for one in policies if one.file not in self._taken}.values())
        if not policies:
            return
        from policykit import secrets

        for policy in policies:
            self._announce(cost_line(policy, live.plan(policy)))
        store, problem = running_store()
        if problem:
            self._announce(f"live: {problem}")
        try:
            self._take(Session(secrets.read, SystemClock(), self._endpoints, store), policies)
        finally:
            if store is not None:
                store.close()

    def note(self, findings: Sequence[Finding]) -> str:
        """Write what was found of each policy into its bots' store, if there is one; return why that cannot be."""
        from policykit.errors import StoreUnavailable
        from policykit.exchanges.budget import running_store

        store, problem = running_store() if self._policies else (None, "")
        if store is None:
            return f"what was found is not noted: {problem}" if problem else ""
        try:
            for policy in self._policies.values():
                found = _noted(policy, self._taken[policy.file][0], findings, self._now_ms)
                store.linted(policy.account_key, found, self._now_ms)
        except StoreUnavailable as error:
            return f"what was found is not noted in the bots' store: {error}"
        finally:
            store.close()
        return ""

    def _take(self, session: Session, policies: Sequence[EffectivePolicy]) -> None:
        from policykit.errors import ExchangeUnavailable
        from policykit.exchanges import snapshot as live
        from policykit.snapshot import Snapshot

        done = _Count(len(policies), self._progress)
        records = {policy.file: self._record(session.store, policy) for policy in policies}
        self._policies |= {policy.file: policy for policy in policies if policy.model.exchange}
        for policy, taken in zip(policies, live.take_all(session, policies, done), strict=True):
            if isinstance(taken, ExchangeUnavailable):
                message = str(taken).removeprefix(f"{policy.place('exchange')}: ")
                error = {"code": taken.code, "message": message}
                errors = [{"key": name, **error} for name in policy.model.keys or {}]
                snapshot = Snapshot(iso(self._now_ms), policy.model.exchange, errors=errors)
                self._taken[policy.file] = State(snapshot, (), records[policy.file]), (_line(policy, error),)
            else:
                state = State(taken, (), records[policy.file])
                self._taken[policy.file] = state, tuple(_line(policy, error) for error in taken.errors)

    def _record(self, store: Store | None, policy: EffectivePolicy) -> Record | None:
        """Return what the bots' store proves of a policy; None, said in a line, where it cannot be read."""
        from policykit.errors import StoreUnavailable
        from policykit.store.record import record_of

        if store is None:
            return None
        try:
            return record_of(store, policy)
        except StoreUnavailable as error:
            self._announce(f"live: what the journal proves is not known: {error}")
            return None


class _Count:
    """Counts what is over, in whatever thread, and says so."""

    def __init__(self, of: int, progress: Progress | None) -> None:
        import threading

        self._done, self._of, self._progress = 0, of, progress
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._of)


def _noted(policy: EffectivePolicy, state: State, findings: Sequence[Finding], now_ms: int) -> dict[str, Any]:
    """Return what the store keeps of a lint: how many findings of each severity and rule; when each key was made.

    What could not be observed has the severity `unknown`; what is waived or was there before is not counted.
    """
    found: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        if finding.primary.file in policy.files and finding.status in ("open", "unknown"):
            found[(finding.severity if finding.status == "open" else "unknown", finding.rule)] += 1
    made = {key.name: iso_ms(key.created_at) for key in state.snapshot.keys}
    return {
        "policy": policy.name,
        "version": policy.version,
        "findings": [[severity, rule, count] for (severity, rule), count in sorted(found.items())],
        "keys": {name: at_ms for name, at_ms in made.items() if at_ms is not None and at_ms <= now_ms},
    }


def taker(
    endpoint: str | Sequence[str] | None,
    now_ms: int,
    announce: Callable[[str], None],
    progress: Progress | None = None,
) -> Taker:
    """Return what reads the live state of policies; `announce` is given a line of cost each before anything is sent."""
    return Taker(endpoint, now_ms, announce, progress)


def _line(policy: EffectivePolicy, error: dict[str, str]) -> str:
    name = error.get("key")
    place = policy.key_place(f"keys.{name}") if name else policy.place("exchange")
    return error_line(f"{place}: ", error)


def error_line(place: str, error: dict[str, str]) -> str:
    """Say what could not be read, by which code, and what to do about it."""
    from policykit.exchanges.advice import advice

    name, code = error.get("key"), error.get("code", "")
    what = f"key `{name}` could not be read" if name else "live state could not be read"
    step = advice(code)
    return f"{place}{what}: {code}: {error.get('message', '')}" + (f"; next: {step}" if step else "")


def cost_line(policy: EffectivePolicy, plan: dict[str, int]) -> str:
    """Return `live: binance, 1 key, 6 calls, 14 of 6000 weight a minute, no order endpoint`."""
    from policykit.traits import load

    keys, calls = len(policy.model.keys or {}), plan["calls"]
    traits = load(policy.model.exchange)
    parts = [
        policy.model.exchange,
        f"{keys} key{'' if keys == 1 else 's'}",
        f"{calls} call{'' if calls == 1 else 's'}",
        f"{plan['weight']}{_allowed(traits)}",
        "no order endpoint",
    ]
    return f"live: {', '.join(parts)}"


def _allowed(traits: Any) -> str:
    """Return what a weight is of: ` of 6000 weight a minute`, ` requests (600 in 5 s may be)`; ` weight` if none."""
    window = traits.rate_windows[0] if traits is not None and traits.rate_windows else None
    if window is None:
        return " weight"
    unit = "weight" if "weight" in window.name else window.name
    if window.per_ms == 60_000:
        return f" of {window.limit} {unit} a minute"
    return f" {unit} ({window.limit} in {window.per_ms / 1000:g} s may be)"
