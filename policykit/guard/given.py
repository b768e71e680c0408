"""Facts that a bot gives, read: text with units in, an observation out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from policykit.policy import EffectivePolicy
from policykit.store import Observation
from policykit.traits.base import product_of
from policykit.units import exact

DAY_MS = 86_400_000
#: A fact may be dated this far ahead of this host's clock, ms.
AHEAD_MS = 5_000


def observation(
    policy: EffectivePolicy, given: Mapping[str, Any], as_of: int | None, now_ms: int, *, partial: bool
) -> Observation:
    """Return what was given as an observation. Raise ValueError naming the field that is wrong."""
    positions = given["positions"]
    if as_of is not None and as_of > now_ms + AHEAD_MS:
        raise ValueError(f"as_of is {as_of}, ahead of now ({now_ms}); UTC milliseconds are needed")
    return Observation(
        as_of_ms=now_ms if as_of is None else as_of,
        until_ms=now_ms,
        equity=_money(policy, "equity", given["equity"]),
        net_transfers=_money(policy, "net_transfers", given["net_transfers"]),
        positions=None if positions is None else {position_key(s): _number(s, q) for s, q in positions.items()},
        partial=partial,
        marks={symbol: _number(symbol, mark) for symbol, mark in (given["marks"] or {}).items()},
        skew_ms=given["skew_ms"],
        day_start_ms=day_start_ms(policy, now_ms),
    )


def position_key(symbol: str) -> str:
    """Return what a position is counted by: the base asset on spot, the symbol on derivatives."""
    return symbol.partition("/")[0] if product_of(symbol) == "spot" else symbol


def day_start_ms(policy: EffectivePolicy, now_ms: int) -> int:
    """Return the start of the running day by `risk.daily_loss.day_starts` (UTC), 0 without a daily limit."""
    loss = policy.model.risk.daily_loss if policy.model.risk else None
    if loss is None:
        return 0
    hours, minutes = loss.day_starts.removesuffix(" UTC").split(":")
    offset = (int(hours) * 60 + int(minutes)) * 60_000
    return (now_ms - offset) // DAY_MS * DAY_MS + offset


def _money(policy: EffectivePolicy, field: str, text: object) -> Decimal | None:
    if text is None:
        return None
    currency = policy.model.account.currency
    number, _, code = str(text).strip().partition(" ")
    if code != currency:
        raise ValueError(f'{field} is "{text}"; an amount in the account\'s currency ("100000 {currency}") is needed')
    return _number(field, number)


def _number(field: str, value: object) -> Decimal:
    try:
        return exact(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}; a plain number is needed") from None
