"""Invariants (`never`): the language, who inherits them, what proves them, and what a finding says."""
# ruff: noqa: E501  # tables of exact messages: one row, one line

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.errors import PolicyError
from policykit.model import Policy
from policykit.model.base import Section
from policykit.model.never import ROOTS, parse, pattern, subjects
from policykit.model.shape import shapes
from policykit.model.symbols import allows, common_text
from policykit.policy import load_text, never
from policykit.units import Amount, Share
from tests.policy.test_load import HEAD, told

BOT = "exchange: binance\naccount: {name: main, currency: USDT}\n"
KEY = "keys: {mm: {purpose: execution, scopes: [read, trade.spot]}}\n"
ORG = f"{HEAD}never: [order_notional > 2% of equity]\n"


def judged(text: str, statement: str, exchange: str = "binance") -> never.Verdict:
    """Judge a statement of a policy that says only this."""
    bot = BOT.replace("binance", exchange)
    return never.judge(load_text(HEAD + bot + text, "p.yaml").model, statement)


def refused(text: str, org: str = ORG) -> list[Any]:
    """Return the findings of a policy that extends an organisation's file."""
    with pytest.raises(PolicyError) as error:
        load_text(f"{HEAD}extends: [org.yaml]\n{BOT}{text}", "p.yaml", resolve=lambda _: org)
    return list(error.value.findings)


# -- the language ---------------------------------------------------------------------------------------------------


def test_every_section_of_a_policy_has_subjects() -> None:
    """The roots are the model's own sections: all but who is told, and what is accepted."""
    sections = {
        f"{name}.*" if shape.kind == "map" else name: shape.section
        for name, shape in shapes(Policy).items()
        if shape.section is not None and shape.meta.strictness.kind != "neutral"
    }
    assert {name: section for name, section in sections.items() if name != "notify"} == ROOTS


def test_every_field_with_a_stricter_side_is_a_subject() -> None:
    """A new cap is a subject by itself; those left out are named here."""
    paths = {subject.path for subject in subjects().values()}

    def fields(section: type[Section], path: str) -> list[str]:
        out = []
        for name, shape in shapes(section).items():
            at = f"{path}.{name}"
            if shape.section is not None:
                out += fields(shape.section, at) if shape.kind == "section" and at not in paths else []
            elif shape.meta.strictness.kind not in ("neutral", "identity") and at not in paths:
                out.append(at)
        return out

    assert [at for path, section in ROOTS.items() for at in fields(section, path)] == [
        "rate_budgets.*.costs",
        "risk.on_breach",
    ]


def test_every_subjects_example_is_a_statement() -> None:
    """Each subject's own form is read, written the same way again, and fits the published pattern."""
    for subject in subjects().values():
        for text in {subject.form, *([] if subject.kind == "scope" else [f"{subject.name} absent"])}:
            assert re.fullmatch(pattern(), text), text
            assert str(parse(str(parse(text)))) == str(parse(text)), text


def test_I22_pattern_and_reader_take_the_same_statements(tier: Callable[[int, int], int]) -> None:
    """A statement of which any part was changed is read if and only if it fits the published pattern."""
    rng, taken, forms = Random(22), 0, [subject.form for subject in subjects().values()]
    compiled = re.compile(pattern())
    n = tier(2_000, 100_000)
    for _ in range(n):
        parts = [rng.choice(forms).split(" ") for _ in range(2)]
        at = rng.randrange(len(parts[0]))
        text = " ".join(
            [*parts[0][:at], *rng.choice([parts[1][at:], [rng.choice(["absent", "5", "x", "> 5%", ""])], []])]
        )
        try:
            parse(text)
            read = True
        except ValueError:
            read = False
        taken += read
        assert read is (compiled.fullmatch(text) is not None), text
    assert n / 20 < taken < n * 19 / 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("order_notional > 2.50% of equity", "order_notional > 2.5% of equity"),
        ("leverage > 05", "leverage > 5"),
        ("key.rotation.every > 86400s", "key.rotation.every > 1d"),
        ("orders > 060 per 60s", "orders > 60 per 1m"),
    ],
)
def test_a_statement_is_written_in_one_way(text: str, said: str) -> None:
    """Two texts that mean the same are the same invariant."""
    assert load_text(f"{HEAD}never: ['{text}']").model.never == (said,)


