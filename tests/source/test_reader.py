"""The strict reader: what it types, what it refuses and where, and what it never says."""

from __future__ import annotations

import pytest

from policykit.finding import Fix
from policykit.source import decode, read
from policykit.source.reader import MAX_BYTES, MAX_DEPTH, MAX_FINDINGS, MAX_NODES, MAX_SCALAR, shown
from policykit.source.scalars import Refusal, meaning

FILE = "p.yaml"


def told(text: str) -> list[str]:
    """Return each finding as `CODE line:column-line:column message`."""
    return [
        f"{f.rule} {f.primary.line}:{f.primary.column}-{f.primary.end_line}:{f.primary.end_column} {f.message}"
        for f in read(text, FILE).findings
    ]


TYPED = [
    ("true", True),
    ("false", False),
    ("0", 0),
    ("-7", -7),
    ("123456789012345678", 123456789012345678),
    ("2026-11-21", "2026-11-21"),
    ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
    ("90d", "90d"),
    ("1.5% of equity", "1.5% of equity"),
    ("203.0.113.7", "203.0.113.7"),
    ('"1.5"', "1.5"),
    ("'yes'", "yes"),
    ("'12:30'", "12:30"),
    ("none", "none"),
    ("vault://kv/x", "vault://kv/x"),
    ("1,000", "1,000"),
    ("2001:db8::7", "2001:db8::7"),
]


@pytest.mark.parametrize(("written", "value"), TYPED)
def test_a_scalar_is_typed_or_text(written: str, value: object) -> None:
    """Plain true, false and integers are typed; all else, dates included, is text."""
    assert read(f"a: {written}", FILE).data == {"a": value}
    assert told(f"a: {written}") == []


FRACTION = "a fraction without quotes is a binary float to most readers, not exact"
DISAGREE = "YAML readers disagree on this number"
REFUSED = [
    ("yes", "PK004", "`yes` is a word to some YAML readers and `true` to others"),
    ("Off", "PK004", "`Off` is a word to some YAML readers and `false` to others"),
    ("TRUE", "PK004", "`TRUE` is a word to some YAML readers and `true` to others"),
    ("n", "PK004", "`n` is a word to some YAML readers and `false` to others"),
    ("0777", "PK004", DISAGREE),
    ("0x1F", "PK004", DISAGREE),
    ("0o17", "PK004", DISAGREE),
    ("0b11", "PK004", DISAGREE),
    ("1_000", "PK004", DISAGREE),
    ("+5", "PK004", DISAGREE),
    ("12:30", "PK004", "some YAML readers take this for a number to the base 60"),
    ("190:20:30.15", "PK004", "some YAML readers take this for a number to the base 60"),
    ("1.5", "PK004", FRACTION),
    ("1e3", "PK004", FRACTION),
    ("-.5", "PK004", FRACTION),
    ("1.", "PK004", FRACTION),
    (".inf", "PK004", "infinity and NaN are no limits"),
    ("-.INF", "PK004", "infinity and NaN are no limits"),
    (".NaN", "PK004", "infinity and NaN are no limits"),
    ("1234567890123456789", "PK004", "a whole number of over 18 digits"),
    ("=", "PK004", "`=` has a meaning of its own to some YAML readers"),
    ("~", "PK007", "there is no value"),
    ("null", "PK007", "there is no value"),
    ("NULL", "PK007", "there is no value"),
]


@pytest.mark.parametrize(("written", "code", "what"), REFUSED)
def test_what_readers_disagree_on_is_refused(written: str, code: str, what: str) -> None:
    """Look-alikes of YAML 1.1, floats and nulls are refused at the place of the value, whoever wrote them."""
    (finding,) = read(f"risk:\n  max_leverage: {written}\n", FILE).findings
    assert finding.rule == code
    assert finding.message.startswith(f"risk.max_leverage: {what}; ")
    assert (finding.primary.line, finding.primary.column, finding.primary.path) == (2, 17, "risk.max_leverage")
    assert finding.primary.end_column == 17 + len(written)


