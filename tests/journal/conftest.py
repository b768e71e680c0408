"""A journal with one of everything: an order re-sent after it was proved absent, a denial, a halt, a ban."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from policykit.orders.intent import Outcome
from policykit.store import Observation, Store, open_journal, open_store
from policykit.store.reader import JournalReader
from tests.telemetry.nouns import AT_MS, NOTIONAL, POSITION, decision, intent

FIRST = "01JD3V7K2M0000000000000001"
SECOND = "01JD3V7K2M0000000000000002"
THIRD = "01JD3V7K2M0000000000000003"


def fill(store: Store) -> None:
    """Write the rows, as a guard does."""
    store.observe("binance/main", Observation(AT_MS - 10, AT_MS, equity=Decimal(100_000)), AT_MS - 5)
    store.reserve(decision(FIRST), intent(FIRST), (), 0, AT_MS)
    unknown = Outcome("unknown", AT_MS + 3004, signed_ms=AT_MS + 2, validity_ms=5000, error="timed out after 3.0 s")
    store.outcome(FIRST, unknown)
    store.event("lookup", {"intent": FIRST, "asked": True, "fence_ms": AT_MS + 16_500}, AT_MS + 5010)
    store.outcome(FIRST, Outcome("absent", AT_MS + 17_013))
    again = intent(SECOND, replaces=FIRST)
    store.reserve(decision(SECOND), again, (), 0, AT_MS + 17_100)
    filled = Decimal("0.007")
    accepted = Outcome("acknowledged", AT_MS + 17_150, "881723", filled, signed_ms=AT_MS + 17_110, validity_ms=5000)
    store.outcome(SECOND, accepted)
    store.outcome(SECOND, Outcome("settled", AT_MS + 18_150, "881723", Decimal("0.01"), closed=True))
    store.record(decision(THIRD, reasons=(NOTIONAL, POSITION), bot="mm-2"), AT_MS + 19_000)
    store.halt("all", "HALTED", "ops", "testing the switch", AT_MS + 20_000)
    store.ban("binance/main", "ip", AT_MS + 90_000, AT_MS + 20_001)
    store.resume("all", "ops", "fine again", AT_MS + 21_000)
    store.announce("binance/main", "USDT", {"name": "mm", "version": "sha256:3f9a01c2d4e5"}, AT_MS + 22_000)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """Return the URI of a store in a file, with the rows in it."""
    made = f"sqlite:///{tmp_path}/store.db"
    store = open_store(made)
    fill(store)
    store.close()
    return made


@pytest.fixture
def journal(uri: str) -> Iterator[JournalReader]:
    """Return the journal, open for reading."""
    reader = open_journal(uri)
    yield reader
    reader.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Writable]:
    """Return a new store in a file, with its journal open for reading."""
    made = f"sqlite:///{tmp_path}/new.db"
    store = open_store(made)
    reader = open_journal(made)
    yield Writable(store, reader)
    reader.close()
    store.close()


class Writable(NamedTuple):
    """A store and its journal."""

    store: Store
    journal: JournalReader
