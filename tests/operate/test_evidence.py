"""`policykit evidence`: what a package of a period holds, and what it says that it does not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import iso
from policykit.model.journal_contract import KINDS
from policykit.operate.evidence.clauses import CLAUSES, SOURCES
from policykit.operate.evidence.of_journal import LISTED, public
from policykit.operate.evidence.package import MAX_ROWS, Table, limited
from policykit.operate.evidence.reading import COUNTED, TOLD
from policykit.store import Store, open_store
from policykit.store.kept import KINDS as OPERATIONS
from tests.canary import assert_clean, canaries
from tests.journal.conftest import fill
from tests.telemetry.nouns import AT_MS, NOTIONAL, decision, intent

SINCE, UNTIL = "2026-11-01", "2026-12-01"
DAY = 86_400_000
CLAIM = {"name": "ops-lead", "proof": "claimed", "os_user": "someone", "login": "her", "host": "desk-7", "tty": "pts/1"}
POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {name: main, currency: USDT}
environment: live
keys:
  mm-exec:
    purpose: execution
    secret: vault://kv/trading/mm-exec
    scopes: [read, trade.spot]
    ip_allowlist:
      - {address: 203.0.113.7, why: "execution host, Frankfurt"}
    rotation: {every: 90d}
    address_proof: {max_age: 30d}
    holders: [ops-lead]
vendors:
  tax-app: {keys: [mm-exec], asks_for: [read]}
waivers:
  - {rule: PK204, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "an example", expires: 2026-11-20}
  - {rule: PK302, at: keys.mm-exec, owner: desk-a, ticket: OPS-13, reason: "until the move", expires: 2026-12-20}
"""
SNAPSHOT = {
    "version": 1,
    "taken_at": "2026-11-15T10:00:00Z",
    "exchange": "binance",
    "endpoint": None,
    "cost": {"weight": 14, "calls": 6},
    "clock": {"server_time": None, "skew_ms": None, "round_trip_ms": None},
    "keys": [
        {
            "name": "mm-exec",
            "id": "sha256:3f9a01c2d4e5",
            "permissions": {"read": "granted", "trade.spot": "granted", "withdraw": "denied", "transfer": "unknown"},
            "ip_allowlist": {"restricted": "yes", "addresses": None},
            "created_at": "2026-10-02T00:00:00Z",
            "unknown": {"ip_allowlist.addresses": "binance reports only whether a restriction is set"},
            "source": {"endpoint": "GET /sapi/v1/account/apiRestrictions", "at": "2026-11-15T10:00:00Z"},
        }
    ],
    "limits": [],
    "account": {"equity": None, "balances": None, "positions": None, "open_orders": None},
    "withdrawal_addresses": None,
    "errors": [],
}
Evidence = Callable[..., tuple[int, dict[str, Any]]]


def operated(store: Store) -> None:
    """Write what operators did, of each kind, in the forms that the journal's schema has."""
    by = {"by": "ops-lead", "claim": CLAIM}
    store.keep("", "drill", "kill", {**by, "result": "passed"}, AT_MS - 40 * DAY)
    for number, kind in enumerate(kind for kind in OPERATIONS if kind != "paper"):
        store.keep("binance/main", kind, "mm-exec", {**by, "why": f"{kind} of the period"}, AT_MS + number)
    signed = {"by": "ops-lead", "result": "passed", "claim": {**CLAIM, "proof": "signed"}}
    store.keep("", "review", "vendor:tax-app", signed, AT_MS + 50)
    found = {"policy": "mm", "version": "sha256:1", "findings": [["high", "PK302", 1]], "keys": {"mm-exec": AT_MS - 9}}
    store.linted("binance/main", found, AT_MS + 60)
    proof = {"exchange": "binance", "environment": "live", "account": "binance/main", "key": "mm-exec", "host": "fra-1"}
    store.prove({**proof, "endpoint": None, "how": "doctor"}, AT_MS + 70)
    store.event("message", {"target": "desk", "ok": True}, AT_MS + 80)
    store.event("message", {"target": "desk", "ok": False}, AT_MS + 81)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy, a snapshot and a store in which a month went by."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mm.yaml").write_text(POLICY)
    (tmp_path / "state.json").write_text(json.dumps(SNAPSHOT))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    store = open_store()
    fill(store)
    operated(store)
    store.close()
    return tmp_path


