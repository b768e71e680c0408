"""Characters, lines and an editor's units: the three agree whatever is in a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policykit.place import Place
from policykit.proofs.lsp.text import Encoding, Span, Text, changes_between, width
from policykit.source import read
from policykit.source.edits import apply

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
#: An emoji beyond the first plane, an umlaut, a combining mark, every end of a line.
TEXT = "a: 📈x\r\nb: ü\rc: e\u0301\n\nd"
_CHARS = st.text(alphabet="ab: ü📈\u0301\n\r#[]{}\"'-\ufeff\ud800", max_size=60)


def test_units_of_an_emoji() -> None:
    """An astral character is four bytes, two units of UTF-16, one character."""
    assert [width("📈", encoding) for encoding in ENCODINGS] == [4, 2, 1]


def test_positions_behind_an_emoji() -> None:
    """What stands after an emoji is counted as each encoding does."""
    text = Text(TEXT)
    at = TEXT.index("x")
    assert [text.position(at, encoding) for encoding in ENCODINGS] == [(0, 7), (0, 5), (0, 4)]
    assert text.position(TEXT.index("ü") + 1, "utf-8") == (1, 5)
    assert text.position(len(TEXT), "utf-16") == (4, 1)


def test_inside_of_a_character_is_before_it() -> None:
    """A position between the two units of an emoji is that of the emoji; what is outside is the nearest inside."""
    text = Text(TEXT)
    assert text.offset(0, 4, "utf-16") == 3
    assert text.offset(0, 99, "utf-16") == 5
    assert (text.offset(99, 0, "utf-16"), text.offset(-1, 5, "utf-16"), text.offset(1, -3, "utf-16")) == (
        len(TEXT),
        0,
        7,
    )


@given(_CHARS)
def test_there_and_back(text: str) -> None:
    """Every character that starts no line end is found again, in every encoding."""
    made = Text(text)
    for encoding in ENCODINGS:
        for offset in range(len(text) + 1):
            inside = text[offset - 1 : offset + 1] == "\r\n"
            assert inside or made.offset(*made.position(offset, encoding), encoding) == offset


def test_places_are_of_characters() -> None:
    """A place of the reader names the characters that it means, behind a byte order mark and an emoji too."""
    text = '\ufeffname: x\nowner: "📈 desk"\r\nexchange: ü\n'
    document = read(text, "p.yaml")
    made = Text(text)
    said = {path: text[slice(*made.span(place))] for path, place in document.places.items() if path}
    assert said == {"name": "x", "owner": '"📈 desk"', "exchange": "ü"}
    keys = [text[slice(*made.span(place))] for place in document.key_places.values()]
    assert keys == ["name", "owner", "exchange"]


def test_a_place_outside_is_inside() -> None:
    """A place of a text that has become shorter is at its end."""
    assert Text("a\n").span(Place("p", 9, 9, 12, 4)) == Span(2, 2)
    assert Text("a\nb").span(Place("p", 1, 5, 1, 9)) == Span(2, 2)


@given(_CHARS, _CHARS)
def test_changes_make_the_other_text(old: str, new: str) -> None:
    """Whatever two texts are, the changes between them make one of the other."""
    assert apply(old, changes_between(old, new)) == new


def test_changes_are_small() -> None:
    """One word is changed where one word differs."""
    old = "".join(f"k{i}: {i}% of equity\n" for i in range(50))
    made = changes_between(old, old.replace("k7: 7%", "k7: 2%"))
    assert [(c.text, c.end - c.start) for c in made] == [("2", 1)]
