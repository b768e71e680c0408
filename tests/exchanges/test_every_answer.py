"""Answers that are damaged: each field removed, retyped, renamed, nulled. No crash, and nothing granted is denied."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from policykit.exchanges import known, load
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.base import CallFailed
from policykit.exchanges.forms import flag
from policykit.sim import SimClock, SimServer
from policykit.sim.keys import GRANTS
from policykit.snapshot import KeyReport
from tests.exchanges.reading import MoreAsked, client_of, recorded, report_of

Path = tuple[str | int, ...]
#: What a value is made into; a yes or a no is not made into the other one, which would be another answer.
RETYPED: tuple[Any, ...] = (None, 987_654, "maybe", {"x": 1}, [987_654], 0.5, True, "\x00", [[]], {"": None})


def _paths(data: Any, at: Path = ()) -> Iterator[Path]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield (*at, name)
            yield from _paths(value, (*at, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield (*at, index)
            yield from _paths(value, (*at, index))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _hows(answers: list[Any], path: Path) -> Iterator[Any]:
    """Yield in which ways one value can be damaged: "removed", "renamed", or (the value it is made into,)."""
    parent, value = _at(answers, path[:-1]), _at(answers, path)
    if isinstance(parent, dict):
        yield "removed"
    if isinstance(parent, dict) or isinstance(value, str):
        yield "renamed"
    for new in RETYPED:
        if type(new) is not type(value) and not (new is True and (flag(value) is not None or value == "")):
            yield (new,)


def _damaged(answers: list[Any], path: Path, how: Any) -> list[Any]:
    """Return the answers with one value damaged."""
    damaged = copy.deepcopy(answers)
    parent, last = _at(damaged, path[:-1]), path[-1]
    if how == "removed":
        del parent[last]
    elif how == "renamed" and isinstance(parent, dict):
        parent[f"{last}X"] = parent.pop(last)
    else:
        parent[last] = f"{parent[last]}X" if how == "renamed" else how[0]
    return damaged


def _mutants(answers: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield every single change of a list of answers, named."""
    for path in _paths(answers):
        for how in _hows(answers, path):
            yield f"{path} {how}", _damaged(answers, path, how)


def _several(answers: list[Any], rng: random.Random) -> tuple[str, list[Any]]:
    """Damage two to five values by seed, each once and as it was: a value damaged twice would be another answer."""
    paths = list(_paths(answers))
    names = []
    damaged = answers
    # Deepest first: what is inside a value is damaged before the value itself.
    for path in sorted(rng.sample(paths, min(len(paths), rng.randint(2, 5))), key=len, reverse=True):
        how = rng.choice(list(_hows(answers, path)))
        names.append(f"{path} {how}")
        damaged = _damaged(damaged, path, how)
    return "; ".join(names), damaged


def _bases(exchange: str, adapter: Adapter) -> list[list[Any]]:
    """Return the answers for four keys: everything from everywhere, a trader from two addresses, a reader, a thief."""
    with SimServer(clock=SimClock(), dialect=exchange) as sim:
        keys = (
            sim.grant_key(400, grants=set(GRANTS), used_days_ago=2),
            sim.grant_key(30, addresses=["203.0.113.7", "203.0.113.8"]),
            sim.grant_key(30, grants={"read"}, addresses=["203.0.113.7"], expires_in_days=20),
            sim.grant_key(1, grants={"read", "withdraw"}),
        )
        return [recorded(adapter, client_of(sim, key)) for key in keys]


def _report_or_code(adapter: Adapter, answers: list[Any]) -> KeyReport | str:
    try:
        return report_of(adapter, *answers)
    except CallFailed as failed:
        return failed.code
    except MoreAsked:
        return "asks on"


def _checked(adapter: Adapter, base: KeyReport, name: str, answers: list[Any]) -> KeyReport | None:
    """Read a damaged answer; fail when it says less than the whole one."""
    got = _report_or_code(adapter, answers)
    if isinstance(got, str):
        assert got in ("BAD_ANSWER", "KEY_REJECTED", "PERMISSION_MISSING", "NOT_SUPPORTED", "asks on"), name
        return None
    for scope, said in base.permissions.items():
        if said == "granted":
            assert got.permissions[scope] != "denied", f"{adapter.id} {scope}: {name}"
        if got.permissions[scope] == "unknown":
            assert got.unknown.get(f"permissions.{scope}"), f"{adapter.id} {scope} without a reason: {name}"
    if base.restricted == "no":
        assert got.restricted != "yes", f"{adapter.id} restricted: {name}"
    return got


@pytest.fixture(params=known())
def exchange(request: pytest.FixtureRequest) -> str:
    """The id of each exchange that can be read."""
    return str(request.param)


def test_I18_no_damage_turns_granted_into_denied(exchange: str, tier: Callable[[int, int], int]) -> None:
    """Every single change of every field, then several at once by seed: no traceback, nothing granted is denied."""
    adapter = load(exchange)
    assert adapter is not None
    seen = 0
    for answers in _bases(exchange, adapter)[: tier(2, 4)]:
        base = report_of(adapter, *answers)
        for name, mutant in _mutants(answers):
            _checked(adapter, base, name, mutant)
            seen += 1
    rng = random.Random(f"{exchange} 4")
    bases = [(report_of(adapter, *answers), answers) for answers in _bases(exchange, adapter)]
    for _ in range(tier(48, 996)):
        base, answers = rng.choice(bases)
        _checked(adapter, base, *_several(answers, rng))
        seen += 1
    assert seen > 100


def test_I18_control_a_naive_reader_denies() -> None:
    """A reader that takes an absent flag for a no fails the same test."""
    adapter = load("binance")
    assert adapter is not None

    class Naive(type(adapter)):  # type: ignore[misc]
        def key_report(self) -> Any:
            report = yield from super().key_report()
            report.permissions = {s: "denied" if p == "unknown" else p for s, p in report.permissions.items()}
            return report

    naive = Naive()
    answers = _bases("binance", adapter)[0]
    base = report_of(naive, *answers)
    with pytest.raises(AssertionError, match=r"binance \S+: .* removed"):
        for name, mutant in _mutants(answers):
            _checked(naive, base, name, mutant)
