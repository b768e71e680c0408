"""How policies differ, exactly: each field's verdict, what it rests on, and an order that both decide otherwise.

The verdicts come from the strictness of the fields (`policy.compare`), are corrected by what the limits around a field
let through anyway (effects.py), and every one that an order can show is shown by one that both policies decided
(flips.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from policykit.place import Place
from policykit.policy import Change, EffectivePolicy
from policykit.policy.meaning import Verdict
from policykit.proofs.diff.effects import Effects
from policykit.proofs.diff.flips import MAX_TRIED, Flips
from policykit.proofs.difference import ABSENT, Difference, FieldChange, PolicyDifference
from policykit.proofs.revisions import Side

#: Worst first.
ORDER: Final[tuple[Verdict, ...]] = ("looser", "different", "tighter", "equal")
_SAME: Final = "both say the same of every field that bounds anything, and a decision is made of these alone"


def diff(old: EffectivePolicy, new: EffectivePolicy, now_ms: int | None = None) -> PolicyDifference:
    """Return how one policy differs from another. `now_ms`: a waiver that is expired then makes nothing looser."""
    effects = Effects(old, new)
    changes = effects.changes(now_ms)
    flips = Flips(old, new)
    fields = tuple(sorted((_field(flips, c, effects.cause(c)) for c in changes), key=_worst))
    whole = overall(one.verdict for one in fields)
    proof = ""
    if whole == "equal":
        proofs = [f"{one.path}: {one.why}" for one in fields]
        proof = "; ".join([_SAME, *proofs]) if proofs else _SAME
    return PolicyDifference(new.name, old, new, whole, fields, proof)


def verdict(old: EffectivePolicy, new: EffectivePolicy, now_ms: int | None = None) -> Verdict:
    """Return the verdict of the whole alone, without looking for orders that show it."""
    return overall(change.verdict for change in Effects(old, new).changes(now_ms))


def differences(old: Side, new: Side, now_ms: int | None = None) -> Difference:
    """Return how all policies of two sides differ: paired by their paths, then by name; worst first."""
    found = [replace(_one(was, now, now_ms), before=_before(old, new, was, now)) for was, now in pairs(old, new)]
    found.sort(key=lambda one: (ORDER.index(one.verdict), one.name))
    return Difference(old.name, new.name, tuple(found), (*old.faults, *new.faults))


def pairs(old: Side, new: Side) -> Iterator[tuple[EffectivePolicy | None, EffectivePolicy | None]]:
    """Yield each policy with what it was; None: there is none. A profile that came or went is nobody's policy.

    One that does not load on one side is there all the same: it is not compared, and its faults say why.
    """
    if old.kind == new.kind == "file" and (old.policies or old.broken) and (new.policies or new.broken):
        yield from zip(old.policies.values(), new.policies.values(), strict=False)
        return
    gone = {path: one for path, one in old.policies.items() if path not in {*new.policies, *new.broken}}
    for path, one in new.policies.items():
        if path in old.broken:
            continue
        if path in old.policies:
            yield old.policies[path], one
            continue
        was = _renamed(gone, one)
        if was is not None:
            yield gone.pop(was), one
        elif not one.profile:
            yield None, one
    yield from ((one, None) for one in gone.values() if not one.profile)


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a whole from those of its parts."""
    said = set(verdicts) - {"equal"}
    if not said:
        return "equal"
    return said.pop() if len(said) == 1 else "different"


def _renamed(gone: dict[str, EffectivePolicy], one: EffectivePolicy) -> str | None:
    """Return the path that a policy had before: the only one of its name that is no longer there."""
    paths = [path for path, was in gone.items() if was.name == one.name and was.profile == one.profile]
    return paths[0] if len(paths) == 1 else None


def _before(olds: Side, news: Side, old: EffectivePolicy | None, new: EffectivePolicy | None) -> str:
    """Return the path and the name that a policy had, where they are others now."""
    if old is None or new is None:
        return ""
    was = next(path for path, one in olds.policies.items() if one is old)
    now = next(path for path, one in news.policies.items() if one is new)
    moved = was != now and not olds.kind == news.kind == "file"
    return " ".join((*([old.name] if old.name != new.name else []), *([f"at {was}"] if moved else [])))


def _one(old: EffectivePolicy | None, new: EffectivePolicy | None, now_ms: int | None) -> PolicyDifference:
    if old is not None and new is not None:
        return diff(old, new, now_ms)
    if old is not None:
        text = "the policy was taken away: nothing that it denied is denied any more"
        return PolicyDifference(old.name, old, None, "looser", (), text)
    assert new is not None
    return PolicyDifference(new.name, None, new, "tighter", (), "the policy is new: it takes the place of none")


def _field(flips: Flips, change: Change, cause: str) -> FieldChange:
    meta, judged = change.meta, change.verdict
    held_by, guide = (meta.held_by, meta.guide) if meta is not None else ((), ())
    flip = back = None
    if judged != "equal" and not change.identity:
        flip = flips.flip(change, loosens=judged != "tighter")
        back = flips.flip(change, loosens=False) if judged == "different" else None
    # A market that people know says more than the first one that the patterns let through.
    shown = flip is not None and change.path == "risk.symbols" and judged != "different"
    said = (cause, "" if shown else change.why, "" if flip or judged == "equal" else unshown(flips, change))
    why = "; ".join(text for text in said if text)
    places = _place(flips.old, change.path, change.was), _place(flips.new, change.path, change.now)
    return FieldChange(change.path, judged, change.was, change.now, *places, held_by, guide, flip, why, back)


def unshown(flips: Flips, change: Change) -> str:
    """Say why no order shows a change."""
    if change.identity:
        return ""
    if change.path == "waivers":
        return "a waiver accepts a finding, and never an order that a limit denies"
    held = change.meta.held_by if change.meta is not None else ()
    if not any(holder.startswith("check:") for holder in held):
        doc = change.meta.doc.rstrip(".") if change.meta is not None else change.path
        return f"no order shows it; it is held by {_holders(held)}: {doc[:1].lower()}{doc[1:]}"
    if not flips.possible:
        return "no order shows it: a profile trades nothing, and policies of other accounts judge other orders"
    return f"no order was found that shows it, of at most {MAX_TRIED} tried at the bounds of both policies"


def _holders(held: tuple[str, ...]) -> str:
    """Return `the guard (approvals) and lint (PK102, PK7xx)`."""
    kinds = (("the guard", "guard:"), ("lint", "rule:"))
    said = [(who, [one.removeprefix(kind) for one in held if one.startswith(kind)]) for who, kind in kinds]
    return " and ".join(f"{who} ({', '.join(names)})" for who, names in said if names) or "persons"


def _place(policy: EffectivePolicy, path: str, said: str) -> Place | None:
    if said == ABSENT:
        return None
    try:
        return policy.place(path)
    except LookupError:
        return None


def _worst(one: FieldChange) -> tuple[int, str]:
    return ORDER.index(one.verdict), one.path
