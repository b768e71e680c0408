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


def unanswered(vendor: Vendor) -> list[str]:
    """Return the questions without an answer, in words."""
    return [question for field, question in QUESTIONS.items() if getattr(vendor, field) is None]


def held_by_vendors(inputs: Inputs) -> frozenset[str]:
    """Return the keys that vendors of the policy hold."""
    return frozenset(key for vendor in (inputs.model.vendors or {}).values() for key in vendor.keys or ())
