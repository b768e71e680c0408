"""Boundary cases of an effective policy: orders just inside and just outside of each limit, and what must follow.

What must follow is worked out here from what the policy says and what its words mean (at the cap: allowed; a tick over:
denied with that limit's code), never from what the engine answers: where the two differ, one of them is wrong.
A function here knows one limit; `boundaries` gives the cases of all that a policy sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from policykit.policy import EffectivePolicy
from policykit.proofs.mutation.counts import COUNTS, leaving
from policykit.proofs.mutation.world import EQUITY, FILLER, OTHER_FILLER, TICK, Case, Step, World
from policykit.proofs.suite.trader import HOST
from policykit.units import Bound, Duration, Share, plain

#: A length of time has nine digits at most.
_MOST_MS: Final = 999_999_999
_CENT: Final = Decimal("0.01")


def boundaries(effective: EffectivePolicy) -> Iterator[Case]:
    """Yield the cases of every limit that a policy of an exchange sets, and of what holds under every policy."""
    world = World(effective)
    for maker in (*EDGES, *COUNTS):
        yield from maker(world)


def edges(world: World) -> Iterator[Case]:
    """Yield the cases that one decision shows; the others count orders that were sent before."""
    for maker in EDGES:
        yield from maker(world)


def ages(span: Duration) -> tuple[str, str]:
    """Return an age and the next one that can be said: `10s`, `10001ms`."""
    return str(span), f"{span.ms + 1}ms" if span.ms < _MOST_MS else f"{span.ms // 1_000 + 1}s"


# ---- what holds under every policy


def _states(world: World) -> Iterator[Case]:
    order = world.order()
    sell = leaving(world)
    held = {"positions": {world.kept(world.symbol): sell["quantity"]}}
    reducing: dict[str, Any] = {"halts": [{"state": "REDUCING"}]}
    halted: dict[str, Any] = {"halts": [{}]}
    yield Case(
        "",
        "A halt stops entries and lets exits through; a freeze stops both",
        (
            Step(order, {}),
            Step(order, reducing, "TRADING_REDUCING"),
            Step(order, halted, "TRADING_HALTED"),
            Step(sell, {**halted, **held}),
            Step(sell, {"halts": [{"freeze": True}], **held}, "TRADING_FROZEN"),
        ),
    )
    steps = [
        Step(order, {"equity": "unknown"}, "FACTS_MISSING"),
        Step(order, {"positions_as_of": "unknown"}, "FACTS_MISSING"),
    ]
    risk = world.policy.risk
    if risk is not None and (risk.max_position_notional or risk.max_gross_exposure or risk.price_collar):
        unknown = {"marks": world.facts()["marks"] | {world.symbol: "unknown"}}
        steps.append(Step(order, unknown, "PRICE_MISSING"))
    yield Case("", "What was never observed denies", tuple(steps))


# ---- account, clock, keys


def _max_age(world: World) -> Iterator[Case]:
    span = world.policy.account.max_age
    if span is None:
        return
    order, (old, older) = world.order(), ages(span)
    equity = world.money(EQUITY)
    yield Case(
        "account.max_age",
        f"Equity and positions may be {span} old, and no more",
        (
            Step(order, {"equity": {"value": equity, "as_of": old}, "positions_as_of": old}),
            Step(order, {"equity": {"value": equity, "as_of": older}}, "FACTS_STALE"),
            Step(order, {"positions_as_of": older}, "FACTS_STALE"),
        ),
    )


def _modes(world: World) -> Iterator[Case]:
    account, symbol = world.policy.account, world.symbol
    for field, code, words in (
        ("position_mode", "ACCOUNT_POSITION_MODE", ("one_way", "hedge")),
        ("margin_mode", "ACCOUNT_MARGIN_MODE", ("isolated", "cross")),
    ):
        mode = getattr(account, field)
        if mode is None or (field, mode) == ("margin_mode", "cross"):
            continue
        other = words[1 - words.index(mode)]
        asked = {"action": "account.configure", "symbol": symbol}
        steps = [Step({**asked, field: mode}, {}), Step({**asked, field: other}, {}, code)]
        if world.contract(symbol):
            fact = {field: other}
            facts = {"contracts": {symbol: world.settings(**fact)}} if field == "margin_mode" else fact
            steps += [Step(world.order(), facts, code)]
        yield Case(f"account.{field}", f"The account is in {field.replace('_', ' ')} {mode}", tuple(steps))


def _skew(world: World) -> Iterator[Case]:
    clock = world.policy.clock
    if clock is None or clock.max_skew is None:
        return
    most, order = clock.max_skew.ms, world.order()
    yield Case(
        "clock.max_skew",
        f"The clock may be {clock.max_skew} off, either way",
        (
            Step(order, {"skew_ms": most}),
            Step(order, {"skew_ms": -most}),
            Step(order, {"skew_ms": most + 1}, "CLOCK_SKEW"),
            Step(order, {"skew_ms": -most - 1}, "CLOCK_SKEW"),
            Step(order, {"skew_ms": "unknown"}, "CLOCK_SKEW"),
        ),
    )


def _proof(world: World) -> Iterator[Case]:
    key = (world.policy.keys or {}).get(world.key or "")
    if key is None or key.address_proof is None or world.policy.environment != "live":
        return
    name, order, (old, older) = f"{HOST}|{world.key}", world.order(), ages(key.address_proof.max_age)
    yield Case(
        f"keys.{world.key}.address_proof",
        f"The key was proved to work from here within {key.address_proof.max_age}",
        (
            Step(order, {"address_proofs": {name: old}}),
            Step(order, {"address_proofs": {name: older}}, "ADDRESS_PROOF_STALE"),
            Step(order, {"address_proofs": {name: "unknown"}}, "ADDRESS_PROOF_MISSING"),
        ),
    )


# ---- what an order may be


def _symbols(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    if risk is None or risk.symbols is None:
        return
    strangers = dict.fromkeys(s for like in world.symbols if (s := world.stranger(like)))
    listed = tuple(Step(world.order(symbol), {}) for symbol in world.symbols)
    unknown = tuple(Step(world.order(symbol), {}, "RISK_SYMBOL") for symbol in strangers)
    yield Case("risk.symbols", f"Only {', '.join(risk.symbols)} may be traded", listed + unknown)


def _words(world: World) -> Iterator[Case]:
    from policykit.model.order_limits import OrderType, SelfTradePrevention, TimeInForce

    risk = world.policy.risk
    for field, name, code, every in (
        ("order_types", "type", "RISK_ORDER_TYPE", OrderType),
        ("sides", "side", "RISK_SIDE", None),
        ("time_in_force", "time_in_force", "RISK_TIME_IN_FORCE", TimeInForce),
        ("self_trade_prevention", "self_trade_prevention", "RISK_SELF_TRADE", SelfTradePrevention),
    ):
        said = getattr(risk, field) if risk is not None else None
        if said is None:
            continue
        words = ("buy", "sell") if every is None else every.__args__  # type: ignore[attr-defined]
        contract = next((s for s in world.symbols if world.contract(s)), None)
        symbol = (contract or "") if name == "side" else ""
        steps = []
        for word in words:
            # On spot a sale takes no more than is held: it is an exit, and passes.
            stopped = word not in said and (name != "side" or word == "buy" or contract is not None)
            asked: dict[str, Any] = {name: word}
            steps.append(Step(world.order(symbol, **asked), {}, code if stopped else ""))
        if name == "self_trade_prevention":
            steps.append(Step(world.order(self_trade_prevention=None), {}, code))
        yield Case(f"risk.{field}", f"{field.replace('_', ' ').capitalize()}: {', '.join(said)}", tuple(steps))


def _order_notional(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    cap = risk.max_order_notional if risk is not None else None
    for bound, equity in _binding(world, cap):
        most = world.worth(bound, equity)
        facts = _rich(world, equity)
        yield Case(
            "risk.max_order_notional",
            f"An order is worth at most {bound}",
            (
                Step(world.order(notional=most, more=-TICK), facts),
                Step(world.order(notional=most), facts),
                Step(world.order(notional=most, more=TICK), facts, "RISK_ORDER_NOTIONAL"),
            ),
        )


def _rich(world: World, equity: Decimal) -> dict[str, Any]:
    """Return facts of another equity, which was the same when the day began."""
    if equity == EQUITY:
        return {}
    same = world.money(equity)
    calm = world.facts()
    since: dict[str, Any] = {}
    for name in {"day_base", "week_base", "peak"} & calm.keys():
        since[name] = {**calm[name], "value": same}
    return {"equity": same, **since}


def _binding(world: World, bounds: tuple[Bound, ...] | None) -> Iterator[tuple[Bound, Decimal]]:
    """Yield each bound of a cap with an equity at which it is the one that counts."""
    shares = [bound for bound in bounds or () if isinstance(bound, Share)]
    amounts = [bound for bound in bounds or () if not isinstance(bound, Share)]
    least = min((bound[0] for bound in amounts), default=None)
    for bound in shares:
        equity = EQUITY
        while least is not None and bound.fraction * equity > least:
            equity /= 10
        yield bound, equity
    for amount in amounts:
        equity = EQUITY
        while shares and shares[0].fraction * equity <= amount.value:
            equity *= 10
        if amount.value == least:
            yield amount, equity


def _order_quantity(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    caps = (risk.max_order_quantity if risk is not None else None) or {}
    for key, most in caps.items():
        symbol = _named(world, key, caps)
        if symbol:
            price = world.price(symbol)
            while most * price > world.small(symbol):
                price /= 10
            facts = {"marks": world.facts()["marks"] | {symbol: plain(price)}}
            orders = [dict(world.order(symbol)) | {"quantity": plain(most + more)} for more in (Decimal(0), TICK)]
            for order in orders:
                order |= {name: plain(price) for name in ("price", "stop_price") if name in order}
            steps = (Step(orders[0], facts), Step(orders[1], facts, "RISK_ORDER_QUANTITY"))
            yield Case(f"risk.max_order_quantity.{key}", f"At most {plain(most)} of {symbol} in an order", steps)


def _named(world: World, key: str, caps: Any) -> str | None:
    """Return a symbol that an entry of a map is for: its own, and of the default one that no entry names."""
    if key != "default":
        return next((s for s in world.symbols if key in (s, s.partition("/")[0])), None)
    return next((s for s in world.symbols if s not in caps and s.partition("/")[0] not in caps), None)


def _collar(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    collar = risk.price_collar if risk is not None else None
    if collar is None or collar.reference not in ("mark", "mid"):
        return
    price, far = world.price(world.symbol), collar.max_deviation.fraction
    code, half = "RISK_PRICE_COLLAR", world.small(world.symbol) / 2
    steps = []
    sides = (risk.sides if risk is not None else None) or ("buy", "sell")
    if "buy" in sides:
        edge = price * (1 + far)
        steps += [_priced(world, half, "buy", edge), _priced(world, half, "buy", edge + _CENT, code)]
    if "sell" in sides and world.contract(world.symbol):
        edge = price * (1 - far)
        steps += [_priced(world, half, "sell", edge), _priced(world, half, "sell", edge - _CENT, code)]
    yield Case(
        "risk.price_collar.max_deviation", f"A price is at most {collar.max_deviation} off the market", (*steps,)
    )
    if collar.max_age is not None:
        symbol, order = world.symbol, world.order()
        reads = [
            {"marks": world.facts()["marks"] | {symbol: {"value": plain(price), "as_of": age}}}
            for age in ages(collar.max_age)
        ]
        aged = (Step(order, reads[0]), Step(order, reads[1], "PRICE_STALE"))
        yield Case("risk.price_collar.max_age", f"A price is at most {collar.max_age} old", aged)


def _priced(world: World, notional: Decimal, side: str, price: Decimal, deny: str = "") -> Step:
    return Step(world.order(notional=notional, side=side, type="limit", price=plain(price)), {}, deny)


def _price_move(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    move = risk.max_price_move if risk is not None else None
    if move is None:
        return
    symbol, order = world.symbol, world.order()
    most = world.price(symbol) * move.limit.fraction
    # A minute counts while any of it, and a mark of it that may still be used, lies in the window.
    seen_ms = move.per.ms + 60_000 + world.engine.setup.mark_age_ms

    def moved(ago_ms: int, up: Decimal) -> dict[str, Any]:
        minutes = range(ago_ms % 60_000, move.per.ms + 180_000, 60_000)
        marks = [world.minute(symbol, at, up if at == ago_ms else Decimal(0)) for at in minutes]
        return {"moves": world.facts()["moves"] | {symbol: marks}}

    yield Case(
        "risk.max_price_move",
        f"The mark moved at most {move.limit} in {move.per}",
        (
            Step(order, moved(60_000, most)),
            Step(order, moved(60_000, most + _CENT), "RISK_PRICE_MOVE"),
            Step(order, moved(seen_ms - 1, most + _CENT), "RISK_PRICE_MOVE"),
            Step(order, moved(seen_ms, most + _CENT)),
        ),
    )


# ---- what the account may hold


def _position(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    caps = (risk.max_position_notional if risk is not None else None) or {}
    for key, cap in caps.items():
        symbol = _named(world, key, caps)
        for bound, equity in _binding(world, cap) if symbol else ():
            assert symbol is not None
            small, price = world.small(symbol) * min(Decimal(1), equity / EQUITY), world.price(symbol)
            facts = _rich(world, equity) | {
                "positions": {world.kept(symbol): plain((world.worth(bound, equity) - small) / price)}
            }
            yield Case(
                f"risk.max_position_notional.{key}",
                f"A position in {symbol} is worth at most {bound}",
                (
                    Step(world.order(symbol, small), facts),
                    Step(world.order(symbol, small, TICK), facts, "RISK_POSITION"),
                ),
            )


def _exposure(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    for field, code, what in (
        ("max_gross_exposure", "RISK_GROSS_EXPOSURE", "All positions together are"),
        ("max_net_exposure", "RISK_NET_EXPOSURE", "Long positions less short ones are"),
    ):
        for bound, equity in _binding(world, getattr(risk, field) if risk is not None else None):
            small = world.small(world.symbol) * min(Decimal(1), equity / EQUITY)
            held = _spread(world, world.worth(bound, equity) - small, even=field == "max_gross_exposure")
            marks = world.facts()["marks"] | dict.fromkeys(held, "1")
            facts = _rich(world, equity) | {"positions": held, "marks": marks}
            steps = (
                Step(world.order(notional=small), facts),
                Step(world.order(notional=small, more=TICK), facts, code),
            )
            yield Case(f"risk.{field}", f"{what} worth at most {bound}", steps)


def _spread(world: World, worth: Decimal, *, even: bool) -> dict[str, str]:
    """Return positions of a worth, as much long as short where a cap on the difference would be met first."""
    risk = world.policy.risk
    long, short = (f"{asset}/{world.currency}" for asset in (FILLER, OTHER_FILLER))
    if even and risk is not None and risk.max_net_exposure:
        return {long: plain(worth / 2), short: plain(-worth / 2)}
    return {long: plain(worth)}


def _leverage(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    if risk is None or risk.max_leverage is None:
        return
    most, over, symbol = plain(risk.max_leverage), plain(risk.max_leverage + _CENT), world.symbol
    asked = {"action": "account.configure", "symbol": symbol}
    steps = [Step({**asked, "leverage": most}, {}), Step({**asked, "leverage": over}, {}, "RISK_LEVERAGE")]
    if world.contract(symbol):
        facts = [{"contracts": {symbol: world.settings(leverage=times)}} for times in (most, over)]
        steps += [Step(world.order(), facts[0]), Step(world.order(), facts[1], "RISK_LEVERAGE")]
    yield Case("risk.max_leverage", f"Leverage is at most {most}", tuple(steps))


# ---- losses


def _losses(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    for field, code, since in (
        ("daily_loss", "DAILY_LOSS", "day"),
        ("weekly_loss", "WEEKLY_LOSS", "week"),
        ("max_drawdown", "DRAWDOWN", "peak"),
    ):
        limit = getattr(risk, field) if risk is not None else None
        if limit is None:
            continue
        most = world.least(limit.limit)
        left = EQUITY - most
        # No other limit on losses is met: since their own beginnings nothing was lost.
        bases: dict[str, str] = {"daily_loss": "day_base", "weekly_loss": "week_base", "max_drawdown": "peak"}
        calm = world.facts()
        base: dict[str, Any] = {
            name: {**calm[name], "value": world.money(left)}
            for other, name in bases.items()
            if other != field and name in calm
        }
        order = world.order(notional=world.small(world.symbol) / 2)
        at_limit = {"equity": world.money(left), **base}
        steps = [
            Step(order, base),
            Step(order, {"equity": world.money(left + _CENT), **base}),
            Step(order, at_limit, code, limit.on_breach),
        ]
        if since == "day":
            out = {"equity": world.money(left), "net_transfers": world.money(-most)}
            yield Case("", "What was taken out of the account is no loss", (Step(order, out | base),))
        yield Case(f"risk.{field}", f"The loss stays under {limit.limit[0]}; then {limit.on_breach}", tuple(steps))


def _streaks(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    row = risk.consecutive_losses if risk is not None else None
    if row is None:
        return
    order = world.order()
    long_ago = {"as_of": "30d"}
    steps = [
        Step(order, {"streak": {"value": row.limit - 1, **long_ago}}),
        Step(order, {"streak": {"value": row.limit, **long_ago}}, "LOSS_STREAK", row.on_breach),
    ]
    if row.cooldown is not None and row.limit > 1:
        steps += [
            Step(order, {"streak": {"value": 1, "as_of": str(row.cooldown)}}),
            Step(order, {"streak": {"value": 1, "as_of": f"{row.cooldown.ms - 1}ms"}}, "LOSS_COOLDOWN"),
        ]
    yield Case("risk.consecutive_losses", f"Entries stop after {row.limit} losing trades in a row", tuple(steps))


def _partials(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    partial = risk.partial_fills if risk is not None else None
    if partial is None:
        return
    symbol, order = world.symbol, world.order()

    def seen(**said: str) -> dict[str, Any]:
        return {"partials": {symbol: said}}

    if partial.min_fill_to_act is not None:
        least = partial.min_fill_to_act.fraction * 100
        steps = (
            Step(order, seen(least=f"{plain(least)}%")),
            Step(order, seen(least=f"{plain(least - _CENT)}%"), "PARTIAL_FILL"),
        )
        says = f"Entries wait while one that is out filled by less than {partial.min_fill_to_act}"
        yield Case("risk.partial_fills.min_fill_to_act", says, steps)
    if partial.cooldown is not None:
        span = partial.cooldown
        early = seen(as_of=f"{span.ms - 1}ms")
        steps = (Step(order, seen(as_of=str(span))), Step(order, early, "PARTIAL_COOLDOWN"))
        yield Case("risk.partial_fills.cooldown", f"Entries wait {span} after one that filled in part", steps)


def _drift(world: World) -> Iterator[Case]:
    policy = world.policy.reconciliation
    if policy is None or not policy.tolerance:
        return
    order, most = world.order(), world.least(policy.tolerance)
    word = policy.on_breach if policy.on_breach in ("cancel_open", "halt") else "deny"

    def off(worth: Decimal) -> dict[str, Any]:
        return {"drift": [{"key": world.symbol.partition("/")[0], "quantity": "1", "worth": world.money(worth)}]}

    steps = [Step(order, off(most)), Step(order, off(most + _CENT), "RECONCILE_DRIFT", word)]
    steps += [Step(order, {})] if word == "deny" else []
    yield Case("reconciliation.tolerance", f"{policy.tolerance[0]} may stay unexplained, and no more", tuple(steps))


#: One function a limit, or a few that are alike; the order of cases is that of this list.
EDGES: Final[tuple[Callable[[World], Iterator[Case]], ...]] = (
    _states,
    _max_age,
    _modes,
    _skew,
    _proof,
    _symbols,
    _words,
    _order_notional,
    _order_quantity,
    _collar,
    _price_move,
    _position,
    _exposure,
    _leverage,
    _losses,
    _streaks,
    _partials,
    _drift,
)
