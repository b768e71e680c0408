"""Facts of which nothing was said: unknown, never zero, and nothing that was counted."""

from __future__ import annotations

from dataclasses import fields

from policykit.engine.facts import Facts, Halt, Streak

#: What is not unknown without being told: that nothing was halted or banned, and that nothing waits to be settled.
KNOWN = {
    "generation": 0,
    "groups": (),
    "halts": (),
    "unpriced": (),
    "recovered": True,
    "waits": (),
    "streams": (),
    "drift": (),
    "foreign_orders": 0,
    "seq": -1,
}


def test_nothing_is_known_of_a_new_account() -> None:
    """Every fact is None or an empty map; the generation is that of a store where nobody halted anything."""
    new = Facts()
    for field in fields(Facts):
        value = getattr(new, field.name)
        assert value == KNOWN[field.name] if field.name in KNOWN else value in (None, {}), field.name


def test_no_losing_trade_was_counted_at_first() -> None:
    """None in a row, and none that ended."""
    assert Streak() == (0, 0)


def test_a_halt_latches_and_lets_exits_pass_unless_said() -> None:
    """A freeze is asked for by name; a halt that ends by itself as well."""
    assert Halt("all", "HALTED", "desk-head", "a drill", 1)[5:] == (False, True)
