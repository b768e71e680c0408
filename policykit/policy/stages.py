"""A stage is a layer that only tightens: micro-live adds caps of 0.1 % of equity, small-live takes a tenth of the caps.

Counts and percentages of a price never scale. Full-live adds nothing; in sandbox and paper no money moves.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from policykit.model.base import Section
from policykit.model.policy import Policy
from policykit.model.risk import Risk
from policykit.model.shape import shapes
from policykit.place import Place
from policykit.policy.layers import Layer, compose, nearest
from policykit.units import Amount, Share

#: GUIDE G41: "micro-live (0.1 % position sizes)", "small-live (10 % of target)".
MICRO: Final = Share(Decimal("0.001"))
SMALL: Final = Decimal("0.1")


def _scaled(value: Any) -> Any:
    if isinstance(value, Amount):
        return Amount(value.value * SMALL, value.currency)
    if isinstance(value, Share):
        return Share(value.fraction * SMALL)
    if isinstance(value, dict):
        return {key: _scaled(item) for key, item in value.items()}
    return tuple(_scaled(item) for item in value)


def _caps_only(section: Section) -> dict[str, Any]:
    """Return the money caps of a section, scaled; sections in it are opened."""
    out: dict[str, Any] = {}
    for name, shape in shapes(type(section)).items():
        value = getattr(section, name)
        if value is None:
            continue
        if shape.kind == "section":
            inner = _caps_only(value)
            if inner:
                out[name] = type(value).model_construct(_fields_set=set(inner), **inner)
        elif shape.section is None and "of" in shape.meta.unit and _is_money(value):
            out[name] = _scaled(value)
    return out


def _is_money(value: Any) -> bool:
    first = next(iter(value.values()), None) if isinstance(value, dict) else value
    return type(first) is tuple and all(isinstance(bound, Amount | Share) for bound in first)


def staged(layer: Layer, stage: str | None) -> Layer:
    """Return a policy as it is at a stage. INVARIANT I16: composed like any layer, so it can only tighten."""
    if stage == "micro-live":
        caps: dict[str, Any] = {"max_order_notional": (MICRO,), "max_position_notional": {"default": (MICRO,)}}
    elif stage == "small-live" and layer.model.risk is not None:
        caps = _caps_only(layer.model.risk)
    else:
        return layer
    risk = Risk.model_construct(_fields_set=set(caps), **caps)
    place = nearest(layer.places, "stage.current") or Place("")
    # The stage is the layer above: what it allows less of, it says; the file's own word counts wherever it is stricter.
    met, _ = compose(layer, Layer(_with(layer.model, risk), {"": place, "risk": place}), strict=False)
    places = {**layer.places, **met.places}
    return Layer(met.model, places)


def _with(model: Policy, risk: Risk) -> Policy:
    """Return a policy that says of itself what `model` says, and otherwise only `risk`."""
    own = {name: getattr(model, name) for name in ("policykit", "name", "owner", "extends")}
    return Policy.model_construct(_fields_set={*(own.keys() & model.model_fields_set), "risk"}, risk=risk, **own)
