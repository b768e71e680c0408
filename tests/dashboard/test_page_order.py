"""An order's page: its reasons, its life, its spans, its rows; and what a search comes to."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from policykit.dashboard.story import waterfall
from policykit.decision import Reason
from policykit.place import Place
from policykit.redact import register
from policykit.store import open_journal, open_store
from policykit.telemetry.rebuild import JournalSpan
from policykit.telemetry.timeline import Story, find, render
from tests.dashboard.pages import deny, made, page, uri_of, words
from tests.journal.conftest import FIRST, SECOND, THIRD
from tests.telemetry.nouns import NOTIONAL, order

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "{{ 7 * 7 }}{% raw %}",
    "\u202eTDSU/CTB\u202c", "a\x00b\x1b[31m", "</textarea></script><svg onload=alert(1)>", "x" * 10_000,
    "javascript:alert(1)",
)  # fmt: skip


@pytest.mark.parametrize("ident", [FIRST, SECOND, f"pk{SECOND}", "881723", "0001", FIRST[:-1]])
def test_every_id_of_an_order_leads_to_its_whole_life_in_the_words_of_journal_show(tmp_path: Path, ident: str) -> None:
    """Re-sends included; line for line what the command prints."""
    uri = made(tmp_path)
    if ident == FIRST[:-1]:
        ident = "pk" + FIRST
    with page(uri, tmp_path / "index.db") as client:
        answer = client.get(f"/order/{ident}")
    reader = open_journal(uri)
    told = find(reader, FIRST)
    reader.close()
    assert isinstance(told, Story)
    said = words(answer.text)
    for line in render(told).splitlines():
        assert " ".join(line.split()) in said
    assert answer.status_code == 200
    assert re.findall(r"<summary><code>(\d+)</code>", answer.text) == [str(row.seq) for row in told.rows]


def test_a_denial_says_every_reason_with_its_numbers_and_its_place(tmp_path: Path) -> None:
    """The answer to "why was my order denied?" on one screen."""
    with page(made(tmp_path), tmp_path / "index.db") as client:
        said = words(client.get(f"/order/{THIRD}").text)
    assert (
        "Why it was denied risk.max_order_notional RISK_ORDER_NOTIONAL order notional 30000 USDT is over "
        "max_order_notional 1500 USDT 30,000 of 1,500 USDT 28,500 USDT too much, 1,900.0% over "
        "set in policies/mm.yaml:31:23 copy more: policykit explain RISK_ORDER_NOTIONAL copy "
        "risk.max_position_notional RISK_POSITION position would be 34500 of 20000 USDT "
        "more: policykit explain RISK_POSITION copy Its life"
    ) in said
    assert "Spans rebuilt from the journal Span When took policykit.decide order.create under 1 ms trace" in said


def test_denials_lead_to_the_one_before_and_after(tmp_path: Path) -> None:
    """From the page of one to its neighbours; the ends have one only."""
    uri = uri_of(tmp_path)
    deny(uri, 3, reasons=(NOTIONAL,))
    idents = [f"01JD3V7K2N{number:016d}" for number in range(3)]
    found = []
    with page(uri, tmp_path / "index.db") as client:
        for ident in idents:
            html = client.get(f"/order/{ident}").text
            found.append(re.findall(r'<a href="/order/([^"]*)" rel="(prev|next)"', html))
    assert found == [
        [(idents[1], "prev")],
        [(idents[2], "prev"), (idents[0], "next")],
        [(idents[1], "next")],
    ]


def test_a_search_leads_on(tmp_path: Path) -> None:
    """To the order of an id, to the denials of a symbol, to what to do where nothing or too much fits."""
    uri = made(tmp_path)
    deny(uri, 12, reasons=(NOTIONAL,))
    with page(uri, tmp_path / "index.db") as client:

        def leads(asked: str) -> str:
            answer = client.get("/search", params={"q": asked})
            assert answer.status_code == 303
            return answer.headers["location"]

        assert leads(f" {THIRD} ") == f"/order/{THIRD}"
        assert leads("btc/usdt") == "/?symbol=BTC%2FUSDT"
        assert leads("") == "/"
        assert leads("ETH/USDT") == "/order/ETH%2FUSDT"
        missing = client.get(leads("ETH/USDT"))
        several = client.get(leads("01JD3V7K2N"))
    assert (missing.status_code, several.status_code) == (404, 300)
    assert "Nothing in this journal has that id Looked for 'ETH/USDT' among 25 rows." in words(missing.text)
    assert "12 orders fit that id Give more of it, or its end" in words(several.text)
    assert re.findall(r'href="/order/([^"]*)"', several.text)[0] == "01JD3V7K2N0000000000000011"
    assert "10:00:00 deny mm-1 BTC/USDT buy limit 0.01 @ 60,000" in words(several.text)


class Markup(HTMLParser):
    """What a browser would make of a page: anything that could run, or come from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("img", "iframe", "object", "embed", "style", "base", "textarea"):
            self.bad.append(tag)
        if tag == "script" and not str(said.get("src")).startswith("/static/"):
            self.bad.append("script")
        for name, value in said.items():
            if name.startswith("on") or name == "style":
                self.bad.append(name)
            if name in ("href", "src", "action", "data-parts") and not str(value).startswith(("/", "#")):
                self.bad.append(f"{name}={value}")


