"""What a policy breaks of its invariants, as PK0 findings: lint prints them, a guard does not start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policykit.finding import Finding
from policykit.place import Place
from policykit.policy.counterexample import example
from policykit.policy.layers import Layer, nearest
from policykit.policy.never import Broken, Judged, prove
from policykit.source import Document, finding


def broken(layer: Layer, document: Document) -> Iterator[Finding]:
    """Yield a finding for each invariant that a composed policy breaks, at the highest stage at which it does."""
    seen: set[int] = set()
    for judged in prove(layer):
        if isinstance(judged.verdict, Broken) and judged.number not in seen:
            seen.add(judged.number)
            yield _finding(layer, document, judged, judged.verdict)


def _finding(layer: Layer, document: Document, judged: Judged, verdict: Broken) -> Finding:
    said = nearest(layer.places, f"never.{judged.number}") or Place(document.file)
    place = nearest(layer.places, verdict.path) or Place(document.file)
    context = [("what must never be", said)]
    if place.file != document.file or verdict.said == "nothing":
        if verdict.said != "nothing":
            context.append(("said here", place))
        own = document.key_places
        place = own.get("extends") or own.get("exchange") or Place(document.file)
    counter = example(layer, judged)
    what = f"{verdict.why}, and {said} says never: {verdict.statement}"
    unsaid = "what is not said bounds nothing" if verdict.said == "nothing" else "nothing in the policy rules it out"
    may = counter.says if counter is not None else unsaid
    at = f"at stage {judged.stage} " if judged.stage != "full-live" else ""
    one = finding(
        "PK024",
        place._replace(path=verdict.path),
        what,
        f"{at}{may}",
        do="tighten it; no waiver touches an invariant",
        label=f"breaks: {verdict.statement}",
    )
    extra = {} if counter is None or counter.order is None else {"order": counter.order, "facts": counter.facts}
    return replace(one, context=tuple(context), extra=extra)