TOKEN = "PK002 1:4-1:5 this is not YAML (found character that cannot start any token);"
COLON = "PK002 1:6-1:7 this is not YAML (found unexpected ':');"
LIST = "this is not YAML (did not find expected ',' or ']'); the closing `]` of this list, or a comma"
STRUCTURE = [
    ("a: *x", ["PK003 1:4-1:6 an alias; the value itself"]),
    ("a: &x 1", ["PK003 1:4-1:5 an anchor; the value itself, wherever it is meant"]),
    ("a: !!str x", ["PK003 1:4-1:5 a YAML tag; the value without it"]),
    ("a: !x [b]", ["PK003 1:4-1:5 a YAML tag; the value without it"]),
    ("%YAML 1.1\n---\na: 1", ["PK003 1:1-2:4 a YAML directive; a policy without `%` lines"]),
    ("a: 1\n---\nb: 2", ["PK003 2:1-2:4 a second document in one file; one policy a file"]),
    ("<<: {a: 1}", ["PK003 1:1-1:3 a merge key; the fields themselves"]),
    ("a: 1\nb: 2\na: 3", ["PK005 3:1-3:2 the key `a` is given twice; each key once"]),
    ("on: 1", ["PK004 1:1-1:3 a key that YAML readers do not all take for text; write it in quotes"]),
    ("1: a", ["PK004 1:1-1:2 a key that YAML readers do not all take for text; write it in quotes"]),
    ("? [a]\n: b", ["PK003 1:3-1:4 a key that is a list or a section; plain text"]),
    ("a:\nb: 1", ["PK007 1:1-1:2 a: there is no value; a value, or no key at all"]),
    ("a: \u202eb", ["PK006 1:4-1:5 the invisible character U+202E; a file without it"]),
    ('a: "\\u200b"', ["PK006 1:4-1:12 a: the invisible character U+200B; text that can be seen"]),
    ('"a\\u200b": 1', ["PK006 1:1-1:10 ...: the invisible character U+200B; text that can be seen"]),
    ("a: \x07", ["PK006 1:4-1:5 the invisible character U+0007; a file without it"]),
    ("a\r\nb: \x00", ["PK006 2:4-2:5 the invisible character U+0000; a file without it"]),
    ("", ['PK001 1:1-1:1 the file is empty; a policy ("policykit: 1", "name: ...")']),
    ("# only a comment\n", ['PK001 1:1-1:1 the file is empty; a policy ("policykit: 1", "name: ...")']),
    (
        "a: [1, 2",
        [f"PK002 1:4-1:5 {LIST}"],
    ),
    (
        "a: [b: c d: e]",
        [f"PK002 1:11-1:12 {LIST}"],
    ),
    ("a: 'x", ["PK002 1:4-1:5 this is not YAML (found unexpected end of stream); the closing quote or bracket"]),
    (
        "a: @b",
        [f"{TOKEN} quotes around text that starts with @, ` or %"],
    ),
    (
        "a:\n\tb: 1",
        ["PK002 2:1-2:2 this is not YAML (a tab where the indentation belongs); spaces in the place of the tab"],
    ),
    (
        "a: 1\nb\nc: 2",
        ["PK002 2:1-2:2 this is not YAML (could not find expected ':'); `key: value`, with a blank after the colon"],
    ),
    (
        "{a: b:://c}",
        [f'{COLON} a blank after the colon, or quotes around text that holds ":" (inside of [ ] and {{ }})'],
    ),
]


@pytest.mark.parametrize(("text", "findings"), STRUCTURE)
def test_structure_is_refused_at_its_place(text: str, findings: list[str]) -> None:
    """What a policy has no use for is refused with the exact span and what to do."""
    assert told(text) == findings


def test_places_of_keys_and_values() -> None:
    """Keys and values have exact spans; a block's ends where its last value ends, a flow value's at its bracket."""
    doc = read("a: {b: [x, yy]}\nlong:\n  c: 'q'\n  d:\n    - 1\n    - e: z\nlast: 7\n", FILE)
    spans = {path: tuple(place[1:5]) for path, place in doc.places.items()}
    assert spans == {
        "": (1, 1, 7, 8),
        "a": (1, 4, 1, 16),
        "a.b": (1, 8, 1, 15),
        "a.b.0": (1, 9, 1, 10),
        "a.b.1": (1, 12, 1, 14),
        "long": (3, 3, 6, 11),
        "long.c": (3, 6, 3, 9),
        "long.d": (5, 5, 6, 11),
        "long.d.0": (5, 7, 5, 8),
        "long.d.1": (6, 7, 6, 11),
        "long.d.1.e": (6, 10, 6, 11),
        "last": (7, 7, 7, 8),
    }
    assert {path: tuple(place[1:5]) for path, place in doc.key_places.items()} == {
        "a": (1, 1, 1, 2),
        "a.b": (1, 5, 1, 6),
        "long": (2, 1, 2, 5),
        "long.c": (3, 3, 3, 4),
        "long.d": (4, 3, 4, 4),
        "long.d.1.e": (6, 7, 6, 8),
        "last": (7, 1, 7, 5),
    }


def test_bom_and_crlf_are_read() -> None:
    """A byte order mark and Windows line ends change neither data nor places."""
    doc = decode("\ufeffa: 1\r\nb: yes\r\n".encode(), FILE)
    assert doc.data == {"a": 1, "b": None}
    assert [(f.rule, f.primary.line, f.primary.column) for f in doc.findings] == [("PK004", 2, 4)]


