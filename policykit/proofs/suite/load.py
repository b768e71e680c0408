"""A test file and the policy that it is for, both read; whatever is wrong in either comes as lines with places."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Final

from policykit.engine.checks.rate_budgets import RateBudgets
from policykit.engine.given import Given, read_facts
from policykit.engine.given_values import Wrong, named
from policykit.errors import PolicyError, PolicykitError
from policykit.place import Place
from policykit.policy import EffectivePolicy, load
from policykit.policy.load import Checked, check
from policykit.proofs.suite.form import Suite, SuiteError
from policykit.proofs.suite.reading import alike, read_suite
from policykit.proofs.suite.trader import Trader, key_of
from policykit.source import Document, read_file, shown

#: What a file says that adds to the policy that it tests.
_WITH: Final = "with"


def load_suite(file: str) -> tuple[Suite, EffectivePolicy]:
    """Return a test file's suite with the effective policy that it tests. Raise SuiteError."""
    suite = read_suite(read_file(file, file))
    policy = load_policy(suite)
    try:
        key_of(policy, suite.key)
    except PolicykitError as error:
        raise SuiteError((f"{suite.place('key')}: {error}; `key: NAME` in the test file says which",)) from None
    _known_budgets(suite, policy)
    return suite, policy


def load_policy(suite: Suite) -> EffectivePolicy:
    """Return the policy of a suite, with what the suite adds to it. Raise SuiteError."""
    if not os.path.exists(suite.policy):
        place = suite.place("policy")
        raise SuiteError((f'{place}: the policy "{suite.policy}" is not there; `policy: FILE` names it from here',))
    now_ms = min((test.steps[0].at_ms for test in suite.tests), default=0)
    try:
        if suite.added is None:
            policy = load(suite.policy, now_ms=now_ms)
        else:
            policy = load(suite.file, now_ms=now_ms, read_own=lambda _: _added(suite))
    except PolicyError as error:
        raise SuiteError(tuple(f"{found.primary}: {found.message}" for found in error.findings)) from None
    if policy.profile:
        place = suite.place("policy")
        add = "`with: {exchange: binance, account: {name: main, currency: USDT}}` adds what it is to be tried with"
        raise SuiteError((f"{place}: {policy.file} is a profile, which no guard runs; {add}",))
    return policy


def _added(suite: Suite) -> Checked:
    """Return a policy that extends the one under test by what the suite says; its places are the suite's."""
    assert suite.added is not None
    parent = os.path.relpath(suite.policy, os.path.dirname(suite.file) or ".")
    data = {"policykit": 1, "name": "under-test", **suite.added, "extends": [parent]}
    ours = suite.document
    said = Document(suite.file, data, _moved(ours.places), _moved(ours.key_places))
    said.places["extends.0"] = suite.place("policy")
    return check(said)


def _moved(places: dict[str, Place]) -> dict[str, Place]:
    """Return what stands below `with`, as if it stood in a policy; the root is `with` itself."""
    inside = {
        path.removeprefix(_WITH).lstrip("."): place
        for path, place in places.items()
        if path == _WITH or path.startswith(f"{_WITH}.")
    }
    return {path: place._replace(path=path) for path, place in inside.items()}


def prepare(suite: Suite, policy: EffectivePolicy) -> MappingProxyType[tuple[int, int], Given]:
    """Return the facts of every step, by the indexes of test and step; read once a currency. Raise SuiteError."""
    currency = policy.model.account.currency
    known: MappingProxyType[tuple[int, int], Given] | None = suite.facts.get(currency)
    if known is None:
        known = suite.facts[currency] = MappingProxyType(_read(suite, currency))
    return known


def _known_budgets(suite: Suite, policy: EffectivePolicy) -> None:
    """Read the facts; refuse what is said to be used of anything but a rate budget of the policy. Raise SuiteError."""
    said = [(at, name, used) for at, one in prepare(suite, policy).items() for name, used in one.used.items()]
    if not said:
        return
    checks = Trader(policy, suite.key, suite.bot).engine.checks
    known = [budget.counter for check in checks if isinstance(check, RateBudgets) for budget in check.budgets]
    problems: dict[str, None] = {}
    for (test, step), name, used in said:
        place = _said_at(suite, test, step, Wrong(("used", name), ""))
        if name not in known:
            hint = alike(name, known) or "the policy has none; orders say what else is used"
            problems.setdefault(f'{place}: "{shown(name)}" is no counter of a rate budget; {hint}')
        elif used < 0:
            problems.setdefault(f"{place}: {used} is used; 0 or more is needed")
    if problems:
        raise SuiteError(tuple(problems))


def _read(suite: Suite, currency: str) -> dict[tuple[int, int], Given]:
    out: dict[tuple[int, int], Given] = {}
    problems: dict[str, None] = {}
    for test_index, test in enumerate(suite.tests):
        before: tuple[object, int, Given] | None = None
        for index, step in enumerate(test.steps):
            if before is not None and before[0] == step.given and before[1] == step.at_ms:
                out[test_index, index] = before[2]
                continue
            try:
                given = read_facts(step.given, currency, step.at_ms)
            except Wrong as wrong:
                problems.setdefault(f"{_said_at(suite, test_index, index, wrong)}: {wrong}")
                continue
            out[test_index, index] = given
            before = (step.given, step.at_ms, given)
    if problems:
        raise SuiteError(tuple(problems))
    return out


def _said_at(suite: Suite, test: int, step: int, wrong: Wrong) -> Place:
    """Return where a fact was said last: in the step, one before it, its test, or for all tests."""
    path = named(wrong.path)
    places = suite.document.places
    for at in (*(f"tests.{test}.steps.{n}." for n in range(step, -1, -1)), f"tests.{test}.", ""):
        dotted = f"{at}given.{path}"
        if dotted in places:
            return places[dotted]
    return suite.place(f"given.{path}")
