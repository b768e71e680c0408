"""`policykit notify`: what a person types to see whether messages arrive."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from policykit.cli.notify import command
from policykit.store import open_store
from tests.guard.world import policy_text
from tests.notify.receivers import webhook

TOKEN = "0f9b2c7d1e5a4b3c"
NOTIFY = """\
notify:
  repeat: 1h
  targets:
    ops: {secret: "env://OPS"}
    pager: {secret: "env://PAGER", severity: critical, causes: [halt, key_due]}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Give a policy with two targets."""
    path = tmp_path / "mm.yaml"
    path.write_text(policy_text() + NOTIFY)
    return str(path)


def test_a_test_message_arrives_and_what_does_not_is_said(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One target takes it, the other refuses: both are said, exit 3, and no token is in the words."""
    with webhook() as ops, webhook() as pager:
        pager.status = 401
        monkeypatch.setenv("OPS_URL", ops.url(f"/{TOKEN}"))
        monkeypatch.setenv("PAGER_URL", pager.url(f"/{TOKEN}"))
        done = CliRunner().invoke(command, ["test", policy])
        assert done.output.splitlines() == [
            "ops: sent; look whether it arrived",
            "pager: not sent: Failed to send JSON POST notification: Verification Failed., error=401.",
        ]
        assert done.exit_code == 3
        (got,) = ops.got
        assert got["title"] == "policykit binance/main: a test"
        one = CliRunner().invoke(command, ["test", policy, "--target", "ops", "--format", "json"])
        assert json.loads(one.output) == {"version": 1, "targets": {"ops": {"ok": True, "words": ""}}}
        assert one.exit_code == 0


def test_a_test_is_noted_where_bots_have_a_store(policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrived and what did not, without a token: a stage asks for it. No store is made for it."""
    uri = f"sqlite:///{tmp_path}/bots.db"
    monkeypatch.setenv("POLICYKIT_STORE", uri)
    with webhook() as ops, webhook() as pager:
        pager.status = 401
        monkeypatch.setenv("OPS_URL", ops.url(f"/{TOKEN}"))
        monkeypatch.setenv("PAGER_URL", pager.url(f"/{TOKEN}"))
        CliRunner().invoke(command, ["test", policy])
        assert not (tmp_path / "bots.db").exists()
        with closing(open_store(uri)) as store:
            store.announce("binance/main", "USDT", {}, 1)
            CliRunner().invoke(command, ["test", policy])
            told = [row.body for row in store.rows() if row.kind == "message"]
        (tmp_path / "bots.db").write_text("no store")
        done = CliRunner().invoke(command, ["test", policy, "--target", "ops"])
    common = {"test": True, "policy": "mm", "account": "binance/main"}
    words = "Failed to send JSON POST notification: Verification Failed., error=401."
    assert told == [
        {"target": "ops", "ok": True, **common},
        {"target": "pager", "ok": False, "words": words, **common},
    ]
    assert "policykit: the test is not noted: the bots' store cannot be used" in done.output
    assert done.exit_code == 0


def test_a_missing_address_is_named(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words say which variable is not set."""
    monkeypatch.delenv("OPS_URL", raising=False)
    done = CliRunner().invoke(command, ["test", policy, "--target", "ops"])
    assert done.output == "ops: not sent: env://OPS: OPS_URL is not set; set it where the bot runs\n"
    assert done.exit_code == 3


def test_what_is_asked_for_must_be_there(policy: str, tmp_path: Path) -> None:
    """A target that is not in the policy, and a policy without one, are wrong calls."""
    done = CliRunner().invoke(command, ["test", policy, "--target", "ops2"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        2,
        f"Error: {policy}: it has no target 'ops2'; there are ops, pager",
    )
    bare = tmp_path / "bare.yaml"
    bare.write_text(policy_text())
    done = CliRunner().invoke(command, ["test", str(bare)])
    assert (done.exit_code, "it has no target; add notify" in done.output) == (2, True)
    done = CliRunner().invoke(command, ["show", str(bare)])
    assert (done.exit_code, done.output.startswith("nobody is told of anything")) == (1, True)


def test_who_is_told_what_is_shown(policy: str) -> None:
    """Without reading a secret."""
    done = CliRunner().invoke(command, ["show", policy])
    assert done.output == (
        "ops (env://OPS): halt, unknown_order, cannot_decide, guard_silent, drift, reconcile_stale, loss, key_due,"
        " policy_rejected, clock_skew\n"
        "pager (env://PAGER): halt, (key_due)\n"
        "each once in 1h while it lasts, and when it is over; drills: quiet\n"
        "in brackets: only when it is past its limit or due date\n"
    )
    done = CliRunner().invoke(command, ["show", policy, "--format", "json"])
    assert json.loads(done.output)["targets"]["pager"] == {"secret": "env://PAGER", "causes": ["halt", "(key_due)"]}
