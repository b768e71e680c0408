"""How long an order may execute unseen, by what the traits know: shared by the rules on retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policykit.traits.base import fence_length_ms

if TYPE_CHECKING:
    from policykit.rules.base import Inputs

#: What a guard assumes where the policy says nothing: request validity, and distance of the clocks, ms.
VALIDITY_MS = 5_000
CLOCK_BOUND_MS = 1_000


#: Another way in for orders of the other families; policykit sends none by it.
WS_API = "ws-api"


def fences(inputs: Inputs, product: str) -> dict[str, int | None]:
    """Return how long the fence of each of a product's order families is after signing, ms; None: it has none."""
    known = inputs.traits.products.get(product) if inputs.traits else None
    clock = inputs.model.clock
    validity = clock.request_validity.ms if clock and clock.request_validity else VALIDITY_MS
    bound = clock.max_skew.ms if clock and clock.max_skew else CLOCK_BOUND_MS
    families = known.families if known else {}
    return {name: fence_length_ms(family, validity, bound) for name, family in families.items() if name != WS_API}
