"""I16, the half of composition: what extends a policy is at least as strict as it, and a stage only tightens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest

from policykit.errors import PolicyError
from policykit.model import Policy, Section
from policykit.model.shape import shapes
from policykit.model.symbols import allows
from policykit.policy import EffectivePolicy, Layer, compose, load_text, staged, version
from policykit.policy import layers as layers_module
from policykit.policy.values import Met
from policykit.units import Amount, Duration, Percent, Share
from tests.policy.documents import random_policy, text_of

#: What symbol lists are tried with.
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDC", "LUNA/USDT", "LUNA2/BTC", "ETH/BTC", "X/Y")
_MISSING = object()


def amounts(cap: Any) -> dict[str, Any]:
    """Return the bounds of a cap by dimension, read without the help of the code under test."""
    return {getattr(bound, "currency", "share"): bound[0] for bound in cap}


def looser(child: Section, parent: Section, path: str = "") -> Iterator[str]:
    """Yield every path at which `child` allows what `parent` does not: a second, simple reading of DESIGN 2."""
    for name, shape in shapes(type(parent)).items():
        above, below = getattr(parent, name), getattr(child, name)
        kind, at = shape.meta.strictness.kind, f"{path}.{name}"
        if above is None or kind == "neutral":
            continue
        if below is None:
            yield f"{at} is gone"
        elif kind == "section":
            yield from looser(below, above, at)
        elif kind == "pointwise" and shape.section is not None:
            for key, item in above.items():
                yield from looser(below[key], item, f"{at}.{key}") if key in below else [f"{at}.{key} is gone"]
        elif kind == "pointwise":
            default = name == "max_position_notional"
            for key in {*above, *below} if default else set(above):
                held = above.get(key, above.get("default") if default else None)
                said = below.get(key, below.get("default") if default else None)
                if held is not None and (said is None or leaf_looser(shape.meta.strictness.of, said, held)):
                    yield f"{at}.{key}"
        elif leaf_looser(shape.meta.strictness, below, above):
            yield at


def leaf_looser(strictness: Any, below: Any, above: Any) -> bool:
    """Say whether one value allows more than another."""
    if strictness.kind == "identity":
        return bool(above) and below != above
    if strictness.kind in ("lower", "higher"):
        sign = 1 if strictness.kind == "lower" else -1
        if isinstance(above, tuple) and not isinstance(above, Duration | Percent):
            held, said = amounts(above), amounts(below)
            return any(said.get(d) is None or said[d] > held[d] for d in held)
        return bool((below > above) if sign == 1 else (below < above))
    if strictness.kind == "ordered":
        return bool(strictness.order.index(below) < strictness.order.index(above))
    if strictness.kind == "true":
        return bool(above and not below)
    if strictness.kind == "superset":
        return not set(above) <= set(below)
    if strictness.order == ("symbols",):
        return any(allows(below, s) and not allows(above, s) for s in SYMBOLS)
    if strictness.order == ("scopes",):
        return any(b not in above and b.partition(".")[0] not in above for b in below)
    return not set(below) <= set(above)


def layer(draw: random.Random) -> Layer:
    """Return a random policy as a layer without places."""
    return Layer(Policy.model_validate(random_policy(draw, draw.choice((0.3, 0.7)))), MappingProxyType({}))


def broken_pairs(pairs: int, seed: int) -> list[tuple[int, list[str]]]:
    """Compose random pairs; return those whose composition allows what one of the two does not."""
    draw = random.Random(seed)
    bad = []
    for index in range(pairs):
        one, two = layer(draw), layer(draw)
        both, _ = compose(one, two, strict=bool(index % 2))
        wrong = [*looser(both.model, one.model), *looser(both.model, two.model)] if not index % 2 else []
        wrong += looser(both.model, one.model)
        if wrong:
            bad.append((index, wrong))
    return bad


def test_I16_a_composition_is_as_strict_as_each_of_its_layers(tier: Callable[[int, int], int]) -> None:
    """Of 5,000 random pairs, no composition allows what the layer above (or, between equals, either) forbids."""
    assert broken_pairs(tier(5_000, 100_000), seed=16) == []


@pytest.mark.parametrize("kind", ["lower", "higher", "subset", "superset", "true", "ordered"])
def test_I16_the_check_can_fail(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A composition that lets the child win in any one kind of strictness is found out by the same check."""
    real = layers_module.meet

    def child_wins(strictness: Any, parent: Any, child: Any) -> Met:
        return Met(child, "child") if strictness.kind == kind else real(strictness, parent, child)

    monkeypatch.setattr(layers_module, "meet", child_wins)
    assert broken_pairs(200, seed=16) != []


