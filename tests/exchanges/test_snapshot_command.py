"""`policykit snapshot` as a person types it: the file, the exit codes, and one line for everything that goes wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.sim import SimServer
from policykit.snapshot import from_dict
from tests.canary import assert_clean
from tests.exchanges.policies import TEXT

ONE_KEY = TEXT.replace("  tracker:\n    purpose: tracking\n    secret: env://TR\n    scopes: [read]\n", "")


@pytest.fixture(scope="module")
def sim() -> Iterator[SimServer]:
    """A simulated exchange on the machine's clock."""
    with SimServer(seed=3) as server:
        yield server


@pytest.fixture
def policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sim: SimServer) -> Path:
    """A policy whose one key is in the environment."""
    monkeypatch.setenv("MM_API_KEY", sim.key)
    monkeypatch.setenv("MM_API_SECRET", sim.secret)
    path = tmp_path / "mm.yaml"
    path.write_text(ONE_KEY)
    return path


def test_a_snapshot_is_written_and_read_back(
    policy_file: Path, sim: SimServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0; the cost first; the file is version 1 and holds no secret."""
    target = policy_file.with_name("mm.json")
    assert main(["snapshot", str(policy_file), "--endpoint", sim.url, "-o", str(target)]) == 0
    shown = capsys.readouterr()
    assert shown.err == f"{policy_file}: 7 reads, weight 127\n"
    assert shown.out == ""
    assert [key.name for key in from_dict(json.loads(target.read_text())).keys] == ["mm-exec"]
    assert_clean(target.read_text() + shown.err, [sim.key, sim.secret])


def test_keys_only_to_standard_output(policy_file: Path, sim: SimServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Without -o the snapshot goes to standard output, alone."""
    call = ["snapshot", str(policy_file), "--keys", "mm-exec", "--keys-only", "--endpoint", sim.url]
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out)["cost"] == {"weight": 2, "calls": 2}


def test_a_wrong_secret_ends_with_3_and_says_so(
    policy_file: Path, sim: SimServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could be read is written all the same; the line names policy, key and code, never the secret."""
    monkeypatch.setenv("MM_API_SECRET", "not-the-secret-at-all")
    assert main(["snapshot", str(policy_file), "--keys-only", "--endpoint", sim.url]) == 3
    shown = capsys.readouterr()
    assert shown.err.splitlines()[1] == (
        f"{policy_file}: keys.mm-exec: KEY_REJECTED: binance: the signature is wrong; "
        "check the secret that belongs to this key (-1022)"
    )
    assert_clean(shown.out + shown.err, [sim.key])
    assert "not-the-secret-at-all" not in shown.out + shown.err


def test_a_missing_secret_ends_with_3_and_names_the_variable(
    policy_file: Path, sim: SimServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable to set is in the message."""
    monkeypatch.delenv("MM_API_SECRET")
    assert main(["snapshot", str(policy_file), "--keys-only", "--endpoint", sim.url]) == 3
    assert capsys.readouterr().err.splitlines()[1] == (
        f"{policy_file}: keys.mm-exec: SECRET_UNAVAILABLE: env://MM: MM_API_SECRET is not set; "
        "set it where the bot runs"
    )


def test_an_unreachable_exchange_ends_with_3(policy_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens at the endpoint: one line, exit 3."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main(["snapshot", str(policy_file), "--endpoint", f"http://127.0.0.1:{port}"]) == 3
    assert capsys.readouterr().err.splitlines()[1] == (
        f"{policy_file}: keys.mm-exec: NETWORK: binance: the exchange cannot be reached, or the connection broke"
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--endpoint", "http://example.com"], "the endpoint is plain http off this machine"),
        (["--endpoint", "nonsense"], "the endpoint is no origin"),
        (["--keys", "nope"], "no key is named nope; the policy has mm-exec"),
    ],
)
def test_a_wrong_call_ends_with_2(
    policy_file: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong options are told apart from what cannot be reached."""
    assert main(["snapshot", str(policy_file), *more]) == 2
    assert message in capsys.readouterr().err


def test_another_exchange_and_a_missing_file(policy_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An exchange without adapter is 3 with its place; a file that is not there is 2."""
    policy_file.write_text(ONE_KEY.replace("exchange: binance", "exchange: bitstamp"))
    assert main(["snapshot", str(policy_file)]) == 3
    assert f"{policy_file}:4:11: exchange is bitstamp, which this version cannot ask" in capsys.readouterr().err
    assert main(["snapshot", str(policy_file.with_name("none.yaml"))]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_I23_a_process_shows_its_secrets_nowhere(policy_file: Path, sim: SimServer) -> None:
    """A real process with a wrong secret: output, errors and command line hold no window of key or secret."""
    wrong = "Wrong0Secret1Of2This3Process4Abc"
    done = subprocess.run(
        [sys.executable, "-m", "policykit.cli", "snapshot", str(policy_file), "--endpoint", sim.url],
        env={**os.environ, "MM_API_SECRET": wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert_clean(done.stdout + done.stderr + " ".join(done.args), [sim.key, wrong])
