"""What the journal is exported as: one file a format.

A format has `line(entry)`, the text of one row, and may have `HEAD`, the text before the first; `parquet` writes a file
of its own kind. Text leaves through `redact.scrub`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from policykit.store.base import Row

#: The formats, by the names of their files.
NAMES: Final = ("jsonl", "csv", "ocsf", "ecs", "parquet")


class Entry(NamedTuple):
    """A row, and what is known of the order that it is about (`tail.Orders`)."""

    row: Row
    about: dict[str, Any]
