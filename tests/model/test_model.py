"""The model: every field says its unit, guide number, strictness and holder; values are typed exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from policykit.model import Policy, Section, date_ms
from policykit.model.schema import schema
from policykit.model.shape import Shape, keys_at, shapes, walk
from policykit.model.symbols import allows, common, matches, narrowed, within
from policykit.source import read_file
from policykit.source.scalars import INVISIBLE
from policykit.units import Amount, Duration, Percent, Share
from tests.policy.documents import EXAMPLE, TOP

KINDS = {"lower", "higher", "subset", "superset", "true", "ordered", "pointwise", "section", "identity", "neutral"}
HOLDER = re.compile(r"(check:[a-z_.]+|rule:PK[0-9]([0-9]{2}|xx)|guard:[a-z_]+|section)\Z")


def fields(section: type[Section] = Policy, path: str = "") -> Iterator[tuple[str, type[Section], str, Shape]]:
    """Yield every field of the model once for each path it has."""
    for name, shape in shapes(section).items():
        at = f"{path}.{name}" if path else name
        yield at, section, name, shape
        if shape.section is not None:
            yield from fields(shape.section, at)


ALL = list(fields())


def test_every_field_says_what_it_is() -> None:
    """No field without a sentence, a known strictness, guide numbers that exist, and a holder or neutrality."""
    wrong = []
    for path, _, _, shape in ALL:
        meta = shape.meta
        held = bool(meta.held_by) or meta.strictness.kind == "neutral" or shape.section is not None
        numbers = all(re.fullmatch(r"G(0[1-9]|[1-3][0-9]|4[0-7])", g) for g in meta.guide)
        holders = all(HOLDER.match(h) for h in meta.held_by)
        if not (meta.doc.endswith(".") and meta.strictness.kind in KINDS and held and numbers and holders):
            wrong.append(path)
    assert wrong == []
    assert len(ALL) > 120


def test_ordered_fields_order_exactly_their_words() -> None:
    """What is ordered, loosest first, are the words that the field takes: none missing, none invented."""
    for path, section, name, shape in ALL:
        if shape.meta.strictness.kind == "ordered":
            assert set(shape.meta.strictness.order) == set(words(section.model_fields[name].annotation)), path


def words(annotation: Any) -> tuple[str, ...]:
    """Return the words of a Literal somewhere in an annotation."""
    for part in get_args(annotation):
        if isinstance(part, str):
            return get_args(annotation)
        if found := words(part):
            return found
    return ()


def test_holders_exist() -> None:
    """A rule that a field names is a file, and so is at least one rule of a family."""
    codes = {path.name[2:5] for path in (TOP / "policykit" / "rules").glob("pk[0-9]*.py")} | {"011"}
    families = {code[0] for code in codes}
    for path, _, _, shape in ALL:
        for holder in shape.meta.held_by:
            if holder.startswith("rule:PK"):
                code = holder.removeprefix("rule:PK")
                assert code in codes or (code.endswith("xx") and code[0] in families), (path, holder)


def test_no_key_is_a_look_alike() -> None:
    """No key of the language is a word that YAML 1.1 readers type."""
    names = {name for _, _, name, _ in ALL}
    assert names & {"y", "n", "yes", "no", "on", "off", "true", "false", "null"} == set()


def test_the_example_is_typed() -> None:
    """DESIGN's example, verbatim, has the types that every room reads."""
    policy = Policy.model_validate(read_file(EXAMPLE).data)
    assert policy.risk is not None
    assert policy.keys is not None
    assert policy.clock is not None
    assert policy.risk.max_order_notional == (Share(Decimal("0.015")),)
    assert policy.risk.max_position_notional == {
        "default": (Share(Decimal("0.1")),),
        "BTC/USDT": (Share(Decimal("0.2")),),
    }
    assert policy.risk.max_leverage == Decimal(3)
    assert policy.risk.max_orders is not None
    assert (policy.risk.max_orders.limit, policy.risk.max_orders.per) == (30, Duration(60_000))
    assert policy.clock.max_skew == Duration(500)
    assert policy.reconciliation is not None
    assert policy.reconciliation.tolerance == (Amount(Decimal(5), "USDT"),)
    assert policy.rate_budgets is not None
    assert policy.rate_budgets["orders"].use_at_most == Percent(Decimal("0.8"))
    assert policy.keys["mm-exec"].scopes == ("read", "trade.spot")
    assert policy.vendors == {}
    assert policy.withdrawals is not None
    assert policy.withdrawals.addresses == ()


def test_the_worked_example_is_designs() -> None:
    """The example in policies/ is the design's, but for a dead man's switch: Binance has none on spot."""
    design = TOP.parent / "shared" / "DESIGN.md"
    if not design.is_file():
        pytest.skip("the design is not beside this clone")
    text = design.read_text(encoding="utf-8")
    designs = text.split("```yaml\n", 1)[1].split("```", 1)[0]
    asked = "dead_man_switch: {timeout: 60s, refresh: 15s}\n"
    assert asked in designs
    none = "# dead_man_switch: Binance has none on spot; see binanceusdm-trend.yaml\n"
    assert EXAMPLE.read_text(encoding="utf-8") == designs.replace(asked, none)


def test_one_bound_and_a_bare_map_are_widened() -> None:
    """One bound reads as a cap of one, a cap without symbols as the default."""
    policy = Policy.model_validate(
        {
            "policykit": 1,
            "name": "x",
            "risk": {"max_order_notional": "5 USDT", "max_position_notional": ["1 BTC", "2% of equity"]},
        }
    )
    assert policy.risk is not None
    assert policy.risk.max_order_notional == (Amount(Decimal(5), "USDT"),)
    assert policy.risk.max_position_notional == {"default": (Amount(Decimal(1), "BTC"), Share(Decimal("0.02")))}


