"""Hover, definition and outline of an open policy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from policykit.proofs.lsp.hover import hover
from policykit.proofs.lsp.live import age
from policykit.proofs.lsp.places import Symbol, definition, symbols
from tests.proofs.lsp.desks import CHILD, NOW_MS, PARENT, cut, desk

SNAPSHOT: dict[str, Any] = {
    "version": 1,
    "taken_at": "2026-11-21T07:00:00Z",
    "exchange": "binance",
    "policy": "mm",
    "account_name": "main",
    "clock": {"server_time": None, "skew_ms": 12, "round_trip_ms": 80},
    "keys": [
        {
            "name": "mm-exec",
            "id": "sha256:3f9a01c2d4e5",
            "permissions": {"read": "granted", "trade.spot": "granted", "withdraw": "granted", "transfer": "denied"},
            "ip_allowlist": {"restricted": "yes", "addresses": None},
            "created_at": "2026-10-22T10:00:00Z",
            "unknown": {"ip_allowlist.addresses": "binance reports only whether a restriction is set"},
            "source": {"endpoint": "GET /x", "at": "2026-11-21T07:00:00Z"},
        }
    ],
    "limits": [{"name": "orders", "limit": 50, "per_ms": 10000, "source": {"endpoint": "GET /y", "at": "x"}}],
    "account": {
        "equity": "100000 USDT",
        "balances": {},
        "positions": [
            {"symbol": "BTC/USDT", "side": "long", "quantity": "0.1", "notional": "6000", "currency": "USDT"}
        ],
        "open_orders": [],
        "position_mode": "one_way",
    },
    "withdrawal_addresses": None,
    "errors": [],
}

BUDGET = "{limit: 50, per: 10s, window: fixed, shared_by: account}"


def shown(folder: Path, text: str, *, snapshot: dict[str, Any] | None = None, **kwargs: Any) -> str:
    """Return what is shown at the cursor, or nothing."""
    if snapshot is not None:
        (folder / "mm.snapshot.json").write_text(json.dumps(snapshot))
    text, at = cut(text)
    made, file = desk(folder, text, **kwargs)
    found = hover(made, file, at)
    return found.text if found is not None else ""


def at(word: str, text: str = CHILD) -> str:
    """Put the cursor into the first such word."""
    assert word in text
    return text.replace(word, f"{word[:1]}¦{word[1:]}", 1)


def test_hover_is_whole(tmp_path: Path) -> None:
    """A field's word, its guide number in a phrase, what is in force and who says it, and the finding there."""
    text = shown(tmp_path, at("4% of"))
    assert text == (
        "**risk.max_order_notional** (cap; amount or share of equity; stricter: lower)\n\n"
        "The largest notional of one order.\n\n"
        "- guide G33: a cap on one order\n- held by: check risk.max_order_notional, rule PK603\n\n"
        "- in force: `4% of equity` (line 14)\n\n"
        "**PK603 order-cap**: one order may be 4% of equity; the guide's range is 1-2%\n\n"
        "why: one bad order is the most common accident; at 1-2% of the account it is survivable (G33)\n\n"
        "next: lower the cap\n\n`policykit explain PK603`"
    )


def test_hover_says_who_says_it(tmp_path: Path) -> None:
    """A stricter word of the extended policy is in force, by its file and line."""
    text = shown(tmp_path, at("max_order_notional"), parent=PARENT.replace("5% of equity", "[5% of equity, 700 USDT]"))
    assert "- in force: `[4% of equity, 700 USDT]` (line 14)" in text
    stricter = shown(tmp_path, at("currency", CHILD), parent=PARENT + "account: {currency: USDT}\n")
    assert "- in force: `USDT` (line 6)" in stricter
    tight = CHILD.replace("  symbols", "  price_collar: {max_deviation: 2%, reference: mark}\n  symbols")
    bound = PARENT + "  price_collar: {max_deviation: 2%, reference: mark, max_age: 2s}\n"
    assert "- in force: `{max_deviation: 2%" not in shown(tmp_path, at("price_collar", tight), parent=bound)


