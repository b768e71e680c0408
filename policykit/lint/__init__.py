"""Lint: find policies, sources and settings, read live state, run the rules, and say how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from policykit.lint.discover import discover
from policykit.lint.hush import hushed
from policykit.lint.judge import Options, loadable
from policykit.lint.run import Report, add, exit_code, lint_targets

if TYPE_CHECKING:
    from policykit.lint.baseline import Baseline
    from policykit.lint.fix import Wanted
    from policykit.lint.history import History
    from policykit.lint.judge import StateOf
    from policykit.lint.state import State
    from policykit.policy import EffectivePolicy
    from policykit.rules.fleet import Card

__all__ = ["Call", "Ended", "Options", "Report", "exit_code", "filed", "lint"]


class TakeState(Protocol):
    """Reads the live state of policies."""

    def __call__(self, policy: EffectivePolicy, /) -> tuple[State, tuple[str, ...]]:
        """Return the live state of a policy, and in a line each what could not be read."""
        ...

    def prepare(self, policies: Sequence[EffectivePolicy], /) -> None:
        """Read the live state of many policies at once."""
        ...


#: Searches git's history of the repositories that hold paths.
SearchHistory = Callable[[Sequence[str], Options], "History"]


class Call(NamedTuple):
    """What was asked for: paths, snapshot files, or a way to read live state."""

    paths: tuple[str, ...]
    states: tuple[str, ...] = ()
    take: TakeState | None = None
    #: Which fixes to make; with `diff` they are shown, and nothing is written.
    fix: Wanted | None = None
    diff: bool = False
    #: What was there before, and the file that is to hold what is there now.
    baseline: Baseline | None = None
    write_baseline: str | None = None
    #: Searches git's history, too.
    history: SearchHistory | None = None
    #: The public keys of which one must have signed each snapshot; none: signatures are not looked at.
    signers: tuple[Any, ...] = ()


class Ended(NamedTuple):
    """How a lint ended: the report, the exit code, and what is to be said about the call itself, a line each.

    `notes` are said and change nothing. `diff` and `baseline` are what was asked for in the place of writing, and to be
    written.
    """

    report: Report
    code: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    diff: str | None = None
    baseline: str | None = None


def lint(call: Call, options: Options) -> Ended:
    """Lint what was asked for; with `fix`, mend what can be mended first."""
    found = discover(call.paths)
    problems = list(found.problems)
    unread: list[str] = []
    files = _read(call.states, call.signers, problems, unread)
    refused = bool(unread)
    state_of = _taken(call.take, unread) if call.take is not None else filed([state for _, state in files], refused)
    if call.take is not None:
        call.take.prepare(loadable(found.targets, options))
    report, cards = lint_targets(found.targets, options, state_of, alone=call.take is not None)
    problems += _strangers(files, cards) if cards or not report.findings else []
    notes: list[str] = []
    diff = None
    if call.fix:
        from policykit.lint.after import fixed

        report, diff, unwritten = fixed(call, found.targets, options, state_of, report, notes)
        problems += unwritten
    if call.history is not None:
        past = call.history(call.paths, options)
        add(report, past.findings, options)
        report.versions = past.versions
        problems += past.problems
        notes += past.notes
    baseline = None
    if call.baseline or call.write_baseline:
        from policykit.lint.after import noted

        if problems and call.write_baseline:
            notes.append(f"the baseline {call.write_baseline} is not written; mend the call first")
            call = call._replace(write_baseline=None)
        baseline = noted(call, options, report, notes)
    report.findings = [hushed(finding) for finding in report.findings]
    report.unreachable |= refused or any(state.snapshot.errors for _, state in files)
    code = 2 if problems else exit_code(report, options)
    if diff and code != 2:
        code = 1
    return Ended(report, code, (*problems, *unread), tuple(notes), diff, baseline)


def _taken(take: TakeState, unread: list[str]) -> StateOf:
    """Return what takes the live state of each policy, once."""
    known: dict[str, tuple[State, bool]] = {}

    def state_of(policy: EffectivePolicy) -> tuple[State, bool]:
        if policy.file not in known:
            state, lines = take(policy)
            unread.extend(lines)
            known[policy.file] = (state, bool(lines or state.snapshot.errors))
        return known[policy.file]

    return state_of


def filed(states: Sequence[State], refused: bool) -> StateOf:
    """Return what gives each policy the snapshots of its keys and its account, joined into one.

    `refused`: there was one that could not be read.
    """

    def state_of(policy: EffectivePolicy) -> tuple[State | None, bool]:
        from policykit.lint.state import State
        from policykit.snapshot import belonging, merge

        model = policy.model
        mine = [
            (s, found[0])
            for s in states
            if (found := belonging([s.snapshot], model.exchange, model.account.name, policy.name))
        ]
        if not mine:
            given = bool(states) or refused
            words = "a snapshot that was given was not read" if refused else ""
            return (_none_of(model, State, words) if given and not policy.profile and model.keys else None), False
        missing = dict.fromkeys(name for s, _ in mine for name in s.missing)
        return State(merge([found for _, found in mine]), tuple(missing)), False

    return state_of


def _none_of(model: Any, state: type[State], words: str) -> State:
    """Return what is known of an account of which no snapshot was read though some were given: that it is unknown."""
    from policykit.snapshot import Snapshot

    words = words or f"no snapshot that was given is of {model.exchange}, account {model.account.name}"
    errors = [{"key": name, "code": "NOT_READ", "message": words} for name in model.keys]
    unknown = dict.fromkeys(("equity", "balances", "positions", "open_orders", "withdrawal_addresses"), words)
    return state(Snapshot("", model.exchange, account={"unknown": unknown}, errors=errors))


def _read(
    files: Sequence[str], signers: Sequence[Any], problems: list[str], unread: list[str]
) -> list[tuple[str, State]]:
    """Read snapshot files; one that speaks of another key of the same name is a problem, one that cannot be read not:

    `unread` says so, and what it was to tell is unknown.
    """
    if not files:
        return []
    from policykit.lint.state import StateUnreadable, read_state

    read: list[tuple[str, State]] = []
    ids: dict[tuple[str | None, ...], tuple[str, str]] = {}
    for file in files:
        try:
            read.append((file, read_state(file, signers)))
        except StateUnreadable as error:
            unread.append(f"live state was not read: {error}")
    for file, state in read:
        said = state.snapshot
        for key in said.keys:
            whose = (said.exchange, said.account_name, said.policy, key.name)
            known, other = ids.setdefault(whose, (key.id, file))
            if "" not in (known, key.id) and known != key.id:
                problems.append(
                    f"{file}: its key `{key.name}` is not the key of that name in {other}; one report of each key is"
                    " needed; lint each policy with its own snapshot, and leave out what was rotated away"
                )
    return read


def _strangers(files: Sequence[tuple[str, State]], cards: Sequence[Card]) -> list[str]:
    """Return a line for each snapshot of an exchange, or of an account, that no policy is about."""
    exchanges = sorted({card.exchange for card in cards})
    needed = ", ".join(exchanges) or "no exchange (only profiles are here)"
    lines: list[str] = []
    for file, state in files:
        said = state.snapshot
        if said.exchange not in ("", *exchanges):
            lines.append(f"{file}: a snapshot of {said.exchange}; one of {needed} is needed")
            continue
        accounts = sorted({card.account for card in cards if said.exchange in ("", card.exchange)})
        if accounts and said.account_name not in (None, *accounts):
            one_of = ", ".join(accounts)
            lines.append(f"{file}: a snapshot of the account {said.account_name}; one of {one_of} is needed")
    return lines
