"""I18: nothing passes for want of data. I21: findings are stable and placed."""

from __future__ import annotations

import copy
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.finding import Finding
from policykit.lint.report import Style, write
from policykit.lint.state import complete, record_of
from policykit.policy import load_text
from policykit.rules import Inputs, catalogue
from policykit.rules.fleet import Card, card
from policykit.rules.stages import STAGES
from policykit.snapshot import from_dict
from policykit.testing.rules.examples import all_examples, policy_text, run, snapshot_data, written
from policykit.traits import load as load_traits
from tests.lint.conftest import NOW_MS, RULES
from tests.lint.test_bad_files import SEEDS, SOURCE

#: A policy that asks about everything a snapshot can tell.
ASKING = (
    (RULES / "policy.yaml")
    .read_text()
    .replace("1.5% of equity", "1500 USDT")
    .replace("withdrawals: {allowlist: required}", "withdrawals: {allowlist: required, addresses: []}")
    .replace("risk:\n", "risk:\n  max_gross_exposure: 20% of equity\n  max_leverage: 3\n  max_open_orders: 5\n")
    .replace("egress: fra-1", "egress: fra-1, position_mode: one_way")
)
#: One row of each list of the account, within every cap.
POSITION = {
    "symbol": "BTC/USDT",
    "side": "long",
    "quantity": "0.01",
    "notional": "900",
    "currency": "USDT",
    "leverage": "1",
    "margin_mode": "cross",
    "mark": "90000",
}
OPEN_ORDER = {
    "symbol": "BTC/USDT",
    "side": "buy",
    "quantity": "0.01",
    "filled": "0",
    "price": "80000",
    "notional": "800",
    "family": "order",
    "reduce_only": False,
}
#: What a journal says that proves everything that the policy asks of it.
RECORD = record_of(json.loads((RULES / "record.json").read_text()))

Completed = tuple[dict[str, Any], tuple[str, ...]]


# ---- I18 -----------------------------------------------------------------------------------------------------------


def _whole() -> dict[str, Any]:
    """Return a snapshot with every field of the format, one row in each list."""
    data = snapshot_data("{}")
    data["keys"][0]["others"] = [{"id": "sha256:77ce01aa93b2", "label": "hedge"}]
    data["account"]["positions"] = [POSITION]
    data["account"]["open_orders"] = [OPEN_ORDER]
    data["errors"] = [{"key": "other", "code": "KEY_REJECTED", "message": "refused"}]
    return data


