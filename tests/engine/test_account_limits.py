"""Checks of the account's state: funding, liquidation, margin, loans, and the proof that the key works from here."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Assessment, Hold
from policykit.engine import compile_policy, explain_failed
from policykit.engine.facts import Contract, Fact, Facts, Position, Setting
from policykit.order import Order
from policykit.policy import load_text
from policykit.traits.base import Exchange, Product
from tests.engine.worlds import NOW, TRAITS, changed, codes, engine, facts, order

D = Decimal
SWAP = "BTC/USDT:USDT"
SOON = "BTC/USDT:USDT-261225"
OPEN: dict[str, Any] = {
    "rate_budgets": None,
    "risk.symbols": ["*"],
    "risk.max_position_notional": None,
    "risk.max_order_notional": None,
    "risk.daily_loss": None,
}
FUNDING = {**OPEN, "risk.max_funding_rate": "0.05%"}
DISTANCE = {**OPEN, "risk.min_liquidation_distance": "20%"}
RATIO = {**OPEN, "risk.max_margin_ratio": "60%"}
BORROW = {**OPEN, "risk.max_borrow": "1000 USDT"}
#: A spot that may borrow, beside contracts.
UNIFIED = Exchange("binance", {"swap": Product({}, "symbol"), "spot": Product({}, "base", auto_borrow=True)})


def contracts(**said: Any) -> dict[str, Contract]:
    """Return what is known of the two contracts."""
    return dict.fromkeys((SWAP, SOON), Contract(as_of_ms=NOW - 3_000, **said))


def swap(**changes: Any) -> Order:
    """Return a small entry into the perpetual."""
    return order(**{"symbol": SWAP, "quantity": "1"} | changes)


def known(low: str = "0", high: str | None = None, **changes: Any) -> Facts:
    """Return facts with a position in the perpetual, and fresh settings."""
    return facts(
        positions={SWAP: Position(D(low), D(high or low))},
        marks={symbol: Fact(D(60_000), NOW - 1_000) for symbol in ("BTC/USDT", SWAP, SOON)},
        contract_sizes={SWAP: D("0.01"), SOON: D("0.01")},
        **{"contracts": contracts()} | changes,
    )


def judged(
    changes: dict[str, Any], seen: Facts, asked: Order | None = None, traits: Exchange | None = TRAITS
) -> Assessment:
    """Return what becomes of an order; assert that what reduces passes whatever is known."""
    made = engine(changes, traits)
    assert made.assess(seen, swap(side="sell", reduce_only=True), NOW).reasons == ()
    return made.assess(seen, asked or swap(), NOW)


def texts(assessment: Assessment) -> list[tuple[str, str]]:
    """Return codes and messages."""
    return [(reason.code, reason.message) for reason in assessment.reasons]


# ---- funding


@pytest.mark.parametrize(
    ("rate", "side", "says"),
    [
        ("0.0005", "buy", None),
        ("0.00050001", "buy", f"a long position in {SWAP} pays 0.050001% of funding, max_funding_rate is 0.05%"),
        ("0.00050001", "sell", None),
        ("-0.0005", "sell", None),
        ("-0.0006", "sell", f"a short position in {SWAP} pays 0.06% of funding, max_funding_rate is 0.05%"),
        ("-0.0006", "buy", None),
        ("0", "buy", None),
    ],
)
def test_who_pays_funding_is_held(rate: str, side: str, says: str | None) -> None:
    """Longs pay a rate over zero, shorts one below; who is paid passes; the limit itself passes."""
    found = judged(FUNDING, known(contracts=contracts(funding_rate=D(rate))), swap(side=side))
    assert texts(found) == ([("RISK_FUNDING", says)] if says else [])
    assert [(r.observed, r.limit, r.unit) for r in found.reasons] in (
        [],
        [("0.050001", "0.05", "%")],
        [("0.06", "0.05", "%")],
    )


def test_funding_is_of_perpetuals() -> None:
    """Spot and contracts that end on a day have none, and pass without a rate; an amend is asked as an entry is."""
    assert judged(FUNDING, known(), order()).reasons == ()
    assert judged(FUNDING, known(), swap(symbol=SOON)).reasons == ()
    assert judged(FUNDING, known(contracts={})).reasons[0].code == "FACTS_MISSING"
    amend = swap(action="order.amend", amends=None)
    assert codes(judged(FUNDING, known(), amend)) == ["FACTS_MISSING"]
    assert judged(FUNDING, known(), Order(SWAP, action="order.cancel")).reasons == ()


@pytest.mark.parametrize(
    ("seen", "code", "message"),
    [
        ({}, "FACTS_MISSING", f"the settings of {SWAP} were never observed"),
        (contracts(), "FACTS_MISSING", f"the funding rate of {SWAP} was not observed"),
        (contracts(funding_rate=D("NaN")), "FACTS_MISSING", f"the funding rate of {SWAP} was not observed"),
        (
            {SWAP: Contract(funding_rate=D(0), as_of_ms=NOW - 10_001)},
            "FACTS_STALE",
            f"the settings of {SWAP}: observed 10 s ago, over 10 s",
        ),
    ],
)
def test_unknown_funding_denies(seen: dict[str, Contract], code: str, message: str) -> None:
    """A rate that was never read, is none, or is old."""
    assert texts(judged(FUNDING, known(contracts=seen))) == [(code, message)]


# ---- liquidation


@pytest.mark.parametrize(
    ("position", "at", "percent"),
    [
        (("1",), "48000", None),
        (("1",), "48000.01", "19.99%"),
        (("1",), "61000", "0%"),
        (("-1",), "72000", None),
        (("-1",), "71999.99", "19.99%"),
        (("-1",), "59000", "0%"),
        (("1",), "0", None),
        (("-1", "1"), "30000", "0%"),
    ],
)
def test_liquidation_is_kept_away(position: tuple[str, ...], at: str, percent: str | None) -> None:
    """A fifth of 60,000 is 12,000, below a long's mark and above a short's; 0 says that there is no such price."""
    adds = swap(side="sell" if position[0] == "-1" else "buy")
    found = judged(DISTANCE, known(*position, contracts=contracts(liquidation_price=D(at))), adds)
    says = f"the liquidation price of {SWAP} is {percent} from the mark, min_liquidation_distance is 20%"
    assert texts(found) == ([("RISK_LIQUIDATION", says)] if percent else [])


def test_a_distance_of_the_whole_price_can_be_asked_for() -> None:
    """A short is liquidated above: 100 % away is 120,000. What cannot be liquidated passes there, too."""
    far = {**DISTANCE, "risk.min_liquidation_distance": "100%"}
    for at, said in ((120_000, []), (119_999, ["RISK_LIQUIDATION"]), (0, [])):
        seen = known("-1", contracts=contracts(liquidation_price=D(at)))
        assert codes(judged(far, seen, swap(side="sell"))) == said


@pytest.mark.parametrize(("leg", "side"), [("long", "buy"), ("short", "sell")])
def test_two_legs_share_the_nearer_price(leg: Any, side: str) -> None:
    """In hedge mode the exchange's nearer price counts for both legs, on whichever side of the mark it is."""
    hedge = {**DISTANCE, "account.position_mode": "hedge"}
    mode: dict[str, Any] = {"position_mode": Setting("hedge", NOW)}
    for at, said in ((75_000, []), (71_999, ["RISK_LIQUIDATION"]), (47_000, []), (48_001, ["RISK_LIQUIDATION"])):
        legs = {f"{SWAP}#long": Position(D(1), D(1)), f"{SWAP}#short": Position(D(-1), D(-1))}
        seen = replace(known(contracts=contracts(liquidation_price=D(at)), **mode), positions=legs)
        found = engine(hedge).assess(seen, swap(side=side, position_side=leg), NOW)
        assert codes(found) == said


