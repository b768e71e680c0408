"""Run the stages of `make test`, `make prove` and `make verify`, and end with a summary: seconds, passed or failed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent
BIN = TOP / ".venv" / "bin"
PYTEST = ("pytest", "-q", "-n", "2", "--dist", "worksteal")


class Stage(NamedTuple):
    """One command; `env` is added to the environment."""

    name: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a tool of .venv."""
    return (str(BIN / name), *arguments)


CODE = ("policykit", "tests", "bench", ".ci", "examples")
PUBLIC_API_TYPES = "tests/project/public_api_types.py"

TEST = (
    Stage("ruff check", tool("ruff", "check", "-q", *CODE)),
    Stage("ruff format", tool("ruff", "format", "-q", "--check", *CODE)),
    Stage("mypy --strict", tool("mypy", "--strict", "-p", "policykit")),
    Stage("public API types", tool("mypy", "--strict", PUBLIC_API_TYPES)),
    Stage("layers", tool("lint-imports", "--no-logo")),
    Stage("bandit", tool("bandit", "-q", "-c", "pyproject.toml", "-r", "policykit")),
    Stage(
        "pytest",
        tool(
            *PYTEST,
            "--cov",
            "--cov-report=json:.make/coverage.json",
            "--cov-report=",
        ),
    ),
    Stage("coverage gate", tool("python", ".ci/coverage_gate.py", ".make/coverage.json")),
)
PROVE = (Stage("prove", tool(*PYTEST, "-m", "prove"), (("POLICYKIT_PROVE", "1"),)),)
#: Programs of the machine that `make verify` would use, and for what.
VERIFY_PROGRAMS = {
    "node": "the page's script (no page in this version)",
    "promtool": "exported Prometheus rules (not exported in this version)",
    "chromium": "the page in a browser (no page in this version)",
}


def run(stages: tuple[Stage, ...]) -> int:
    """Run every stage, also after a failed one; return 1 if any failed."""
    (TOP / ".make").mkdir(exist_ok=True)
    rows: list[tuple[str, float, bool]] = []
    for stage in stages:
        print(f"== {stage.name}", flush=True)
        started = time.monotonic()
        existing = [a for a in stage.command if a not in CODE or (TOP / a).exists()]
        ok = subprocess.run(existing, cwd=TOP, env={**os.environ, **dict(stage.env)}, check=False).returncode == 0
        rows.append((stage.name, time.monotonic() - started, ok))
    print("\n== summary")
    for name, seconds, ok in rows:
        print(f"{name:20}{seconds:8.1f} s  {'passed' if ok else 'FAILED'}")
    print(f"{'all stages':20}{sum(row[1] for row in rows):8.1f} s", flush=True)
    return 0 if all(row[2] for row in rows) else 1


def verify() -> int:
    """Run `test` and `bench`, and name what was not run."""
    code = run((*TEST, Stage("bench", tool("python", "-m", "bench"))))
    print("\n== not run")
    for program, purpose in VERIFY_PROGRAMS.items():
        state = "installed, but nothing uses it yet" if shutil.which(program) else "not installed"
        print(f"{program:12}{state}: {purpose}")
    print("prove       N figures of docs/reliability.md: make prove")
    return code


def main(arguments: list[str]) -> int:
    """Run what is named: test, prove or verify."""
    match arguments:
        case ["test"]:
            return run(TEST)
        case ["prove"]:
            return run(PROVE)
        case ["verify"]:
            return verify()
    print("stages.py: test, prove or verify is needed", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
