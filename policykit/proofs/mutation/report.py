"""What `policykit test --mutate` says: the score, each survivor on its line with a test that notices it, the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from policykit.lint.report.quote import clean, forget
from policykit.proofs.mutation.all_of import Mutated
from policykit.proofs.mutation.mutants import Mutant
from policykit.proofs.mutation.rows import lines
from policykit.proofs.mutation.run import Mutation
from policykit.proofs.suite.report import Style
from policykit.proofs.suite.report.text import drawn

#: The most survivors of one policy that are drawn.
MAX_SHOWN: Final = 50


def as_text(mutated: Mutated, style: Style) -> str:
    """Return the report for people; with `style.coverage` also what is equivalent, and what decides no order."""
    forget()
    out: list[str] = []
    for mutation in mutated.mutations:
        out += _survivors(mutated, mutation, style)
        out += _rest(mutation) if style.coverage else ()
    out += [_summary(mutation) for mutation in mutated.mutations]
    return "\n".join([*out, f"{style.seconds:.1f} s", ""])


def _survivors(mutated: Mutated, mutation: Mutation, style: Style) -> Iterator[str]:
    shown: set[str] = set()
    for mutant in mutation.survivors[:MAX_SHOWN]:
        yield f"survives: {clean(str(mutant))}"
        yield f"  --> {clean(str(mutant.place))}"
        yield from drawn(mutant.place, f"with {mutant.now} every test passes", style)
        test = mutated.suggestion(mutation, mutant)
        if test is None:
            yield "  no boundary case notices it; it takes a test of your own"
        elif test["name"] in shown:
            yield f"  noticed by the test above, {clean(test['name'])}"
        else:
            shown.add(test["name"])
            yield "  a test that notices it:"
            yield from (f"    {clean(line)}" for line in lines(test))
        yield ""
    if len(mutation.survivors) > MAX_SHOWN:
        yield f"... and {len(mutation.survivors) - MAX_SHOWN} more survivors; --format json has them all\n"


def _rest(mutation: Mutation) -> Iterator[str]:
    for mutant, proof in mutation.equivalent:
        yield f"equivalent: {clean(str(mutant))}: {proof}"
    for mutant, why in mutation.starting:
        yield f"changes who starts: {clean(str(mutant))}: {clean(why)}"
    for other in mutation.others:
        yield f"decides no order: {other.path}, held by {', '.join(other.held_by)}"
    yield ""


def _summary(mutation: Mutation) -> str:
    file = clean(mutation.name)
    if mutation.failed:
        names = ", ".join(clean(name) for name in mutation.failed[:3])
        return f"{file}: not mutated, {len(mutation.failed)} tests fail on the policy itself ({names})"
    noticed = f"{len(mutation.killed)} of {mutation.judged} mutants noticed, {mutation.score} %"
    rest = f"{len(mutation.equivalent)} equivalent, {len(mutation.others)} fields decide no order"
    starting = f", {len(mutation.starting)} change which bots start" if mutation.starting else ""
    return f"{file}: {noticed}; {rest}{starting}"


def as_json(mutated: Mutated) -> str:
    """Return the report as JSON, version 1."""
    policies = [_policy(mutated, mutation) for mutation in mutated.mutations]
    return json.dumps({"version": 1, "policies": policies, "problems": mutated.problems}, indent=2, ensure_ascii=False)


def _policy(mutated: Mutated, mutation: Mutation) -> dict[str, Any]:
    return {
        "policy": mutation.name,
        "tests": [suite.file for suite in mutation.suites],
        "failed": list(mutation.failed),
        "score": str(mutation.score),
        "killed": [{**_mutant(each.mutant), "by": each.by} for each in mutation.killed],
        "survivors": [{**_mutant(m), "test": mutated.suggestion(mutation, m)} for m in mutation.survivors],
        "equivalent": [{**_mutant(each.mutant), "proof": each.proof} for each in mutation.equivalent],
        "starting": [{**_mutant(each.mutant), "why": each.why} for each in mutation.starting],
        "not_of_orders": [{"path": o.path, "place": str(o.place), "held_by": list(o.held_by)} for o in mutation.others],
    }


def _mutant(mutant: Mutant) -> dict[str, str]:
    return {"path": mutant.path, "place": str(mutant.place), "was": mutant.was, "now": mutant.now}
