"""How long an order may execute unseen, by what the traits know: shared by the rules on retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policykit.traits.base import fence_length_ms

if TYPE_CHECKING:
    from policykit.rules.base import Inputs

#: What a guard assumes where the policy says nothing: request validity, and distance of the clocks, ms.
VALIDITY_MS = 5_000
CLOCK_BOUND_MS = 1_000


def fences(inputs: Inputs, product: str) -> int | None:
    """Return the longest fence of a product's order families after signing, ms; None: one of them has none."""
    known = inputs.traits.products.get(product) if inputs.traits else None
    clock = inputs.model.clock
    validity = clock.request_validity.ms if clock and clock.request_validity else VALIDITY_MS
    bound = clock.max_skew.ms if clock and clock.max_skew else CLOCK_BOUND_MS
    lengths = [fence_length_ms(family, validity, bound) for family in (known.families.values() if known else ())]
    sure = [length for length in lengths if length is not None]
    return max(sure) if sure and len(sure) == len(lengths) else None
