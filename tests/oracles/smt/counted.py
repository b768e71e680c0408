"""Say the limits that are counted: losses, positions, totals, windows, budgets. What is used is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from policykit.model import Policy
from policykit.model.loss_limits import PartialFills
from policykit.units import Bound
from tests.oracles.smt import conditions as order
from tests.oracles.smt import prices
from tests.oracles.smt.conditions import DAY_MS, HOUR_MS, MOST_MONEY, WEEK_MS, Key, Said, Setting, Writer
from tests.oracles.smt.space import FALSE, Formula, Space, all_, any_, compare, minus, no, num, plus


class _Loss(NamedTuple):
    """A limit of losses: what shares are of (`base`), and what must be known, in the order that it is asked in."""

    check: str
    code: str
    limit: tuple[Bound, ...]
    base: str
    loss: str
    needs: tuple[tuple[Formula, str], ...]


def _losses(w: Writer) -> Iterable[_Loss]:
    s, risk = w.s, w.policy.risk
    if risk is None:
        return
    n = s.number

    def running(name: str, span_ms: int) -> Formula:
        age = n(f"{name} age")
        return all_(s.has(name), compare(">=", age, num(-w.ahead)), compare("<", age, num(span_ms)))

    day = (running("day base", DAY_MS), "DAY_BASE_MISSING")
    transfers, equity = (s.has("transfers"), "FACTS_MISSING"), (s.has("equity"), "FACTS_MISSING")
    if risk.daily_loss is not None:
        loss = minus(plus(n("day base"), n("transfers")), n("equity"))
        yield _Loss("risk.daily_loss", "DAILY_LOSS", risk.daily_loss.limit, "day base", loss, (equity, day, transfers))
    if risk.weekly_loss is not None:
        loss = minus(plus(n("week base"), n("week transfers"), n("transfers")), n("equity"))
        week = (running("week base", WEEK_MS), "WEEK_BASE_MISSING")
        needs = (week, day, (s.has("week transfers"), "FACTS_MISSING"), transfers, equity)
        yield _Loss("risk.weekly_loss", "WEEKLY_LOSS", risk.weekly_loss.limit, "week base", loss, needs)
    if risk.max_drawdown is not None:
        loss = minus(plus(n("peak"), n("transfers")), n("equity"))
        known = ((s.has("peak"), "PEAK_MISSING"), day, transfers, equity)
        yield _Loss("risk.max_drawdown", "DRAWDOWN", risk.max_drawdown.limit, "peak", loss, known)


def _loss(w: Writer) -> Said:
    s, risk = w.s, w.policy.risk
    for one in _losses(w):
        known: list[Formula] = []
        for need, code in one.needs:
            yield (one.check, code), all_(w.increases, *known, no(need))
            known.append(need)
        missing, terms = w.limits(one.limit, one.base)
        for code, lacks in missing:
            yield (one.check, code), all_(w.increases, *known, lacks)
        priced = [no(lacks) for _, lacks in missing]
        reached = any_(*(compare(">=", one.loss, limit) for limit in terms))
        yield (one.check, one.code), all_(w.increases, *known, *priced, reached)
    streak = risk.consecutive_losses if risk is not None else None
    if streak is not None:
        check, losses = "risk.consecutive_losses", s.number("losses")
        yield (check, "FACTS_MISSING"), all_(w.increases, no(s.has("losses")))
        met = all_(s.has("losses"), compare(">=", losses, num(streak.limit)))
        yield (check, "LOSS_STREAK"), all_(w.increases, met)
        if streak.cooldown is not None:
            young = compare("<", s.number("lost age"), num(streak.cooldown.ms))
            cools = all_(s.has("losses"), compare(">", losses, "0.0"), young, no(met))
            yield (check, "LOSS_COOLDOWN"), all_(w.increases, cools)


def _partials(w: Writer) -> Said:
    s, risk, check = w.s, w.policy.risk, "risk.partial_fills"
    said = risk.partial_fills if risk is not None else None
    if said is None or said == PartialFills():
        return
    asked = all_(w.creates, w.enters)
    yield (check, "FACTS_MISSING"), all_(asked, no(s.has("partials")))
    counted = all_(asked, s.has("partials"))
    if said.min_fill_to_act is not None:
        small = compare("<", s.number("least part"), num(said.min_fill_to_act.fraction))
        yield (check, "PARTIAL_FILL"), all_(counted, s.has("least part"), small)
    if said.cooldown is not None:
        young = compare("<", s.number("partial age"), num(said.cooldown.ms))
        yield (check, "PARTIAL_COOLDOWN"), all_(counted, s.has("partial"), young)


# ---- what the store counts


def _key_of(name: str) -> str:
    """Return what the position of a market that a cap names is kept by: a contract's symbol, else the base asset."""
    return name if ":" in name else name.partition("/")[0]