def test_bytes_that_are_no_text_are_said() -> None:
    """UTF-16 and bytes that are not UTF-8 are named, with the place of the first one."""
    assert [f.message for f in decode("a: 1".encode("utf-16"), FILE).findings] == ["the file is UTF-16; UTF-8"]
    (finding,) = decode(b"a: 1\nb: x\xff", FILE).findings
    assert (finding.rule, finding.message) == ("PK001", "a byte that is not UTF-8; text in UTF-8")
    assert (finding.primary.line, finding.primary.column) == (2, 5)


def test_every_limit_holds() -> None:
    """One over each limit is refused, one under is read."""
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert told(f"{deep}") == []
    assert told(f"[{deep}]")[0].startswith(f"PK003 1:{MAX_DEPTH + 1}-")
    assert told("a: " + "x" * MAX_SCALAR) == []
    assert told("a: " + "x" * (MAX_SCALAR + 1))[0].split(" ", 2)[2] == (
        f"a: a value of over {MAX_SCALAR} characters; a shorter one"
    )
    assert told("x" * (MAX_SCALAR + 1) + ": 1")  # libyaml's own limit is lower, 1,024
    assert told("[" + ", ".join("1" * (MAX_NODES - 1)) + "]") == []
    assert told("[" + ", ".join("1" * MAX_NODES) + "]")[0].endswith(f"over {MAX_NODES} values; a smaller policy")
    assert told("# " + "x" * (MAX_BYTES - 7) + "\na: 1") == []
    assert told("#  " + "x" * (MAX_BYTES - 7) + "\na: 1") == [
        f"PK001 1:1-1:1 the file is over {MAX_BYTES} bytes; a policy of at most that"
    ]
    assert len(told("[" + "yes, " * 100 + "]")) == MAX_FINDINGS


def test_several_findings_come_at_once() -> None:
    """One reading tells everything that it can, in the order of the file."""
    assert [line[:10] for line in told("a: yes\nb: 1.5\nc:\nd: 1\nd: 2\n")] == [
        "PK004 1:4-",
        "PK004 2:4-",
        "PK007 3:1-",
        "PK005 5:1-",
    ]


def test_the_fix_of_a_fraction_quotes_it() -> None:
    """A fraction has a safe fix: the same text in quotes, at the value's place."""
    (finding,) = read("a: 1.5", FILE).findings
    assert finding.fix == Fix.replace(finding.primary, '"1.5"', "put it in quotes", safe=True)


SECRET = "q7Zt2LxW9vRk4Hd8mB3nYc6TfPs1JgUa"


@pytest.mark.parametrize(
    "text",
    [
        f"{SECRET}: yes",
        f"{SECRET}: 1\n{SECRET}: 2",
        f"a: '{SECRET}",
        f"a: !{SECRET} x",
        f"a: &{SECRET} x",
        f"a: *{SECRET}",
        f"a: {SECRET}: b",
        f"%{SECRET}\n---\na: 1",
        f"a: [{SECRET}",
        f"{{{SECRET}}}",
        f'a: "{SECRET}\\u200b"',
        f"a: @{SECRET}",
        f"a: {SECRET}\n b: {SECRET}",
    ],
)
def test_I23_no_finding_of_the_reader_holds_what_may_be_a_secret(text: str) -> None:
    """Wherever a secret was pasted, no message, label, fix or path of a finding holds eight characters of it."""
    findings = read(text, FILE).findings
    assert findings
    said = repr([(f.message, f.label, f.next_step, f.fix, f.primary.path) for f in findings])
    assert [SECRET[i : i + 8] for i in range(len(SECRET) - 7) if SECRET[i : i + 8] in said] == []


def test_shown_shows_words_only() -> None:
    """A key is quoted if it is a word of the language's kind or a market; anything else could be a secret."""
    assert [shown(k) for k in ("max_leverage", "mm-exec", "BTC/USDT", SECRET, "aB3", "x" * 30)] == [
        "max_leverage",
        "mm-exec",
        "BTC/USDT",
        "...",
        "...",
        "...",
    ]


def test_meaning_agrees_with_yaml_1_1_on_what_is_ambiguous() -> None:
    """Every plain scalar that a YAML 1.1 resolver types is typed by us the same, or refused."""
    from ruamel.yaml.resolver import VersionedResolver

    resolver = VersionedResolver(version=(1, 1))
    words = [w for w, *_ in REFUSED] + [w for w, v in TYPED if not w.startswith(("'", '"'))]
    words += ["0", "00", "0.0", "1e5", "1E+5", "0b1", "685_230", "-0x_0A", ".5", "+.inf", "y", "N", "08", "0o7", "1:1"]
    for word in words:
        tag = str(resolver.resolve(_scalar_node(), word, (True, False)))
        meant = meaning(word)
        if tag.endswith("int") and not isinstance(meant, Refusal):
            assert isinstance(meant, int), word
        if tag.endswith("float"):
            assert isinstance(meant, Refusal), word
        if tag.endswith("bool"):
            assert isinstance(meant, bool | Refusal), word


def _scalar_node() -> type:
    from ruamel.yaml.nodes import ScalarNode

    return ScalarNode
