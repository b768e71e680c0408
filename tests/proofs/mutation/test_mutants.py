"""Mutants: every word that decides orders is changed, each mutant is a policy, and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.model.base import Section
from policykit.model.enforced import CHECKS
from policykit.model.shape import shapes, walk
from policykit.policy import EffectivePolicy, load_text
from policykit.proofs.mutation import mutants as made
from policykit.proofs.mutation.mutants import fields, mutants, others
from policykit.units import Percent
from tests.engine.worlds import ACCOUNT_LIMITS, LANELESS, LIMITS, changed, placed

#: One limit of each check that holds a field of the language.
SINK: dict[str, Any] = {
    **LIMITS,
    **placed(ACCOUNT_LIMITS),
    **LANELESS,
    "risk.max_gross_exposure": ["80% of equity", "90000 USDT"],
    "risk.price_collar": {"max_deviation": "2%", "max_age": "2s"},
    "risk.max_leverage": "1.5",
    "risk.on_breach": {"symbols": "warn"},
    "risk.weekly_loss": {"limit": "5% of equity", "week_starts": "sun 22:00 UTC"},
    "reconciliation": {"tolerance": "5 USDT", "positions_every": "60s"},
    "retry.reconnect": {"max_per": {"limit": 50, "per": "5m"}},
    "stage": {"current": "full-live"},
    "rate_budgets.request-weight.costs": {"POST /api/v3/order": 2},
    "kill_switch": {"triggers": {"rejects": {"limit": 5, "per": "1m"}}},
}


def effective(changes: dict[str, Any]) -> EffectivePolicy:
    """Load the canonical policy with some values replaced."""
    return load_text(json.dumps(changed(changes)), "mm.yaml")


def of(changes: dict[str, Any], path: str) -> list[str]:
    """Return what the mutants of one field say, in order."""
    return [mutant.now for mutant in mutants(effective(changes)) if mutant.path == path]


def held(policy: EffectivePolicy) -> Iterator[str]:
    """Yield every field that is set and that a check holds, by a walk of the model that mutants do not use."""

    def look(section: Section, path: str, above: bool) -> Iterator[str]:
        for name, shape in shapes(type(section)).items():
            value = getattr(section, name)
            if value is None:
                continue
            at = f"{path}.{name}" if path else name
            checked = any(holder.startswith("check:") for holder in shape.meta.held_by)
            checked = checked or (above and "section" in shape.meta.held_by)
            if shape.kind == "section":
                yield from look(value, at, checked)
            elif shape.kind == "map" and shape.section is not None:
                for key, item in value.items():
                    yield from look(item, f"{at}.{key}", checked)
            elif checked:
                yield at

    return look(policy.model, "", False)


def _unmutated(policy: EffectivePolicy) -> set[str]:
    touched = {mutant.path for mutant in mutants(policy)}
    return {path for path in held(policy) if not any(one == path or one.startswith(f"{path}.") for one in touched)}


def test_every_field_that_a_check_holds_has_a_mutant() -> None:
    """Of a policy that sets a limit of each check, each field that a check holds is mutated."""
    policy = effective(SINK)
    assert _unmutated(policy) == set()
    checks = {holder for mutant in mutants(policy) for holder in mutant.held_by}
    assert {f"check:{check}" for check in CHECKS} - checks == set()


def test_control_a_skipped_kind_of_value_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that knows no percentages leaves fields out, and the test above says which."""
    moved = made._moved
    monkeypatch.setattr(made, "_moved", lambda value: iter(()) if isinstance(value, Percent) else moved(value))
    monkeypatch.setattr(made.Field, "removable", False)
    assert "risk.price_collar.max_deviation" in _unmutated(effective(SINK))


def test_every_mutant_differs_in_the_one_field_that_it_names() -> None:
    """What a mutant says differs from the policy at its path, and nowhere else."""
    policy = effective(SINK)
    before = {path: value for path, value, _ in walk(policy.model)}
    for mutant in mutants(policy):
        after = {path: value for path, value, _ in walk(mutant.effective.model)}
        differ = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert differ
        if mutant.path != "stage.current":
            same_field = (mutant.path, mutant.path.rpartition(".")[0])
            assert all(path in same_field or path.startswith(f"{mutant.path}.") for path in differ), str(mutant)
        assert mutant.effective.version != policy.version, str(mutant)


