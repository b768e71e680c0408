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
#: One process more than the cores that are meant: a third of the time a test waits for a disk, a server or a process.
PYTEST = ("pytest", "-q", "-n", "3", "--dist", "worksteal")


class Stage(NamedTuple):
    """One command; `env` is added to the environment."""

    name: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a tool of .venv."""
    return (str(BIN / name), *arguments)


CODE = ("policykit", "tests", "bench", ".ci", "examples", "dashboards", "actions")
PUBLIC_API_TYPES = "tests/project/public_api_types.py"

TEST = (
    Stage("ruff check", tool("ruff", "check", "-q", *CODE)),
    Stage("ruff format", tool("ruff", "format", "-q", "--check", *CODE)),
    Stage("mypy --strict", tool("mypy", "--strict", "-p", "policykit", "-p", "dashboards")),
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
PROVE = (
    Stage("prove", tool(*PYTEST, "-m", "prove"), (("POLICYKIT_PROVE", "1"),)),
    # I20: half an hour of inputs that coverage guides.
    Stage("fuzz", tool("python", "tests/project/fuzz.py", "--seconds", "1800")),
    # I24: of each room so many mutants, drawn with a fixed seed; none starts after 20 minutes (the store's: an hour).
    *(
        Stage(
            f"mutation of {room}",
            tool("python", "tests/project/mutation.py", "--room", room, "--sample", count, "--seconds", seconds),
        )
        for room, count, seconds in (
            ("rules", "1000", "1200"),
            ("engine", "400", "1200"),
            ("orders", "200", "1200"),
            ("store", "400", "3600"),
        )
    ),
)
#: Five exchanges, 20 keys, 500 open orders: in at most 1.5 times what limits and answering times allow.
DRILL = ("incident", "drill", "--by", "make-verify", "--store", "memory:")
#: What `make verify` adds, each with the programs of the machine that it needs; they install what else they use into
#: .make, pinned and checked by hash.
VERIFY = (
    (Stage("bench", tool("python", "-m", "bench")), ()),
    (Stage("YAML test suite", tool("python", ".ci/verify/yaml_suite.py")), ("node", "npm")),
    (Stage("SARIF Multitool", tool("python", ".ci/verify/sarif.py")), ("node", "npm")),
    (Stage("YAML language server", tool("python", ".ci/verify/editor.py")), ("node", "npm")),
    (Stage("policykit lsp in Neovim", tool("python", ".ci/verify/neovim.py")), ("nvim",)),
    (Stage("files for CI", tool("python", ".ci/verify/ci_files.py")), ("git", "bash")),
    (Stage("two versions, one store", tool("python", ".ci/verify/versions.py")), ("git",)),
    (Stage("release, twice", tool("python", ".ci/verify/release.py")), ("git",)),
    (Stage("signatures", tool("python", ".ci/verify/signatures.py")), ("ssh-keygen",)),
    (Stage("incident drill", tool("python", "-m", "policykit.cli", *DRILL)), ()),
    (Stage("rotation under load", tool("python", ".ci/verify/rotation.py")), ()),
    (Stage("OTLP by others", tool("python", ".ci/verify/otlp.py")), ()),
    (Stage("alerts", tool("python", ".ci/verify/alerts.py")), ("promtool", "amtool")),
    (Stage("freqtrade, python-binance", tool("python", ".ci/verify/bots.py")), ()),
    (Stage("freqtrade's handlers", tool("python", ".ci/verify/handlers.py")), ()),
    (Stage("TraceQL", tool("python", ".ci/verify/traceql.py"), (("PYTHONPATH", str(TOP)),)), ("node", "npm")),
    (
        Stage("Grafana's queries", tool("python", ".ci/verify/grafana.py"), (("PYTHONPATH", str(TOP)),)),
        ("prometheus", "promtool"),
    ),
    (Stage("the page in a browser", tool("python", ".ci/verify/page.py")), ("chromium", "node", "npm")),
    (Stage("Arize Phoenix", tool("python", ".ci/verify/phoenix.py")), ("chromium",)),
)


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
    """Run `test` and what needs programs of the machine; name what was run and what was not."""
    missing = {stage.name: [p for p in needed if shutil.which(p) is None] for stage, needed in VERIFY}
    code = run((*TEST, *(stage for stage, _ in VERIFY if not missing[stage.name])))
    print("\n== not run")
    for name, programs in missing.items():
        if programs:
            print(f"{name}: {' and '.join(programs)} not installed")
    print("SARIF2006 of the Multitool (do addresses answer?): needs the internet")
    print("the upload of action.yml: needs GitHub")
    print("N figures of docs/reliability.md: make prove")
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
