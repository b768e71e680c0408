"""`policykit rotate` as it is typed: over HTTP on the machine's clock, from a script without a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.exchanges.trying import try_order
from policykit.redact import Secret
from policykit.sim import SimClock, SimKey
from policykit.testing import Sim
from tests.guard.world import policy_text
from tests.operate.test_rotation import HELD, ROTATION, identity
from tests.secrets.test_keyring import READ, entries, library

__all__ = ["entries", "library"]
WHO = ("--by", "alice", "--why", "90 days")
Rotate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sim() -> Iterator[Sim]:
    """A simulated Binance on the machine's clock."""
    with Sim(seed=1) as made:
        yield made


@pytest.fixture
def rotate(
    tmp_path: Path,
    sim: Sim,
    entries: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Rotate:
    """Return `rotate("start", "mm-exec", ..., given=KEY)` in a project whose key lies in a keyring."""
    (tmp_path / "policies").mkdir()
    text = policy_text().replace('secret: "env://MM_EXEC"', f'secret: "{READ}", {ROTATION}')
    (tmp_path / "policies" / "mm.yaml").write_text(text, encoding="utf-8")
    entries[HELD] = json.dumps(sim.main_key.credentials())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")

    def call(*arguments: str, given: SimKey | None = None) -> tuple[int, str, str]:
        lines = "" if given is None else "".join(f"{value}\n" for value in given.credentials().values())
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        asked = () if "--endpoint" in arguments else ("--endpoint", sim.url)
        where = () if arguments[0] == "status" else (*WHO, *asked)
        code = main(["rotate", *arguments, *where])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_rotation_from_a_script(rotate: Rotate, sim: Sim) -> None:
    """Start, see, finish: each says what it did and what is next; what is done again is no harm."""
    old, new = sim.main_key, sim.grant_key(0, addresses=["127.0.0.1"])
    assert rotate("status")[:2] == (0, "no key was rotated with this store\n")
    code, out, err = rotate("start", "mm-exec", given=new)
    assert (code, out.splitlines()[-1]) == (0, f"mm-exec: {READ} gives the successor from now on"), err
    code, out, _ = rotate("status", "--format", "json")
    (row,) = json.loads(out)
    assert (code, row["result"], row["retiring"], row["by"]) == (0, "swapping", identity(old), "alice")
    code, out, _ = rotate("finish", "mm-exec", "--no-input")
    assert (code, out.splitlines()[-1]) == (
        1,
        f"mm-exec: delete the key {identity(old)}, then policykit rotate finish mm-exec",
    )
    old.revoked = True
    code, out, _ = rotate("finish", "mm-exec", "--format", "json")
    told = json.loads(out)
    assert (code, told["ok"], told["rotation"]["proof"]) == (0, True, "refused")
    assert rotate("finish", "mm-exec")[0] == 0
    assert f"{identity(old)} is dead, refused" in rotate("status")[1]
    assert rotate("abort", "mm-exec")[0] == 1
    late = main(["rotate", "status", "--now", "2062-01-01"])
    assert late == 0, "what is over is not late"


def test_no_secret_is_shown(rotate: Rotate, sim: Sim) -> None:
    """Neither of the successor nor of the old key, whatever goes wrong (I23)."""
    new = sim.grant_key(0, addresses=["127.0.0.1"], grants=["read", "trade.spot", "withdraw"])
    said = rotate("start", "mm-exec", given=new), rotate("start", "mm-exec"), rotate("abort", "mm-exec")
    assert [code for code, _, _ in said] == [1, 1, 0]
    text = "".join(out + err for _, out, err in said)
    for key in (new, sim.main_key):
        for value in key.credentials().values():
            assert not any(value[at : at + 8] in text for at in range(len(value) - 7))


def test_an_old_key_that_lives_too_long_is_a_failure(rotate: Rotate, sim: Sim) -> None:
    """Exit code 1 for a script that looks every day."""
    assert rotate("start", "mm-exec", given=sim.grant_key(0, addresses=["127.0.0.1"]))[0] == 0
    code, out, _ = rotate("status", "--now", "2062-01-01")
    assert (code, "OVERDUE" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("start", "nobody"), 2, "no policy of policies names this key"),
        (("start", "mm-exec"), 2, "api_key is empty"),
        (("finish", "mm-exec"), 1, "no rotation is under way; policykit rotate start mm-exec"),
        (("abort", "mm-exec"), 1, "no rotation is under way"),
    ],
)
def test_wrong_calls(rotate: Rotate, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Each says what is, and what to do."""
    got, out, err = rotate(*arguments)
    assert (got, words in out + err) == (code, True), (out, err)


def test_an_exchange_that_does_not_answer_changes_nothing(
    rotate: Rotate, sim: Sim, entries: dict[tuple[str, str], str]
) -> None:
    """Exit code 3; the successor lies ready, and the key in use is the old one."""
    new = sim.grant_key(0, addresses=["127.0.0.1"])
    code, out, _ = rotate("start", "mm-exec", "--endpoint", "http://127.0.0.1:9", given=new)
    assert (code, "the successor was not checked" in out) == (3, True)
    assert json.loads(entries[HELD])["api_key"] == sim.key


@pytest.mark.parametrize(
    ("refused", "passed"), [(None, True), ("permission", False), ("revoked", False), ("maintenance", None)]
)
def test_a_test_order_says_what_a_key_may_do(refused: str | None, passed: bool | None) -> None:
    """It is judged as an order, and none is made; only a refusal of the key counts against it."""
    with Sim(seed=1, clock=SimClock()) as exchange:
        key = exchange.grant_key(0, addresses=["127.0.0.1"])
        key.refused = refused
        values = {name: Secret(value) for name, value in key.credentials().items()}
        tried = try_order("binance", values, "BTC/USDT", endpoint=exchange.url, clock=exchange.clock)
        assert tried.passed is passed, tried
        assert exchange.truth.executed == []


def test_an_exchange_without_a_test_order_says_so() -> None:
    """It is not tried, and does not pass for having been."""
    tried: Any = try_order("kraken", {}, "BTC/USD")
    assert tried == (None, "kraken has no test order that is known here")
