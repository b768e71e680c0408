"""What an edited file is held to: no finding that was not there before, no limit that is looser."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable

from policykit.finding import Finding
from policykit.lint.judge import FILE_FAMILY
from policykit.policy import EffectivePolicy, Layer, compose, version

#: Codes up to this one are found in one file alone; those after it only once all files of a policy can be read.
LAST_OF_ONE_FILE = "PK012"
#: The finding of a composition that a limit is looser than the layer above allows.
LOOSER = "PK021"


def new_findings(before: Iterable[Finding], after: Iterable[Finding], edited: Collection[str]) -> list[Finding]:
    """Return the findings that were not there before, wherever their lines are now.

    Where a file could not be read, the rules had not looked at it: what they say now was there before. Only faults of
    the edited files themselves (up to PK012) would have been seen.
    """
    before = list(before)
    known = Counter(key(f) for f in before)
    hidden = any(f.rule.startswith(FILE_FAMILY) for f in before)
    fresh: list[Finding] = []
    for finding in after:
        mine = key(finding)
        if known[mine] > 0:
            known[mine] -= 1
        elif not hidden or (
            finding.rule.startswith(FILE_FAMILY)
            and finding.rule <= LAST_OF_ONE_FILE
            and os.path.realpath(finding.primary.file) in edited
        ):
            fresh.append(finding)
    return fresh


def key(finding: Finding) -> tuple[str, str, str]:
    """Return what a finding is known by while lines move: rule, file, path, `*` for each place in a list."""
    path = ".".join("*" if part.isdigit() else part for part in finding.primary.path.split("."))
    return (finding.rule, finding.primary.file, path)


def looser(before: EffectivePolicy, after: EffectivePolicy) -> bool:
    """Tell whether a policy allows what the earlier one did not: laid over that one, it must come out as it is."""
    above, below = (Layer(p.composed.model_copy(update={"waivers": ()}), p.origins) for p in (before, after))
    met, clashes = compose(above, below)
    return any(f.rule == LOOSER for f in clashes) or version(met.model) != version(below.model)
