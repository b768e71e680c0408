"""Where the day's loss leads, how old keys are, what candidate policies would do."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policykit.dashboard.burn import DRAWN, Equity, outlook
from policykit.dashboard.limits import keys
from policykit.dashboard.recent import Recent
from policykit.guard.measures import KeyAge
from policykit.redact import scrub
from policykit.store.base import Row
from tests.dashboard.pages import deny, guarded, page, part, uri_of, words
from tests.telemetry.nouns import NOTIONAL

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LIMIT = Decimal(1_000)


@pytest.mark.parametrize(
    ("losses", "used", "said"),
    [
        ([], 0, "No equity was read today."),
        (
            [(0, 0), (HOUR_MS // 2, 100)],
            100,
            "900 USDT to the limit. At the pace of the last hour it is reached in 4.5 hours.",
        ),
        (
            [(0, 0), (HOUR_MS // 2, 800)],
            800,
            "200 USDT to the limit. At the pace of the last hour it is reached in 8 minutes.",
        ),
        ([(0, 0), (HOUR_MS, 10)], 10, "990 USDT to the limit."),
        ([(0, 0), (30_000, 500)], 500, "500 USDT to the limit."),
        ([(0, 200), (HOUR_MS, 100)], 100, "900 USDT to the limit."),
        ([(0, 0), (HOUR_MS, -50)], 0, "Up 50 USDT today."),
        ([(0, 0), (HOUR_MS, 1_000)], 1_000, "The limit is reached: what could increase exposure is refused."),
    ],
)
def test_the_pace_of_the_last_hour_says_when_the_limit_is_reached(
    losses: list[tuple[int, int]], used: int, said: str
) -> None:
    """Only where there is a pace to tell, and only for a day ahead."""
    points = [(at_ms, Decimal(lost)) for at_ms, lost in losses]
    assert outlook(points, Decimal(used), LIMIT, "USDT") == said


def test_the_loss_over_time_is_against_the_days_base_and_without_transfers() -> None:
    """What was paid in is no profit; what is no number is left out; the newest point is always drawn."""
    equity = Equity()
    for number in range(1_000):
        body = {"account": "a", "as_of_ms": number, "equity": str(1_000 - number), "net_transfers": "100"}
        equity.take(Row(number, number, "observe", body, ""))
    equity.take(Row(1_000, 1_000, "observe", {"account": "a", "as_of_ms": 1_000, "equity": "NaN"}, ""))
    equity.take(Row(1_001, 1_001, "observe", {"account": "a", "as_of_ms": 1_001, "equity": "many"}, ""))
    found = equity.losses("a", Decimal(900), 500)
    assert found[-1] == (999, Decimal(999))
    assert found[0][0] >= 500
    assert len(found) <= DRAWN
    assert all(lost == at_ms for at_ms, lost in found)


def test_keys_that_are_due_come_first() -> None:
    """Over, near, far, and without a rule."""
    ages = (
        KeyAge("far", 0, True, 90 * DAY_MS),
        KeyAge("free", 0, False, None),
        KeyAge("near", 0, True, 50 * DAY_MS),
        KeyAge("over", 0, True, 39 * DAY_MS),
    )
    assert [tuple(key) for key in keys(ages, 40 * DAY_MS)] == [
        ("over", "40 d old, due for rotation since 24 h", "over"),
        ("near", "40 d old, to be rotated in 10 d", "near"),
        ("far", "40 d old, to be rotated in 50 d", ""),
        ("free", "40 d old, as declared", ""),
    ]


def test_what_a_candidate_would_decide_otherwise_is_counted(tmp_path: Path) -> None:
    """From the rows of the bot that has a policy on trial."""
    uri = uri_of(tmp_path)
    shadow = {"policy": {"name": "next", "version": "sha256:1"}, "outcome": "allow", "reasons": []}
    deny(uri, 3, reasons=(NOTIONAL,), extra={"shadow": shadow})
    guarded(uri)
    with page(uri, tmp_path / "index.db") as client:
        told = words(part(client.get("/").text, "shadow"))
    assert told.endswith("next sha256:1 would deny 0 that were allowed, and allow 3 that were denied; 0 as now")
    assert Recent().candidates() == ()


def test_long_text_is_scrubbed_in_a_time_that_grows_with_its_length() -> None:
    """A name of 200 kB beside a word that may name a secret: in the square of its length this would take minutes."""
    text = "x" * 200_000
    assert scrub(f"{text} pass password=hunter22 {text}") == f"{text} pass password=[redacted] {text}"
