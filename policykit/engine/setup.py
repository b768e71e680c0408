"""What every check of one policy knows before the first order comes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from policykit.model import Policy
from policykit.place import Place
from policykit.traits.base import Exchange, Product, product_of
from policykit.units import Duration, Percent

if TYPE_CHECKING:
    from policykit.policy import EffectivePolicy

#: Facts older than this deny increases where the policy says nothing.
DEFAULT_MAX_AGE: Final = Duration(10_000)
#: A fact may be dated this far ahead of now (steps of the local clock), ms, where the policy states no clock bound.
DEFAULT_AHEAD: Final = Duration(1_000)
#: How much worse than the mark a market order may fill where the policy has no price collar.
DEFAULT_SLIPPAGE: Final = Percent(Decimal("0.05"))
#: The name of an address budget where the policy names no egress.
DEFAULT_EGRESS: Final = "default"


class Setup:
    """The policy, the exchange's traits and what follows from both; never changed after it is made."""

    def __init__(self, effective: EffectivePolicy, traits: Exchange | None, key: str | None) -> None:
        self.effective = effective
        self.policy: Policy = effective.model
        self.traits = traits
        self.account: str = effective.account_key
        self.key = key
        account, clock, risk = self.policy.account, self.policy.clock, self.policy.risk
        collar = risk.price_collar if risk is not None else None
        self.currency: str = account.currency
        self.egress: str = account.egress or DEFAULT_EGRESS
        self.max_age_ms: int = (account.max_age or DEFAULT_MAX_AGE).ms
        self.mark_age_ms: int = collar.max_age.ms if collar is not None and collar.max_age else self.max_age_ms
        self.ahead_ms: int = (clock.max_skew if clock is not None and clock.max_skew else DEFAULT_AHEAD).ms
        self.slippage: Decimal = (collar.max_deviation if collar is not None else DEFAULT_SLIPPAGE).fraction

    def product(self, symbol: str) -> Product | None:
        """Return what is known of the product that a symbol belongs to."""
        return self.traits.products.get(product_of(symbol)) if self.traits is not None else None

    def place(self, path: str) -> Place | None:
        """Return where the policy says it; None for what no policy says (the shape of an order, a halt)."""
        try:
            return self.effective.place(path)
        except LookupError:
            return None
