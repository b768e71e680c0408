"""The overview: what it says is what the journal and the store say."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import pytest

from policykit.dashboard.desk import Desk
from policykit.decision import Reason
from policykit.place import Place
from policykit.store import open_store
from tests.dashboard.pages import NOW_MS, Client, StillClock, deny, guarded, made, page, part, uri_of, words
from tests.journal.conftest import THIRD
from tests.telemetry.nouns import AT_MS, NOTIONAL, POSITION, decision, intent

BUDGET = Reason("RATE_BUDGET", "rate_budgets", "weight would be 4201 of 4200", "4201", "4200", "weight")


def test_a_journal_with_one_of_everything_is_told_as_it_is(tmp_path: Path) -> None:
    """Counts, the denial with its numbers, the latency: each as its row has it."""
    with page(made(tmp_path), tmp_path / "index.db") as client:
        html = client.get("/").text
    assert words(part(html, "decisions")).startswith("Decisions allowed denied would deny 2 allowed 1 denied")
    assert "10:00:19 BTC/USDT buy limit 0.01 @ 60,000 risk.max_order_notional and 1 more 30,000 of 1,500 USDT mm-2" in (
        words(part(html, "denials"))
    )
    assert f'href="/order/{THIRD}"' in part(html, "denials")
    assert words(part(html, "latency")) == (
        "Latency of orders that were sent Step p50 p95 p99 decided to sent 2 2 ms 10 ms 10 ms "
        "sent to answered 1 40 ms 40 ms 40 ms"
    )


def test_the_table_beside_the_chart_adds_up(tmp_path: Path) -> None:
    """The chart is drawn from this table, so what is drawn is what was counted."""
    uri = made(tmp_path)
    deny(uri, 30, reasons=(NOTIONAL,), start_ms=AT_MS - 60_000)
    deny(uri, 7, reasons=(POSITION,), start_ms=AT_MS - 200_000, mode="shadow")
    with page(uri, tmp_path / "index.db") as client:
        html = client.get("/?span=15m").text
    rows = re.findall(r'data-at="(\d+)".*?<td>(\d+)</td><td>(\d+)</td><td>(\d+)</td>', part(html, "decisions"))
    bars = {int(at): tuple(map(int, counts)) for at, *counts in rows if any(map(int, counts))}
    assert bars == {
        AT_MS - 210_000: (0, 0, 7), AT_MS - 60_000: (0, 30, 0), AT_MS: (1, 0, 0), AT_MS + 15_000: (1, 1, 0)
    }  # fmt: skip
    assert "2 allowed 31 denied 7 would be denied (shadow)" in words(part(html, "decisions"))


def test_trading_is_said_in_plain_words(tmp_path: Path) -> None:
    """On with a guard; nobody on duty without; a halt says who, when, why and how it is lifted."""
    uri = made(tmp_path)
    with page(uri, tmp_path / "index.db") as client:
        assert "ACTIVE, no guard No guard is alive" in words(part(client.get("/").text, "trading"))
        guarded(uri)
        assert words(part(client.get("/").text, "trading")).startswith("Trading ACTIVE 1 guard is on duty.")
        store = open_store(uri)
        store.halt("account:binance/main", "HALTED", "desk-head", "odd fills", NOW_MS - 5_000, freeze=True)
        store.halt("symbol:ETH/USDT", "REDUCING", "mm-1", "stale", NOW_MS - 4_000, latched=False)
        store.close()
        told = words(part(client.get("/").text, "trading"))
    assert told.startswith(
        "Trading HALTED New risk is refused for account:binance/main, symbol:ETH/USDT. Nothing passes, exits neither. "
        "HALTED for account:binance/main by desk-head at 10:00:20 : “odd fills” Exits are frozen too. when it is "
        "mended policykit resume --scope account:binance/main --by NAME --why TEXT copy"
    )
    assert "REDUCING for symbol:ETH/USDT by mm-1 at 10:00:21 : “stale” It ends with its cause." in told


def test_head_room_and_the_days_loss_are_those_of_the_policy_in_force(tmp_path: Path) -> None:
    """Used and limit of each cap, the day's loss with how it came about, all from the guard's own policy."""
    uri = uri_of(tmp_path)
    guarded(uri)
    with page(uri, tmp_path / "index.db") as client:
        html = client.get("/").text
    loss = words(part(html, "loss"))
    assert loss.startswith("Daily loss binance/main 20 % 600 of 3,000 USDT mm.yaml:1 2,400 USDT to the limit.")
    assert re.findall(r'data-value="([^"]*)"', part(html, "loss")) == ["0", "600"]
    rooms = words(part(html, "rooms"))
    assert "risk.daily_loss 20 % 600 of 3,000 USDT" in rooms
    assert "risk.max_open_orders 0 % 0 of 4" in rooms
    assert "mm-1 binance/main enforce full-live mm sha256:3f9a01c2d4e5 , heard 2 s ago" in words(part(html, "guards"))


def test_orders_that_nobody_knows_of_are_named(tmp_path: Path) -> None:
    """An order in doubt is the first thing a trader must see."""
    from policykit.orders.intent import Outcome

    uri = uri_of(tmp_path)
    store = open_store(uri)
    ident = "01JD3V7K2M0000000000000009"
    store.reserve(decision(ident), intent(ident), (), 0, AT_MS)
    store.outcome(ident, Outcome("unknown", AT_MS + 3000, signed_ms=AT_MS + 2, validity_ms=5000, error="timed out"))
    store.close()
    with page(uri, tmp_path / "index.db") as client:
        told = part(client.get("/").text, "unknown")
    assert words(told).startswith("Orders of unknown outcome 1 BTC/USDT buy limit 0.01 @ 60,000 mm-1, sent 10:00:00")
    assert f'href="/order/{ident}"' in told


def test_filters_stand_in_the_address_and_narrow_the_denials(tmp_path: Path) -> None:
    """By check, symbol and bot, each alone and together; what is chosen stays chosen."""
    uri = uri_of(tmp_path)
    deny(uri, 3, reasons=(NOTIONAL,), bot="mm-1")
    deny(uri, 2, reasons=(BUDGET,), bot="mm-2")
    with page(uri, tmp_path / "index.db") as client:

        def shown(query: str) -> list[str]:
            table = part(client.get(f"/{query}").text, "denials")
            return re.findall(r'data-says="([^"]*)"', table)

        assert len(shown("?span=1h")) == 5
        assert shown("?check=rate_budgets") == ["BTC/USDT rate_budgets"] * 2
        assert shown("?bot=mm-1&check=risk.max_order_notional") == ["BTC/USDT risk.max_order_notional"] * 3
        assert shown("?bot=mm-1&check=rate_budgets") == []
        assert shown("?symbol=ETH/USDT") == []
        html = client.get("/?bot=mm-1&check=rate_budgets").text
    assert "No denial fits these filters." in part(html, "denials")
    assert '<option value="rate_budgets" selected>' in html
    assert 'data-parts="/parts?span=5m&amp;check=rate_budgets&amp;bot=mm-1"' in html


def test_a_long_list_is_paged_and_no_denial_is_left_out(tmp_path: Path) -> None:
    """Older leads on from the last one that was shown."""
    uri = uri_of(tmp_path)
    deny(uri, 60, reasons=(NOTIONAL,))
    seen: list[str] = []
    with page(uri, tmp_path / "index.db") as client:
        address = "/"
        while address:
            html = client.get(address).text
            seen += re.findall(r'data-denial="([^"]*)"', html)
            older = re.search(r'href="(/\?[^"]*)" rel="next"', html)
            address = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"01JD3V7K2N{number:016d}" for number in reversed(range(60))]


@pytest.mark.parametrize(("observed", "limit", "text"), [
    ("50000.004", "50000", "50,000.004 of 50,000"),
    ("12310.7926270962", "12008.012685946344", "12,310.79 of 12,008.01"),
    ("0.00012", "0.0001", "0.00012 of 0.0001"),
    ("1e3", "NaN", "1e3 of NaN"),
])  # fmt: skip
def test_two_numbers_that_differ_look_different(tmp_path: Path, observed: str, limit: str, text: str) -> None:
    """What was over its limit is never rounded to it."""
    uri = uri_of(tmp_path)
    deny(uri, 1, reasons=(Reason("RISK_X", "risk.x", "over", observed, limit, "USDT", Place("p", 1, 1)),))
    with page(uri, tmp_path / "index.db") as client:
        assert f"{text} USDT" in words(part(client.get("/").text, "denials"))


def test_without_a_journal_the_page_says_what_to_do_and_shows_it_once_it_is_there(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    uri = uri_of(tmp_path / "none")
    with page(uri, tmp_path / "index.db") as client:
        told = words(client.get("/").text)
        assert "No journal yet" in told
        assert "export POLICYKIT_STORE=sqlite:////path/to/store.db" in told
        assert "policykit demo" in told
        assert not (tmp_path / "none").exists()
        deny(uri, 2, reasons=(NOTIONAL,))
        client.catch_up()
        assert len(re.findall("data-denial=", client.get("/").text)) == 2


def test_an_empty_journal_is_said_to_be_empty(tmp_path: Path) -> None:
    """A store that nobody has used yet."""
    open_store(uri_of(tmp_path)).close()
    with page(uri_of(tmp_path), tmp_path / "index.db") as client:
        html = client.get("/").text
    assert "No decision in this time." in part(html, "decisions")
    assert "No guard has used this store." in words(part(html, "guards"))


def test_a_damaged_journal_is_shown_up_to_the_damage(tmp_path: Path) -> None:
    """The banner says where; what stands before it is there."""
    uri = uri_of(tmp_path)
    deny(uri, 9, reasons=(NOTIONAL,))
    db = sqlite3.connect(tmp_path / "store.db")
    with db:
        db.execute("UPDATE journal SET body = replace(body, '30000', '3') WHERE seq = 6")
    db.close()
    with page(uri, tmp_path / "index.db") as client:
        html = client.get("/").text
    assert "row 6 does not carry the hash" in words(part(html, "notes"))
    assert "NOT KNOWN" in words(part(html, "trading"))
    assert "0 live" not in html
    for name in ("rooms", "loss", "guards"):
        assert "Not known" in words(part(html, name)), name  # and nothing that only a store can tell
    assert re.findall(r'data-denial="([^"]*)"', html) == [f"01JD3V7K2N{number:016d}" for number in (4, 3, 2, 1, 0)]


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """The store's file is the same, byte for byte, after everything was asked for."""
    uri = made(tmp_path)
    guarded(uri)
    before = (tmp_path / "store.db").read_bytes()
    with page(uri, tmp_path / "index.db") as client:
        for path in ("/", "/parts", f"/order/{THIRD}", "/search?q=0001"):
            client.get(path)
    assert (tmp_path / "store.db").read_bytes() == before


def test_the_page_does_not_wait_for_a_store_that_takes_long_to_open(tmp_path: Path) -> None:
    """The journal's part is there at once; the store's follows, and the page is told so."""
    uri = made(tmp_path)
    desk = Desk(uri, clock=StillClock(), index=tmp_path / "index.db", patience_s=0)
    held = threading.Event()
    desk._opener.submit(held.wait)
    client = Client(desk)
    try:
        client.catch_up()
        html = client.get("/").text
        assert "Opening the store." in words(part(html, "notes"))
        assert words(part(html, "trading")).startswith("Trading … The store is being opened.")
        assert len(re.findall("data-denial=", html)) == 1
        assert desk.advance() == (False, False)
        held.set()
        assert desk._store is not None
        desk._store.result(60)
        assert desk.advance() == (True, False)
        assert "ACTIVE, no guard" in words(part(client.get("/").text, "trading"))
    finally:
        held.set()
        desk.close()