def _position(w: Writer) -> Said:
    s, risk, check = w.s, w.policy.risk, "risk.max_position_notional"
    caps = risk.max_position_notional if risk is not None else None
    named: dict[tuple[Bound, ...], list[str]] = {}
    for market in w.setting.markets:
        mine = tuple(b for name, bounds in (caps or {}).items() if _key_of(name) == market.key for b in bounds)
        mine += tuple((caps or {}).get(market.base, ()) if market.contract else ())
        named.setdefault(mine or tuple((caps or {}).get("default", ())), []).append(market.symbol)
    used_long, used_short = (
        plus(s.number("high"), s.number("open_buys")),
        minus(s.number("open_sells"), s.number("low")),
    )
    # An exit that is proved by what is held claims that, and an amend that only moves its price the least step of it.
    none = any_(
        *(
            all_(side, compare(">", plus(used, claim), "0.0"))
            for side, used in ((w.buys, used_long), (w.sells, used_short))
            for claim in w.claimed
        )
    )
    yield (check, "RISK_POSITION"), all_(w.proves, no(w.forbidden), none)
    for bounds, symbols in named.items():
        if not bounds:
            continue
        opens = all_(w.ranged, s.among("symbol", symbols))
        missing, terms = w.limits(bounds)
        for code, lacks in missing:
            yield (check, code), all_(opens, lacks)
        priced = all_(opens, *(no(lacks) for _, lacks in missing))
        yield (check, "CONTRACT_SIZE_MISSING"), all_(priced, w.no_size)
        sized = all_(priced, no(w.no_size))
        yield (check, "PRICE_MISSING"), all_(sized, w.mark_missing)
        yield (check, "PRICE_STALE"), all_(sized, w.mark_stale)
        over = any_(
            *(
                all_(side, w.worth_over([plus(used, claim) for claim in w.claimed], limit, at_mark=True))
                for limit in terms
                for side, used in ((w.buys, used_long), (w.sells, used_short))
            )
        )
        yield (check, "RISK_POSITION"), all_(sized, w.mark_known, over)


def _totals(w: Writer) -> Said:
    """Write the sums of positions: what the order adds, at the mark at least, and what is counted already."""
    s, risk = w.s, w.policy.risk
    unpriced = any_(s.flag("unpriced"), no(s.has("unit")))
    if risk is not None and risk.max_open_positions is not None:
        check = "risk.max_open_positions"
        yield (check, "PRICE_MISSING"), all_(w.enters, unpriced)
        more = compare(">", plus(s.number("other positions"), "1.0"), num(risk.max_open_positions))
        yield (check, "RISK_OPEN_POSITIONS"), all_(w.enters, no(unpriced), more)
    caps: list[tuple[str, str, str, tuple[Bound, ...], Formula]] = []
    for name, code in (("asset", "ASSET"), ("gross", "GROSS"), ("net", "NET")):
        bounds = getattr(risk, f"max_{name}_exposure", None)
        if bounds is not None:
            caps.append((f"risk.max_{name}_exposure", f"RISK_{code}_EXPOSURE", name, bounds, FALSE))
    for group, limits in sorted((w.policy.groups or {}).items()):
        for name in ("gross", "net"):
            bounds = getattr(limits, f"max_{name}_exposure")
            if bounds is not None:
                check = f"groups.max_{name}_exposure"
                uncounted = no(s.has(f"group {group}"))
                caps.append((check, f"GROUP_{name.upper()}_EXPOSURE", f"{group} {name}", bounds, uncounted))
    for check, code, total, bounds, uncounted in caps:
        yield from _total(w, check, code, total, bounds, uncounted, unpriced)


