"""Lint: find policies, sources and settings, read live state, run the rules, and say how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policykit.lint.discover import discover
from policykit.lint.hush import hushed
from policykit.lint.judge import Options
from policykit.lint.run import Report, add, exit_code, lint_targets

if TYPE_CHECKING:
    from policykit.lint.baseline import Baseline
    from policykit.lint.fix import Wanted
    from policykit.lint.history import History
    from policykit.lint.judge import StateOf
    from policykit.lint.state import State
    from policykit.policy import EffectivePolicy
    from policykit.rules.fleet import Card

__all__ = ["Call", "Ended", "Options", "Report", "exit_code", "lint"]

#: Reads the live state of a policy; the second value says in one line what could not be read.
TakeState = Callable[["EffectivePolicy"], "tuple[State, tuple[str, ...]]"]
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
    files = _read(call.states, problems)
    unread: list[str] = []
    state_of = _taken(call.take, unread) if call.take is not None else _filed([state for _, state in files])
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
    report.unreachable |= any(state.snapshot.errors for _, state in files)
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


def _filed(states: Sequence[State]) -> StateOf:
    """Return what gives each policy the snapshots of its exchange, joined into one."""

    def state_of(policy: EffectivePolicy) -> tuple[State | None, bool]:
        mine = [s for s in states if s.snapshot.exchange in ("", policy.model.exchange)]
        if not mine:
            return None, False
        from policykit.lint.state import State
        from policykit.snapshot import merge

        named = [replace(s.snapshot, exchange=policy.model.exchange) for s in mine]
        missing = dict.fromkeys(name for s in mine for name in s.missing)
        return State(merge(named), tuple(missing)), False

    return state_of


def _read(files: Sequence[str], problems: list[str]) -> list[tuple[str, State]]:
    """Read snapshot files; one that cannot be read, or that speaks of another key of the same name, is a problem."""
    if not files:
        return []
    from policykit.lint.state import StateUnreadable, read_state

    read: list[tuple[str, State]] = []
    ids: dict[tuple[str, str], tuple[str, str]] = {}
    for file in files:
        try:
            read.append((file, read_state(file)))
        except StateUnreadable as error:
            problems.append(str(error))
    for file, state in read:
        for key in state.snapshot.keys:
            known, other = ids.setdefault((state.snapshot.exchange, key.name), (key.id, file))
            if "" not in (known, key.id) and known != key.id:
                problems.append(
                    f"{file}: its key `{key.name}` is not the key of that name in {other}; one report of each key is"
                    " needed; lint each policy with its own snapshot, and leave out what was rotated away"
                )
    return read


def _strangers(files: Sequence[tuple[str, State]], cards: Sequence[Card]) -> list[str]:
    """Return a line for each snapshot of an exchange that no policy is about."""
    exchanges = sorted({card.exchange for card in cards})
    needed = ", ".join(exchanges) or "no exchange (only profiles are here)"
    return [
        f"{file}: a snapshot of {state.snapshot.exchange}; one of {needed} is needed"
        for file, state in files
        if state.snapshot.exchange not in ("", *exchanges)
    ]
