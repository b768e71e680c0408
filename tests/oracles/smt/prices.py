"""Say what hangs on prices and on contracts: collars, slippage, moves, the loss at a stop, leverage and its kin."""

from __future__ import annotations

from decimal import Decimal

from tests.oracles.smt.conditions import HOUR_MS, SLIP, Said, Writer
from tests.oracles.smt.space import NONE, Formula, all_, any_, compare, minus, no, num, plus, times


def _prices(w: Writer) -> Said:
    s, risk = w.s, w.policy.risk
    if risk is None:
        return
    if risk.price_collar is not None:
        yield from _collar(w)
    if risk.max_slippage is not None:
        check, most = "risk.max_slippage", risk.max_slippage.fraction
        judged = all_(w.enters, w.at_market, no(s.has("stop_price")))
        marked = all_(judged, w.mark_known)
        yield (check, "PRICE_MISSING"), all_(judged, w.mark_missing)
        yield (check, "PRICE_STALE"), all_(judged, w.mark_stale)
        yield (check, "PRICE_MISSING"), all_(marked, no(s.has("book")))
        yield (check, "PRICE_STALE"), all_(marked, s.has("book"), no(w.fresh("book", w.mark_age)))
        ask = compare(">", s.number("ask"), times(w.mark, num(1 + most)))
        bid = compare("<", s.number("bid"), times(w.mark, num(1 - most)))
        beyond = any_(all_(w.buys, ask), all_(w.sells, bid))
        yield (check, "RISK_SLIPPAGE"), all_(marked, s.has("book"), w.fresh("book", w.mark_age), beyond)
    if risk.max_price_move is not None:
        check, move = "risk.max_price_move", risk.max_price_move
        span = move.per.ms
        known = s.flag(f"moves known {span}")
        yield (check, "PRICE_MISSING"), all_(w.enters, w.mark_missing)
        yield (check, "PRICE_STALE"), all_(w.enters, w.mark_stale)
        if span > HOUR_MS:
            yield (check, "CHECK_MISSING"), all_(w.enters, w.mark_known)
            return
        yield (check, "FACTS_MISSING"), all_(w.enters, w.mark_known, no(known))
        low, high = s.number(f"lowest {span}"), s.number(f"highest {span}")
        moved = compare(">", minus(high, low), times(low, num(move.limit.fraction)))
        yield (check, "RISK_PRICE_MOVE"), all_(w.enters, w.mark_known, known, moved)


def _collar(w: Writer) -> Said:
    s, risk, check = w.s, w.policy.risk, "risk.price_collar"
    assert risk is not None
    assert risk.price_collar is not None
    most, reference = risk.price_collar.max_deviation.fraction, risk.price_collar.reference
    if reference not in ("mark", "mid"):
        yield (check, "CHECK_MISSING"), w.enters
        return
    if reference == "mark":
        missing, stale, known, price = w.mark_missing, w.mark_stale, w.mark_known, w.mark
    else:
        missing = no(s.has("book"))
        known = all_(s.has("book"), w.fresh("book", w.mark_age))
        stale = all_(s.has("book"), no(w.fresh("book", w.mark_age)))
        price = times(num(Decimal("0.5")), plus(s.number("bid"), s.number("ask")))
    yield (check, "PRICE_MISSING"), all_(w.enters, missing)
    yield (check, "PRICE_STALE"), all_(w.enters, stale)
    over = any_(
        all_(w.buys, compare(">", s.number("price"), times(price, num(1 + most)))),
        all_(w.sells, compare("<", s.number("price"), times(price, num(1 - most)))),
    )
    yield (check, "RISK_PRICE_COLLAR"), all_(w.enters, known, no(w.at_market), over)


def _stop(w: Writer) -> Said:
    s, risk, check = w.s, w.policy.risk, "risk.risk_at_stop"
    bounds = risk.risk_at_stop if risk is not None else None
    if bounds is None:
        return
    asked, stop = all_(w.enters, w.sized), s.number("stop_loss")
    attached = all_(asked, s.has("stop_loss"))
    yield (check, "RISK_STOP_MISSING"), all_(asked, no(s.has("stop_loss")))
    yield (check, "PRICE_MISSING"), all_(attached, w.at_market, w.mark_missing)
    yield (check, "PRICE_STALE"), all_(attached, w.at_market, w.mark_stale)
    known = all_(attached, any_(no(w.at_market), w.mark_known))
    prices = [
        (no(w.at_market), s.number("price")),
        (s.has("stop_price"), s.number("stop_price")),
        (w.at_market, w.mark),
    ]
    wrong = any_(
        *(all_(w.buys, counts, compare(">=", stop, price)) for counts, price in prices),
        *(all_(w.sells, counts, compare("<=", stop, price)) for counts, price in prices),
    )
    yield (check, "RISK_STOP_MISSING"), all_(known, wrong)
    right = all_(known, no(wrong))
    no_size = all_(w.contract, no(s.has("size")))
    yield (check, "CONTRACT_SIZE_MISSING"), all_(right, no_size)
    sized = all_(right, no(no_size))
    missing, terms = w.limits(bounds)
    for code, lacks in missing:
        yield (check, code), all_(sized, lacks)
    units = times(s.number("quantity"), s.number("size"))
    over = []
    for limit in terms:
        for counts, price in prices:
            up = any_(
                all_(no(w.at_market), compare(">", times(units, minus(price, stop)), limit)),
                all_(w.at_market, compare(">", times(units, minus(times(price, SLIP), stop)), limit)),
            )
            low = times(price, num(Decimal("0.95")))
            down = any_(
                all_(no(w.at_market), compare(">", times(units, minus(stop, price)), limit)),
                all_(w.at_market, compare(">", times(units, minus(stop, low)), limit)),
            )
            over.append(all_(counts, any_(all_(w.buys, up), all_(w.sells, down))))
    yield (check, "RISK_AT_STOP"), all_(sized, *(no(lacks) for _, lacks in missing), any_(*over))


