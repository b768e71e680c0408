"""What is offered in the place of a value that is refused: docs/linter.md has the same table."""

from __future__ import annotations

import pytest

from policykit.errors import PolicyError
from policykit.finding import Finding
from policykit.policy import load_text
from policykit.source import read
from policykit.source.edits import apply, changes
from policykit.source.scalars import Cure, Refusal, meaning

QUOTES, DIGITS, BOTH = "put it in quotes", "write it in digits", "write it in digits, in quotes"


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("1.5", Cure('"1.5"', QUOTES)),
        ("-1.50", Cure('"-1.50"', QUOTES)),
        ("12:30", Cure('"12:30"', QUOTES)),
        ("=", Cure('"="', QUOTES)),
        (".5", Cure('"0.5"', BOTH)),
        ("+1.5", Cure('"1.5"', BOTH)),
        ("1e-3", Cure('"0.001"', BOTH)),
        ("5.", Cure("5", DIGITS)),
        ("1e3", Cure("1000", DIGITS)),
        ("1_000", Cure("1000", DIGITS)),
        ("+5", Cure("5", DIGITS)),
        ("-1_000_000", Cure("-1000000", DIGITS)),
        ("True", Cure("true", "write `true`")),
        ("FALSE", Cure("false", "write `false`")),
        ("yes", Cure("true", "write `true`", safe=False)),
        ("off", Cure("false", "write `false`", safe=False)),
        *((text, None) for text in ("0777", "0x1F", "0o7", "1_00", "1_0.5", "1e400", "1e-400", ".inf", "9" * 19, "~")),
    ],
)
def test_what_to_write_instead(text: str, cure: Cure | None) -> None:
    """A cure is offered where one reading is certain, is unsafe where it is likely, and is left out where two are."""
    meant = meaning(text)
    assert isinstance(meant, Refusal)
    assert meant.cure == cure
    if cure is not None:
        assert not isinstance(meaning(cure.text), Refusal)


def _findings_of(text: str) -> tuple[Finding, ...]:
    try:
        load_text(text)
    except PolicyError as error:
        return error.findings
    return ()


HEAD = "policykit: 1\nname: a\nexchange: binance\naccount: {name: main, currency: USDT}\n"


@pytest.mark.parametrize(
    ("bad", "good", "safe"),
    [
        ('risk: {max_open_orders: "20"}', "risk: {max_open_orders: 20}", True),
        ('kill_switch: {rearm: {reason_required: "true"}}', "kill_switch: {rearm: {reason_required: true}}", True),
        ("keys: {k: {purpose: tracking, scopes: read}}", "keys: {k: {purpose: tracking, scopes: [read]}}", True),
        ("environment: Live", "environment: live", False),
        ("risk: {max_levrage: 3}", "risk: {max_leverage: 3}", False),
        ("keys: {y: {purpose: tracking}}", 'keys: {"y": {purpose: tracking}}', True),
        ("risk: {max_order_notional: 1.5%}", "risk: {max_order_notional: 1.5% of equity}", False),
        ("clock:", "", False),
        ("vendors: ~", "", False),
    ],
)
def test_what_is_meant_is_offered(bad: str, good: str, safe: bool) -> None:
    """A wrong type, a word or key that is nearly one, and a key without a value have a fix that makes the file load."""
    text = f"{HEAD}{bad}\n"
    (found,) = _findings_of(text)
    assert found.fix is not None
    assert found.fix.safe is safe
    new = apply(text, changes(text, "policy.yaml", found.fix.edits))
    assert new == HEAD + (f"{good}\n" if good else "")
    assert _findings_of(new) == ()


def test_a_secret_in_the_place_of_its_reference_is_to_be_revoked() -> None:
    """What to do is said, and nothing of the value is."""
    (found,) = _findings_of(HEAD + "keys: {k: {purpose: tracking, secret: q7Zt2LxW9vRk4Hd8mB3nYc6TfPs1JgUa}}\n")
    assert found.message.startswith("keys.k.secret is a text that is not shown here; a reference (")
    assert found.next_step == "if the secret itself was written here, revoke the key at the exchange"
    assert "q7Zt2LxW" not in repr(found)


@pytest.mark.parametrize("bad", ["risk: {max_open_orders: 07}", "environment: nowhere", "owner: {a: b}", "clock: 5"])
def test_what_may_mean_either_has_no_fix(bad: str) -> None:
    """Where two things can be meant, or nothing is near, a person decides."""
    assert [f.fix for f in _findings_of(f"{HEAD}{bad}\n")] == [None]


def test_a_key_given_twice_has_no_fix() -> None:
    """Which of the two is meant cannot be told."""
    found: list[Finding] = read("a: 1\na: 2\n", "p.yaml").findings
    assert [(f.rule, f.fix) for f in found] == [("PK005", None)]


@pytest.mark.parametrize("bad", ["risk: {max_orders: {limit: 3, per: 0s}}", "risk: {max_orders: {limit: 3, per: 00m}}"])
def test_a_window_of_no_length_is_none(bad: str) -> None:
    """Nothing can be counted in it: every rule and check that divides by the span would fail."""
    (found,) = _findings_of(f"{HEAD}{bad}\n")
    said = '; a span longer than nothing ("10s", "1m", "1d") is needed'
    assert (found.rule, found.message.partition("; ")[1] + found.message.partition("; ")[2]) == ("PK011", said)
