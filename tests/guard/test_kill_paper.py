"""A kill of a policy on paper takes the paper book and leaves the real account alone, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policykit.cli.kill import account_lines
from policykit.clock import SystemClock
from policykit.guard.halt import Cancelled
from policykit.guard.kill import finish, kill
from policykit.store import open_store
from tests.guard.paper_world import paper, paper_text
from tests.guard.test_kill_without_guard import book, resting
from tests.guard.world import SYMBOL

SAID: dict[str, Any] = {"scope": "all", "by": "a", "why": "b", "freeze": False}


@pytest.mark.parametrize("scopes", ["[read]", "[read, trade]"])
def test_a_kill_of_paper_takes_the_paper_book_only(scopes: str, tmp_path: Path) -> None:
    """A key that trades everything was used on what no guard trades: in the real account."""
    with paper(tmp_path, text=paper_text().replace("[read]", scopes)) as w:
        w.protected().create_order(SYMBOL, "limit", "buy", 0.1, 50_000)
        w.sim.client().create_order(SYMBOL, "limit", "buy", 0.01, 51_000)
        sent = len(w.sent)
        result = kill(open_store(w.store), w.clock, files=[str(w.policy)], endpoint=w.sim.url, **SAID)
        (account,) = result.accounts
        assert (account.account, len(account.cancelled), result.complete) == ("binance/main@paper", 1, True)
        assert "  the paper book alone: the real account was not looked at" in "\n".join(account_lines(account))
        assert len(w.sent) == sent
        assert len(w.sim.client().fetch_open_orders(SYMBOL)) == 1


def test_without_the_store_nothing_real_is_taken_for_it(tmp_path: Path) -> None:
    """The paper book is in the store: it is said that it was not reached, for a policy that does not load, too."""
    text = paper_text().replace("[read]", "[read, trade]")
    with paper(tmp_path, text=text) as w:
        w.sim.client().create_order(SYMBOL, "limit", "buy", 0.01, 51_000)
        said = ("nothing was asked or cancelled at the exchange", "its guards do not start")
        for written, words in zip((text, text + "nonsense: 1\n"), said, strict=True):
            w.policy.write_text(written)
            result = finish(None, w.clock, "all", (0, []), [str(w.policy)], w.sim.url)
            assert not result.complete
            assert not result.accounts
            assert words in result.not_reached[str(w.policy)]
        assert len(w.sim.client().fetch_open_orders(SYMBOL)) == 1


def test_where_no_guard_trades_nothing_real_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that only cancels is for what is real."""
    with book("kraken", tmp_path, monkeypatch) as (sim, policy):
        written = Path(policy).read_text()
        Path(policy).write_text(f"{written}stage: {{current: paper, paper_balances: 1000 USDT}}\n")
        result = kill(open_store(), SystemClock(), files=[policy], endpoint=sim.url, **SAID)
        assert not result.complete
        assert "cancelled at the exchange" in next(iter(result.not_reached.values()))
        assert len(resting(sim)) == 3


def test_of_a_real_account_nothing_is_said_of_paper() -> None:
    """The line is for paper."""
    assert "paper" not in "\n".join(account_lines(Cancelled("binance/main")))
