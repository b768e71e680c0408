"""The published schema of a test file takes what the reader takes, and refuses its closed keys as the reader does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policykit.model.schema import schema
from policykit.model.suite_contract import suite
from policykit.operate.init.first_test import first_test
from policykit.policy import load
from policykit.proofs.suite import form, reading
from policykit.source import read
from tests.proofs.suite.test_reading import WRONG
from tests.proofs.suite.test_run import ROWS

PUBLISHED = jsonschema.Draft202012Validator(schema("policy-test"))
#: What only the reader can tell: another file's words, names, numbers in text, what does not go together.
RELATIONAL = {
    "a side and a type that are none",
    "unknown code",
    "unknown check",
    "a pasted secret is not quoted",
    "a name twice",
    "no moment",
    "a moment of another form",
    "money in another currency",
    "a wrong fact of a step",
    "a fact that is none",
    "a fact that orders say",
    "no order at all",
    "what becomes of an order that is denied",
    "two orders of one name",
    "nothing happens",
    "two things happen",
    "expected of nothing",
    "an order of nobody",
    "an order of nobody, nearly",
    "a halt of nothing",
    "a fill of no number",
    "a step's word beside steps",
    "a policy that is not there",
    "a policy by an absolute path",
    "a key that is none",
    "additions that are none",
    "additions that loosen",
    "not yaml",
    "nothing",
}


def test_its_keys_and_bounds_are_the_reader_s() -> None:
    """Keys, events, limits: one list each."""
    made = suite()
    test = made["properties"]["tests"]["items"]["properties"]
    assert set(made["properties"]) == set(reading._SUITE)
    assert set(test) == {*reading._TEST, *reading._STEP}
    assert set(test["steps"]["items"]["properties"]) == set(reading._STEP)
    bounds = (made["properties"]["tests"]["maxItems"], test["steps"]["maxItems"], test["times"]["maximum"])
    assert bounds == (form.MAX_TESTS, form.MAX_STEPS, form.MAX_TIMES)
    assert tuple(test["then"]["anyOf"][0]["enum"]) == form.AT_ONCE


@pytest.mark.parametrize("name", ROWS)
def test_it_takes_what_runs(name: str) -> None:
    """Every row of the runner's tests is of the schema."""
    steps: list[dict[str, Any]] = ROWS[name][1]
    PUBLISHED.validate({"policykit_test": 1, "tests": [{"name": name, "steps": steps}]})


def test_it_takes_the_manual_s_example_and_init_s() -> None:
    """What users start from is of the schema."""
    (text,) = re.findall(r"```yaml file=mm.test.yaml\n(.*?)```", Path("docs/policy-tests.md").read_text(), re.DOTALL)
    first = first_test(load("examples/quickstart/policy.yaml"), "quickstart", "2026-11-21")
    for said in (text, first):
        PUBLISHED.validate(read(said, "x.test.yaml").data)


@pytest.mark.parametrize("name", sorted(set(WRONG) - RELATIONAL))
def test_it_refuses_what_the_reader_refuses(name: str) -> None:
    """An editor shows the mistake as it is typed."""
    assert not PUBLISHED.is_valid(read(WRONG[name][0], "x.test.yaml").data)
