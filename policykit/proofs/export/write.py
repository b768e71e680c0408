"""Write a policy for Cedar or CEL as a file that says what it holds, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from policykit.engine import compile_policy
from policykit.engine.checks import all_checks
from policykit.lint.report.quote import clean
from policykit.policy import EffectivePolicy
from policykit.policy.never import warns
from policykit.proofs.export.cedar import CEDAR, cedar
from policykit.proofs.export.cel import CEL, cel
from policykit.proofs.export.conditions import Conditions, Dialect, conditions
from policykit.proofs.export.table import TABLE
from policykit.traits import load as load_traits
from policykit.traits.base import Exchange

LANGUAGES: Final[dict[str, tuple[Dialect, Callable[[Conditions], str]]]] = {"cedar": (CEDAR, cedar), "cel": (CEL, cel)}


class Row(NamedTuple):
    """One check that the policy sets: whether the export holds it, and what stays outside."""

    check: str
    expressed: bool
    note: str


def rows(policy: EffectivePolicy) -> list[Row]:
    """Return every check that a policy sets, in the order in which the engine asks them."""
    out = []
    for check in compile_policy(policy, load_traits(policy.model.exchange)).checks:
        said = TABLE[check.id]
        lets_pass = said.translated and _warns(policy, check.id)
        note = "it only warns, and neither language warns" if lets_pass else said.note
        out.append(Row(check.id, said.translated and not lets_pass, note))
    return out


def of_key(policy: EffectivePolicy, name: str) -> EffectivePolicy:
    """Return a policy with only the key that orders are signed with. Raise ValueError for one that it does not have."""
    keys = policy.model.keys or {}
    if name not in keys:
        raise ValueError(f"{policy.file}: there is no key {name}; its keys are {', '.join(keys) or 'none'}")
    return replace(policy, model=policy.model.model_copy(update={"keys": {name: keys[name]}}))


def listed(policy: EffectivePolicy) -> str:
    """Write which checks of a policy are held, a line each."""
    return "".join(f"{'held' if row.expressed else 'not held':<9} {row.check}: {row.note}\n" for row in rows(policy))


def export(policy: EffectivePolicy, language: str) -> str:
    """Return a policy as a file. Raise ValueError for one that the language cannot say, with the reason."""
    traits = load_traits(policy.model.exchange)
    problem = _problem(policy, traits)
    if problem:
        raise ValueError(f"{policy.file}: {problem}")
    dialect, written = LANGUAGES[language]
    try:
        engine, store = conditions(policy.model, dialect)
    except (NotImplementedError, ValueError) as error:
        raise ValueError(
            f"{policy.file}: {error}; {language} has whole numbers only: write the limit on the grid, or leave it out "
            "of a copy"
        ) from None
    own = {check.id: check.codes[0] for check in all_checks()}
    passing = {(check, code) for check, code in own.items() if _warns(policy, check)}
    kept = {key: when for part in (engine, store) for key, when in part.items() if key not in passing}
    return "\n".join([*(f"// {clean(line)}".rstrip() for line in _head(policy, language)), written(kept), ""])


def _problem(policy: EffectivePolicy, traits: Exchange | None) -> str:
    """Return why a policy cannot be exported; the conditions take every sell on spot for an exit."""
    if policy.profile:
        return "it is a profile: it names no exchange; a policy that extends it can be exported"
    if len(policy.model.keys or {}) > 1:
        return f"it has {len(policy.model.keys or {})} keys, and an export is for orders of one; --key says which"
    spot = traits.products.get("spot") if traits is not None else None
    if spot is None or spot.auto_borrow is not False:
        return (
            f"{policy.model.exchange} is not known to keep spot from borrowing, so a sell may be an entry there; only"
            " spot that cannot borrow can be exported"
        )
    return ""


def _warns(policy: EffectivePolicy, check: str) -> bool:
    return warns(policy.model, check) or warns(policy.model, f"{check}.limit") if check.startswith("risk.") else False


def _head(policy: EffectivePolicy, language: str) -> Iterator[str]:
    yield f"policy {policy.name} {policy.version}, {policy.file}, for {language}"
    yield "Made by `policykit export`; not a guard: it counts nothing, holds nothing, and knows only what it is asked."
    yield f"What it is asked: `policykit export {language} POLICY --context`."
    yield "Of spot markets in the account's currency only; what is asked of another is denied (leave `base` out there)."
    table = rows(policy)
    yield ""
    yield "Held, and what stays outside:"
    yield from (f"  {row.check}: {row.note}" for row in table if row.expressed)
    left = [row for row in table if not row.expressed]
    yield ""
    yield "Not held:" if left else "Nothing of the policy is left out but that."
    yield from (f"  {row.check}: {row.note}" for row in left)
    yield ""
