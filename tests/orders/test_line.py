"""The life of a stream: connects wait, silence is noticed, gaps are measured and made up for."""

from __future__ import annotations

from policykit.orders.backoff import Backoff
from policykit.orders.line import Line

STEADY = Backoff(jitter="none")
UTC = 1_795_255_200_000


def test_the_first_connect_may_be_made_at_once_and_waits_grow_from_there() -> None:
    """1, 2, 4 s after losses; the wait runs from the loss, and is over when it is over."""
    line = Line(0.0)
    assert line.wait_ms(0.0) == 0
    for failures, wait in enumerate((1_000, 2_000, 4_000), 1):
        line.lost(10.0, STEADY, 0.5)
        assert (line.failures, line.wait_ms(10.0)) == (failures, wait)
    assert (line.wait_ms(2_010.0), line.wait_ms(4_010.0), line.wait_ms(9_000.0)) == (2_000, 0, 0)


def test_only_a_connection_that_lived_long_begins_anew() -> None:
    """One that is closed a moment before the longest wait has passed is one more failure: a flapping stream slows."""
    line = Line(0.0)
    line.lost(0.0, STEADY, 0.0)
    line.opened(1_000.0, UTC)
    line.lost(60_999.0, STEADY, 0.0)
    assert (line.failures, line.wait_ms(60_999.0)) == (2, 2_000)
    line.opened(70_000.0, UTC)
    line.lost(130_000.0, STEADY, 0.0)
    assert (line.failures, line.wait_ms(130_000.0)) == (1, 1_000)


def test_a_stream_with_a_bound_is_up_when_it_is_heard_and_stale_when_it_is_silent() -> None:
    """A connection alone says nothing; each message counts for its bound and no longer."""
    line = Line(0.0, 10_000)
    assert (line.stale(0.0), line.silent_in_ms(0.0)) == (True, None)
    line.opened(5_000.0, UTC)
    assert (line.stale(5_000.0), line.silent_in_ms(6_000.0)) == (True, 9_000)
    assert line.heard(7_000.0, UTC + 2_000) is True
    assert (line.gap, line.back_utc_ms) == (7_000, UTC + 2_000)
    assert line.heard(8_000.0, UTC + 3_000) is False
    assert (line.stale(18_000.0), line.stale(18_001.0)) == (False, True)
    assert (line.gap_ms(18_000.0), line.silent_in_ms(18_500.0)) == (10_000, -500)


def test_a_stream_that_may_be_silent_is_up_with_its_connection() -> None:
    """Own orders: hours without a word are no gap while it is connected, and the gap is counted from the loss."""
    line = Line(0.0)
    line.opened(100.0, UTC)
    assert (line.gap, line.back_utc_ms) == (100, UTC)
    assert (line.stale(9e9), line.gap_ms(9e9), line.silent_in_ms(9e9)) == (False, 0, None)
    line.lost(1e6, STEADY, 0.0)
    assert (line.stale(1e6), line.gap_ms(1_007_000.0)) == (True, 7_000)
    line.opened(1_012_000.0, UTC + 5)
    assert line.gap == 12_000


def test_it_is_whole_when_the_account_was_read_after_it_came_up() -> None:
    """Not by what was asked for before, nor by nothing; once it is, it stays so until it is lost again."""
    line = Line(0.0)
    line.opened(0.0, UTC)
    assert [line.read(as_of) for as_of in (None, UTC, UTC + 1, None)] == [False, False, True, True]
    line.lost(1.0, STEADY, 0.0)
    line.opened(2.0, UTC + 9)
    assert line.read(UTC + 9) is False


def test_words_of_a_connection_that_is_gone_bring_nothing_up() -> None:
    """What arrives late, from a connection that was lost, is a sign of life of then and no more."""
    line = Line(0.0, 10_000)
    line.opened(0.0, UTC)
    line.lost(1.0, STEADY, 0.0)
    assert line.heard(2.0, UTC) is False
    assert line.stale(2.0) is True


def test_a_clock_that_stands_makes_no_negative_gap() -> None:
    """A sign of life from ahead counts as now."""
    line = Line(100.0, 10)
    line.opened(50.0, UTC)
    line.heard(50.0, UTC)
    assert (line.gap, line.gap_ms(40.0)) == (0, 0)
