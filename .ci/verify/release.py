"""Make a release twice: the same bytes, sums that hold, a bill of materials in which every package has its hashes."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import release

#: A bill of fewer is not one of policykit with its extras.
FEWEST = 60


def problems(folder: Path) -> list[str]:
    """Tell what is wrong with a release."""
    found = []
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            found.append(f"{name}: is not what SHA256SUMS says")
    told = json.loads(next(folder.glob("*.cdx.json")).read_text(encoding="utf-8"))
    components = told["components"]
    if len(components) < FEWEST or told["specVersion"] != release.SPEC:
        found.append(f"the bill names {len(components)} packages, in CycloneDX {told['specVersion']}")
    bare = [one["name"] for one in components if not any("hashes" in ref for ref in one.get("externalReferences", []))]
    return found + [f"{name}: has no hash in the bill" for name in bare]


def main() -> int:
    """Make it twice and compare; say what differs."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = ({f.name: f.read_bytes() for f in release.release(Path(folder, name))} for name in "ab")
        wrong = problems(Path(folder, "a"))
        wrong += [f"{name}: differs the second time" for name in first if first[name] != second.get(name)]
    print("\n".join(wrong) or f"release: {len(first)} files, the same bytes twice, every sum holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
