"""What YAML forbids and the C parser lets pass; `make verify` reads the whole YAML test suite."""

from __future__ import annotations

import pytest

from policykit.source import read

COMMENT = "a comment without a blank before its #); a blank before the #, or quotes around text that holds one"
LEFT = "a line that is not indented with spaces below what it belongs to); more spaces before it"

OPEN = (
    "a quote that is still open on a line that is not indented below it); "
    "the closing quote where the text ends, or more spaces before its further lines"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b, c ]#no", f"1:11 this is not YAML ({COMMENT}"),
        ("a: [b,#no\n  c]", f"1:7 this is not YAML ({COMMENT}"),
        ('a: "b"# no', f"1:7 this is not YAML ({COMMENT}"),
        ("a: 'é'# no # more", f"1:7 this is not YAML ({COMMENT}"),
        ("a: ># no\n  text", f"1:5 this is not YAML ({COMMENT}"),
        ("a: [b,\nc]", f"2:1 this is not YAML ({LEFT}"),
        ("a:\n  - [b,\n    c]\n  - d: [e,\n  f]", f"5:3 this is not YAML ({LEFT}"),
        ("a:\n  - {b: c,\n\td: e}", f"3:2 this is not YAML ({LEFT}"),
        ('a: "b\nc"', f"1:4 this is not YAML ({OPEN}"),
        ("a: 'b\n\n\tc'", f"1:4 this is not YAML ({OPEN}"),
        ("a: >\n\nb: 1", "1:4 this is not YAML (a text block that holds no text); the text, indented"),
        ("a: [-]", "1:5 a.0: this is not YAML (a dash alone); a dash in quotes"),
    ],
)
def test_what_the_parser_lets_pass_is_refused(text: str, said: str) -> None:
    """One finding, at the character that is wrong."""
    (finding,) = read(text, "f").findings
    place = finding.primary
    assert f"{place.line}:{place.column} {finding.message}" == said


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("# a#b\na: [b] # c#d\n#e", {"a": ["b"]}),
        ("a: b#c # d", {"a": "b#c"}),
        ("a: [\n  b,\n  'c#d',\n]", {"a": ["b", "c#d"]}),
        ("[b,\nc]", ["b", "c"]),
        ("a: 'b\n  c'", {"a": "b c"}),
        ("a: >- # why\n  b\n\n  c#d", {"a": "b\nc#d"}),
        ("a: [b-c, -d]", {"a": ["b-c", "-d"]}),
    ],
)
def test_what_looks_like_it_and_is_none_is_taken(text: str, data: object) -> None:
    """A # in a word, in quotes or after a blank, a bracket that closes at the left, a line that is indented."""
    document = read(text, "f")
    assert (document.data, document.findings) == (data, [])
