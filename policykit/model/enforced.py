"""What this version enforces at run time: the checks and parts of the guard that are there, for both roads to read.

The engine denies increases under a policy that sets what nothing holds; lint says so before. A test holds `CHECKS`
equal to the engine's registry.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from policykit.model.base import Section, metas

_CHECK: Final = "check:"
_GUARD: Final = "guard:"
#: The parts of the guard that are there. `recovery` looks up what an earlier run left before the first increase;
#: nothing keeps a stage's evidence.
GUARD_PARTS: Final = frozenset(
    [
        "approvals",
        "client",
        "cords",
        "dead_man",
        "gate",
        "halt",
        "notify",
        "on_breach",
        "orders",
        "reads",
        "reconciliation",
        "recovery",
        "stage",
        "store",
        "streams",
        "triggers",
    ]
)
#: The engine's checks that hold a field of the language.
CHECKS: Final = frozenset(
    (
        "account.margin_mode",
        "account.max_age",
        "account.position_mode",
        "clock.max_skew",
        "groups.max_gross_exposure",
        "groups.max_net_exposure",
        "key.address_proof",
        "key.purpose",
        "reconciliation.tolerance",
        "rate_budgets",
        "risk.consecutive_losses",
        "risk.daily_loss",
        "risk.duplicate_window",
        "risk.entry_cooldown",
        "risk.max_amends",
        "risk.max_asset_exposure",
        "risk.max_borrow",
        "risk.max_drawdown",
        "risk.max_funding_rate",
        "risk.max_gross_exposure",
        "risk.max_margin_ratio",
        "risk.max_net_exposure",
        "risk.max_open_positions",
        "risk.min_liquidation_distance",
        "risk.weekly_loss",
        "risk.max_messages",
        "risk.max_open_orders_per_symbol",
        "risk.max_order_quantity",
        "risk.max_orders_per_symbol",
        "risk.max_price_move",
        "risk.max_slippage",
        "risk.reduce_only_exits",
        "risk.partial_fills",
        "risk.repeated_execution",
        "risk.risk_at_stop",
        "risk.self_trade_prevention",
        "risk.sides",
        "risk.time_in_force",
        "risk.trading_hours",
        "retry.reconnect.max_per",
        "risk.max_leverage",
        "risk.max_open_orders",
        "risk.max_order_notional",
        "risk.max_orders",
        "risk.max_position_notional",
        "risk.order_types",
        "risk.price_collar",
        "risk.symbols",
        "stage.current",
    )
)


class Unheld(NamedTuple):
    """A limit that nothing holds: where it is said, and what would hold it (`check:ID`, `guard:PART`)."""

    path: str
    holder: str


def missing(holder: str, checks: Container[str] = CHECKS) -> bool:
    """Tell whether a holder (`check:ID`, `guard:PART`; a rule never) is one that this version does not have."""
    if holder.startswith(_CHECK):
        return holder.removeprefix(_CHECK) not in checks
    return holder.startswith(_GUARD) and holder.removeprefix(_GUARD) not in GUARD_PARTS


def unheld(
    section: Section, written: Container[str], checks: frozenset[str] = CHECKS, path: str = ""
) -> Iterator[Unheld]:
    """Yield every limit that a policy sets and nothing holds. `written`: the paths that a file says."""
    for name, holders in _holders(type(section), checks).items():
        value = section.__dict__[name]
        if value is None:
            continue
        at = f"{path}.{name}" if path else name
        if holders and _asks(section, name, at in written):
            yield from (Unheld(at, holder) for holder in holders)
        if isinstance(value, Section):
            yield from unheld(value, written, checks, at)
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, Section):
                    yield from unheld(item, written, checks, f"{at}.{key}")


@cache
def _holders(section: type[Section], checks: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    """Return what would hold each field of a section and is not there."""
    return {name: tuple(h for h in meta.held_by if missing(h, checks)) for name, meta in metas(section).items()}


def _asks(section: Section, name: str, written: bool) -> bool:
    """Tell whether a policy asks for something here: a value that is no unwritten default, and not the loosest word."""
    value: Any = getattr(section, name)
    strictness = metas(type(section))[name].strictness
    said = written or value != type(section).model_fields[name].default
    return said and (strictness.kind != "ordered" or value != strictness.order[0])
