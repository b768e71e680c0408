"""Weights, order counts, bans: binance-spot-api-docs, rest-api.md, "LIMITS" (read 2026-11)."""

from __future__ import annotations

from policykit.sim.limits import BAN_PATIENCE, PATIENCE, Limits, LimitSizes, Refusal

T = 1_795_255_200_000  # a whole minute


def test_weight_is_counted_by_address_in_fixed_minutes() -> None:
    """What is used counts until the minute of the exchange's clock ends, apart for each address and family."""
    limits = Limits(LimitSizes(weight_1m=100))
    assert limits.spend("a", "api", 100, T + 30_000) is None
    assert limits.spend("b", "api", 100, T + 30_000) is None
    assert limits.spend("a", "sapi", 100, T + 30_000) is None
    assert limits.spend("a", "api", 1, T + 30_500) == Refusal(429, 30)
    assert limits.used("a", "api", T + 30_500) == 101
    assert limits.spend("a", "api", 1, T + 60_500) is None
    assert (limits.used("a", "api", T + 60_500), limits.used("a", "api", T + 120_000)) == (1, 0)


def test_who_does_not_wait_is_banned_for_two_minutes_then_longer() -> None:
    """Going on after a 429 brings a 418 with its end; each further ban is twice as long, up to three days."""
    limits = Limits(LimitSizes(weight_1m=1))
    spans = []
    now = T
    for _ in range(13):
        told: Refusal | None = limits.spend("a", "api", 2, now)
        assert told is not None
        assert told.status == 429
        for _ in range(PATIENCE):
            told = limits.spend("a", "api", 2, now)
        assert told is not None
        assert told.new_ban
        spans.append(told.retry_after_s)
        now += told.retry_after_s * 1000
    assert spans == [*(120 * 2**n for n in range(12)), 259_200]


def test_sending_during_a_ban_prolongs_it() -> None:
    """A banned address that keeps sending doubles what is left of its ban."""
    limits = Limits(LimitSizes())
    assert limits.ban("a", T) == Refusal(418, 120, T + 120_000, new_ban=True)
    told = [limits.spend("a", "api", 1, T + 20_000) for _ in range(BAN_PATIENCE)]
    assert told[0] == Refusal(418, 100, T + 120_000)
    assert told[-1] == Refusal(418, 200, T + 220_000)
    assert limits.spend("b", "api", 1, T) is None


def test_orders_are_counted_by_account_in_ten_seconds_and_by_day() -> None:
    """The limit that one more order would break is named with its interval; a new window starts at zero."""
    limits = Limits(LimitSizes(orders_10s=2, orders_1d=3))
    for _ in range(2):
        limits.count_order("main", T)
    assert limits.too_many_orders("main", T + 9_999) == (2, "10 SECOND")
    assert limits.too_many_orders("main", T + 10_000) is None
    limits.count_order("main", T + 10_000)
    assert limits.order_counts("main", T + 10_000) == (1, 3)
    assert limits.too_many_orders("main", T + 20_000) == (3, "1 DAY")
    assert limits.too_many_orders("main", T + 86_400_000) is None
