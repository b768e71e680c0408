"""`policykit lint`: what is linted, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policykit.lint.report import formats
from tests.lint.conftest import NOW, Said

Run = Callable[..., Said]
Write = Callable[..., Path]

NOTHING = (
    "nothing to check; a policy, a bot's .py or its settings are needed; "
    "policykit init --exchange ID writes a first policy"
)


def _edit(policy: Path, old: str, new: str) -> None:
    text = policy.read_text()
    assert old in text
    policy.write_text(text.replace(old, new))


def test_clean_policy_ends_with_0(run: Run, policy: Path) -> None:
    """A clean policy has exit code 0, and the report says that the exchange was not asked."""
    said = run("lint", policy, "--now", NOW)
    assert said == Said(
        0,
        "1 policy, 1 key, 1 exchange: no findings; nothing was asked of the exchange (--live or --state does)\n",
        "",
    )


def test_clean_policy_with_clean_state_ends_with_0(run: Run, policy: Path, snapshot: Write) -> None:
    """Live state that agrees with the policy leaves nothing open and nothing unknown."""
    assert run("lint", policy, "--state", snapshot(), "--strict", "--now", NOW) == Said(
        0, "1 policy, 1 key, 1 exchange: no findings\n", ""
    )


def test_the_design_s_example_lints_clean(run: Run, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DESIGN's example ends with 0 on 2026-11-21: nothing is open, and a guard holds every limit of it."""
    monkeypatch.chdir(top)
    (tmp_path / "r.json").write_text("{}")
    said = run(
        *("lint", "policies/binance-market-maker.yaml", "--now", "2026-11-21"),
        *("--format", "json", "--record", tmp_path / "r.json"),
    )
    assert said.code == 0
    counts = {"files": 1, "open": 0, "unknown": 2, "declared": 0, "waived": 1, "baseline": 0}
    assert json.loads(said.out)["summary"] == counts
    assert [(f["rule"], f["status"]) for f in json.loads(said.out)["findings"]] == [
        ("PK204", "waived"),
        ("PK702", "unknown"),
        ("PK714", "unknown"),
    ]


