"""The marks of an open policy are exactly the findings of lint, each at its place, of the text as it is seen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from policykit.finding import Finding
from policykit.lint import Call, Options, lint
from policykit.proofs.lsp.desk import TESTS, Desk
from policykit.proofs.lsp.diagnostics import Mark, marks
from policykit.proofs.lsp.diagnostics import test_marks as suite_marks
from policykit.proofs.suite.form import SuiteError
from policykit.proofs.suite.reading import read_suite
from policykit.source import read
from policykit.source.reader import MAX_BYTES
from tests.policies import harness
from tests.proofs.lsp.desks import CHILD, NOW_MS, PARENT, TOP, desk

CORPUS = [
    path
    for folder in (TOP / "policies", TOP / "tests" / "policies" / "faulty")
    for path in sorted(folder.rglob("*.yaml"))
    if not path.name.endswith(TESTS)
]


def linted(file: str) -> list[Finding]:
    """Return what `policykit lint FILE` shows as open or unknown."""
    found = lint(Call((file,)), Options(NOW_MS)).report.findings
    return [f for f in found if f.status in ("open", "unknown")]


def compare(made: Desk, file: str) -> list[Mark]:
    """Hold the marks of a file against lint: same rules, same places, none more and none less."""
    text, shown = made.text(file), marks(made, file)
    theirs = linted(file)
    assert [mark.code for mark in shown] == [finding.rule for finding in theirs]
    for mark, finding in zip(shown, theirs, strict=True):
        place = finding.primary
        if os.path.realpath(place.file) != os.path.realpath(file):
            assert mark.related[0][1][1:5] == place[1:5]
            assert os.path.realpath(mark.related[0][1].file) == os.path.realpath(place.file)
            continue
        line, column = text.position(mark.span.start, "utf-32")
        assert (line + 1, column + 1) == place[1:3]
        assert text.span(place) == mark.span
    return shown


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: "/".join(p.parts[-2:]))
def test_marks_are_what_lint_says(path: Path) -> None:
    """Of every policy of ours and of every faulty twin, the editor shows what the command line says."""
    made = Desk(lambda: NOW_MS)
    made.put(str(path), path.read_text(encoding="utf-8"))
    compare(made, str(path))


@pytest.mark.parametrize("name", ["baseline.yaml", "rts6.yaml", "stages/micro-live.yaml"])
def test_findings_in_what_is_extended_are_marked_where_it_is_named(name: str, tmp_path: Path) -> None:
    """A finding that stands in an extended file is shown in the open one, and points there."""
    carrier = harness.carried(name, harness.FAULTY / name, tmp_path)
    made = Desk(lambda: NOW_MS)
    made.put(str(carrier), carrier.read_text())
    shown = compare(made, str(carrier))
    entry = carrier.read_text().index("extends")
    elsewhere = [m for m in shown if m.related and os.path.realpath(m.related[0][1].file) != os.path.realpath(carrier)]
    assert elsewhere
    assert all(
        carrier.read_text().count("\n", 0, m.span.start) == carrier.read_text().count("\n", 0, entry) for m in elsewhere
    )


def test_whole_marks(tmp_path: Path) -> None:
    """A mark is at the characters of the value, behind an emoji too, and says what to do."""
    made, file = desk(tmp_path, CHILD.replace("owner: desk-a", "owner: 📈").replace("4% of", "10% of"))
    (mark,) = [m for m in marks(made, file) if m.code == "PK021"]
    text = made.text(file)
    assert text.text[slice(*mark.span)] == "10% of equity"
    assert text.position(mark.span.start, "utf-16") == (13, 22)
    assert (mark.level, mark.faded) == ("error", False)
    base = os.path.join(str(tmp_path), "base.yaml")
    assert mark.message == (
        f'risk.max_order_notional is "10% of equity", looser than {base}:5:23 allows; at most "5% of equity"; '
        "tighten it, or leave it out"
    )
    assert [(label, place.file, place.line) for label, place in mark.related] == [
        ("the policy that is extended says it here", base, 5)
    ]


def test_levels(tmp_path: Path) -> None:
    """High is an error, medium a warning, low and what could not be observed are information."""
    text = CHILD + "stage: {current: full-live, since: 2026-11-01}\n"
    made, file = desk(tmp_path, text)
    shown = {mark.code: mark.level for mark in marks(made, file)}
    severities = {f.rule: (f.severity, f.status) for f in linted_text(tmp_path, text)}
    words = {"critical": "error", "high": "error", "medium": "warning", "low": "information"}
    assert shown == {c: "information" if status == "unknown" else words[s] for c, (s, status) in severities.items()}
    assert set(shown.values()) == {"error", "warning", "information"}
    unknown = [m.message for m in marks(made, file) if severities[m.code][1] == "unknown"]
    assert unknown
    assert all(message.startswith("could not be observed: ") for message in unknown)


def linted_text(folder: Path, text: str) -> list[Finding]:
    """Lint a text by way of a file."""
    (folder / "mm.yaml").write_text(text, encoding="utf-8")
    return linted(str(folder / "mm.yaml"))


def test_an_open_buffer_counts_unsaved(tmp_path: Path) -> None:
    """A policy that extends an open one is judged with its unsaved text; closed, the file counts again."""
    made, file = desk(tmp_path)
    base = str(tmp_path / "base.yaml")
    assert "PK021" not in [m.code for m in marks(made, file)]
    made.put(base, PARENT.replace("5% of", "1% of"))
    assert [one.file for one in made.users(base)] == [file]
    assert "PK021" in [m.code for m in marks(made, file)]
    made.drop(base)
    assert "PK021" not in [m.code for m in marks(made, file)]


def test_an_open_buffer_that_is_no_file(tmp_path: Path) -> None:
    """What was never saved is judged as it is, and extends what lies beside it."""
    made, file = desk(tmp_path)
    new = str(tmp_path / "new.yaml")
    made.put(new, CHILD.replace("4% of", "10% of"))
    assert not os.path.exists(new)
    assert [m.code for m in marks(made, new)] == ["PK021"]
    assert "PK021" not in [m.code for m in marks(made, file)]


def test_a_waiver_takes_its_mark_away(tmp_path: Path) -> None:
    """What is waived has no mark; what is waived without leave has one of its own."""
    made, file = desk(tmp_path)
    assert "PK603" in [m.code for m in marks(made, file)]
    waiver = "waivers:\n  - {rule: PK603, at: risk, owner: a, reason: b, expires: 2026-12-01}\n"
    made.put(file, CHILD + waiver)
    assert "PK603" not in [m.code for m in marks(made, file)]
    made.put(file, CHILD + waiver.replace("PK603", "PK602"))
    assert [m.code for m in marks(made, file)] == ["PK030"]


def test_what_is_no_policy_has_no_desk(tmp_path: Path) -> None:
    """Other YAML and tests of policies are not judged as policies; a policy that loses its first line stays one."""
    made = Desk(lambda: NOW_MS)
    assert not made.put(str(tmp_path / "compose.yaml"), "services: {web: {image: nginx}}\n").policy
    assert not made.put(str(tmp_path / "mm.test.yaml"), CHILD).policy
    assert made.put(str(tmp_path / "mm.yaml"), CHILD).policy
    assert made.put(str(tmp_path / "mm.yaml"), "name: mm\n").policy
    assert [m.code for m in marks(made, str(tmp_path / "mm.yaml"))] == ["PK012"]


@pytest.mark.parametrize(
    "text", ["policykit: 1\n" * 1_000_000, "policykit: 1\n" + "\0\ud800ÿ" * 90_000, "policykit: 1\na: \ud800"]
)
def test_rubbish_is_bounded(tmp_path: Path, text: str) -> None:
    """A million lines, binary rubbish and half a character are one finding about the file."""
    made = Desk(lambda: NOW_MS)
    file = str(tmp_path / "mm.yaml")
    one = made.put(file, text)
    assert len(one.text.text) <= MAX_BYTES + 1
    assert [m.code for m in marks(made, file)] in (["PK001"], ["PK006"])


def test_a_snapshot_that_is_named_is_linted_with(tmp_path: Path) -> None:
    """With a snapshot by its name the marks are those of `lint --state`; one that cannot be read leaves unknowns."""
    made, file = desk(tmp_path)
    before = {m.code for m in marks(made, file)}
    made.snapshots = (str(tmp_path / "none.json"),)
    made.forget()
    after = marks(made, file)
    assert {m.code for m in after} - before >= {"PK108"}
    assert all(m.level == "information" for m in after if m.code == "PK108")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    """After word of a change on the disk, what is extended is read again."""
    made, file = desk(tmp_path)
    assert "PK021" not in [m.code for m in marks(made, file)]
    shutil.copy(tmp_path / "base.yaml", tmp_path / "old.yaml")
    (tmp_path / "base.yaml").write_text(PARENT.replace("5% of", "1% of"))
    made.forget()
    assert "PK021" in [m.code for m in marks(made, file)]


def test_a_file_of_tests_has_its_own_errors(tmp_path: Path) -> None:
    """What is wrong with a test is marked as `policykit test` says it; as a policy it is not judged."""
    made = Desk(lambda: NOW_MS)
    file = str(tmp_path / "mm.test.yaml")
    text = "policykit_test: 1\npolicy: mm.yaml\ntests:\n  - name: a\n    steps:\n      - {order: {}, expekt: allow}\n"
    assert not made.put(file, text).policy
    shown = suite_marks(made, file)
    with pytest.raises(SuiteError) as caught:
        read_suite(read(text, file))
    assert [f"{file}:{line(made, file, mark)}: {mark.message}" for mark in shown] == list(caught.value.problems)
    assert any("expekt" in mark.message for mark in shown)


def line(made: Desk, file: str, mark: Mark) -> str:
    """Return where a mark starts, as messages have it."""
    at = made.text(file).position(mark.span.start, "utf-32")
    return f"{at[0] + 1}:{at[1] + 1}"
