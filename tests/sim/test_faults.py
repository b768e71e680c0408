"""Which fault strikes which request."""

from __future__ import annotations

from typing import Any

import pytest

from policykit.sim.faults import DEMO, KINDS, Chosen, Fault, Faults, read_fault


def kinds(faults: Faults, point: str, n: int) -> list[str]:
    """Ask n times; return what was chosen each time, `-` for nothing."""
    chosen = [faults.choose(point) for _ in range(n)]
    return [c.main.do if c.main else "-" for c in chosen]


def test_a_script_names_requests_by_number() -> None:
    """`when` counts the requests of its own point, from 1."""
    faults = Faults([{"at": "order", "do": "drop", "when": [2]}, {"at": "lookup", "do": "unknown", "when": [1]}])
    assert kinds(faults, "order", 3) == ["-", "drop", "-"]
    assert kinds(faults, "lookup", 2) == ["unknown", "-"]


def test_a_ratio_is_decided_by_seed_and_number_alone() -> None:
    """The same seed strikes the same orders, however many other requests come between."""
    rules = [{"at": "order", "do": "lost_reply", "ratio": 0.2}]
    alone, mixed, other = Faults(rules, 5), Faults(rules, 5), Faults(rules, 6)
    first = kinds(alone, "order", 500)
    second = []
    for _ in range(500):
        mixed.choose("lookup")
        second += kinds(mixed, "order", 1)
    assert first == second
    assert first != kinds(other, "order", 500)
    assert 70 <= first.count("lost_reply") <= 130


def test_bursts_and_limits() -> None:
    """`burst` strikes the requests that follow too, `limit` bounds how often a rule fires."""
    faults = Faults([Fault("any", "throttle", when=(2, 6), burst=3, limit=1)])
    assert kinds(faults, "account", 8) == ["-", "throttle", "throttle", "throttle", "-", "-", "-", "-"]


def test_lag_and_partial_add_to_a_fault_that_decides_the_reply() -> None:
    """At most one fault decides the reply, the first; lag and partial add to it, the strongest of each."""
    drop, ban = Fault("order", "drop", ratio=1), Fault("order", "ban", ratio=1)
    lags = [Fault("order", "lag", ratio=1, seconds=s) for s in (1, 3)]
    part = Fault("any", "partial", ratio=1, share=0.25)
    assert Faults([drop, ban, *lags, part]).choose("order") == Chosen(1, drop, 3.0, 0.25)


def test_a_rule_may_be_of_one_call() -> None:
    """Its ordinals count that call alone; `blind` adds to what else strikes the look-up."""
    one = Fault("lookup", "blind", when=(2,), call="GET /a")
    faults = Faults([one, Fault("lookup", "drop", when=(1,))])
    seen = [faults.choose("lookup", call) for call in ("GET /b", "GET /a", "GET /b", "GET /a", "GET /a")]
    assert [chosen.blind for chosen in seen] == [False, False, False, True, False]
    assert [chosen.main is not None for chosen in seen] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"do": "drop"}, "fault: at is missing; each rule says at which point it does what"),
        ({"at": "order", "do": "drop", "rate": 1}, "fault: 'rate' is no key of a fault; known are after, at, burst, "),
        (
            {"at": "trade", "do": "drop"},
            "fault: at is 'trade'; may be order, cancel, lookup, account, market, other, any",
        ),
        ({"at": "order", "do": "explode"}, "fault: do is 'explode'; may be drop, lost_reply, late, "),
        ({"at": "order", "do": "blind"}, "fault: do is 'blind' at order; there may be drop, lost_reply, "),
        ({"at": "order", "do": "drop", "ratio": 2}, "fault: ratio is 2.0; a share from 0 to 1 is needed"),
        ({"at": "order", "do": "late", "processing": 11}, "fault: processing is 11.0; the exchange takes at most 10 s"),
        ({"at": "order", "do": "lag", "seconds": "x"}, "fault at order: a value is not a number; "),
        (
            {"at": "order", "do": "lost_reply", "stall": "yes"},
            "fault at order: stall is 'yes'; true or false is needed",
        ),
        ({"at": "order", "do": "partial", "share": 1}, "fault: share is 1.0; a share between 0 and 1 is needed"),
        ({"at": "order", "do": "late", "wire": -1}, "fault: wire is -1.0; 0 to 3600 seconds are possible"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_what_is_wrong(raw: dict[str, Any], told: str) -> None:
    """Each refusal names key, value and what may be."""
    with pytest.raises(ValueError, match="fault") as caught:
        read_fault(raw)
    assert str(caught.value).startswith(told)


def test_the_demo_uses_known_faults_and_there_is_a_bound_on_rules() -> None:
    """The built-in faults read; 101 rules are refused."""
    assert {rule.do for rule in Faults(DEMO).rules} <= set(KINDS)
    with pytest.raises(ValueError, match="101 rules; at most 100 are read"):
        Faults([Fault("order", "drop")] * 101)
