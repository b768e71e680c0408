"""`policykit show`: what is in force, in YAML that loads again, with the origin of every value."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.policy import load, load_text
from policykit.policy.page import page
from policykit.policy.show import as_json, as_yaml, scalar
from policykit.source import read
from tests.policy.documents import BASELINE, EXAMPLE, TOP, random_policy, text_of

CHILD = """\
policykit: 1
name: c
extends: [baseline.yaml]
exchange: binance
account: {name: main, currency: USDT}
risk:
  max_order_notional: [500 USDT]
  max_position_notional: {BTC/USDT: 5% of equity}
stage: {current: micro-live}
"""


def test_show_prints_origins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each value stands beside the file and line that says it: this file, what it extends, its stage, or a default."""
    (tmp_path / "baseline.yaml").write_bytes(BASELINE.read_bytes())
    (tmp_path / "c.yaml").write_text(CHILD)
    monkeypatch.chdir(tmp_path)
    assert main(["show", "c.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"# c {load('c.yaml').version}"
    assert lines[1:3] == ["# files: c.yaml, baseline.yaml", "# tightened by its stage, micro-live"]
    said = {line.split("#")[0].strip(): line.rpartition("# ")[2] for line in lines[3:] if "#" in line}
    assert {key: said[key] for key in WANTED} == WANTED


WANTED = {
    "name: c": "c.yaml:2",
    "currency: USDT": "c.yaml:5",
    "environment: live": "default",
    "max_order_notional: [0.1% of equity, 500 USDT]": "c.yaml:9",
    "default: 0.1% of equity": "c.yaml:9",
    "BTC/USDT: 0.1% of equity": "c.yaml:9",
    "max_open_orders: 50": "baseline.yaml:20",
    "evidence: journal": "default",
    "current: micro-live": "c.yaml:9",
}


def test_json_has_the_same_and_the_origins(capsys: pytest.CaptureFixture[str]) -> None:
    """`--format json` gives policy, version, files and the origin of each value by dotted path."""
    assert main(["show", str(EXAMPLE), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["policy_version"] == load(EXAMPLE).version
    assert shown["policy"]["risk"]["max_order_notional"] == "1.5% of equity"
    assert shown["origins"]["risk.max_order_notional"] == f"{EXAMPLE}:32"
    assert shown["origins"]["stage.evidence"] == "default"
    assert shown["files"] == [str(EXAMPLE), str(BASELINE)]


def test_show_at_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """`--stage` shows the caps of another stage, from the line that names the stage."""
    assert main(["show", str(EXAMPLE), "--stage", "small-live"]) == 0
    assert "  max_order_notional: 0.15% of equity" in capsys.readouterr().out


def test_a_policy_that_does_not_load_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken policy ends in its findings and exit code 2."""
    (tmp_path / "p.yaml").write_text("policykit: 1\n")
    assert main(["show", str(tmp_path / "p.yaml")]) == 2
    out = capsys.readouterr()
    assert (out.out, out.err) == (
        "",
        (
            f"policykit: {tmp_path}/p.yaml:1:1: there is no `name`; `name: ...` is needed here, "
            'a name of letters, digits, ".", "_", "-"\n'
        ),
    )


def test_what_is_shown_loads_to_the_same_version() -> None:
    """The YAML of any policy, and its JSON, load again to the same version (small-live would take its tenth again)."""
    draw = random.Random(3)
    for _ in range(150):
        one = load_text(text_of(random_policy(draw)))
        if one.model.stage is not None and one.model.stage.current == "small-live":
            continue
        assert load_text(as_yaml(one)).version == one.version
        assert load_text(json.dumps(json.loads(as_json(one))["policy"])).version == one.version
    full = load(EXAMPLE)
    assert load_text(as_yaml(full)).version == full.version


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "1.5",
        "12:30",
        "a b",
        "a: b",
        "# x",
        "",
        "é",
        '"',
        "'",
        "*a",
        "-",
        "null",
        "BTC/USDT",
        "5%",
        " x",
        True,
        7,
    ],
)
def test_a_written_scalar_reads_the_same(value: object) -> None:
    """What `show` writes, the strict reader reads as the same value: quoted exactly where it must be."""
    doc = read(f"a: [{scalar(value)}]", "p")
    assert (doc.data, doc.findings) == ({"a": [value]}, [])


def test_the_page_of_the_language_is_the_models() -> None:
    """docs/language.md is what `make docs` writes."""
    assert (TOP / "docs" / "language.md").read_text(encoding="utf-8") == page()
