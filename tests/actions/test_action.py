"""The action and its example say what the command and the script say, and no input becomes a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

TOP = Path(__file__).resolve().parents[2]
ACTION = TOP / "actions" / "diff" / "action.yml"


def _yaml(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def test_inputs_come_by_the_environment_only() -> None:
    """No expression stands in a script; every input is described and used, every output is described."""
    action = _yaml(ACTION)
    scripts = [step["run"] for step in action["runs"]["steps"]]
    assert len(scripts) == 3
    assert not [script for script in scripts if "${{" in script]
    for name in action["inputs"]:
        assert f"inputs.{name}" in ACTION.read_text(), name
    assert all(part["description"] for part in (*action["inputs"].values(), *action["outputs"].values()))


def test_the_example_uses_inputs_and_rights_that_there_are() -> None:
    """It asks for no more than to read the code and to write the comment."""
    workflow = _yaml(TOP / "examples" / "ci" / "github-diff.yml")
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    used = job["steps"][-1]
    assert used["uses"].partition("@")[0].endswith("/actions/diff")
    assert used["with"].keys() <= _yaml(ACTION)["inputs"].keys()
    assert "pull_request_target" not in workflow["on"]
