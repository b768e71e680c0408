"""What the examples of docstrings leave out: the rarer answers of rules, each with its whole finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policykit.finding import Finding
from policykit.policy import load_text
from policykit.rules import Inputs, catalogue, find
from policykit.snapshot import Snapshot, from_dict
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of, run, snapshot_data, written
from policykit.traits import load as load_traits

OKX = "exchange: okx\nkeys:\n  mm-exec:\n    purpose: execution\n    scopes: [read, trade.spot]\n"
DECLARED = "    declared: {ip_allowlist: [45.33.32.156], by: desk-head, at: 2026-11-20}\n"
KEY = "keys:\n  mm-exec:\n    purpose: execution\n    scopes: [read, trade.spot]\n"
ADDRESSES = '    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]\n'
#: An account that does not say how much is kept on it.
PLAIN = "account: {name: main, currency: USDT}\n"
UNREAD = '"ip_allowlist": {"restricted": "yes", "addresses": null}'


def _found(code: str, text: str, snapshot: str | None = None, language: str = "yaml") -> list[str]:
    entry = find(code)
    assert entry is not None
    return [
        written(f)
        for f in run(
            entry, Example(language, text, {"yaml": "policy.yaml", "python": "bot.py"}[language], snapshot=snapshot)
        )
    ]


def _key(more: str, exchange: str = "binance") -> str:
    return f'{{"exchange": "{exchange}", "keys": [{{"name": "mm-exec", {more}}}]}}'


def test_bundled_transfer_is_no_finding_of_pk102() -> None:
    """Where transfer is bundled with trade, the rule that cannot be waived stays silent and PK103 speaks."""
    granted = _key('"permissions": {"transfer": "granted"}', "okx")
    assert _found("PK102", OKX, granted) == []
    assert len(_found("PK103", OKX, granted)) == 1


def test_bundled_transfer_unknown() -> None:
    """What an exchange does not tell of a bundled transfer is unknown."""
    assert _found("PK103", OKX, _key('"permissions": {"transfer": "unknown"}', "okx")) == [
        (
            "unknown policy.yaml:5:13 whether `mm-exec` can transfer could not be read: "
            "the answer of GET /sapi/v1/account/apiRestrictions does not say"
        )
    ]


def test_declared_scope_that_was_not_agreed_to() -> None:
    """A scope that a person declared, that the exchange does not tell and that the policy lacks, is a finding."""
    text = KEY + "    declared: {scopes: [read, trade.spot, key_admin], by: desk-head, at: 2026-11-20}\n"
    assert _found("PK104", text, _key('"permissions": {"key_admin": "unknown"}')) == [
        (
            "open certain policy.yaml:5:24 key `mm-exec` has key_admin as desk-head declared; "
            "the policy allows read and trade.spot"
        )
    ]


def test_declaration_older_than_the_key_says_nothing() -> None:
    """Addresses declared before the key was made are unknown, not declared."""
    text = KEY + ADDRESSES + DECLARED.replace("2026-11-20", "2026-10-01")
    made = f'"created_at": "2026-10-20T10:00:00Z", {UNREAD}'
    assert _found("PK214", text, _key(made)) == [
        (
            "unknown policy.yaml:6:65 which addresses `mm-exec` accepts is not known: "
            "the key was made after the declaration"
        )
    ]


def test_restriction_that_is_off_is_left_to_pk201() -> None:
    """Which addresses a key accepts is not asked when it accepts all: PK201 says so."""
    off = _key('"ip_allowlist": {"restricted": "no", "addresses": null}')
    assert _found("PK214", KEY + ADDRESSES, off) == []
    assert len(_found("PK201", KEY + ADDRESSES, off)) == 1


def test_declared_difference_is_said_once() -> None:
    """A declaration that differs from the policy is one finding, with live state and without."""
    text = KEY + ADDRESSES + DECLARED.replace("45.33.32.156", "45.33.32.99")
    line = (
        "open certain policy.yaml:6:30 the addresses of key `mm-exec` that desk-head declared differ from the policy: "
        "also 45.33.32.99; not 45.33.32.156"
    )
    assert _found("PK214", text) == [line]
    assert _found("PK214", text, _key(UNREAD)) == [line]


@pytest.mark.parametrize(
    ("text", "reason", "static"),
    [
        ("risk: {max_order_notional: 5000 EUR}\n", "the cap is not in USDT", "the cap is not in USDT"),
        ("risk: {max_order_notional: 5000 USDT}\n", "no price of BTC", "no `account.max_equity` is stated"),
    ],
)
def test_cap_that_cannot_be_compared_with_equity(text: str, reason: str, static: str) -> None:
    """A cap in another currency, or an equity that nobody states or has read, is unknown with its reason."""
    state = '{"account": {"equity": null, "unknown": {"equity": "no price of BTC"}, "balances": {}}}'
    text = PLAIN + text
    said = "unknown policy.yaml:2:28 what share of equity one order may be is not known: "
    assert _found("PK603", text, state) == [said + reason]
    assert _found("PK603", text) == [said + static]


def test_equity_in_another_currency_or_no_number_is_unknown() -> None:
    """Equity that is no number of the account's currency is never compared."""
    for equity in ("100000 EUR", "NaN", "much"):
        found = _found(
            "PK603", PLAIN + "risk: {max_order_notional: 5000 USDT}\n", f'{{"account": {{"equity": "{equity}"}}}}'
        )
        assert [line.split()[0] for line in found] == ["unknown"]


