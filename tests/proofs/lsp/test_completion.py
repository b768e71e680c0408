"""What may be typed at a cursor, in whole and in broken text."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.model.policy import Policy
from policykit.proofs.lsp.completion import Item, complete
from policykit.proofs.lsp.desk import Desk
from policykit.snapshot import SCOPES
from policykit.traits import known
from tests.proofs.lsp.desks import CHILD, NOW_MS, cut, desk

HEAD = """\
policykit: 1
name: mm
exchange: binance
account: {name: main, currency: USDC}
keys:
  mm-exec:
    purpose: execution
    holders: [ops-lead]
"""


def offered(folder: Path, text: str) -> list[Item]:
    """Return what is offered at the cursor."""
    text, cursor = cut(text)
    made, file = desk(folder, text)
    items = complete(made, file, cursor)
    for item in items:
        assert item.span.start <= cursor <= item.span.end
    return items


def texts(folder: Path, text: str) -> list[str]:
    """Return what would be inserted."""
    return [item.text for item in offered(folder, text)]


def test_keys_of_the_top(tmp_path: Path) -> None:
    """In an empty file every key of the language is offered, those first without which there is no policy."""
    items = sorted(offered(tmp_path, "¦"), key=lambda item: item.sort)
    assert [item.label for item in items[:2]] == ["policykit", "name"]
    assert {item.label for item in items} == set(Policy.model_fields)


def test_a_key_is_whole(tmp_path: Path) -> None:
    """A key comes with its form, its documentation, and the word that it takes the place of."""
    text = f"{HEAD}risk:\n  max_order_n¦\n"
    (item,) = [item for item in offered(tmp_path, text) if item.label == "max_order_notional"]
    assert item == Item(
        "max_order_notional",
        "key",
        "cap; amount or share of equity; stricter: lower",
        "The largest notional of one order.\n\n"
        "- guide G33: a cap on one order\n- held by: check risk.max_order_notional, rule PK603",
        item.span,
        "max_order_notional: ",
        "max_order_notional: $1",
        item.sort,
    )
    assert text.replace("¦", "")[slice(*item.span)] == "max_order_n"


def test_keys_that_are_there_are_left_out(tmp_path: Path) -> None:
    """A key is offered once, wherever in the section it stands; what is needed comes first."""
    labels = [
        item.label
        for item in sorted(offered(tmp_path, HEAD.replace("    purpose", "    ¦\n    purpose")), key=lambda i: i.sort)
    ]
    assert "purpose" not in labels
    assert "holders" not in labels
    assert labels[:2] == ["secret", "scopes"]
    first = min(offered(tmp_path, "keys:\n  a:\n    ¦\n    scopes: [read]\n"), key=lambda item: item.sort)
    assert first.label == "purpose"


@pytest.mark.parametrize(
    ("text", "label", "snippet"),
    [
        ("¦", "account", "account:\n  $1"),
        ("¦", "extends", "extends: [$1]"),
        ("¦", "keys", "keys:\n  ${1:name}:\n    purpose: ${2}"),
        ("¦", "waivers", "waivers:\n  - {rule: ${1}, at: ${2}, owner: ${3}, reason: ${4}, expires: ${5}}"),
        ("account: {¦}", "max_equity", "max_equity: $1"),
        ("keys:\n  a: {¦}", "address_proof", "address_proof: {max_age: ${1}}"),
        ("keys:\n  a: {¦}", "ip_allowlist", "ip_allowlist: [{address: ${1}}]"),
        ("kill¦_switch: x", "kill_switch", "kill_switch"),
    ],
)
def test_snippets(tmp_path: Path, text: str, label: str, snippet: str) -> None:
    """A section comes with the keys that it cannot be without; where a colon follows, only the key."""
    assert [item.snippet for item in offered(tmp_path, text) if item.label == label] == [snippet]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("environment: ¦", ["sandbox", "live"]),
        ("stage: {current: ¦}", ["sandbox", "paper", "micro-live", "small-live", "full-live"]),
        ("kill_switch:\n  rearm: {reason_required: ¦}", ["true", "false"]),
        ("policykit: ¦", ["1"]),
        (HEAD + "risk:\n  max_order_notional: 5¦", ["5% of equity", "5 USDC"]),
        (HEAD + "risk:\n  max_order_notional: ¦", ["1% of equity", "1000 USDC"]),
        (HEAD.replace("USDC}", "USDC, max_equity: 7¦}"), ["7 USDC"]),
        ("clock: {max_skew: 5¦}", ["5ms", "5s", "5m", "5h", "5d"]),
        ("clock: {max_skew: ¦}", ["500ms", "30s", "5m", "24h", "90d"]),
        ("risk: {price_collar: {max_deviation: 3¦}}", ["3%"]),
        ("stage: {since: ¦}", ["2026-11-21"]),
        ("waivers:\n  - {expires: ¦}", ["2026-12-21"]),
        (HEAD + "vendors:\n  v: {keys: [¦]}", ["mm-exec"]),
        (HEAD + "incident: {contacts: [¦]}", ["ops-lead"]),
        ("keys:\n  a:\n    scopes: [read, ¦]", ["trade", *SCOPES[1:]]),
        ("keys:\n  a: {secret: ¦}", ["env://", "vault://", "aws-sm://", "azure-kv://", "keyring://"]),
        ("risk: {on_breach: {symbols: ¦}}", ["warn", "deny", "reduce_only", "cancel_open", "halt"]),
        ("extends: [¦]", ["base.yaml"]),
        ("owner: ¦", []),
        ("nonsense: ¦", []),
        ("nonsense:\n  ¦", []),
        ("# ¦", []),
    ],
)  # fmt: skip
def test_values(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Each kind of value has its words, its units, or an example."""
    assert texts(tmp_path, text) == expected


