"""The layers of DESIGN 1: the contracts cover every room, and they can fail."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

#: The rooms that may know a library; every other room is in its contract.
MAY = {
    "ccxt": {"exchanges", "guard"},
    "opentelemetry": {"telemetry"},
    "click": {"cli"},
}
#: From `engine` and `orders` down. `policy` and `source` read files and are told the folder; `redact` quotes URLs.
PURE = {
    "decision", "engine", "errors", "finding", "model", "order", "orders", "place", "record", "rules", "snapshot",
    "traits", "units",
}  # fmt: skip
LAYERS = "A room imports only from rooms below it, and never its siblings"


def contracts(top: Path) -> list[dict[str, Any]]:
    """Return import-linter's contracts."""
    found: list[dict[str, Any]] = tomllib.loads((top / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


def rooms(top: Path) -> set[str]:
    """Return every room and noun of the package."""
    package = top / "policykit"
    folders = {p.name for p in package.iterdir() if (p / "__init__.py").exists()}
    return folders | {p.stem for p in package.glob("*.py") if not p.name.startswith("_")}


def forbidding(top: Path, library: str) -> set[str]:
    """Return the rooms that a contract keeps from the library."""
    found = next(c for c in contracts(top) if c["type"] == "forbidden" and c["forbidden_modules"][0] == library)
    return {module.removeprefix("policykit.") for module in found["source_modules"]}


@pytest.mark.parametrize("library", sorted(MAY))
def test_every_other_room_is_kept_from_a_library(library: str, top: Path) -> None:
    """A new room is in the contracts from its first day."""
    assert forbidding(top, library) >= rooms(top) - MAY[library]
    assert forbidding(top, library) & MAY[library] == set()


def test_the_pure_rooms_are_kept_from_the_world(top: Path) -> None:
    """No clock, randomness, environment or network from `engine` and `orders` down."""
    found = next(c for c in contracts(top) if "random" in c.get("forbidden_modules", ()))
    assert {m.removeprefix("policykit.") for m in found["source_modules"]} == PURE
    assert found["ignore_imports"] == ["policykit.orders.ids -> os", "policykit.orders.ids -> time"]


def test_the_pure_rooms_never_make_a_clock(top: Path) -> None:
    """They may write a time as text (`clock.iso`), not ask for it."""
    files = [f for room in PURE for f in (*top.glob(f"policykit/{room}/**/*.py"), *top.glob(f"policykit/{room}.py"))]
    assert [str(f) for f in files if "SystemClock" in f.read_text(encoding="utf-8")] == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in `folder`."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        (
            "engine/extra.py",
            "import policykit.guard",
            LAYERS,
        ),
        (
            "rules/extra.py",
            "import policykit.engine",
            LAYERS,
        ),
        ("sim/extra.py", "def f():\n    import ccxt", "Only exchanges and guard know ccxt"),
        ("orders/extra.py", "import random", "From engine and orders down: no clock, no randomness"),
    ],
)
def test_a_wrong_import_breaks_its_contract(file: str, line: str, contract: str, top: Path, tmp_path: Path) -> None:
    """The control: one wrong line in a copy of the package's skeleton is reported."""
    package = tmp_path / "policykit"
    for room in rooms(top):
        source = top / "policykit" / room
        target = package / room / "__init__.py" if source.is_dir() else package / f"{room}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("")
    (package / "_foreign.py").write_text("")
    (package / "__init__.py").write_text("import policykit.errors\n")
    (tmp_path / "pyproject.toml").write_text((top / "pyproject.toml").read_text())
    assert lint_imports(tmp_path).returncode == 0, lint_imports(tmp_path).stdout
    (package / file).write_text(line + "\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert contract in done.stdout.split("Broken contracts")[1]
