"""`policykit lint --live`: many exchanges at once over real HTTP, each failure with its code, the rest reported."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.policy import EffectivePolicy
from policykit.sim import SimServer
from policykit.sim.keys import SimKey
from policykit.store import open_store
from tests.lint.conftest import Said

Run = Callable[..., Said]
TEXT = """\
policykit: 1
name: {name}
owner: desk
exchange: {exchange}
account: {{name: {account}, currency: USDT}}
environment: live
keys:
  exec:
    purpose: execution
    secret: env://{secret}
    scopes: [read, trade.spot]
"""


def _policy(name: str, exchange: str, account: str = "main", secret: str = "") -> Path:
    path = Path(f"{name}.yaml")
    path.write_text(TEXT.format(name=name, exchange=exchange, account=account, secret=secret or name.upper()))
    return path


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, SimKey], None]:
    """Return what puts a key where `env://PREFIX` reads it."""

    def put(prefix: str, key: SimKey) -> None:
        for field, text in key.credentials().items():
            monkeypatch.setenv(f"{prefix}_{field.upper()}", text)

    return put


@pytest.fixture
def sims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, SimServer]]:
    """Two simulated exchanges, and an empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    with SimServer() as binance, SimServer(dialect="bybit") as bybit:
        yield {"binance": binance, "bybit": bybit}


def _endpoints(sims: Mapping[str, SimServer]) -> list[str]:
    return [part for name, sim in sims.items() for part in ("--endpoint", f"{name}={sim.url}")]


def test_several_exchanges_go_to_several_endpoints(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None]
) -> None:
    """Both are read, each at its own origin; every cost is said before; what one key may do is found."""
    one, two = _policy("one", "binance"), _policy("two", "bybit")
    use("ONE", sims["binance"].add_key(enableWithdrawals=True))
    use("TWO", sims["bybit"].grant_key(grants=("read", "trade.spot", "withdraw"), addresses=("203.0.113.7",)))
    said = run("lint", one, two, "--live", *_endpoints(sims), "--format", "json", "--select", "PK101,PK108")
    first, second = said.err.split("\n\n")[:2]
    assert first == "live: binance, 1 key, 7 calls, 127 of 6000 weight a minute, no order endpoint"
    assert re.fullmatch(r"live: bybit, 1 key, \d+ calls, \d+ requests \(600 in 5 s may be\), no order endpoint", second)
    found = json.loads(said.out)["findings"]
    assert [(f["rule"], f["primary"]["file"], f["observed"]["exchange"]) for f in found] == [
        ("PK101", "one.yaml", "binance"),
        ("PK101", "two.yaml", "bybit"),
    ]
    assert said.code == 1


def test_what_cannot_be_read_is_said_with_code_and_advice(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None]
) -> None:
    """One key is refused for its address: its line has place, code and next step; the other exchange is judged."""
    one, two = _policy("one", "binance"), _policy("two", "bybit")
    use("ONE", sims["binance"].main_key)
    use("TWO", sims["bybit"].grant_key(refused="address"))
    said = run("lint", one, two, "--live", *_endpoints(sims), "--format", "concise", "--select", "PK101,PK108")
    assert said.err.splitlines()[-1] == (
        "policykit: two.yaml:8:3: key `exec` could not be read: ADDRESS_NOT_ALLOWED: bybit: this address is not on the"
        " key's allowlist (10010); next: run this where the key is allowed, or add this host's address to the key's"
        " allowlist"
    )
    assert said.code == 3
    assert "two.yaml:8:3: unknown[PK108 key-not-read]" in said.out
    assert "one.yaml" not in said.out


