"""What can be done about a finding: every edit is proved, and a new waiver accepts nothing until it is filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from policykit.proofs.lsp.actions import Edited, actions, edits
from policykit.proofs.lsp.desk import Desk
from policykit.proofs.lsp.diagnostics import marks
from policykit.proofs.lsp.text import Span
from policykit.source.edits import apply
from tests.proofs.lsp.desks import CHILD, PARENT, desk

WAIVER = "{rule: PK603, at: x, owner: a, reason: b, expires: 2026-12-01}"


def titles(made: Desk, file: str, word: str) -> list[tuple[str, str]]:
    """Return what is offered at a word."""
    start = made.text(file).text.index(word)
    return [(action.kind, action.title) for action in actions(made, file, Span(start, start + 1))]


def done(made: Desk, file: str, kind: str, code: str = "") -> str:
    """Return the text after an action, which changes this file only."""
    whole = Span(0, len(made.text(file).text))
    (action,) = [a for a in actions(made, file, whole) if a.kind == kind and (not code or a.code == code)]
    changed = edits(made, file, kind, action.number)
    assert not isinstance(changed, str), changed
    (one,) = changed
    assert one.file == file
    return apply(made.text(file).text, one.changes)


def codes(made: Desk, file: str, text: str) -> list[str]:
    """Return the marks of a text."""
    made.put(file, text, 2)
    return [mark.code for mark in marks(made, file)]


def test_what_is_offered(tmp_path: Path) -> None:
    """A safe fix comes first; then all safe ones, a waiver, the rule's documentation."""
    made, file = desk(tmp_path)
    assert titles(made, file, "4% of equity") == [
        ("fix", "PK603: lower the cap"),
        ("fix-all", "policykit: fix all that is safe in this file"),
        ("waive", "PK603: waive this finding (owner, reason and date to fill in)"),
        ("explain", "explain PK603 order-cap"),
    ]


def test_a_fix_takes_the_finding_away(tmp_path: Path) -> None:
    """Only the value changes; its comment stays; the finding is gone, and none is new."""
    made, file = desk(tmp_path)
    before = codes(made, file, CHILD)
    text = done(made, file, "fix", "PK603")
    assert text == CHILD.replace("4% of equity", "2% of equity")
    assert codes(made, file, text) == [code for code in before if code != "PK603"]


def test_the_open_text_is_fixed(tmp_path: Path) -> None:
    """What is on the disk says nothing: the fix is of the text as it is open, line ends and all."""
    text = CHILD.replace("\n", "\r\n").replace("name: mm", "name: unsaved")
    made, file = desk(tmp_path, text)
    (tmp_path / "mm.yaml").write_text("nothing: of this\n")
    assert done(made, file, "fix", "PK603") == text.replace("4% of equity", "2% of equity")


def test_a_guess_is_marked(tmp_path: Path) -> None:
    """A fix that is not certain says so, and is not preferred."""
    made, file = desk(tmp_path, CHILD.replace("symbols", "symbls"))
    assert titles(made, file, "symbls")[0] == ("unsafe", "PK010: write `symbols` (unsafe: read what it changes)")
    assert done(made, file, "unsafe", "PK010") == CHILD


def test_a_fix_in_an_extended_file(tmp_path: Path) -> None:
    """What stands in an extended file is mended there."""
    made, file = desk(tmp_path, CHILD.replace("  max_order_notional: 4% of equity  # 📈 the cap\n", ""))
    (action,) = [a for a in actions(made, file, Span(0, 200)) if a.code == "PK603" and a.kind == "fix"]
    made_edits = edits(made, file, "fix", action.number)
    assert not isinstance(made_edits, str)
    (one,) = made_edits
    assert Path(one.file).name == "base.yaml"
    assert apply(PARENT, one.changes) == PARENT.replace("5% of equity", "2% of equity")


