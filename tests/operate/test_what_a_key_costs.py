"""What `blast` and `keys new` tell a person who then acts on it: of which key, how much at least, which addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.operate.blast import blast
from policykit.operate.keys.find import one
from policykit.operate.keys.new import Verified, judged
from policykit.sim import SimServer
from policykit.snapshot import SCOPES, KeyReport, Snapshot
from tests.operate.test_keys import POLICY, _use


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one Bybit policy, worked in."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mm.yaml").write_text(POLICY.format(exchange="bybit", secret="env://MM"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A simulated Bybit on the machine's clock."""
    with SimServer(dialect="bybit") as server:
        yield server


def test_a_key_of_the_same_name_on_another_account_is_another_key(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A snapshot of another account, or of another policy, tells nothing of this policy's key."""
    _use(monkeypatch, sim.grant_key(40))
    assert main(["snapshot", "policies/mm.yaml", "--keys-only", "--endpoint", sim.url, "-o", "s.json"]) == 0
    taken = json.loads(Path("s.json").read_text())
    assert main(["blast", "mm-exec", "--state", "s.json"]) == 0
    capsys.readouterr()
    Path("s.json").write_text(json.dumps({**taken, "account_name": "treasury"}))
    assert main(["blast", "mm-exec", "--state", "s.json"]) == 2
    assert "s.json: no snapshot of bybit/main; policykit snapshot policies/mm.yaml takes one" in capsys.readouterr().err
    Path("s.json").write_text(json.dumps({**taken, "policy": "arb"}))
    assert main(["blast", "mm-exec", "--state", "s.json"]) == 3
    assert "it is not in the snapshot" in capsys.readouterr().err


def test_what_is_not_counted_is_no_bound_of_the_loss() -> None:
    """An equity without prices of some assets, or without a wallet, is the least that a thief takes."""
    report = KeyReport("k", "", {**dict.fromkeys(SCOPES, "denied"), "withdraw": "granted"})
    for unknown, equity in (
        ({}, "900 USDT"),
        ({"positions": "not read"}, "900 USDT"),
        ({"equity.unpriced": "SHIB"}, "at least 900 USDT"),
        ({"balances.other": "not read"}, "at least 900 USDT"),
    ):
        account = {"equity": "900 USDT", "unknown": unknown}
        made = blast(Snapshot("2026-11-21T10:00:00.000Z", "bybit", account=account), report, None, 0)
        assert (made.equity, made.worst) == (equity, (f"takes {equity} to an address of their own",))


def test_addresses_are_compared_and_not_their_spelling(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/32` and capitals are the same address: nobody is told to remove it and to add it again."""
    text = POLICY.format(exchange="bybit", secret="env://MM").replace("203.0.113.7", "203.0.113.7/32")
    text = text.replace("    rotation", '      - {address: "2001:DB8::7", why: "the same host"}\n    rotation')
    Path("policies/mm.yaml").write_text(text)
    permissions = {**dict.fromkeys(SCOPES, "denied"), "read": "granted", "trade.spot": "granted"}
    there = ["203.0.113.7", "2001:db8::7"]
    report = KeyReport("mm-exec", "", permissions, restricted="yes", addresses=there)
    found = one(("policies",), "mm-exec")

    def said() -> list[str]:
        taken = Snapshot("2026-11-21T10:00:00.000Z", "bybit", keys=[report])
        return [f.message for f in judged(found, Verified(taken, "", ""), 0) if f.rule == "PK214"]

    assert said() == []
    report.addresses = ["203.0.113.8"]
    differ = "also 203.0.113.8; not 203.0.113.7/32 and 2001:DB8::7"
    assert said() == [f"the addresses of key `mm-exec` at the exchange differ from the policy: {differ}"]
