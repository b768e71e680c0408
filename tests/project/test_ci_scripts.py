"""The scripts of `.ci`: set-up names the package that failed, the gate can fail, stages all run, a bench can miss."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench import __main__ as bench_main
from bench import _harness as harness

PIP_NOT_FOUND = [
    "Collecting rich==15.0.0",
    "ERROR: Could not find a version that satisfies the requirement ccxt==4.5.90 (from versions: none)",
    "ERROR: No matching distribution found for ccxt==4.5.90",
]
PIP_WRONG_HASH = [
    "Collecting rich==15.0.0",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...",
    "    idna==3.18 from (somewhere) (from -r requirements/dev.txt (line 1)):",
]
PIP_CUT = ["Collecting rich==15.0.0", "Collecting mypy==2.4.1", "ERROR: Could not install packages due to an OSError"]


def script(top: Path, name: str) -> ModuleType:
    """Load a script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", top / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lines", "package"),
    [
        (PIP_NOT_FOUND, "ccxt==4.5.90"),
        (PIP_WRONG_HASH, "idna==3.18"),
        (PIP_CUT, "mypy==2.4.1"),
        (["ERROR: no idea"], "a package"),
    ],
)
def test_a_failed_download_says_which_package(lines: list[str], package: str, top: Path) -> None:
    """Whatever way pip failed, the package it was at is named."""
    assert script(top, "setup").failed_package(lines) == package


def test_an_old_python_is_told_plainly(
    top: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under 3.11 set-up stops with the version that is there and the ones that are needed."""
    setup = script(top, "setup")
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit) as caught:
        setup.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "set-up: python3 is 3.9; 3.11 to 3.14 is needed; install one and run: make PYTHON=python3.12 ...\n"
    )


def coverage_of(file: str, covered: int, total: int) -> dict[str, object]:
    """Return what coverage's JSON report says of one file."""
    summary = {"covered_lines": covered, "covered_branches": 0, "num_statements": total, "num_branches": 0}
    return {"files": {file: {"summary": summary, "missing_lines": [7], "missing_branches": []}}}


@pytest.mark.parametrize(
    ("covered", "code", "text"),
    [
        (9, 1, "orders        90.00 %  gate   100 %  UNDER\n    policykit/orders/a.py: lines [7], branches []\n"),
        (10, 0, "orders       100.00 %  gate   100 %  \n"),
    ],
)
def test_the_coverage_gate_can_fail(
    covered: int, code: int, text: str, top: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A room under its gate fails and names the lines that were missed."""
    gate = script(top, "coverage_gate")
    gate.TOP = tmp_path
    (tmp_path / "pyproject.toml").write_text("[tool.policykit.coverage]\ndefault = 90\norders = 100\n")
    (tmp_path / "c.json").write_text(json.dumps(coverage_of("policykit/orders/a.py", covered, 10)))
    assert gate.main("c.json") == code
    assert capsys.readouterr().out == text


def test_every_stage_runs_and_one_failure_fails(
    top: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failed stage does not hide what the later ones would say."""
    stages = script(top, "stages")
    monkeypatch.setattr(stages, "TOP", tmp_path)
    good = stages.Stage("good", (sys.executable, "-c", "print('ran', flush=True)"))
    bad = stages.Stage("bad", (sys.executable, "-c", "raise SystemExit(1)"))
    assert stages.run((bad, good)) == 1
    shown = capfd.readouterr().out
    assert "\nran\n" in shown
    assert [line.split()[-1] for line in shown.split("== summary\n")[1].splitlines()[:2]] == ["FAILED", "passed"]
    assert stages.run((good,)) == 0


def test_a_bench_row_can_be_missed() -> None:
    """A row is met at its goal and missed above it, or below for rates."""
    figures = {"floor": [1.0, 2.0, 4.0], "ours": [3.0, 4.0, 8.0]}
    assert harness.ratio(figures, "ours", "floor") == 2.0
    assert harness.row("x", figures, "ours", "floor", 2.0).met
    assert not harness.row("x", figures, "ours", "floor", 1.9).met
    assert not harness.Row("x", 12.0, 11.0, "x yamllint", 0.1, at_least=True).met
    assert bench_main.line(harness.row("x", figures, "ours", "floor", 1.9)).endswith("NOT MET")


def test_a_bench_measures_what_runs() -> None:
    """Twice the work is measured as more time in the same round."""
    figures = harness.interleave(
        {"one": lambda: sum(range(200)), "ten": lambda: sum(range(2000))}, rounds=3, budget_s=0.002
    )
    assert [len(v) for v in figures.values()] == [3, 3]
    assert harness.ratio(figures, "ten", "one") > 2.0


def test_a_wrong_bench_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is no bench is a wrong call."""
    assert bench_main.main(["nosuch"]) == 2
    assert capsys.readouterr().err.startswith("bench: 'nosuch' is no bench; one of cold")


def test_requirements_are_pinned_and_hashed(top: Path) -> None:
    """Each line of requirements/dev.txt has one version and at least one hash, and all that dev.in names are there."""
    text = (top / "requirements" / "dev.txt").read_text()
    blocks = [b for b in text.replace("\\\n", " ").splitlines() if b.strip() and not b.startswith("#")]
    assert [b for b in blocks if "==" not in b.split()[0] or "--hash=sha256:" not in b] == []
    pinned = {b.split("==")[0].lower().replace("_", "-").replace(".", "-") for b in blocks}
    named = (top / "requirements" / "dev.in").read_text().splitlines()
    asked = {n.strip().lower().replace(".", "-") for n in named if n.strip() and not n.startswith("#")}
    assert asked - pinned == set()
