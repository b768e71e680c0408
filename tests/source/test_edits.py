"""Edits of a policy's text: each changes what it means to, and no character besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.finding import Edit
from policykit.place import Place
from policykit.source import read
from policykit.source.edits import CannotEdit, Change, Emptied, apply, changes

#: Every layout that the language allows: blocks in blocks, items in lists, brackets over lines, comments everywhere.
ZOO = """\
# top
a: |
  x
  y

b: >-
  z
# c
l:
  - 1   # one
  # above
  -
    k: v   # hi
    m: {a: 1,
       b: 2}
  - - q
    - r
  - w: 1
    # mid
    v: 2
  - w: 1
    v: 2
  - only: 1
e:
  - x   # t
f: "é" # t
g: [a, b, # why
  c,
]
h:
  # note
  z:
    zz: 1
flow: {
  a: [1],  # one
  # two
  b: {},
  c: {"d/e": 1, }, # t
  d: []
}
"q r": [  x  ]
"""
TEXTS = {
    "plain": ZOO,
    "crlf": ZOO.replace("\n", "\r\n"),
    "open": ZOO.rstrip("\n"),
    "bom": f"\ufeff{ZOO}",
    "cr": ZOO.replace("\n", "\r"),
}
PATHS = [path for path in read(ZOO, "p.yaml").places if path]


def _edit(path: str, kind: str, text: str = "", source: str = ZOO) -> Edit:
    place = read(source, "p.yaml").places.get(path, Place("p.yaml", path=path))
    return Edit(place, text, kind)  # type: ignore[arg-type]


def _edited(text: str, *edits: Edit, emptied: Emptied = "keep") -> str:
    return apply(text, changes(text, "p.yaml", edits, emptied=emptied))


def _without(path: str) -> str:
    """Return the plain text without a value, as lines that went and came."""
    return _delta(_edited(ZOO, _edit(path, "remove")))


def _delta(new: str) -> str:
    old_lines, new_lines = ZOO.splitlines(), new.splitlines()
    gone = [f"-{line}" for line in old_lines if line not in new_lines or old_lines.count(line) > new_lines.count(line)]
    come = [f"+{line}" for line in new_lines if line not in old_lines]
    return "\n".join(dict.fromkeys((*gone, *come)))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("emptied", ["keep", "drop"])
def test_each_value_can_be_removed(name: str, emptied: Emptied) -> None:
    """Every value of every layout goes alone; line ends, byte order mark, final newline and comments elsewhere stay."""
    text = TEXTS[name]
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
    refused = []
    for path in PATHS:
        try:
            new = _edited(text, _edit(path, "remove", source=text), emptied=emptied)
        except CannotEdit as error:
            refused.append((path, str(error)))
            continue
        assert new.startswith("\ufeff") == text.startswith("\ufeff")
        assert new.endswith(newline) == text.endswith(newline)
        assert new.replace(newline, "").count("\r") == new.replace(newline, "").count("\n") == 0
        for comment in ("# top", "# c" + newline):
            assert comment in new
    assert refused == [("l.3.w", "a comment stands in the way")]


@pytest.mark.parametrize(
    ("path", "delta"),
    [
        ("l.0", "-  - 1   # one"),
        ("l.1.k", "-    k: v   # hi"),
        ("l.1.m.a", "-    m: {a: 1,\n+    m: {"),
        ("l.2.0", "-  - - q\n-    - r\n+  - - r"),
        ("l.4.w", "-  - w: 1\n-    v: 2\n+  - v: 2"),
        ("l.5.only", "-  - only: 1\n+  - {}"),
        ("e.0", "-e:\n-  - x   # t\n+e: []"),
        ("g.1", "-g: [a, b, # why\n+g: [a, # why"),
        ("g.2", "-  c,"),
        ("h.z.zz", "-  z:\n-    zz: 1\n+  z: {}"),
        ("flow.a.0", "-  a: [1],  # one\n+  a: [],  # one"),
        ("flow.b", "-  b: {},"),
        ("flow.c.d/e", '-  c: {"d/e": 1, }, # t\n+  c: {}, # t'),
        ("flow.d", "-  d: []"),
        ("q r.0", '-"q r": [  x  ]\n+"q r": []'),
    ],
)
def test_what_is_removed_and_what_stays(path: str, delta: str) -> None:
    """A removed value takes its key, dash or comma and its line along, and an emptied section is written as empty."""
    assert _without(path) == delta


@pytest.mark.parametrize(
    ("path", "value", "delta"),
    [
        ("new", "{a: 1}", "+new: {a: 1}"),
        ("new.a.b", "5s", "+new:\n+  a:\n+    b: 5s"),
        ("h.y2", "1", "+  y2: 1"),
        ("h.z.on.x", "[1, 2]", '+    "on":\n+      x: [1, 2]'),
        ("h.two", "p: 1\nq: 2", "+  two:\n+    p: 1\n+    q: 2"),
        ("flow.no", "x", '-  d: []\n+  d: [], "no": x'),
        ("flow.b.n.m", '"x, y"', '-  b: {},\n+  b: {"n": {m: "x, y"}},'),
        ("flow.d.0", "k", "-  d: []\n+  d: [k]"),
        ("l.6", "{p: 1}", "+  - {p: 1}"),
        ("q r.1", "z", '-"q r": [  x  ]\n+"q r": [  x, z  ]'),
    ],
)
def test_what_is_added(path: str, value: str, delta: str) -> None:
    """A key joins its section in that section's own layout; sections that are not there are made."""
    assert _delta(_edited(ZOO, _edit(path, "add", value))) == delta