def unsafe(html: str) -> list[str]:
    """Return what should not be in a page: markup of others, and characters that are not seen."""
    return Markup(html).bad + re.findall(r"[\x00-\x08\x1b\u202e\u202c]|7 \* 7\D{0,9}= ?49", html)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_is_shown_and_never_becomes_markup(tmp_path: Path, text: str) -> None:
    """In a symbol, a bot's name, a reason, a place, an id, a halt, the address: on every page that shows it."""
    uri = uri_of(tmp_path)
    reason = Reason("RISK_X", text, text, text, text, text, Place(text, 1, 1))
    deny(uri, 1, reasons=(reason,), bot=text, policy_name=text, order=order(client_order_id=text))
    store = open_store(uri)
    store.halt("symbol:" + re.sub(r"\s", "", text), "HALTED", text, text, 1)
    store.close()
    with page(uri, tmp_path / "index.db") as client:
        pages = [client.get(path).text for path in ("/", "/parts", "/order/01JD3V7K2N0000000000000000")]
        pages += [client.get("/", params={name: text[:500]}).text for name in ("bot", "check", "symbol", "span")]
        pages.append(client.get(f"/order/{quote(text[:500], safe='')}").text)
    assert [unsafe(html) for html in pages] == [[]] * 8
    assert all(len(html) < 400_000 for html in pages)
    assert words(text)[:9].strip() in words(pages[2]) or not text.isascii() or "\x00" in text or "<" in text


def test_what_would_run_is_found() -> None:
    """The test above can fail."""
    found = ["script", "img", "onerror", "href=javascript:x", "style", "\u202e"]
    html = "<script>x</script><img src=/ onerror=x><a href='javascript:x'></a><p style=x>\u202e"
    assert unsafe(html) == found


def test_a_secret_that_reached_the_journal_is_not_shown(tmp_path: Path) -> None:
    """The page is one more edge: what is known to be a secret does not pass it."""
    secret = "q8Zr2Lx0Vt6Nw4Kb1Ms9Pd3Hc7Jf5Gya"
    register(secret)
    uri = uri_of(tmp_path)
    deny(uri, 1, reasons=(Reason("RISK_X", "risk.x", f"said {secret}", place=Place(secret, 1, 1)),), bot=f"b-{secret}")
    with page(uri, tmp_path / "index.db") as client:
        pages = [client.get(path).text for path in ("/", "/parts", "/order/01JD3V7K2N0000000000000000")]
    assert all("b-" in html and secret[8:24] not in html for html in pages)


def test_rows_are_shown_as_they_are(tmp_path: Path) -> None:
    """Folded, for whoever wants to see the very bytes' meaning."""
    uri = made(tmp_path)
    store = open_store(uri)
    row = next(row for row in store.rows() if row.kind == "decision" and row.body["decision"]["id"] == THIRD)
    store.close()
    with page(uri, tmp_path / "index.db") as client:
        html = client.get(f"/order/{THIRD}").text
    found = re.search(r"<pre[^>]*>(.*?)</pre>", html, re.DOTALL)
    assert found is not None
    assert json.loads(found[1].replace("&#34;", '"').replace("&#39;", "'")) == row.body


def test_spans_lie_where_and_as_long_as_they_were() -> None:
    """A waterfall: the drawing's width is the time of all; none is too short to be seen."""

    def span(ident: str, parent: str | None, start_ms: int, end_ms: int) -> JournalSpan:
        return JournalSpan(ident, "INTERNAL", "t", ident, parent, start_ms * 10**6, end_ms * 10**6, {}, False, (), 1)

    bars, length = waterfall([span("send", "decide", 110, 200), span("decide", "outer", 100, 100)])
    assert [(bar.name, bar.depth, bar.x, bar.width, bar.ms) for bar in bars] == [
        ("decide", 0, 0.0, 3, 0.0),
        ("send", 1, 100.0, 900.0, 90.0),
    ]
    assert length == 100.0
    assert waterfall([]) == ((), 0.0)
    assert waterfall([span("one", None, 5, 5)])[0][0].x == 0


def test_an_order_with_more_rows_than_are_shown_says_how_many_are_left(tmp_path: Path) -> None:
    """One that was looked up for hours."""
    uri = made(tmp_path)
    store = open_store(uri)
    for number in range(250):
        store.event("lookup", {"intent": FIRST, "asked": True, "fence_ms": None}, 1_795_255_210_000 + number)
    store.close()
    with page(uri, tmp_path / "index.db") as client:
        html = client.get(f"/order/{FIRST}").text
    assert "200, as they are on disk; 57 more in the journal" in words(html)
    assert "data-part" not in html
