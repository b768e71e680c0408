"""What the rules on scopes share: what a policy allows a key, and what an exchange grants it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding, Observed
from policykit.place import Place
from policykit.rules.base import DAY_MS, Inputs, Rule, iso_ms, words

if TYPE_CHECKING:
    from policykit.model import Declared, Key
    from policykit.snapshot import KeyReport

#: Fields of key reports that carry a scope, by the words their exchanges use: the evidence that a finding quotes.
_RAW_FIELDS = {
    "withdraw": ("enableWithdrawals",),
    "transfer": ("permitsUniversalTransfer", "enableInternalTransfer"),
    "trade.spot": ("enableSpotAndMarginTrading",),
    "trade.margin": ("enableMargin",),
    "trade.derivatives": ("enableFutures",),
    "trade.options": ("enableVanillaOptions",),
    "trade.other": ("enablePortfolioMarginTrading", "enableFixApiTrade"),
    "read": ("enableReading",),
}


def allows(scopes: tuple[str, ...] | None, scope: str) -> bool:
    """Tell whether scopes include one; `trade` includes every kind of trade."""
    return scopes is not None and (scope in scopes or (scope.startswith("trade.") and "trade" in scopes))


def may(key: Key) -> str:
    """Return what the policy allows a key, as a sentence has it."""
    return words(key.scopes) if key.scopes else "nothing"


def declared_scope(inputs: Inputs, scope: str) -> Iterator[tuple[str, Place]]:
    """Yield (key, place of the scope in its list) for each key of the policy that asks for a scope."""
    for name, key in inputs.keys.items():
        for index, asked in enumerate(key.scopes or ()):
            if asked == scope:
                yield name, inputs.place(f"keys.{name}.scopes.{index}")


def admitted_scope(inputs: Inputs, scope: str) -> Iterator[tuple[str, Place]]:
    """Yield (key, place) for each key that has a scope at the exchange as a person declared."""
    for name, key in inputs.keys.items():
        for index, seen in enumerate((key.declared.scopes if key.declared else None) or ()):
            if seen == scope:
                yield name, inputs.place(f"keys.{name}.declared.scopes.{index}")


def undeclared(inputs: Inputs, rule: Rule, name: str, report: KeyReport, scope: str, can: str) -> Finding:
    """Return the finding on a scope that the exchange does not tell: what was declared of it, else unknown.

    `can`: the claim in words, `withdraw` say. Only a declaration that leaves the scope out is one that it is absent.
    """
    declared = inputs.keys[name].declared
    if declared is not None and declared.scopes is not None and of_this_key(declared, report):
        place = inputs.place(f"keys.{name}.declared.scopes")
        if scope not in declared.scopes:
            by = f"{declared.by} declared on {declared.at}"
            return rule.finding(place, f"that `{name}` cannot {can} is what {by}; not verified", status="declared")
    return rule.unknown(
        inputs.place(f"keys.{name}.scopes"),
        f"whether `{name}` can {can} could not be read: {not_told(inputs, report, scope)}",
        f"look at {inputs.key_page()}, then record it under `declared:`",
    )


def of_this_key(declared: Declared, report: KeyReport) -> bool:
    """Tell whether a declaration can be about the key that was read: it is not from before that key was made."""
    made_ms, said_ms = iso_ms(report.created_at), iso_ms(declared.at)
    return made_ms is None or said_ms is None or said_ms + DAY_MS > made_ms


def granted(inputs: Inputs, report: KeyReport, scope: str) -> Observed:
    """Return the evidence that a scope is granted: the exchange's own field where it was kept."""
    for field in _RAW_FIELDS.get(scope, ()):
        if report.raw.get(field) is True:
            return inputs.observed(report, field, True)
    return inputs.observed(report, f"permissions.{scope}", "granted")


def not_told(inputs: Inputs, report: KeyReport, scope: str) -> str:
    """Return why a scope of a key is unknown."""
    reason = report.unknown.get(f"permissions.{scope}") or report.unknown.get("permissions")
    return reason or f"the answer of {report.endpoint or inputs.model.exchange} does not say"