def test_exchanges_are_read_at_once(sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None]) -> None:
    """While one exchange is waited for, the others are read: requests of all are there before any is answered whole."""
    from policykit.lint.discover import Target
    from policykit.lint.judge import Options, loadable
    from policykit.lint.live import taker

    targets = [Target(str(_policy(f"p{i}", "bybit", f"a{i}", "KEY")), "policy", named=True) for i in range(4)]
    use("KEY", sims["bybit"].main_key)
    said: list[tuple[int, int]] = []
    lines: list[str] = []
    policies = loadable(targets, Options(time.time_ns() // 1_000_000))
    take = taker(f"bybit={sims['bybit'].url}", 0, lines.append, lambda done, of: said.append((done, of)))
    take.prepare(policies)
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(lines) == 4
    sent = sims["bybit"].truth.by_route["GET /v5/user/query-api"]
    assert [take(policy)[1] for policy in policies] == [()] * 4
    assert sims["bybit"].truth.by_route["GET /v5/user/query-api"] == sent == 4


def test_lint_reads_all_policies_before_it_judges_one(sims: Mapping[str, SimServer]) -> None:
    """What takes live state is given every policy at once, profiles and policies that do not load left out."""
    from policykit.lint import Call, Options, lint
    from policykit.lint.state import State
    from policykit.snapshot import Snapshot

    files = [str(_policy(name, "bybit")) for name in ("one", "two")]
    Path("profile.yaml").write_text("policykit: 1\nname: profile\nowner: desk\n")
    Path("bad.yaml").write_text("policykit: 1\nname: [\n")
    calls: list[list[str]] = []

    class Take:
        def prepare(self, policies: Sequence[EffectivePolicy]) -> None:
            calls.append([policy.file for policy in policies])

        def __call__(self, policy: EffectivePolicy) -> tuple[State, tuple[str, ...]]:
            calls.append([policy.file])
            return State(Snapshot("2026-11-21T10:00:00Z", "bybit")), ()

    lint(Call((*files, "profile.yaml", "bad.yaml"), take=Take()), Options(1_795_255_200_000))
    assert calls == [["one.yaml", "two.yaml"], ["one.yaml"], ["two.yaml"]]


def test_wrong_endpoints_end_with_2(run: Run, sims: Mapping[str, SimServer]) -> None:
    """An exchange that is none, and one given twice."""
    one = _policy("one", "binance")
    for given, message in (
        (("--endpoint", "zzz=http://127.0.0.1:1"), "the endpoint is for zzz; one of "),
        (("--endpoint", "http://127.0.0.1:1", "--endpoint", "http://127.0.0.1:2"), "two endpoints are for every exch"),
    ):
        said = run("lint", one, "--live", *given)
        assert said.code == 2
        assert message in said.err


# -- the store of bots ------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_used_is_said_and_none_is_made(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a store nothing is said; with a damaged one a line says that bots' spending is not seen."""
    one = _policy("one", "binance")
    use("ONE", sims["binance"].main_key)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{Path.cwd()}/store.db")
    said = run("lint", one, "--live", *_endpoints(sims), "--select", "PK101")
    assert (said.err.count("store"), Path("store.db").exists()) == (0, False)
    Path("store.db").write_text("no database" * 100)
    said = run("lint", one, "--live", *_endpoints(sims), "--select", "PK101")
    assert "live: the bots' store cannot be used, so only this command's own calls are counted: " in said.err


# -- snapshots that travel --------------------------------------------------------------------------------------


def _keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a pair of signing keys."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signed_snapshot_is_verified(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None], tmp_path: Path
) -> None:
    """Signed where the key lives, linted elsewhere: changed, unsigned or signed by another, it is refused (2)."""
    one = _policy("one", "bybit")
    use("ONE", sims["bybit"].grant_key(addresses=("203.0.113.7",)))
    private, public = _keys(tmp_path, "host")
    _, stranger = _keys(tmp_path, "other")
    call = ("snapshot", one, "--keys-only", *_endpoints(sims), "--sign", private, "-o", "s.json")
    assert main([str(a) for a in call]) == 0
    lint = ("lint", one, "--state", "s.json", "--select", "PK101")
    assert run(*lint, "--verify-key", stranger, "--verify-key", public).code == 0
    said = run(*lint, "--verify-key", stranger)
    again = "do not trust it: take it anew (policykit snapshot --sign KEYFILE)"
    needed = "a snapshot (policykit snapshot -o FILE) is needed"
    refused = "policykit: live state was not read: s.json:"
    assert (said.code, said.err) == (3, f"{refused} it is signed with another key; {again}; {needed}\n")
    data = json.loads(Path("s.json").read_text())
    data["keys"][0]["permissions"]["withdraw"] = (
        "denied" if data["keys"][0]["permissions"]["withdraw"] != "denied" else "granted"
    )
    Path("s.json").write_text(json.dumps(data))
    said = run(*lint, "--verify-key", public)
    assert said.err == (f"{refused} its signature is wrong: it was changed after it was signed; {again}; {needed}\n")
    del data["signature"]
    Path("s.json").write_text(json.dumps(data))
    said = run(*lint, "--verify-key", public)
    assert (said.code, said.err) == (3, f"{refused} it is not signed; {again}; {needed}\n")


def test_keys_that_cannot_sign_or_verify_end_with_2(run: Run, sims: Mapping[str, SimServer], tmp_path: Path) -> None:
    """A missing file, one that others may read, one of another kind: the place, and how to make one."""
    one = _policy("one", "bybit")
    private, public = _keys(tmp_path, "host")
    private.chmod(0o644)
    for arguments, message in (
        (("snapshot", one, "--sign", private), f"{private}: others may read it; only its owner may; chmod 600 it"),
        (("snapshot", one, "--sign", public), f"{public}: "),
        (("snapshot", one, "--sign", "none.pem"), "none.pem: cannot be read (No such file or directory); an Ed25519 p"),
        (("lint", one, "--state", "s.json", "--verify-key", private), f"{private}: no Ed25519 public key; one in PEM"),
        (("lint", one, "--verify-key", public), "--verify-key is given without --state; a snapshot file is needed"),
    ):
        public.chmod(0o600)
        said = run(*arguments) if arguments[0] == "lint" else Said(main([str(a) for a in arguments]), "", "")
        assert said.code == 2
        assert arguments[0] == "snapshot" or message in said.err


def test_a_maximum_age_is_kept(run: Run, policy: Path, snapshot: Callable[..., Path]) -> None:
    """Two days old: fine by the rule's seven days, a finding with --max-age 24h; a span that is none ends with 2."""
    file = snapshot(lambda data: data.update(taken_at="2026-11-19T10:00:00Z"))
    lint = (
        "lint",
        policy,
        "--state",
        file,
        "--now",
        "2026-11-21T11:00:00Z",
        "--select",
        "PK110",
        "--format",
        "concise",
    )
    assert run(*lint).code == 0
    said = run(*lint, "--max-age", "24h")
    assert said.code == 1
    assert "[PK110 snapshot-stale] the snapshot of binance is 2 days old; at most 24 h" in said.out
    assert run(*lint, "--max-age", "49h").code == 0
    assert run(*lint, "--max-age", "soon").code == 2


@pytest.mark.parametrize(
    ("taken_at", "most", "said"),
    [
        ("2026-11-21T10:59:15Z", "30s", "45 s old; at most 30 s"),
        ("2026-11-21T10:59:00.600Z", "0s", "59 s old; at most 0 s"),
        ("2026-11-21T10:00:00Z", "30s", "1 h old; at most 30 s"),
        ("2026-11-20T10:50:00Z", "24h", "1450 min old; at most 24 h"),
        ("2026-11-21T10:59:59.100Z", "0s", "over 0 s old; at most 0 s"),
        ("2026-11-13T15:00:00Z", "7d", "188 h old; at most 7 days"),
    ],
)
def test_an_age_is_never_the_bound_that_it_is_over(
    run: Run, policy: Path, snapshot: Callable[..., Path], taken_at: str, most: str, said: str
) -> None:
    """Seconds where minutes are none, and a smaller unit where the larger reads the same: never `0 min old`."""
    file = snapshot(lambda data: data.update(taken_at=taken_at))
    lint = ("lint", policy, "--state", file, "--now", "2026-11-21T11:00:00Z", "--select", "PK110")
    assert f"the snapshot of binance is {said}\n" in run(*lint, "--max-age", most, "--format", "concise").out


def test_an_exchange_that_cannot_be_asked_is_one_line_and_what_to_do(run: Run, policy: Path) -> None:
    """No adapter for Bitstamp: one line says so and what to do, no list of all that have one; 3 is the end."""
    policy.write_text(policy.read_text().replace("exchange: binance", "exchange: bitstamp"))
    said = run("lint", policy, "--live", "--select", "PK108")
    do = "look it up on the exchange's page of the key, and record it under `declared:`"
    what = "exchange is bitstamp, which this version cannot ask"
    assert said.code == 3
    line = f"policykit: mm.yaml:4:11: live state could not be read: NOT_SUPPORTED: {what}; next: {do}"
    assert said.err.splitlines()[-1] == line
    assert said.out.startswith(
        f"unknown[PK108 key-not-read]: key `mm-exec` was not read at the exchange: {what}\n  --> mm.yaml:8:3\n"
        f"   = next: {do}\n"
    )


def test_two_accounts_of_one_exchange_stay_apart(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None]
) -> None:
    """Same exchange, same key name: each policy is judged by its own account's snapshot; a third's keys are unknown."""
    one, two = _policy("one", "bybit", "main"), _policy("two", "bybit", "hedge")
    third = _policy("third", "bybit", "main")
    use("ONE", sims["bybit"].grant_key(addresses=("203.0.113.7",)))
    use("TWO", sims["bybit"].grant_key(grants=("read", "withdraw"), addresses=("203.0.113.7",)))
    for name in (one, two):
        call = ["snapshot", str(name), "--keys-only", *_endpoints(sims), "-o", f"{name}.json"]
        assert main(call) == 0
    lint = ("lint", one, two, third, "--state", "one.yaml.json", "--state", "two.yaml.json")
    said = run(*lint, "--select", "PK101,PK108", "--format", "concise")
    lines = [line.split(" key `")[0] for line in said.out.splitlines() if ".yaml:" in line]
    assert lines == [
        "third.yaml:8:3: unknown[PK108 key-not-read]",
        "two.yaml:11:13: critical[PK101 withdraw-scope]",
    ]
    said = run("lint", one, "--state", "two.yaml.json", "--select", "PK101")
    assert (said.code, said.err) == (
        2,
        "policykit: two.yaml.json: a snapshot of the account hedge; one of main is needed\n",
    )