def child_of(below: str, above: str) -> EffectivePolicy | set[str]:
    """Return the child, or the codes of what it is refused for."""
    try:
        return load_text(below, resolve=lambda name: above)
    except PolicyError as error:
        return {f.rule for f in error.findings}


def test_I16_what_loads_is_as_strict_as_what_it_extends(tier: Callable[[int, int], int]) -> None:
    """Through text and `extends`: a child either loads at least as strict as its parent, or is refused as looser."""
    draw = random.Random(61)
    loaded = refused = 0
    for _ in range(tier(400, 5_000)):
        above, below = random_policy(draw, 0.3), random_policy(draw, 0.2)
        below["extends"] = ["p"]
        parent = load_text(text_of(above))
        child = child_of(text_of(below), text_of(above))
        if isinstance(child, set):
            assert child <= {"PK021", "PK022"}
            refused += 1
        else:
            loaded += 1
            assert list(looser(child.composed, parent.composed)) == []
    assert min(loaded, refused) > 40, (loaded, refused)


def test_I16_composing_twice_changes_nothing_and_order_does_not_matter_for_caps() -> None:
    """Composition is idempotent, and between equals the risk section does not depend on the order."""
    draw = random.Random(7)
    for _ in range(300):
        one, two = layer(draw), layer(draw)
        both, _ = compose(one, two, strict=False)
        again, _ = compose(both, two, strict=False)
        assert version(again.model) == version(both.model)
        turned, _ = compose(two, one, strict=False)
        assert [*looser(turned.model, both.model), *looser(both.model, turned.model)] == []


@pytest.mark.parametrize("stage", ["sandbox", "paper", "micro-live", "small-live", "full-live"])
def test_I16_a_stage_only_tightens(stage: str) -> None:
    """No stage allows anything that the policy does not."""
    draw = random.Random(9)
    for _ in range(300):
        plain = layer(draw)
        assert list(looser(staged(plain, stage).model, plain.model)) == []


def test_the_reference_reads_bounds() -> None:
    """The reference itself tells dimensions apart and sees a bound that is gone."""
    from decimal import Decimal

    assert amounts((Amount(Decimal(5), "USDT"), Share(Decimal("0.1")))) == {"USDT": 5, "share": Decimal("0.1")}


def test_I16_a_child_cannot_make_a_cap_of_its_parent_a_warning() -> None:
    """Where a parent says nothing else a breach is denied; of a limit of its own a child may say what it likes."""
    parent = "policykit: 1\nname: base\nrisk: {max_order_notional: 1000 USDT}\n"
    child = (
        "policykit: 1\nname: mm\nextends: [base.yaml]\n"
        "risk: {max_slippage: 1%, on_breach: {max_slippage: warn, max_order_notional: WORD}}\n"
    )
    with pytest.raises(PolicyError) as refused:
        load_text(child.replace("WORD", "warn"), resolve=lambda _: parent)
    assert str(refused.value) == (
        'policy.yaml:4:78: risk.on_breach.max_order_notional is "warn", looser than base.yaml:3:7 allows; '
        '"deny" or stricter; tighten it, or leave it out'
    )
    risk = load_text(child.replace("WORD", "halt"), resolve=lambda _: parent).model.risk
    assert risk is not None
    assert risk.on_breach == {"max_slippage": "warn", "max_order_notional": "halt"}


def test_I16_of_two_equals_the_one_that_is_silent_denies() -> None:
    """Two live versions, or two policies that one extends: a warning of the one is no word of the other, either way."""
    silent = "policykit: 1\nname: a\nrisk: {max_order_notional: 1000 USDT}\n"
    warns = "policykit: 1\nname: b\nrisk: {max_order_notional: 2000 USDT, on_breach: {max_order_notional: warn}}\n"
    one, other = (Layer(load_text(text).model, MappingProxyType({})) for text in (silent, warns))
    for pair in ((one, other), (other, one)):
        risk = compose(*pair, strict=False)[0].model.risk
        assert risk is not None
        assert risk.on_breach == {"max_order_notional": "deny"}
