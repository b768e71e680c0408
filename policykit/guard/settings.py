"""What a guard takes from its policy before the first order: key, times, retry plan, and whether the store will do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Literal

from policykit.errors import PolicykitError
from policykit.exchanges import load_trading
from policykit.exchanges.adapter import TradingAdapter
from policykit.model import Policy
from policykit.orders.backoff import Backoff
from policykit.orders.life import RetryPlan
from policykit.policy import EffectivePolicy, dump, expired
from policykit.store import Store
from policykit.traits import load
from policykit.traits.base import Exchange, product_of

Mode = Literal["enforce", "shadow"]
#: The scopes that a product is traded with.
_SCOPES: Final = {"spot": ("trade.spot", "trade.margin"), "swap": ("trade.derivatives",)}
#: The purpose of a key that lies in no bot's reach until an incident.
BREAK_GLASS: Final = "break_glass"
#: What `retry.orders` leaves out, ms.
LOOKUP_EVERY_MS: Final = 2_000
EXPIRES_AFTER_MS: Final = 30_000
#: Assumed distance of the clocks where the policy states no bound, ms (Binance itself refuses 1 s ahead).
CLOCK_BOUND_MS: Final = 1_000
#: Request validity put on the wire where the policy states none, ms.
REQUEST_VALIDITY_MS: Final = 5_000


def retry_plan(policy: EffectivePolicy) -> RetryPlan:
    """Return `retry.orders`; without it an order is sent once and an absent one is held."""
    orders = policy.model.retry.orders if policy.model.retry else None
    if orders is None:
        return RetryPlan(LOOKUP_EVERY_MS, "hold", 1, EXPIRES_AFTER_MS)
    return RetryPlan(
        lookup_every_ms=orders.lookup_every.ms if orders.lookup_every else LOOKUP_EVERY_MS,
        when_absent=orders.when_absent,
        attempts=orders.attempts or 1,
        expires_after_ms=orders.expires_after.ms if orders.expires_after else EXPIRES_AFTER_MS,
        wait_ms=orders.wait.ms if orders.wait else None,
    )


def reconnect_plan(policy: EffectivePolicy) -> Backoff:
    """Return the waits between connects of a stream (`retry.reconnect`)."""
    said, plan = policy.model.retry.reconnect if policy.model.retry else None, Backoff()
    if said is None:
        return plan
    return Backoff(
        plan.initial_ms if said.wait_initial is None else said.wait_initial.ms,
        plan.factor if said.factor is None else said.factor,
        plan.max_ms if said.wait_max is None else said.wait_max.ms,
        said.jitter or plan.jitter,
    )


def request_validity_ms(policy: EffectivePolicy) -> int:
    """Return how long a signed request may live."""
    clock = policy.model.clock
    return clock.request_validity.ms if clock and clock.request_validity else REQUEST_VALIDITY_MS


def clock_bound_ms(policy: EffectivePolicy) -> int:
    """Return how far the clocks may be apart."""
    clock = policy.model.clock
    return clock.max_skew.ms if clock and clock.max_skew else CLOCK_BOUND_MS


def mode_named() -> Mode:
    """Return what POLICYKIT_MODE says, enforce without it. Raise PolicykitError for a word that is no mode."""
    named = os.environ.get("POLICYKIT_MODE") or "enforce"
    if named == "enforce":
        return "enforce"
    if named == "shadow":
        return "shadow"
    raise PolicykitError(f'POLICYKIT_MODE is "{named}"; enforce or shadow may be; set one of them, or unset it')


def told(policy: EffectivePolicy) -> dict[str, Any]:
    """Return what is in force, for other guards and for the journal; where secrets live is this host's matter."""
    said: dict[str, Any] = dump(policy.model)
    said.pop("notify", None)  # who is told of what bounds nothing, and the addresses are this host's matter
    for key in said.get("keys", {}).values():
        key.pop("secret", None)
    return said


def in_words(policy: EffectivePolicy, candidate: EffectivePolicy | None, now_ms: int) -> dict[str, Any]:
    """Return what its row says of one that comes into force: itself, its waivers; what it and a candidate count."""
    said = {"name": policy.name, "version": policy.version, "file": policy.file, "policy": told(policy)}
    waived = [dump(waiver) for waiver in policy.model.waivers if not expired(waiver, now_ms)]
    if waived:
        said["waivers"] = waived
    return said | counted(policy, *([] if candidate is None else [candidate]))


