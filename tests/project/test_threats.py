"""docs/threat-model.md: each attack that it calls not stopped is made here, and each test that it names is there."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
from pathlib import Path

import ccxt
import pytest

from policykit import Guard
from policykit.cli.__main__ import main
from policykit.errors import PolicyError, PolicykitError
from policykit.policy import load
from policykit.redact import Secret, scrub
from policykit.store import open_store
from policykit.store.chain import link, text_of
from tests.canary import canaries

NOW = 1_795_000_000_000
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
Out = pytest.CaptureFixture[str]


def test_every_test_that_the_page_names_is_there(top: Path) -> None:
    """A claim of the threat model whose test is renamed or deleted is no claim."""
    text = (top / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = NAMED.findall(text)
    assert len(named) > 30
    missing = []
    for file, name in named:
        path = top / file
        found = (
            {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}
            if path.is_file()
            else None
        )
        if found is None or (name and name not in found):
            missing.append(f"{file}::{name}")
    assert missing == []


def test_every_row_of_the_page_names_a_test_or_says_that_nothing_stops_it(top: Path) -> None:
    """No row is a claim alone."""
    text = (top / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| he can")]
    bare = [row for row in rows if not NAMED.search(row) and "nothing" not in row.lower()]
    assert len(rows) > 20
    assert bare == []


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose bots are halted, as a thief finds it."""
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    made = open_store()
    made.event("message", {"target": "desk", "ok": True}, NOW)
    made.halt("all", "HALTED", "ops", "a key leaked", NOW + 1)
    made.close()
    return tmp_path / "store.db"


def halted() -> bool:
    """Tell whether a bot that starts on the store would find the halt."""
    opened = open_store()
    try:
        return bool(opened.halts())
    finally:
        opened.close()


def appended(file: Path, kind: str, body: dict[str, object]) -> None:
    """Write a row as the store itself would: whoever may write the file can."""
    db = sqlite3.connect(file)
    seq, before = db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    text = text_of(body)
    row = (seq + 1, NOW + 9, kind, text, link(before, seq + 1, NOW + 9, kind, text))
    db.execute("INSERT INTO journal (seq, at_ms, kind, body, hash) VALUES (?,?,?,?,?)", row)
    db.commit()
    db.close()


def test_not_stopped_a_thief_of_the_store_lifts_a_halt_and_leaves_a_row(store: Path, capsys: Out) -> None:
    """A row that is chained right is a row: the halt is gone, and the journal says who is said to have lifted it."""
    appended(store, "resume", {"scope": "all", "by": "nobody", "why": "forged"})
    assert not halted()
    assert main(["journal", "verify"]) == 0
    capsys.readouterr()
    assert main(["journal", "tail"]) == 0
    assert "nobody: forged" in capsys.readouterr().out


def test_an_edited_row_is_found(store: Path, capsys: Out) -> None:
    """The row does not carry the hash of what it now says."""
    db = sqlite3.connect(store)
    db.execute("UPDATE journal SET body = replace(body, 'a key leaked', 'nothing') WHERE kind = 'halt'")
    db.commit()
    db.close()
    assert main(["journal", "verify"]) == 1
    assert "row 2 does not carry the hash of its content" in capsys.readouterr().out


def rewritten(file: Path) -> None:
    """Take the halt out, and chain the rest anew."""
    db = sqlite3.connect(file)
    rows = db.execute("SELECT at_ms, kind, body FROM journal WHERE kind <> 'halt' ORDER BY seq").fetchall()
    db.execute("DELETE FROM journal")
    db.execute("DELETE FROM checkpoint")
    before = "0" * 64
    for number, (at_ms, kind, body) in enumerate(rows, 1):
        row_hash = link(before, number, at_ms, kind, body)
        db.execute(
            "INSERT INTO journal (seq, at_ms, kind, body, hash) VALUES (?,?,?,?,?)",
            (number, at_ms, kind, body, row_hash),
        )
        before = row_hash
    db.commit()
    db.close()


