"""`journal show`: the life of one order."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from policykit.store import open_store
from policykit.store.base import Row
from policykit.store.reader import JournalReader
from policykit.telemetry.timeline import Ambiguous, Story, find, render
from policykit.telemetry.words import grouped, order_text, verdict_text
from tests.journal.conftest import FIRST, SECOND, THIRD, Writable
from tests.telemetry.nouns import AT_MS, decision, order

ORDER = f"""\
order pk{FIRST}  BTC/USDT buy limit 0.01 @ 60,000  binance/main  bot mm-1
2026-11-21 UTC, policy mm sha256:3f9a01c2d4e5, decision {FIRST}
10:00:00.000  decided    allow      14 checks, order notional 600.00, facts 0.4 s old
10:00:00.000  intent     durable    seq 2
10:00:00.002  sent       attempt 1  request valid until 10:00:05.002
10:00:03.004  unknown               timed out after 3.0 s; reservation kept
10:00:05.010  looked up             not visible; fence at 10:00:16.500
10:00:17.013  looked up  ABSENT     behind the fence, it can no longer execute; reservation given back

order pk{SECOND}  BTC/USDT buy limit 0.01 @ 60,000  binance/main  bot mm-1
2026-11-21 UTC, policy mm sha256:3f9a01c2d4e5, decision {SECOND}, re-sent in place of {FIRST}
10:00:17.100  decided    allow      14 checks, order notional 600.00, facts 0.4 s old
10:00:17.100  intent     durable    seq 6
10:00:17.110  sent       attempt 2  request valid until 10:00:22.110
10:00:17.150  accepted              id 881723, filled 0.007 of 0.01
10:00:18.150  settled               id 881723, filled 0.01 of 0.01"""
DENIAL = f"""\
order {THIRD}  BTC/USDT buy limit 0.01 @ 60,000  bot mm-2
2026-11-21 UTC, policy mm sha256:3f9a01c2d4e5, decision {THIRD}
10:00:19.000  decided    deny       14 checks, order notional 600.00, facts 0.4 s old
              RISK_ORDER_NOTIONAL: order notional 30000 USDT is over max_order_notional 1500 USDT \
(policies/mm.yaml:31:23)
              RISK_POSITION: position would be 34500 of 20000 USDT
10:00:19.000  recorded              seq 9"""


def _story(store: JournalReader, part: str) -> Story:
    found = find(store, part)
    assert isinstance(found, Story)
    return found


@pytest.mark.parametrize("part", [FIRST, SECOND, "pk" + FIRST, "pk" + SECOND, "881723", "0001", "0002"])
def test_any_of_its_ids_shows_the_whole_order(journal: JournalReader, part: str) -> None:
    """Decision ids, client order ids, their ends and the exchange's id lead to one story, re-sends included."""
    assert render(_story(journal, part)) == ORDER


def test_a_denial_shows_every_reason_with_its_place(journal: JournalReader) -> None:
    """A decision that sent nothing is shown as well, with what failed and where the policy says so."""
    assert render(_story(journal, THIRD)) == DENIAL


def test_an_id_that_fits_several_orders_names_them(journal: JournalReader) -> None:
    """Ids of one process begin alike: the newest orders that fit are listed, not one of them guessed."""
    found = find(journal, "01JD3V7K2M")
    assert found == Ambiguous(
        (
            (FIRST, "2026-11-21 10:00:00  allow  mm-1  BTC/USDT buy limit 0.01 @ 60,000"),
            (SECOND, "2026-11-21 10:00:17  allow  mm-1  BTC/USDT buy limit 0.01 @ 60,000"),
            (THIRD, "2026-11-21 10:00:19  deny   mm-2  BTC/USDT buy limit 0.01 @ 60,000"),
        ),
        2,
    )


@pytest.mark.parametrize("part", ["", "pk", "003", "ZZZZZZZZ", "V7K2"])
def test_what_fits_nothing_or_is_too_short_is_not_found(journal: JournalReader, part: str) -> None:
    """Fewer than four characters, and the middle of an id, find nothing."""
    assert find(journal, part) is None


def test_a_callers_own_id_and_a_shadow_denial(journal: JournalReader, uri: str) -> None:
    """A denied order is found by the bot's own client order id; in shadow it says that it did not act."""
    from tests.telemetry.nouns import NOTIONAL

    mine = decision("01ZZ", reasons=(NOTIONAL,), mode="shadow", order=order(client_order_id="mine-77"), checks=0)
    with closing(open_store(uri)) as store:
        store.record(mine, AT_MS)
    text = render(_story(journal, "mine-77")).splitlines()
    assert text[0] == "order mine-77  BTC/USDT buy limit 0.01 @ 60,000  bot mm-1"
    assert text[2] == (
        "10:00:00.000  decided    deny       order notional 600.00, facts 0.4 s old (shadow: it did not act)"
    )


