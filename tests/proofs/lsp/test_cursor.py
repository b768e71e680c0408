"""Where a cursor stands in text that is being typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policykit.proofs.lsp.cursor import MAX_DEPTH, Spot, outline
from policykit.source import read
from tests.proofs.lsp.desks import CHILD, TOP, cut

POLICIES = sorted((TOP / "policies").rglob("*.yaml")) + sorted((TOP / "tests" / "policies").rglob("*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.name)
def test_keys_are_those_of_the_reader(path: Path) -> None:
    """In a file that can be read, the keys and their characters are exactly the strict reader's."""
    text = path.read_text(encoding="utf-8")
    document = read(text, "p.yaml")
    assert outline(text).keys
    if any(f.rule in ("PK002", "PK003") for f in document.findings):
        return  # the reader stopped where this goes on
    starts = {".".join(map(str, key.path)): key.start for key in outline(text).keys}
    lines = text.splitlines(keepends=True)
    theirs = {p: sum(map(len, lines[: at.line - 1])) + at.column - 1 for p, at in document.key_places.items()}
    assert starts == theirs


CASES = {
    "ris¦": ("key", (), "ris"),
    "risk:\n  max_¦": ("key", ("risk",), "max_"),
    "risk:\n  ¦": ("key", ("risk",), ""),
    "a:\n  b: 1\n¦\nc: 2": ("key", (), ""),
    "risk:\n  max_leverage: ¦": ("value", ("risk", "max_leverage"), ""),
    "risk:\n  max_leverage:¦": ("value", ("risk", "max_leverage"), ""),
    "risk:\n  max_leverage: 3¦  # three": ("value", ("risk", "max_leverage"), "3"),
    "account: {name: main, cur¦": ("key", ("account",), "cur"),
    "account: {name: main, cur¦}": ("key", ("account",), "cur"),
    "account: {name: main, currency: ¦}": ("value", ("account", "currency"), ""),
    "account: {\n  name: main,\n  ¦\n}": ("key", ("account",), ""),
    "keys:\n  a:\n    scopes: [read, tr¦]\n": ("value", ("keys", "a", "scopes", 1), "tr"),
    "waivers:\n  - ¦": ("value", ("waivers", 0), ""),
    "waivers:\n  - rule: A\n    at: x\n  - ru¦": ("value", ("waivers", 1), "ru"),
    "waivers:\n  - rule: PK¦\n    at: x": ("value", ("waivers", 0, "rule"), "PK"),
    "waivers:\n- rule: a\n  ¦": ("key", ("waivers", 0), ""),
    "waivers:\n  - {rule: ¦, at: x}": ("value", ("waivers", 0, "rule"), ""),
    "extends: [b¦\nname: x": ("value", ("extends", 0), "b"),
    "rate_budgets:\n  orders: {limit: 50, ¦\nrisk:\n  x: 1": ("key", ("rate_budgets", "orders"), ""),
    'risk:\n  symbols: ["BTC¦"]': ("value", ("risk", "symbols", 0), "BTC"),
    'risk:\n  caps: {"BTC/USDT": 1¦}': ("value", ("risk", "caps", "BTC/USDT"), "1"),
    "a: {b: [1, {c: ¦": ("value", ("a", "b", 1, "c"), ""),
}


@pytest.mark.parametrize("text", CASES, ids=repr)
def test_spot(text: str) -> None:
    """Each place is a key of its section or a value of its key, with the word as far as it is typed."""
    made = outline(*cut(text)).spot
    assert made is not None
    assert (made.role, made.path, made.prefix) == CASES[text]


@pytest.mark.parametrize("text", ["# com¦ment", "a: 1  # com¦", "a: |\n  te¦xt", "--- ¦"])
def test_no_spot(text: str) -> None:
    """In a comment and in a block of text nothing is typed that the language knows."""
    assert outline(*cut(text)).spot is None


def test_a_key_that_is_there_is_typed_anew() -> None:
    """The whole word is taken, and that a colon follows is known."""
    assert outline(*cut("risk:\n  sym¦bols: [x]")).spot == Spot("key", ("risk",), 8, 15, "sym", colon=True)


def test_present_keys() -> None:
    """The keys of a section are known before and behind the cursor, without the one that is typed."""
    found = outline(*cut("risk:\n  a: 1\n  b¦\n  c: {d: 1}\ne: 2"))
    assert found.present(("risk",)) == {"a", "c"}
    assert found.present(()) == {"risk", "e"}


def test_depth_is_bounded() -> None:
    """100,000 brackets cost no more than their characters."""
    found = outline("a: " + "[{x: " * 100_000, 400_000)
    assert max((len(key.path) for key in found.keys), default=0) <= 2 * MAX_DEPTH


@given(st.data())
def test_every_text_has_an_answer(data: st.DataObject) -> None:
    """Whatever a text is cut to, and wherever the cursor is, there is an answer, and its span is around the cursor."""
    start = data.draw(st.integers(0, len(CHILD)))
    end = data.draw(st.integers(start, len(CHILD)))
    text = CHILD[:start] + data.draw(st.text(alphabet="ab:-[]{}#\"'|>, \n\r\t📈", max_size=12)) + CHILD[end:]
    cursor = data.draw(st.integers(0, len(text)))
    spot = outline(text, cursor).spot
    assert spot is None or spot.start <= cursor <= spot.end <= len(text)
