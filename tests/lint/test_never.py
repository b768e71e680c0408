"""Lint and invariants: what was proved is counted, what escapes is found, and what lint prints the loader raises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.errors import PolicyError
from policykit.policy import load

TOP = Path(__file__).resolve().parent.parent.parent
NOW = ["--now", "2026-11-21"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the example of an organisation, and what it extends."""
    shutil.copytree(TOP / "examples" / "organisation", tmp_path / "examples" / "organisation")
    (tmp_path / "policies").mkdir()
    shutil.copy(TOP / "policies" / "baseline.yaml", tmp_path / "policies")
    monkeypatch.chdir(tmp_path / "examples" / "organisation")
    return tmp_path / "examples" / "organisation"


def test_what_was_proved_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example is clean, and its summary says how many invariants were proved, of what, at how many stages."""
    assert main(["lint", ".", *NOW]) == 0
    assert "10 invariants proved over 1 policy at 5 stages" in capsys.readouterr().out
    assert main(["lint", ".", *NOW, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["invariants"] == {"proved": 10, "policies": 1, "stages": 5}


def test_where_there_are_none_nothing_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without invariants the report is what it was."""
    text = (folder / "organisation.yaml").read_text()
    (folder / "organisation.yaml").write_text(text[: text.index("never:")] + text[text.index("waivable:") :])
    assert main(["lint", ".", *NOW, "--format", "json"]) == 0
    assert "invariants" not in json.loads(capsys.readouterr().out)["summary"]


def test_I22_a_broken_invariant_ends_lint_with_2_and_no_guard_starts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One judge for both roads: lint prints the finding that the loader raises, and no option leaves it out."""
    policy = folder / "market-maker.yaml"
    policy.write_text(policy.read_text().replace("scopes: [read, trade.spot]", "scopes: [read, trade]"))
    assert main(["lint", "market-maker.yaml", *NOW, "--ignore", "PK0", "--format", "concise"]) == 2
    out = capsys.readouterr().out
    assert "PK024" in out
    with pytest.raises(PolicyError) as error:
        load("market-maker.yaml")
    (found,) = error.value.findings
    assert found.message in out
    assert found.message.startswith("key mm-exec has trade, and organisation.yaml:11:5 says never: ")


def test_a_policy_that_extends_nothing_escapes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is found beside the file that it does not extend, and a waiver at `extends` accepts that."""
    policy = folder / "other.yaml"
    text = (folder / "market-maker.yaml").read_text().replace("organisation.yaml", "../../policies/baseline.yaml")
    policy.write_text(text.replace("name: binance-market-maker", "name: other").replace("mm-exec", "other-exec"))
    assert main(["lint", ".", *NOW, "--select", "PK726", "--format", "concise"]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "PK726" in line] == [
        "other.yaml:5:10: medium[PK726 invariants-escaped] this policy does not extend organisation.yaml, which says "  # noqa: ISC004
        "what must never be"
    ]
    waiver = "{rule: PK726, at: extends, owner: desk-a, ticket: OPS-1, reason: 'a trial', expires: 2026-12-01}"
    waivable = (folder.parent.parent / "policies" / "baseline.yaml").read_text()
    (folder.parent.parent / "policies" / "baseline.yaml").write_text(
        waivable.replace("waivable: [PK103", "waivable: [PK726, PK103")
    )
    policy.write_text(policy.read_text().replace("waivers:\n", f"waivers:\n  - {waiver}\n"))
    assert main(["lint", ".", *NOW, "--select", "PK726", "--format", "concise"]) == 0