def test_an_added_section_keeps_the_end_of_the_file() -> None:
    """A file that ends without a newline still does, with its own line ends before it."""
    assert _edited("a: 1", _edit("b", "add", "2", "a: 1")) == "a: 1\nb: 2"
    assert _edited("a: 1\r\nc: 1", _edit("b", "add", "2", "a: 1\r\nc: 1")) == "a: 1\r\nc: 1\r\nb: 2"
    assert _edited("{a: 1}\n", _edit("b", "add", "2", "{a: 1}\n")) == "{a: 1, b: 2}\n"


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (_edit("h.z", "add", "1"), "h.z is here already"),
        (_edit("f.x", "add", "1"), "f is no section"),
        (_edit("l.9", "add", "1"), "there is no l.9 here"),
        (_edit("n", "add", "[1"), "the value cannot be read"),
        (_edit("flow.n", "add", "a, b"), "the layout there does not allow it"),
        (Edit(Place("p.yaml", path="nowhere"), kind="remove"), "there is no nowhere here"),
        (
            Edit(read(ZOO, "p.yaml").places["f"]._replace(path="e"), kind="remove"),
            "what is in force at e is not said here",
        ),
        (Edit(Place("p.yaml", 1, 1, 1, 3, "f"), "x"), "what is in force at f is not said here"),
        (Edit(Place("p.yaml", 900, 1, 900, 3, "f"), kind="remove"), "the file has changed"),
    ],
)
def test_what_cannot_be_edited_is_refused(edit: Edit, why: str) -> None:
    """An edit without a place in the text, or of something that the finding did not see, is refused with the reason."""
    with pytest.raises(CannotEdit) as error:
        _edited(ZOO, edit)
    assert str(error.value) == why


def test_replace_takes_the_value_or_the_key_of_its_path() -> None:
    """A replaced span is the key or the value at the path, in characters, not bytes; nothing else changes."""
    document = read(ZOO, "p.yaml")
    assert _edited(ZOO, Edit(document.places["f"], '"e"')) == ZOO.replace('"é"', '"e"')
    assert _edited(ZOO, Edit(document.key_places["f"], "ff")) == ZOO.replace("\nf:", "\nff:")
    assert _edited(ZOO, Edit(document.places["a"], "w")) == ZOO.replace("|\n  x\n  y", "w")


def test_several_edits_are_made_together_unless_they_touch() -> None:
    """Edits of one text are all counted from the text as it was; two of the same characters are refused."""
    document = read(ZOO, "p.yaml")
    both = _edited(ZOO, _edit("l.0", "remove"), Edit(document.places["f"], "g"), _edit("new", "add", "1"))
    assert _delta(both) == '-  - 1   # one\n-f: "é" # t\n+f: g # t\n+new: 1'
    with pytest.raises(CannotEdit, match="two edits touch the same text"):
        _edited(ZOO, Edit(document.places["f"], "g"), Edit(document.places["f"], "h"))
    assert apply("abc", (Change(3, 3, "!"), Change(0, 1, "x"))) == "xbc!"


def test_a_file_that_is_no_policy_is_edited_by_span() -> None:
    """Source and settings: a span is replaced, whole lines are removed, nothing can be added."""
    source = "a = 1\nb = verify(\n    False)\nc = 2\n"
    replaced = changes(source, "b.py", [Edit(Place("b.py", 3, 5, 3, 10), "True")], policy=False)
    assert apply(source, replaced) == source.replace("False", "True")
    removed = changes(source, "b.py", [Edit(Place("b.py", 2, 1, 3, 11), kind="remove")], policy=False)
    assert apply(source, removed) == "a = 1\nc = 2\n"
    with pytest.raises(CannotEdit, match="only a policy has sections to add to"):
        changes(source, "b.py", [Edit(Place("b.py", path="x"), "1", "add")], policy=False)


def test_a_file_that_cannot_be_read_is_not_restructured() -> None:
    """Where the reader stopped, what is a section and what is not cannot be told; one refused value does no harm."""
    with pytest.raises(CannotEdit, match="the file cannot be read as it is"):
        _edited("a: 1\na: 2\nb: [x]\n", _edit("b.0", "remove", source="a: 1\na: 2\nb: [x]\n"))
    text = "a: yes\nb:\nc: 1\n"
    assert _edited(text, Edit(read(text, "p.yaml").findings[1].primary, kind="remove")) == "a: yes\nc: 1\n"


def test_the_quickstart_is_edited_without_a_trace(top: Path) -> None:
    """Whatever is added to a real policy and removed again leaves the same bytes."""
    text = (top / "examples" / "quickstart" / "policy.yaml").read_text()
    more = _edited(text, _edit("vendors.v.why", "add", "x", text))
    assert read(more, "p.yaml").data["vendors"]["v"] == {"why": "x"}
    assert _edited(more, _edit("vendors", "remove", source=more)) == text
