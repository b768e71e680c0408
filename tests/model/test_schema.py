"""The published schemas: made from the code, and true of what the code takes and writes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policykit.cli.__main__ import main
from policykit.decision import Decision, Reason
from policykit.finding import Finding, Observed
from policykit.model import Policy
from policykit.model.schema import NAMES, schema
from policykit.order import Order
from policykit.place import Place
from policykit.policy.load import check
from policykit.snapshot import KeyReport, Snapshot, to_dict
from policykit.source import read, read_file
from tests.policy.documents import BASELINE, EXAMPLE, POOL, TOP, changed, paths, random_policy, text_of

SEEDS = [read_file(EXAMPLE).data, read_file(BASELINE).data]
SEEDS += [random_policy(random.Random(seed)) for seed in range(12)]


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Any:
    """JSON Schema's patterns are ECMA's: `$` is the end of the text, not the last line end before it."""
    import re

    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield jsonschema.ValidationError(f"does not match {pattern}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
PUBLISHED = Validator(schema("policy"))


@pytest.mark.parametrize("name", NAMES)
def test_the_published_schema_is_the_codes(name: str) -> None:
    """schemas/NAME.schema.json is what `policykit schema NAME` prints, and is a schema."""
    text = (TOP / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == schema(name)
    assert text == json.dumps(schema(name), indent=2) + "\n"
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_schema_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`policykit schema NAME` prints the schema; another name is a wrong call."""
    assert main(["schema", "decision"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("decision")
    assert main(["schema", "nothing"]) == 2


def accepted(document: Any) -> bool:
    """Say whether the loader takes a document on its own: no PK0 finding of its form."""
    _, model, findings = check(read(text_of(document), "p.yaml"))
    return model is not None and all(f.rule == "PK013" for f in findings)


MUTATION = st.tuples(
    st.integers(0, 10_000),
    st.one_of(st.just(...), st.sampled_from(POOL), st.text(max_size=6), st.integers()),
    st.booleans(),
)


def mutated(seed: int, mutations: list[tuple[int, Any, bool]]) -> Any:
    """Return one of the seeds with values replaced, taken out, or (under an unknown key) added."""
    document: Any = SEEDS[seed]
    for at, value, add in mutations:
        found = paths(document)
        path = found[at % len(found)]
        holder = document
        for step in path:
            holder = holder[step]
        if add and isinstance(holder, dict) and value is not ...:
            document = changed(document, (*path, "extra" if at % 2 else "default"), value)
        else:
            document = changed(document, path, value)
    return document


def disagreement(document: Any, validator: Any) -> str:
    """Return how schema and loader differ on a document; "" when they agree."""
    by_schema, by_model = validator.is_valid(document), accepted(document)
    return "" if by_schema == by_model else f"schema {by_schema}, model {by_model}"


def test_I22_schema_and_model_take_the_same_documents(tier: Callable[[int, int], int]) -> None:
    """A document is valid by the published schema if and only if the loader has no finding about its form."""
    seen = {True: 0, False: 0}

    @settings(
        max_examples=tier(500, 10_000),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, len(SEEDS) - 1), mutations=st.lists(MUTATION, min_size=0, max_size=2))
    def run(seed: int, mutations: list[tuple[int, Any, bool]]) -> None:
        document = mutated(seed, mutations)
        assert disagreement(document, PUBLISHED) == "", document
        seen[PUBLISHED.is_valid(document)] += 1

    run()
    assert min(seen.values()) > 30, seen


def test_I22_every_value_of_the_pool_at_every_path_agrees() -> None:
    """The same at every path of the example: an eighth of the near misses in place of each value, and taken out."""
    document = SEEDS[0]
    wrong = []
    for index, path in enumerate(paths(document)):
        for value in (*POOL[index % 8 :: 8], ...):
            other = changed(document, path, value)
            by_schema = PUBLISHED.is_valid(other)
            try:
                Policy.model_validate(other)
                by_model = value is not None
            except ValidationError:
                by_model = False
            if by_schema != by_model:
                wrong.append((path, value, by_schema))
    assert wrong == []


def test_I22_the_check_can_fail() -> None:
    """A schema that lost one pattern, one bound or one closed section is found out by the same check."""
    for where in ("Account", "Risk"):
        looser = json.loads(json.dumps(schema("policy")))
        looser["$defs"][where]["additionalProperties"] = True
        document = changed(SEEDS[0], ("account" if where == "Account" else "risk", "extra"), 1)
        assert disagreement(document, Validator(looser)) == "schema True, model False"
        assert disagreement(document, PUBLISHED) == ""


def test_editors_see_what_a_field_means() -> None:
    """The schema carries the sentence, the direction and the guide number of a field."""
    cap = schema("policy")["$defs"]["Risk"]["properties"]["max_order_notional"]
    assert cap["description"] == "The largest notional of one order. Stricter: lower. (G33)"
    assert "null" not in json.dumps(schema("policy"))


def test_a_decision_is_as_its_schema_says() -> None:
    """What the library writes of a decision is valid by the published schema."""
    decision = Decision(
        id="01J",
        outcome="deny",
        mode="enforce",
        action="order.create",
        order=Order("BTC/USDT", "buy", "limit", Decimal("0.5"), Decimal(60_000), client_order_id="a"),
        policy_name="mm",
        policy_version="sha256:0123456789ab",
        bot="mm-1",
        at_ms=0,
        reasons=(Reason("RISK_ORDER_NOTIONAL", "risk.max_order_notional", "m", "30000", "1500", "USDT", Place("p")),),
    )
    Validator(schema("decision")).validate(json.loads(json.dumps(decision.to_dict())))
    with pytest.raises(jsonschema.ValidationError):
        Validator(schema("decision")).validate(decision.to_dict() | {"outcome": "maybe"})


def test_a_finding_is_as_the_report_schema_says() -> None:
    """A finding inside a report is valid by the published schema, with and without what was observed."""
    observed = Observed("binance", "GET /x", "a", True, "2026-11-21T10:00:00Z", 0.4)
    rows = [
        Finding("PK101", "withdraw-scope", "critical", "m", Place("p", 1, 2, 3, 4, "keys"), guide=("G04",)),
        Finding("PK101", "withdraw-scope", "critical", "m", Place("p"), observed=observed),
    ]
    summary = {"files": 1, "open": 2, "unknown": 0, "declared": 0, "waived": 0}
    report = {"version": 1, "now": "2026-11-21T10:00:00Z", "summary": summary, "findings": [r.to_dict() for r in rows]}
    Validator(schema("lint-report")).validate(report)


def test_a_snapshot_is_as_its_schema_says() -> None:
    """What is written of a snapshot is valid by the published schema."""
    key = KeyReport("mm", "sha256:3f9a01c2d4e5", {"read": "granted"}, endpoint="GET /x", at="2026-11-21T10:00:00Z")
    snapshot = Snapshot(
        "2026-11-21T10:00:00Z", "binance", keys=[key], errors=[{"key": "a", "code": "X", "message": "m"}]
    )
    Validator(schema("snapshot")).validate(json.loads(json.dumps(to_dict(snapshot))))
