"""`policykit keys` and `blast`: what a person is told of a key, from the policy and over real HTTP."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policykit import secrets
from policykit.cli.__main__ import main
from policykit.errors import SecretUnavailable
from policykit.redact import Secret
from policykit.sim import SimKey, SimServer

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: {exchange}
account: {{name: main, currency: USDT}}
environment: live
keys:
  mm-exec:
    purpose: execution
    secret: {secret}
    scopes: [read, trade.spot]
    ip_allowlist:
      - {{address: 203.0.113.7, why: "execution host, Frankfurt"}}
    rotation: {{every: 90d, warn_before: 14d, delete_old_within: 24h}}
"""


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


def _use(monkeypatch: pytest.MonkeyPatch, key: SimKey) -> None:
    for name, value in key.credentials().items():
        monkeypatch.setenv(f"MM_{name.upper()}", value)


def test_the_plan_says_each_box_address_and_limit(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The words are the exchange's own; what is not asked for is to be left, with the reason."""
    assert main(["keys", "plan", "mm-exec", "--now", "2026-11-21"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:11] == [
        "plan: key `mm-exec` on bybit, live (policies/mm.yaml:8:3)",
        "",
        "1. Open       Bybit > Account & Security > API Management > Edit",
        "2. Label it   mm-exec",
        "3. Tick       [x] Read-Write where it trades, else Read-Only                  read",
        f"              [x] {'Unified Trading > Spot > Trade':<58}  trade.spot; with it trade.margin",
        "   Leave      [ ] Unified Trading > Contract > Orders and Positions           the policy does not ask for it",
        "              [ ] Unified Trading > USDC Options > Trade                      the policy does not ask for it",
        "              [ ] Exchange, Earn, P2P, Copy Trading                           the policy does not ask for it",
        "              [ ] Assets > Wallet > Account Transfer and Subaccount Transfer  never for a bot's key (G05)",
        "              [ ] Assets > Wallet > Withdrawal                                never for a bot's key (G04)",
    ]
    for line in (
        "4. Restrict   Only IPs with permissions granted are allowed to access the OpenAPI; paste:",
        "5. Put away   set MM_API_KEY and MM_API_SECRET where the bot is started: env://MM cannot be written from here",
        "6. Check      policykit lint --live, before the first order",
        "limit: requests: 600 in 5 seconds, rolling window, shared by everything behind one address",
        "note:  make it on a sub-account that holds only what the bot trades with",
        "next:  make its successor by 2027-02-19, when the policy's rotation is due",
    ):
        assert line in out.splitlines()
    assert [line.split()[0:2] for line in out.splitlines() if "203.0.113.7" in line] == [["203.0.113.7", "execution"]]


def test_the_plan_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each box with its scope, whether it is ticked, and why."""
    assert main(["keys", "plan", "mm-exec", "--format", "json", "--now", "2026-11-21"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert {box["scope"]: box["tick"] for box in made["boxes"]} == {
        "read": True,
        "trade.spot": True,
        "trade.margin": True,
        "trade.derivatives": False,
        "trade.options": False,
        "trade.other": False,
        "transfer": False,
        "withdraw": False,
    }
    assert made["addresses"] == [{"address": "203.0.113.7", "why": "execution host, Frankfurt"}]


def test_a_box_that_grants_more_is_named_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """OKX has one box for all trading and transfer: it is ticked, says what comes with it, and is not to be left."""
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="okx", secret="vault://kv/mm"))
    assert main(["keys", "plan", "mm-exec", "--now", "2026-11-21"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[4:7] == [
        "3. Tick       [x] Read      read",
        (
            "              [x] Trade     trade.spot; with it trade.margin, trade.derivatives, trade.options, "
            "trade.other, transfer"
        ),
        "   Leave      [ ] Withdraw  never for a bot's key (G04)",
    ]
    assert "5. Put away   policykit keys new mm-exec   reads it without echo, puts the secret into vault://kv/mm" in out
    assert main(["keys", "plan", "mm-exec", "--format", "json", "--now", "2026-11-21"]) == 0
    boxes = json.loads(capsys.readouterr().out)["boxes"]
    assert {box["scope"]: (box["label"], box["tick"]) for box in boxes}["transfer"] == ("Trade", True)


def test_a_key_that_no_exchange_binds_is_planned_without_addresses(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hyperliquid's agents work from everywhere: nothing is to be pasted, and it is said."""
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="hyperliquid", secret="vault://kv/mm"))
    assert main(["keys", "plan", "mm-exec"]) == 0
    out = capsys.readouterr().out
    told = "4. Restrict   nothing: its keys work from every address; hold on the account only what the bot needs\n"
    assert told in out
    assert "203.0.113.7" not in out


