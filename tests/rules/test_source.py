"""The index of a bot's source: what is read, where things stand, and how names are followed."""

from __future__ import annotations

import pytest

from policykit.rules import find
from policykit.rules.base import Inputs
from policykit.rules.code import MAX_SOURCE_BYTES, MAX_TOKENS, read
from policykit.testing.rules.examples import NOW_MS, written


def found(rule: str, text: str) -> list[str]:
    """Return what a rule finds in one source."""
    entry = find(rule)
    assert entry is not None
    return [written(f) for f in entry.check(Inputs(NOW_MS, source=read(text, "bot.py")))]


def test_raw_order_calls_and_protection_in_place() -> None:
    """A raw order call is one; a client that `protect` was given, or that it just returned, is covered."""
    raw = "x.private_post_order({})\ny.fapiPrivatePostOrder({})\n"
    assert found("PK901", raw) == [
        "open likely bot.py:1:1 `x.private_post_order` sends an order that no policy decides",
        "open likely bot.py:2:1 `y.fapiPrivatePostOrder` sends an order that no policy decides",
    ]
    covered = "guard.protect(self.x)\nself.x.create_market_order(1)\nguard.protect(y).create_limit_order(1)\n"
    assert found("PK901", covered) == []
    assert found("PK901", "shop.create_order(1)\nx.create_order(s, 'limit', 'buy', 1)\n") == [
        "open likely bot.py:2:1 `x.create_order` sends an order that no policy decides"
    ]


def test_columns_count_characters_and_every_assignment_is_read() -> None:
    """A span behind non-ASCII text is exact; annotated, starred and subscript assignments are indexed."""
    source = (
        "t = '東京'; API_SECRET: str = 'aB3dE5gH7jK9mN1pQ3'\na.b['secret'] = 'aB3dE5gH7jK9mN1pQ3'\nf(**{1: 2, **x})\n"
    )
    assert found("PK903", source) == [
        "open likely bot.py:1:29 `API_SECRET` holds a secret in the source",
        "open likely bot.py:2:17 `secret` holds a secret in the source",
    ]
    for value in ("'vault://kv/trading/mm-exec'", "'short'", "'two words of a sentence 1'", "5"):
        assert found("PK903", f"secret = {value}\n") == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x" + ".a" * 20_000, "this does not parse: a null byte, or nested too deep"),
        ("#" * MAX_SOURCE_BYTES + "\n", f"a source of over {MAX_SOURCE_BYTES // 1024} KiB is not read"),
        ("a\n" * (MAX_TOKENS + 1), f"a source of over {MAX_TOKENS} words and signs is not read"),
    ],
)
def test_source_that_is_not_read(source: str, reason: str) -> None:
    """A source that is too long or cannot be parsed is unknown, with the reason and nothing of its text."""
    assert found("PK900", source) == [f"unknown bot.py:1:1 this source was not read: {reason}"]
