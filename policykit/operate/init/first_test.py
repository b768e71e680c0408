"""Write the first tests of a new policy: what passes, and what the caps that matter most deny."""

from __future__ import annotations

import json
from typing import Final

from policykit.model.symbols import allows
from policykit.policy import EffectivePolicy
from policykit.traits.base import product_of

#: Prices that read well; of another asset PRICE.
PRICES: Final = {"BTC": "60000", "ETH": "3000"}
PRICE: Final = "100"
#: What no cap can be too small for, and what is over all of them.
SMALL: Final = "0.00001"
LARGE: Final = "10000000"
#: A market that no policy trades, and what denies it; of contracts a guard may know it before the policy does.
STRANGE: Final = {
    "spot": ("STRANGE/COIN", "{deny: {includes: [RISK_SYMBOL]}}"),
    "swap": ("STRANGE/COIN:COIN", "deny"),
}


def first_test(policy: EffectivePolicy, name: str, today: str) -> str:
    """Return the text of the test file; it passes at once."""
    symbol, kind = _symbol(policy), _kind(policy)
    strange, denied = STRANGE[product_of(symbol)]
    lines = [
        f"# Tests of {name}.yaml: `policykit test policies` runs them. Each gives an account and orders, and says what",
        "# must come of them. docs/policy-tests.md has the whole language: fills, halts, days, what is not known.",
        "policykit_test: 1",
        f"now: {today}T10:00:00Z",
        *_given(policy, symbol),
        "tests:",
        "  - name: a small order passes",
        f"    order: {_order(symbol, kind, SMALL)}",
        "",
        "  - name: an order over max_order_notional is denied",
        f"    order: {_order(symbol, kind, LARGE)}",
        "    expect: {deny: {includes: [RISK_ORDER_NOTIONAL]}}",
        "",
        "  - name: what the bot does not trade is denied",
        f"    order: {_order(strange, kind, SMALL)}",
        f"    expect: {denied}",
        "",
        "  - name: half of the equity lost in a day stops the bot, until a person lets it go on",
        "    steps:",
        f"      - order: {_order(symbol, kind, SMALL)}",
        "        then: cancelled",
        "      - after: 1h",
        f"        given: {{equity: 1000 {policy.model.account.currency}}}",
        f"        order: {_order(symbol, kind, SMALL)}",
        "        expect: {deny: {includes: [DAILY_LOSS]}}",
        "      - after: 24h",
        f"        order: {_order(symbol, kind, SMALL)}",
        "        expect: {deny: {includes: [TRADING_REDUCING]}}",
        "      - resume: all",
        f"      - order: {_order(symbol, kind, SMALL)}",
    ]
    return "\n".join(lines) + "\n"


def _symbol(policy: EffectivePolicy) -> str:
    """Return a market that the policy trades: one that it names, else one that its patterns allow."""
    risk = policy.model.risk
    symbols = (risk.symbols if risk is not None else None) or ()
    named = [symbol for symbol in symbols if not set(symbol) & set("!*?")]
    made = [symbol.replace("*", asset) for symbol in symbols for asset in PRICES if not symbol.startswith("!")]
    return next((symbol for symbol in (*named, *made) if allows(symbols, symbol)), "BTC/USDT")


def _kind(policy: EffectivePolicy) -> str:
    risk = policy.model.risk
    kinds = (risk.order_types if risk is not None else None) or ("limit",)
    return "limit" if "limit" in kinds else kinds[0]


def _price(symbol: str) -> str:
    return PRICES.get(symbol.partition("/")[0], PRICE)


def _order(symbol: str, kind: str, quantity: str) -> str:
    price = "" if kind == "market" else f', price: "{_price(symbol)}"'
    return f'{{symbol: {json.dumps(symbol)}, side: buy, type: {kind}, quantity: "{quantity}"{price}}}'


def _given(policy: EffectivePolicy, symbol: str) -> list[str]:
    currency, price = policy.model.account.currency, _price(symbol)
    marks = {symbol: price}
    base, _, rest = symbol.partition("/")
    quote = rest.partition(":")[0]
    if quote != currency:
        marks[f"{currency}/{quote}"] = price if currency == base else "1"
    lines = ["given:", f"  equity: 2000 {currency}", f"  marks: {_flow(marks)}"]
    if product_of(symbol) != "spot":
        lines += [
            f'  contract_sizes: {{{json.dumps(symbol)}: "1"}}',
            f'  contracts: {{{json.dumps(symbol)}: {{leverage: "1", margin_mode: isolated}}}}',
        ]
    return lines


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items()) + "}"
