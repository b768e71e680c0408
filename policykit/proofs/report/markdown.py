"""`--format markdown`, the comment of a pull request: the verdict, what each change does to orders, who must agree."""

from __future__ import annotations

from itertools import accumulate
from pathlib import PurePosixPath
from shlex import quote
from typing import Final

from policykit.clock import iso
from policykit.lint.report.markdown import code, text
from policykit.lint.report.quote import clean, mask
from policykit.place import Place
from policykit.proofs.difference import Difference, FieldChange, PolicyDifference, Replayed
from policykit.proofs.gate import Consent
from policykit.proofs.report import Style
from policykit.proofs.report.replayed import notes, unsure
from policykit.proofs.report.words import (
    VERDICTS,
    commands,
    counted,
    effect,
    equals,
    group,
    of_moved,
    of_policy,
    ranked,
    recorded,
    what,
)

#: A comment may have 65,536 characters; what does not fit is counted.
MAX_CHARACTERS: Final = 60_000
#: The first line, by which the action finds the comment that it wrote before (actions/diff/pull_request.py).
MARK: Final = "<!-- policykit diff -->"
#: Commands that are written out, to try an order by hand.
MAX_COMMANDS: Final = 12
_HEAD: Final = "| | field | was | now | what it does |\n|---|---|---|---|---|\n"


def write(difference: Difference, style: Style) -> str:
    """Return the comment: what a reviewer needs to know first, folded what can wait."""
    consents = {one.file: one for one in style.consents or ()}
    changed = [one for one in ranked(difference) if one.verdict != "equal"]
    equal = [one for one in ranked(difference) if one.verdict == "equal"]
    parts = [MARK, f"### policykit diff: {_title(difference, style)}"]
    parts.append(f"{code(_named(difference.old))} → {code(_named(difference.new))}: {_count(difference)}")
    parts += _faults(difference)
    if difference.replayed is not None:
        parts += _replayed(difference.replayed)
    room = (MAX_CHARACTERS - sum(map(len, parts))) // max(1, len(changed)) - 1_000
    for one in changed:
        parts += _policy(one, consents.get(one.file), room)
    if equal:
        rows = "\n".join(f"- {text(', '.join(names))}: {text(proof)}" for proof, names in equals(difference).items())
        rows = rows[: MAX_CHARACTERS // 8]
        parts += [f"<details><summary>{len(equal)} proved equal</summary>", rows, "</details>"]
    parts += _commands(changed)
    return _whole(parts)


def _title(difference: Difference, style: Style) -> str:
    if difference.faults:
        return "a policy does not load"
    missing = [one for one in style.consents or () if one.why]
    looser = [one for one in difference.policies if one.verdict in ("looser", "different")]
    if not difference.policies:
        return "no policies"
    if not looser:
        return "nothing is looser"
    many = f"{len(looser)} {'policy is' if len(looser) == 1 else 'policies are'} looser"
    if style.consents is None:
        return many
    return f"{many}, {len(missing)} not approved" if missing else f"{many}, approved"


def _named(side: str) -> str:
    """Shorten the full name of a commit as git does."""
    return side[:12] if len(side) == 40 and set(side) <= set("0123456789abcdef") else side


def _count(difference: Difference) -> str:
    many = len(difference.policies)
    return f"{many} {'policy' if many == 1 else 'policies'}: {counted(one.verdict for one in difference.policies)}"


def _faults(difference: Difference) -> list[str]:
    rows = [f"- {code(str(fault.primary))} {fault.rule}: {text(fault.message)}" for fault in difference.faults]
    return ["**What does not load is not compared:**\n\n" + "\n".join(rows[:50])] if rows else []


def _policy(one: PolicyDifference, consent: Consent | None, room: int) -> list[str]:
    parts = [f"#### {text(of_policy(one))} {what(one)}" if one.old is None or one.new is None else _heading(one)]
    if consent is not None:
        parts.append(_needs(one, consent))
    fields = sorted(one.fields, key=lambda field: VERDICTS.index(field.verdict))
    rows = [_row(field) for field in fields]
    kept = sum(1 for size in accumulate(len(row) for row in rows) if size <= room)
    if kept:
        parts.append(_HEAD + "\n".join(rows[:kept]))
    if kept < len(rows):
        parts.append(f"... and {len(rows) - kept:,} more fields")
    return parts


def _heading(one: PolicyDifference) -> str:
    return f"#### {text(of_moved(one))}: {what(one)}"


def _needs(one: PolicyDifference, consent: Consent) -> str:
    if not consent.why:
        return f"**Approved** by {', '.join(code(name) for name in consent.agreed)}."
    who = ", ".join(code(name) for name in consent.may)
    asked = f"**Needs** {consent.needed} of {who}: {text(consent.why)}." if who else f"**Needs**: {text(consent.why)}."
    if one.new is None or not who:
        return asked
    beside = PurePosixPath(one.new.file).with_name(f"{one.name}.approval")
    sign = f"policykit approve policy {quote(one.new.file)} --by NAME --why TEXT --sign KEY -o {quote(str(beside))}"
    return f"{asked} An approving review by one of them, or a signature: {code(sign)}"


def _row(field: FieldChange) -> str:
    guide = f" {', '.join(field.guide)}" if field.guide else ""
    place = field.now_at or field.was_at
    verdict = f"**{field.verdict}**" if field.verdict in ("looser", "different") else field.verdict
    cells = (
        verdict,
        code(field.path) + guide + (f"<br>{_place(place)}" if place is not None else ""),
        code(mask(field.was)),
        code(mask(field.now)),
        text(clean(effect(field))),
    )
    return f"| {' | '.join(cells)} |"


def _place(place: Place) -> str:
    return code(f"{place.file}:{place.line}")


def _replayed(replayed: Replayed) -> list[str]:
    since, until = (iso(at)[:10] if at is not None else "" for at in (replayed.since_ms, replayed.until_ms))
    span = f" of {since} to {until}" if since else ""
    head = f"**Replayed**: {replayed.decisions:,} recorded decisions{span} from {code(replayed.source)}"
    found = f"{replayed.changed:,} would change" if replayed.groups else "none of these is known to change"
    if not replayed.groups and not replayed.unsure:
        found = "none of these would change" if replayed.decisions else "it says nothing of this change"
    rows = [f"{head}: {found}{unsure(replayed)}.", ""]
    for one in replayed.groups:
        shown = "".join(f"<br>{text(recorded(each, one.currency))}" for each in one.examples[:3])
        strong = f"**{text(group(one))}**" if one.becomes == "allow" else text(group(one))
        rows.append(f"- {strong} ({code(one.check)}){shown}")
    said = [text(clean(note)) for note in notes(replayed)]
    rows += [f"- **{note}**" if note.startswith("INCOMPLETE") else f"- {note}" for note in said]
    return ["\n".join(rows).rstrip()]


def _commands(changed: list[PolicyDifference]) -> list[str]:
    lines = [line for one in changed for line in commands(one, *one.of("looser", "different"))]
    if not lines:
        return []
    shown = "\n".join(line.replace("```", "'''") for line in lines[:MAX_COMMANDS])
    return ["<details><summary>decide these orders yourself</summary>", f"```sh\n{shown}\n```", "</details>"]


def _whole(parts: list[str]) -> str:
    """Join parts as long as they fit; what is left out is said."""
    kept, size = [], 0
    for part in parts:
        size += len(part) + 2
        if size > MAX_CHARACTERS:
            kept.append("... the rest is too long for a comment: see `policykit diff`")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"
