"""What the journal tells of operators and decisions: halts, drills, incidents, rotations, approvals, counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.operate.evidence.of_policies import Made, Sources
from policykit.operate.evidence.package import Table, Unknown
from policykit.operate.evidence.reading import Line, Told

#: Of who did something, what policies and approvals do not say: it stays in the journal.
PRIVATE: Final = frozenset(("os_user", "login", "tty", "host"))
#: Of an incident, what was read at the exchange: logins, orders, where money may be withdrawn to.
READ_THERE: Final = frozenset(("known_addresses", "lines"))
_SOURCE: Final = ("row", "hash", "file")
#: So many places where time goes back are named.
MAX_BACK: Final = 20


class Listed(NamedTuple):
    """A table of rows as they stand: of which kinds, what a row means, what it is asked for when there is none."""

    name: str
    title: str
    says: str
    kinds: tuple[str, ...]
    #: What is not known where the period has no such row, and who is to be asked; empty: none is needed.
    none: str = ""
    ask: str = ""


LISTED: Final = (
    Listed(
        "halts",
        "Stops of trading, and who lifted them",
        "One row is one halt or the end of one: its scope, who or what stopped trading, and why.",
        ("halt", "resume"),
    ),
    Listed(
        "drills",
        "Drills",
        "One row is one exercise of the kill switch or of an incident, with what was measured.",
        ("drill",),
        "no drill was held in the period",
        "policykit drill kill",
    ),
    Listed(
        "incidents",
        "Incidents, step by step",
        "One row is one step of an incident, or its head: when it was done, by whom, and what came of it. What was "
        "read at the exchange (logins, orders, withdrawal addresses) stays in the journal.",
        ("incident",),
    ),
    Listed(
        "rotations",
        "Rotations of keys",
        "One row is one step from a key to its successor, whose last is the proof that the old one is dead, or "
        "a bot whose clients went over to it.",
        ("rotation", "signer"),
    ),
    Listed(
        "exposed",
        "Keys that may have been in other hands",
        "One row is one key that somebody declared exposed, which makes it overdue at once, or took that back.",
        ("exposed",),
    ),
    Listed(
        "stages",
        "Stages on the way to full size",
        "One row is one stage that was entered or left, with its evidence and who agreed.",
        ("stage",),
    ),
    Listed(
        "candidates",
        "Candidate policies that were tried",
        "One row is one candidate that was started beside the policy in force, stopped, or put in its place.",
        ("shadow",),
    ),
    Listed(
        "reviews",
        "Reviews",
        "One row is one look of a person: at a policy, at denials, at fills, at a vendor.",
        ("review",),
        "nobody reviewed anything in the period",
        "policykit review done, policykit fills review, policykit vendor review",
    ),
    Listed(
        "approvals",
        "Approvals",
        "One row is one thing that a person signed: `signature` is over `text`, and `ssh-keygen -Y verify -n "
        "policykit` with a list of signers that you trust says whose it is. The name `signers` says who may sign.",
        ("approval",),
    ),
    Listed(
        "refused",
        "Changes that guards refused",
        "One row is a policy that was written anew while bots ran, and that they did not take, with what it loosened.",
        ("policy.refused",),
    ),
    Listed(
        "resolved",
        "Orders that a person settled",
        "One row is an order of unknown outcome of which a named person said what became of it.",
        ("resolved",),
    ),
    Listed(
        "pruned",
        "Rows that were taken out of the journal",
        "One row is one pruning: through which row, into which archive, and the hash that the next row follows.",
        ("prune",),
    ),
)


def listed(of: Listed, sources: Sources) -> Made:
    """Return the rows of some kinds as they stand, without what is private."""
    lines = sources.told.within(*of.kinds)
    rows = tuple(
        {**line.source, **({"kind": line.kind} if len(of.kinds) > 1 else {}), **_shown(line)} for line in lines
    )
    seen = dict.fromkeys(name for row in rows for name in row)
    columns = ("at", *(name for name in seen if name not in ("at", *_SOURCE)), *_SOURCE)
    unknown = [Unknown(of.name, of.none, of.ask)] if of.none and not rows else []
    return Table(of.name, of.title, of.says, columns, rows), [*unknown, *_claimed(of, lines)]


def _shown(line: Line) -> dict[str, Any]:
    clean: dict[str, Any] = public(line.body)
    left_out = READ_THERE if line.kind == "incident" else frozenset()
    return {name: said for name, said in clean.items() if name not in ("at", *_SOURCE, *left_out)}


def public(value: Any) -> Any:
    """Return data without what says on which machine, and as which of its users, a person sat."""
    if isinstance(value, Mapping):
        hidden = PRIVATE if "os_user" in value else frozenset()
        return {name: public(inner) for name, inner in value.items() if name not in hidden}
    if isinstance(value, list):
        return [public(inner) for inner in value]
    return value


def _claimed(of: Listed, lines: list[Line]) -> list[Unknown]:
    """Say how many rows name a person whom nothing proves, or only the row's own word.

    A halt without a claim is a guard's own.
    """
    named = [line for line in lines if "by" in line.body and ("claim" in line.body or line.kind != "halt")]
    signed = sum(1 for line in named if (line.body.get("claim") or {}).get("proof") == "signed")
    found = []
    if signed:
        words = (
            f"in {signed} of {len(named)} rows who did it is signed, by the row's own word: no signature was checked"
        )
        found.append(Unknown(of.name, words, "`approvals` has the signatures; ssh-keygen -Y verify -n policykit"))
    if signed < len(named):
        words = f"in {len(named) - signed} of {len(named)} rows who did it is claimed, not signed"
        found.append(Unknown(of.name, words, "ask them; `approvals:` in the policy makes signatures required"))
    return found


def decisions(sources: Sources) -> Made:
    """Return how many orders each policy allowed and denied, and for which reasons."""
    told = sources.told
    names = ("policy", "account", "outcome", "mode", "reason")
    rows = tuple(
        {**dict(zip(names, found, strict=True)), "count": count} for found, count in sorted(told.decisions.items())
    )
    unknown = [
        Unknown("decisions", f"order {intent}: what became of it is not known since {iso(at_ms)}", "policykit orders")
        for intent, at_ms in sorted(told.open_unknown.items(), key=lambda item: (item[1], item[0]))
    ]
    if not rows:
        unknown.append(Unknown("decisions", "no order was decided in the period, by this journal", "ask for others"))
    says = (
        "One row is how often a policy allowed or denied an order, for one reason (a denial can have several, so it is "
        "counted once in each). `mode` shadow: it only watched. An account that ends with @paper or @sandbox is one of "
        "play money: nothing of it happened for real."
    )
    return Table("decisions", "Decisions on orders", says, (*names, "count"), rows), unknown


def compared(sources: Sources) -> Made:
    """Return how often each account was compared with its exchange, and with what result."""
    counts = sources.told.compared
    accounts = sorted({account for account, _ in counts})
    rows = tuple({"account": a, "agreed": counts[(a, False)], "unexplained": counts[(a, True)]} for a in accounts)
    ran = {str(line.body.get("account")) for line in sources.told.within("policy")}
    unknown = [
        Unknown("reconciliations", f"{account} was not compared with its exchange", "policykit reconcile")
        for account in sorted(ran - set(accounts))
    ]
    says = (
        "One row is an account: how often what it should hold was compared with what the exchange shows, and how often "
        "something was left that nothing explains."
    )
    columns = ("account", "agreed", "unexplained")
    return Table("reconciliations", "Intended against actual", says, columns, rows), unknown


def messages(sources: Sources) -> Made:
    """Return how often people were told, by target, and how often that failed."""
    counts = sources.told.messages
    targets = sorted({target for target, _ in counts})
    rows = tuple({"target": t, "told": counts[(t, True)], "failed": counts[(t, False)]} for t in targets)
    unknown = [] if rows else [Unknown("messages", "nobody was told anything in the period", "policykit notify test")]
    says = "One row is a place where people are told of halts and findings: how often that went out, and how often not."
    return Table("messages", "Messages to people", says, ("target", "told", "failed"), rows), unknown


def journal(sources: Sources, *, anchored: bool) -> list[Unknown]:
    """Say what the chain cannot show, or does not."""
    told: Told = sources.told
    unknown = []
    for span in told.spans:
        if span.problem is not None:
            words = f"{span.file} is damaged: {span.problem}; what is behind that is not in any table"
            unknown.append(Unknown("journal", words, "policykit journal verify; a backup or an archive of it"))
        if span.pruned_through and not any(
            other.last == span.pruned_through and other is not span for other in told.spans
        ):
            words = f"{span.file}: rows 1 to {span.pruned_through:,} were pruned and are not here"
            unknown.append(Unknown("journal", words, "give their archive with --journal"))
        if not span.at:
            unknown.append(Unknown("journal", f"{span.file} has no row before the period's end", "ask for another"))
    for number, row, at_ms, before_ms in told.back[:MAX_BACK]:
        words = f"{told.spans[number].file}: row {row} says {iso(at_ms)}, the row before it {iso(before_ms)}"
        unknown.append(Unknown("journal", f"{words}: a clock, or who wrote it, set it back", "ask who is named there"))
    if len(told.back) > MAX_BACK:
        words = f"time goes back at {len(told.back) - MAX_BACK:,} more rows"
        unknown.append(Unknown("journal", words, "ask for a shorter period"))
    if not anchored:
        words = "that no newest rows were cut off before this was made: no anchor that was kept elsewhere was given"
        unknown.append(Unknown("journal", words, "policykit journal verify --anchor FILE, from a timer; then --anchor"))
    words = "what other hosts' journals say: with a store on a server each host keeps its own"
    unknown.append(Unknown("journal", words, "give them with --journal"))
    return unknown


COUNTED: Final[tuple[Callable[[Sources], Made], ...]] = (decisions, compared, messages)