def test_after_its_waiver_expired_the_example_has_findings(
    run: Run, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the day a waiver expires its finding is open again, and the waiver itself is one."""
    monkeypatch.chdir(top)
    said = run("lint", "policies/binance-market-maker.yaml", "--now", "2026-12-01", "--format", "json")
    found = [(f["rule"], f["status"]) for f in json.loads(said.out)["findings"]]
    assert said.code == 1
    assert found == [("PK204", "open"), ("PK708", "open")]


def test_open_findings_end_with_1(run: Run, policy: Path) -> None:
    """An open finding at the limit of --fail-on or over it has exit code 1; under it 0."""
    _edit(policy, "every: 90d", "every: 180d")
    assert run("lint", policy, "--now", NOW).code == 1
    assert run("lint", policy, "--now", NOW, "--fail-on", "high").code == 0


def test_unknown_counts_only_under_strict(run: Run, policy: Path, snapshot: Write) -> None:
    """What could not be observed is printed and counted, and ends with 1 only under --strict."""
    state = snapshot(lambda s: s["keys"][0]["permissions"].update(withdraw="unknown"))
    said = run("lint", policy, "--state", state, "--now", NOW)
    assert (said.code, said.out) == (
        0,
        (
            "unknown[PK101 withdraw-scope]: whether `mm-exec` can withdraw could not be read:"
            " the answer of GET /sapi/v1/account/apiRestrictions does not say\n"
            "  --> mm.yaml:11:13\n"
            "   = next: look at Binance > Profile > API Management > Edit restrictions, then record it under"
            " `declared:`\n"
            "\n"
            "1 policy, 1 key, 1 exchange: no findings, 1 unknown\n"
        ),
    )
    assert run("lint", policy, "--state", state, "--now", NOW, "--strict").code == 1


def test_pk0_ends_with_2_in_every_format(run: Run, policy: Path) -> None:
    """A policy that does not load ends with 2, whatever the format and whatever was selected."""
    _edit(policy, "owner:", "ownr:")
    for name in formats():
        said = run("lint", policy, "--format", name, "--now", NOW, "--select", "PK6", "--ignore", "PK0")
        assert said.code == 2
        assert "PK010" in said.out
        assert said.err == ""


def test_two_keys_of_one_name_are_not_taken_for_one(run: Run, policy: Path, snapshot: Write) -> None:
    """A newer snapshot of another account does not answer for a key that only has the same name."""
    bad = snapshot(lambda data: data["keys"][0]["permissions"].update(withdraw="granted"), "a.json")
    good = snapshot(lambda data: (data["keys"][0].update(id="sha256:0"), data.update(taken_at=NOW)), "b.json")
    said = run("lint", policy, "--state", bad, "--state", good, "--now", NOW)
    assert (said.code, said.err) == (
        2,
        (
            "policykit: b.json: its key `mm-exec` is not the key of that name in a.json; one report of each key is"
            " needed; lint each policy with its own snapshot, and leave out what was rotated away\n"
        ),
    )


def test_a_snapshot_of_no_exchange_proves_nothing(run: Run, policy: Path, snapshot: Write) -> None:
    """An exchange that is empty text is missing, and said."""
    state = snapshot(lambda data: data.update(exchange=""))
    said = run("lint", policy, "--state", state, "--now", NOW, "--strict", "--format", "concise")
    assert (said.code, said.out) == (
        1,
        "mm.yaml:4:11: unknown[PK109 snapshot-incomplete] `exchange` is not known: the snapshot does not have it\n",
    )


def test_state_with_errors_ends_with_3(run: Run, policy: Path, snapshot: Write) -> None:
    """A snapshot in which a key could not be read ends with 3, and the key's rules are unknown, not passed."""

    def refuse(data: dict[str, Any]) -> None:
        data["keys"] = []
        data["errors"] = [{"key": "mm-exec", "code": "KEY_REJECTED", "message": "binance refused it"}]

    said = run("lint", policy, "--state", snapshot(refuse), "--now", NOW, "--format", "concise")
    assert (said.code, said.out) == (
        3,
        "mm.yaml:8:3: unknown[PK108 key-not-read] key `mm-exec` was not read at the exchange: binance refused it\n",
    )


def test_findings_go_before_unreadable_state(run: Run, policy: Path, snapshot: Write) -> None:
    """Of several exit codes the first that applies is given: 1 before 3."""
    _edit(policy, "every: 90d", "every: 180d")
    state = snapshot(lambda s: s["errors"].append({"key": "", "code": "NETWORK", "message": "limits: no answer"}))
    assert run("lint", policy, "--state", state, "--now", NOW).code == 1


def test_nothing_to_check_ends_with_4(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without policies and bots, and the default folder that is not there, end with 4 and say so."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("empty/values.yaml").write_text("services: {}\n")
    said = run("lint", "empty", "--format", "concise")
    assert said == Said(4, "", f"policykit: empty: {NOTHING}\n")
    assert run("lint", "--format", "concise").err == f"policykit: policies/: {NOTHING}\n"


@pytest.mark.parametrize("name", ["none.yaml", "none.py", "none"])
def test_missing_path_ends_with_2(run: Run, policy: Path, name: str) -> None:
    """A path that is not there is a wrong call, said in one line; what is there is linted all the same."""
    said = run("lint", policy, name, "--now", NOW)
    assert (said.code, said.err) == (
        2,
        (
            f"policykit: {name}: cannot be read (No such file or directory);"
            " a policy, a bot's .py or a folder of them is needed\n"
        ),
    )
    assert said.out.startswith("1 policy")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "s.json:1:1: not JSON"),
        ("[]", "s.json: not a JSON object"),
        ('{"version": 7}', "s.json: snapshot.version is not 1; take the snapshot anew with this version of policykit"),
        ('{"clock": {"skew_ms": NaN}}', "s.json: NaN is no number of JSON"),
        ('{"keys": [1]}', "s.json: snapshot.keys[0] is no mapping; a snapshot of policykit is needed"),
        ("[" * 100_000, "s.json: nested too deep"),
    ],
)
def test_bad_snapshot_ends_with_3(run: Run, policy: Path, content: str, line: str) -> None:
    """A snapshot file that is none: live state was not read is said first, every key is unknown, and 3 is the end."""
    Path("s.json").write_text(content)
    said = run("lint", policy, "--state", "s.json", "--now", NOW, "--format", "concise")
    assert said.code == 3
    needed = "a snapshot (policykit snapshot -o FILE) is needed"
    assert said.err == f"policykit: live state was not read: {line}; {needed}\n"
    not_read = "unknown[PK108 key-not-read] key `mm-exec` was not read at the exchange:"
    assert f"mm.yaml:8:3: {not_read} a snapshot that was given was not read\n" in said.out
    _edit(policy, "max_age: 10s", "max_age: 9s")


