"""`journal prune` and `journal verify`: old rows go, and it can be proved that none went otherwise."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from policykit.cli.__main__ import main
from policykit.operate import timestamp
from policykit.store import open_store
from tests.journal.conftest import FIRST
from tests.telemetry.nouns import AT_MS

Out = pytest.CaptureFixture[str]
LATER = AT_MS + 100 * 86_400_000
CLOCK = [LATER]
NOW = "2027-03-01T10:00:00.000Z"


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a hundred days after the rows were written, and a second more at each pruning."""
    CLOCK[:] = [LATER]
    monkeypatch.setattr("policykit.clock.SystemClock.now_ms", lambda self: CLOCK[-1])


def pruned(uri: str, folder: Path, capsys: Out) -> str:
    """Prune all rows; return the archive."""
    CLOCK.append(CLOCK[-1] + 1_000)
    capsys.readouterr()
    assert main(["journal", "prune", "--older-than", "0s", "--archive", str(folder), "--store", uri]) == 0
    return capsys.readouterr().out.splitlines()[0].rpartition("archived in ")[2]


def test_rows_go_to_an_archive_that_every_command_reads(uri: str, tmp_path: Path, capsys: Out) -> None:
    """`prune` says which rows and where; `verify` says it ever after; `show` names the archive of what it has not."""
    arguments = ["journal", "prune", "--older-than", "90d", "--archive", str(tmp_path / "old"), "--store", uri]
    assert main([*arguments, "--by", "ops"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    archive = first.rpartition("archived in ")[2]
    last = second.rpartition(" ")[2]
    assert first == f"{uri}: rows 1 to 13 were pruned, archived in {archive}"
    assert main(["journal", "verify", "--store", uri]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{uri}: intact, 1 rows read from row 14 on, the chain holds",
        f"rows 1 to 13 were pruned at {NOW} by ops, archived in {archive}, hash {last}",
    ]
    assert main(["journal", "show", FIRST, "--store", uri]) == 1
    assert f"archived in {archive}" in capsys.readouterr().err
    assert main(["journal", "show", FIRST, "--store", f"sqlite:///{archive}"]) == 0
    assert FIRST in capsys.readouterr().out
    assert main(arguments) == 4
    assert capsys.readouterr().out == f"{uri}: no row is older than 90d; nothing was pruned\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--older-than", "90d"], "either --archive DIR or --no-archive is needed"),
        (["--older-than", "90d", "--no-archive"], "say --yes to that, or give --archive DIR"),
        (["--older-than", "soon", "--archive", "x"], "--older-than"),
        (["--older-than", "1s", "--archive", "{file}/x"], "cannot be written (Not a directory); nothing was pruned"),
    ],
)
def test_a_call_that_could_lose_rows_is_refused(uri: str, capsys: Out, arguments: list[str], said: str) -> None:
    """Rows are lost only where somebody says so twice."""
    file = "/" + uri.removeprefix("sqlite://").lstrip("/")
    words = [word.replace("{file}", file) for word in arguments]
    assert main(["journal", "prune", "--store", uri, *words]) == 2
    assert said in capsys.readouterr().err
    assert main(["journal", "prune", "--store", uri, "--older-than", "1s", "--no-archive", "--yes"]) == 0
    assert "archived nowhere" in capsys.readouterr().out