def _total(
    w: Writer, check: str, code: str, total: str, bounds: tuple[Bound, ...], uncounted: Formula, unpriced: Formula
) -> Said:
    s = w.s
    yield (check, "PRICE_MISSING"), all_(w.enters, unpriced)
    opens = all_(w.ranged, no(unpriced))
    yield (check, "CONTRACT_SIZE_MISSING"), all_(opens, w.no_size)
    sized = all_(opens, no(w.no_size))
    yield (check, "PRICE_MISSING"), all_(sized, w.mark_missing)
    yield (check, "PRICE_STALE"), all_(sized, w.mark_stale)
    marked = all_(sized, w.mark_known)
    beyond = w.worth_over(w.claimed, num(MOST_MONEY), at_mark=True)
    yield (check, "NUMBER_RANGE"), all_(marked, beyond)
    ranged = all_(marked, no(beyond))
    yield (check, "FACTS_MISSING"), all_(ranged, uncounted)
    counted = all_(ranged, no(uncounted))
    missing, terms = w.limits(bounds)
    for lacking, lacks in missing:
        yield (check, lacking), all_(counted, lacks)
    known = all_(counted, *(no(lacks) for _, lacks in missing))
    sides = ((w.buys, f"{total} long"), (w.sells, f"{total} short")) if total.endswith("net") else (("true", total),)
    over = any_(
        *(
            all_(side, w.worth_over(w.claimed, limit, s.number(used), at_mark=True))
            for limit in terms
            for side, used in sides
        )
    )
    yield (check, code), all_(known, over)


def _used(w: Writer) -> Said:
    s, risk = w.s, w.policy.risk
    entry = all_(w.creates, no(w.reduces))
    yield ("order.outcome_pending", "ORDER_OUTCOME_PENDING"), all_(w.enters, compare(">", s.number("unknown"), "0.0"))
    if risk is None:
        return
    if risk.max_open_orders is not None:
        more = compare(">", plus(s.number("open orders"), s.number("foreign"), "1.0"), num(risk.max_open_orders))
        yield ("risk.max_open_orders", "RISK_OPEN_ORDERS"), all_(entry, more)
    if risk.max_open_orders_per_symbol is not None:
        more = compare(">", plus(s.number("open orders here"), "1.0"), num(risk.max_open_orders_per_symbol))
        yield ("risk.max_open_orders_per_symbol", "RISK_OPEN_ORDERS"), all_(entry, more)
    for name, count, code, counts in (
        ("max_orders", "orders", "RATE_ORDERS", entry),
        ("max_orders_per_symbol", "orders here", "RATE_ORDERS", entry),
        ("max_messages", "messages", "RATE_MESSAGES", all_(w.places, no(w.reduces))),
        ("max_amends", "amends", "RATE_AMENDS", all_(w.amends, no(w.reduces))),
        ("repeated_execution", "entries", "RATE_REPEATED", entry),
    ):
        window = getattr(risk, name)
        if window is not None:
            more = compare(">", plus(s.number(f"{count} in {window.per.ms}"), "1.0"), num(window.limit))
            yield (f"risk.{name}", code), all_(counts, more)
    if risk.duplicate_window is not None and risk.duplicate_window.ms:
        like = compare(">", s.number(f"like in {risk.duplicate_window.ms}"), "0.0")
        yield ("risk.duplicate_window", "ORDER_DUPLICATE"), all_(w.creates, w.enters, like)
    if risk.entry_cooldown is not None and risk.entry_cooldown.ms:
        some = compare(">", s.number(f"cooldown in {risk.entry_cooldown.ms}"), "0.0")
        yield ("risk.entry_cooldown", "RATE_COOLDOWN"), all_(entry, some)
    partial = risk.partial_fills
    if partial is not None and partial.max_reentries is not None:
        lately = all_(s.has("partials"), s.has("partial"), compare("<", s.number("partial age"), num(HOUR_MS)))
        more = compare(">", plus(s.number("reentries"), "1.0"), num(partial.max_reentries))
        yield ("risk.partial_fills", "PARTIAL_REENTRIES"), all_(w.creates, w.enters, lately, more)