def test_a_journal_that_was_written_anew_is_found_by_an_anchor_only(store: Path, tmp_path: Path, capsys: Out) -> None:
    """The chain holds by itself; what somebody else kept of it does not."""
    anchor = str(tmp_path / "kept.anchor")
    assert main(["journal", "verify", "--anchor", anchor]) == 0
    rewritten(store)
    assert not halted()
    assert main(["journal", "verify"]) == 0
    capsys.readouterr()
    assert main(["journal", "verify", "--anchor", anchor]) == 1
    assert "rows 2 to 2 are missing" in capsys.readouterr().out


def test_not_stopped_a_forged_checkpoint_forgets_a_halt_until_somebody_verifies(store: Path, capsys: Out) -> None:
    """The state beside the journal is sealed by a hash that needs no secret, and a bot that starts takes it.
    `journal verify` counts the rows anew and says what differs; a store that is opened without it has the halt.
    """
    opened = open_store()
    opened.checkpoint()
    opened.close()
    db = sqlite3.connect(store)
    seq, text = db.execute("SELECT seq, state FROM checkpoint").fetchone()
    state = json.loads(text)
    state["halts"] = []
    forged = json.dumps(state)
    row_hash = db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()[0]
    db.execute("UPDATE checkpoint SET state = ?, hash = ?", (forged, link(row_hash, seq, 0, "checkpoint", forged)))
    db.commit()
    assert not halted()
    capsys.readouterr()
    assert main(["journal", "verify"]) == 1
    said = capsys.readouterr().out
    assert 'row 2 is not what the rows up to it make: halts is kept as [], the rows make [["all", "HALTED"' in said
    db.execute("DELETE FROM checkpoint")
    db.commit()
    db.close()
    assert halted()
    assert main(["journal", "verify"]) == 0


ROOT = """\
policykit: 1
name: mm
exchange: binance
account: {name: main, currency: USDT}
risk: {max_order_notional: 1500 USDT}
"""


def test_a_child_cannot_loosen_and_not_stopped_a_root_that_is_changed_can(tmp_path: Path) -> None:
    """Who may write the parent writes the limits; another version of the policy is all that shows it."""
    root, child = tmp_path / "root.yaml", tmp_path / "child.yaml"
    root.write_text(ROOT)
    child.write_text("policykit: 1\nname: child\nextends: [root.yaml]\nrisk: {max_order_notional: 9000 USDT}\n")
    with pytest.raises(PolicyError, match="loose"):
        load(child)
    child.write_text("policykit: 1\nname: child\nextends: [root.yaml]\n")
    before = load(child).version
    root.write_text(ROOT.replace("1500", "900000"))
    assert load(child).version != before


def test_no_guard_takes_the_break_glass_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key for the worst day is for an operator's command; a bot that names it does not start."""
    key = "keys: {exec: {purpose: break_glass, scopes: [read, trade.spot]}}\n"
    (tmp_path / "mm.yaml").write_text(f"{ROOT}environment: sandbox\n{key}")
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/s.db")
    with pytest.raises(PolicykitError, match="is for incidents and no bot"):
        Guard.load(str(tmp_path / "mm.yaml"), key="exec")


def sandboxed(secret: str) -> ccxt.binance:
    """Return a client of the test network, as a bot makes it."""
    client = ccxt.binance({"apiKey": "k", "secret": secret})
    client.set_sandbox_mode(True)
    return client


def test_not_stopped_code_of_the_same_process_reads_the_secret_and_goes_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependency is in the same memory: redaction keeps secrets out of what we write, not out of its hands; and a
    client that it makes by itself passes no gate.
    """
    (typed,) = canaries(seed=3)
    secret = Secret(typed)
    assert typed not in repr(secret)
    assert typed not in scrub(f"secret {typed}")
    assert secret.reveal() == typed
    (tmp_path / "mm.yaml").write_text(
        f"{ROOT}environment: sandbox\nkeys: {{exec: {{purpose: execution, scopes: [read, trade.spot]}}}}\n"
    )
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/s.db")
    guard = Guard.load(str(tmp_path / "mm.yaml"))
    protected = guard.protect(sandboxed(typed))
    assert protected.secret == typed
    bare = ccxt.binance({"apiKey": protected.apiKey, "secret": protected.secret})
    assert type(bare) is ccxt.binance
    assert type(protected) is not ccxt.binance
