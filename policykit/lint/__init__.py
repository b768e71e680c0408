"""Lint: find policies and sources, read live state, run the rules, and say how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policykit.lint.discover import discover
from policykit.lint.run import Options, Report, exit_code, finish, lint_policies, lint_sources, load_policies

if TYPE_CHECKING:
    from policykit.lint.state import State
    from policykit.policy import EffectivePolicy

__all__ = ["Call", "Ended", "Options", "Report", "exit_code", "lint"]

#: Reads the live state of a policy; the second value says in one line what could not be read.
TakeState = Callable[["EffectivePolicy"], "tuple[State, tuple[str, ...]]"]


class Call(NamedTuple):
    """What was asked for: paths, snapshot files, or a way to read live state."""

    paths: tuple[str, ...]
    states: tuple[str, ...] = ()
    take: TakeState | None = None


class Ended(NamedTuple):
    """How a lint ended: the report, the exit code, and what is to be said about the call itself, a line each."""

    report: Report
    code: int
    problems: tuple[str, ...] = ()


def lint(call: Call, options: Options) -> Ended:
    """Lint what was asked for."""
    found = discover(call.paths)
    problems = list(found.problems)
    report = Report(options.now_ms)
    policies, broken, failed = load_policies([t for t in found.targets if t.kind == "policy"], options.now_ms)
    report.findings += broken
    states = _from_files(call.states, policies, problems)
    wrong = bool(problems)
    for policy in policies:
        if call.take is not None and not policy.profile:
            states[policy.file], lines = call.take(policy)
            problems += lines
            report.unreachable |= bool(lines)
    lint_policies(report, policies, states, options)
    report.policies += failed
    lint_sources(report, [t for t in found.targets if t.kind == "source"], options)
    report.unreachable |= any(s.snapshot.errors for s in states.values())
    return Ended(finish(report), 2 if wrong else exit_code(report, options), tuple(problems))


def _from_files(files: Sequence[str], policies: Sequence[EffectivePolicy], problems: list[str]) -> dict[str, State]:
    """Read snapshot files and give each policy those of its exchange, joined into one."""
    if not files:
        return {}
    from policykit.lint.state import State, StateUnreadable, read_state
    from policykit.snapshot import merge

    exchanges = {p.model.exchange for p in policies if not p.profile}
    read: list[State] = []
    for file in files:
        try:
            state = read_state(file)
        except StateUnreadable as error:
            problems.append(str(error))
            continue
        if policies and state.snapshot.exchange not in ("", *exchanges):
            of, needed = state.snapshot.exchange, ", ".join(sorted(exchanges)) or "no exchange (only profiles are here)"
            problems.append(f"{file}: a snapshot of {of}; one of {needed} is needed")
        read.append(state)
    states: dict[str, State] = {}
    for policy in policies:
        mine = [s for s in read if s.snapshot.exchange in ("", policy.model.exchange)]
        if policy.profile or not mine:
            continue
        named = [replace(s.snapshot, exchange=policy.model.exchange) for s in mine]
        missing = dict.fromkeys(name for s in mine for name in s.missing)
        states[policy.file] = State(merge(named), tuple(missing))
    return states
