"""Rules on operation, vendors and waivers at their edges: the last moment in time, and the first that is not."""

from __future__ import annotations

import pytest

from policykit.rules import find
from policykit.rules.base import iso_ms
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of, written

MIDNIGHT_MS = 1_795_219_200_000  # 2026-11-21T00:00:00Z
WAIVER = 'waivers:\n  - {rule: PK205, at: keys.mm-exec, owner: a, ticket: T-1, reason: moved, expires: "%s"}\n'
MORE = '  - {rule: %s, at: %s, owner: a, ticket: T-1, reason: moved, expires: "%s"}\n'


def _found(code: str, text: str, example: Example | None = None, now_ms: int = NOW_MS) -> list[str]:
    entry = find(code)
    assert entry is not None
    inputs = inputs_of((example or Example("yaml", "", "policy.yaml"))._replace(text=text))
    return [written(f) for f in entry.check(inputs._replace(now_ms=now_ms))]


def _record(text: str) -> Example:
    return Example("yaml", "", "policy.yaml", record=text)


def _snapshot(text: str, *absent: str) -> Example:
    return Example("yaml", "", "policy.yaml", absent=absent, snapshot=text)


def test_a_drill_is_in_time_on_its_last_day() -> None:
    """A drill exactly one interval ago is in time; a millisecond later it is not."""
    text = "kill_switch: {rearm: {by: [a]}, drill_every: 30d}\n"
    record = _record('{"last_drill_at": "2026-10-22T10:00:00Z"}')
    assert _found("PK702", text, record) == []
    assert len(_found("PK702", text, record, NOW_MS + 1)) == 1


def test_the_clock_s_bound_itself_is_no_finding() -> None:
    """A skew of exactly the bound passes; without a bound of the policy it is a second, and the message says so."""
    assert _found("PK703", "clock: {max_skew: 500ms}\n", _snapshot('{"clock": {"skew_ms": -500}}')) == []
    assert _found("PK703", "environment: live\n", _snapshot('{"clock": {"skew_ms": 1000}}', "clock")) == []
    assert _found("PK703", "environment: live\n", _snapshot('{"clock": {"skew_ms": 1001}}', "clock")) == [
        "open observed policy.yaml:5:1 the clock of the host that trades is 1001 ms off; at most 1s"
    ]


def test_long_withdrawal_addresses_are_shortened() -> None:
    """An address of 24 characters is shown whole, of a longer one both ends."""
    text = "withdrawals: {allowlist: required, addresses: []}\n"
    row = '{"withdrawal_addresses": [{"address": "%s"}]}'
    assert [
        f.partition("drawn to ")[2] for f in _found("PK707", text, _snapshot(row % ("0123456789" * 2 + "abcd")))
    ] == ["01234567890123456789abcd, which the policy does not name"]
    assert [
        f.partition("drawn to ")[2] for f in _found("PK707", text, _snapshot(row % ("0123456789" * 2 + "abcde")))
    ] == ["01234567...9abcde, which the policy does not name"]


def test_a_waiver_ends_at_its_moment() -> None:
    """A waiver is expired from the moment of its expiry on, whichever stands before it, and then it is not unused."""
    now, later = "2026-11-21T10:00:00Z", "2026-11-21T10:00:01Z"
    both = WAIVER % later + MORE % ("PK204", "keys.mm-exec", now)
    assert _found("PK708", both) == [
        "open certain policy.yaml:3:84 the waiver of PK204 at keys.mm-exec expired 0 days ago"
    ]
    unused = (
        "open certain policy.yaml:2:12 the waiver of PK205 at keys.mm-exec waives nothing: the rule finds nothing there"
    )
    assert _found("PK709", both) == [unused]
    swapped = WAIVER % now + MORE % ("PK204", "keys.mm-exec", later)
    assert _found("PK709", swapped) == [unused.replace(":2:", ":3:").replace("PK205", "PK204")]


def test_a_ticket_is_asked_of_a_waiver_that_still_holds() -> None:
    """From the moment of its expiry on a waiver without a ticket is PK708's alone."""
    ends = WAIVER.replace("ticket: T-1, ", "") % "2026-11-21T10:00:00Z"
    assert [len(_found("PK719", ends, now_ms=NOW_MS + ms)) for ms in (-1, 0)] == [1, 0]


