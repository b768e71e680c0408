"""What each kind of journal row changes in a ledger: one function a kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from policykit.decision import Hold
from policykit.engine.facts import NO_STREAK, Halt
from policykit.store.codec import accepted, intent_from_dict, observation_from_dict, outcome_from_dict
from policykit.store.entries import Entries
from policykit.store.kept import KINDS
from policykit.store.trades import Trades

if TYPE_CHECKING:
    from policykit.store.ledger import Ledger

_RANK: Final = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2}


def _granted(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    if "intent" in body:
        intent = intent_from_dict(body["intent"])
        ledger.granted(intent, intent.holds, at_ms)
    else:
        ledger.granted(None, tuple(Hold(*hold) for hold in body.get("holds", ())), at_ms)


def _outcome(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    if ledger.intent(body["intent"]) is not None:
        ledger.settle(body["intent"], outcome_from_dict(body, at_ms))


def _renew(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    ledger.renewed(body["intent"], body["validity_ms"], at_ms)


def _observe(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    ledger.account(body["account"]).observe(observation_from_dict(body))
    ledger.moved()


def _halt(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    new = Halt(body["scope"], body["state"], body["by"], body["why"], at_ms, body["freeze"], body["latched"])
    old = ledger.halts.get(new.scope)
    if old is not None:
        state = max(old.state, new.state, key=_RANK.__getitem__)
        # The words of the stronger, and of a drill never: what is real is told, though an exercise stopped it first.
        said = new if (old.drill, _RANK[new.state]) > (new.drill, _RANK[old.state]) else old
        new = said._replace(state=state, freeze=old.freeze or new.freeze, latched=old.latched or new.latched)
    ledger.halts[new.scope] = new
    ledger.generation += 1
    ledger.moved()


def _resume(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    for scope in list(ledger.halts):
        if body["scope"] in ("all", scope):
            _forgive(ledger, ledger.halts.pop(scope), at_ms)
    ledger.generation += 1
    ledger.moved()


def _forgive(ledger: Ledger, halt: Halt, at_ms: int) -> None:
    """Let what a loss is held against start anew, once a person lifted the halt that it set: else it trips for ever."""
    account = ledger.accounts.get(halt.scope.removeprefix("account:"))
    if account is not None and halt.by == "risk.max_drawdown":
        account.figures.peak = None
    if account is not None and halt.by == "reconciliation.tolerance":
        account.reconcile({**accepted(account.reconciled), "accepted_ms": at_ms})
    if account is not None and account.trades is not None and halt.by == "risk.consecutive_losses":
        account.trades.streak = NO_STREAK


def _policy(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    account = ledger.account(body["account"])
    account.currency = account.currency or body["currency"]
    account.join(tuple(body.get("groups", ())))
    if body.get("trades") and account.trades is None:
        account.trades = Trades()
    if body.get("entries") and account.entries is None:
        account.entries = Entries()
    ledger.moved()


def _proof(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    # One that another origin than the exchange gave, or of a sandbox, proves nothing for live orders.
    if body.get("endpoint") is None and body.get("environment") == "live":
        ledger.account(f"{body['exchange']}/{body['account']}").prove(body["host"], body["key"], at_ms)
        ledger.moved()


def _lint(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    ledger.account(body["account"]).lint({**body, "at_ms": at_ms})


def _reconcile(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    ledger.account(body["account"]).reconcile({**body, "at_ms": at_ms})
    ledger.moved()


def _ban(ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    bans = ledger.account(body["account"]).bans
    bans[body["scope"]] = max(bans.get(body["scope"], 0), body["until_ms"])
    ledger.moved()


def _keep(kind: str, ledger: Ledger, body: dict[str, Any], at_ms: int) -> None:
    ledger.kept.keep(kind, {**body, "at_ms": at_ms})


#: The kinds of rows that change the ledger. Any other kind is an event.
CHANGES: Final[dict[str, Callable[[Ledger, dict[str, Any], int], None]]] = {
    "decision": _granted,
    "use": _granted,
    "outcome": _outcome,
    "renew": _renew,
    "observe": _observe,
    "halt": _halt,
    "resume": _resume,
    "ban": _ban,
    "reconcile": _reconcile,
    "lint": _lint,
    "policy": _policy,
    "address.proof": _proof,
    **{kind: partial(_keep, kind) for kind in KINDS},
}
