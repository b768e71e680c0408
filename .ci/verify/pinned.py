"""Install pinned, hash-checked packages from PyPI for one verify script, into .make; nothing to do when they stand."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path


def library(folder: Path, requirements: Path) -> bool:
    """Put packages into a folder for PYTHONPATH, without what they depend on: .venv has it."""
    return _stands(folder, requirements, sys.executable, ("--no-deps", "--upgrade", "--target", str(folder)))


def environment(folder: Path, requirements: Path) -> bool:
    """Put packages into a virtual environment of their own."""
    if not _stamped(folder, requirements):
        venv.create(folder, clear=True, with_pip=True)
    return _stands(folder, requirements, str(folder / "bin" / "python"), ())


def _wanted(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def _stamped(folder: Path, requirements: Path) -> bool:
    stamp = folder / "policykit.stamp"
    return stamp.exists() and stamp.read_text() == _wanted(requirements)


def _stands(folder: Path, requirements: Path, python: str, more: tuple[str, ...]) -> bool:
    if _stamped(folder, requirements):
        return True
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--require-hashes")
    if subprocess.run([*pip, *more, "-r", str(requirements)], capture_output=True, check=False).returncode != 0:
        print(f"{folder.name}: pip did not end well; is an index reachable?", file=sys.stderr)
        return False
    (folder / "policykit.stamp").write_text(_wanted(requirements))
    return True
