"""Mutate every policy of a call that has tests: what came of it, and a test for each mutant that none noticed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from policykit.errors import PolicykitError
from policykit.policy import EffectivePolicy
from policykit.policy.show import flow, scalar
from policykit.proofs.mutation.mutants import Mutant
from policykit.proofs.mutation.rows import Test, base, signed, tests, text
from policykit.proofs.mutation.run import Mutation, Progress, mutate
from policykit.proofs.mutation.world import World
from policykit.proofs.suite import Suite, SuiteError, load_suite, run
from policykit.proofs.suite.discover import find
from policykit.proofs.suite.reading import read_suite
from policykit.source import read

#: The name of tests that are made here, and written nowhere yet.
_SUGGESTED: Final = "suggested.test.yaml"
_HEAD: Final = """# Made by policykit test --mutate --write: each of these notices a change that no other test did.
# Keep what you mean, and say it in your own words."""


@dataclass(slots=True)
class Mutated:
    """What came of a call. `problems` are lines with places; `suggested` has a test by the text of a survivor."""

    mutations: list[Mutation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    suggested: dict[tuple[str, str], Test] = field(default_factory=dict)

    def suggestion(self, mutation: Mutation, mutant: Mutant) -> Test | None:
        """Return a test that notices a mutant, where one is known."""
        return self.suggested.get((mutation.name, str(mutant)))


def mutate_all(paths: tuple[str, ...], progress: Progress | None = None) -> Mutated:
    """Mutate the policies of all test files of paths; several files of one policy count together."""
    found = find(paths)
    out = Mutated(problems=list(found.problems))
    groups: dict[tuple[str, str], list[tuple[Suite, EffectivePolicy]]] = {}
    for file in found.files:
        try:
            suite, policy = load_suite(file)
        except SuiteError as error:
            out.problems += error.problems
            continue
        groups.setdefault((suite.policy, repr(suite.added)), []).append((suite, policy))
    for number, loaded in enumerate(groups.values(), 1):
        mutation = mutate([suite for suite, _ in loaded], loaded[0][1])
        out.mutations.append(mutation)
        for mutant, test in _suggestions(mutation):
            out.suggested[mutation.name, str(mutant)] = test
        if progress is not None:
            progress(number, len(groups))
    return out


def _suggestions(mutation: Mutation) -> list[tuple[Mutant, Test]]:
    """Return for each survivor the boundary case that notices it; none for one that no case does."""
    if not mutation.survivors:
        return []
    made, suite = suggested(mutation.policy)
    by_name = {test["name"]: test for test in made}
    out = []
    for mutant in mutation.survivors:
        try:
            failed = run(suite, mutant.effective, first_failure=True).failed
        except (PolicykitError, SuiteError):  # no bot can start with the key that the file names
            if signed(suite.key) in by_name:
                out.append((mutant, by_name[signed(suite.key)]))
            continue
        if failed:
            out.append((mutant, by_name[failed[0].test.name]))
    return out


def suggested(policy: EffectivePolicy) -> tuple[list[Test], Suite]:
    """Return the boundary cases of a policy as tests, those that it passes, each with all that is known in it."""
    world = World(policy)
    given = base(world)
    made = [{**test, "given": {**given, **test.get("given", {})}} for test in tests(world)]
    said = _key(world.key)
    suite = read_suite(read(text(made, {}, "# made from the policy", said), _SUGGESTED))
    failed = {result.test.name for result in run(suite, policy).failed}
    made = [test for test in made if test["name"] not in failed]
    return made, read_suite(read(text(made, {}, "# made from the policy", said), _SUGGESTED))


def _key(key: str | None) -> str:
    """Return the line of a test file that names the key that orders are signed with, if there is one."""
    return f"key: {scalar(key)}" if key else ""


def write_suggested(mutated: Mutated, file: Path) -> list[str]:
    """Write the tests that notice what survived, of one policy, to a new file; return what is wrong with the call."""
    if len(mutated.mutations) != 1:
        return [f"--write: {len(mutated.mutations)} policies were mutated; one is needed"]
    (mutation,) = mutated.mutations
    chosen = [test for m in mutation.survivors if (test := mutated.suggestion(mutation, m)) is not None]
    once = list({test["name"]: test for test in chosen}.values())
    if not once:
        return []
    policy = os.path.relpath(mutation.suites[0].policy, file.parent)
    added = mutation.suites[0].added
    key = _key(World(mutation.policy).key)
    said = f"policy: {scalar(policy)}" + (f"\nwith: {flow(added)}" if added else "") + (f"\n{key}" if key else "")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text(once, {}, _HEAD, said))
    except FileExistsError:
        return [f"{file}: it is there already; the name of a new file is needed"]
    except OSError as error:
        return [f"{file}: it cannot be written ({error.strerror}); a file that can be is needed"]
    return []
