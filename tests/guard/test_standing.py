"""`policykit status`: how close each limit is, the day's loss, the last lint, key ages."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import iso
from policykit.engine.burn import Burn
from policykit.engine.losses import DAY_MS
from policykit.guard.standing import Standing, standing
from policykit.guard.standing_text import WIDTH, render
from policykit.model.types import date_ms
from tests.guard.world import SYMBOL, World, policy_text, world

KEY = 'secret: "env://MM_EXEC", rotation: {every: 90d}, declared: {created: 2026-11-01, by: desk, at: 2026-11-20}'
MORE = "  max_gross_exposure: 50% of equity\n  max_margin_ratio: 80%\n  max_orders_per_symbol: {limit: 9, per: 1m}\n"


@pytest.fixture
def stood(tmp_path: Path) -> Any:
    """Return a guard that sent one order under many limits, with its world."""
    text = policy_text(position="1000 USDT").replace('secret: "env://MM_EXEC"', KEY)
    text = text.replace("retry:\n", f"{MORE}retry:\n") + "stage: {current: small-live, since: 2026-11-01}\n"
    with world(tmp_path, text=text) as made:
        guard = made.guard()
        made.protected(guard).create_order(SYMBOL, "limit", "buy", 0.001, 60_000)
        yield made, guard


def _now(made: World, guard: Any) -> Standing:
    return standing(guard.store, guard.host, made.clock.now_ms())


FULLEST = """\
    risk.max_position_notional BTC/USDT                                    60 of 100 USDT    60%
    risk.max_orders_per_symbol BTC/USDT                         1 of 9 orders in BTC/USDT    11%
    risk.max_open_orders                                                   1 of 20 orders     5%
    rate_budgets.request-weight                                        98 of 4,200 weight     2%
    risk.max_gross_exposure                                              60 of 5,000 USDT     1%
"""


def test_it_shows_the_tightest_limits_and_all_when_asked(stood: tuple[World, Any]) -> None:
    """The fullest first, five of a policy, in a denial's numbers; what is not known is counted, and told with --all."""
    made, guard = stood
    head = "mm on binance/main, stage small-live\n  limits: 11, 1 not known"
    rest = (
        "  the day's loss: 0 of 300 USDT\n"
        "  last live lint: none is noted here; run policykit lint FILE --live\n"
        "  key mm-exec: 20 days old, as declared, to be rotated in 69 days\n"
        "orders of unknown outcome: 0\n"
    )
    found = _now(made, guard)
    assert render(found).endswith(f"{head}; the 5 tightest (--all shows every one)\n{FULLEST}{rest}")
    every = render(found, everything=True)
    assert f"{head}\n{FULLEST}    risk.max_orders  " in every
    assert f"    risk.max_margin_ratio  not known: the margin ratio was not observed\n{rest}" in every
    assert max(map(len, every.splitlines())) <= WIDTH


def test_the_json_has_every_limit_with_its_place(stood: tuple[World, Any]) -> None:
    """What the text says, as data: numbers as text, times in UTC, what is not known as null with the reason."""
    made, guard = stood
    now = made.clock.now_ms()
    guard.store.linted("binance/main", {"policy": "mm", "version": "x", "findings": [["high", "PK603", 2]]}, now)
    (policy,) = _now(made, guard).to_dict()["policies"]
    by_name = {(room["check"], room["key"]): room for room in policy.pop("rooms")}
    declared = date_ms("2026-11-01")
    assert declared is not None
    assert policy == {
        "name": "mm",
        "version": guard.policy.version,
        "account": "binance/main",
        "stage": "small-live",
        "stage_unproven": None,
        "live": True,
        "daily_loss": {"pace_an_hour": "0", "met_at": None},
        "lint": {"at": iso(now), "findings": {"high": 2}},
        "keys": [{"key": "mm-exec", "made": iso(declared), "observed": False, "due": iso(declared + 90 * DAY_MS)}],
    }
    line = next(n for n, text in enumerate(made.policy.read_text().splitlines(), 1) if "small-live" in text)
    assert by_name[("risk.max_position_notional", SYMBOL)] == {
        "check": "risk.max_position_notional",
        "kind": "position",
        "key": SYMBOL,
        "used": "60",
        "limit": "100",
        "unit": "USDT",
        "share": 0.6,
        "full": False,
        "unknown": "",
        "place": f"{made.policy}:{line}:18",
    }
    margin = by_name[("risk.max_margin_ratio", "")]
    assert (margin["used"], margin["share"], margin["unknown"]) == (None, None, "the margin ratio was not observed")


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (Burn(Decimal(300), Decimal(300), None, 0), "300 of 300 USDT: the limit is reached"),
        (Burn(Decimal("-5.5"), Decimal(300), Decimal(-1), None), "-5.50 of 300 USDT"),
        (
            Burn(Decimal(10), Decimal(300), Decimal("1.239"), None),
            "10 of 300 USDT, 1.24 an hour on average; at this pace not met today",
        ),
        (
            Burn(Decimal(9), Decimal(10), Decimal(1), 0),
            "9 of 10 USDT, 1 an hour on average; at this pace met at 1970-01-01T00:00Z",
        ),
    ],
)
def test_the_days_loss_says_when_its_limit_is_met(stood: tuple[World, Any], loss: Burn, line: str) -> None:
    """At the day's average pace, and only if that is still today."""
    found = _now(*stood)
    lines = render(replace(found, policies=(found.policies[0]._replace(loss=loss),))).splitlines()
    assert f"  the day's loss: {line}" in lines


def test_a_full_limit_an_old_lint_and_an_overdue_key_are_said(stood: tuple[World, Any]) -> None:
    """What needs somebody stands out; a dead bot's policy is the one that it had last."""
    made, guard = stood
    made.clock.advance(1)
    found = _now(made, guard)
    stand = found.policies[0]
    full = stand.rooms[1]._replace(used=Decimal(200), limit=Decimal(100), full=True, key="X" * 90)
    key = stand.keys[0]._replace(observed=True, due_ms=found.now_ms - 3 * DAY_MS)
    dead = stand.of._replace(live=False)
    for age_s, ago in ((119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")):
        changed = stand._replace(
            of=dead, rooms=(full,), keys=(key,), lint={"high": 1}, linted_ms=found.now_ms - age_s * 1000
        )
        lines = render(replace(found, policies=(changed,))).splitlines()
        assert "mm on binance/main, stage small-live, as its last guard had it" in lines
        assert "  limits: 1" in lines
        assert [len(line) for line in lines if "XXX" in line] == [WIDTH]
        assert f"  last live lint: {ago} ago: 1 high" in lines
        assert "  key mm-exec: 20 days old, as read, to be rotated 3 days ago" in lines
    empty = stand._replace(linted_ms=found.now_ms, keys=(key._replace(due_ms=None),), loss=None)
    text = render(replace(found, policies=(empty,)))
    assert "  last live lint: 0 s ago: nothing found\n  key mm-exec: 20 days old, as read\n" in text
    assert "the day's loss" not in text


def test_the_command_writes_both(stood: tuple[World, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """`status --all` and `--format json` read the store that is named, and write nothing to it."""
    made, guard = stood
    rows = len(list(guard.store.rows()))
    assert main(["status", "--store", made.store, "--all"]) == 0
    assert "risk.max_position_notional ETH/USDT" in capsys.readouterr().out
    assert main(["status", "--store", made.store, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["policies"][0]["stage"] == "small-live"
    assert len(list(guard.store.rows())) == rows