def test_several_files_join(uri: str, tmp_path: Path, capsys: Out) -> None:
    """In order: each is checked, and that it begins where the one before ends."""
    one = pruned(uri, tmp_path, capsys)
    with closing(open_store(uri)) as store:
        store.event("note", {"name": "kill"}, AT_MS)
    two = pruned(uri, tmp_path, capsys)
    assert main(["journal", "verify", one, two, "--store", uri]) == 0
    intact = [line for line in capsys.readouterr().out.splitlines() if ": intact" in line]
    assert [line.partition(": intact")[0] for line in intact] == [one, two, uri]
    assert main(["journal", "verify", two, "--store", uri, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["intact"], said["first"], [one["rows"] for one in said["archives"]]) == (True, 16, [2])
    assert main(["journal", "verify", one, "--store", uri]) == 1
    assert f"begins behind row 15, hash {said['pruned'][1]['hash']}; {one} ends with row 13" in capsys.readouterr().out
    with closing(sqlite3.connect(one)) as db, db:
        db.execute("DELETE FROM journal WHERE seq=13")
    assert main(["journal", "verify", one, two, "--store", uri]) == 1
    assert "begins behind row 13" in capsys.readouterr().out


def test_an_anchor_shows_what_was_cut_off(uri: str, tmp_path: Path, capsys: Out) -> None:
    """Written the first time, held against and renewed the next; the chain alone calls a shorter journal whole."""
    anchor, path = tmp_path / "anchor.json", "/" + uri.removeprefix("sqlite://").lstrip("/")
    check = ["journal", "verify", "--store", uri, "--anchor", str(anchor)]
    assert main(check) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{anchor}: now keeps row 13"
    with closing(open_store(uri)) as store:
        store.event("note", {}, AT_MS)
    assert main(check) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{anchor}: row 13 of {NOW} is there",
        f"{anchor}: now keeps row 14",
    ]
    known = anchor.read_text()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM journal WHERE seq > 12")
    assert main(["journal", "verify", "--store", uri]) == 0
    capsys.readouterr()
    assert main(check) == 1
    assert f"BROKEN after 12 good rows: rows 13 to 14 are missing: row 14 was the newest at {NOW}" in (
        capsys.readouterr().out
    )
    with closing(open_store(uri)) as store:
        for _ in range(3):
            store.event("note", {}, AT_MS)
    assert main([*check, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["problem"] == "row 14 is not the one that the anchor knows: it was changed"
    assert (said["intact"], anchor.read_text()) == (False, known)


def test_an_anchor_goes_on_over_a_pruning(uri: str, tmp_path: Path, capsys: Out) -> None:
    """Its row may be the last that went, or be in an archive that is named."""
    anchor = tmp_path / "anchor.json"
    check = ["journal", "verify", "--store", uri, "--anchor", str(anchor)]
    assert main(check) == 0
    one = pruned(uri, tmp_path, capsys)
    known = anchor.read_text()
    assert main(check) == 0
    anchor.write_text(known)
    two = pruned(uri, tmp_path, capsys)
    assert main(check) == 1
    assert "row 13, which the anchor knows, was pruned; name the archive that has it, too" in capsys.readouterr().out
    assert main([*check[:2], one, two, *check[2:]]) == 0


def test_an_anchor_that_is_none_or_of_another_store(uri: str, tmp_path: Path, capsys: Out) -> None:
    """Each is said; a damaged journal renews none; one that cannot be written keeps what it had."""
    anchor = tmp_path / "anchor.json"
    anchor.write_text("{}")
    check = ["journal", "verify", "--store", uri, "--anchor", str(anchor)]
    assert main(check) == 1
    assert "is no anchor; one that `policykit journal verify --anchor` wrote may be" in capsys.readouterr().out
    anchor.write_text('{"version": 2}')
    assert main(check) == 1
    anchor.unlink()
    assert main(check) == 0
    said = json.loads(anchor.read_text())
    anchor.write_text(json.dumps({**said, "epoch": "another"}))
    capsys.readouterr()
    assert main(check) == 1
    assert "the anchor is of another store (epoch another, here " in capsys.readouterr().out
    assert main(["journal", "verify", "--store", uri, "--anchor", str(tmp_path / "no" / "anchor")]) == 1
    assert "could not be written (No such file or directory)" in capsys.readouterr().out
    anchor.write_text(json.dumps(said))
    with closing(sqlite3.connect("/" + uri.removeprefix("sqlite://").lstrip("/"))) as db, db:
        db.execute("UPDATE journal SET at_ms=1 WHERE seq=13")
    assert main(check) == 1
    assert json.loads(anchor.read_text()) == said


# ---- a timestamp authority: openssl's own


class Authority(NamedTuple):
    """A real authority on loopback, and its certificate; `breaks` makes of its answers something else."""

    url: str
    roots: Path
    breaks: list[Callable[[bytes], bytes]]


CONFIG = """
[tsa]
dir = {0}
serial = {0}/serial
signer_cert = {0}/tsa.pem
signer_key = {0}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[leaf]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    """Start an authority that signs with `openssl ts`."""
    home = tmp_path / "tsa"
    home.mkdir()
    (home / "conf").write_text(CONFIG.format(home))
    (home / "serial").write_text("01")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=home, check=True, capture_output=True)

    new = ["req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    openssl(*new, "/CN=root", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650")
    openssl(*new, "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr")
    signed = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    openssl(*signed, "-out", "tsa.pem", "-days", "3650", "-extfile", "conf", "-extensions", "leaf")
    breaks: list[Callable[[bytes], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (home / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl("ts", "-reply", "-config", "conf", "-section", "tsa", "-queryfile", "query", "-out", "answer")
            content = (home / "answer").read_bytes()
            for change in breaks:
                content = change(content)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Authority(f"http://127.0.0.1:{server.server_port}", home / "ca.pem", breaks)
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_authority_signs_the_anchor(uri: str, tmp_path: Path, capsys: Out, authority: Authority) -> None:
    """Its answer is kept in the anchor, and proves the time: by its own certificate only, and of this row only."""
    anchor = tmp_path / "anchor.json"
    check = ["journal", "verify", "--store", uri, "--anchor", str(anchor)]
    assert main([*check, "--timestamp", authority.url]) == 0
    known = json.loads(anchor.read_text())
    capsys.readouterr()
    assert main([*check, "--timestamp", authority.url]) == 0
    assert "its timestamp was not looked at; give --timestamp-roots" in capsys.readouterr().out
    assert main([*check, "--timestamp-roots", str(authority.roots)]) == 0
    assert f"by {authority.url}" in capsys.readouterr().out
    other = tmp_path / "other.pem"
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-x509", "-keyout", "/dev/null"]
    subprocess.run([*new, "-out", str(other)], check=True, capture_output=True)
    for changed, roots, said in (
        (known, other, "the timestamp does not hold (VerificationError)"),
        (known, tmp_path / "none.pem", "has no certificates; a PEM file with the authority's is needed"),
        ({**known, "seq": 12}, authority.roots, "the timestamp is of something else"),
        ({**known, "timestamp": {"url": "x", "response": "eA=="}}, authority.roots, "is no timestamp, or a refusal"),
    ):
        anchor.write_text(json.dumps(changed))
        assert main([*check, "--timestamp-roots", str(roots), "--format", "json"]) == 1
        assert any(said in note for note in json.loads(capsys.readouterr().out)["notes"])


def test_an_authority_that_does_not_sign(
    uri: str, tmp_path: Path, capsys: Out, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing there, no address, an answer that is none: the anchor is left as it was, and the call says why."""
    anchor = tmp_path / "anchor.json"
    check = ["journal", "verify", "--store", uri, "--anchor", str(anchor), "--timestamp"]
    authority.breaks.append(lambda answer: answer[:-20])
    for url, said in (
        (authority.url, "is no timestamp, or a refusal"),
        ("http://127.0.0.1:1", "did not answer (URLError)"),
        ("ftp://x", "is no address; http:// or https:// is needed"),
    ):
        assert main([*check, url]) == 2
        assert f"{url}: {said}; the anchor was left as it was" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "rfc3161_client", None)
    assert main([*check, authority.url]) == 2
    assert timestamp.MISSING in capsys.readouterr().err
    assert not anchor.exists()
    assert main(["journal", "verify", "--store", uri, "--timestamp", authority.url]) == 2
    assert "--timestamp and --timestamp-roots go with --anchor" in capsys.readouterr().err
