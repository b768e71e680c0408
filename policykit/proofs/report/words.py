"""What several formats of a difference say in the same words."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from typing import Final

from policykit.clock import iso
from policykit.decision import Reason
from policykit.engine.money import money
from policykit.proofs.difference import Difference, FieldChange, Flip, PolicyDifference, Recorded, ReplayGroup, Verdict
from policykit.proofs.gate import Consent
from policykit.telemetry.words import grouped, order_text

#: The worst first.
VERDICTS: Final[tuple[Verdict, ...]] = ("looser", "different", "tighter", "equal")


def ranked(difference: Difference) -> list[PolicyDifference]:
    """Return the policies, the worst first."""
    return sorted(difference.policies, key=lambda one: (VERDICTS.index(one.verdict), one.name))


def counted(verdicts: Iterable[Verdict]) -> str:
    """Return `2 looser, 1 tighter`."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def of_policy(one: PolicyDifference) -> str:
    """Name a policy with the account that it is for."""
    policy = one.new or one.old
    return f"{one.name} ({policy.account_key})" if policy is not None and not policy.profile else one.name


def what(one: PolicyDifference) -> str:
    """Say in a few words how a policy differs."""
    if one.old is None:
        return "is new"
    if one.new is None:
        return "was taken away"
    verdicts = [field.verdict for field in one.fields if field.verdict != "equal"]
    if not verdicts or set(verdicts) != {one.verdict}:
        return f"{one.verdict}: {counted(verdicts)}" if verdicts else one.verdict
    return f"{one.verdict} in {len(verdicts)} field{'' if len(verdicts) == 1 else 's'}"


def equals(difference: Difference) -> dict[str, list[str]]:
    """Return the names of the policies that are proved equal, by what the proof rests on."""
    found: dict[str, list[str]] = {}
    for one in ranked(difference):
        if one.verdict == "equal":
            found.setdefault(one.proof, []).append(of_policy(one))
    return found


def agreed(consent: Consent) -> str:
    """Say who agreed to a policy, or who is missing."""
    if not consent.why:
        return f"approved by {', '.join(consent.agreed)}"
    who = f" {consent.needed} of {', '.join(consent.may)}" if consent.may else ""
    return f"needs{who}: {consent.why}"


def flipped(flip: Flip) -> str:
    """Say which order two policies decide otherwise, and how: `BTC/USDT buy limit 0.034 @ 60,000 was denied ...`."""
    order = order_text(flip.order) or str(flip.order.get("action"))
    return f"{order}: {_decided('was', flip.was)}, {_decided('now', flip.now)}"


def _decided(when: str, reasons: tuple[Reason, ...]) -> str:
    if not reasons:
        return f"{when} allowed"
    first, more = reasons[0], len(reasons) - 1
    numbers = (
        f" ({grouped(first.observed)} of {grouped(first.limit)} {first.unit})" if first.observed and first.limit else ""
    )
    return f"{when} denied {first.code}{numbers}" + (f" and {more} more" if more else "")


def effect(field: FieldChange) -> str:
    """Say what a change does to orders, or why it does nothing to them."""
    return "; ".join(part for part in (flipped(field.flip) if field.flip else "", field.why) if part)


def command(flip: Flip, file: str) -> str:
    """Return the command that decides the order under a policy's file."""
    said = ("--order", json.dumps(flip.order), "--facts", json.dumps(flip.facts), "--now", iso(flip.now_ms))
    return shlex.join(("policykit", "check", file, *said))


def group(found: ReplayGroup) -> str:
    """Say how many recorded orders change by one check, and what they are worth."""
    worth = f", {money(found.money, found.currency)}" if found.money else ""
    become = "denied orders would be allowed" if found.becomes == "allow" else "allowed orders would be denied"
    return f"{found.decisions:,} {become}{worth}: {found.code}"


def recorded(one: Recorded, currency: str) -> str:
    """Name one recorded order: when, what, worth what."""
    worth = f" ({money(one.money, currency)})" if one.money is not None else ""
    return f"{iso(one.at_ms)[:19]}Z {order_text(one.order)}{worth}, decision {one.decision}"
