"""Install the tools of package.json beside this file into .make/npm, and hold each to its pinned hash.

There is no lock file, because one would record where packages were downloaded. What npm installed is compared instead:
every package of the tree must be named in `policykit.integrity`, with the hash that npm checked its archive against.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
TOOLS = TOP / ".make" / "npm"
INSTALL_SECONDS = 300


class ToolsMissing(Exception):
    """The tools cannot be had, or are not what was pinned."""


def pinned() -> dict[str, str]:
    """Return the hash of each package that may be installed."""
    data = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    return {f"{name}@{data['dependencies'][name]}": said for name, said in data["integrity"].items()}


def installed() -> dict[str, str]:
    """Return the hash of each package that npm installed, as it noted them."""
    lock = json.loads((TOOLS / "node_modules" / ".package-lock.json").read_text(encoding="utf-8"))
    return {
        f"{path.rpartition('node_modules/')[2]}@{one['version']}": one["integrity"]
        for path, one in lock["packages"].items()
    }


def install() -> None:
    """Install what package.json names; nothing to do when it stands. Raise ToolsMissing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ToolsMissing(f"{program} is not installed")
    stamp = TOOLS / "package.json"
    wanted = (HERE / "package.json").read_bytes()
    if not (stamp.exists() and stamp.read_bytes() == wanted and (TOOLS / "node_modules").exists()):
        shutil.rmtree(TOOLS, ignore_errors=True)
        TOOLS.mkdir(parents=True)
        stamp.write_bytes(wanted)
        command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode != 0:
            shutil.rmtree(TOOLS)
            raise ToolsMissing(f"npm install ended with {done.returncode}; is a registry reachable?")
    strange = {name: said for name, said in installed().items() if pinned().get(name) != said}
    if strange:
        raise ToolsMissing(f"not what .ci/verify/package.json pins: {', '.join(sorted(strange))}")


def main() -> int:
    """Install; 0 when the tools stand."""
    try:
        install()
    except ToolsMissing as error:
        print(f"npm tools: {error}", file=sys.stderr)
        return 1
    print(f"npm tools: {len(installed())} packages, each with its pinned hash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
