"""Other linters, each of one version in an environment of its own, made when a bench first needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".make" / "peers"
#: Measured in November 2026; the newest on PyPI then.
VERSIONS = {"yamllint": "1.38.0", "c7n": "0.9.53", "checkov": "3.3.30"}


def program(package: str, name: str) -> str:
    """Return the path of a peer's program; the first call installs it, which takes up to a minute."""
    home = FOLDER / f"{package}-{VERSIONS[package]}"
    found = home / "bin" / name
    if not found.exists():
        print(f"    (installing {package} {VERSIONS[package]})", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{package}=={VERSIONS[package]}"], check=True, stderr=subprocess.DEVNULL)
    return str(found)