def test_a_flat_position_has_no_liquidation() -> None:
    """Without a position nothing is asked of its liquidation price; on spot neither."""
    assert judged(DISTANCE, known(contracts={})).reasons == ()
    assert judged(DISTANCE, known("1", contracts={}), order()).reasons == ()


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"contracts": {}}, "FACTS_MISSING", f"the settings of {SWAP} were never observed"),
        ({"contracts": contracts()}, "FACTS_MISSING", f"the liquidation price of {SWAP} was not observed"),
        ({"positions_as_of_ms": None}, "FACTS_STALE", f"the position in {SWAP} is not known"),
    ],
)
def test_unknown_liquidation_denies(changes: dict[str, Any], code: str, message: str) -> None:
    """An open position whose liquidation price, or which itself, was not observed."""
    found = texts(judged(DISTANCE, replace(known("1"), **changes)))
    assert found[-1] == (code, message)


def test_liquidation_needs_a_mark() -> None:
    """The distance is from the mark; without one it is unknown."""
    seen = replace(known("1", contracts=contracts(liquidation_price=D(40_000))), marks={})
    assert "PRICE_MISSING" in codes(judged(DISTANCE, seen, swap(price="59000")))


# ---- margin


def test_the_margin_ratio_is_held() -> None:
    """60 % passes, a hair more does not; it is asked of contracts and of spot that may borrow, not of plain spot."""
    at = known(margin_ratio=Fact(D("0.6"), NOW - 3_000))
    over = known(margin_ratio=Fact(D("0.60000001"), NOW - 3_000))
    assert judged(RATIO, at).reasons == ()
    found = judged(RATIO, over)
    says = "maintenance margin takes 60.01% of the margin balance, max_margin_ratio is 60%"
    assert texts(found) == [("RISK_MARGIN_RATIO", says)]
    assert [(r.observed, r.limit, r.unit) for r in found.reasons] == [("60.000001", "60", "%")]
    assert judged(RATIO, over, order()).reasons == ()
    assert codes(judged(RATIO, over, order(), UNIFIED)) == ["RISK_MARGIN_RATIO"]
    assert codes(judged(RATIO, over, order(margin_mode="cross"))) == ["RISK_MARGIN_RATIO"]


