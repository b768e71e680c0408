"""What a credential looks like, at its edges: how long, in what order, of which words."""

from __future__ import annotations

import pytest

from policykit.rules.credentials import (
    MAX_LENGTH,
    MIN_LENGTH,
    MIN_PASSPHRASE,
    credential,
    keeps,
    known,
    placeholder,
    random_run,
)
from tests.rules.asking import SECRET

#: Twenty-five words, as a seed phrase has them.
WORDS = [f"{start}{end}" for start in ("ab", "be", "ca", "di", "fo") for end in ("le", "st", "ring", "me", "ckers")]


def test_shortest_and_longest_value() -> None:
    """Sixteen characters are the least of a credential, eight of a passphrase; 16,384 the most of anything."""
    assert (MIN_LENGTH, MIN_PASSPHRASE, MAX_LENGTH) == (16, 8, 16_384)
    assert [credential(SECRET[:length]) for length in (15, 16)] == [False, True]
    assert [credential(SECRET[:length], MIN_PASSPHRASE) for length in (7, 8)] == [False, True]
    long = (SECRET * 400)[: MAX_LENGTH + 1]
    assert [credential(text) for text in (long[:-1], long)] == [True, False]
    url = "ab://:pas1word@h"
    assert (len(url), known(url)) == (16, "password in a URL")
    pem = ("-----BEGIN PRIVATE KEY-----" + SECRET * 400)[: MAX_LENGTH + 1]
    assert [known(text) for text in (pem[:-1], pem)] == ["private key", ""]


def test_longest_name() -> None:
    """A name of 256 characters may be a credential's; a longer text is no name."""
    name = "x" * 245 + "_api_secret"
    assert (len(name), keeps(name), keeps("x" + name)) == (256, "secret", "")


@pytest.mark.parametrize(
    ("value", "stand_in"),
    [
        ("0123456789abcdef", True),
        ("9abcdef012345678", True),
        ("0123456789abcdef" * 4, True),
        ("def0123456789abc" * 5, True),
        ("abcdefghijklmnopqrstuvwxyz0123456789", True),
        ("1234567890ABCDEFGHIJ", True),
        ("0123456789abcdfe" * 4, False),
    ],
)
def test_what_is_typed_in_order_stands_in_for_a_secret(value: str, stand_in: bool) -> None:
    """Digits and letters in their order are no secret, begun anywhere and gone through as often as one likes."""
    assert (placeholder(value), credential(value)) == (stand_in, not stand_in)


@pytest.mark.parametrize("count", range(11, 26))
def test_number_of_words_of_a_seed_phrase(count: int) -> None:
    """A seed phrase has 12, 15, 18, 21 or 24 words."""
    assert credential(" ".join(WORDS[:count])) == (count in (12, 15, 18, 21, 24))


@pytest.mark.parametrize(
    ("word", "fits"),
    [
        *(("bee", True), ("be", False), ("absolute", True), ("absolutes", False)),
        *(("Able", False), ("w0rd", False), ("état", False)),
    ],
)
def test_words_of_a_seed_phrase(word: str, fits: bool) -> None:
    """Each word has three to eight small letters of the alphabet."""
    assert credential(" ".join([*WORDS[:11], word])) == fits


@pytest.mark.parametrize(("different", "fits"), [(6, False), (7, True), (12, True)])
def test_words_that_repeat_are_no_seed_phrase(different: int, fits: bool) -> None:
    """More than half of the words of a seed phrase are different ones."""
    assert credential(" ".join((WORDS[:different] * 2)[:12])) == fits


@pytest.mark.parametrize(
    ("run", "secret"),
    [
        ("mm-exec-2026", False),
        ("2026-11-21", False),
        ("aB3dE-9xYz7", True),
        ("aB3dE9xYz7", True),
        ("abcdefghij", False),
        ("1234567890", False),
        ("executionHost12", False),
        ("some.name.of.a.key", False),
        ("12:30:45.678", False),
    ],
)
def test_runs_that_a_report_hides(run: str, secret: bool) -> None:
    """Parts that are all letters or all digits are words and dates; a run that mixes them within a part is hidden."""
    assert random_run(run) == secret
