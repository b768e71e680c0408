"""The fence, term by term, and against every timeline that the traits allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from policykit.order import Order
from policykit.orders.fence import fence_ms, forgotten_ms
from policykit.orders.intent import Intent
from policykit.traits.base import ClientOrderId, Family

IDS = ClientOrderId("newClientOrderId", "^.{1,36}$", "open", lambda text: text)
SPOT = Family(IDS, 5_000, 60_000, 1_000, 10_000, 1_000)
ORDER = Order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(50))
INTENT = Intent("id", "binance/main", ORDER, "pkid", "order", (), False, "bot", "host", 1, 1_000, 1_250, 5_000)
SIGNED = replace(INTENT, signed_ms=1_100)


def test_the_fence_is_the_sum_of_its_terms() -> None:
    """Signing on the wire + validity + processing + clock bound + lag: 16.5 s on Binance spot."""
    assert fence_ms(SIGNED, SPOT, 500) == 1_100 + 5_000 + 10_000 + 500 + 1_000


def test_a_signing_time_that_is_not_known_is_the_permits_end_by_any_clock() -> None:
    """The permit's end is by our clock, what is signed may be by the exchange's: the bound counts twice."""
    assert fence_ms(INTENT, SPOT, 500) == 1_250 + 500 + 5_000 + 10_000 + 500 + 1_000


@pytest.mark.parametrize(
    ("intent", "family", "bound"),
    [
        (SIGNED, SPOT, None),
        (SIGNED, replace(SPOT, client_order_id=None), 500),
        (SIGNED, replace(SPOT, validity_max_ms=None), 500),
        (SIGNED, replace(SPOT, processing_ms=None), 500),
        (SIGNED, replace(SPOT, visibility_lag_ms=None), 500),
        (replace(SIGNED, validity_ms=None), SPOT, 500),
        (replace(SIGNED, validity_ms=60_001), SPOT, 500),
        (replace(INTENT, permit_until_ms=None), SPOT, 500),
    ],
    ids=["clock", "client order id", "expiry", "processing", "lag", "validity", "validity beyond max", "signing"],
)
def test_I2_any_missing_term_leaves_no_fence(intent: Intent, family: Family, bound: int | None) -> None:
    """What is not known is not guessed: without any one of its terms there is no fence."""
    assert fence_ms(intent, family, bound) is None


def test_default_validity_and_signing_ahead_are_no_terms() -> None:
    """What counts is on the wire: the exchange's default, and how far ahead it lets sign, change nothing."""
    assert fence_ms(SIGNED, replace(SPOT, validity_default_ms=None, ahead_ms=None), 500) == fence_ms(SIGNED, SPOT, 500)


def test_an_exchange_that_forgets_ids_ends_the_proof() -> None:
    """From the decision plus the retention on, missing proves nothing; where nothing is known it never ends."""
    assert forgotten_ms(INTENT, replace(SPOT, client_order_id=replace(IDS, retention_ms=7_200_000))) == 7_201_000
    assert forgotten_ms(INTENT, SPOT) is None
    assert forgotten_ms(INTENT, replace(SPOT, client_order_id=None)) is None


def _seen_too_early(random: Random, fence: Callable[[Intent, Family, int], int | None]) -> bool:
    """Draw one timeline that the traits allow; tell whether a look-up just after the fence misses the order.

    True time is the exchange's. The signer's clock and the looker's (another host, at recovery) differ from it by up
    to the bound, each in its own direction; the signer writes its own time or the exchange's.
    """
    edge = random.random() < 0.5
    bound = 500

    def draw(low: int, high: int) -> int:
        return random.choice((low, high)) if edge else random.randint(low, high)

    signer, looker = draw(-bound, bound), draw(-bound, bound)
    decided = 100_000
    permit = decided + signer + 250
    sent = decided + draw(0, 250)
    wire = sent + (signer if random.random() < 0.5 else 0)
    known = random.random() < 0.5
    intent = replace(INTENT, permit_until_ms=permit, signed_ms=wire if known else None)
    arrival = max(sent, wire + draw(-1_000, 5_000))
    if arrival - wire > 5_000:
        return False
    visible = arrival + draw(0, 10_000) + draw(0, 1_000)
    found = fence(intent, SPOT, bound)
    assert found is not None
    looked = found + 1 - looker
    return looked < visible


def test_I1_no_timeline_shows_an_order_after_its_fence(tier: Callable[[int, int], int]) -> None:
    """However clocks differ, within the bound and in either direction, what executes shows before the fence is over."""
    random = Random(1)
    assert not any(_seen_too_early(random, fence_ms) for _ in range(tier(20_000, 1_000_000)))


@pytest.mark.parametrize("missing", ["validity", "processing", "bound", "lag", "second bound"])
def test_I1_control_a_shorter_fence_misses_some(missing: str) -> None:
    """The same timelines catch a fence without any one of its terms, and one that counts the bound once too few."""

    def shorter(intent: Intent, family: Family, bound: int) -> int | None:
        fence = fence_ms(intent, family, bound)
        assert fence is not None
        terms = {"validity": 5_000, "processing": 10_000, "lag": 1_000}
        if missing in terms:
            return fence - terms[missing]
        if missing == "bound":
            return fence - bound
        return fence if intent.signed_ms is not None else fence - bound

    random = Random(1)
    assert sum(_seen_too_early(random, shorter) for _ in range(20_000)) > 10
