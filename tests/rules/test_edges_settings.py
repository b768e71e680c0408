"""What the tests of readers and the examples leave out of settings files: bounds to the unit, and rarer shapes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from policykit.rules import find
from policykit.rules.base import Inputs
from policykit.rules.config import read, read_version
from policykit.rules.config.leaks import leaks
from policykit.testing.rules.examples import NOW_MS
from tests.rules.asking import SECRET, lines_for


def spans(text: str, file: str) -> list[str]:
    """Return each setting with its whole span."""
    settings = read_version(text.encode(), file).settings
    return [f"{p.line}:{p.column}-{p.end_line}:{p.end_column} {p.path}={s.value}" for s in settings for p in [s.place]]


def leaking(text: str, file: str) -> list[str]:
    """Return the names of the credentials of a file."""
    return [leak.setting.name for leak in leaks(read(text.encode(), file))]


@pytest.mark.parametrize(
    ("file", "within", "over"),
    [
        (".env", "#" * 262_144, "#" * 262_145),
        (".env", "A=b\n" * 10_000, "A=b\n" * 10_001),
        ("a.json", "[" + "1," * 10_000 + "]", "[" + "1," * 10_001 + "]"),
        ("a.json", "[" + ":" * 99_998 + "]", "[" + ":" * 99_999 + "]"),
        ("a.json", "[" * 64 + "]" * 64, "[" * 65 + "]" * 65),
        ("compose.yaml", "[" + "1," * 10_000 + "]", "[" + "1," * 10_001 + "]"),
        ("compose.yaml", "[" * 64 + "]" * 64, "[" * 65 + "]" * 65),
    ],
)
def test_limits_hold_to_the_unit(file: str, within: str, over: str) -> None:
    """A file of 256 KiB, 10,000 values, 100,000 words and 64 boxes deep is read; with one more of any it is not."""
    assert not read(within.encode(), file).unreadable
    assert read(over.encode(), file).unreadable


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (".env", "\nA=1\nB=", ["2:3-2:4 A=1", "3:3-3:3 B="]),
        (".env", 'A="-----BEGIN X\nb=c\n-----"', ["1:3-3:7 A=-----BEGIN X\nb=c\n-----"]),
        (
            "a.service",
            "SetCredential=a:b\nEnvironment=C=d 'E=f'\n",
            ["1:17-1:18 a=b", "2:15-2:16 C=d", "2:20-2:21 E=f"],
        ),
        ("a.json", '{"exchange": {"dry_run": "\t\\u00e9"}}', ["1:26-1:35 exchange.dry_run=\té"]),
        ("compose.yaml", "a: |\n  b\n  c\nd: e\n", ["1:4-4:1 a=b\nc\n", "4:4-4:5 d=e"]),
        ("a.py", f'secret {" " * 150}=   "aaaaaaaa"', ["1:162-1:172 secret=aaaaaaaa"]),
    ],
)
def test_spans_of_rarer_shapes(file: str, text: str, expected: list[str]) -> None:
    """A first line that is empty, values over several lines, and blanks before a value move no span."""
    assert spans(text, file) == expected


def test_a_fault_is_said_with_its_line() -> None:
    """The line of what is not JSON counts from the first, also when that is empty."""
    assert read(b'\n{"a', "a.json").unreadable == "this is not JSON (line 2)"


@pytest.mark.parametrize(
    ("sections", "kind"),
    [("risk: {}\nretry: {}\nwaivers: []\n", "policy"), ("risk: {}\nrisk: {}\nretry: {}\n", "")],
)
def test_a_past_policy_without_its_first_key(sections: str, kind: str) -> None:
    """Three sections that only a policy has make one; two, one of them twice, do not."""
    assert read_version(sections.encode(), "a.yaml").kind == kind


def test_a_file_that_is_only_an_ending() -> None:
    """A file named `.json` is read as JSON; one without an ending, as lines."""
    assert [read(b"{}", name).kind for name in (".json", "json", "a.JSON")] == ["json", "dotenv", "json"]


def test_what_a_server_that_is_off_hides() -> None:
    """Only the secrets of freqtrade's own server are passed over when it is off, and not those that follow."""
    server = f'"api_server": {{"enabled": false, "jwt_secret_key": "{SECRET}"}}'
    text = f'{{{server}, "telegram": {{"enabled": false, "token": "x", "secret": "{SECRET}"}}}}'
    assert leaking(text, "a.json") == ["secret"]
    assert leaking(f"enabled: false\nsecret: {SECRET}\n--- {SECRET}\n", "compose.yaml") == ["secret"]


def test_a_key_is_one_beside_a_secret_of_the_same_section() -> None:
    """`key` names an API key where `secret` stands in the same section, and not beside `exchange.secret`."""
    beside = f'{{"a": {{"secret": "", "key": "{SECRET}"}}, "key": "{SECRET}", "ex": {{"key": "{SECRET}"}}}}'
    assert leaking(beside, "a.json") == ["key"]


@pytest.mark.parametrize(("length", "shown"), [(15, "{}.x"), (16, "....x")])
def test_names_that_are_shown(length: int, shown: str) -> None:
    """A name of random letters and digits is shown up to 15 characters; from 16 on it could be a secret."""
    name = SECRET[:length]
    assert read(json.dumps({name: {"x": 1}}).encode(), "a.json").settings[0].place.path == shown.format(name)


def test_what_reports_must_star() -> None:
    """A finding whose span is a secret says so."""
    entry = find("PK951")
    assert entry is not None
    config = replace(read(f"OKX_API_SECRET={SECRET}\n".encode(), ".env"), git="tracked")
    assert [f.extra for f in entry.check(Inputs(NOW_MS, config=config))] == [{"secret": True}]


def test_a_file_by_itself_is_not_open_to_others() -> None:
    """Whether others may read a file is a fact that lint gathers; without it nothing is found."""
    config = read(f"OKX_API_SECRET={SECRET}\n".encode(), ".env")
    assert lines_for("PK953", Inputs(NOW_MS, config=config)) == []
