"""Check an evidence package with nothing but Python: this file is in each package as `verify.py`, short to be read.

    python3 verify.py evidence.zip                 every file is the one that MANIFEST.sha256 names
    python3 verify.py evidence.zip store.db ...    and each row that the tables cite stands in the journals, whose
                                                   chains hold; the files are only read

It does not look at the signature of MANIFEST.sha256: `ssh-keygen -Y verify` does (see index.md). Rows that a journal
kept of what was pruned are taken as the file has them; `policykit journal verify` holds those, too.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MANIFEST = "MANIFEST.sha256"
#: Not in the manifest: itself, and its signature.
BESIDE = {MANIFEST, MANIFEST + ".sig"}
#: A package is refused beyond this, unpacked: 512 MiB.
MAX_BYTES = 512 * 1024 * 1024


def files_of(path: str) -> dict[str, bytes]:
    """Return name to content of a package; raise ValueError for what is none."""
    try:
        with zipfile.ZipFile(path) as package:
            names = [one.filename for one in package.infolist()]
            if len(names) != len(set(names)) or sum(one.file_size for one in package.infolist()) > MAX_BYTES:
                raise ValueError(f"{path}: has two files of one name, or is over {MAX_BYTES} bytes; it is no package")
            return {name: package.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise ValueError(f"{path}: is no package that can be read ({type(error).__name__})") from None


def manifest_problems(files: Mapping[str, bytes]) -> list[str]:
    """Tell which files are not those that the manifest names: changed, missing, or added."""
    listed = {}
    for line in files.get(MANIFEST, b"").decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    if not listed:
        return [f"{MANIFEST}: is missing or empty"]
    found = [f"{name}: is not in the manifest" for name in sorted(set(files) - set(listed) - BESIDE)]
    for name, digest in sorted(listed.items()):
        if name not in files:
            found.append(f"{name}: is missing")
        elif hashlib.sha256(files[name]).hexdigest() != digest:
            found.append(f"{name}: was changed")
    return found


def cited(value: Any) -> Iterator[tuple[int, int, str]]:
    """Yield (file, row, hash) of each place in a table that names a journal row."""
    if isinstance(value, dict):
        if {"row", "hash", "file"} <= set(value):
            yield value["file"], value["row"], value["hash"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from cited(inner)


def rows_of(path: str, wanted: set[int]) -> tuple[dict[int, str], list[str]]:
    """Follow a journal's chain to its end; return the hashes of the rows that are wanted, and what is wrong."""
    found: dict[int, str] = {}
    try:
        db = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        begins = db.execute("SELECT seq, hash FROM base").fetchone() if "base" in tables else None
        good, before = begins or (0, "0" * 64)
        found[good] = before
        if "carried" in tables:
            found.update(db.execute("SELECT seq, hash FROM carried"))
        rows = db.execute("SELECT seq, at_ms, kind, body, hash FROM journal WHERE seq > ? ORDER BY seq", (good,))
        for seq, at_ms, kind, body, row_hash in rows:
            text = f"{before}\n{seq}\n{at_ms}\n{kind}\n{body}"
            if seq != good + 1 or hashlib.sha256(text.encode()).hexdigest() != row_hash:
                return found, [f"{path}: row {good + 1} is missing or was changed"]
            good, before = seq, row_hash
            if seq in wanted:
                found[seq] = row_hash
        db.close()
    except (sqlite3.Error, TypeError, ValueError) as error:
        return found, [f"{path}: is no journal that can be read ({type(error).__name__})"]
    return found, []


def problems(files: Mapping[str, bytes], journals: Sequence[str] = ()) -> list[str]:
    """Tell everything that is wrong with a package, and with the journals that it was made from, in their order."""
    wrong = manifest_problems(files)
    if not journals or wrong:
        return wrong
    spans = json.loads(files["journal/anchor.json"])["journals"]
    if len(spans) != len(journals):
        return [f"the package is of {len(spans)} journals; give as many, in the order of journal/anchor.json"]
    places = {(file, span["last"], span["hash"], "journal/anchor.json") for file, span in enumerate(spans)}
    for name in sorted(files):
        if name.startswith("data/"):
            places |= {(*place, name) for place in cited(json.loads(files[name])["rows"])}
    for file, path in enumerate(journals):
        mine = sorted((row, row_hash, name) for at, row, row_hash, name in places if at == file and row)
        found, broken = rows_of(path, {row for row, _, _ in mine})
        wrong += broken
        wrong += [f"{name}: row {row} is not in {path} as it says" for row, has, name in mine if found.get(row) != has]
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Check what is named; say each thing that is wrong; return 1 then."""
    if not arguments:
        print(__doc__)
        return 2
    try:
        wrong = problems(files_of(arguments[0]), arguments[1:])
    except (ValueError, KeyError, TypeError) as error:
        wrong = [f"{arguments[0]}: {error}"]
    print("\n".join(wrong) or ("as it was written" + ", and as the journals say" * bool(arguments[1:])))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
