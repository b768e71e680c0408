"""`keys`: what each API key is for, what it may do, from where, and how long it lives."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from policykit.model.base import HIGHER, IDENTITY, LOWER, NEUTRAL, SCOPES, SECTION, SUBSET, Meta, Section
from policykit.model.types import Address, Date, DurationText, Line, Person, SecretRef, SymbolPattern

Purpose = Literal["tracking", "market_data", "execution", "hedging", "break_glass"]
Scope = Literal[
    "read",
    "trade",
    "trade.spot",
    "trade.margin",
    "trade.derivatives",
    "trade.options",
    "trade.other",
    "transfer",
    "withdraw",
    "key_admin",
]


class AllowedAddress(Section):
    """One address that a key is bound to."""

    item_key: ClassVar[str] = "address"

    address: Annotated[
        Address,
        Meta("A static address of a host that trades.", IDENTITY, guide=("G09", "G10"), held_by=("rule:PK2xx",)),
    ]
    why: Annotated[Line | None, Meta("What the address is and why it is there.", NEUTRAL, guide=("G12",))] = None


class Rotation(Section):
    """How long a key lives."""

    every: Annotated[
        DurationText | None,
        Meta("The oldest that the key may get.", LOWER, unit="duration", guide=("G19",), held_by=("rule:PK3xx",)),
    ] = None
    warn_before: Annotated[
        DurationText | None,
        Meta(
            "How long before that a reminder comes.", HIGHER, unit="duration", guide=("G19",), held_by=("rule:PK3xx",)
        ),
    ] = None
    delete_old_within: Annotated[
        DurationText | None,
        Meta(
            "How long the old key may live beside its successor.",
            LOWER,
            unit="duration",
            guide=("G20",),
            held_by=("rule:PK3xx",),
        ),
    ] = None


class AddressProof(Section):
    """A proof that the key works from this host's address, and from which address that is."""

    max_age: Annotated[
        DurationText,
        Meta(
            "The oldest proof for (host, address, key) on which a live process may make its first increase.",
            LOWER,
            unit="duration",
            guide=("G11",),
            held_by=("check:key.address_proof",),
        ),
    ]


class Declared(Section):
    """What the exchange cannot tell, said by a person; reported as declared, never as verified."""

    ip_allowlist: Annotated[
        tuple[Address, ...] | None, Meta("The addresses that the exchange's page shows.", NEUTRAL, guide=("G13",))
    ] = None
    scopes: Annotated[tuple[Scope, ...] | None, Meta("The scopes that the exchange's page shows.", NEUTRAL)] = None
    symbols: Annotated[
        tuple[SymbolPattern, ...] | None,
        Meta("The only symbols that the exchange's page lets the key trade.", NEUTRAL, guide=("G01", "G07")),
    ] = None
    created: Annotated[Date | None, Meta("When the key was made.", NEUTRAL, guide=("G19",))] = None
    by: Annotated[Person, Meta("Who looked.", NEUTRAL)]
    at: Annotated[Date, Meta("When.", NEUTRAL)]


class Key(Section):
    """One API key."""

    purpose: Annotated[
        Purpose,
        Meta(
            "What the key is for; one purpose a key.",
            IDENTITY,
            guide=("G07",),
            held_by=("check:key.purpose", "rule:PK1xx"),
        ),
    ]
    secret: Annotated[
        SecretRef | None,
        Meta("Where the secret lives; never the secret.", NEUTRAL, guide=("G14", "G15", "G18"), secret=True),
    ] = None
    scopes: Annotated[
        tuple[Scope, ...] | None,
        Meta("All that the key may do.", SCOPES, guide=("G04", "G05", "G06", "G07"), held_by=("rule:PK1xx",)),
    ] = None
    ip_allowlist: Annotated[
        tuple[AllowedAddress, ...] | None,
        Meta(
            "The only addresses that the key works from.",
            SUBSET,
            guide=("G09", "G10", "G12", "G13"),
            held_by=("rule:PK2xx",),
        ),
    ] = None
    rotation: Annotated[Rotation | None, Meta("How long the key lives.", SECTION, guide=("G19", "G20"))] = None
    address_proof: Annotated[
        AddressProof | None, Meta("A recent proof that the key works from here only.", SECTION, guide=("G11",))
    ] = None
    holders: Annotated[
        tuple[Person, ...] | None,
        Meta(
            "Who can read the secret; one who leaves makes the key overdue.",
            SUBSET,
            guide=("G19",),
            held_by=("rule:PK3xx",),
        ),
    ] = None
    declared: Annotated[
        Declared | None,
        Meta("What the exchange cannot tell, said by a person; taken as a whole.", NEUTRAL, guide=("G08", "G13")),
    ] = None