def _budgets(w: Writer) -> Said:
    s = w.s
    for name, budget in sorted((w.policy.rate_budgets or {}).items()):
        used = s.number(f"weight of {name}")
        for action in ("order.create", "order.amend", "position.close"):
            for contract in (False, True):
                cost = w.setting.cost(name, action, contract)
                listed = (budget.costs or {}).get(w.setting.call(action, contract))
                cost = cost if listed is None else listed
                if not cost:
                    continue
                asked = all_(s.word("action", action), w.symbols(lambda m, c=contract: m.contract == c))  # type: ignore[misc]
                after = plus(used, num(cost))
                over = any_(
                    all_(w.reduces, compare(">", after, num(budget.for_exits))),
                    all_(no(w.reduces), compare(">", after, num(budget.for_entries))),
                )
                yield (f"rate_budgets.{name}", "RATE_BUDGET"), all_(asked, over)


def warned(policy: Policy) -> frozenset[str]:
    """Return the checks whose breach only warns."""
    risk = policy.risk
    if risk is None:
        return frozenset()
    words: dict[str, str] = {str(name): word for name, word in (risk.on_breach or {}).items()}
    for name in ("daily_loss", "weekly_loss", "max_drawdown", "consecutive_losses"):
        said = getattr(risk, name)
        if said is not None:
            words[name] = said.on_breach
    return frozenset(f"risk.{name}" for name, word in words.items() if word == "warn")


#: The code of each limit itself, where a breach of it may only warn.
OWN_CODE: Final = {
    "risk.daily_loss": "DAILY_LOSS",
    "risk.weekly_loss": "WEEKLY_LOSS",
    "risk.max_drawdown": "DRAWDOWN",
    "risk.consecutive_losses": "LOSS_STREAK",
    "risk.symbols": "RISK_SYMBOL",
    "risk.sides": "RISK_SIDE",
    "risk.order_types": "RISK_ORDER_TYPE",
    "risk.time_in_force": "RISK_TIME_IN_FORCE",
    "risk.reduce_only_exits": "RISK_REDUCE_ONLY",
    "risk.self_trade_prevention": "RISK_SELF_TRADE",
    "risk.max_order_notional": "RISK_ORDER_NOTIONAL",
    "risk.max_order_quantity": "RISK_ORDER_QUANTITY",
    "risk.risk_at_stop": "RISK_AT_STOP",
    "risk.price_collar": "RISK_PRICE_COLLAR",
    "risk.max_price_move": "RISK_PRICE_MOVE",
    "risk.max_slippage": "RISK_SLIPPAGE",
    "risk.max_leverage": "RISK_LEVERAGE",
    "risk.min_liquidation_distance": "RISK_LIQUIDATION",
    "risk.max_margin_ratio": "RISK_MARGIN_RATIO",
    "risk.max_funding_rate": "RISK_FUNDING",
    "risk.duplicate_window": "ORDER_DUPLICATE",
    "risk.repeated_execution": "RATE_REPEATED",
}


