"""The questions that the guide has for a vendor before it gets a key (G46)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from policykit.model import Vendor
    from policykit.rules.base import Inputs

#: The field of each answer, and the question in words.
QUESTIONS: Final[Mapping[str, str]] = {
    "asks_for": "what it asks for",
    "ip_restricted_keys": "whether it takes keys bound to addresses",
    "activity_logs": "whether it shows activity logs",
    "revocable_at_once": "whether it can be cut off at once",
    "second_factor": "whether its dashboard has a second factor",
    "incidents_disclosed": "whether it told of past incidents",
}

#: What a vendor asks for that disqualifies it, in words (G47).
NEVER: Final[Mapping[str, str]] = {
    "withdraw": "the withdraw permission",
    "secret": "the secret itself",
    "remote_access": "remote access",
}
#: An answer of no that does not pass, in words (G46).
BAD: Final[Mapping[str, str]] = {
    "ip_restricted_keys": "takes no keys bound to addresses",
    "revocable_at_once": "cannot be cut off at once",
    "second_factor": "has no second factor on its dashboard",
    "incidents_disclosed": "has not told of past incidents",
}
#: A review is as old as this at most where the policy does not say (`review_every`), ms.
REVIEW_EVERY_MS: Final = 365 * 86_400_000


def judged(vendor: Vendor) -> tuple[str, list[str]]:
    """Return what a review of its answers comes to, and why: passed, failed, or disqualified (G47)."""
    never = [f"asks for {NEVER[asked]}" for asked in vendor.asks_for or () if asked in NEVER]
    never += ["shows no log of what it did"] if vendor.activity_logs is False else []
    never += [f"did not answer {question}" for question in unanswered(vendor)]
    if never:
        return "disqualified", never
    bad = [text for field, text in BAD.items() if getattr(vendor, field) is False]
    return ("failed", bad) if bad else ("passed", [])


def unanswered(vendor: Vendor) -> list[str]:
    """Return the questions without an answer, in words."""
    return [question for field, question in QUESTIONS.items() if getattr(vendor, field) is None]


def held_by_vendors(inputs: Inputs) -> frozenset[str]:
    """Return the keys that vendors of the policy hold."""
    return frozenset(key for vendor in (inputs.model.vendors or {}).values() for key in vendor.keys or ())
