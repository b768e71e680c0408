"""A package as a zip: the same bytes for the same input, with a manifest of hashes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

from policykit.operate.evidence import alone
from policykit.operate.evidence.clauses import CLAUSES, SOURCES
from policykit.operate.evidence.package import VERSION, Package
from policykit.operate.evidence.page import page
from policykit.redact import scrub, texts

#: The time of every file in a zip: the oldest that the format has.
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16


def files(package: Package) -> dict[str, bytes]:
    """Return name to content of everything in a package but its signature, the manifest last."""
    # INVARIANT I23: what was typed into the journal, or into a policy, passes the redaction before it leaves.
    script = Path(alone.__file__).read_text(encoding="utf-8")
    found = {
        "index.md": _bytes(scrub(page(package, len(script.splitlines())))),
        "verify.py": script.encode(),
        "journal/anchor.json": _json(
            {"since": package.since, "until": package.until, "journals": [span._asdict() for span in package.spans]}
        ),
        "data/unknown.json": _json({"rows": [one._asdict() for one in package.unknown]}),
        "data/clauses.json": _json({"sources": SOURCES, "rows": [one._asdict() for one in CLAUSES]}),
        **{f"data/{table.name}.json": _json(table._asdict()) for table in package.tables},
        **{f"policies/{name}": _json({"policy": said}) for name, said in package.policies.items()},
    }
    listed = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(found.items()))
    return {**found, alone.MANIFEST: "".join(listed).encode()}


def _json(data: dict[str, Any]) -> bytes:
    return _bytes(json.dumps(texts({"version": VERSION, **data}), indent=1, ensure_ascii=False) + "\n")


def _bytes(text: str) -> bytes:
    """Encode text; half a surrogate pair, which a bot may have written, as its escape."""
    return text.encode("utf-8", "backslashreplace")


def zipped(contents: dict[str, bytes]) -> bytes:
    """Return a zip of files, sorted by name and without times; not compressed, so that every zlib writes the same."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(contents):
            one = zipfile.ZipInfo(name, _WHEN)
            one.create_system, one.external_attr = 3, _MODE
            package.writestr(one, contents[name])
    return out.getvalue()