def test_waiver_of_a_live_rule_is_not_called_unused_without_live_state() -> None:
    """Whether a waiver of a live rule is used is asked only when live state is given."""
    text = "waivers:\n  - {rule: PK302, at: keys.mm-exec, owner: a, reason: moved, expires: 2026-12-01}\n"
    assert _found("PK709", text) == []
    assert len(_found("PK709", text, "{}")) == 1


def test_waiver_that_is_used_is_no_finding() -> None:
    """A waiver that covers a finding, at its place or above it, is used; one beside it is not."""
    entry, rule = find("PK709"), find("PK205")
    assert entry is not None
    assert rule is not None
    text = "waivers:\n  - {rule: PK205, at: keys.mm-exec, owner: a, reason: moved, expires: 2026-12-01}\n"
    inputs = inputs_of(Example("yaml", text))
    covered = rule.rule.finding(inputs.place("keys.mm-exec.ip_allowlist"), "m")
    beside: Finding = replace(covered, primary=covered.primary._replace(path="keys.mm-exec-2"))
    assert list(entry.check(inputs._replace(findings={"policy.yaml": (covered,)}))) == []
    assert len(list(entry.check(inputs._replace(findings={"policy.yaml": (beside,)})))) == 1


BARE = "policykit: 1\nname: x\nexchange: binance\naccount: {name: main, currency: USDT}\n"


def _all(text: str, snapshot: Snapshot | None) -> list[tuple[str, str]]:
    policy = load_text(text)
    traits = load_traits(policy.model.exchange)
    inputs = Inputs(NOW_MS, policy=policy, traits=traits, snapshot=snapshot)
    return [(f.rule, f.status) for entry in catalogue("policy") for f in entry.check(inputs)]


def test_policy_that_says_nothing() -> None:
    """Of a policy without keys and sections only the five controls are missing, whatever the exchange says."""
    assert _all(BARE, None) == [("PK601", "open")] * 5
    assert _all(BARE, from_dict(snapshot_data("{}"))) == [("PK601", "open")] * 5


def test_policy_with_a_trading_key_and_nothing_else() -> None:
    """A key that trades needs budgets, symbols, reconciliation, rotation and addresses; each is said once."""
    text = BARE + "risk: {}\n" + KEY
    asked = [
        "PK201",
        "PK301",
        "PK305",
        "PK402",
        *["PK601"] * 5,
        "PK602",
        "PK608",
        "PK705",
        "PK711",
        *["PK716"] * 2,
        *["PK717"] * 2,
        "PK720",
    ]
    assert _all(text, None) == [(code, "open") for code in asked]
    no_traits = text.replace("binance", "kraken")
    assert _all(no_traits, None) == [(code, "open") for code in asked]


def test_limits_of_another_window_and_of_no_number() -> None:
    """A published limit of another window compares as a rate; one without a number is unknown."""
    budget = "rate_budgets:\n  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}\n"

    def limit(number: int, per_ms: int) -> str:
        return f'{{"limits": [{{"name": "orders", "limit": {number}, "per_ms": {per_ms}}}]}}'

    assert _found("PK401", budget, limit(200, 60_000)) == [
        "open observed policy.yaml:2:19 budget `orders` is 50 per 10s; binance publishes 200 per 1m"
    ]
    assert _found("PK401", budget, limit(300, 60_000)) == []
    assert _found("PK401", budget, limit(0, 60_000)) == [
        "unknown policy.yaml:2:19 what binance allows for `orders` could not be read: no number is given"
    ]
    assert _found("PK401", budget.replace("orders", "mine")) == []


def test_key_without_rotation_is_old_after_90_days() -> None:
    """Without an interval of the policy the guide's counts; a younger key, observed or declared, is no finding."""
    assert _found("PK302", KEY, _key('"created_at": "2026-07-04T10:00:00Z"')) == [
        "open observed policy.yaml:2:3 key `mm-exec` is 140 days old; it is rotated every 90 days"
    ]
    young = KEY + "    declared: {created: 2026-11-01, by: desk-head, at: 2026-11-20}\n"
    assert _found("PK302", young) == []


def test_expired_waiver_is_not_called_unused_too() -> None:
    """An expired waiver is PK708's alone."""
    text = "waivers:\n  - {rule: PK205, at: keys.mm-exec, owner: a, reason: moved, expires: 2026-10-01}\n"
    assert _found("PK709", text) == []
    assert len(_found("PK708", text)) == 1


def test_budget_within_what_is_documented() -> None:
    """Without live state a budget at or under the documented allowance is no finding."""
    budget = "rate_budgets:\n  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}\n"
    assert _found("PK401", budget) == []
    assert len(_found("PK401", budget.replace("50", "51"))) == 1


def test_rules_say_what_they_need() -> None:
    """A rule that is run without what it reads fails loudly, so that it cannot pass by accident."""
    with pytest.raises(LookupError, match=r"^this rule reads a policy$"):
        _ = Inputs(NOW_MS, traits=load_traits("binance")).model
    with pytest.raises(LookupError, match=r"^this rule reads source$"):
        _ = Inputs(NOW_MS).code
    with pytest.raises(LookupError, match=r"^this rule reads settings$"):
        _ = Inputs(NOW_MS).settings