@pytest.mark.parametrize(
    ("ratio", "code", "message"),
    [
        (None, "FACTS_MISSING", "the margin ratio was not observed"),
        (Fact(D("NaN"), NOW), "FACTS_MISSING", "the margin ratio was not observed"),
        (Fact(D(0), NOW - 10_001), "FACTS_STALE", "the margin ratio: observed 10 s ago, over 10 s"),
    ],
)
def test_an_unknown_margin_ratio_denies(ratio: Fact | None, code: str, message: str) -> None:
    """Never read, no number, or old."""
    assert texts(judged(RATIO, known(margin_ratio=ratio))) == [(code, message)]


# ---- loans

FOUR = D(400)


def loan(quantity: Any = FOUR, asset: str = "USDT") -> Order:
    """Return a wish to borrow."""
    return Order(asset, quantity=quantity, action="margin.borrow")


OWES = known(borrowed=Fact(D(600), NOW - 3_000))


def test_a_loan_is_held_against_what_is_borrowed() -> None:
    """600 of 1,000 are borrowed: 400 are left, and what is asked for counts until the next fact must hold it."""
    found = judged(BORROW, OWES, loan())
    held = Hold("binance/main|borrowed", 4_000_000, 4_000_000, "window", "risk.max_borrow", 20_000)
    assert (found.reasons, found.holds) == ((), (held,))
    assert judged(BORROW, OWES, loan(D("0.01"), "BTC")).holds[0].amount == 6_000_000
    both = {**BORROW, "risk.max_borrow": ["1000 USDT", "0.65% of equity"]}
    assert judged(both, OWES, loan()).holds[0].limit == 500_000
    assert judged(BORROW, replace(OWES, borrowed=Fact(D(1_001), NOW)), loan()).holds[0].limit == 0
    assert judged({**BORROW, "risk.max_borrow": "1000000000000 USDT"}, OWES, loan()).holds[0].limit == 2**53 - 1


def test_a_refused_loan_is_explained() -> None:
    """The store says what was asked for since; the message says what that comes to and what is left."""
    made, asked = engine(BORROW), loan(D(200))
    holds = made.assess(OWES, asked, NOW).holds
    (reason,) = explain_failed(made, asked, holds, (2_000_001,), (0,), facts=OWES, now_ms=NOW)
    assert (reason.code, reason.message) == (
        "RISK_BORROW",
        "400.0001 USDT more would be borrowed, max_borrow leaves 400.00",
    )
    assert (reason.observed, reason.limit, reason.unit) == ("400.0001", "400", "USDT")


@pytest.mark.parametrize("amount", [None, D(0), D(-1), D("NaN"), D("Infinity"), 5, "7", True, D(10) ** 41])
def test_what_is_no_amount_is_not_borrowed(amount: Any) -> None:
    """A loan says how much, as a number over zero."""
    assert texts(judged(BORROW, OWES, loan(amount))) == [
        ("ORDER_INVALID", "the amount to borrow is not a number over 0")
    ]


def test_a_loan_that_cannot_be_judged_is_denied() -> None:
    """No price of the asset, what is borrowed not read or old, or more than counters hold."""
    assert codes(judged(BORROW, OWES, loan(D(1), "DOGE"))) == ["PRICE_MISSING"]
    assert codes(judged(BORROW, known(), loan())) == ["FACTS_MISSING"]
    old = known(borrowed=Fact(D(0), NOW - 10_001))
    assert texts(judged(BORROW, old, loan())) == [("FACTS_STALE", "what is borrowed: observed 10 s ago, over 10 s")]
    assert codes(judged(BORROW, OWES, loan(D(10) ** 12))) == ["NUMBER_RANGE"]
    assert texts(judged(OPEN, OWES, loan())) == [
        ("ACTION_REFUSED", "margin.borrow: the policy sets no max_borrow, so nothing may be borrowed")
    ]


