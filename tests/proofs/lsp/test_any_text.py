"""Whatever is typed, every request has an answer: none raises, and none is about characters that are not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from policykit.proofs.lsp.actions import actions, edits
from policykit.proofs.lsp.completion import complete
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.diagnostics import marks
from policykit.proofs.lsp.hover import hover
from policykit.proofs.lsp.places import definition, symbols
from policykit.proofs.lsp.text import Span
from policykit.source.edits import apply
from tests.proofs.lsp.desks import CHILD, TOP, desk

_TYPED = "ab:{}[]-#\"' \n\t,|>&*!%@`0%📈\u202e\ud800\0é"
POLICY = (TOP / "policies" / "binance-market-maker.yaml").read_text(encoding="utf-8")


def ask(made: Desk, file: str, at: int) -> None:
    """Ask everything of one place, and hold every answer to the characters of the text."""
    size = len(made.text(file).text)
    shown = marks(made, file)
    for mark in shown:
        assert 0 <= mark.span.start <= mark.span.end <= size
    seen = hover(made, file, at)
    assert seen is None or 0 <= seen.span.start <= at <= seen.span.end <= size
    for item in complete(made, file, at):
        assert 0 <= item.span.start <= at <= item.span.end <= size
    for place in definition(made, file, at):
        made.text(place.file).span(place)
    for symbol in symbols(made, file):
        assert 0 <= symbol.whole.start <= symbol.key.start <= symbol.whole.end <= size
    for action in actions(made, file, Span(at, at))[:2]:
        done = edits(made, file, action.kind, action.number)
        for edited in done if not isinstance(done, str) else ():
            apply(made.text(edited.file).text, edited.changes)


def typed(random: Random, text: str) -> str:
    """Return a text as it may be in the middle of an edit: cut, with something put in or out."""
    at = random.randrange(len(text) + 1)
    match random.randrange(4):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + text[at + random.randrange(1, 40) :]
        case 2:
            return text[:at] + "".join(random.choices(_TYPED, k=random.randrange(1, 6))) + text[at:]
        case _:
            end = random.randrange(at, len(text) + 1)
            return text[:at] + text[random.randrange(len(text)) :][: end - at] + text[end:]


def test_I20_every_text_has_its_answers(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Random edits of a policy, one after the other: no request raises and each answers."""
    random = Random(20_260)
    made, file = desk(tmp_path)
    text = CHILD
    for count in range(tier(60, 5_000)):
        base = POLICY if count % 3 == 0 else CHILD
        text = typed(random, typed(random, base)) if random.random() < 0.7 else typed(random, text or base)
        made.put(file, text, count)
        ask(made, file, random.randrange(len(text) + 1))


def test_every_truncation_completes(tmp_path: Path) -> None:
    """Cut at any character, as one types, the text has completion and hover at its end."""
    made, file = desk(tmp_path)
    for end in range(0, len(CHILD), 3):
        made.put(file, CHILD[:end], end)
        for item in complete(made, file, end):
            assert item.span.end == end
        hover(made, file, end)


def test_a_broken_answer_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the two above: a hover that is off by its span is caught."""
    from policykit.proofs.lsp import hover as module

    made, file = desk(tmp_path)
    found = module.here(made, file, CHILD.index("symbols"))
    assert found is not None
    monkeypatch.setattr(module, "here", lambda *_: found._replace(span=Span(0, 1)))
    with pytest.raises(AssertionError):
        ask(made, file, CHILD.index("symbols") + 1)
    assert os.path.isdir(tmp_path)