def _contracts(w: Writer) -> Said:
    s, account, risk = w.s, w.policy.account, w.policy.risk
    of = all_(w.enters, w.contract)
    missing, stale = no(s.has("settings")), all_(s.has("settings"), no(w.fresh("settings", w.max_age)))
    known = all_(of, s.has("settings"), w.fresh("settings", w.max_age))
    if account.position_mode is not None:
        check = "account.position_mode"
        asked = all_(w.increases, w.places, w.contract)
        old = all_(s.has("mode"), no(w.fresh("mode", w.max_age)))
        seen = all_(asked, s.has("mode"), w.fresh("mode", w.max_age))
        yield (check, "FACTS_MISSING"), all_(asked, no(s.has("mode")))
        yield (check, "FACTS_STALE"), all_(asked, old)
        yield (check, "ACCOUNT_POSITION_MODE"), all_(seen, no(s.word("mode", account.position_mode)))
    if account.margin_mode == "isolated":
        check = "account.margin_mode"
        yield (check, "FACTS_MISSING"), all_(of, missing)
        yield (check, "FACTS_STALE"), all_(of, stale)
        yield (check, "FACTS_MISSING"), all_(known, s.word("margin", NONE))
        other = no(any_(s.word("margin", NONE), s.word("margin", "isolated")))
        yield (check, "ACCOUNT_MARGIN_MODE"), all_(known, other)
    if risk is None:
        return
    if risk.max_leverage is not None:
        check, leverage = "risk.max_leverage", s.number("leverage")
        yield (check, "FACTS_MISSING"), all_(of, missing)
        yield (check, "FACTS_STALE"), all_(of, stale)
        yield (check, "FACTS_MISSING"), all_(known, no(s.has("leverage")))
        over = any_(compare("<=", leverage, "0.0"), compare(">", leverage, num(risk.max_leverage)))
        yield (check, "RISK_LEVERAGE"), all_(known, s.has("leverage"), over)
    if risk.max_funding_rate is not None:
        check, rate, most = "risk.max_funding_rate", s.number("funding"), num(risk.max_funding_rate.fraction)
        yield (check, "FACTS_MISSING"), all_(of, missing)
        yield (check, "FACTS_STALE"), all_(of, stale)
        yield (check, "FACTS_MISSING"), all_(known, no(s.has("funding")))
        pays = any_(all_(w.buys, compare(">", rate, most)), all_(w.sells, compare(">", minus(rate), most)))
        yield (check, "RISK_FUNDING"), all_(known, s.has("funding"), pays)
    if risk.max_margin_ratio is not None:
        check, most = "risk.max_margin_ratio", num(risk.max_margin_ratio.fraction)
        fresh = w.fresh("ratio", w.max_age)
        yield (check, "FACTS_MISSING"), all_(of, no(s.has("ratio")))
        yield (check, "FACTS_STALE"), all_(of, s.has("ratio"), no(fresh))
        yield (check, "RISK_MARGIN_RATIO"), all_(of, s.has("ratio"), fresh, compare(">", s.number("ratio"), most))
    if risk.min_liquidation_distance is not None:
        yield from _liquidation(w, of, known, missing, stale)


def _liquidation(w: Writer, of: Formula, known: Formula, missing: Formula, stale: Formula) -> Said:
    s, risk, check = w.s, w.policy.risk, "risk.min_liquidation_distance"
    assert risk is not None
    assert risk.min_liquidation_distance is not None
    held = all_(s.has("positions"), w.fresh("positions", w.max_age))
    low, high, at = s.number("low"), s.number("high"), s.number("liquidation")
    yield (check, "FACTS_STALE"), all_(of, no(held))
    open_ = all_(of, held, no(all_(compare("=", low, "0.0"), compare("=", high, "0.0"))))
    yield (check, "FACTS_MISSING"), all_(open_, missing)
    yield (check, "FACTS_STALE"), all_(open_, stale)
    yield (check, "FACTS_MISSING"), all_(open_, known, no(s.has("liquidation")))
    can = all_(open_, known, s.has("liquidation"), no(compare("=", at, "0.0")))
    yield (check, "PRICE_MISSING"), all_(can, w.mark_missing)
    yield (check, "PRICE_STALE"), all_(can, w.mark_stale)
    least = times(w.mark, num(risk.min_liquidation_distance.fraction))
    near_long, near_short = compare("<", minus(w.mark, at), least), compare("<", minus(at, w.mark), least)
    if w.policy.account.position_mode == "hedge":
        near = all_(near_long, near_short)
    else:
        near = any_(all_(compare(">", high, "0.0"), near_long), all_(compare("<", low, "0.0"), near_short))
    yield (check, "RISK_LIQUIDATION"), all_(can, w.mark_known, near)
