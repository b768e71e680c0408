"""What operators did, as far as it still matters: the last word on each drill, key, stage, incident, review, approval.

An operation is a journal row like any other; beside it the newest row of each name is kept with the state, so that a
command or a guard finds it without reading the journal, on every host of the store, also after the row was pruned.
"""

from __future__ import annotations

from typing import Any, Final

#: The kinds of rows of which the newest of each (account, name) is kept.
KINDS: Final = ("approval", "drill", "exposed", "incident", "paper", "review", "rotation", "shadow", "stage")
#: So many names are kept of one kind and account; beyond it the one that was written longest ago is forgotten.
MAX_NAMES: Final = 1_000


class Kept(dict[str, dict[str, dict[str, Any]]]):
    """Rows by `place(account, kind)` and name, each as it stands in its row, with its `at_ms`; oldest first."""

    def keep(self, kind: str, row: dict[str, Any]) -> None:
        """Keep a row in the place of the one of its name."""
        names, name = self.setdefault(place(row.get("account", ""), kind), {}), row.get("name", "")
        names.pop(name, None)
        names[name] = row
        if len(names) > MAX_NAMES:
            del names[next(iter(names))]


def place(account: str, kind: str) -> str:
    """Name where the rows of a kind and account are kept."""
    return f"{kind}|{account}"


def known(kind: str) -> str:
    """Return a kind whose rows are kept. Raise ValueError for another."""
    if kind not in KINDS:
        raise ValueError(f'an operation is of the kind "{kind}"; one of {", ".join(KINDS)} may be')
    return kind