def test_values_are_typed() -> None:
    """A value has the type of the field that it is held against."""
    assert parse("order_notional > 2% of equity").value == Share(Decimal("0.02"))
    assert parse("account.equity > 5000 USDT").value == Amount(Decimal(5000), "USDT")


NEEDED = 'a statement ("order_notional > 2% of equity", "key.withdraw") is needed'


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("leverag > 5", f'"leverag > 5"; {NEEDED}; did you mean "leverage"?'),
        ("zzzz", f'"zzzz"; {NEEDED}; docs/invariants.md has the subjects'),
        ("leverage > 5 USDT", '"leverage > 5 USDT"; of leverage a statement like "leverage > 5" is needed'),
        ("leverage < 5", '"leverage < 5"; of leverage a statement like "leverage > 5" is needed'),
        ("leverage  > 5", '"leverage  > 5"; of leverage a statement like "leverage > 5" is needed'),
        ("key.withdraw > 5", '"key.withdraw > 5"; of key.withdraw a statement like "key.withdraw" is needed'),
        ("leverage", '"leverage"; of leverage a statement like "leverage > 5" is needed'),
        ("price_deviation > 3 {x}", '"price_deviation > 3 {x}"; of price_deviation a statement like "price_deviation > 3%" is needed'),
    ],
)  # fmt: skip
def test_what_is_no_statement(item: str, message: str) -> None:
    """A statement that is not understood is refused at its place, with what is meant or what it looks like."""
    said = told(f"{HEAD}never: ['{item}']\n")
    assert said == [f"PK011 3:9 never.0 is {message}"] or "not shown here" in said[0]
    assert said[0].endswith(message.partition("; ")[2])


def test_a_number_is_no_statement() -> None:
    """What is no text is refused as such."""
    assert told(f"{HEAD}never: [5]\n") == [f"PK011 3:9 never.0 is 5; {NEEDED}"]


# -- composition ----------------------------------------------------------------------------------------------------


def test_nobody_can_remove_an_invariant() -> None:
    """A child has those of all that it extends, and its own; each keeps its place."""
    files = {"a": f"{HEAD}never: [key.withdraw]", "b": f"{HEAD}never: [leverage > 5, key.withdraw]"}
    effective = load_text(f"{HEAD}extends: [a, b]\nnever: [key.transfer]\n", "p.yaml", resolve=files.__getitem__)
    assert effective.model.never is not None
    assert set(effective.model.never) == {"key.withdraw", "leverage > 5", "key.transfer"}
    at = effective.model.never.index("leverage > 5")
    assert str(effective.place(f"never.{at}")) == "b:3:9"


def test_a_profile_need_not_keep_them() -> None:
    """A file without an exchange is only extended: what extends it has to."""
    load_text(f"{ORG}risk: {{max_order_notional: 5% of equity}}\n")


# -- the judge ------------------------------------------------------------------------------------------------------

