"""`policykit evidence verify`, and `verify.py` of a package: whoever changes a package, or the journal, is seen."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from policykit.cli.__main__ import main
from policykit.operate.evidence import signature
from policykit.operate.evidence.alone import files_of
from policykit.operate.evidence.bundle import zipped
from policykit.store import open_store
from policykit.store.prune import prune
from tests.journal.conftest import fill
from tests.operate.test_evidence import DAY, SINCE, UNTIL, operated, table
from tests.telemetry.nouns import AT_MS

UNSIGNED = "signature: nobody signed it\n"
THERE, SAYS = "each row that it cites is there", "and its tables say what the journal says"
SSH = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


class Made(NamedTuple):
    """A package, the journal it is from, and a way to call the command."""

    file: Path
    journal: Path
    call: Callable[..., tuple[int, str]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Made:
    """Make a package of a journal, without policies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    store = open_store()
    fill(store)
    operated(store)
    store.close()

    def call(*arguments: object) -> tuple[int, str]:
        code = main(["evidence", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out + said.err

    assert call("--from", SINCE, "--to", UNTIL, "--output", "e.zip")[0] == 0
    return Made(tmp_path / "e.zip", tmp_path / "store.db", call)


def changed(file: Path, **change: bytes | None) -> Path:
    """Write a package anew with other content of some files; None: without."""
    contents = {**files_of(str(file)), **{name.replace("__", "/"): said for name, said in change.items()}}
    out = file.with_name("changed.zip")
    out.write_bytes(zipped({name: said for name, said in contents.items() if said is not None}))
    return out


def halts(file: Path) -> list[tuple[str, int, str]]:
    """Return the halts of a package as (kind, row, hash)."""
    return [(row["kind"], row["row"], row["hash"]) for row in table(file, "halts")["rows"]]


def test_a_package_is_what_was_written(made: Made) -> None:
    """Every file, and each row that it cites, stands."""
    assert made.call("verify", made.file, "--journal", made.journal) == (
        0,
        f"{made.file}: every file is as it was written\n{UNSIGNED}journal: {THERE}, {SAYS}\n",
    )
    code, out = made.call("verify", made.file)
    assert (code, out.splitlines()[-1]) == (0, "journal: not looked at; give --journal FILE")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"index.md": b"all is well"}, "index.md: was changed"),
        ({"data__halts.json": None}, "data/halts.json: is missing"),
        ({"data__more.json": b"{}"}, "data/more.json: is not in the manifest"),
        ({"MANIFEST.sha256": b""}, "MANIFEST.sha256: is missing or empty"),
    ],
)
def test_a_file_that_was_changed_taken_or_added_is_named(
    made: Made, change: dict[str, bytes | None], problem: str
) -> None:
    """The manifest knows every file."""
    assert made.call("verify", changed(made.file, **change)) == (1, f"{problem}\n")


def test_what_is_no_package_is_refused(made: Made, tmp_path: Path) -> None:
    """A text file, half a zip, two files of one name: said in one line."""
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "half.zip").write_bytes(made.file.read_bytes()[:500])
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as package:
        package.writestr("index.md", "one")
        with pytest.warns(UserWarning, match="Duplicate"):
            package.writestr("index.md", "two")
    for name in ("text.zip", "half.zip", "two.zip"):
        code, out = made.call("verify", name)
        assert (code, out.count("\n")) == (1, 1)
        assert "no package" in out


