"""Star in findings what may be a secret: a name that a message quotes, or a path goes through, may be a pasted one."""

from __future__ import annotations

import re
from dataclasses import replace

from policykit.finding import Finding
from policykit.place import Place
from policykit.rules.credentials import random_run

#: A run of letters and digits that is looked at: paths of endpoints have slashes, ids in our own words are shorter.
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
#: Quotes addresses of coins, which are public and look the same.
_PUBLIC = "PK707"


def hushed(finding: Finding) -> Finding:
    """Return a finding as reports show it. A fix that would write what may be a secret is left out."""
    # INVARIANT I23: whatever a rule quotes of a file passes here on its way out.
    waiver: dict[str, str | None] = finding.extra.get("waiver", {})
    edits = finding.fix.edits if finding.fix else ()
    fixes = [text for edit in edits for text in (edit.text, edit.place.path)]
    around = [text for label, place in finding.context for text in (label, place.path)]
    said = (finding.message, finding.label, finding.next_step, finding.primary.path, *around, *waiver.values(), *fixes)
    if finding.rule == _PUBLIC or not any(text and star(text) != text for text in said):
        return finding
    return replace(
        finding,
        message=star(finding.message),
        label=star(finding.label),
        next_step=star(finding.next_step),
        primary=_place(finding.primary),
        context=tuple((star(label), _place(place)) for label, place in finding.context),
        fix=None if any(star(text) != text for text in fixes) else finding.fix,
        extra={**finding.extra, **({"waiver": {k: v and star(v) for k, v in waiver.items()}} if waiver else {})},
    )


def star(text: str) -> str:
    """Put stars in the place of each run that may be a secret."""
    return _RUN.sub(lambda run: "*" * len(run[0]) if random_run(run[0]) else run[0], text)


def _place(place: Place) -> Place:
    return place._replace(path=star(place.path))