@pytest.mark.parametrize(("code", "days"), [("PK601", 7), ("PK214", 30), ("PK705", 90), ("PK204", 365)])
def test_each_severity_has_its_ceiling(code: str, days: int) -> None:
    """A waiver may run for exactly its ceiling; a second more is a finding whose fix names the last day."""
    end = 1_795_255_200 + days * 86_400
    moments = ["soon", *(_iso(end + more) for more in (0, 1))]
    text = (
        "waivers:\n"
        + "".join(MORE % (code, "keys", moment) for moment in moments)
        + MORE % ("PK299", "keys", _iso(end))
    )
    entry = find("PK718")
    assert entry is not None
    found = list(entry.check(inputs_of(Example("yaml", text))))
    assert [f.primary.line for f in found] == [4]
    assert f"runs for another {days} days;" in found[0].message
    assert found[0].message.endswith(f" finding is accepted for at most {days}")
    assert found[0].fix is not None
    assert [edit.text for edit in found[0].fix.edits] == [_iso(end)[:10]]


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def test_no_day_is_asked_of_the_last_stage() -> None:
    """At full-live no stage follows: any number of days is right, also none."""
    assert _found("PK712", "stage: {current: full-live, next_needs: {days: 0}}\n") == []


def test_a_missing_stage_hides_no_fault_of_an_earlier_one() -> None:
    """What an earlier stage lacks is said also when one between is missing, in the order of the stages."""
    record = _record('{"stages": {"sandbox": {"since": "2026-11-14", "orders": 0, "denials_open": 0}}}')
    assert _found("PK714", "stage: {current: micro-live, since: 2026-11-20}\n", record) == [
        "open observed policy.yaml:1:18 micro-live: sandbox lasted 6 days; the guide asks for 7",
        "open observed policy.yaml:1:18 micro-live: no order was sent in sandbox",
        "open observed policy.yaml:1:18 micro-live: the journal never had paper",
    ]


def test_a_stage_out_of_order_lasted_no_day() -> None:
    """A stage that the journal entered after the next one has lasted nothing, and a later one counts to its start."""
    record = _record(
        '{"stages": {"sandbox": {"since": "2026-11-19", "orders": 1, "denials_open": 0},'
        ' "paper": {"since": "2026-11-01"}}}'
    )
    assert _found("PK714", "stage: {current: paper}\n", record) == [
        "open observed policy.yaml:1:18 paper: sandbox lasted 0 days; the guide asks for 7"
    ]


def test_since_may_be_said_of_the_journal_s_own_day() -> None:
    """The day of the journal is right whatever its hour; a day before is not."""
    text = "stage: {current: paper, since: 2026-11-01}\n"
    before = (
        '{"stages": {"sandbox": {"since": "2026-10-01", "orders": 1, "denials_open": 0}, "paper": {"since": "%s"}}}'
    )
    assert _found("PK714", text, _record(before % "2026-11-01T23:59:59Z")) == []
    found = _found("PK714", text, _record(before % "2026-11-02T00:00:00Z"))
    assert [f.partition(" paper is said to be in force since ")[2] for f in found] == [
        "2026-11-01; the journal had it first on 2026-11-02"
    ]


def test_a_review_is_in_time_on_its_last_day() -> None:
    """A review of exactly one interval ago, and one of today, are in time; tomorrow's is a slip."""
    assert _found("PK715", "review: {every: 90d, last: 2026-08-23}\n", now_ms=MIDNIGHT_MS) == []
    assert len(_found("PK715", "review: {every: 90d, last: 2026-08-22}\n", now_ms=MIDNIGHT_MS)) == 1
    assert _found("PK715", "review: {every: 90d, last: 2026-11-21}\n") == []
    assert len(_found("PK715", "review: {every: 90d, last: 2026-11-22}\n", now_ms=MIDNIGHT_MS)) == 1
    assert _found("PK715", "review: {every: 90d, last: 2026-02-31}\n") == [
        "open certain policy.yaml:1:28 the policy was last reviewed on 2026-02-31, which is no day of the past"
    ]


def test_a_vendor_s_review_is_in_time_on_its_last_day() -> None:
    """A vendor reviewed exactly one interval ago is in time; a later look at the next vendor is not left out."""
    text = "vendors:\n  a: {asks_for: [read]}\n  b: {reviewed: 2026-11-11, review_every: 10d}\n"
    assert _found("PK803", text, now_ms=MIDNIGHT_MS) == []
    assert _found("PK803", text, now_ms=MIDNIGHT_MS + 1) == [
        "open certain policy.yaml:3:17 vendor `b` was last reviewed 10 days ago; it is reviewed every 10d"
    ]
    assert iso_ms("2026-11-21") == MIDNIGHT_MS


def test_an_expired_waiver_is_taken_out_safely_unless_nobody_can_read_its_date() -> None:
    """What has expired counts for nothing: taking it out changes nothing; of `soon` nobody knows what was meant."""
    entry = find("PK708")
    assert entry is not None
    text = WAIVER % "2026-10-01" + MORE % ("PK204", "keys", "soon")
    fixes = [f.fix for f in entry.check(inputs_of(Example("yaml", text)))]
    assert [(fix.safe, fix.edits[0].kind, fix.edits[0].place.path) for fix in fixes if fix is not None] == [
        (True, "remove", "waivers.0"),
        (False, "remove", "waivers.1"),
    ]