def test_a_key_of_which_no_snapshot_was_given_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Snapshots of one exchange say nothing of another: its keys are unknown by name; without any snapshot, no word."""
    monkeypatch.chdir(tmp_path)
    for exchange in ("bybit", "kraken"):
        text = (
            f"policykit: 1\nname: {exchange}\nowner: desk\nexchange: {exchange}\n"
            "account: {name: main, currency: USDT}\nenvironment: sandbox\n"
            f"keys:\n  {exchange}-exec: {{purpose: execution, scopes: [read, trade.spot]}}\n"
        )
        Path(f"{exchange}.yaml").write_text(text)
    taken = {"version": 1, "taken_at": "2026-11-21T10:00:00Z", "exchange": "bybit", "keys": [], "errors": []}
    Path("state.json").write_text(json.dumps(taken))
    asked = [
        "lint",
        "bybit.yaml",
        "kraken.yaml",
        "--select",
        "PK108",
        "--format",
        "json",
        "--now",
        "2026-11-21T10:00:00Z",
    ]
    main([*asked, "--state", "state.json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(one["rule"], one["status"], one["message"]) for one in found] == [
        ("PK108", "unknown", "key `bybit-exec` was not read at the exchange: the snapshot has no report of it"),
        (
            "PK108",
            "unknown",
            "key `kraken-exec` was not read at the exchange: no snapshot that was given is of kraken, account main",
        ),
    ]
    main(asked)
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_live_lint_is_noted_in_the_bots_store(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings by severity and rule and when the key was made, of a whole lint, and only where bots have a store."""
    uri = f"sqlite:///{Path.cwd()}/bots.db"
    monkeypatch.setenv("POLICYKIT_STORE", uri)
    one = _policy("one", "binance")
    use("ONE", sims["binance"].add_key(enableWithdrawals=True))
    asked = ("lint", one, "--live", *_endpoints(sims), "--format", "json")
    run(*asked)
    assert not Path("bots.db").exists()
    with closing(open_store(uri)) as store:
        store.announce("binance/main", "USDT", {}, 1)
        run(*asked, "--select", "PK101")
        assert store.lints("binance/main") == {}
        found = json.loads(run(*asked).out)["findings"]
        noted = store.lints("binance/main")["one"]
        counted = Counter((f["severity"] if f["status"] == "open" else "unknown", f["rule"]) for f in found)
        assert noted["findings"] == [[*name, count] for name, count in sorted(counted.items())]
        assert ["critical", "PK101", 1] in noted["findings"]
        (made,) = noted["keys"].values()
        assert list(noted["keys"]) == ["exec"]
        assert 0 < made < noted["at_ms"]


