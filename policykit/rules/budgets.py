"""What rate budgets let through in a span of time, and what a policy trades: shared by the rules on rates and retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from policykit.traits.base import RateWindow, cost, product_of

if TYPE_CHECKING:
    from policykit.model import RateBudget
    from policykit.rules.base import Inputs
    from policykit.traits.base import Exchange

#: Exchanges of ccxt that have derivatives only, and what their markets settle in where it is one thing.
DERIVATIVES_ONLY: dict[str, Literal["quote", "base", ""]] = {
    "binanceusdm": "quote",
    "binancecoinm": "base",
    "krakenfutures": "",
    "kucoinfutures": "",
}

_SPOT = frozenset(("trade.spot", "trade.margin"))
_CONTRACTS = frozenset(("trade.derivatives",))


def most_in(budget: RateBudget, limit: int, span_ms: int, *, aligned: bool) -> int:
    """Return the most that `limit` a window of the budget lets through in any span.

    A fixed window lets two pass at its edge. `aligned`: the span starts with the exchange's clock, as fixed windows do.
    """
    per_ms = budget.per.ms
    windows = -(-span_ms // per_ms)
    if budget.window == "fixed" and not (aligned and (span_ms % per_ms == 0 or per_ms % span_ms == 0)):
        windows += 1
    return windows * limit


def documented(inputs: Inputs, name: str) -> tuple[tuple[RateWindow, ...], tuple[RateWindow, ...]]:
    """Return the allowances of a name as traits have them: the exchange's, and those of products on a host of theirs.

    Only what is traded counts: a policy of contracts alone is not held to the allowance of spot.
    """
    if inputs.traits is None:
        return (), ()
    traded = [inputs.traits.products.get(product) for product in products(inputs)]
    own = tuple(w for product in traded if product for w in product.rate_windows if w.name == name)
    elsewhere = bool(own) and all(product and product.rate_windows for product in traded)
    return tuple(w for w in inputs.traits.rate_windows if w.name == name and not elsewhere), own


def published(inputs: Inputs, name: str) -> tuple[RateWindow, ...]:
    """Return the allowances of a name: as the exchange publishes them when they were read, else as traits have them."""
    known, own = documented(inputs, name)
    if inputs.snapshot is None or not known:
        return (*known, *own)
    first = known[0]
    read = [one for one in inputs.snapshot.limits if one.name == name and one.limit > 0 and one.per_ms > 0]
    observed = tuple(RateWindow(name, one.limit, one.per_ms, first.window, first.scope) for one in read)
    return (*(observed or known), *own)


def wanted(inputs: Inputs) -> tuple[str, ...]:
    """Return the patterns of `risk.symbols` that allow something."""
    symbols = inputs.model.risk.symbols if inputs.model.risk else None
    return tuple(s for s in symbols or () if not s.startswith("!"))


def one_kind(inputs: Inputs) -> tuple[Literal["spot", "swap", ""], str]:
    """Return the one product that exchange and keys can trade, and why; empty when both can, or it is not known."""
    exchange = inputs.model.exchange
    if exchange in DERIVATIVES_ONLY:
        return "swap", f"{exchange} has contracts only"
    scopes = {s for key in inputs.keys.values() for s in key.scopes or () if s.startswith("trade")}
    if scopes and scopes <= _SPOT:
        return "spot", "the keys trade spot only"
    return ("swap", "the keys trade derivatives only") if scopes and scopes <= _CONTRACTS else ("", "")


def products(inputs: Inputs) -> tuple[str, ...]:
    """Return the products that the policy surely trades, by its exchange, its symbols and its keys' scopes."""
    kind, _ = one_kind(inputs)
    if kind:
        return (kind,)
    patterns = wanted(inputs)
    found = {product_of(p) for p in patterns if not p.endswith("*") or ":" in p}
    if not patterns or any(p.endswith("*") and ":" not in p for p in patterns):
        scopes = {scope for key in inputs.keys.values() for scope in key.scopes or ()}
        found |= {"spot"} if scopes & {"trade", *_SPOT} else set()
        found |= {"swap"} if scopes & _CONTRACTS else set()
    return tuple(sorted(found))


def order_costs(inputs: Inputs, name: str, budget: RateBudget) -> tuple[int, ...]:
    """Return what one order costs of a budget, for each product that is traded, as the engine counts it."""
    found = set()
    for product in products(inputs):
        known = inputs.traits.products.get(product) if inputs.traits else None
        call = known.calls.get("order.create", "") if known else ""
        listed = (budget.costs or {}).get(call)
        if listed is None:
            listed = cost(inputs.traits, name, call) if inputs.traits and call else 1
        found.add(listed)
    return tuple(sorted(found))


def same_position(traits: Exchange | None, symbol: str, key: str) -> bool:
    """Tell whether the cap of `key` holds for a symbol, as the engine keeps positions: by asset, or by market."""
    base = symbol.partition("/")[0]
    if key in (symbol, base):
        return True
    product = traits.products.get(product_of(symbol)) if traits else None
    by_base = product.position_key == "base" if product else product_of(symbol) == "spot"
    return by_base and product_of(key) == product_of(symbol) and "/" in key and key.partition("/")[0] == base
