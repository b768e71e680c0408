"""`--format text`: what differs, the worst first, with an order that shows it and the command that decides it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policykit.lint.report.quote import clean
from policykit.place import Place
from policykit.proofs.difference import Difference, FieldChange, PolicyDifference
from policykit.proofs.report import Style
from policykit.proofs.report.replayed import lines
from policykit.proofs.report.words import agreed, commands, counted, equals, flipped, of_moved, ranked, what

_COLOURS: Final = {"looser": "1;31", "different": "33", "tighter": "32", "equal": "2"}
#: The longest value that is shown, in characters.
MAX_VALUE: Final = 200


def write(difference: Difference, style: Style) -> str:
    """Return the difference for a terminal."""
    blocks = [_head(difference)]
    blocks += [f"{clean(str(fault.primary))}: {fault.message}" for fault in difference.faults]
    blocks += ["\n".join(_policy(one, style)) for one in ranked(difference) if one.verdict != "equal"]
    blocks += [f"proved equal: {', '.join(names)}\n  {clean(proof)}" for proof, names in equals(difference).items()]
    if difference.replayed is not None:
        blocks.append("\n".join(lines(difference.replayed)))
    return "\n\n".join(blocks) + "\n"


def _head(difference: Difference) -> str:
    several = f"{len(difference.policies)} {'policy' if len(difference.policies) == 1 else 'policies'}"
    broken = f"; {_findings(len(difference.faults))} in policies that do not load" if difference.faults else ""
    said = counted(one.verdict for one in difference.policies) or "nothing to compare"
    return f"{clean(difference.old)} -> {clean(difference.new)}: {several}: {said}{broken}"


def _findings(count: int) -> str:
    return f"{count} finding{'' if count == 1 else 's'}"


def _paint(word: str, style: Style) -> str:
    return f"\x1b[{_COLOURS[word]}m{word}\x1b[0m" if style.colour else word


def _policy(one: PolicyDifference, style: Style) -> Iterator[str]:
    yield f"{of_moved(one)}: {what(one)}"
    yield from (f"  {clean(agreed(said))}" for said in style.consents or () if said.file == one.file)
    if one.proof:
        yield f"  {clean(one.proof)}"
    for field in one.fields:
        yield from _field(field, one, style)


def _field(field: FieldChange, one: PolicyDifference, style: Style) -> Iterator[str]:
    guide = f" ({', '.join(field.guide)})" if field.guide else ""
    yield f"  {_paint(field.verdict, style)} {field.path}: {_short(field.was)} -> {_short(field.now)}{guide}"
    places = [_place(place) for place in (field.was_at, field.now_at) if place is not None]
    if places:
        yield f"    at {' -> '.join(dict.fromkeys(places))}"
    if field.why:
        yield f"    {clean(field.why)}"
    if field.flip is not None:
        yield f"    {clean(flipped(field.flip))}"
        yield from (f"    $ {clean(line)}" for line in commands(one, field))


def _place(place: Place) -> str:
    return clean(str(place))


def _short(value: str) -> str:
    shown = clean(value)
    return shown if len(shown) <= MAX_VALUE else f"{shown[:MAX_VALUE]}..."
