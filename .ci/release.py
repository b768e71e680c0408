"""`make release`: the wheel, the source archive, their bill of materials (CycloneDX) and SHA256SUMS, into a new dist/.

The same commit gives the same bytes: every time in them is the commit's. What is not committed is refused.
The bill names what an install with every extra needs, as requirements/dev.txt pins it, with the hash of each file.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
NAME = "policykit-trading"
SPEC = "1.6"


def git(*words: str) -> str:
    """Return what git says of the repository."""
    return subprocess.run(["git", *words], cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()


def needed(name: str, extras: frozenset[str], found: dict[str, frozenset[str]]) -> None:
    """Add everything that a package needs, with these extras, to `found`: canonical name to its extras."""
    for text in requires(name) or []:
        one = Requirement(text)
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        key, wanted = canonicalize_name(one.name), frozenset(one.extras)
        if wanted <= found.get(key, frozenset()) and key in found:
            continue
        found[key] = found.get(key, frozenset()) | wanted
        try:
            needed(key, found[key], found)
        except PackageNotFoundError:
            continue  # for another platform; its pin is named if there is one


def pins(text: str, names: set[str]) -> str:
    """Return the pins of some packages with their hashes, as pip-compile writes them."""
    blocks = re.findall(r"^(?=[^\s#])(?:[^\n]*\\\n)*[^\n]*\n", text, re.MULTILINE)
    return "".join(block for block in blocks if canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0]) in names)


def packages() -> set[str]:
    """Return the names of what policykit needs with every extra, by what is installed here."""
    extras = frozenset(re.findall(r"^(\w+) = \[", _section("project.optional-dependencies"), re.MULTILINE))
    found: dict[str, frozenset[str]] = {}
    needed(NAME, extras, found)
    return set(found)


def bill(target: Path) -> int:
    """Write the bill of materials; return how many packages it names."""
    chosen = pins((TOP / "requirements" / "dev.txt").read_text(encoding="utf-8"), packages())
    command = [PYTHON, "-m", "cyclonedx_py", "requirements", "-", "--sv", SPEC, "--of", "JSON", "--output-reproducible"]
    command += ["--pyproject", str(TOP / "pyproject.toml"), "--mc-type", "library", "-o", str(target)]
    subprocess.run(command, input=chosen, text=True, check=True, cwd=TOP, stderr=subprocess.DEVNULL)
    return chosen.count("==")


def _section(name: str) -> str:
    text = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition(f"[{name}]\n")[2].partition("\n[")[0]


def release(folder: Path) -> list[Path]:
    """Write every file of a release into a folder; return them."""
    os.environ["SOURCE_DATE_EPOCH"] = git("log", "-1", "--format=%ct")
    folder.mkdir(parents=True)
    subprocess.run([PYTHON, "-m", "hatchling", "build", "-d", str(folder)], cwd=TOP, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    bill(folder / f"{wheel.name.partition('-py3')[0]}.cdx.json")
    files = sorted(folder.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return [*files, folder / "SHA256SUMS"]


def main(arguments: list[str]) -> int:
    """Write a release into dist/, or the folder that is named."""
    folder = Path(arguments[0] if arguments else TOP / "dist")
    if git("status", "--porcelain"):
        print("release: there are changes that are not committed; commit them, or take them away", file=sys.stderr)
        return 1
    if folder.exists():
        print(f"release: {folder.name}/ is there already; take it away", file=sys.stderr)
        return 1
    for file in release(folder):
        print(f"{file.stat().st_size:>10,}  {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
