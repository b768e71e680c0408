"""Who gives a command: a name is a claim, and beside it stands what the one who writes it does not choose."""

from __future__ import annotations

import os
import pty
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.operate import person as module
from policykit.operate.person import Person, person, this_user
from policykit.redact import Secret
from policykit.store import open_store
from policykit.telemetry.words import who

USER = pwd.getpwuid(os.getuid()).pw_name


def test_a_name_is_a_claim_and_the_environment_does_not_say_who_runs_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """LOGNAME and USER are the caller's to set; the account of the process and the host are not."""
    for name in ("LOGNAME", "USER", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "desk-head")
    monkeypatch.setattr(module, "LOGIN_UID", tmp_path / "none")
    told = person("  alice ")
    assert told == Person("alice", "claimed", USER, socket.gethostname(), None, told.tty, None)
    assert this_user().name == f"{USER}@{socket.gethostname()}"


def test_who_logged_in_is_named_where_it_is_another_than_the_process_runs_as(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`sudo policykit resume` names root, and the person who logged in; a service has none."""
    login = tmp_path / "loginuid"
    monkeypatch.setattr(module, "LOGIN_UID", login)
    login.write_text("4000000001")
    assert person("alice").login == "uid 4000000001"
    login.write_text(str(os.getuid()))
    assert person("alice").login is None
    login.write_text(str(2**32 - 1))
    assert person("alice").login is None
    login.write_text("not a number")
    assert person("alice").login is None


def test_a_row_says_only_what_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A claim in a row has no empty fields; in words it says how far the name is proved, and from where it came."""
    claimed = Person("alice", "claimed", "deploy", "fra-1", None, None)
    assert claimed.to_dict() == {"name": "alice", "proof": "claimed", "os_user": "deploy", "host": "fra-1"}
    assert str(claimed) == "alice (claimed; user deploy, on fra-1, no terminal)"
    signed = Person("alice", "signed", "root", "fra-1", "bob", "pts/3", "SHA256:abc")
    assert str(signed) == "alice (signed with SHA256:abc; user root, logged in as bob, on fra-1, pts/3)"
    assert person("alice", key="SHA256:abc").proof == "signed"
    assert who({"by": "risk.daily_loss"}) == "risk.daily_loss"


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x1b[31m", "a\u202eb", "x" * 121])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A name that forges a line, moves a terminal or turns the reading direction is nobody's."""
    with pytest.raises(ValueError, match="is no name; a person or a role is needed, in 1 to 120 letters") as raised:
        person(name)
    assert str(raised.value).isprintable()


def test_a_secret_that_was_pasted_as_a_name_is_not_kept() -> None:
    """I23: the row of a halt is read by many."""
    secret = Secret("zQ8vKp2LmX4tRw6YbN1cHs5D")
    assert secret.reveal() not in person(f"alice {secret.reveal()}").name


def test_the_terminal_of_a_command_is_its_own(tmp_path: Path) -> None:
    """What runs on a terminal says on which; what runs without one says nothing."""
    main, side = pty.openpty()
    code = "from policykit.operate.person import person; import sys; print(person('a').tty)"
    try:
        there = subprocess.run([sys.executable, "-c", code], stdin=side, capture_output=True, text=True, check=True)
        none = subprocess.run(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
        assert there.stdout.strip() == os.ttyname(side).removeprefix("/dev/")
    finally:
        os.close(main)
        os.close(side)
    assert none.stdout.strip() == "None"


def test_a_halt_and_its_end_carry_who_did_it_into_the_journal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two commands on one store: both rows have the claim; `journal tail` shows it as claimed."""
    monkeypatch.setenv("POLICYKIT_STORE", uri := f"sqlite:///{tmp_path}/store.db")
    words = ["--scope", "bot:none", "--by", "alice", "--why", "drill: who is it"]
    assert main(["kill", *words]) == 1  # no bot has this name; it is halted all the same
    assert main(["resume", *words]) == 0
    rows = {row.kind: row.body for row in open_store(uri).rows()}
    for kind in ("halt", "resume"):
        claim = rows[kind]["claim"]
        assert (claim["name"], claim["proof"], claim["os_user"]) == ("alice", "claimed", USER)
        assert claim["host"] == socket.gethostname()
    assert main(["journal", "tail"]) == 0
    assert capsys.readouterr().out.count(f"by alice (claimed; user {USER}") == 2


def test_a_command_refuses_what_is_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a wrong call, before anything is done."""
    uri = f"sqlite:///{tmp_path}/store.db"
    assert main(["kill", "--scope", "all", "--by", "a\nb", "--why", "x", "--store", uri]) == 2
    told = "policykit: Invalid value for '--by': \"a?b\" is no name; a person or a role is needed, in 1 to 120 letters"
    assert capsys.readouterr().err.splitlines()[0] == told
    assert list(open_store(uri).rows()) == []