def test_a_forged_table_with_a_new_manifest_is_seen_in_the_journal(made: Made) -> None:
    """Whoever writes the manifest anew passes it; the row that the table cites is another one."""
    contents = files_of(str(made.file))
    contents["data/drills.json"] = contents["data/drills.json"].replace(b'"hash": "', b'"hash": "0', 1)
    del contents["MANIFEST.sha256"]
    lines = (f"{hashlib.sha256(said).hexdigest()}  {name}\n" for name, said in sorted(contents.items()))
    contents["MANIFEST.sha256"] = "".join(lines).encode()
    made.file.write_bytes(zipped(contents))
    assert made.call("verify", made.file)[0] == 0
    code, out = made.call("verify", made.file, "--journal", made.journal)
    assert code == 1
    assert out.startswith("data/drills.json: row ")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("halts", lambda rows: rows[0].update(why="nothing happened")),
        ("halts", lambda rows: rows.pop()),
        ("drills", lambda rows: rows.append({"at": "2026-11-20T10:00:00.000Z", "name": "kill", "result": "passed"})),
        ("decisions", lambda rows: rows[0].update(count=1_000)),
    ],
)
def test_a_table_that_says_more_or_less_than_the_journal_is_seen(made: Made, table: str, change: Any) -> None:
    """Its citations hold; what stands beside them, a row that is not there and one that cites nothing do not."""
    contents = files_of(str(made.file))
    said = json.loads(contents[f"data/{table}.json"])
    change(said["rows"])
    contents[f"data/{table}.json"] = json.dumps(said).encode()
    del contents["MANIFEST.sha256"]
    lines = (f"{hashlib.sha256(said).hexdigest()}  {name}\n" for name, said in sorted(contents.items()))
    contents["MANIFEST.sha256"] = "".join(lines).encode()
    made.file.write_bytes(zipped(contents))
    assert made.call("verify", made.file)[0] == 0
    told = f"data/{table}.json: says something else than the journal\n"
    assert made.call("verify", made.file, "--journal", made.journal) == (1, told)


def test_what_was_written_since_changes_nothing(made: Made) -> None:
    """A halt behind the anchor is not of the package, whatever time it says."""
    store = open_store()
    store.halt("all", "HALTED", "late", "dated back", AT_MS + 1)
    store.close()
    assert made.call("verify", made.file, "--journal", made.journal)[0] == 0


def test_what_was_pruned_since_is_not_compared_and_that_is_said(made: Made, tmp_path: Path) -> None:
    """Rows that are cited were carried on; the rest went into an archive."""
    (tmp_path / "old").mkdir()
    assert prune(str(made.journal), AT_MS + 20_500, by="ops", now_ms=AT_MS + DAY, folder=tmp_path / "old") is not None
    code, out = made.call("verify", made.file, "--journal", made.journal)
    assert (code, out.splitlines()[-1]) == (
        0,
        f"journal: {THERE}; it was pruned since, so what they say was not compared",
    )


def test_a_journal_that_was_changed_since_is_seen(made: Made) -> None:
    """A thief of the store edits a row: the chain does not hold, and the package says where."""
    db = sqlite3.connect(made.journal)
    db.execute("UPDATE journal SET body = replace(body, 'testing the switch', 'nothing at all') WHERE kind = 'halt'")
    seq = db.execute("SELECT min(seq) FROM journal WHERE kind = 'halt'").fetchone()[0]
    db.commit()
    db.close()
    code, out = made.call("verify", made.file, "--journal", made.journal)
    assert code == 1
    assert out.splitlines()[0] == f"{made.journal}: row {seq} is missing or was changed"
    code, out = made.call("status", "--from", SINCE, "--to", UNTIL)
    assert code == 1
    assert f"store.db is damaged: row {seq} does not carry the hash of its content" in out


def test_a_journal_written_anew_does_not_hold_against_an_anchor(made: Made, tmp_path: Path) -> None:
    """A chain that holds by itself is another one than the anchor, kept elsewhere, knows."""
    assert main(["journal", "verify", "--anchor", "kept.anchor"]) == 0
    code, out = made.call("status", "--from", SINCE, "--to", UNTIL, "--anchor", "kept.anchor")
    assert code == 0
    assert "no anchor that was kept elsewhere" not in out
    for name in made.journal.parent.glob("store.db*"):
        name.unlink()
    store = open_store()
    fill(store)
    store.close()
    code, out = made.call("status", "--from", SINCE, "--to", UNTIL, "--anchor", "kept.anchor")
    assert code == 1
    assert "anchor: the anchor is of another store" in out


