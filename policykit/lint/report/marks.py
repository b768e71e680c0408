"""Fingerprints, by which a CI knows a finding again; apart from `shared`, since only some formats need them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from policykit.finding import Finding
from policykit.lint.baseline import text_of
from policykit.lint.identity import FINGERPRINT_DIGITS, fingerprint
from policykit.lint.report import Style
from policykit.lint.report.shared import path

#: How many files' texts are kept while fingerprints are taken.
_KEPT = 64


def fingerprints(findings: Iterable[Finding], style: Style) -> Iterator[str]:
    """Yield for each finding what stays the same while lines move; a repetition in the same file gets another one."""
    text = lru_cache(maxsize=_KEPT)(text_of)
    seen: Counter[str] = Counter()
    for finding in findings:
        file = finding.primary.file
        key = f"{path(file, style.root)}\0{fingerprint(finding, text(file))}"
        seen[key] += 1
        yield hashlib.sha256(f"{key}\0{seen[key]}".encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_DIGITS]
