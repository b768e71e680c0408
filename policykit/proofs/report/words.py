"""What several formats of a difference say in the same words."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.clock import iso
from policykit.decision import Reason
from policykit.engine.money import money
from policykit.proofs.difference import Difference, FieldChange, Flip, PolicyDifference, Recorded, ReplayGroup, Verdict
from policykit.proofs.gate import Consent
from policykit.telemetry.words import grouped, order_text
from policykit.units import plain

#: The worst first.
#: Fields whose flips a guard decides and `policykit check` does not.
_GUARDS: Final = ("keys.", "stage.")
#: Counters whose use is a number of things.
_COUNTED: Final = ("open_orders", "orders", "positions", "cancels")
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


def of_moved(one: PolicyDifference) -> str:
    """Name a policy with its account, and with the name and the path that it had before."""
    return f"{of_policy(one)}, which was {one.before}" if one.before else of_policy(one)


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
            found.setdefault(one.proof, []).append(of_moved(one))
    return found


def agreed(consent: Consent) -> str:
    """Say who agreed to a policy, or who is missing."""
    if not consent.why:
        return f"approved by {', '.join(consent.agreed)}"
    who = f" {consent.needed} of {', '.join(consent.may)}" if consent.may else ""
    return f"needs{who}: {consent.why}"


def flipped(flip: Flip) -> str:
    """Say which order two policies decide otherwise, and how: `BTC/USDT buy limit 0.034 @ 60,000: was denied ...`."""
    order = order_text(flip.order) or str(flip.order.get("action"))
    return f"{order}{_beside(flip)}: {_decided('was', flip.was)}, {_decided('now', flip.now)}"


def _beside(flip: Flip) -> str:
    """Say what of the facts matters beside the order: what is held, what is used, what was lost."""
    first = (*flip.was, *flip.now)[0]
    if "_loss" in first.check and first.observed and first.unit and first.unit.isupper():
        return f" after a loss of {grouped(first.observed)} {first.unit}"
    used = [(name.split("|"), count) for name, count in flip.facts.get("used", {}).items() if count]
    # Counters of exposure and of positions are kept in steps; how many of anything else is what people count.
    said = [
        f"{count:,} {name[1].replace('_', ' ').removesuffix('s' if count == 1 else '')}"
        for name, count in used
        if len(name) > 1 and name[1] in _COUNTED
    ]
    if said:
        return f" with {_few(said)} before it"
    sizes = ((key, _held(position)) for key, position in flip.facts.get("positions", {}).items())
    held = [f"{grouped(size)} {key}" for key, size in sizes if size]
    return f" while {_few(held)} is held" if held else ""


def _held(position: Any) -> str:
    """Return what is held of a position, the larger of the two that it may be; empty: nothing."""
    sizes = (
        [position[name] for name in ("held", "low", "high") if name in position]
        if isinstance(position, Mapping)
        else [position]
    )
    largest = max((Decimal(str(size)) for size in sizes), key=abs, default=Decimal(0))
    return plain(largest) if largest else ""


def _few(said: list[str]) -> str:
    return said[0] + (f" and {len(said) - 1} more" if len(said) > 1 else "")


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


def commands(one: PolicyDifference, *fields: FieldChange) -> list[str]:
    """Return the commands that decide the orders of some fields under the new policy.

    None for what is said of a key or of a stage: `policykit check` knows no key, and decides as on paper.
    """
    told = (field.flip for field in fields if not field.path.startswith(_GUARDS))
    return [command(flip, one.new.file) for flip in told if flip is not None and one.new is not None]


def command(flip: Flip, file: str) -> str:
    """Return the command that decides the order under a policy's file."""
    said = ("--order", json.dumps(flip.order), "--facts", json.dumps(flip.facts), "--now", iso(flip.now_ms))
    return shlex.join(("policykit", "check", file, *said))


def group(found: ReplayGroup) -> str:
    """Say how many recorded orders change by one check, and what they are worth."""
    worth = f", {money(found.money, found.currency)}" if found.money else ""
    was, becomes = ("denied", "allowed") if found.becomes == "allow" else ("allowed", "denied")
    orders = "order" if found.decisions == 1 else "orders"
    return f"{found.decisions:,} {was} {orders} would be {becomes}{worth}: {found.code}"


def recorded(one: Recorded, currency: str) -> str:
    """Name one recorded order: when, what, worth what."""
    worth = f" ({money(one.money, currency)})" if one.money is not None else ""
    return f"{iso(one.at_ms)[:19]}Z {order_text(one.order)}{worth}, decision {one.decision}"
