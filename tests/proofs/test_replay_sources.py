"""What a replay is made of: a journal's file, whole, pruned, damaged or of another version; an exchange's trades."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench._history import NEW, OLD, made
from policykit.engine.checks.borrow import LAG_MS
from policykit.errors import StoreUnavailable
from policykit.policy import EffectivePolicy, load
from policykit.proofs.difference import Replayed
from policykit.proofs.replay import halves, replay
from policykit.proofs.replay import journal as replaying
from policykit.proofs.report.replayed import lines
from policykit.store.chain import link, text_of
from policykit.store.prune import prune
from policykit.store.sqlite import SqliteStore
from tests.operate.conftest import Run, run

__all__ = ["run"]

START_MS = 1_795_255_200_000


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the journal of a bot, of about 1,500 rows."""
    path = tmp_path_factory.mktemp("journal") / "store.db"
    made(path, 1_500)
    return path


def policies(folder: Path, old: str = OLD, new: str = NEW) -> tuple[EffectivePolicy, EffectivePolicy]:
    """Return two policies, each from its file."""
    (folder / "old.yaml").write_text(old, encoding="utf-8")
    (folder / "new.yaml").write_text(new, encoding="utf-8")
    return load(folder / "old.yaml", now_ms=0), load(folder / "new.yaml", now_ms=0)


def copied(journal: Path, folder: Path, statement: str = "") -> Path:
    """Copy a journal, and change it as nobody may."""
    path = folder / "copy.db"
    with closing(sqlite3.connect(journal)) as db, closing(sqlite3.connect(path)) as copy:
        db.backup(copy)
        copy.execute(statement or "SELECT 1")
        copy.commit()
    return path


def told(done: Replayed) -> list[tuple[str, str, int]]:
    """Return what becomes what, by which code, how often."""
    return [(group.becomes, group.code, group.decisions) for group in done.groups]


def test_a_journal_is_replayed_from_its_file(journal: Path, tmp_path: Path) -> None:
    """What one looser cap and one tighter window change, the money of it, what of it is shown, and what was left."""
    done = replay([policies(tmp_path)], str(journal))
    allowed, denied = done.groups
    assert (allowed.becomes, allowed.code, denied.becomes, denied.code) == (
        *("allow", "RISK_ORDER_NOTIONAL"),
        *("deny", "RATE_ORDERS"),
    )
    assert allowed.money == sum(one.money or 0 for one in allowed.examples) > 1_500 * allowed.decisions
    assert allowed.examples[0].was == ("RISK_ORDER_NOTIONAL",)
    assert allowed.examples[0].now == ()
    assert [one.money for one in denied.examples] == sorted((one.money for one in denied.examples), reverse=True)  # type: ignore[type-var]
    assert len(denied.examples) == 3 < denied.decisions
    assert set(done.left) == {"cancels, which always pass", "not known: account.max_age (FACTS_MISSING)"}
    assert (done.other, done.incomplete, done.assumed) == (0, "", ())
    text = "\n".join(lines(done))
    assert text.startswith(
        f"replay of {journal}: {done.decisions:,} decisions in {done.rows:,} rows, 2026-11-21T10:00Z"
    )
    assert "each decision by itself" in text


def test_a_span_of_time_is_judged_on_all_that_came_before_it(journal: Path, tmp_path: Path) -> None:
    """From a moment on and up to one: the decisions between change as they do in the whole."""
    pair, middle = policies(tmp_path), START_MS + 150_000
    whole = replay([pair], str(journal))
    before, after = (replay([pair], str(journal), **{name: middle}) for name in ("until_ms", "since_ms"))  # type: ignore[arg-type]
    assert before.decisions + after.decisions == whole.decisions
    assert before.changed + after.changed == whole.changed
    assert 0 < before.changed < whole.changed
    assert before.until_ms is not None
    assert after.since_ms is not None
    assert before.until_ms < middle <= after.since_ms


def test_a_pruned_journal_begins_with_what_was_kept(journal: Path, tmp_path: Path) -> None:
    """Counters that were kept go on; a window that only the new policy has is not known while it reaches back."""
    old, _ = policies(tmp_path)
    path = copied(journal, tmp_path)
    assert prune(str(path), START_MS + 60_000, by="ops", now_ms=START_MS + 10**6, folder=None) is not None
    same = replay([(old, old)], str(path))
    assert (same.changed, same.incomplete) == (0, "")
    assert same.decisions > 100
    other = load(_policy(tmp_path, OLD.replace("per: 1m}\n  price", "per: 2m}\n  price")), now_ms=0)
    done = replay([(old, other)], str(path))
    assert "not known: risk.max_orders (its window reaches back before the first row)" in done.left


