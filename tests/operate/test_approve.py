"""`policykit approve`: write, sign, carry, take in, see; tried as a person does, with a stand-in for ssh-keygen.

The stand-in signs in Python, as `tests/guard/signing.py` does; `.ci/verify/signatures.py` does all of it with stock
ssh-keygen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from policykit.cli.__main__ import main
from policykit.clock import SystemClock, iso
from policykit.guard.approvals import of_stage
from policykit.policy import load
from policykit.policy.statement import NOBODY
from policykit.store import open_store
from tests.guard.signing import allowed, approve, ed25519_signer
from tests.guard.world import policy_text

TOP = Path(__file__).resolve().parents[2]
ALICE, BOB = ed25519_signer("alice"), ed25519_signer("bob")
PROGRAM = """#!{python}
import sys
sys.path.insert(0, {top!r})
from pathlib import Path
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from tests.guard.signing import Signer
words = sys.argv[1:]
assert words[:5] == ["-Y", "sign", "-n", "policykit", "-f"], words
try:
    key = load_ssh_private_key(Path(words[5]).read_bytes(), None)
except ValueError:
    sys.exit("no such key")
sys.stdout.write(Signer("", key).sign(sys.stdin.read()))
"""


class Host:
    """A policy that asks for a signature, its signers, a store, and alice's key."""

    def __init__(self, tmp_path: Path) -> None:
        etc, bots, home = tmp_path / "etc", tmp_path / "bots", tmp_path / "home"
        for folder in (etc, bots, home):
            folder.mkdir()
        self.signers, self.policy, self.key, self.home = etc / "signers", bots / "mm.yaml", home / "id", home
        self.signers.write_text(allowed(ALICE, BOB))
        self.policy.write_text(policy_text() + f"approvals: {{signers: {self.signers}}}\n")
        self.key.write_bytes(ALICE.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        self.uri = f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which `ssh-keygen` is the stand-in."""
    made = Host(tmp_path)
    program = tmp_path / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, top=str(TOP)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("POLICYKIT_STORE", made.uri)
    return made


WHO = ("--by", "alice", "--why", "OPS-12")


def test_a_policy_is_signed_and_seen_to_be(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Status says who is missing, then who signed with which key; the statement is shown before it is signed."""
    status = ["approve", "status", str(host.policy)]
    assert main(status) == 1
    assert "not approved: 0 of 1 signed policy mm" in capsys.readouterr().out
    assert main(["approve", "policy", str(host.policy), *WHO, "--sign", str(host.key)]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("policykit approval 1\nwhat: policy\naccount: binance/main\nof: mm\ndigest: sha256:")
    assert told.out == f"policy mm: signed by alice with {ALICE.fingerprint}; every guard of the store sees it\n"
    assert main([*status, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["approved"], said["signed"][0]["by"], said["signed"][0]["why"]) == (True, "alice", "OPS-12")
    assert main(status) == 0
    assert f"with {ALICE.fingerprint}: OPS-12" in capsys.readouterr().out
    rows = [row.body for row in open_store(host.uri).rows() if row.kind == "approval"]
    assert (rows[-1]["claim"]["proof"], rows[-1]["claim"]["key"]) == ("signed", ALICE.fingerprint)


def test_who_may_not_sign_takes_no_signature_away(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Another key under alice's name stands beside her signature, not in its place."""
    other = host.home / "other"
    key = ed25519_signer("mallory").key
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    sign = ["approve", "policy", str(host.policy), *WHO, "--sign"]
    assert main([*sign, str(host.key)]) == 0
    elsewhere = str(host.home / "mm.approval")
    assert main([*sign, str(other), "-o", elsewhere]) == 0
    capsys.readouterr()
    assert main(["approve", "take", elsewhere]) == 0
    assert "policykit approve status POLICY says whether it counts" in capsys.readouterr().out
    assert main(["approve", "status", str(host.policy)]) == 0, capsys.readouterr().out


def test_a_signature_that_no_guard_counts_is_not_kept(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """The wrong key, and a name that may not sign: said at once and exit code 1, for a policy and for a stage."""
    other = host.home / "other"
    key = ed25519_signer("mallory").key
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    for what in (["policy", str(host.policy)], ["stage", str(host.policy), "--stage", "small-live"]):
        for by, file in (("alice", other), ("mallory", other), ("bob", host.key)):
            asked = ["approve", *what, "--by", by, "--why", "OPS-12", "--sign", str(file)]
            assert main(asked) == 1
            told = capsys.readouterr()
            assert "no guard counts it, and it was not kept: " in told.err
            assert "every guard" not in told.out
    assert [row for row in open_store(host.uri).rows() if row.kind == "approval"] == []
    host.signers.chmod(0o666)
    assert main(["approve", "stage", str(host.policy), "--stage", "small-live", *WHO, "--sign", str(host.key)]) == 1
    assert "others than its owner can write it" in capsys.readouterr().err


def test_it_may_be_signed_on_another_machine(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no store there, only a copy of the signers; one file carries both parts, or two files do."""
    one, text, armored = (host.home / name for name in ("mm.approval", "mm.txt", "mm.txt.sig"))
    copy = host.home / "signers"
    copy.write_text(host.signers.read_text())
    sign = ["approve", "policy", str(host.policy), *WHO, "--signers", str(copy)]
    host.signers.unlink()
    assert main([*sign, "--sign", str(host.key), "-o", str(one)]) == 0
    assert main([*sign, "-o", str(text)]) == 0
    host.signers.write_text(copy.read_text())
    armored.write_text(ALICE.sign(text.read_text()))
    for files in ([str(one)], [str(text), str(armored)]):
        assert main(["approve", "take", *files]) == 0
    assert main(["approve", "status", str(host.policy)]) == 0
    capsys.readouterr()
    assert main(["approve", "take", str(text)]) == 2
    assert "nobody has signed it" in capsys.readouterr().err
    armored.write_text(BOB.sign("something else"))
    assert main(["approve", "take", str(text), str(armored)]) == 2
    assert "policykit: the signature is not of this statement" in capsys.readouterr().err


def test_a_halt_and_a_stage_are_signed_like_a_policy(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """`resume` refuses before, says the command, and lifts the halt after; what was halted is shown to who signs."""
    assert main(["approve", "resume", "--scope", "all", *WHO, "--sign", str(host.key)]) == 4
    open_store(host.uri).halt("all", "HALTED", "bob", "runaway", 1_000)
    resume = ["resume", "--scope", "all", "--by", "desk-head", "--why", "fixed", "--policy", str(host.policy)]
    assert main(resume) == 1
    assert "approvals: 0 of 1 signed resume all; policykit approve resume --scope all" in capsys.readouterr().err
    assert main(["approve", "resume", "--scope", "all", *WHO, "--sign", str(host.key)]) == 0
    assert "all: HALTED by bob: runaway\n" in capsys.readouterr().err
    assert main(resume) == 0
    sign = ["approve", "stage", str(host.policy), "--stage", "small-live", *WHO, "--sign", str(host.key)]
    capsys.readouterr()
    assert main([*sign, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["of"] == "mm small-live"


def test_a_stage_signature_that_expired_is_not_brought_back_by_now(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--now` counts ages from another moment; a signature is held against the clock."""
    stage = "stage: {current: full-live, next_needs: {approver: desk-head}}\n"
    host.policy.write_text(host.policy.read_text() + stage)
    then, policy = SystemClock().now_ms() - 20 * 86_400_000, load(host.policy)
    approve(open_store(host.uri), of_stage(policy, "full-live"), ALICE, then, signers=NOBODY, for_ms=3_600_000)
    promote = ["stage", "promote", str(host.policy), "--external", "--by", "desk-head", "--why", "x", "--no-input"]
    for more in ([], ["--now", iso(then + 60_000)]):
        assert main([*promote, *more]) == 1
        assert "approvals: 0 of 1 signed stage mm full-live" in capsys.readouterr().err


def test_what_goes_wrong_is_said_in_a_line(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such key, no ssh-keygen, a reason that is no line, a time that is none, a file that is not there."""
    sign = ["approve", "policy", str(host.policy), "--by", "alice", "--why"]
    (host.home / "bad").write_text("x")
    assert main([*sign, "x", "--sign", str(host.home / "bad")]) == 2
    assert "ssh-keygen did not sign with" in capsys.readouterr().err
    assert main([*sign, "a\nwhat: stage", "--sign", str(host.key)]) == 2
    assert "the statement was changed" in capsys.readouterr().err
    assert main([*sign, "x", "--for", "soon"]) == 2
    assert "--for" in capsys.readouterr().err
    assert main(["approve", "take", str(host.home / "none")]) == 2
    assert "cannot be read (FileNotFoundError)" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(host.home))
    assert main([*sign, "x", "--sign", str(host.key)]) == 2
    assert "ssh-keygen is not installed here" in capsys.readouterr().err
    host.signers.unlink()
    assert main([*sign, "x"]) == 2
    assert "on another machine name a copy of the file with --signers" in capsys.readouterr().err
    assert main([*sign, "x", "--signers", str(host.home / "none")]) == 2
    assert "cannot be read (FileNotFoundError)" in capsys.readouterr().err


def test_without_approvals_nobody_is_asked(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """`--by` is a claim then, and status says so."""
    host.policy.write_text(policy_text())
    assert main(["approve", "status", str(host.policy)]) == 0
    assert "nobody has to sign it; --by is recorded as claimed" in capsys.readouterr().out
