"""Strict YAML text -> data with places (DESIGN 3)."""

from __future__ import annotations

from policykit.source.codes import CODES, Code, finding
from policykit.source.files import decode, read_file
from policykit.source.reader import Document, read, shown

__all__ = ["CODES", "Code", "Document", "decode", "finding", "read", "read_file", "shown"]