def test_a_label_of_two_boxes_leaves_the_one_that_is_not_ticked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bitfinex's margin is the box of spot and another: only the other is left; two reasons for a box: the worse."""
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="bitfinex", secret="vault://kv/mm"))
    assert main(["keys", "plan", "mm-exec"]) == 0
    out = capsys.readouterr().out
    assert "[x] Orders: Create and cancel orders " in out
    assert out.count("Orders: Create and cancel orders") == 1
    assert "[ ] Margin Trading: Claim a position " in out
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="kraken", secret="vault://kv/mm"))
    assert main(["keys", "plan", "mm-exec"]) == 0
    rows = [
        line.split("  ")[-1].strip() for line in capsys.readouterr().out.splitlines() if "ds permissions - W" in line
    ]
    assert rows == ["never for a bot's key (G04)"]


def test_a_plan_warns_of_the_exchanges_own_end(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an address Bybit ends the key after 90 days: said where it bites, not where it does not."""
    assert main(["keys", "plan", "mm-exec"]) == 0
    assert "the exchange ends it" not in capsys.readouterr().out
    file = project / "policies" / "mm.yaml"
    file.write_text(
        file.read_text().replace(
            '    ip_allowlist:\n      - {address: 203.0.113.7, why: "execution host, Frankfurt"}\n', ""
        )
    )
    assert main(["keys", "plan", "mm-exec"]) == 0
    out = capsys.readouterr().out
    assert "note:  the exchange ends it 90 days after it was made while it is bound to no address" in out
    assert "4. Restrict   the policy names no address: a key that works from everywhere is a thief's (G09)" in out


def test_an_exchange_nobody_knows_is_planned_with_care(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without facts the boxes are named by scope, and the page counts."""
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="bitstamp", secret="env://MM"))
    assert main(["keys", "plan", "mm-exec"]) == 0
    out = capsys.readouterr().out
    assert "[x] what allows trade.spot" in out
    assert "note:  nothing is known of this exchange: what its page says counts" in out
    assert "6. Check      nothing reads it back: note what the page says under `declared:`, with `by` and `at`" in out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mm-exe", "mm-exe: no policy of policies names this key; did you mean mm-exec?"),
        ("zzz", "zzz: no policy of policies names this key; mm-exec may be"),
        ("other/mm-exec", "other/mm-exec: no policy of policies names this key; mm/mm-exec may be"),
    ],
)
def test_a_key_nobody_names(project: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the nearest name, exit code 2, for plan, new and blast."""
    for call in (["keys", "plan", name], ["keys", "new", name], ["blast", name]):
        assert main(call) == 2
        assert told in capsys.readouterr().err


def test_two_policies_with_one_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy's name tells them apart."""
    other = POLICY.format(exchange="binance", secret="env://B").replace("name: mm\n", "name: two\n")
    (project / "policies" / "two.yaml").write_text(other)
    assert main(["keys", "plan", "mm-exec"]) == 2
    assert "2 policies of policies name this key; one of mm/mm-exec, two/mm-exec may be" in capsys.readouterr().err
    assert main(["keys", "plan", "two/mm-exec"]) == 0
    assert "on binance" in capsys.readouterr().out


def test_the_list_of_keys(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a key with what it is for, where its secret lives and which line says so; a bad policy is told."""
    assert main(["keys"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert re.split("  +", head) == [
        *("KEY", "EXCHANGE/ACCOUNT", "FOR", "SCOPES", "ADDRESSES", "AGE", "DUE", "LAST USED", "HOLDERS", "HOSTS"),
        *("SECRET", "WHERE"),
    ]
    assert re.split("  +", row) == [
        *(
            "mm-exec",
            "bybit/main",
            "execution",
            "read,trade.spot",
            "1",
            "unknown",
            "unknown",
            "unknown",
            "unsaid",
            "none",
        ),
        *("env://MM", "policies/mm.yaml:8:3"),
    ]
    (project / "policies" / "bad.yaml").write_text("policykit: 1\nname: [\n")
    assert main(["keys", "--format", "json"]) == 2
    out, err = capsys.readouterr()
    assert [one["key"] for one in json.loads(out)] == ["mm-exec"]
    assert "bad.yaml" in err


class _Vault:
    """A manager in memory, behind a scheme of its own."""

    FORM = re.compile(r".+")
    NEEDS = ""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Secret]] = {}

    def read(self, reference: Any) -> dict[str, Secret]:
        if reference.path not in self.kept:
            raise SecretUnavailable(f"{reference}: nothing is there")
        return dict(self.kept[reference.path])

    def write(self, reference: Any, values: Mapping[str, Secret], replace: bool) -> None:
        if reference.path in self.kept and not replace:
            raise SecretUnavailable(f"{reference}: a key is there already")
        self.kept[reference.path] = dict(values)


@pytest.fixture
def vault(project: Path, monkeypatch: pytest.MonkeyPatch) -> _Vault:
    """A project whose policy keeps its secret in a manager that can be looked into."""
    (project / "policies" / "mm.yaml").write_text(POLICY.format(exchange="bybit", secret="vault://kv/mm"))
    made = _Vault()
    real = secrets._source
    monkeypatch.setattr(secrets, "_source", lambda text: (made, real("vault://kv/mm")[1]))
    return made


def _typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_new_key_is_put_away_before_it_is_used(
    vault: _Vault, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """G17: read without echo, put into the manager, read back, then asked of the exchange; no value is shown."""
    key = sim.grant_key(addresses=["203.0.113.7"])
    _typed(monkeypatch, key.key, key.secret)
    assert main(["keys", "new", "mm-exec", "--endpoint", sim.url]) == 1
    beside = "key `mm-exec` has trade.margin with the box that grants what the policy allows, read and trade.spot"
    agree = (
        "bybit has no narrower box: agree to trade.margin in `scopes`, and name all that is traded in `risk.symbols`"
    )
    untold = "mm-exec: not all is told (PK104, PK121); policykit lint --live says what"
    said = capsys.readouterr().err.splitlines()
    assert said == [f"high[PK104 scope-drift]: {beside}", f"   = next: {agree}", untold]
    file = Path("policies/mm.yaml")
    file.write_text(file.read_text().replace("[read, trade.spot]", "[read, trade.spot, trade.margin]"))
    _typed(monkeypatch, key.key, key.secret)
    assert main(["keys", "new", "mm-exec", "--replace", "--endpoint", sim.url]) == 0
    out, err = capsys.readouterr()
    assert (
        out.splitlines()
        == [
            "mm-exec: put into vault://kv/mm, and read back from there",
            "mm-exec: bybit says it may read, trade.spot, trade.margin",
            "mm-exec: as the policy asks, as far as the exchange tells; next: policykit lint --live",
        ]
        or "trade.margin" in err
    )
    assert vault.kept["kv/mm"]["api_secret"].reveal() == key.secret
    assert key.secret not in out + err
    assert key.key not in out + err


def test_a_new_key_with_wrong_boxes_is_told_box_by_box(
    vault: _Vault, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1: it is put away, and lint's own rules say what to change in the web page, worst first."""
    key = sim.grant_key(grants={"read", "withdraw"})
    _typed(monkeypatch, key.key, key.secret)
    assert main(["keys", "new", "mm-exec", "--endpoint", sim.url]) == 1
    page = "Bybit > Account & Security > API Management > Edit"
    said = capsys.readouterr().err.splitlines()
    assert said[:4] == [
        "critical[PK101 withdraw-scope]: key `mm-exec` can withdraw; the policy allows read and trade.spot",
        f'   = next: {page} > untick "Assets > Wallet > Withdrawal"',
        "high[PK201 address-restriction]: key `mm-exec` works from any address: the restriction is off at the exchange",
        f'   = next: {page} > "Only IPs with permissions granted are allowed to access the OpenAPI"',
    ]
    assert [line.partition(" ")[0] for line in said[4::2]] == ["high[PK214", "medium[PK119", "medium[PK211", "mm-exec:"]


def test_a_key_that_the_exchange_refuses_stays_put_away(
    vault: _Vault, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 with the reason; the exchange shows a secret once, so nothing is lost."""
    key = sim.grant_key(refused="address")
    _typed(monkeypatch, key.key, key.secret)
    assert main(["keys", "new", "mm-exec", "--endpoint", sim.url]) == 3
    assert (
        "put away but not verified: ADDRESS_NOT_ALLOWED: bybit: this address is not on the key's allowlist (10010)"
        in capsys.readouterr().err
    )
    assert "kv/mm" in vault.kept


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), "api_key is empty; paste what the exchange shows; nothing was kept"),
        (("k" * 20_000, "s"), "api_key is too long; paste what the exchange shows; nothing was kept"),
        (("abc",), "api_secret is empty; paste what the exchange shows; nothing was kept"),
    ],
)
def test_a_value_that_cannot_be(
    vault: _Vault,
    lines: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is put anywhere, and no value is in the message."""
    _typed(monkeypatch, *lines)
    assert main(["keys", "new", "mm-exec"]) == 2
    assert told in capsys.readouterr().err
    assert vault.kept == {}


def test_a_key_over_another_needs_saying_so(
    vault: _Vault, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second key is refused without --replace, and taken with it; --no-verify asks nothing."""
    for more, code in (([], 0), ([], 2), (["--replace"], 0)):
        key = sim.grant_key()
        _typed(monkeypatch, key.key, key.secret)
        assert main(["keys", "new", "mm-exec", "--no-verify", *more]) == code
    assert "a key is there already" in capsys.readouterr().err
    assert vault.kept["kv/mm"]["api_key"].reveal() == key.key
    assert sum(sim.truth.by_route.values()) == 0


def test_a_private_key_of_many_lines_is_one_value() -> None:
    """A PEM is read to its END line; what is typed after it is the next value."""
    from policykit.operate.keys.new import given

    typed = iter(["-----BEGIN PRIVATE KEY-----", "abc", "-----END PRIVATE KEY-----", "p"])
    values = given(("private_key", "passphrase"), lambda name: next(typed))
    assert values["private_key"].reveal() == "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
    assert values["passphrase"].reveal() == "p"


def test_what_a_thief_could_do(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Granted classes, from where, how long, and the worst of each; only what the exchange enforces."""
    _use(monkeypatch, sim.grant_key(40, grants={"read", "trade.spot", "withdraw"}))
    assert main(["blast", "mm-exec", "--endpoint", sim.url]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("live: bybit, 1 key")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "blast radius of `mm-exec` on bybit: what its thief could do now"
    assert "from      any address" in lines
    assert "may       read, trade.spot, trade.margin, withdraw" in lines
    assert "not told  key_admin: bybit does not report it" in lines
    assert any(line.startswith("worst     takes ") and line.endswith("to an address of their own") for line in lines)
    assert "reach     100,000 USDT" in lines
    assert "makes more keys, which outlive the end of this one, if it may: key_admin is not told" in lines
    assert lines[-1] == (
        "Source: G01; trade-only keys were drained in 2022 by making the victims buy the thief's illiquid coin."
    )
    assert any("trade is not harmless" in line for line in lines)
    assert any(line.endswith("40 days ago; never ends by itself") for line in lines)


def test_what_is_not_told_for_one_reason_is_said_once() -> None:
    """Eight permissions of one reason are one line; amounts are written in thousands, fractions as they are."""
    from policykit.operate.blast import Blast, text

    unknown = (("trade.spot", "not told here"), ("withdraw", "not told here"), ("key_admin", "no call"))
    made = Blast(
        "k", "mexc", "any address", (), (), unknown, "1234567.00012 USDT", "l", "s", "v", ("w",), "GET /x", None
    )
    assert text(made).splitlines()[3:8] == [
        "  may       nothing that is told",
        "  not told  trade.spot, withdraw: not told here",
        "            key_admin: no call",
        "  may not   nothing is denied",
        "  reach     1,234,567.00012 USDT",
    ]


def test_a_thief_of_a_reader_behind_an_allowlist(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """He sees, from one address; no market, no leverage, nothing to take."""
    _use(monkeypatch, sim.grant_key(grants={"read"}, addresses=["203.0.113.7"], expires_in_days=20))
    assert main(["blast", "mm-exec", "--endpoint", sim.url, "--format", "json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["origin"], made["may"], made["symbols"], made["leverage"]) == (
        "1 address only: 203.0.113.7",
        ["read"],
        "none",
        "none: no margin, no derivatives",
    )
    assert made["worst"][-1] == "sees balances, orders and history, and trades against them"


def test_a_key_that_cannot_be_read_has_no_blast(
    project: Path, sim: SimServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 with the reason: silence is no small radius."""
    _use(monkeypatch, sim.grant_key(refused="revoked"))
    assert main(["blast", "mm-exec", "--endpoint", sim.url]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-2:] == [
        (
            "policykit: policies/mm.yaml:8:3: key `mm-exec` could not be read: KEY_REJECTED: bybit: no such key; "
            "check the key, and whether it is of this host (10003)"
        ),
        "  next: check key, secret and allowlist, and whether the key lives and is of this environment",
    ]
