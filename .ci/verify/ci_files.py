"""Prove the files for CI: by their schemas, by zizmor, and by a commit hook that runs as a user's would.

pre-commit builds the hook from this repository as it does from any other: a clone, an environment of its own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from ruamel.yaml import YAML

TOP = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
VENV = TOP / ".make" / "verify"
REQUIREMENTS = HERE / "requirements.txt"
SECONDS = 600
SHOWN = 2_000  # characters of what a failed command said
ACTIONS = ("action.yml", "actions/diff/action.yml")
WORKFLOWS = ("examples/ci/github.yml", "examples/ci/github-diff.yml")
CHECKS = (
    ("the actions by their schema", ("check-jsonschema", "--builtin-schema", "vendor.github-actions", *ACTIONS)),
    ("GitHub's examples", ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)),
    ("GitLab's example", ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "examples/ci/gitlab.yml")),
    ("the hook by pre-commit", ("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")),
    ("the hook's example", ("pre-commit", "validate-config", "examples/ci/pre-commit-config.yaml")),
    ("zizmor, offline", ("zizmor", "--offline", "--no-progress", *ACTIONS, *WORKFLOWS)),
)


def run(command: tuple[str, ...], folder: Path = TOP) -> subprocess.CompletedProcess[str]:
    """Run a tool of .make/verify."""
    environment = {**os.environ, "PRE_COMMIT_HOME": str(VENV / "pre-commit"), "NO_COLOR": "1"}
    return subprocess.run(
        (str(VENV / "bin" / command[0]), *command[1:]),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def install() -> bool:
    """Make .make/verify from the pinned, hash-checked requirements; nothing to do when it stands."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = VENV / "policykit.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    venv.create(VENV, clear=True, with_pip=True)
    command = ("python", "-m", "pip", "--disable-pip-version-check", "install", "-q", "--require-hashes")
    done = run((*command, "-r", str(REQUIREMENTS)))
    if done.returncode == 0:
        stamp.write_text(wanted)
    else:
        print(f"ci files: pip ended with {done.returncode}; is an index reachable?", file=sys.stderr)
    return done.returncode == 0


def expect(what: str, command: tuple[str, ...], *, code: int = 0, says: str = "", folder: Path = TOP) -> bool:
    """Run a command and say whether it ended as expected."""
    done = run(command, folder)
    right = done.returncode == code and says in done.stdout
    print(f"ci files: {what}: {'yes' if right else 'NO'}", flush=True)
    if not right:
        print(f"  exit code {done.returncode}\n{(done.stdout + done.stderr)[-SHOWN:]}")
    return right


def hook() -> bool:
    """Run the hook in a repository of a user's: it passes a clean policy and refuses one that is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        file = folder / "policies" / "policy.yaml"
        file.write_text((TOP / "policykit" / "testing" / "rules" / "policy.yaml").read_text())
        subprocess.run(("git", "init", "-q"), cwd=folder, check=True)
        subprocess.run(("git", "add", "."), cwd=folder, check=True)
        command = ("pre-commit", "try-repo", str(TOP), "policykit-lint", "--ref", "HEAD", "--all-files", "--verbose")
        clean = expect("the hook passes a clean policy", command, says="no findings", folder=folder)
        file.write_text(file.read_text().replace("[read, trade.spot]", "[read, withdraw]"))
        subprocess.run(("git", "add", "."), cwd=folder, check=True)
        return clean and expect("the hook refuses one that withdraws", command, code=1, says="PK101", folder=folder)


def action() -> bool:
    """Run the steps of action.yml as a runner does, but for the upload: on a clean policy, then on one that is not."""
    steps = YAML(typ="safe").load((TOP / "action.yml").read_text())["runs"]["steps"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        file = folder / "policies" / "policy.yaml"
        file.write_text((TOP / "policykit" / "testing" / "rules" / "policy.yaml").read_text())
        files = {"GITHUB_OUTPUT": folder / "output", "GITHUB_STEP_SUMMARY": folder / "summary.md"}
        runner = {
            "RUNNER_TEMP": name,
            "GITHUB_ACTION_PATH": str(TOP),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": name,
        }
        asked = {"PYTHON": sys.executable, "PATHS": "policies/", "ARGS": "--fail-on high"}
        environment = {**os.environ, **runner, **asked, **{k: str(v) for k, v in files.items()}}
        ends = [_step(step["run"], folder, environment) for step in steps if "run" in step]
        clean = files["GITHUB_OUTPUT"].read_text() == f"sarif-file={name}/policykit.sarif\nexit-code=0\n"
        file.write_text(file.read_text().replace("[read, trade.spot]", "[read, withdraw]"))
        code, said = _step(steps[1]["run"], folder, environment)
        marked = (
            "::error file=policies/policy.yaml,line=11," in said and "PK101" in files["GITHUB_STEP_SUMMARY"].read_text()
        )
        right = [code for code, _ in ends] == [0, 0] and clean and code == 1 and marked
    print(
        f"ci files: the steps of action.yml pass a clean policy and mark one that withdraws: {'yes' if right else 'NO'}"
    )
    if not right:
        print(f"  {ends}\n  {code} {said[-SHOWN:]}")
    return right


def _step(script: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a step as GitHub's runner runs `shell: bash`; return its exit code and output."""
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Prove every file; 0 when all is as expected."""
    if not install():
        return 1
    right = [expect(what, command) for what, command in CHECKS]
    return 0 if all([*right, action(), hook()]) else 1


if __name__ == "__main__":
    sys.exit(main())