def test_all_safe_ones(tmp_path: Path) -> None:
    """All that is safe is fixed at once, and what is a guess is left."""
    text = CHILD.replace("max_order_notional", "max_leverage: 3\n  max_order_notional").replace("desk-a", "yes")
    made, file = desk(tmp_path, text.replace("owner: yes", "owner: desk\nenvironment: live"))
    fixed = done(made, file, "fix-all")
    assert "2% of equity" in fixed
    assert "PK603" not in codes(made, file, fixed)
    made.put(file, fixed)
    assert edits(made, file, "fix-all", -1) == "nothing here has a safe fix"


def test_a_waiver_accepts_nothing_yet(tmp_path: Path) -> None:
    """A new waiver is whole, and the finding stays until its date is one."""
    made, file = desk(tmp_path)
    text = done(made, file, "waive", "PK603")
    assert text == CHILD + (
        "waivers:\n  - {rule: PK603, at: risk.max_order_notional, owner: desk-a, ticket: TICKET, "
        "reason: WHY IT IS ACCEPTED, expires: YYYY-MM-DD}\n"
    )
    assert {"PK603", "PK708"} <= set(codes(made, file, text))
    assert not {"PK603", "PK708"} & set(codes(made, file, text.replace("YYYY-MM-DD", "2026-12-01")))


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ("waivers: []\n", "waivers: [{rule: PK603, "),
        (f"waivers:\n  - {WAIVER}\n", "2026-12-01}\n  - {rule: PK603, "),
        (f"waivers: [{WAIVER}]\n", "2026-12-01}, {rule: PK603, "),
        ("# the end", "# the end\nwaivers:\n  - {rule: PK603, "),
    ],
)  # fmt: skip
def test_a_waiver_joins_the_others(tmp_path: Path, there: str, after: str) -> None:
    """Wherever waivers stand, and however, the new one joins them."""
    made, file = desk(tmp_path, CHILD + there)
    text = done(made, file, "waive", "PK603")
    assert after in text
    assert "PK708" in codes(made, file, text)


def test_no_waiver_without_leave(tmp_path: Path) -> None:
    """Where an extended policy gives no leave, the waiver is not made, and it is said why."""
    made, file = desk(tmp_path, parent=PARENT.replace("waivable: [PK603]\n", ""))
    (action,) = [a for a in actions(made, file, Span(0, 999)) if a.kind == "waive" and a.code == "PK603"]
    refused = edits(made, file, "waive", action.number)
    base = tmp_path / "base.yaml"
    assert refused == f"{base} gives no leave to waive PK603; `waivable: [PK603]` there, or no waiver here"


def test_no_waiver_of_what_cannot_be_waived(tmp_path: Path) -> None:
    """Neither a withdraw scope nor a finding on the file has a waiver on offer, nor is one made."""
    made, file = desk(tmp_path, CHILD.replace("trade.spot]", "trade.spot, withdraw]"))
    assert "PK101" in [mark.code for mark in marks(made, file)]
    assert "waive" not in [kind for kind, title in titles(made, file, "withdraw") if "PK101" in title]
    number = next(m.number for m in marks(made, file) if m.code == "PK101")
    assert edits(made, file, "waive", number) == "PK101 cannot be waived"
    made.put(file, CHILD.replace("symbols", "symbls"))
    assert [kind for kind, _ in titles(made, file, "symbls")] == ["unsafe", "explain"]


def test_what_is_gone_changes_nothing(tmp_path: Path) -> None:
    """An action on a finding that is no longer there says so."""
    made, file = desk(tmp_path)
    assert edits(made, file, "fix", 999) == "the text has changed meanwhile"
    assert edits(made, file, "explain", 0) == "it changes no text"


def test_a_fix_that_loosens_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fix that its rule calls safe and that would loosen a limit is refused: the proof is lint's own."""
    from policykit.lint import fix

    made, file = desk(tmp_path)
    number = next(m.number for m in marks(made, file) if m.code == "PK603")
    monkeypatch.setattr(fix, "looser", lambda *_: True)
    assert edits(made, file, "fix", number) == (
        f"{file}:14:23: PK603 is not fixed (it would loosen a limit); --unsafe-fixes does it"
    )


def test_edits_are_of_one_type() -> None:
    """What an action changes is plain data."""
    assert Edited("a", ()) == ("a", ())
