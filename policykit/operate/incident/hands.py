"""What an incident does at the exchanges and in the store, step by step; the policies say with which keys."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from policykit import secrets
from policykit.clock import Clock
from policykit.engine.facts import SCOPE
from policykit.errors import ExchangeUnavailable, PolicykitError, SecretUnavailable, StoreUnavailable
from policykit.operate.incident.book import Book
from policykit.operate.incident.runner import Act
from policykit.operate.incident.steps import Task
from policykit.policy import PAPER, EffectivePolicy, load
from policykit.redact import Secret
from policykit.store.memory import MemoryStore

if TYPE_CHECKING:
    from policykit.exchanges.cancelling.base import FamilyCount
    from policykit.store.reader import JournalReader

#: The scopes of a key that may be able to cancel.
TRADES: Final = "trade"
#: How long the cancels of one account may take before it is said that they have not ended, ms.
CANCEL_WITHIN_MS: Final = 300_000
#: Where nothing says how long an order may be on its way, it is waited for so long, ms: the longest fence is shorter.
ARRIVALS_MS: Final = 20_000


class RealHands:
    """Does the steps: with the policies of this host, and the secrets that this host can read."""

    def __init__(self, book: Book, clock: Clock, endpoints: Sequence[str] = (), uri: str | None = None) -> None:
        """Take the incident, `--endpoint` of the command as `exchanges.endpoints` reads it, and the store's URI."""
        from policykit.exchanges.endpoints import endpoints as read

        self.book, self.clock, self.uri = book, clock, uri
        self.endpoints = read(list(endpoints) or None)
        self._policies: dict[str, list[EffectivePolicy]] = {}
        #: Asked before a key is ended by the API, which cannot be undone.
        self.let: Callable[[Task], bool] = _let

    def do(self, task: Task, row: Mapping[str, Any]) -> Act:
        """Do one step."""
        from policykit.operate.incident import looking

        step = task.step.id
        if step == "halt":
            return self.halt(task)
        policies = self.policies(task.account)
        if step == "cancel":
            return self.cancel(task, policies)
        if step == "revoke":
            return self.revoke(task, policies, row)
        return getattr(looking, step)(self, task, policies)  # type: ignore[no-any-return]

    # ---- what it needs

    def account(self, task: Task) -> Mapping[str, Any]:
        """Return what the head says of a step's account."""
        found: Mapping[str, Any] = next(one for one in self.book.head["accounts"] if one["account"] == task.account)
        return found

    def policies(self, account: str) -> list[EffectivePolicy]:
        """Return the policies of an account that this host can read. Raise PolicykitError where it can read none."""
        if account not in self._policies:
            head = next(one for one in self.book.head["accounts"] if one["account"] == account)
            found, why = [], "no policy names it"
            for file in head["files"]:
                try:
                    found.append(load(file, now_ms=self.clock.now_ms()))
                except (PolicykitError, OSError) as error:
                    why = str(error).splitlines()[0]
            if not found:
                raise PolicykitError(
                    f"{account}: policykit cannot act there: {why}; do it by hand, or on a host that can"
                )
            self._policies[account] = found
        return self._policies[account]

    def journal(self) -> JournalReader | None:
        """Return this host's journal; None: there is none, or it cannot be read."""
        from policykit.store import open_journal

        try:
            return open_journal(self.uri)
        except StoreUnavailable:
            return None

    def usable(
        self, task: Task, policies: Sequence[EffectivePolicy], scope: str = TRADES
    ) -> Iterator[tuple[str, EffectivePolicy, str]]:
        """Yield (key, policy, secret reference) of the keys with a scope that begins so, the safest first.

        A key that is kept for this comes first, the leaked ones last: who deletes them takes them from us as well.
        """
        leaked = {key["name"] for key in self.account(task)["keys"] if key["leaked"]}
        keys = [
            (name in leaked, key.purpose != "break_glass", number, name, policy, key.secret)
            for policy in policies
            for number, (name, key) in enumerate((policy.model.keys or {}).items())
            if key.secret and any(one.startswith(scope) for one in key.scopes or ())
        ]
        seen: set[str] = set()
        for _, _, _, name, policy, secret in sorted(keys, key=lambda one: one[:4]):
            if name not in seen:
                seen.add(name)
                yield name, policy, str(secret)

    # ---- the steps

    def halt(self, task: Task) -> Act:
        """Halt the account in the store, then wait for what was allowed before."""
        from policykit.guard.halt import wait_for_sends

        store, head = self.book.store, self.book.head
        if isinstance(store, MemoryStore) and self.book.unwritten:
            return Act("failed", "the store cannot be reached, so no bot sees a halt: end their processes")
        scope = f"account:{task.account}"
        if not SCOPE.fullmatch(scope):
            return Act("failed", f"{scope} is no scope that can be halted; policykit kill --scope all")
        there = [h for h in store.halts() if h.scope in (scope, "all") and h.state == "HALTED" and h.latched]
        if there and (not head["freeze"] or any(halt.freeze for halt in there)):
            return Act("done", f"was halted by {there[0].by} before")
        why = f"incident {self.book.id}: {head['why']}"
        reason = f"drill: {why}" if head["drill"] else why
        _, unsent = store.halt(
            scope, "HALTED", head["by"], reason, self.clock.now_ms(), freeze=head["freeze"], claim=head["claim"]
        )
        sending = [one.id for one in wait_for_sends(store, self.clock, unsent)]
        if sending:
            return Act("failed", f"halted, but still sending without a gate: {', '.join(sending)}; end its process")
        exits = "exits are blocked too" if head["freeze"] else "exits still pass"
        if not any(guard.account == task.account for guard in store.guards()):
            return Act("done", f"halted in the store, BUT NO BOT OF IT WAS EVER HEARD THERE: {_ELSEWHERE}; {exits}")
        return Act("done", f"halted in the store: no guard sends an order that increases; {exits}")

    def cancel(self, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
        """Cancel what is open, over every order family, until a list shows nothing and nothing of ours is on its way.

        The next key is tried where one cannot list, or is refused. What earlier rounds cancelled is counted on.
        """
        tried: list[str] = []
        rounds: list[Mapping[str, FamilyCount]] = []
        used = ""
        for name, policy, reference in self.usable(task, policies):
            try:
                counts = self._clear(task, policy, secrets.read(reference))
            except (SecretUnavailable, ExchangeUnavailable) as error:
                tried.append(f"{name}: {error}")
                continue
            unread = all(count.unknown and not count.listed for count in counts.values())
            if unread:
                tried.append(f"{name}: {next((c.unknown for c in counts.values()), 'it lists nothing')}")
                continue
            rounds.append(counts)
            if not used or any(count.cancelled for count in counts.values()):
                used = name
            if not any(count.left for count in counts.values()):
                break
            refused = next((c.unknown for c in counts.values() if c.left and c.unknown), "orders are left")
            tried.append(f"{name}: {refused}")
        if not rounds:
            return Act(
                "failed", "no key here can cancel: do it in the web page, now", tuple(tried) or ("no key may trade",)
            )
        # Read only now: another process may have cancelled there meanwhile, after a key was found dead.
        row = self.book.rows().get(task.id, {})
        families: dict[str, dict[str, Any]] = dict(row.get("families") or {})
        for counts in rounds:
            families = added(families, counts)
        worked = any(count.cancelled for counts in rounds for count in counts.values())
        act = _cancelled(used if worked else str(row.get("key") or used), families, tried)
        if all(policy.account_key.endswith(PAPER) for policy in policies):
            return act._replace(words=f"{act.words}; the policy is on paper, the key is not: this is the REAL account")
        return act

    def _clear(self, task: Task, policy: EffectivePolicy, credentials: Mapping[str, Secret]) -> Mapping[str, Any]:
        from policykit.exchanges.cancelling.canceller import canceller

        model = policy.model
        symbols = [
            one for one in (model.risk.symbols if model.risk else None) or () if "*" not in one and one[0] != "!"
        ]
        keep = attrgetter("only_reduces") if self.book.head.get("keep_exits") else None
        with canceller(
            model.exchange,
            credentials,
            endpoint=self.endpoints.of(model.exchange),
            sandbox=model.environment == "sandbox",
            clock=self.clock,
            symbols=symbols,
        ) as client:
            counts = client.clear(keep, within_ms=CANCEL_WITHIN_MS, settle_ms=self._arriving_ms(task.account))
            self.noted(task.account, client.calls)
            return counts

    def noted(self, account: str, calls: Sequence[str]) -> None:
        """Take note of the calls that cancelling took; a drill measures them."""

    def _arriving_ms(self, account: str) -> int:
        """Return how long an order of ours may still be on its way to the exchange; 0: none is."""
        from policykit.orders.life import UNDECIDED

        try:
            open_ = self.book.store.intents(account)
        except StoreUnavailable:  # what must be cancelled is cancelled all the same
            return ARRIVALS_MS
        sent = [max(intent.changed_ms, intent.signed_ms or 0) for intent in open_ if intent.state in UNDECIDED]
        return max(0, max(sent, default=0) + ARRIVALS_MS - self.clock.now_ms())

    def revoke(self, task: Task, policies: Sequence[EffectivePolicy], row: Mapping[str, Any]) -> Act:
        """Say whether the key still works; where another key can end it by the API, end it, and ask again."""
        here = socket.gethostname()
        seen = self.lives(task, policies)
        if seen.state == "done":
            return seen if row.get("alive_from") == here else Act("waiting", REFUSED)
        if seen.state != "waiting":
            return Act("waiting", seen.words)
        alive = {"alive_ms": self.clock.now_ms(), "alive_from": here}
        if not self.may_end(task):
            return seen._replace(more=alive)
        try:
            said = self._end(task, policies)
        except (PolicykitError, OSError, ValueError) as error:
            return Act("waiting", f"the API did not end it ({error}); {seen.words}", (), alive)
        after = self.lives(task, policies)
        if after.state == "done":
            return after._replace(words=f"{said}, and the exchange refuses it", more={**after.more, **alive})
        return Act("waiting", f"{said}, but {after.words}", (), alive)

    def may_end(self, task: Task) -> bool:
        """Tell whether another key can end a leaked one, and whoever is asked lets it."""
        key = next(key for key in self.account(task)["keys"] if key["name"] == task.key)
        return bool(key.get("master")) and self.let(task)

    def _end(self, task: Task, policies: Sequence[EffectivePolicy]) -> str:
        """Let the main account's key end the leaked one; return what was done."""
        from policykit.exchanges.revoking import revoke

        key = next(key for key in self.account(task)["keys"] if key["name"] == task.key)
        policy = next(one for one in policies if task.key in (one.model.keys or {}))
        master = load(key["master_file"], now_ms=self.clock.now_ms()) if key["master_file"] else policy
        old = secrets.read(str((policy.model.keys or {})[task.key].secret))
        revoke(
            policy.model.exchange,
            secrets.read(str((master.model.keys or {})[key["master"]].secret)),
            old["api_key"],
            account=self.book.head.get("sub_account") or "",
            passphrase=old.get("passphrase"),
            endpoint=self.endpoints.of(policy.model.exchange),
            sandbox=policy.model.environment == "sandbox",
            clock=self.clock,
        )
        return f"ended by the API with the key {key['master']}"

    def lives(self, task: Task, policies: Sequence[EffectivePolicy]) -> Act:
        """Ask the exchange with a leaked key, a read only: done when it is refused, waiting while it works."""
        from policykit.exchanges.snapshot import take

        policy = next((one for one in policies if task.key in (one.model.keys or {})), None)
        if policy is None:
            return Act("unknown", "no policy here names it")
        endpoint = self.endpoints.of(policy.model.exchange)
        seen = take(
            policy, endpoint=endpoint, keys=[task.key], keys_only=True, clock=self.clock, secret_source=secrets.read
        )
        if seen.keys:
            return Act("waiting", "it still works: delete it now")
        code = next((error["code"] for error in seen.errors), "UNKNOWN")
        if code == "KEY_REJECTED":
            return Act(
                "done", "dead: the exchange refuses it", (), {"proof": "refused", "dead_ms": self.clock.now_ms()}
            )
        why = next((error["message"] for error in seen.errors), "no answer")
        return Act("unknown", f"whether it works cannot be told from here: {why}")


#: What to do where the store that was halted is perhaps not the one that the bots use.
_ELSEWHERE: Final = "one that trades has another store (--store, POLICYKIT_STORE), or end its process"
#: What a refusal proves of a key that nobody saw working: nothing.
REFUSED: Final = "refused from here, which a wrong address would be too: look at the exchange's page, then confirm"


def _let(task: Task) -> bool:
    """Let a key that leaked be ended: who started the incident asked for it."""
    return True


def added(before: Mapping[str, Mapping[str, Any]], counts: Mapping[str, FamilyCount]) -> dict[str, dict[str, Any]]:
    """Return what two rounds came to: what was cancelled adds up, what is left is what was listed last."""
    found = {}
    for name, count in counts.items():
        old = before.get(name, {})
        found[name] = {
            **asdict(count),
            "listed": count.listed + int(old.get("cancelled", 0)),
            "cancelled": count.cancelled + int(old.get("cancelled", 0)),
        }
    return found


def _cancelled(key: str, families: dict[str, dict[str, Any]], tried: Sequence[str]) -> Act:
    cancelled, kept, left = (sum(one[what] for one in families.values()) for what in ("cancelled", "kept", "left"))
    unknown = {name: one["unknown"] for name, one in families.items() if one["unknown"]}
    lines = [*tried, *(f"{name}: not known: {why}" for name, why in unknown.items())]
    more = {"families": families, "cancelled": cancelled, "left": left, "key": key}
    words = f"{cancelled} cancelled with the key {key}" + (f", {kept} that can only reduce are kept" if kept else "")
    if left:
        return Act("failed", f"{words}; {left} are still open: cancel them in the web page", tuple(lines), more)
    if unknown:
        return Act("unknown", f"{words}; not seen: {', '.join(unknown)}: look in the web page", tuple(lines), more)
    return Act("done", f"{words}; the list is empty", tuple(lines), more)
