"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policykit.engine.money import money


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("30000", "30,000.00"),
        ("0", "0.00"),
        ("12637.1848991149", "12,637.185"),
        ("-12.3456789012", "-12.345679"),
        ("0.000000123456789", "0.000000123457"),
        ("1234567890.123", "1,234,567,890.123"),
        # What is just over a limit must not read as if it were not.
        ("10000.001", "10,000.001"),
        ("10000.0000001", "10,000.0000001"),
        ("9999.999999", "9,999.999999"),
    ],
)
def test_money(number: str, text: str) -> None:
    """Two decimals, eight digits where two hide something, more where eight do."""
    assert money(Decimal(number)) == text
    assert money(Decimal(number), "USDT") == f"{text} USDT"