def test_what_was_pruned_is_not_known_unless_its_archive_is_given(made: Made, tmp_path: Path) -> None:
    """With the archive the tables are the same as before, and the package holds against both files."""
    before = halts(made.file)
    folder = tmp_path / "archive"
    folder.mkdir()
    assert prune(str(made.journal), AT_MS + 20_500, by="ops", now_ms=AT_MS + DAY, folder=folder) is not None
    archive = next(folder.glob("*.db"))
    period = ("--from", SINCE, "--to", UNTIL)
    assert "were pruned and are not here" in made.call("status", *period)[1]
    code, out = made.call(*period, "--journal", archive, "--output", "both.zip")
    assert (code, "were pruned and are not here" in out) == (0, False)
    assert halts(Path("both.zip")) == before
    assert made.call("verify", "both.zip", "--journal", archive, "--journal", made.journal)[0] == 0
    code, out = made.call("verify", "both.zip", "--journal", archive)
    assert (code, out) == (1, "the package is of 2 journals; give as many, in the order of journal/anchor.json\n")


def test_verify_py_needs_nothing_of_policykit(made: Made, tmp_path: Path) -> None:
    """The file of the package itself, run by a Python without our packages, sees the same."""
    (tmp_path / "verify.py").write_bytes(files_of(str(made.file))["verify.py"])

    def alone(*arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", tmp_path / "verify.py", *arguments]
        done = subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert alone(made.file, made.journal) == (0, "as it was written, and as the journals say\n")
    assert alone(changed(made.file, **{"index.md": b"x"})) == (1, "index.md: was changed\n")
    assert alone(made.file, made.file)[0] == 1
    assert alone(tmp_path / "nothing.zip")[0] == 1
    assert alone()[0] == 2


@SSH
def test_a_signature_says_who_packed_it(made: Made, tmp_path: Path) -> None:
    """Whose key it is only allowed_signers tells; another key, or a changed manifest, is refused."""
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
        public = (tmp_path / f"{name}.pub").read_text()
        (tmp_path / f"{name}.allowed").write_text(f"desk-head {public}")
    assert made.call("--from", SINCE, "--to", UNTIL, "--output", "s.zip", "--sign", "mine")[0] == 0
    assert made.call("verify", "s.zip")[1].splitlines()[1].startswith("signature: signed with SHA256:")
    code, out = made.call("verify", "s.zip", "--allowed-signers", "mine.allowed")
    assert (code, out.splitlines()[1].startswith("signature: signed by desk-head (SHA256:")) == (0, True)
    assert made.call("verify", "s.zip", "--allowed-signers", "other.allowed")[0] == 1
    contents = files_of("s.zip")
    contents["MANIFEST.sha256"] = contents["MANIFEST.sha256"].replace(b"index.md", b"INDEX.md")
    contents["INDEX.md"] = contents.pop("index.md")
    Path("forged.zip").write_bytes(zipped(contents))
    assert made.call("verify", "forged.zip", "--allowed-signers", "mine.allowed")[0] == 1
    assert made.call("verify", "forged.zip")[0] == 1
    assert made.call("verify", "e.zip", "--allowed-signers", "mine.allowed") == (
        1,
        f"{signature.SIGNATURE}: is missing; nobody signed it\n",
    )
    assert made.call("--output", "n.zip", "--sign", "nowhere")[0] == 2
    assert not Path("n.zip").exists()


def test_without_openssh_nothing_is_taken_for_signed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature that cannot be looked at is no signature: closed, and said."""
    monkeypatch.setenv("PATH", "/nonexistent")
    code, out = made.call("verify", changed(made.file, **{"MANIFEST.sha256.sig": b"any"}))
    assert code == 1
    assert "ssh-keygen: is not installed" in out
