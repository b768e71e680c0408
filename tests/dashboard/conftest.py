"""A journal, and its index."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.dashboard.index import Index
from policykit.store.reader import JournalReader
from tests.dashboard.made import DECISIONS, life, policy, write


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal of a policy and DECISIONS decisions, a second apart; each test has a copy."""
    path = tmp_path_factory.mktemp("written") / "journal.db"
    write(path, [policy(), *life(DECISIONS)])
    return path


@pytest.fixture
def journal(written: Path, tmp_path: Path) -> Path:
    """Return a journal that a test may spoil."""
    return Path(shutil.copy(written, tmp_path / "journal.db"))


@pytest.fixture
def index(journal: Path, tmp_path: Path) -> Iterator[Index]:
    """Return the index of it, all rows taken in."""
    made = Index(JournalReader(journal), tmp_path / "index.db")
    while made.advance():
        pass
    yield made
    made.close()