def _policy(folder: Path, text: str) -> Path:
    path = folder / "other.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_damaged_journal_is_replayed_up_to_the_damage(journal: Path, tmp_path: Path) -> None:
    """A row that was changed, and one that is missing: where that is, and what came before it."""
    pair = policies(tmp_path)
    whole = replay([pair], str(journal))
    changed = replay([pair], str(copied(journal, tmp_path, "UPDATE journal SET body='{}' WHERE seq=900")))
    assert "row 900 does not carry the hash of its content" in changed.incomplete
    assert changed.rows == 899
    assert 0 < changed.decisions < whole.decisions
    gone = replay([pair], str(copied(journal, tmp_path, "DELETE FROM journal WHERE seq=900")))
    assert "row 900 is missing" in gone.incomplete
    assert gone.decisions == changed.decisions


def test_rows_that_are_missing_at_the_end_are_told_by_the_state_that_is_kept(journal: Path, tmp_path: Path) -> None:
    """A tail that was cut off is incomplete, if what is asked for reaches it; a file without that state cannot tell."""
    pair = policies(tmp_path)
    path = copied(journal, tmp_path)
    with closing(SqliteStore(path)) as store:
        store.checkpoint()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM journal WHERE seq>600")
        db.commit()
    done = replay([pair], str(path))
    assert "row 601 is missing, and all after it: there were at least" in done.incomplete
    assert done.rows == 600
    with closing(sqlite3.connect(path)) as db:
        at_ms = db.execute("SELECT at_ms FROM journal WHERE seq=500").fetchone()[0]
        assert replay([pair], str(path), until_ms=at_ms).incomplete == ""
        db.execute("DELETE FROM checkpoint")
        db.commit()
    assert replay([pair], str(path)).incomplete == ""