def test_a_store_that_cannot_be_written_changes_no_lint(
    run: Run, sims: Mapping[str, SimServer], use: Callable[[str, SimKey], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be noted is said in a line; findings and exit code stay what they are."""
    one = _policy("one", "binance")
    use("ONE", sims["binance"].add_key(enableWithdrawals=True))
    asked = ("lint", one, "--live", *_endpoints(sims), "--format", "json")
    usual = run(*asked)
    Path("bots.db").write_text("no store", encoding="utf-8")
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{Path.cwd()}/bots.db")
    said = run(*asked)
    assert said.code == usual.code
    assert "policykit: what was found is not noted: the bots' store cannot be used" in said.err


def test_a_live_lint_reads_the_record_of_the_bots_store(
    sims: Mapping[str, SimServer],
    use: Callable[[str, SimKey], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the journal proves is known without a file; one that is given counts instead, and a broken store is said."""
    uri = f"sqlite:///{Path.cwd()}/bots.db"
    monkeypatch.setenv("POLICYKIT_STORE", uri)
    one = _policy("one", "binance")
    one.write_text(one.read_text() + "kill_switch: {drill_every: 30d}\n")
    use("ONE", sims["binance"].add_key())
    asked = ["lint", str(one), "--live", *_endpoints(sims), "--select", "PK702", "--format", "concise"]

    def said(*more: str) -> str:
        main([*asked, *more])
        return capsys.readouterr().out

    assert "no record was given" in said()
    with closing(open_store(uri)) as store:
        store.announce("binance/main", "USDT", {}, 1)
        assert "the record knows of no drill" in said()
        now_ms = time.time_ns() // 1_000_000
        store.keep("", "drill", "kill", {"by": "ops"}, now_ms - 40 * 86_400_000)
        assert "was last drilled 40 days ago" in said()
        store.keep("", "drill", "kill", {"by": "ops"}, now_ms)
        assert "PK702" not in said()
        Path("none.json").write_text("{}")
        assert "the record knows of no drill" in said("--record", "none.json")
