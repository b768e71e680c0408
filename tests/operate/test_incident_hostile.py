"""Names and words that somebody else chose: they take no incident's place, move no cursor and are no markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.operate.incident import report
from policykit.operate.incident.book import heads
from policykit.operate.incident.subjects import accounts_of
from tests.operate.incidents import Desk, Skipping, begun, desk


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Start one exchange."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as running:
        yield running


class Standing(Skipping):
    """A clock that stands."""

    def now_ms(self) -> int:
        return 1_790_000_000_000


def test_two_incidents_of_one_second_are_two(one: Desk) -> None:
    """Two alarms at once, on two hosts: neither takes the other's row, and what is open of both is seen."""
    first, second = begun(one, Standing()), begun(one, Standing())
    assert set(heads(one.store())) == {first.id, second.id}
    assert first.id != second.id


def test_what_somebody_else_wrote_is_one_plain_line(one: Desk) -> None:
    """A login's city, a key's label, a reason out of a log: on a terminal and in the report for support."""
    bad = "\x1b[2K\x1b[1A\rfine |\n# Title <b>![x](http://evil.test/p.png) `x`"
    book = begun(one, Skipping(), why=bad)
    task = book.tasks[0]
    row = book.write(task, "alarm", bad, lines=[bad])
    assert row["words"].isprintable()
    assert row["lines"][0].isprintable()
    text = report.markdown(book, one.uri)
    assert all(line.isprintable() for line in text.splitlines())
    for markup in ("\n# Title", "<b>", "![x]", "`x`"):
        assert markup not in text


def test_two_keys_of_one_name_on_one_account_are_two(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bots of an account call their keys the same: the one that leaked is named, and never the other ended."""
    there = one.folder / "policies" / "binance.yaml"
    text = there.read_text().replace("name: binance\n", "name: zweiter\n")
    there.with_name("zweiter.yaml").write_text(text.replace("env://BINANCE_EXEC", "env://OTHER"))
    (account,), _ = accounts_of(("policies",), ["zweiter/binance-exec"], master="binance-glass")
    leaked = [key for key in account["keys"] if key["leaked"]]
    assert [(key["name"], key["master"]) for key in leaked] == [("zweiter/binance-exec", "")]
    assert not any("the API now" in line for line in leaked[0]["path"])
    (account,), _ = accounts_of(("policies",), ["binance-exec"])
    assert [k["name"] for k in account["keys"] if k["leaked"]] == ["binance-exec", "zweiter/binance-exec"]
    assert [k["name"] for k in account["keys"]].count("binance-glass") == 1, "the same secret: one key"
    head = one.start("--key", "zweiter/binance-exec", "--no-input")
    assert "no policy here names it" in head.out
    assert one.step("revoke/zweiter/binance-exec", "--done").code == 0