def test_snapshot_of_another_exchange_ends_with_2(run: Run, policy: Path, snapshot: Write) -> None:
    """A snapshot that belongs to no policy of the call is refused; silence would read as a pass."""
    said = run("lint", policy, "--state", snapshot(lambda s: s.update(exchange="kraken")), "--now", NOW)
    assert (said.code, said.err) == (2, "policykit: s.json: a snapshot of kraken; one of binance is needed\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--live", "--state", "s.json"), "--live and --state are both given; one of them is needed"),
        (("--endpoint", "http://127.0.0.1:1"), "--endpoint is given without --live; it is where live state is read"),
        (
            ("--select", "XX1"),
            "XX1 is no rule; a code (PK101), or the beginning of some (PK1), is needed: `policykit rules` lists them",
        ),
        (("--record", "none.json"), "none.json: there is no such file; a record"),
        (("--now", "tomorrow"), "'tomorrow' is no moment"),
    ],
)
def test_wrong_calls_end_with_2(run: Run, policy: Path, arguments: tuple[str, ...], line: str) -> None:
    """A wrong option is said in one line and ends with 2."""
    said = run("lint", policy, *arguments)
    assert said.code == 2
    assert said.out == ""
    assert line in said.err.splitlines()[0]


def test_several_snapshots_are_joined(run: Run, policy: Path, snapshot: Write) -> None:
    """Snapshots of hosts that each hold one key together cover a policy with both."""
    _edit(
        policy,
        "clock:",
        "  reader:\n    purpose: tracking\n    secret: env://READER\n    scopes: [read]\n"
        "    ip_allowlist: [{address: 45.33.32.157, why: dashboard}]\n"
        "    rotation: {every: 90d, warn_before: 14d, delete_old_within: 24h}\n    holders: [ops-lead]\nclock:",
    )

    def reader(data: dict[str, Any]) -> None:
        key = data["keys"][0]
        key.update(
            name="reader", id="sha256:000000000001", ip_allowlist={"restricted": "yes", "addresses": ["45.33.32.157"]}
        )
        key["permissions"]["trade.spot"] = "denied"

    one, two = snapshot(name="one.json"), snapshot(reader, name="two.json")
    said = run("lint", policy, "--state", one, "--state", two, "--now", NOW, "--strict")
    assert said == Said(0, "1 policy, 2 keys, 1 exchange: no findings\n", "")
    alone = run("lint", policy, "--state", one, "--now", NOW, "--format", "concise")
    assert alone.out == (
        "mm.yaml:15:3: unknown[PK108 key-not-read] key `reader` was not read at the exchange:"
        " the snapshot has no report of it\n"
    )


def test_select_and_ignore_take_beginnings(run: Run, policy: Path) -> None:
    """--select and --ignore take codes and beginnings of codes, comma-separated; ignore wins."""
    _edit(policy, "rotation: {every: 90d, warn_before: 14d, delete_old_within: 24h}", "rotation: {every: 180d}")

    def codes(*arguments: str) -> list[str]:
        said = run("lint", policy, "--format", "json", "--now", NOW, *arguments)
        return [f["rule"] for f in json.loads(said.out)["findings"]]

    assert codes() == ["PK303", "PK304", "PK301"]
    assert codes("--select", "PK301,PK6") == ["PK301"]
    assert codes("--ignore", "PK3") == []
    assert codes("--select", "pk3", "--ignore", "PK301") == ["PK303", "PK304"]


def test_record_answers_when_the_last_drill_was(run: Run, policy: Path) -> None:
    """--record gives the journal's facts; without it the drill is unknown."""
    Path("r.json").write_text("{}")
    assert "PK702" in run("lint", policy, "--now", NOW, "--record", "r.json").out
    Path("r.json").write_text('{"last_drill_at": "2026-11-20T10:00:00Z"}')
    assert "PK702" not in run("lint", policy, "--now", NOW, "--record", "r.json").out
    Path("r.json").write_text('{"last_drill_at": 5}')
    assert run("lint", policy, "--record", "r.json").err.startswith(
        "policykit: r.json: record: last_drill_at is no ISO time; a record"
    )