@pytest.mark.parametrize(
    ("path", "now"),
    [
        ("risk.max_order_notional", ["1.4% of equity", "1.6% of equity", "nothing"]),
        (
            "risk.max_gross_exposure",
            [
                "[79% of equity, 90000 USDT]",
                "[81% of equity, 90000 USDT]",
                "90000 USDT",
                "[80% of equity, 89999 USDT]",
                "[80% of equity, 90001 USDT]",
                "80% of equity",
                "nothing",
            ],
        ),
        ("risk.max_position_notional.BTC/USDT", ["19% of equity", "21% of equity", "nothing"]),
        ("risk.max_leverage", ['"1.4"', '"1.6"', "nothing"]),
        ("risk.max_open_orders", ["19", "21", "nothing"]),
        ("account.max_age", ["9s", "11s", "nothing"]),
        ("clock.max_skew", ["499ms", "501ms", "nothing"]),
        ("risk.max_orders.per", ["59s", "61s"]),
        ("risk.max_orders", ["nothing"]),
        ("risk.sides", ["[sell]", "[buy]", "nothing"]),
        ("risk.reduce_only_exits", ["false", "nothing"]),
        ("risk.on_breach.symbols", ["deny", "nothing"]),
        ("risk.daily_loss.on_breach", ["deny", "cancel_open"]),
        ("risk.daily_loss.day_starts", ['"23:59 UTC"', '"00:01 UTC"']),
        (
            "risk.weekly_loss.week_starts",
            ['"sun 21:59 UTC"', '"sun 22:01 UTC"', '"sat 22:00 UTC"', '"mon 22:00 UTC"'],
        ),
        ("rate_budgets.request-weight.window", ["rolling"]),
        ("rate_budgets.request-weight.costs.POST /api/v3/order", ["1", "3", "nothing"]),
        ("risk.symbols", ['["*/USDT", ETH/USDT]', "[ETH/USDT]", '[BTC/USDT, "*/USDT"]', "[BTC/USDT]", "nothing"]),
        ("keys.mm-exec.address_proof", ["nothing"]),
        ("stage.current", ["small-live"]),
    ],
)
def test_a_field_is_mutated_by_its_kind(path: str, now: list[str]) -> None:
    """Thresholds move by a tick each way, words by a step, items come and go, and what can be left out is."""
    assert of(SINK, path) == now


def test_a_stage_is_mutated_as_the_layer_that_it_is() -> None:
    """A mutant of the stage has the caps of that stage."""
    small = next(m for m in mutants(effective(SINK)) if m.path == "stage.current")
    assert small.effective.model.risk is not None
    assert str(small.effective.model.risk.max_order_notional) == str(
        effective({**SINK, "stage": {"current": "small-live"}}).model.risk.max_order_notional  # type: ignore[union-attr]
    )


def test_what_decides_no_order_is_named_with_its_holder() -> None:
    """Fields that rules or parts of the guard hold are listed, and are no mutants."""
    policy = effective(SINK)
    named = {other.path: other.held_by for other in others(policy)}
    assert named["account.name"] == ("guard:store",)
    assert named["kill_switch.triggers.rejects.limit"] == ("guard:triggers",)
    assert not {field.path for field in fields(policy.model) if field.decides} & set(named)


def test_no_mutant_shows_where_a_secret_is() -> None:
    """A section that goes as a whole is written by what it needs; a reference to a secret is in none."""
    keyed = {**SINK, "keys.mm-exec.secret": "vault://kv/trading/mm-exec"}
    assert of(keyed, "keys.mm-exec") == ["nothing"]
    shown = [mutant.was for mutant in mutants(effective(keyed)) if mutant.path == "keys.mm-exec"]
    assert shown == ["{purpose: execution, ...}"]