def test_paying_back_passes() -> None:
    """A repayment reduces, whatever is known."""
    asked = Order("USDT", quantity=D(5), action="margin.repay")
    assert engine(BORROW).assess(Facts(), asked, NOW).reasons == ()


def test_orders_that_may_borrow_by_themselves_are_denied() -> None:
    """Under a cap on loans spot trades only where auto-borrow is known to be off; contracts have no such loan."""
    says = (
        "BTC/USDT may borrow by itself, which max_borrow cannot hold; trade where auto-borrow is known to be off, "
        "or take the limit out"
    )
    for traits in (UNIFIED, None, replace(UNIFIED, products={"spot": Product({}, "base", auto_borrow=None)})):
        assert texts(engine(BORROW, traits).assess(known(), order(), NOW)) == [("RISK_BORROW", says)]
    assert judged(BORROW, known(), order()).reasons == ()
    assert judged(BORROW, known(), order(margin_mode="isolated")).reasons[0].code == "RISK_BORROW"
    assert judged(BORROW, known()).reasons == ()


# ---- the proof of the address

KEY = {"purpose": "execution", "scopes": ["read", "trade.spot"], "address_proof": {"max_age": "30d"}}
MONTH = 30 * 86_400_000


def proved(
    proofs: dict[str, int], key: str | None = "mm-exec", now: int = NOW, **changes: Any
) -> list[tuple[str, str]]:
    """Return what is said to an entry from the host `box` with that key; an exit passes."""
    policy = load_text(json.dumps(changed({"keys": {"mm-exec": KEY}} | changes)), "mm.yaml")
    made, seen = compile_policy(policy, TRAITS, key, "box"), facts(address_proofs=proofs)
    assert made.assess(seen, order(side="sell"), now).reasons == ()
    return texts(made.assess(seen, order(), now))


def test_a_recent_proof_of_this_host_and_key_is_asked_for() -> None:
    """None, one of another host, or of another key; one that is a millisecond too old."""
    missing = (
        "ADDRESS_PROOF_MISSING",
        "that the key mm-exec works from box was never proved; run policykit doctor on it",
    )
    for proofs in ({}, {"other|mm-exec": NOW}, {"box|other": NOW}):
        assert proved(proofs) == [missing]
    assert proved({"box|mm-exec": NOW - MONTH}) == []
    assert proved({"box|mm-exec": NOW - MONTH - 1}) == [
        (
            "ADDRESS_PROOF_STALE",
            "that the key mm-exec works from box was proved 30d ago, max_age is 30d; run policykit doctor on it",
        )
    ]
    assert proved({"box|mm-exec": NOW + 501}) != []


def test_the_proof_is_asked_where_the_policy_says_so() -> None:
    """The reason names the key's own entry in the policy; a sandbox, another key and no key ask for none."""
    policy = load_text(json.dumps(changed({"keys": {"mm-exec": KEY}})), "mm.yaml")
    (reason,) = compile_policy(policy, TRAITS, "mm-exec", "box").assess(facts(), order(), NOW).reasons
    assert reason.place is not None
    assert (reason.check, reason.place.path) == ("key.address_proof", "keys.mm-exec.address_proof")
    assert proved({}, environment="sandbox") == []
    plain = {name: value for name, value in KEY.items() if name != "address_proof"}
    assert proved({}, keys={"mm-exec": plain}) == []
    assert proved({}, key=None) == []


def test_an_allowed_order_is_remembered_no_longer_than_its_proof() -> None:
    """What the engine remembers of an order that passed ends when the proof does."""
    policy = load_text(json.dumps(changed({"keys": {"mm-exec": KEY}, "account.max_age": "1h"})), "mm.yaml")
    made, seen = compile_policy(policy, TRAITS, "mm-exec", "box"), facts(address_proofs={"box|mm-exec": NOW - MONTH})
    assert made.assess(seen, order(), NOW).reasons == ()
    assert codes(made.assess(seen, order(), NOW + 1)) == ["ADDRESS_PROOF_STALE"]


@pytest.mark.parametrize("limit", ["max_funding_rate", "min_liquidation_distance", "max_margin_ratio", "max_borrow"])
def test_what_is_remembered_on_spot_says_the_same(limit: str) -> None:
    """A limit that says nothing of plain spot keeps no order there from the short way, which says the same."""
    value = "1000 USDT" if limit == "max_borrow" else "10%"
    made, fresh = engine({f"risk.{limit}": value}), engine({f"risk.{limit}": value})
    for now in (NOW, NOW + 1):
        assert made.assess(facts(), order(), now).reasons == ()
    assert made._memo[1]
    assert made.assess(facts(), order(), NOW + 1) == fresh.assess(facts(), order(), NOW + 1)
