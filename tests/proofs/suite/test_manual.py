"""docs/policy-tests.md: its example runs and reads as it says, and it names every key of the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.proofs.suite import form
from policykit.proofs.suite.reading import _STEP, _SUITE

PAGE = Path("docs/policy-tests.md")


def test_the_example_runs_and_a_loosened_cap_fails_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two files pass with the words of the page; with 2 % in the place of 1.5 % it shows what is on the page."""
    text = PAGE.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    for name, said in re.findall(r"```yaml file=(\S+)\n(.*?)```", text, re.DOTALL):
        (tmp_path / "policies" / name).write_text(said)
    assert main(["test", "policies"]) == 0
    assert _timeless(capsys.readouterr().out) in _timeless(text)
    policy = tmp_path / "policies" / "mm.yaml"
    policy.write_text(policy.read_text().replace("1.5% of equity", "2% of equity"))
    assert main(["test", "policies"]) == 1
    failed = capsys.readouterr().out
    assert failed[: failed.index("\n\n")] in text


def _timeless(text: str) -> str:
    return re.sub(r" in [0-9.]+ s: ", " in T: ", text)


def test_every_key_is_on_the_page() -> None:
    """Keys of the file and of a step stand in its tables, and the limits are the code's."""
    text = PAGE.read_text("utf-8")
    cells = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert {name for name in (*_SUITE, *_STEP) if f"`{name}`" not in cells} == set()
    assert f"at most {form.MAX_TESTS:,} |" in text
    assert f"(at most {form.MAX_STEPS:,})" in text
    assert form.DEFAULT_NOW in text