def test_an_exit_over_a_cap_says_why_it_passed(uri: str, journal: JournalReader) -> None:
    """What can only reduce is held to no cap on entries: without the word it looks as if the cap had failed."""
    with closing(open_store(uri)) as store:
        store.record(decision("01ZY", reduces=True), AT_MS)
    text = render(_story(journal, "01ZY"))
    assert "order notional 600.00, can only reduce, facts 0.4 s old" in text


def test_rows_of_other_kinds_are_shown_as_they_are() -> None:
    """An event of a later version is drawn with its fields; a renewed permit, an order without id and a warning too."""
    body = {
        "decision": {**decision().to_dict(), "action": "order.cancel", "order": {"symbol": "BTC/USDT"}},
        "warnings": [{"code": "RATE_BUDGET", "message": "nearly used up"}],
        "trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"},
    }
    ident = decision().id
    rows = [
        Row(1, AT_MS, "decision", body, ""),
        Row(2, AT_MS, "renew", {"intent": ident}, ""),
        Row(3, AT_MS, "lookup", {"intent": ident, "asked": False}, ""),
        Row(4, AT_MS, "outcome", {"intent": ident, "state": "sent", "signed_ms": AT_MS}, ""),
        Row(5, AT_MS, "outcome", {"intent": ident, "state": "rejected", "error": "-2010"}, ""),
        Row(6, AT_MS, "drilled", {"intent": ident, "by": "ops", "x": None}, ""),
    ]
    assert render(Story((ident,), tuple(rows))).splitlines() == [
        f"order.cancel {ident}  BTC/USDT  bot mm-1",
        f"2026-11-21 UTC, policy mm sha256:3f9a01c2d4e5, decision {ident}",
        "10:00:00.000  decided    allow",
        "              asked in trace 0af7651916cd43dd8448eb211c80319c, span b7ad6b7169203331",
        "              warning RATE_BUDGET: nearly used up",
        "10:00:00.000  recorded              seq 1",
        "10:00:00.000  renewed               the permit to send",
        "10:00:00.000  looked up             the exchange gave no answer",
        "10:00:00.000  sent       attempt 1",
        "10:00:00.000  rejected              -2010; reservation given back",
        "10:00:00.000  drilled               by=ops",
    ]


def test_a_circle_of_replacements_ends(empty: Writable) -> None:
    """A damaged journal in which two intents replace each other does not hang the command."""
    store, journal = empty
    from tests.telemetry.nouns import intent

    store.reserve(decision("AAAA"), intent("AAAA", replaces="BBBB"), (), 0, AT_MS)
    store.reserve(decision("BBBB"), intent("BBBB", replaces="AAAA"), (), 0, AT_MS)
    assert _story(journal, "AAAA").ids == ("AAAA", "BBBB")
    assert _story(journal, "pkBBBB").ids == ("AAAA", "BBBB")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"symbol": "BTC/USDT", "side": "buy", "type": "market", "quote_quantity": "5000"},
            "BTC/USDT buy market for 5,000",
        ),
        (
            {
                "symbol": "BTC/USDT",
                "side": "sell",
                "type": "stop",
                "quantity": "1",
                "stop_price": "59000.5",
                "reduce_only": True,
            },
            "BTC/USDT sell stop 1 stop 59,000.5 reduce-only",
        ),
    ],
)
def test_orders_in_words(fields: dict[str, Any], text: str) -> None:
    """Each kind of order reads as one would say it."""
    assert order_text(fields) == text


def test_numbers_are_grouped_and_words_left_alone() -> None:
    """Thousands are set apart, digits kept as they are; what is no number stays."""
    assert [grouped(n) for n in ("60000.50", "0.010", "1E+3", "none")] == ["60,000.50", "0.010", "1,000", "none"]


def test_the_verdict_in_words() -> None:
    """Intact, empty and broken are said plainly, with the newest row or the place where it breaks."""
    said = {"store": "sqlite:///x", "intact": True, "rows": 1300, "first": 1, "pruned": [], "problem": None}
    head = {"seq": 13, "at": "2026-11-21T10:00:00.000Z", "hash": "c0ffee"}
    assert verdict_text({**said, "newest": head}) == (
        "sqlite:///x: intact, 1,300 rows read, the chain holds\nnewest row 13 of 2026-11-21T10:00:00.000Z, hash c0ffee"
    )
    gone = {"first": 1, "last": 9, "at": "T", "by": "ops", "archive": None, "hash": "abc"}
    assert verdict_text({**said, "newest": head, "first": 10, "pruned": [gone]}).splitlines()[:2] == [
        "sqlite:///x: intact, 1,300 rows read from row 10 on, the chain holds",
        "rows 1 to 9 were pruned at T by ops, archived nowhere, hash abc",
    ]
    assert verdict_text({**said, "newest": None}) == "sqlite:///x: intact, and empty"
    broken = {**said, "intact": False, "rows": 8, "problem": "row 9 was changed"}
    assert verdict_text(broken).splitlines()[0] == "sqlite:///x: BROKEN after 8 good rows: row 9 was changed"