class Denials(NamedTuple):
    """When a policy denies, by check and code: by the engine, and by the store what the engine lets through."""

    engine: dict[Key, Formula]
    store: dict[Key, Formula]

    @property
    def all(self) -> dict[Key, Formula]:
        out = dict(self.engine)
        for key, formula in self.store.items():
            out[key] = any_(out[key], formula) if key in out else formula
        return out


_ENGINE: Final = (
    order._order,
    order._state,
    order._words,
    order._sizes,
    prices._prices,
    prices._stop,
    prices._contracts,
    _loss,
    _partials,
)
_STORE: Final = (_position, _totals, _used, _budgets)


def denials(policy: Policy, setting: Setting, space: Space) -> Denials:
    """Return every condition under which the policy denies; what only warns is none."""
    w = Writer(policy, setting, space)
    out: tuple[dict[Key, Formula], dict[Key, Formula]] = ({}, {})
    silent = {(check, OWN_CODE[check]) for check in warned(policy)}
    drift = policy.reconciliation.on_breach if policy.reconciliation is not None else None
    if drift == "warn":
        silent.add(("reconciliation.tolerance", "RECONCILE_DRIFT"))
    for part, writes in zip(out, (_ENGINE, _STORE), strict=True):
        for write in writes:
            for key, formula in write(w):
                if key in silent or formula == FALSE:
                    continue
                part[key] = any_(part[key], formula) if key in part else formula
    return Denials(*out)


def always(setting: Setting, space: Space) -> list[Formula]:
    """Write what every point keeps to, whatever the policy says: the market is as markets are, and see table.py."""
    s, out = space, space.only()
    out.append(no(s.among("action", OUTSIDE_ACTIONS)))
    n = s.number
    spot = no(s.among("symbol", (m.symbol for m in setting.markets if m.contract)))
    for name in ("mark", "bid", "ask"):
        out.append(compare(">", n(name), "0.0"))
    out += [compare("=", n("size"), "1.0"), any_(no(spot), s.has("size"))]
    out.append(compare("<=", n("bid"), n("ask")))
    out.append(compare("<", n("week"), num(WEEK_MS)))
    out.append(compare("<=", n("low"), n("high")))
    for name in sorted(space.numbers):
        if name in _COUNTED or " in " in name or name.startswith(("weight of", "lowest", "rate ")):
            out.append(compare(">=", n(name), "0.0"))
        if name.startswith("highest "):
            out.append(compare("<=", n(name.replace("highest", "lowest")), n(name)))
    return [*out, *_counts(space)]


def _counts(space: Space) -> Iterable[Formula]:
    """Write that what is counted in a narrower count, or a shorter span, is counted in the wider one as well."""
    if {"open orders", "open orders here"} <= space.numbers.keys():
        yield compare("<=", space.number("open orders here"), space.number("open orders"))
    windows = [(*name.rpartition(" in ")[::2], name) for name in space.numbers if " in " in name]
    for few, span, less in windows:
        for many, longer, more in windows:
            if less != more and int(span) <= int(longer) and many in (few, *_WIDER.get(few, ())):
                yield compare("<=", space.number(less), space.number(more))


#: Which counts hold all that one counts.
_WIDER: Final = {
    "like": ("entries", "orders here", "orders", "messages"),
    "entries": ("orders here", "orders", "messages"),
    "orders here": ("orders", "messages"),
    "orders": ("messages",),
    "amends": ("messages",),
    "cooldown": ("orders here", "orders", "messages"),
}

#: Actions that are judged by what is outside of the formulas.
OUTSIDE_ACTIONS: Final = ("account.configure", "margin.borrow", "margin.repay", "data.read", "stream.connect")
_COUNTED: Final = frozenset(
    (
        *("equity", "day base", "week base", "peak", "old_quantity", "open_buys", "open_sells", "drift"),
        *("other positions", "unknown", "open orders", "open orders here", "foreign", "losses", "reentries"),
        *("asset", "gross", "leverage", "liquidation", "ratio", "least part", "week", "banned for"),
    )
)