JUDGED = [
    ("risk: {max_order_notional: 2% of equity}", "order_notional > 2% of equity", ("risk.max_order_notional",)),
    ("risk: {max_order_notional: [1% of equity, 9 USDT]}", "order_notional > 9 USDT", ("risk.max_order_notional",)),
    ("risk: {max_order_notional: 2.01% of equity}", "order_notional > 2% of equity", 'is "2.01% of equity"'),
    ("risk: {max_order_notional: 1 USDT}", "order_notional > 2% of equity", 'is "1 USDT"'),
    ("risk: {max_order_notional: 0.1% of equity}", "order_notional > 5000 USDT", 'is "0.1% of equity"'),
    ("risk: {max_gross_exposure: 2% of equity, symbols: ['*/USDT']}", "order_notional > 2% of equity", ("risk.max_gross_exposure",)),
    ("risk: {max_gross_exposure: 2% of equity}", "order_notional > 2% of equity", "is not said"),
    ("risk: {max_gross_exposure: 2% of equity, symbols: ['USDT/TRY']}", "order_notional > 2% of equity", "is not said"),
    ("risk: {max_asset_exposure: 2% of equity, symbols: ['BTC/USDT']}", "order_notional > 2% of equity", ("risk.max_asset_exposure",)),
    ("risk: {max_position_notional: 2% of equity, symbols: ['BTC/USDT']}", "order_notional > 2% of equity", "is not said"),
    ("risk: {max_gross_exposure: 2% of equity}", "position_notional > 2% of equity", "is not said"),
    ("risk: {max_gross_exposure: 2% of equity}", "net_exposure > 2% of equity", ("risk.max_gross_exposure",)),
    ("risk: {max_open_orders: 5}", "open_orders_per_symbol > 5", ("risk.max_open_orders",)),
    ("risk: {max_open_orders: 5}", "open_orders > 4", "is 5"),
    ("risk: {max_position_notional: {default: 9 USDT, BTC/USDT: 10 USDT}}", "position_notional > 9 USDT", 'BTC/USDT is "10 USDT"'),
    ("risk: {max_position_notional: {BTC/USDT: 9 USDT}, symbols: ['BTC/USDT']}", "position_notional > 9 USDT", ("risk.max_position_notional",)),
    ("risk: {max_position_notional: {BTC/USDT: 9 USDT}, symbols: ['*/USDT']}", "position_notional > 9 USDT", "says nothing of */USDT"),
    ("risk: {max_position_notional: {BTC/USDT: 9 USDT}}", "position_notional > 9 USDT", "says nothing of *"),
    ("risk: {max_order_quantity: {default: 2}}", "order_quantity > 2", ("risk.max_order_quantity",)),
    ("risk: {max_orders: {limit: 10, per: 1m}}", "orders > 10 per 30s", ("risk.max_orders",)),
    ("risk: {max_orders: {limit: 10, per: 1m}}", "orders > 20 per 61s", ("risk.max_orders",)),
    ("risk: {max_orders: {limit: 10, per: 1m}}", "orders > 19 per 61s", 'is "10 per 1m"'),
    ("risk: {max_leverage: 5}", "leverage > 5", ("risk.max_leverage",)),
    ("risk: {max_leverage: 5}", "leverage > 4.9", 'is "5"'),
    ("risk: {min_liquidation_distance: 10%}", "liquidation_distance < 10%", ("risk.min_liquidation_distance",)),
    ("risk: {min_liquidation_distance: 9%}", "liquidation_distance < 10%", 'is "9%"'),
    ("risk: {price_collar: {max_deviation: 3%}}", "price_deviation > 3%", ("risk.price_collar.max_deviation",)),
    ("risk: {price_collar: {max_deviation: 3%}, on_breach: {price_collar: warn}}", "price_deviation > 3%", "only warns"),
    ("risk: {max_order_notional: 1 USDT, on_breach: {max_order_notional: warn}}", "order_notional > 9 USDT", "only warns"),
    ("risk: {daily_loss: {limit: 5% of equity}}", "daily_loss > 5% of equity", ("risk.daily_loss.limit",)),
    ("risk: {daily_loss: {limit: 5% of equity, on_breach: warn}}", "daily_loss > 5% of equity", "only warns"),
    ("risk: {daily_loss: {limit: 5% of equity, on_breach: warn}}", "daily_loss.on_breach == deny", 'is "warn"'),
    ("risk: {daily_loss: {limit: 5% of equity, on_breach: deny}}", "daily_loss.on_breach == warn", ("risk.daily_loss.on_breach",)),
    ("risk: {order_types: [limit]}", "order_type == market", ("risk.order_types",)),
    ("risk: {order_types: [limit, market]}", "order_type == market", 'is ["limit", "market"]'),
    ("", "order_type == market", "is not said"),
    ("risk: {order_types: [limit], on_breach: {order_types: warn}}", "order_type == market", "only warns"),
    ("risk: {reduce_only_exits: true}", "reduce_only_exits == false", ("risk.reduce_only_exits",)),
    ("risk: {reduce_only_exits: false}", "reduce_only_exits == false", "is false"),
    ("risk: {symbols: ['BTC/USDT']}", "symbol == LUNA*", ("risk.symbols",)),
    ("risk: {symbols: ['*/USDT']}", "symbol == LUNA*", 'allows "*/USDT"'),
    ("risk: {symbols: ['*/USDT', '!LUNA*']}", "symbol == LUNA/*", ("risk.symbols",)),
    ("risk: {symbols: ['LUNA/USDT', 'BTC/USDT', '!LUNA/USDT']}", "symbol == LUNA*", ("risk.symbols",)),
    ("risk: {symbols: ['!LUNA*']}", "symbol == LUNA*", ("risk.symbols",)),
    ("risk: {symbols: ['!LUNA*']}", "symbol == DOGE*", "and allows all else"),
    ("risk: {symbols: ['BTC/USDT'], on_breach: {symbols: warn}}", "symbol == LUNA*", "only warns"),
    ("", "symbol == LUNA*", "is not said"),
    (KEY, "key.withdraw", ("keys.mm.scopes",)),
    ("", "key.withdraw", ()),
    (KEY, "key.trade", "key mm has trade.spot"),
    (KEY, "key.trade.derivatives", ("keys.mm.scopes",)),
    ("keys: {mm: {purpose: execution, scopes: [trade]}}", "key.trade.derivatives", "key mm has trade"),
    ("keys: {mm: {purpose: execution}}", "key.withdraw", "may hold any scope"),
    ("keys: {mm: {purpose: execution, scopes: [read], declared: {scopes: [withdraw], by: me, at: 2026-11-20}}}", "key.withdraw", "key mm has withdraw, as me declared"),
    ("keys: {mm: {purpose: execution, scopes: [read], ip_allowlist: []}}", "key.ip_allowlist absent", "is not said"),
    (KEY, "key.rotation.every > 90d", "is not said"),
    ("keys: {mm: {purpose: execution, rotation: {every: 90d}}}", "key.rotation.every > 90d", ("keys.mm.rotation.every",)),
    ("dead_man_switch: {timeout: 60s, refresh: 15s}", "dead_man_switch absent", ("dead_man_switch",)),
    ("", "dead_man_switch absent", "is not said"),
    ("groups: {a: {max_gross_exposure: 5 USDT}}", "group.gross_exposure > 5 USDT", ("groups.a.max_gross_exposure",)),
    ("stage: {current: paper}", "stage == small-live", ("stage.current",)),
    ("stage: {current: full-live}", "stage == small-live", 'is "full-live"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "statement", "verdict"), JUDGED)
def test_judge(text: str, statement: str, verdict: Any) -> None:
    """What entails a statement is named; what does not says so: closed by default, and never across dimensions."""
    found = judged(text, statement)
    if isinstance(verdict, tuple):
        assert found == never.Proved(parse(statement), verdict)
    else:
        assert isinstance(found, never.Broken)
        assert verdict in found.why


@pytest.mark.parametrize(("exchange", "scopes", "holds"), [("okx", "trade", True), ("okx", "read", False), ("krakenfutures", "trade.derivatives", True), ("binance", "trade.spot", False)])  # fmt: skip
def test_a_scope_that_comes_along_is_held(exchange: str, scopes: str, holds: bool) -> None:
    """Where an exchange gives transfer with trade, no waiver makes it go away."""
    text = f"keys: {{mm: {{purpose: execution, scopes: [{scopes}]}}}}\n"
    text += "waivers: [{rule: PK103, at: keys.mm, owner: me, reason: sub-account, expires: 2027-01-01}]\n"
    assert isinstance(judged(text, "key.transfer", exchange), never.Broken) is holds


def test_common_text_is_matched_by_both() -> None:
    """Two globs have a text in common if and only if one is found, and it is one."""
    globs = ["*", "*/USDT", "BTC/*", "LUNA*", "*A*B", "B*A", "AB", "*:USDT", "A*A*A"]
    for one in globs:
        for other in globs:
            text = common_text(one, other)
            assert text is None or (allows((one,), text) and allows((other,), text)), (one, other)
    assert common_text("BTC/*", "LUNA*") is None
    assert common_text("BTC/*", "*/USDT") == "BTC/USDT"


# -- stages ---------------------------------------------------------------------------------------------------------


def test_every_stage_that_it_may_be_at_is_judged() -> None:
    """micro-live caps orders and positions only: what small-live makes a tenth of is whole again there."""
    text = f"{HEAD}{BOT}risk: {{max_gross_exposure: 50% of equity}}\nstage: {{current: small-live}}\n"
    with pytest.raises(PolicyError) as error:
        load_text(f"{text}never: [gross_exposure > 10% of equity]\n", "p.yaml")
    (found,) = error.value.findings
    assert "; at stage micro-live it allows buy " in found.message
    load_text(f"{text}never: [gross_exposure > 50% of equity]\n", "p.yaml")


def test_a_stage_counts_from_its_own_on_down() -> None:
    """A statement on the stage is about the ceiling, and all that is below it."""
    load_text(f"{HEAD}{BOT}stage: {{current: small-live}}\nnever: [stage == full-live]\n")
    assert refused("", f"{HEAD}never: [stage == full-live]\n")[0].rule == "PK024"


# -- the finding ----------------------------------------------------------------------------------------------------


def test_the_finding_names_both_places_and_what_is_allowed() -> None:
    """The value at its place, the invariant as the second one, and an order that the policy would let through."""
    (found,) = refused("risk: {max_order_notional: 3% of equity}\n")
    assert (found.rule, str(found.primary), found.primary.path) == ("PK024", "p.yaml:6:28", "risk.max_order_notional")
    assert found.message == (
        'risk.max_order_notional is "3% of equity", and org.yaml:3:9 says never: order_notional > 2% of equity; it allows '
        "buy 20.2 BTC/USDT at 100, order notional 2020 USDT at an equity of 100000 USDT; tighten it; no waiver touches an "
        "invariant"
    )
    assert [(label, str(place)) for label, place in found.context] == [("what must never be", "org.yaml:3:9")]
    assert found.extra["order"] == {
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "limit",
        "quantity": "20.2",
        "price": "100",
    }


def test_what_nobody_says_is_shown_where_it_is_extended() -> None:
    """A cap that is missing has no place of its own, one of another file is the second span."""
    (found,) = refused("")
    assert (str(found.primary), found.primary.path) == ("p.yaml:3:1", "risk.max_order_notional")
    assert found.message.startswith("risk.max_order_notional is not said, and org.yaml:3:9 says never: ")
    (found,) = refused("", f"{ORG}risk: {{max_order_notional: 3% of equity}}\n")
    assert str(found.primary) == "p.yaml:3:1"
    assert [(label, str(place)) for label, place in found.context] == [
        ("what must never be", "org.yaml:3:9"),
        ("said here", "org.yaml:4:28"),
    ]


def test_I22_no_waiver_breaks_an_invariant() -> None:
    """A waiver of it is refused where it stands, with every leave; the finding says that none accepts it."""
    leave = f"{ORG}waivable: [PK024, PK103]\n"
    waiver = "waivers: [{rule: PK024, at: risk, owner: me, reason: r, expires: 2027-01-01}]\n"
    (found,) = refused(waiver + "risk: {max_order_notional: 1% of equity}\n", leave)
    assert (found.rule, found.message) == (
        "PK030",
        "PK024 cannot be waived; a policy without that finding; remove the waiver",
    )
    assert not refused("")[0].waivable
