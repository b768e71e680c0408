"""Names and words that somebody else chose: they take no incident's place, move no cursor and are no markup."""

from __future__ import annotations

import sys
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


def _twins(one: Desk) -> None:
    """Let another account's policy call its keys as the first one's."""
    there = one.folder / "policies" / "binance.yaml"
    text = there.read_text().replace("name: binance\n", "name: other\n").replace("name: main,", "name: second,")
    there.with_name("other.yaml").write_text(text.replace("env://BINANCE_", "env://OTHER_"))


@pytest.mark.parametrize("way", ["--key=binance-exec", "--key binance-exec"])
def test_a_name_of_two_keys_ends_neither_unasked(one: Desk, way: str) -> None:
    """Nobody on a terminal can be asked: nothing begins, and the command that is meant stands there to be typed."""
    _twins(one)
    said = one.start(*way.split(), "--no-input")
    end = f"--no-input --by alice --why 'secret in a log' --endpoint binance={one.sims['binance'].url}"
    assert said.code == 2
    assert "binance-exec: 2 keys have this name; nothing was done, type the one that is meant:" in said.err
    for mine in ("binance/binance-exec", "other/binance-exec"):
        assert f"\n  policykit incident start --key {mine} {end}\n" in said.err
    assert f"\n  policykit incident start --key binance/binance-exec --key other/binance-exec {end}" in said.err
    assert heads(one.store()) == {}
    assert one.start(*way.split()).code == 2, "no terminal: nobody can be asked either"
    assert one.start(*way.split(), "--format", "json").code == 2


def test_a_name_of_two_keys_is_taken_where_it_is_said_or_asked(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the policy before it, with all, or on a terminal, where each key is asked for before it is ended."""
    _twins(one)
    for words, accounts in (
        (("--key", "other/binance-exec", "--no-input"), ["binance/second"]),
        (("--key", "binance-exec", "--all", "--no-input"), ["binance/main", "binance/second"]),
    ):
        one.start(*words)
        assert one.incident("status", "--format", "json").json()["accounts"] == accounts
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("click.confirm", lambda text, default: False)
    assert one.start("--key", "binance-exec").code == 1
    assert one.incident("status", "--format", "json").json()["accounts"] == ["binance/main", "binance/second"]


def test_policies_that_share_one_key_name_one_key(one: Desk) -> None:
    """The same secret of the same account is no second key: nobody is kept from ending it."""
    there = one.folder / "policies" / "binance.yaml"
    there.with_name("twin.yaml").write_text(there.read_text().replace("name: binance\n", "name: twin\n"))
    assert one.start("--key", "binance-exec", "--no-input").code == 1
