"""The reference model of `assess` on Binance spot: fractions, no contexts, no lanes, nothing of the engine."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

F = Fraction
MOST = 2**53 - 1


def decide(p, f, o, now):
    """Return (codes of the reasons without what the store decides, [(hold kind, amount, limit)])."""
    bad = [x for x in (o.quantity, o.price) if x is not None and not (x.is_finite() and 0 < x <= 10**40)]
    codes = ["ORDER_INVALID"] * len(bad)
    codes += ["ORDER_INVALID"] * (o.type == "limit" and o.price is None)
    exits = not codes and o.side == "sell"
    for halt in f.halts:
        state = "TRADING_FROZEN" if halt.freeze else None if exits else f"TRADING_{halt.state}"
        codes += [state] if state else []
    codes += [f.store_problem[0]] if f.store_problem and not exits else []
    codes += ["RECOVERY_PENDING"] if not f.recovered and not exits else []
    codes += ["RATE_BANNED" for until in f.banned_until_ms.values() if now < until]
    fresh = lambda at: -500 <= now - at <= 10_000  # noqa: E731
    mark_fact = f.marks.get(o.symbol)
    mark = F(mark_fact.value) if mark_fact and fresh(mark_fact.as_of_ms) else None
    no_mark = "PRICE_STALE" if mark_fact else "PRICE_MISSING"
    equity = F(f.equity.value) if f.equity else None
    cap = lambda bound, base: F(bound[1]) * (base if bound[0] == "share" else 1)  # noqa: E731
    caps = p["position"].get(o.symbol, p["position"].get("default", []))
    amount = ceil(F(o.quantity) * 10**8) if "ORDER_INVALID" not in codes else None
    price = None if o.price is None or o.type == "market" else F(o.price) if amount else None
    limit = MOST
    if not exits:
        codes += ["CLOCK_SKEW"] if f.skew_ms is None or abs(f.skew_ms) > 500 else []
        for at in (f.equity.as_of_ms if f.equity else None, f.positions_as_of_ms):
            codes += ["FACTS_MISSING"] if at is None else [] if fresh(at) else ["FACTS_STALE"]
        codes += ["RISK_SYMBOL"] if o.symbol not in p["symbols"] else []
        codes += ["RISK_ORDER_TYPE"] if o.type not in p["types"] else []
        if amount is not None:
            worst = price if price is not None else mark * F(105, 100) if mark is not None else None
            if amount > MOST:
                codes += ["NUMBER_RANGE"]
            elif worst is None:
                codes += [no_mark]
            elif p["order"] and equity is None and any(b[0] == "share" for b in p["order"]):
                codes += ["FACTS_MISSING"]
            else:
                codes += ["RISK_ORDER_NOTIONAL" for b in p["order"] if F(o.quantity) * worst > cap(b, equity)]
            if amount <= MOST and caps:
                if equity is None and any(b[0] == "share" for b in caps):
                    codes += ["FACTS_MISSING"]
                elif mark is None:
                    codes += [no_mark]
                else:
                    limit = min(MOST, floor(min(cap(b, equity) for b in caps) / max(mark, worst) * 10**8))
        if f.equity is None:
            codes += ["FACTS_MISSING"]
        elif f.day_base is None or not -500 <= now - f.day_base.as_of_ms < 86_400_000:
            codes += ["DAY_BASE_MISSING"]
        elif f.net_transfers is None:
            codes += ["FACTS_MISSING"]
        else:
            loss = F(f.day_base.value) + F(f.net_transfers.value) - equity
            codes += ["DAILY_LOSS" for b in p["loss"] if loss >= cap(b, F(f.day_base.value))]
    holds = [("position", -(amount if amount <= MOST else 1) if exits else amount, limit)] if amount else []
    holds += [] if exits else [("clear", 0, 0)]
    holds += [("sum", 1, MOST if exits else p["open"]), ("window", 1, MOST if exits else p["orders"])]
    return codes, [*holds, ("window", 1, p["exits" if exits else "entries"])]