def test_items_that_are_there_are_left_out(tmp_path: Path) -> None:
    """What a list has is not offered again; where its key stands alone, a list is offered."""
    assert "read" not in texts(tmp_path, CHILD.replace("trade.spot]", "trade.spot, ¦]"))
    assert texts(tmp_path, "risk: {sides: ¦}") == ["[buy]", "[sell]"]


def test_exchanges(tmp_path: Path) -> None:
    """Those come first of which something is known."""
    assert texts(tmp_path, "exchange: ¦")[: len(known())] == list(known())


def test_budgets_are_named_as_the_exchange_does(tmp_path: Path) -> None:
    """The names of the exchange's own allowances are offered, with what it documents, but for those that are there."""
    items = offered(tmp_path, f"{HEAD}rate_budgets:\n  request-weight: {{limit: 1}}\n  ¦")
    assert [(item.label, item.detail) for item in items] == [
        ("orders", "50 per 10s, fixed, by account"),
        ("orders-day", "160,000 per 1d, fixed, by account"),
    ]


def test_symbols_of_the_file(tmp_path: Path) -> None:
    """Symbols that are named anywhere are offered for caps, quoted where they have to be."""
    text = CHILD.replace("max_order_notional: 4%", "max_position_notional: {¦}\n  max_order_notional: 4%")
    assert texts(tmp_path, text) == ["default: ", "BTC/USDT: "]


def test_waivers(tmp_path: Path) -> None:
    """Only rules that can be waived are offered, with their names; for the place, where a finding is open first."""
    items = offered(tmp_path, CHILD + "waivers:\n  - {rule: ¦}")
    codes = [item.text for item in items]
    assert ("PK603 order-cap", "PK603") in [(item.label, item.text) for item in items]
    assert not {"PK101", "PK102", "PK718", "PK010"} & set(codes)
    made, file = desk(tmp_path)
    made.judged(file)
    text, cursor = cut(CHILD + "waivers:\n  - rule: PK603\n    at: ¦")
    made.put(file, text)
    first = complete(made, file, cursor)
    assert first[0].detail == "a finding is open there"


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    """What is no policy, and cannot become one, is known as such."""
    made = Desk(lambda: NOW_MS)
    assert not made.put(str(tmp_path / "a.yaml"), "services: {}\n").begins
    assert made.put(str(tmp_path / "b.yaml"), "# new\nna\n").begins
