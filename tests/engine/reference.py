"""The reference model of `assess` on Binance spot: fractions, no contexts, no lanes, nothing of the engine."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

F = Fraction
MOST = 2**53 - 1


def decide(p, f, o, now):
    """Return (codes of the reasons without what the store decides, [(hold kind, amount, limit)])."""
    bad = [x for x in (o.quantity, o.price) if x is not None and not (x.is_finite() and 0 < x <= 10**40)]
    codes = ["ORDER_INVALID"] * (len(bad) + (o.type == "limit" and o.price is None))
    exits = not codes and o.side == "sell"
    codes += ["TRADING_FROZEN" if h.freeze else f"TRADING_{h.state}" for h in f.halts if h.freeze or not exits]
    codes += [f.store_problem[0]] if f.store_problem and not exits else []
    codes += ["RECOVERY_PENDING"] if not f.recovered and not exits else []
    codes += ["RATE_BANNED" for until in f.banned_until_ms.values() if now < until]
    fresh = lambda at: -500 <= now - at <= 10_000  # noqa: E731
    mark_fact = f.marks.get(o.symbol)
    mark = F(mark_fact.value) if mark_fact and fresh(mark_fact.as_of_ms) else None
    no_mark = "PRICE_STALE" if mark_fact else "PRICE_MISSING"
    equity = F(f.equity.value) if f.equity else None
    cap = lambda bound, base: F(bound[1]) * (base if bound[0] == "share" else 1)  # noqa: E731
    shares = lambda bounds: equity is None and any(bound[0] == "share" for bound in bounds)  # noqa: E731
    caps = p["position"].get(o.symbol, p["position"].get("default", []))
    amount = ceil(F(o.quantity) * 10**8) if "ORDER_INVALID" not in codes else None
    price = None if o.price is None or o.type == "market" else F(o.price) if amount else None
    limit, totals = MOST, []
    if not exits:
        codes += ["CLOCK_SKEW"] if f.skew_ms is None or abs(f.skew_ms) > 500 else []
        for at in (f.equity.as_of_ms if f.equity else None, f.positions_as_of_ms):
            codes += ["FACTS_MISSING"] if at is None else [] if fresh(at) else ["FACTS_STALE"]
        codes += ["RISK_SYMBOL"] if o.symbol not in p["symbols"] else []
        codes += ["RISK_ORDER_TYPE"] if o.type not in p["types"] else []
        if amount is not None:
            worst = price if price is not None else mark * F(105, 100) if mark is not None else None
            why = "NUMBER_RANGE" if amount > MOST else no_mark if worst is None else ""
            why = why or ("FACTS_MISSING" if shares(p["order"]) else "")
            over = ["RISK_ORDER_NOTIONAL" for b in p["order"] if not why and F(o.quantity) * worst > cap(b, equity)]
            codes += [why] if why else over
            if amount <= MOST and caps:
                why = "FACTS_MISSING" if shares(caps) else no_mark if mark is None else ""
                codes += [why] if why else []
                limit = limit if why else min(cap(b, equity) for b in caps) / max(mark, worst) * 10**8
            known = f.positions.get(o.symbol.partition("/")[0])
            counted = known is not None and known.unit and not f.unpriced
            for kind in (kind for kind in ("gross", "net") if p[kind] and (amount <= MOST or not counted)):
                steps = 0 if mark is None else ceil(F(amount) * ceil(max(mark, worst) * 10**12) / 10**16)
                why = "PRICE_MISSING" if not counted else no_mark if mark is None else ""
                why = why or ("NUMBER_RANGE" if steps > MOST else "FACTS_MISSING" if shares(p[kind]) else "")
                codes += [why] if why else []
                totals += [] if why else [(kind, steps, floor(min(cap(b, equity) for b in p[kind]) * 10**4))]
            codes += ["PRICE_MISSING"] if p["positions"] and not counted else []
        if f.equity is None:
            codes += ["FACTS_MISSING"]
        elif f.day_base is None or not -500 <= now - f.day_base.as_of_ms < 86_400_000:
            codes += ["DAY_BASE_MISSING"]
        elif f.net_transfers is None:
            codes += ["FACTS_MISSING"]
        else:
            loss = F(f.day_base.value) + F(f.net_transfers.value) - equity
            codes += ["DAILY_LOSS" for b in p["loss"] if loss >= cap(b, F(f.day_base.value))]
    holds = [("position", -(amount if amount <= MOST else 1) if exits else amount, min(MOST, floor(limit)))]
    holds = [*(holds if amount else []), *totals, *([] if exits else [("clear", 0, 0)])]
    holds += [("positions", 1, p["positions"])] if p["positions"] and not exits else []
    holds += [("sum", 1, MOST if exits else p["open"]), ("window", 1, MOST if exits else p["orders"])]
    return codes, [*holds, ("window", 1, p["exits" if exits else "entries"])]
