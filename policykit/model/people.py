"""`withdrawals`, `account_security`, `vendors`, `incident`, `review`: what the exchange's page and people hold."""

from __future__ import annotations

from typing import Annotated, Literal

from policykit.model.base import LOWER, NEUTRAL, SUBSET, SUPERSET, TRUE, Meta, Section, ordered
from policykit.model.types import Date, DurationText, Line, Name, Person, Switch


class Withdrawals(Section):
    """Where money may be withdrawn to, by persons; no bot withdraws."""

    allowlist: Annotated[
        Literal["optional", "required"],
        Meta(
            "Whether the exchange must refuse other addresses.",
            ordered("optional", "required"),
            guide=("G42", "G44"),
            held_by=("rule:PK7xx",),
        ),
    ] = "required"
    addresses: Annotated[
        tuple[Line, ...] | None,
        Meta("The addresses that are known to be ours.", SUBSET, guide=("G42", "G44"), held_by=("rule:PK7xx",)),
    ] = None


class AccountSecurity(Section):
    """How a person logs in at the exchange."""

    second_factor: Annotated[
        Literal["none", "sms", "totp", "hardware_key"],
        Meta(
            "The second factor of the account.",
            ordered("none", "sms", "totp", "hardware_key"),
            guide=("G43",),
            held_by=("rule:PK7xx",),
        ),
    ]
    by: Annotated[Person | None, Meta("Who looked.", NEUTRAL)] = None
    at: Annotated[Date | None, Meta("When.", NEUTRAL)] = None


class Vendor(Section):
    """A third party that holds a key: the answers to G46's questions."""

    keys: Annotated[
        tuple[Name, ...] | None,
        Meta("The keys of this policy that it holds.", SUBSET, guide=("G46",), held_by=("rule:PK8xx",)),
    ] = None
    asks_for: Annotated[
        tuple[Literal["read", "trade", "transfer", "withdraw", "secret", "remote_access"], ...] | None,
        Meta(
            "What it asks for; withdraw, secret and remote_access disqualify.",
            SUBSET,
            guide=("G46", "G47"),
            held_by=("rule:PK8xx",),
        ),
    ] = None
    ip_restricted_keys: Annotated[
        Switch | None, Meta("Whether it takes keys bound to addresses.", TRUE, guide=("G46",), held_by=("rule:PK8xx",))
    ] = None
    activity_logs: Annotated[
        Switch | None, Meta("Whether it shows what it did.", TRUE, guide=("G46", "G47"), held_by=("rule:PK8xx",))
    ] = None
    revocable_at_once: Annotated[
        Switch | None,
        Meta("Whether it can be cut off without its support.", TRUE, guide=("G46",), held_by=("rule:PK8xx",)),
    ] = None
    second_factor: Annotated[
        Switch | None,
        Meta("Whether its own dashboard has a second factor.", TRUE, guide=("G46",), held_by=("rule:PK8xx",)),
    ] = None
    incidents_disclosed: Annotated[
        Switch | None, Meta("Whether it told of past incidents.", TRUE, guide=("G46",), held_by=("rule:PK8xx",))
    ] = None
    reviewed: Annotated[Date | None, Meta("When this was last asked.", NEUTRAL, guide=("G46",))] = None
    by: Annotated[Person | None, Meta("Who asked.", NEUTRAL)] = None
    review_every: Annotated[
        DurationText | None,
        Meta("The longest time between two reviews.", LOWER, unit="duration", guide=("G46",), held_by=("rule:PK8xx",)),
    ] = None


class Incident(Section):
    """Who is called, and what they read."""

    contacts: Annotated[
        tuple[Person, ...] | None,
        Meta("Who is called.", SUPERSET, guide=("G42",), held_by=("rule:PK7xx",)),
    ] = None
    runbook: Annotated[Line | None, Meta("The page that they open.", NEUTRAL, guide=("G42", "G43"))] = None


class Review(Section):
    """The regular look of a person at the whole policy."""

    every: Annotated[
        DurationText,
        Meta("The longest time between two reviews.", LOWER, unit="duration", guide=("G41",), held_by=("rule:PK715",)),
    ]
    last: Annotated[Date | None, Meta("When the policy was last reviewed.", NEUTRAL, guide=("G41",))] = None
    by: Annotated[Person | None, Meta("Who reviewed it.", NEUTRAL)] = None