@pytest.fixture
def evidence(project: Path, capsys: pytest.CaptureFixture[str]) -> Evidence:
    """Return `evidence("--output", ...)`: its exit code, and what it said as JSON."""

    def call(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main(["evidence", "--from", SINCE, "--to", UNTIL, "--format", "json", *map(str, arguments)])
        return code, json.loads(capsys.readouterr().out)

    return call


def table(file: Path, name: str) -> dict[str, Any]:
    """Return one table of a package."""
    with zipfile.ZipFile(file) as package:
        found: dict[str, Any] = json.loads(package.read(f"data/{name}.json"))
    return found


def index(file: Path) -> str:
    """Return a package's page."""
    with zipfile.ZipFile(file) as package:
        return package.read("index.md").decode()


def test_every_kind_of_row_is_told_counted_or_left_on_purpose() -> None:
    """A kind that somebody adds to the journal is either evidence or named here as what is none."""
    none = {"renew", "lookup", "use", "observe", "ban", "stream", "fallback", "paper"}
    assert set(KINDS) - TOLD - COUNTED == none
    shown = {kind for one in LISTED for kind in one.kinds} | {"lint", "address.proof", "policy"}
    assert shown == TOLD


def test_what_operators_did_stands_in_the_tables(evidence: Evidence, project: Path) -> None:
    """Each with its time, its journal row and hash; what was before the period is in no table of the period."""
    code, said = evidence("--output", "e.zip", "--state", "state.json")
    assert (code, said["file"], said["signed"], said["intact"]) == (0, "e.zip", False, True)
    drills = table(project / "e.zip", "drills")["rows"]
    assert [(row["name"], row["why"], row["by"]) for row in drills] == [("mm-exec", "drill of the period", "ops-lead")]
    assert {"row", "hash", "file", "at"} <= set(drills[0])
    halts = table(project / "e.zip", "halts")["rows"]
    assert [(row["kind"], row["scope"], row["by"]) for row in halts] == [
        ("halt", "all", "ops"),
        ("resume", "all", "ops"),
    ]
    for name in ("incidents", "rotations", "exposed", "stages", "approvals"):
        assert len(table(project / "e.zip", name)["rows"]) == 1
    assert [row["name"] for row in table(project / "e.zip", "reviews")["rows"]] == ["mm-exec", "vendor:tax-app"]
    assert table(project / "e.zip", "messages")["rows"] == [{"target": "desk", "told": 1, "failed": 1}]
    decisions = {(r["outcome"], r["reason"]): r["count"] for r in table(project / "e.zip", "decisions")["rows"]}
    assert decisions[("allow", "")] == 2
    assert decisions[("deny", "RISK_ORDER_NOTIONAL")] == 1


def test_play_money_is_told_from_real_money(evidence: Evidence, project: Path) -> None:
    """A decision is counted for the account of the policy that was in force."""
    ident = "01JD3V7K2M0000000000000008"
    store = open_store()
    loaded = {"name": "mm", "version": "sha256:2", "stage": "paper"}
    row = store.announce("binance/main@paper", "USDT", loaded, AT_MS + 96)
    store.record(replace(decision(ident, reasons=(NOTIONAL,)), in_force=row), AT_MS + 97)
    store.close()
    evidence("--output", "e.zip")
    counted = {(r["account"], r["outcome"]): r["count"] for r in table(project / "e.zip", "decisions")["rows"]}
    assert counted[("binance/main@paper", "deny")] == 1
    assert counted[("binance/main", "allow")] == 2


def test_a_key_is_told_with_its_proof(evidence: Evidence, project: Path) -> None:
    """What the policy allows, what the exchange said, since when it lives, what lint found, where it was tried."""
    evidence("--output", "e.zip", "--state", "state.json")
    row = table(project / "e.zip", "keys")["rows"][0]
    assert (row["scopes"], row["holders"], row["secret_in"]) == (["read", "trade.spot"], ["ops-lead"], "vault")
    assert row["observed"]["may"] == ["read", "trade.spot"]
    assert row["observed"]["may_not"] == ["withdraw"]
    assert (row["made_at"], row["age_days"]) == ("2026-10-02T00:00:00.000Z", 60)
    assert row["lint"]["findings"] == [["high", "PK302", 1]]
    assert row["address_proof"]["host"] == "fra-1"
    waivers = table(project / "e.zip", "waivers")["rows"]
    assert [(one["rule"], one["in_force_at_end"]) for one in waivers] == [("PK204", False), ("PK302", True)]
    review = table(project / "e.zip", "vendors")["rows"][0]["review"]
    assert (review["by"], review["result"]) == ("ops-lead", "passed")


def test_a_vendor_that_did_not_pass_is_no_proof(evidence: Evidence) -> None:
    """The newest review counts, whatever the one before said."""
    _, said = evidence("--output", "e.zip")
    assert not [one for one in said["unknown"] if one["table"] == "vendors"]
    store = open_store()
    store.keep("", "review", "vendor:tax-app", {"by": "ops-lead", "result": "failed"}, AT_MS + 99)
    store.close()
    _, said = evidence("--output", "e.zip")
    told = [one["what"] for one in said["unknown"] if one["table"] == "vendors"]
    assert told == ["mm/tax-app: its newest review says failed"]


def test_what_is_not_known_is_said_and_stands_before_the_proofs(evidence: Evidence, project: Path) -> None:
    """Without a snapshot nothing says what the key may do; with one, what the exchange cannot tell is left."""
    _, said = evidence("--output", "e.zip", "--state", "state.json")
    told = {one["what"] for one in said["unknown"] if one["table"] == "keys"}
    scope = "mm/mm-exec: permissions.transfer: the exchange does not say whether it has it"
    bound = "mm/mm-exec: ip_allowlist.addresses: binance reports only whether a restriction is set"
    assert {scope, bound} <= told
    assert not any("was not observed" in what for what in told)
    _, bare = evidence("--output", "bare.zip")
    told = {one["what"] for one in bare["unknown"] if one["table"] == "keys"}
    assert told == {"mm/mm-exec: what the exchange says that it may do was not observed in the period"}
    page = index(project / "bare.zip")
    assert page.index(f"## What is not known ({len(bare['unknown'])})") < page.index("## What is proved, in short")
    assert "what the exchange says that it may do was not observed" in page


def test_time_that_goes_back_is_said(evidence: Evidence) -> None:
    """A review that was dated back stands in its table with the date that was typed; the rows around it tell."""
    store = open_store()
    for at_ms in (AT_MS + 9 * DAY, AT_MS + 8 * DAY, AT_MS + 8 * DAY + 1, AT_MS + 8 * DAY - 200_000):
        row = store.keep("binance/main", "review", "policy:mm", {"by": "ops-lead", "result": "passed"}, at_ms)
    store.close()
    told = [one["what"] for one in evidence("--output", "e.zip")[1]["unknown"]]
    (back,) = (what for what in told if f"row {row - 2} says" in what)
    assert f"{iso(AT_MS + 8 * DAY)}, the row before it {iso(AT_MS + 9 * DAY)}: a clock, or who wrote it" in back
    assert not [what for what in told if f"row {row} says" in what]


def test_the_same_input_gives_the_same_bytes(evidence: Evidence, project: Path) -> None:
    """Also when the journal has grown since: rows behind the period's end change nothing."""
    evidence("--output", "a.zip", "--state", "state.json")
    store = open_store()
    store.keep("", "drill", "kill", {"by": "ops", "result": "passed"}, AT_MS + 300 * DAY)
    store.close()
    evidence("--output", "b.zip", "--state", "state.json")
    assert (project / "a.zip").read_bytes() == (project / "b.zip").read_bytes()


def test_no_machine_account_of_a_person_is_in_it(evidence: Evidence, project: Path) -> None:
    """Whom the process ran as, who logged in, on which terminal: that stays in the journal."""
    evidence("--output", "e.zip")
    content = (project / "e.zip").read_bytes()
    for private in (b"someone", b"pts/1", b"desk-7", b'"login"'):
        assert private not in content
    assert public({"claim": [CLAIM]}) == {"claim": [{"name": "ops-lead", "proof": "claimed"}]}
    assert public({"host": "fra-1", "took_ms": 5}) == {"host": "fra-1", "took_ms": 5}


def test_I23_no_secret_leaves_with_a_package(evidence: Evidence, project: Path) -> None:
    """A secret that somebody typed as a reason, or that this process read, is in no file; nor is a vault's path."""
    from policykit.redact import Secret

    typed, known = canaries(seed=8, count=2)
    Secret(known)
    store = open_store()
    store.keep("", "incident", "1/report", {"by": f"x{known}", "why": f"api_secret={typed}"}, AT_MS + 90)
    store.halt("all", "HALTED", "ops", f"leaked https://user:{typed}@example.com/", AT_MS + 91)
    store.close()
    _, said = evidence("--output", "e.zip", "--state", "state.json")
    with zipfile.ZipFile(project / "e.zip") as package:
        everything = b"\n".join(package.read(name) for name in package.namelist())
    assert_clean(everything, [typed, known])
    assert_clean(json.dumps(said), [typed, known])
    assert b"kv/trading" not in everything
    assert b"vault:" in everything


def test_text_of_others_stays_in_its_cell(evidence: Evidence, project: Path) -> None:
    """A reason with Markdown, HTML and line feeds adds no line, no column, no link to the page."""
    store = open_store()
    store.halt("all", "HALTED", "ops", "a | b\n# Heading <script>x</script> [l](http://x) `c`", AT_MS + 95)
    store.close()
    evidence("--output", "e.zip")
    line = next(line for line in index(project / "e.zip").splitlines() if "Heading" in line)
    assert "a \\| b # Heading &lt;script&gt;x&lt;/script&gt; \\[l\\](http://x) \\`c\\`" in line


def test_who_is_only_claimed_is_said(evidence: Evidence) -> None:
    """A name that nothing proves is listed as not known; a guard's own halt names no person."""
    _, said = evidence("--output", "e.zip")
    told = [one["what"] for one in said["unknown"] if one["table"] in ("halts", "reviews")]
    assert told == [
        "in 1 of 1 rows who did it is claimed, not signed",
        "in 1 of 2 rows who did it is signed, by the row's own word: no signature was checked",
        "in 1 of 2 rows who did it is claimed, not signed",
    ]


def test_an_order_of_unknown_outcome_is_not_passed_over(evidence: Evidence) -> None:
    """It is listed until somebody knows; those of the fixture were all found or absent."""
    from policykit.orders.intent import Outcome

    _, said = evidence("--output", "e.zip")
    assert not [one for one in said["unknown"] if one["table"] == "decisions"]
    ident = "01JD3V7K2M0000000000000009"
    store = open_store()
    generation = store.facts("binance/main", "mm-1").generation
    assert store.reserve(decision(ident), intent(ident), (), generation, AT_MS + 100).granted
    store.outcome(ident, Outcome("unknown", AT_MS + 200, signed_ms=AT_MS + 101, validity_ms=5000, error="timed out"))
    store.close()
    _, said = evidence("--output", "e.zip")
    assert [one["what"] for one in said["unknown"] if one["table"] == "decisions"] == [
        f"order {ident}: what became of it is not known since 2026-11-21T10:00:00.200Z"
    ]


def test_status_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what a package would hold, and what it would not show."""
    assert main(["evidence", "status", "--from", SINCE, "--to", UNTIL]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "evidence: 2026-11-01T00:00:00.000Z to 2026-12-01T00:00:00.000Z"
    assert "  Drills                                            1 rows  1 unknown" in out
    assert not list(project.glob("*.zip"))


def test_the_clauses_name_tables_that_are_there(evidence: Evidence, project: Path) -> None:
    """Each table is evidence for a clause of one of three standards; each clause has its source."""
    _, said = evidence("--output", "e.zip")
    tables = {one["name"] for one in said["tables"]}
    assert {name for clause in CLAUSES for name in clause.tables} == tables
    assert {clause.standard for clause in CLAUSES} == set(SOURCES)
    assert len({(clause.standard, clause.clause) for clause in CLAUSES}) == len(CLAUSES)
    assert "| RTS 6 Art. 12 | Kill functionality | drills (1), halts (2) |" in index(project / "e.zip")


def test_a_table_that_is_too_long_says_what_it_leaves_out() -> None:
    """The newest rows stay, and the rest is not known."""
    rows = tuple({"at": str(number)} for number in range(MAX_ROWS + 2))
    cut, unknown = limited(Table("t", "T", "", ("at",), rows))
    assert cut.rows == rows[2:]
    assert [one.what for one in unknown] == ["2 of its 10,002 rows, the oldest, are left out"]


def test_a_wrong_call_says_what_is_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A period that ends before it begins, a snapshot that is none, a policy that cannot be read."""
    assert main(["evidence", "--from", UNTIL, "--to", SINCE]) == 2
    assert "--from is not before --to" in capsys.readouterr().err
    assert main(["evidence", "--from", SINCE, "status"]) == 2
    assert "--from stands behind status, not before it" in capsys.readouterr().err
    assert main(["evidence", "--state", "policies/mm.yaml"]) == 2
    capsys.readouterr()
    (project / "policies" / "bad.yaml").write_text("policykit: 1\nname: [\n")
    assert main(["evidence", "status", "--from", SINCE, "--to", UNTIL]) == 0
    assert "policies: policies/bad.yaml:" in capsys.readouterr().out
    assert main(["evidence", "status", "--policies", "nowhere"]) == 0
    assert "no policy was given" in capsys.readouterr().out