def _fields(box: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield every field of the format. What is below `raw`, `unknown` and `balances` are names of the exchange."""
    if isinstance(box, dict):
        for name, inner in box.items():
            yield (*path, name)
            if name not in ("raw", "unknown", "balances"):
                yield from _fields(inner, (*path, name))
    elif isinstance(box, list):
        for index, inner in enumerate(box):
            yield from _fields(inner, (*path, index))


def _without(data: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    data = copy.deepcopy(data)
    box: Any = data
    for part in path[:-1]:
        box = box[part]
    del box[path[-1]]
    return data


def _unknown(data: dict[str, Any], completer: Callable[[dict[str, Any]], Completed]) -> list[Finding]:
    whole, missing = completer(data)
    policy = load_text(ASKING)
    inputs = Inputs(
        NOW_MS,
        policy=policy,
        traits=load_traits("binance"),
        snapshot=from_dict(whole),
        missing=missing,
        record=RECORD,
    )
    return [f for entry in catalogue("policy") for f in entry.check(inputs) if f.status == "unknown"]


FIELDS = list(_fields(_whole()))


@pytest.mark.parametrize("path", FIELDS, ids=lambda p: ".".join(map(str, p)))
def test_I18_each_field_removed_gives_unknown_with_a_reason(path: tuple[str | int, ...]) -> None:
    """A snapshot without one of its fields gives UNKNOWN, with a reason and a next step."""
    assert _unknown(_whole(), complete) == [], "the whole snapshot leaves nothing unknown"
    found = _unknown(_without(_whole(), path), complete)
    assert found
    for finding in found:
        assert re.search(r"(could not be read|is not known|was not read at the exchange): .{10,}", finding.message)
        assert finding.next_step


def test_I18_each_fact_of_the_record_removed_gives_unknown_or_a_finding() -> None:
    """A record without one of its facts is unknown, or lacks a stage; one of a stage that never was is refused."""
    whole = json.loads((RULES / "record.json").read_text())

    def found(record: dict[str, Any] | None) -> list[str]:
        inputs = Inputs(NOW_MS, policy=load_text(ASKING), record=None if record is None else record_of(record))
        return [
            f"{f.rule} {f.status}"
            for entry in catalogue("policy")
            for f in entry.check(inputs)
            if "record" in entry.rule.reads
        ]

    paths = [path for path in _fields(whole) if path != ("stages", "full-live") and "full-live" not in path]
    assert found(whole) == []
    assert found(None) == ["PK702 unknown", "PK714 unknown"]
    for path in paths:
        if path[-1] == "since":
            with pytest.raises(ValueError, match="no ISO time"):
                record_of(_without(whole, path))
        else:
            assert len(found(_without(whole, path))) == 1, path
    assert len(paths) == 18


def test_I18_covers_every_field_of_the_format() -> None:
    """The fields above are those of INTERFACE's snapshot: all that the reader knows, and none of them forgotten."""
    names = {".".join("*" if isinstance(p, int) else str(p) for p in path) for path in FIELDS}
    assert len(FIELDS) == len(set(FIELDS)) == 89
    assert {"keys.*.permissions.withdraw", "keys.*.ip_allowlist.restricted", "limits.*.per_ms", "errors.*.key"} < names
    assert {"keys.*.third_party", "account.positions.*.notional", "account.markets.*.active"} < names
    assert complete({})[1] == tuple(name for name in _whole())


def test_I18_control_a_reader_that_assumes_the_best_passes_silently() -> None:
    """Control: a reader that puts the usual value in the place of what is missing shows nothing unknown."""

    def trusting(data: dict[str, Any]) -> Completed:
        def fill(box: Any, usual: Any) -> Any:
            if isinstance(usual, dict) and isinstance(box, dict):
                return {name: fill(box[name], value) if name in box else value for name, value in usual.items()}
            if isinstance(usual, list) and isinstance(box, list):
                return [fill(b, u) for b, u in zip(box, usual, strict=False)]
            return box

        return fill(data, _whole()), ()

    silent = [path for path in FIELDS if not _unknown(_without(_whole(), path), trusting)]
    assert len(silent) == len(FIELDS)


# ---- I21 -----------------------------------------------------------------------------------------------------------

_LINT_ALL = """
import sys
from policykit.lint import Call, Options, lint
from policykit.lint.report import Style, formats, write
ended = lint(Call(("all",), tuple(sys.argv[1:])), Options(1795255200000))
for format in formats():
    sys.stdout.write(write(format, ended.report, Style()))
"""


def _generated(count: int) -> Iterator[str]:
    """Yield policies made of the example's sections: some left out, some given again from rules' bad examples."""
    sections = re.split(r"^(?=[a-z_]+:)", (RULES / "policy.yaml").read_text(), flags=re.MULTILINE)[1:]
    bad = [x.text for _, _, x in all_examples(catalogue("policy"), "Bad") if x.language == "yaml"]
    for seed in range(count):
        rng = random.Random(seed)
        kept = {
            s.partition(":")[0]: s for s in sections if s[:4] in ("poli", "name", "exch", "acco") or rng.random() < 0.8
        }
        for text in rng.sample(bad, 3):
            for part in re.split(r"^(?=[a-z_]+:)", text, flags=re.MULTILINE):
                if part.partition(":")[0] not in ("name", "exchange", "policykit", "account"):
                    kept[part.partition(":")[0]] = part
        body = list(kept.values())
        rng.shuffle(body)
        yield "# a comment\n" * rng.randrange(4) + "".join(part for part in body if part)


def test_I21_same_input_same_bytes(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Processes with other hash seeds, and files made in another order, write the same bytes in every format."""
    texts = list(_generated(tier(200, 5_000)))
    outputs = []
    for turn, hash_seed in enumerate(("0", "12345")):
        top = tmp_path / str(turn)
        (top / "all").mkdir(parents=True)
        for index in sorted(range(len(texts)), reverse=bool(turn)):
            (top / "all" / f"{index:04}.yaml").write_text(texts[index])
        (top / "all" / "bot.py").write_text(SOURCE)
        (top / "s.json").write_bytes(SEEDS["s.json"])
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        outputs.append(
            subprocess.run(
                [sys.executable, "-c", _LINT_ALL, "s.json"], cwd=top, env=environment, capture_output=True, check=True
            ).stdout
        )
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b'"rule": ') > 2 * len(texts)


def test_I21_control_the_time_of_the_run_would_differ() -> None:
    """Control: a report that says how long it took is not the same twice, so it says so only without --now."""
    from policykit.lint.run import Report

    report = Report(NOW_MS)
    assert write("text", report, Style(seconds=0.1)) != write("text", report, Style(seconds=0.2))


def _misplaced(finding: Finding, text: str) -> str | None:
    """Return why a finding's place does not hold what it names, or None: its key, or the section it is missing from."""
    place = finding.primary
    lines = text.split("\n")
    line = lines[place.line - 1]
    span = line[place.column - 1 : place.end_column - 1] if place.end_line == place.line else line[place.column - 1 :]
    names = [part for part in place.path.split(".") if not part.isdigit()]
    if not span.strip():
        return f"{place}: an empty span for {place.path}"
    # A cap that the stage adds stands where the stage is said.
    if span.strip("\"'") in (*names, "exchange", *STAGES):
        return None
    before = "\n".join([*lines[: place.line - 1], line[: place.column - 1]])
    return (
        None if re.search(rf"\b{re.escape(names[-1])}[\"']?:", before) else f"{place}: no `{names[-1]}` before {span!r}"
    )


def test_I21_every_place_holds_the_named_key(tier: Callable[[int, int], int]) -> None:
    """Line and column of each finding hold the key it names, over all examples and generated policies."""
    checked = 0
    for entry, _, example in all_examples(catalogue("policy", "fleet"), "Bad"):
        texts = {"policy.yaml": policy_text(example.text, example.absent)}
        texts |= {name: policy_text(text) for name, text in example.others}
        for finding in run(entry, example):
            assert _misplaced(finding, texts[finding.primary.file]) is None, written(finding)
            checked += 1
    record = record_of({"stages": {"sandbox": {"since": "2026-11-20", "orders": 0}}})
    fleet: list[tuple[str, Card]] = []
    for index, text in enumerate(_generated(tier(200, 5_000))):
        policy = load_text(text, f"{index}.yaml")
        inputs = Inputs(
            NOW_MS, policy=policy, traits=load_traits("binance"), snapshot=from_dict(_whole()), record=record
        )
        fleet.append((text, card(inputs)))
        for entry in catalogue("policy"):
            for finding in entry.check(inputs):
                assert _misplaced(finding, text) is None, written(finding)
                checked += 1
    whole = Inputs(NOW_MS, fleet=tuple(c for _, c in fleet))
    for entry in catalogue("fleet"):
        for finding in entry.check(whole):
            text = fleet[int(finding.primary.file.removesuffix(".yaml"))][0]
            assert _misplaced(finding, text) is None, written(finding)
            checked += 1
    assert checked > 1_000


def test_I21_control_a_place_off_by_one_line_is_noticed() -> None:
    """Control: the check above fails for findings whose line is off by one."""
    text = (RULES / "policy.yaml").read_text().replace("1.5% of equity", "9% of equity")
    inputs = Inputs(NOW_MS, policy=load_text(text), traits=load_traits("binance"))
    finding = next(f for e in catalogue("policy") for f in e.check(inputs) if f.rule == "PK603")
    place = finding.primary
    from dataclasses import replace

    assert _misplaced(finding, text) is None
    moved = replace(finding, primary=place._replace(line=place.line - 2, end_line=place.end_line - 2))
    assert _misplaced(moved, text) is not None
