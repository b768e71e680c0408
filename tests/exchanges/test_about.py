"""What ccxt says of an exchange before anybody has a key."""

from __future__ import annotations

import subprocess
import sys

import pytest

from policykit.errors import ExchangeUnavailable
from policykit.exchanges.about import About, about, ids
from policykit.traits.ccxt_ids import IDS


def test_ids_are_ccxt_s_and_nothing_is_loaded() -> None:
    """The list is ccxt's own, and reading it imports none of ccxt."""
    code = "import sys; from policykit.exchanges.about import ids; print(len(ids()), 'ccxt' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    import ccxt

    assert list(ids()) == sorted(ccxt.exchanges)
    assert done.stdout.split() == [str(len(ccxt.exchanges)), "False"]


@pytest.mark.parametrize(
    "expected",
    [
        About("binance", spot=True, swap=True, sandbox=True, credentials=("API_KEY", "API_SECRET"), wait_ms=50.0),
        About("binanceusdm", spot=False, swap=True, sandbox=True, credentials=("API_KEY", "API_SECRET"), wait_ms=50.0),
        About(
            "okx",
            spot=True,
            swap=True,
            sandbox=True,
            credentials=("API_KEY", "API_SECRET", "PASSPHRASE"),
            wait_ms=110.0,
        ),
        About("kraken", spot=True, swap=False, sandbox=False, credentials=("API_KEY", "API_SECRET"), wait_ms=1000.0),
    ],
    ids=lambda one: one.id,
)
def test_about(expected: About) -> None:
    """Products, sandbox, credentials and pace are those of ccxt's class."""
    assert about(expected.id)._replace(wait_ms=0) == expected._replace(wait_ms=0)
    assert about(expected.id).wait_ms > 0


def test_the_ids_that_lint_knows_are_ccxt_s() -> None:
    """The list that lint looks a misspelt exchange up in is that of the ccxt that is installed."""
    assert frozenset(ids()) == IDS


def test_about_no_exchange() -> None:
    """What ccxt does not have is refused."""
    with pytest.raises(ExchangeUnavailable, match=r"^ccxt has no exchange nosuch, or is not installed"):
        about("nosuch")
