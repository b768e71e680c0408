"""What every check of one policy knows before the first order comes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from policykit.decision import OnBreach
from policykit.engine.market import parse_market
from policykit.model import Policy
from policykit.place import Place
from policykit.traits.base import Exchange, Product, product_of
from policykit.units import Duration, Percent

if TYPE_CHECKING:
    from policykit.policy import EffectivePolicy

#: Facts older than this deny increases where the policy says nothing.
DEFAULT_MAX_AGE: Final = Duration(10_000)
#: The furthest that a fact may be dated ahead of now (a step of the local clock); a tighter clock bound counts instead.
AHEAD: Final = Duration(1_000)
#: How much worse than the mark a market order is taken to fill. Not a collar's deviation: no exchange keeps a market
#: order inside it, and a tighter collar would value such an order lower.
SLIPPAGE: Final = Percent(Decimal("0.05"))
#: The name of an address budget where the policy names no egress.
DEFAULT_EGRESS: Final = "default"


class Setup:
    """The policy, the exchange's traits and what follows from both; never changed after it is made."""

    def __init__(
        self,
        effective: EffectivePolicy,
        traits: Exchange | None,
        key: str | None,
        host: str = "",
        *,
        paper: bool = False,
    ) -> None:
        self.effective = effective
        self.policy: Policy = effective.model
        self.traits = traits
        self.account: str = effective.account_key
        self.key = key
        #: The host that orders are sent from; empty where none are.
        self.host = host
        #: Orders go to the paper exchange of the guard, and to no other.
        self.paper = paper
        account, clock, risk = self.policy.account, self.policy.clock, self.policy.risk
        collar = risk.price_collar if risk is not None else None
        said = risk.on_breach if risk is not None else None
        #: What else follows a breach, by the id of the limit's check.
        self.on_breach: dict[str, OnBreach] = {f"risk.{name}": word for name, word in (said or {}).items()}
        self.currency: str = account.currency
        self.egress: str = account.egress or DEFAULT_EGRESS
        self.max_age_ms: int = (account.max_age or DEFAULT_MAX_AGE).ms
        # INVARIANT I16: what is not stated never makes a stated bound looser.
        mark_age = collar.max_age if collar is not None else None
        self.mark_age_ms: int = self.max_age_ms if mark_age is None else min(self.max_age_ms, mark_age.ms)
        self.skew_ms: int | None = clock.max_skew.ms if clock is not None and clock.max_skew is not None else None
        self.ahead_ms: int = AHEAD.ms if self.skew_ms is None else min(AHEAD.ms, self.skew_ms)
        self.slippage: Decimal = SLIPPAGE.fraction

    def product(self, symbol: str) -> Product | None:
        """Return what is known of the product that a symbol belongs to."""
        return self.traits.products.get(product_of(symbol)) if self.traits is not None else None

    def position_key(self, symbol: str) -> str:
        """Return what the position of a symbol is kept by: the base asset on spot, the symbol on derivatives."""
        market = parse_market(symbol)
        if market is None:
            return symbol
        product = self.product(symbol)
        by_base = product.position_key == "base" if product is not None else market.settle is None
        return market.base if by_base else symbol

    def place(self, path: str) -> Place | None:
        """Return where the policy says it; None for what no policy says (the shape of an order, a halt)."""
        try:
            return self.effective.place(path)
        except LookupError:
            return None
