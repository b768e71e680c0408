"""A key that is dead by a word alone: it is said so, asked again by `resume`, and told before trading again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from tests.operate.incidents import Desk, desk, left, rest

STEP = "revoke/binance/main/binance-exec"


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Start one exchange."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as running:
        yield running


def test_a_key_that_was_said_to_be_dead_and_works_is_open_again(one: Desk) -> None:
    """The exchange was dead when the word was taken: once it answers, it is asked, and what came since is cancelled."""
    one.start("--key", "binance-exec", gone=["binance"])
    assert one.step("revoke/binance-exec", "--done").code == 0
    rest(one.sims["binance"])
    said = one.incident("resume", "--endpoint", f"binance={one.sims['binance'].url}")
    step = one.steps()[STEP]
    assert (said.code, step["state"]) == (1, "alarm"), said.out
    assert "ALARM: bob said that it is deleted, but it still works: delete it now" in said.out
    assert "proof" not in step
    assert left(one.sims["binance"]) == 0
    one.delete("binance-exec")
    assert one.step("revoke/binance-exec", "--done", "--endpoint", f"binance={one.sims['binance'].url}").code == 0
    assert one.steps()[STEP]["proof"] == "refused"


def test_orders_that_a_living_key_placed_after_the_cancels_are_cancelled_with_the_alarm(one: Desk) -> None:
    """The list was empty when `resume` came to it; the key that was said to be dead placed more before it was asked."""
    one.start("--key", "binance-exec")
    one.step("revoke/binance-exec", "--done", "--endpoint", "binance=http://127.0.0.1:9")
    one.step("cancel/binance", "--done")
    rest(one.sims["binance"])
    one.incident("resume", "--endpoint", f"binance={one.sims['binance'].url}")
    assert (one.steps()[STEP]["state"], left(one.sims["binance"])) == ("alarm", 0)


def test_a_claim_is_no_proof_until_the_exchange_refuses(one: Desk) -> None:
    """Headline, report and JSON say that it is claimed; a refusal where it was seen working proves it."""
    one.start("--key", "binance-exec")
    one.step("revoke/binance-exec", "--done", "--endpoint", "binance=http://127.0.0.1:9")
    head = one.incident("status").out
    assert "from detection to revocation: CLAIMED, NOT PROVED: binance-exec, after 00:" in head
    assert "within ten minutes" not in head
    assert "- From detection to revocation: claimed, not proved, after 00:" in one.incident("report").out
    assert one.incident("status", "--format", "json").json()["in_time"] is None
    one.delete("binance-exec")
    one.incident("resume", "--endpoint", "binance=http://127.0.0.1:9")
    before = one.steps()[STEP]
    assert (before["state"], before["proof"], before["by"]) == ("done", "claimed", "bob")
    one.incident("resume")
    after = one.steps()[STEP]
    assert (after["state"], after["proof"], after["by"]) == ("done", "refused", "bob")
    assert "within ten minutes" in one.incident("status").out


def test_a_refusal_where_the_key_was_never_seen_working_leaves_it_claimed(one: Desk) -> None:
    """A wrong address is refused alike."""
    one.delete("binance-exec")
    one.start("--key", "binance-exec")
    one.step("revoke/binance-exec", "--done")
    one.incident("resume")
    assert (one.steps()[STEP]["state"], one.steps()[STEP]["proof"]) == ("done", "claimed")


def test_who_trades_again_is_told_of_an_open_incident(one: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not refused: the incident and each key that nothing proved dead are named."""
    ident = one.start("--key", "binance-exec", "--format", "json").json()["incident"]
    words = ["resume", "--scope", "account:binance/main", "--by", "bob", "--why", "on"]
    assert main(words) == 0
    assert f"WARNING: incident {ident} is open, and not proved dead: binance-exec on binance/main" in (
        capsys.readouterr().err
    )
    one.delete("binance-exec")
    assert one.step("revoke/binance-exec", "--done").code == 0
    main(words)
    told = capsys.readouterr().err
    assert f"WARNING: incident {ident} is open" in told
    assert "not proved dead" not in told