def test_folder_holds_policies_and_bots(run: Run, policy: Path) -> None:
    """In a folder, policies and .py files are linted; other YAML, hidden and linked folders are not."""
    Path("sub/.hidden").mkdir(parents=True)
    Path("sub/.hidden/bad.py").write_text("ccxt.binance({'secret': 'abcdefgh12345678'})")
    Path("sub/other.yaml").write_text("services: {}\n")
    Path("sub/bot.py").write_text("import ccxt\nccxt.binance({'options': {'maxRetriesOnFailure': 2}})\n")
    Path("loop").symlink_to(".")
    said = run("lint", ".", "--format", "concise", "--now", NOW)
    assert (said.code, said.out) == (
        1,
        (
            "sub/bot.py:2:50: high[PK902 library-retries]"
            " `maxRetriesOnFailure` is 2: one order may be sent 3 times; 0 is safe\n"
        ),
    )


def test_profile_that_is_extended_is_part_of_its_child(run: Run, policy: Path) -> None:
    """In a folder, a file that another one extends is linted as part of that one."""
    Path("all").mkdir()
    Path("all/base.yaml").write_text("policykit: 1\nname: base\nrisk: {max_order_notional: 5% of equity}\n")
    text = (
        policy.read_text()
        .replace("name: mm", "name: mm\nextends: [base.yaml]")
        .replace("  max_order_notional: 1.5% of equity\n", "")
    )
    Path("all/mm.yaml").write_text(text)
    said = run("lint", "all", "--format", "concise", "--now", NOW)
    assert (
        said.out
        == "all/base.yaml:3:28: medium[PK603 order-cap] one order may be 5% of equity; the guide's range is 1-2%\n"
    )


def test_policy_that_is_extended_is_linted_all_the_same(run: Run, policy: Path) -> None:
    """A policy that could be run as it stands is not hidden by a stricter one that extends it."""
    _edit(policy, "scopes: [read, trade.spot]", "scopes: [read, trade.spot, withdraw]")
    child = "policykit: 1\nname: small\nextends: [mm.yaml]\n"
    Path("small.yaml").write_text(f"{child}keys: {{mm-exec: {{purpose: execution, scopes: [read, trade.spot]}}}}\n")
    said = run("lint", ".", "--format", "concise", "--now", NOW)
    assert (said.code, said.out) == (
        1,
        "mm.yaml:11:32: critical[PK101 withdraw-scope] key `mm-exec` asks for withdraw; a bot's key never has it\n",
    )
    assert run("lint", "small.yaml", "--format", "concise", "--now", NOW) == Said(0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        (
            ">/dev/full",
            2,
            (
                "policykit: standard output: cannot be written (No space left on device);"
                " a place with room is needed; give --output\n"
            ),
        ),
        (">&-", 0, ""),
    ],
)
def test_output_that_goes_nowhere(policy: Path, to: str, code: int, said: str) -> None:
    """A full disk behind standard output is one line; without standard output the exit code is the answer."""
    line = f"{sys.executable} -m policykit.cli lint mm.yaml --now {NOW} {to}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)


def test_output_goes_to_a_file(run: Run, policy: Path) -> None:
    """--output writes the report to a file and nothing to the terminal."""
    said = run("lint", policy, "--format", "json", "-o", "report.json", "--now", NOW)
    assert said == Said(0, "", "")
    assert json.loads(Path("report.json").read_text())["version"] == 1


def test_the_command_s_formats_are_the_files(run: Run) -> None:
    """The choices of --format are the files in lint/report, text first."""
    said = " ".join(run("lint", "--help").out.split())
    assert formats() == ("text", "concise", "github", "gitlab", "json", "junit", "markdown", "sarif")
    assert f"[{'|'.join(formats())}]" in said


def test_live_says_its_cost_first_and_unreachable_ends_with_3(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--live says its cost before anything is sent; an exchange that is not there ends with 3, all unknown."""
    _edit(policy, "vault://kv/trading/mm-exec", "env://MM")
    monkeypatch.setenv("MM_API_KEY", "not-a-key-0001")
    monkeypatch.setenv("MM_API_SECRET", "not-a-secret-0001")
    said = run("lint", policy, "--live", "--endpoint", "http://127.0.0.1:9", "--now", NOW, "--format", "concise")
    assert said.err.startswith("live: binance, 1 key, ")
    assert "weight a minute, no order endpoint\n" in said.err
    assert said.code == 3
    assert "mm.yaml:8:3: unknown[PK108 key-not-read] key `mm-exec` was not read at the exchange: " in said.out
    assert "not-a-" not in said.out + said.err


def test_live_refuses_plain_http_elsewhere(run: Run, policy: Path) -> None:
    """Plain http off this machine is a wrong call."""
    said = run("lint", policy, "--live", "--endpoint", "http://192.0.2.1", "--now", NOW)
    assert said.code == 2
    assert os.linesep not in said.err.splitlines()[1]
