"""`--format json`, version 1: everything that was found, for programs (docs/diff.md)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from policykit.clock import iso
from policykit.decision import Reason
from policykit.place import Place
from policykit.policy import EffectivePolicy
from policykit.proofs.difference import Difference, FieldChange, Flip, PolicyDifference, Recorded, Replayed, ReplayGroup
from policykit.proofs.report import Style
from policykit.proofs.report.words import VERDICTS, ranked


def write(difference: Difference, style: Style) -> str:
    """Return the difference as one JSON object."""
    counts = Counter(one.verdict for one in difference.policies)
    data: dict[str, Any] = {
        "version": 1,
        "old": difference.old,
        "new": difference.new,
        "summary": {"policies": len(difference.policies), **{verdict: counts[verdict] for verdict in VERDICTS}},
        "policies": [_policy(one) for one in ranked(difference)],
        "faults": [{"rule": f.rule, "message": f.message, "place": _place(f.primary)} for f in difference.faults],
        "replayed": None if difference.replayed is None else replayed_data(difference.replayed),
    }
    if style.consents is not None:
        data["consents"] = [one._asdict() for one in style.consents]
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _policy(one: PolicyDifference) -> dict[str, Any]:
    return {
        "name": one.name,
        "verdict": one.verdict,
        "proof": one.proof,
        "old": _side(one.old),
        "new": _side(one.new),
        "fields": [_field(field) for field in one.fields],
    }


def _side(policy: EffectivePolicy | None) -> dict[str, str] | None:
    return None if policy is None else {"file": policy.file, "version": policy.version}


def _field(field: FieldChange) -> dict[str, Any]:
    return {
        "path": field.path,
        "verdict": field.verdict,
        "was": field.was,
        "now": field.now,
        "was_at": _place(field.was_at),
        "now_at": _place(field.now_at),
        "held_by": list(field.held_by),
        "guide": list(field.guide),
        "why": field.why,
        "flip": None if field.flip is None else _flip(field.flip),
        "back": None if field.back is None else _flip(field.back),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column, "path": place.path}


def _flip(flip: Flip) -> dict[str, Any]:
    was, now = ([_reason(reason) for reason in reasons] for reasons in (flip.was, flip.now))
    return {"order": flip.order, "facts": flip.facts, "at": iso(flip.now_ms), "was": was, "now": now}


def _reason(reason: Reason) -> dict[str, Any]:
    said = {"observed": reason.observed, "limit": reason.limit, "unit": reason.unit}
    place = {} if reason.place is None else {"place": str(reason.place)}
    numbers = {name: value for name, value in said.items() if value is not None}
    return {"code": reason.code, "check": reason.check, "message": reason.message, **numbers, **place}


def replayed_data(replayed: Replayed) -> dict[str, Any]:
    """Return what recorded decisions would be, as every report has it."""
    return {
        "source": replayed.source,
        "rows": replayed.rows,
        "decisions": replayed.decisions,
        "since": None if replayed.since_ms is None else iso(replayed.since_ms),
        "until": None if replayed.until_ms is None else iso(replayed.until_ms),
        "groups": [_group(found) for found in replayed.groups],
        "left": dict(replayed.left),
        "other": replayed.other,
        "assumed": list(replayed.assumed),
        "incomplete": replayed.incomplete,
        "interrupted": replayed.interrupted,
    }


def _group(found: ReplayGroup) -> dict[str, Any]:
    return {**found._asdict(), "money": str(found.money), "examples": [_recorded(one) for one in found.examples]}


def _recorded(one: Recorded) -> dict[str, Any]:
    money = None if one.money is None else str(one.money)
    said = {**one._asdict(), "order": dict(one.order), "money": money, "was": list(one.was), "now": list(one.now)}
    return {**said, "at": iso(said.pop("at_ms"))}