def test_a_row_of_another_version_ends_the_replay_at_its_place(journal: Path, tmp_path: Path) -> None:
    """What cannot be read is not guessed at: the rows before it were judged, and the place is said."""
    path = tmp_path / "later.db"
    with closing(SqliteStore(path)) as store:
        store.event("note", {"of": "a later version"}, START_MS)
    with closing(sqlite3.connect(path)) as db:
        before = db.execute("SELECT hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()[0]
        text = text_of({"decision": {"in": "other words"}})
        db.execute(
            "INSERT INTO journal VALUES (2,?,?,?,?)",
            (START_MS, "decision", text, link(before, 2, START_MS, "decision", text)),
        )
        db.commit()
    done = replay([policies(tmp_path)], str(path))
    assert done.incomplete == (
        f"{path}: row 2 (decision) is not as this version writes it (KeyError); what was found is of the rows before it"
    )


CSV = """\
timestamp,symbol,side,amount,price,cost,order
2026-11-21T10:00:00Z,BTC/USDT,buy,0.02,60000,,a
2026-11-21T10:00:01Z,BTC/USDT,buy,0.02,60000,,a
2026-11-21T10:00:05Z,BTC/USDT,sell,0.01,60000,,b
2026-11-21T10:00:06Z,ETH/USDT,buy,0.1,3000,,c
2026-11-21T10:00:07Z,ETH/USDT,buy,0.9,3000,,d
2026-11-21T10:00:08Z,ETH/USDT,buy,0.1,3000,,e
"""
MINUTE = "max_orders: {limit: 60, per: 1m}"


def test_an_exchanges_own_trades_are_orders_that_were_sent(tmp_path: Path) -> None:
    """Fills of one order are one order of their sum, judged on the positions and the counters before it."""
    trades = tmp_path / "trades.csv"
    trades.write_text(CSV, encoding="utf-8")
    pair = policies(
        tmp_path, OLD, OLD.replace("1500 USDT", "2500 USDT").replace(MINUTE, "max_orders: {limit: 3, per: 1m}")
    )
    done = replay([pair], str(trades), equity="100000 USDT")
    # a: 2,400 of 1,500; d: 2,700 is over both; e would be the fifth in a minute, as each was sent.
    assert told(done) == [("allow", "RISK_ORDER_NOTIONAL", 1), ("deny", "RATE_ORDERS", 1)]
    assert [group.examples[0].decision for group in done.groups] == ["BTC/USDT a", "ETH/USDT e"]
    assert [group.money for group in done.groups] == [2_400, 300]
    assert done.decisions == 5
    traded = "the old policy denies it too, though it traded: risk.max_order_notional"
    assert done.left == {"not known: risk.daily_loss (DAY_BASE_MISSING)": 2, traded: 1}
    assert "equity was 100000 USDT all the time; no loss is judged" in done.assumed
    poor = replay([pair], str(trades))
    assert [(group.becomes, group.code) for group in poor.groups] == [
        (group.becomes, group.code) for group in done.groups
    ]
    assert "not known: risk.max_position_notional (FACTS_MISSING)" in poor.left
    assert done.unsure == sum(done.left.values()) == 3
    assert poor.unsure == 3 < sum(poor.left.values())  # of two orders several checks could not judge
    assert replay([(pair[0], pair[0])], str(trades)).changed == 0


def test_positions_of_trades_are_what_was_bought_and_sold(tmp_path: Path) -> None:
    """A cap of the position is held against the fills before: the first order fits, the second does not."""
    trades = tmp_path / "trades.csv"
    head, *rows = CSV.splitlines()
    trades.write_text("\n".join((head, *rows[-3:])), encoding="utf-8")
    tight = OLD.replace("max_position_notional: 20% of equity", "max_position_notional: 350 USDT")
    done = replay([policies(tmp_path, OLD, tight)], str(trades), equity="100000 USDT")
    assert told(done) == [("deny", "RISK_POSITION", 1)]
    assert done.groups[0].examples[0].decision == "ETH/USDT e"


def test_trades_that_the_old_policy_never_let_through_are_not_called_unchanged(tmp_path: Path) -> None:
    """Of a market that OLD does not name nothing is known of a change: both policies deny what was traded."""
    trades = tmp_path / "trades.csv"
    row = "2026-01-05 10:00:00,XRPUSDT,BUY,1,3000\n"
    trades.write_text(f"Date(UTC),Symbol,Side,Price,Quantity\n{row}", encoding="utf-8")
    pair = policies(tmp_path, OLD, OLD.replace("1500 USDT", "500 USDT"))
    done = replay([pair], str(trades), equity="100000 USDT")
    assert (done.changed, done.unsure) == (0, 1)
    assert done.left["the old policy denies it too, though it traded: risk.symbols"] == 1


@pytest.mark.parametrize(
    ("source", "equity", "words"),
    [
        ("no.csv", None, "no.csv: cannot be read (No such file or directory); a CSV of trades or a journal is needed"),
        ("old.yaml", None, "old.yaml:1: no column for time"),
        ("trades.csv", "1 BTC", "--equity is '1 BTC'; an amount in the account's currency (100000 USDT) is needed"),
        ("sqlite:////no/such.db", None, "/no/such.db: there is no journal"),
        ("store.db", "100000 USDT", "--equity is for a CSV of trades; the journal store.db says it itself"),
        ("memory:", None, "memory: has no journal that another process could read"),
    ],
    ids=["no-file", "no-csv", "equity", "no-store", "equity-of-a-journal", "memory"],
)
def test_a_source_that_cannot_be_replayed_is_said_with_exit_2(
    source: str, equity: str | None, words: str, journal: Path, run: Run, tmp_path: Path
) -> None:
    """Each with its place, what is wrong and what is needed."""
    policies(tmp_path)
    (tmp_path / "trades.csv").write_text(CSV, encoding="utf-8")
    copied(journal, tmp_path).rename(tmp_path / "store.db")
    more = () if equity is None else ("--equity", equity)
    said = run("diff", "old.yaml", "new.yaml", "--replay", source, *more)
    assert said.code == 2
    assert words in said.err


def test_trades_beside_several_policies_are_of_the_one_that_is_named(run: Run, tmp_path: Path) -> None:
    """A folder of two policies: which one traded is said, never guessed; a file that is not there is said first."""
    (tmp_path / "trades.csv").write_text(CSV, encoding="utf-8")
    for side, cap in (("a", "1500 USDT"), ("b", "2500 USDT")):
        (tmp_path / side).mkdir()
        for name in ("mm", "arb"):
            text = OLD.replace("1500 USDT", cap).replace("name: mm", f"name: {name}", 1)
            (tmp_path / side / f"{name}.yaml").write_text(text, encoding="utf-8")
    asked = ("diff", "a", "b", "--replay", "trades.csv")
    said = run(*asked)
    assert said.code == 2
    assert "a CSV of trades is of one policy, and 2 are compared (arb, mm); say which with --policy NAME" in said.err
    done = run(*asked, "--policy", "mm", "--equity", "100000 USDT")
    assert done.code == 0
    assert "replay of trades.csv: 5 decisions" in done.out
    assert "1 denied order would be allowed, 2,400.00 USDT: RISK_ORDER_NOTIONAL" in done.out
    said = run(*asked, "--policy", "nn")
    assert said.code == 2
    assert "--policy nn: no policy of that name among those compared; one of arb, mm is needed" in said.err
    said = run("diff", "a", "b", "--replay", "nosuch.db")
    assert said.code == 2
    assert "nosuch.db: cannot be read (No such file or directory)" in said.err
    assert run("diff", "a", "b", "--policy", "mm").code == 2


def test_the_command_shows_the_replay_and_writes_it_as_json(journal: Path, run: Run, tmp_path: Path) -> None:
    """Exit 0 for what was read to its end, 1 where it was not; --since without --replay is a wrong call."""
    policies(tmp_path)
    said = run("diff", "old.yaml", "new.yaml", "--replay", journal)
    assert said.code == 0
    assert "denied orders would be allowed" in said.out
    found = json.loads(run("diff", "old.yaml", "new.yaml", "--replay", journal, "--format", "json").out)["replayed"]
    assert [group["becomes"] for group in found["groups"]] == ["allow", "deny"]
    assert (found["incomplete"], found["interrupted"]) == ("", False)
    broken = copied(journal, tmp_path, "DELETE FROM journal WHERE seq=900")
    said = run("diff", "old.yaml", "new.yaml", "--replay", broken)
    assert said.code == 1
    assert "INCOMPLETE" in said.out
    said = run("diff", "old.yaml", "new.yaml", "--since", "2026-11-21")
    assert said.code == 2
    assert "--replay JOURNAL is needed" in said.err


def test_an_interruption_ends_with_what_was_found_so_far(
    journal: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 130, the figures up to there, and that they are not all."""
    policies(tmp_path)
    events = replaying._events

    def interrupted(*given: Any) -> Iterator[Any]:
        for event in events(*given):
            if event[0] == 1_001:
                raise KeyboardInterrupt
            yield event

    monkeypatch.setattr(replaying, "_events", interrupted)
    said = run("diff", "old.yaml", "new.yaml", "--replay", journal)
    assert said.code == 130
    assert "INCOMPLETE: interrupted after row 1,000 of" in said.out


def test_a_journal_without_the_state_of_its_decisions_is_refused(journal: Path, tmp_path: Path) -> None:
    """One of a host whose counters are on a server has neither facts nor counters."""
    path = copied(journal, tmp_path, "INSERT INTO seen VALUES (1, 'e', 7)")
    with pytest.raises(StoreUnavailable, match=r"whose counters and facts are on a server"):
        replay([policies(tmp_path)], str(path))


def test_two_processes_find_what_one_finds(journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins to count at a moment from which its windows are full, with the orders that were open then."""
    old, new = policies(tmp_path, OLD, NEW.replace("max_open_orders: 20", "max_open_orders: 5"))
    alone = {pair: replay([pair], str(journal)) for pair in ((old, new), (new, old), (old, old))}
    monkeypatch.setattr(halves, "MIN_ROWS", 1_000)
    monkeypatch.setattr(halves, "REENTRIES_MS", 0)
    assert halves.longest_ms(new) == 60_000 + LAG_MS
    for pair, one in alone.items():
        assert replay([pair], str(journal)) == one
    found = alone[old, new]
    assert {group.code for group in found.groups} == {"RISK_ORDER_NOTIONAL", "RATE_ORDERS", "RISK_OPEN_ORDERS"}
    assert [alone[new, old].other, alone[old, old].changed] == [found.decisions, 0]
    # The control: without the windows before its first decision the second half says something else.
    monkeypatch.setattr(halves, "longest_ms", lambda policy: 0)
    assert replay([(old, new)], str(journal)) != found


def test_damage_in_the_second_half_is_said_by_two_processes(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other process could not read ends the replay, wherever it is."""
    pair = policies(tmp_path)
    path = str(copied(journal, tmp_path, "DELETE FROM journal WHERE seq=1400"))
    alone = replay([pair], path)
    monkeypatch.setattr(halves, "MIN_ROWS", 1_000)
    monkeypatch.setattr(halves, "REENTRIES_MS", 0)
    assert replay([pair], path) == alone
    assert "row 1400 is missing" in alone.incomplete