def test_hover_says_what_the_stage_does(tmp_path: Path) -> None:
    """A cap that the stage tightens shows both words."""
    text = shown(tmp_path, at("max_order_notional", CHILD + "stage: {current: micro-live, since: 2026-11-01}\n"))
    assert "- in force: `0.1% of equity` (line 15)\n- without the stage `micro-live`: `4% of equity`" in text


def test_hover_of_a_list_shows_all_of_it(tmp_path: Path) -> None:
    """An item of a list shows the list that is in force."""
    assert "- in force: `[read, trade.spot]` (line 10)" in shown(tmp_path, at("trade.spot"))


def test_hover_of_a_default(tmp_path: Path) -> None:
    """Where nobody says a field, its default is told."""
    text = shown(tmp_path, at("reason_required", CHILD + "kill_switch: {rearm: {by: [a], reason_required: true}}\n"))
    assert "- where nobody says it: `true`" in text


def test_hover_never_shows_a_secret(tmp_path: Path) -> None:
    """Neither the reference nor anything that it leads to is repeated."""
    text = shown(tmp_path, at("secret", CHILD.replace("purpose:", "secret: vault://kv/mm\n    purpose:")))
    assert "Where the secret lives" in text
    assert "vault" not in text


@pytest.mark.parametrize("word", ["# 📈", "  symbols"])
def test_hover_of_nothing(tmp_path: Path, word: str) -> None:
    """A comment and a blank have nothing to say."""
    assert shown(tmp_path, CHILD.replace(word, f"¦{word}", 1)) == ""


def test_hover_in_broken_text(tmp_path: Path) -> None:
    """While the text cannot be read, its fields are still told, with what was last in force."""
    made, file = desk(tmp_path)
    hover(made, file, 0)
    broken, cursor = cut(at("max_order_notional", CHILD.replace("symbols: [", "symbols: [[")))
    made.put(file, broken, 2)
    found = hover(made, file, cursor)
    assert found is not None
    assert "- in force when this policy last loaded: `4% of equity` (line 14)" in found.text
    assert broken[slice(*found.span)] == "max_order_notional"


def test_live_caps(tmp_path: Path) -> None:
    """A share of equity is told in money, with the age of the snapshot."""
    text = shown(tmp_path, at("max_order_notional"), snapshot=SNAPSHOT)
    assert "live (mm.snapshot.json, 3 h old):\n\n- 4% of equity = 4,000 USDT at 100,000 USDT" in text


def test_live_keys(tmp_path: Path) -> None:
    """What a key may do, from where, and since when: what is not known says why."""
    assert "- granted: read, trade.spot, withdraw\n- unknown: trade.margin" in shown(
        tmp_path, at("scopes"), snapshot=SNAPSHOT
    )
    assert "- made: 2026-10-22, 30 days old" in shown(tmp_path, at("rotation"), snapshot=SNAPSHOT)
    listed = CHILD.replace("rotation:", "ip_allowlist: [{address: 10.0.0.1}]\n    rotation:")
    assert (
        "- restricted to addresses: yes\n"
        "- addresses: unknown, because binance reports only whether a restriction is set"
    ) in shown(tmp_path, at("ip_allowlist", listed), snapshot=SNAPSHOT)


@pytest.mark.parametrize(
    ("line", "word", "says"),
    [
        (f"rate_budgets:\n  orders: {BUDGET}", "orders", "- the exchange publishes 50 per 10s"),
        (f"rate_budgets:\n  other: {BUDGET}", "other", "- unknown, because the snapshot has no limit of that name"),
        ("clock: {max_skew: 500ms}", "max_skew", "- skew: 12 ms"),
        ("withdrawals: {addresses: [abc]}", "addresses", "- addresses at the exchange: unknown, because the snapshot"),
        ("reconciliation: {tolerance: 500 USDT}", "tolerance", "- 500 USDT = 0.5% of equity at 100,000 USDT"),
    ],
)  # fmt: skip
def test_live_other(tmp_path: Path, line: str, word: str, says: str) -> None:
    """Budgets, the clock, withdrawals and tolerances have their live figure, or why there is none."""
    assert says in shown(tmp_path, at(word, f"{line}\n{CHILD}"), snapshot=SNAPSHOT)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("max_position_notional: 1% of equity", "1,000 USDT at 100,000 USDT\n- long BTC/USDT: 6,000 USDT"),
        ("max_open_orders: 3", "- open orders: 0"),
        ("max_leverage: 2", "- leverage: unknown, because no position tells it"),
    ],
)  # fmt: skip
def test_live_account(tmp_path: Path, field: str, says: str) -> None:
    """Positions, open orders and leverage are told beside their caps."""
    text = CHILD.replace("  symbols", f"  {field}\n  symbols").replace("max_leverage: 3", "max_leverage: 2")
    assert says in shown(tmp_path, at(field.partition(":")[0], text), snapshot=SNAPSHOT)


