"""`policykit init`: a starter policy, its first tests, a CI file; for an exchange, a freqtrade config, own history."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from policykit.operate.init import text
from policykit.operate.init.draft import Draft, paper, starter
from policykit.operate.init.first_test import first_test
from policykit.policy import load_text

__all__ = ["CI_FILES", "Draft", "InTheWay", "Plan", "known_id", "paper", "plan", "starter", "write"]

Ci = Literal["github", "gitlab", "none"]
CI_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "github": (".github/workflows/policykit.yml", text.GITHUB),
    "gitlab": (".gitlab/policykit.yml", text.GITLAB),
}


class InTheWay(Exception):
    """Files that are there already; nothing was written."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__(", ".join(files))
        self.files = files


class Plan(NamedTuple):
    """The files to write, relative to the folder."""

    files: tuple[tuple[str, str], ...]


def plan(draft: Draft, ci: Ci) -> Plan:
    """Return what is to be written; PolicyError if the policy would not load."""
    name = f"policies/{draft.name}.yaml"
    files = [(name, text.policy(draft))]
    effective = load_text(files[0][1], name)
    files.append((f"policies/{draft.name}.test.yaml", first_test(effective, draft.name, draft.today)))
    if ci != "none":
        files.append(CI_FILES[ci])
    return Plan(tuple(files))


def write(planned: Plan, folder: Path) -> tuple[str, ...]:
    """Write the files and return their paths; InTheWay, and nothing written, when one of them is there."""
    paths = [folder / name for name, _ in planned.files]
    there = tuple(str(path) for path in paths if os.path.lexists(path))
    if there:
        raise InTheWay(there)
    for path, (_, content) in zip(paths, planned.files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:  # never over a file that came meanwhile
            stream.write(content)
    return tuple(str(path) for path in paths)


def known_id(given: str, ids: tuple[str, ...]) -> str:
    """Return a ccxt id; ValueError with a near one when ccxt has none of that name."""
    if given in ids:
        return given
    import difflib

    lowered = given.lower()
    near = [lowered] if lowered in ids else difflib.get_close_matches(lowered, ids, n=1)
    hint = f"did you mean {near[0]}?" if near else "an id of ccxt is needed, such as binance, bybit, kraken"
    raise ValueError(f"{given!r:.60} is no exchange of ccxt; {hint}")
