"""Facts that a bot gives, read: text with units in, an observation out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from policykit.engine.facts import Fact, Facts, Setting
from policykit.engine.setup import Setup
from policykit.engine.worth import units_of
from policykit.policy import EffectivePolicy
from policykit.store import Observation
from policykit.traits.base import product_of
from policykit.units import exact

DAY_MS = 86_400_000
#: When a day and a week start where no limit says it.
DAY_STARTS = "00:00 UTC"
WEEK_STARTS = "mon 00:00 UTC"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
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
        carried_transfers=_money(policy, "carried_transfers", given["carried_transfers"]),
        positions=None if positions is None else {position_key(s): _number(s, q) for s, q in positions.items()},
        partial=partial,
        marks={symbol: _number(symbol, mark) for symbol, mark in (given["marks"] or {}).items()},
        skew_ms=given["skew_ms"],
        day_start_ms=day_start_ms(policy, now_ms),
        week_start_ms=week_start_ms(policy, now_ms),
    )


def with_units(setup: Setup, known: Facts, seen: Observation) -> Observation:
    """Add to what was seen what one unit of each position is worth by it, and by what is known already."""
    marks = {symbol: Fact(mark, seen.as_of_ms) for symbol, mark in seen.marks.items()}
    mode = known.position_mode if seen.position_mode is None else Setting(seen.position_mode, seen.as_of_ms)
    facts = replace(
        known,
        marks={**known.marks, **marks},
        contract_sizes={**known.contract_sizes, **seen.contract_sizes},
        contracts={**known.contracts, **seen.contracts},
        position_mode=mode,
    )
    # As of the newest mark: what was read over a slow line is priced too, and what is too old beside it is not.
    newest = max((mark.as_of_ms for mark in facts.marks.values()), default=seen.as_of_ms)
    return replace(seen, units=units_of(setup, facts, newest, seen.marks))


def position_key(symbol: str) -> str:
    """Return what a position is counted by: the base asset on spot, the symbol on derivatives."""
    return symbol.partition("/")[0] if product_of(symbol) == "spot" else symbol


def day_start_ms(policy: EffectivePolicy, now_ms: int) -> int:
    """Return the start of the running day by `risk.daily_loss.day_starts` (UTC); 0 without a limit on losses."""
    risk = policy.model.risk
    if risk is None or not (risk.daily_loss or risk.weekly_loss or risk.max_drawdown):
        return 0
    return _start(risk.daily_loss.day_starts if risk.daily_loss else DAY_STARTS, DAY_MS, now_ms)


def week_start_ms(policy: EffectivePolicy, now_ms: int) -> int:
    """Return the start of the running week by `risk.weekly_loss.week_starts`; 0 if neither week nor peak is limited."""
    risk = policy.model.risk
    if risk is None or not (risk.weekly_loss or risk.max_drawdown):
        return 0
    day, time = (risk.weekly_loss.week_starts if risk.weekly_loss else WEEK_STARTS).split(" ", 1)
    # 1970-01-01 was a Thursday.
    offset = (DAYS.index(day) - DAYS.index("thu")) * DAY_MS
    return _start(time, 7 * DAY_MS, now_ms - offset) + offset


def _start(time: str, span_ms: int, now_ms: int) -> int:
    """Return the start of the span that runs, when spans start at a time of day (`14:30 UTC`)."""
    hours, minutes = time.removesuffix(" UTC").split(":")
    offset = (int(hours) * 60 + int(minutes)) * 60_000
    return (now_ms - offset) // span_ms * span_ms + offset


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


def known_beside(facts: Facts) -> dict[str, Any]:
    """Return what a decision was made on that no other row holds: it is judged again on that (judge.py)."""
    said: dict[str, Any] = {} if facts.seq >= 0 else {"none": True}
    if not facts.recovered:
        said["recovered"] = False
    if facts.store_problem is not None:
        said["store_problem"] = list(facts.store_problem)
    if facts.streams:
        said["streams"] = [list(problem) for problem in facts.streams]
    return said