def test_live_of_another_account(tmp_path: Path) -> None:
    """A snapshot of another account says nothing of this one; one that cannot be read says why."""
    text = shown(tmp_path, at("scopes"), snapshot={**SNAPSHOT, "account_name": "other"})
    assert "- unknown, because no snapshot here is of binance, account main" in text
    (tmp_path / "mm.snapshot.json").write_text("{")
    made, file = desk(tmp_path)
    found = hover(made, file, CHILD.index("scopes"))
    assert found is not None
    assert "unknown, because" in found.text
    assert "not JSON" in found.text


def test_age() -> None:
    """An age is told in the largest unit that fits."""
    said = [
        age(at, NOW_MS)
        for at in ("2026-11-21T09:59:30Z", "2026-11-21T09:18:00Z", "2026-11-20T09:00:00Z", "x", "2027-01-01")
    ]
    assert said == ["30 s old", "42 min old", "1 day old", "of an unknown time", "from the future"]


def test_definition_through_extends(tmp_path: Path) -> None:
    """A value leads to what the extended policies say of it, the nearest first, through every layer."""
    (tmp_path / "top.yaml").write_text("policykit: 1\nname: top\nrisk: {max_order_notional: 9% of equity}\n")
    text, cursor = cut(at("max_order_notional"))
    made, file = desk(tmp_path, text, parent=PARENT.replace("name: base\n", "name: base\nextends: [top.yaml]\n"))
    found = definition(made, file, cursor)
    assert [(os.path.basename(place.file), *place[1:5]) for place in found] == [
        ("base.yaml", 6, 3, 6, 21),
        ("top.yaml", 3, 8, 3, 26),
    ]


def test_definition_of_the_others(tmp_path: Path) -> None:
    """`extends` leads to the file, `at:` to its target; a rule, and a file that is not there, to nothing."""
    text = (
        CHILD + "waivers:\n  - {rule: PK603, at: risk.max_order_notional, owner: a, reason: b, expires: 2026-12-01}\n"
    )
    made, file = desk(tmp_path, text)
    (place,) = definition(made, file, text.index("base.yaml"))
    assert (os.path.basename(place.file), place.line) == ("base.yaml", 1)
    (target,) = definition(made, file, text.index("risk.max_order"))
    assert (target.file, target.line, target.column) == (file, 14, 3)
    assert definition(made, file, text.index("PK603")) == []
    assert definition(made, file, text.index("desk-a")) == []
    gone = text.replace("[base.yaml]", "[gone.yaml]")
    made.put(file, gone)
    assert definition(made, file, gone.index("gone")) == []


def test_definition_sees_an_open_buffer(tmp_path: Path) -> None:
    """The place is where the open text has it."""
    made, file = desk(tmp_path)
    made.put(str(tmp_path / "base.yaml"), f"# one more line\n{PARENT}")
    (place,) = definition(made, file, CHILD.index("max_order"))
    assert place.line == 6


def test_symbols(tmp_path: Path) -> None:
    """The outline has every key with what is in it."""
    made, file = desk(tmp_path)

    def names(found: tuple[Symbol, ...]) -> list[Any]:
        return [[one.name, *names(one.inner)] if one.inner else one.name for one in found]

    assert names(symbols(made, file)) == [
        "policykit", "name", "owner", "extends", "exchange", ["account", "name", "currency"],
        ["keys", ["mm-exec", "purpose", "scopes", ["rotation", "every"]]], ["risk", "symbols", "max_order_notional"],
    ]  # fmt: skip
    risk = symbols(made, file)[-1]
    assert CHILD[slice(*risk.key)] == "risk"
    assert CHILD[slice(*risk.whole)].startswith("risk:\n  symbols")
    assert risk.inner[1].detail == "4% of equity"