def read_back(said: Mapping[str, Any], name: str, file: str) -> EffectivePolicy:
    """Return the policy that `told` wrote. Raise ValueError where it is of another version of this library."""
    model = Policy.model_validate(said)
    return EffectivePolicy(model, file, name, MappingProxyType({}), MappingProxyType({}), model)


def counted(policy: EffectivePolicy, *beside: EffectivePolicy) -> dict[str, Any]:
    """Return what the store counts from when a policy is in force: trades and partly filled entries, and into groups.

    What candidates `beside` it ask for is counted too, but an account joins a group by its own policy only.
    """
    risks = [one.model.risk for one in (policy, *beside) if one.model.risk is not None]
    groups = policy.model.groups or {}
    said: dict[str, Any] = {}
    if any(risk.consecutive_losses is not None for risk in risks):
        said["trades"] = True
    if any(risk.partial_fills is not None for risk in risks):
        said["entries"] = True
    if groups:
        said["groups"] = [policy.group_owner(name) for name in sorted(groups)]
    return said


def products_of(policy: EffectivePolicy, key: str, tradable: frozenset[str]) -> frozenset[str]:
    """Return the products that a key trades under a policy: by its scopes, and no more than `risk.symbols` names."""
    stage = policy.model.stage
    if stage is not None and stage.current == "paper":
        held = set(tradable)  # nothing is signed: what a key may do bounds nothing
    else:
        scopes = (policy.model.keys or {})[key].scopes or ()
        held = {product for product, named in _SCOPES.items() if any(scope in named for scope in scopes)} & tradable
    symbols = (policy.model.risk.symbols if policy.model.risk else None) or ()
    named = {product_of(symbol) for symbol in symbols if not symbol.startswith("!") and symbol.strip("*")}
    return frozenset(held & named if named and not any(symbol.strip("*") == "" for symbol in symbols) else held)


def trading(policy: EffectivePolicy, key: str) -> tuple[Exchange, TradingAdapter] | None:
    """Return what is known of the products that a key trades, and the adapter for them; None: no guard trades there.

    What is known of a product that is not traded here is for lint: a guard must not send there by it.
    """
    traits, adapter = load(policy.model.exchange), load_trading(policy.model.exchange)
    if traits is None or adapter is None:
        return None
    adapter = adapter.serving(products_of(policy, key, adapter.trades))
    tradable = {name: product for name, product in traits.products.items() if name in adapter.trades}
    return replace(traits, products=tradable), adapter


def choose_key(policy: EffectivePolicy, key: str | None) -> str:
    """Return the key to trade with: the named one, or the only one with a trade scope. Raise PolicykitError."""
    keys = policy.model.keys or {}
    if key is not None:
        if key not in keys:
            known = ", ".join(keys) or "none"
            raise PolicykitError(f'{policy.place("keys")}: key is "{key}"; one of {known} may be')
        if keys[key].purpose == BREAK_GLASS:
            where = policy.place(f"keys.{key}.purpose")
            raise PolicykitError(f"{where}: the key {key} is for incidents and no bot; a key for execution is needed")
        return key
    stage = policy.model.stage
    usable = [name for name, one in keys.items() if one.purpose != BREAK_GLASS]
    if stage is not None and stage.current == "paper" and len(usable) < 2:
        return next(iter(usable), "")  # a key that reads will do, and for public data none is needed
    traders = [
        name
        for name, one in keys.items()
        if one.purpose != BREAK_GLASS and any(scope.startswith("trade") for scope in one.scopes or ())
    ]
    if len(traders) != 1:
        found = ", ".join(traders) or "none"
        where = policy.place("keys")
        raise PolicykitError(f"{where}: keys with a trade scope: {found}; name one: Guard.load(path, key=...)")
    return traders[0]


def currency_problem(policy: EffectivePolicy, store: Store) -> tuple[str, str] | None:
    """Return why this policy may not count an account that the store has counted in another currency."""
    kept = store.facts(policy.account_key, "").currency
    currency = policy.model.account.currency
    if kept is None or kept == currency:
        return None
    return "STORE_CURRENCY", f"{policy.account_key} is counted in {kept} in this store; account.currency is {currency}"


def store_problem(policy: EffectivePolicy, store: Store) -> tuple[str, str] | None:
    """Return why this store may not carry increases of this policy; a sandbox may forget."""
    if policy.model.environment == "sandbox":
        return None
    if store.problem is not None:
        return store.problem
    share = policy.model.store.share if policy.model.store else "host"
    if share == "fleet" and store.backend != "valkey":
        return "STORE_SHARE", f'store.share is "fleet"; a {store.backend} store serves the bots of one host only'
    return None
