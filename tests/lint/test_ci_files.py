"""The files for CI say what the command says: options, exit codes, paths. `make verify` runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from policykit.cli.lint import command
from policykit.lint.report import formats

TOP = Path(__file__).parent.parent.parent
CI = TOP / "examples" / "ci"


def _yaml(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def test_action_passes_inputs_by_environment_only() -> None:
    """No expression stands in a script, where an input could become a command; every input and output is documented."""
    action = _yaml(TOP / "action.yml")
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2
    assert not [script for script in scripts if "${{" in script]
    assert action["inputs"]["sarif"]["default"] == "false"
    for name in action["inputs"]:
        used = (TOP / "action.yml").read_text().count(f"inputs.{name}")
        assert used == 1, name
    assert all(part["description"] for part in (*action["inputs"].values(), *action["outputs"].values()))


@pytest.mark.parametrize("file", [TOP / "action.yml", CI / "github.yml", CI / "github-diff.yml"], ids=lambda f: f.name)
def test_foreign_actions_are_pinned_by_hash(file: Path) -> None:
    """A tag can be moved; a hash cannot."""
    uses = re.findall(r"uses: (\S+)(.*)", file.read_text())
    assert uses
    for name, comment in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name), name
        assert re.fullmatch(r" # (v\d+\.\d+\.\d+|where policykit is kept, at a commit)", comment), name


@pytest.mark.parametrize("file", [TOP / "action.yml", *sorted(CI.iterdir())], ids=lambda f: f.name)
def test_commands_in_files_for_ci_can_be_called(file: Path) -> None:
    """Every option and format that they name is one of `policykit lint`."""
    options = {option for parameter in command.params for option in parameter.opts}
    lines = [line for line in file.read_text().splitlines() if "policykit lint" in line or "--format" in line]
    for line in lines:
        assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= options, line
        assert set(re.findall(r"--format (\w+)", line)) <= set(formats()), line


def test_hook_lints_the_policies_together() -> None:
    """The hook is not given single files, because rules compare policies; it runs when one of them changes."""
    (hook,) = _yaml(TOP / ".pre-commit-hooks.yaml")
    assert (hook["id"], hook["entry"], hook["pass_filenames"]) == ("policykit-lint", "policykit lint", False)
    assert re.search(hook["files"], "policies/stages/micro.yaml")
    assert not re.search(hook["files"], "docs/policies.yaml")
    (repo,) = _yaml(CI / "pre-commit-config.yaml")["repos"]
    assert [h["id"] for h in repo["hooks"]] == [hook["id"]]


def test_gitlab_reports_are_what_the_command_writes() -> None:
    """The files that GitLab collects are those that the script writes, in the format of their report."""
    job = _yaml(CI / "gitlab.yml")["policykit lint"]
    written = dict(re.findall(r"--format (\w+) --output (\S+)", "\n".join(job["script"])))
    reports = job["artifacts"]["reports"]
    assert written == {"gitlab": reports["codequality"], "junit": reports["junit"]}
    assert "||" not in job["script"][-1]  # the last call decides
