"""I1 over everything that exchanges are like, policy of retry beside policy of retry; and one run again, exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policykit.traits import known
from tests.orders.settings import DEDUPE, from_traits, settings
from tests.orders.table import POLICIES, Run, main, show, table, wrong

#: From so many intents on every control must show what it does wrong.
ENOUGH = 100_000


@pytest.mark.parametrize("dedupe", DEDUPE)
def test_I1_what_each_policy_of_retry_comes_to(
    dedupe: str, tier: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    """Over a grid of exchanges and every family of the real traits, ours sends nothing twice; the others do."""
    intents = tier(1_000, 333_334)
    lines, failed = table(dedupe, intents)
    record_property("table", show(dedupe, lines))
    assert failed == []
    assert {(lines[name].repeated, lines[name].doubled) for name, policy in POLICIES.items() if policy.ours} == {(0, 0)}
    for name in ("blind retry", "look up once, retry if missing"):
        assert lines[name].repeated > lines[name].unclear // 20, name
    if intents >= ENOUGH:
        assert [n for n, policy in POLICIES.items() if not (policy.ours or lines[n].repeated + lines[n].doubled)] == []


def test_the_settings_are_every_family_of_every_exchange_and_the_grid() -> None:
    """A file in policykit/traits is in the proof by being there; ids of all three kinds, with and without expiry."""
    assert {name.split("/")[0] for name in (setting.name for setting in from_traits())} == set(known())
    assert {(s.dedupe, s.expires) for s in settings().values()} == {(d, e) for d in DEDUPE for e in (True, False)}
    assert settings()["binance/spot/order"].expires
    assert not settings()["kraken/spot/order"].expires


def test_I1_a_run_that_went_wrong_is_replayed_by_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that a failure prints gives the same run: the same wishes twice, at the same moments."""
    run = Run("ours without lag", "open/expiry/lag 60 s/clock 500 ms", 7, 200)
    first, again = run.simulation(), run.simulation()
    assert wrong(first) != []
    assert [(o.at_ms, o.request.wish, o.request.signed_ms) for o in first.venue.orders] == [
        (o.at_ms, o.request.wish, o.request.signed_ms) for o in again.venue.orders
    ]
    assert run.again() == ("python -m tests.orders.table 'ours without lag' 'open/expiry/lag 60 s/clock 500 ms' 7 200")
    assert main(["ours without lag", "open/expiry/lag 60 s/clock 500 ms", "7", "200"]) == 1
    told = capsys.readouterr().out
    for wish, looks in first.venue.executions().items():
        assert (f"wish {wish}, by look" in told) == (len(looks) > 1)
    assert main(["ours", "open/expiry/lag 60 s/clock 500 ms", "7", "200"]) == 0


def test_I1_a_fence_too_short_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table can fail: a policy called ours that leaves out a term of the fence is named, with its replay."""
    broken = POLICIES["ours"]._replace(rules=POLICIES["ours without lag"].rules)
    monkeypatch.setattr("tests.orders.table.POLICIES", {"ours": broken})
    failed = table("open", 1_500)[1]
    assert failed
    assert all(" such); python -m tests.orders.table ours " in text for text in failed)
