"""Other programs and libraries, of fixed versions in environments of their own, made when a bench first needs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".make" / "peers"
#: Measured in November 2026; the newest on PyPI then.
VERSIONS = {"yamllint": "1.38.0", "c7n": "0.9.53", "checkov": "3.3.30"}


#: Libraries that decide, check or count orders, in one environment. Nautilus Trader: the newest for Python 3.11.
LIBRARIES = {
    "cedarpy": "4.12.2",
    "cel-expr-python": "0.1.3",
    "limits": "5.8.0",
    "nautilus_trader": "1.221.0",
    "openpit": "0.10.0",
    "pycasbin": "2.8.0",
    "pyrate-limiter": "4.5.1",
}


def libraries() -> str:
    """Return the folder of the libraries' packages, to be put at the end of a path; the first call installs them."""
    home = FOLDER / "libraries"
    wanted = [f"{name}=={version}" for name, version in LIBRARIES.items()]
    stamp = home / "policykit-peers.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != "\n".join(wanted):
        print("    (installing libraries that decide orders)", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text("\n".join(wanted), "utf-8")
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(home / "lib" / python / "site-packages")


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