def test_a_policy_is_frozen_and_absent_is_none() -> None:
    """Nothing changes a policy after reading; what a file does not say is None, or empty."""
    policy = Policy.model_validate({"policykit": 1, "name": "x"})
    assert (policy.risk, policy.keys, policy.exchange, policy.waivers, policy.account.currency) == (
        None,
        None,
        "",
        (),
        "",
    )
    with pytest.raises(ValidationError):
        policy.name = "y"


def test_no_error_of_the_model_holds_its_input() -> None:
    """The text of pydantic does not show what was given: it may be a secret."""
    with pytest.raises(ValidationError) as error:
        Policy.model_validate({"policykit": 1, "name": "x", "keys": {"k": {"secret": "q7Zt2LxW9vRk4Hd8"}}})
    assert "q7Zt2LxW" not in str(error.value)


def test_free_text_excludes_what_the_reader_refuses() -> None:
    """Reader and model agree on every character that cannot be seen; a tab and a line end are no free text either."""
    free = re.compile(schema("policy")["$defs"]["Incident"]["properties"]["runbook"]["pattern"])
    differ = [
        hex(code)
        for code in range(0x110000)
        if not 0xD800 <= code <= 0xDFFF
        if (free.fullmatch(chr(code)) is None) != (INVISIBLE.match(chr(code)) is not None or chr(code) in "\t\n\r")
    ]
    assert differ == []


SYMBOLS = [
    (("BTC/USDT",), "BTC/USDT", True),
    (("BTC/USDT",), "ETH/USDT", False),
    (("*/USDT",), "BTC/USDT", True),
    (("*/USDT",), "BTC/USDT:USDT", False),
    (("*/USDT:USDT", "!LUNA*"), "LUNA2/USDT:USDT", False),
    (("*/USDT:USDT", "!LUNA*"), "ETH/USDT:USDT", True),
    (("!LUNA*",), "BTC/USDT", True),
    (("B*C/*",), "BTC/USDT", True),
    (("B*C/*",), "BC/", True),
    (("B*C/*",), "CB/", False),
    (("*",), "", True),
    (("AB*BA",), "ABA", False),
    (("AB*BA",), "ABBA", True),
    ((), "BTC/USDT", True),
]


@pytest.mark.parametrize(("patterns", "symbol", "allowed"), SYMBOLS)
def test_symbol_patterns(patterns: tuple[str, ...], symbol: str, allowed: bool) -> None:
    """A star stands for any characters; an exclusion beats every inclusion."""
    assert allows(patterns, symbol) is allowed


def test_patterns_cover_patterns() -> None:
    """What a child may allow beyond its parent is named; the common list allows what both allow."""
    assert within(("BTC*/USDT", "ETH/BTC"), ("*/USDT",)) == ("ETH/BTC",)
    assert within(("!X",), ("BTC/USDT",)) == ()
    assert narrowed(("!X*",), ("BTC/USDT", "!Y*")) == ("BTC/USDT", "!Y*", "!X*")
    assert narrowed(("BTC/USDT",), ("*", "!Y*")) == ("BTC/USDT", "!Y*")


def test_what_two_lists_allow() -> None:
    """Between equals only what each covers is left; where nothing is, nothing is allowed."""
    assert common(("*/USDT", "!X*"), ("BTC/USDT", "ETH/BTC")) == ("BTC/USDT", "!X*")
    assert common(("BTC/*",), ("*/USDT",)) == ("!*",)
    assert not any(allows(common(("BTC/*",), ("*/USDT",)), symbol) for symbol in ("BTC/USDT", "", "X"))


def test_a_glob_of_many_stars_is_matched_at_once() -> None:
    """Matching takes the first place of every part: no pattern makes it slow."""
    assert matches("*a" * 30 + "*b", "a" * 60) is False


def test_dates() -> None:
    """A date is the start of its day, UTC; what is no date is None."""
    assert date_ms("2026-11-21") == 1_795_219_200_000
    assert date_ms("2026-11-21T10:00:00Z") == 1_795_255_200_000
    assert date_ms("2026-02-31") is None
    assert date_ms("never") is None


def test_keys_at_follows_lists_and_maps() -> None:
    """The keys that may stand at a path are found through maps and lists; where keys are free there are none."""
    assert keys_at(Policy, ("retry",)) == ("orders", "data", "reconnect")
    assert keys_at(Policy, ("keys",)) == ()
    assert keys_at(Policy, ("keys", "x", "ip_allowlist", 0)) == ("address", "why")
    assert keys_at(Policy, ("risk", "max_leverage")) == ()
    assert keys_at(Policy, ("nothing", "here")) == ()


def test_walk_gives_every_set_value() -> None:
    """Set values come with their path, in the order of the model; an empty list that is said is said."""
    policy = Policy.model_validate(
        {"policykit": 1, "name": "x", "risk": {"order_types": [], "max_orders": {"limit": 1, "per": "1m"}}}
    )
    assert [(path, value) for path, value, _ in walk(policy) if path.startswith("risk")] == [
        ("risk.order_types", ()),
        ("risk.max_orders", policy.risk and policy.risk.max_orders),
        ("risk.max_orders.limit", 1),
        ("risk.max_orders.per", Duration(60_000)),
    ]


def test_one_section_is_one_file(top: Path) -> None:
    """Model files are small: a section is found by its name."""
    assert all(len(f.read_text().splitlines()) < 300 for f in (top / "policykit" / "model").glob("*.py"))
