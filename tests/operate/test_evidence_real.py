"""A package of what the real commands wrote: an incident over HTTP, a review, a stage taken back, a halt lifted."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from tests.canary import assert_clean
from tests.operate.incidents import Desk, desk, rest

Out = pytest.CaptureFixture[str]


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> Iterator[Desk]:
    """An exchange on which a bot trades."""
    with desk(tmp_path, monkeypatch, capsys, ("binance",)) as found:
        yield found


def rows(package: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    found: list[dict[str, Any]] = json.loads(package.read(f"data/{name}.json"))["rows"]
    return found


def test_what_the_commands_wrote_is_in_the_package(one: Desk, capsys: Out) -> None:
    """Each step of the incident, the exposed key, the halt and its end, the review; no secret, no machine's account."""
    rest(one.sims["binance"])
    one.start("--key", "binance-exec")
    one.delete("binance-exec")
    one.step("revoke/binance-exec", "--done")
    policy = "policies/binance.yaml"
    with Path(policy).open("a") as file:
        file.write("stage: {current: small-live, since: 2026-11-01}\n")
    assert main(["resume", "--scope", "all", "--by", "alice", "--why", "the key is dead"]) == 0
    assert main(["review", "done", policy, "--by", "desk-head", "--note", "caps fit"]) == 0
    assert main(["stage", "demote", policy, "--to", "sandbox", "--by", "desk-head", "--why", "start anew"]) == 0
    capsys.readouterr()
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    assert main(["evidence", "--to", later, "--output", "e.zip", "--format", "json"]) == 0
    told = capsys.readouterr()
    said = json.loads(told.out)
    with zipfile.ZipFile("e.zip") as package:
        steps = {row["name"].partition("/")[2]: row for row in rows(package, "incidents")}
        assert steps["revoke/binance/main/binance-exec"]["state"] == "done"
        assert steps["cancel/binance/main"]["cancelled"] == 3
        assert [row["name"] for row in rows(package, "exposed")] == ["binance-exec"]
        assert [(row["kind"], row["by"]) for row in rows(package, "halts")][-1] == ("resume", "alice")
        assert [row["by"] for row in rows(package, "reviews")] == ["desk-head"]
        assert [row["move"] for row in rows(package, "stages")] == ["demote"]
        everything = b"\n".join(package.read(name) for name in package.namelist())
    secrets = [value for key in one.keys.values() for value in key.credentials().values()]
    assert_clean(everything, secrets)
    assert_clean(told.out, secrets)
    for private in (b'"os_user"', b'"login"', b'"tty"', b'"known_addresses"'):
        assert private not in everything
    assert "in 1 of 1 rows who did it is claimed, not signed" in {
        one["what"] for one in said["unknown"] if one["table"] == "reviews"
    }
    assert main(["evidence", "verify", "e.zip", "--journal", "store.db"]) == 0
