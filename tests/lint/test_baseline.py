"""The baseline: what was there before does not fail, wherever its lines are now; what is new does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policykit.finding import Finding, Observed
from policykit.lint import Call, Options, lint
from policykit.lint.baseline import MAX_BYTES, Entry, fingerprint, read, text_of
from policykit.lint.identity import content_of, path_of
from policykit.lint.state import StateUnreadable
from policykit.model.contracts import contracts
from policykit.place import Place
from tests.lint.conftest import NOW, NOW_MS, Said

Run = Callable[..., Said]

ODD = ("max_order_notional: 1.5% of equity", "max_order_notional: 5% of equity")


@pytest.fixture
def old(policy: Path) -> str:
    """Return the text of `mm.yaml` with one finding, PK603."""
    text = policy.read_text().replace(*ODD).replace("every: 90d", "every: 200d")
    policy.write_text(text)
    return text


def _statuses(baseline: str = "b.json", *paths: str) -> list[tuple[str, str]]:
    ended = lint(Call(paths or ("mm.yaml",), baseline=read(baseline)), Options(NOW_MS))
    return [(f.rule, f.status) for f in ended.report.findings if f.status in ("open", "baseline")]


def test_only_new_findings_fail(run: Run, policy: Path, old: str) -> None:
    """A baseline is written, its findings do not fail and are counted, and a new finding does."""
    said = run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    assert (said.code, said.err) == (0, "policykit: 2 findings are in the baseline b.json\n")
    assert "PK603" not in said.out
    assert "2 in the baseline" in said.out
    said = run("lint", policy, "--now", NOW, "--baseline", "b.json", "--format", "json")
    report = json.loads(said.out)
    assert (said.code, said.err, report["summary"]["baseline"]) == (0, "", 2)
    assert {f["rule"]: f["status"] for f in report["findings"] if f["rule"] in ("PK301", "PK603")} == {
        "PK301": "baseline",
        "PK603": "baseline",
    }
    policy.write_text(old.replace("daily_loss: {limit: 3%", "daily_loss: {limit: 30%"))
    said = run("lint", policy, "--now", NOW, "--baseline", "b.json", "--format", "concise")
    assert said.code == 1
    assert re.findall(r": (\w+)\[(PK60[34])", said.out) == [("baseline", "PK603"), ("high", "PK604")]


def test_the_file_is_the_same_every_time_and_holds_no_content(run: Run, policy: Path, old: str) -> None:
    """The file has one order, an entry a line, hashes in the place of content, and paths from its own folder."""
    Path("sub").mkdir()
    run("lint", policy, "--now", NOW, "--write-baseline", "sub/b.json")
    text = Path("sub/b.json").read_text()
    run("lint", "./mm.yaml", "--now", NOW, "--write-baseline", "sub/b.json", "--baseline", "sub/b.json")
    assert Path("sub/b.json").read_text() == text
    assert "5% of" not in text
    data = json.loads(text)
    assert data["version"] == 1
    assert [(e["rule"], e["file"], e["path"], e["count"]) for e in data["findings"]] == [
        ("PK301", "../mm.yaml", "keys.mm-exec.rotation.every", 1),
        ("PK603", "../mm.yaml", "risk.max_order_notional", 1),
    ]
    assert all(re.fullmatch(r"[0-9a-f]{16}", e["content"]) for e in data["findings"])


@pytest.mark.parametrize(
    "moved",
    [
        lambda text: "# one\n# two\n\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  max_order_notional: 5% of equity\n", "").replace(
            "  symbols:", "  max_order_notional:   5% of equity  # odd\n  symbols:"
        ),
        lambda text: re.sub(r"^(    .*)$", r"  \1", text, flags=re.MULTILINE),
        lambda text: text.replace("risk:\n", "risk:  # here\n\n"),
    ],
)
def test_a_baseline_survives_what_moves(run: Run, policy: Path, old: str, moved: Callable[[str], str]) -> None:
    """New lines above, other line ends, another order, another indentation: the findings are the old ones."""
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    policy.write_bytes(moved(old).encode())
    assert _statuses() == [("PK301", "baseline"), ("PK603", "baseline")]


@pytest.mark.parametrize(
    ("good", "bad", "statuses"),
    [
        ("5% of equity", "6% of equity", [("PK301", "baseline"), ("PK603", "open")]),
        ("mm-exec:", "mm-other:", [("PK301", "open"), ("PK603", "baseline")]),
    ],
)
def test_what_has_changed_is_new(
    run: Run, policy: Path, old: str, good: str, bad: str, statuses: list[tuple[str, str]]
) -> None:
    """Another value at the place, or the value of another key, is another finding."""
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    policy.write_text(old.replace(good, bad))
    assert _statuses() == statuses


def test_a_second_one_alike_is_new(run: Run, policy: Path, old: str) -> None:
    """An entry accepts as many findings as it counts, in lists whatever their order."""
    one = '{address: 45.33.32.156, why: "execution host"}'
    wide, same = "{address: 45.33.0.0/16, why: a}", "{address: 45.34.0.0/16, why: b}"
    both = old.replace(one, f"{one}, {wide}")
    policy.write_text(both)
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    before = _statuses()
    assert {status for _, status in before} == {"baseline"}
    policy.write_text(old.replace(one, f"{wide}, {one}"))
    assert sorted(_statuses()) == sorted(before)
    policy.write_text(both.replace(wide, f"{wide}, {same}"))
    assert [rule for rule, status in _statuses() if status == "open"] == ["PK202"]


def test_entries_that_no_longer_occur_are_said(run: Run, policy: Path, old: str) -> None:
    """A mended finding leaves an entry that is said; one of a file or a rule that was not asked for is not."""
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    policy.write_text(old.replace(ODD[1], ODD[0]))
    gone = "policykit: 1 baseline entry no longer occurs; rewrite with --write-baseline\n"
    assert run("lint", policy, "--now", NOW, "--baseline", "b.json").err == gone
    assert run("lint", policy, "--now", NOW, "--baseline", "b.json", "--select", "PK3").err == ""
    Path("other.yaml").write_text(policy.read_text())
    policy.write_text(old)
    assert run("lint", "other.yaml", "--now", NOW, "--baseline", "b.json").err == ""
    policy.unlink()
    assert run("lint", "other.yaml", "--now", NOW, "--baseline", "b.json").err == (
        "policykit: 2 baseline entries no longer occur; rewrite with --write-baseline\n"
    )


def test_what_cannot_be_waived_is_in_no_baseline(run: Run, policy: Path, old: str) -> None:
    """A key that may withdraw stays open, at the writing and afterwards, and when somebody writes the entry by hand."""
    policy.write_text(old.replace("scopes: [read, trade.spot]", "scopes: [read, trade.spot, withdraw]"))
    said = run("lint", policy, "--now", NOW, "--write-baseline", "b.json", "--format", "json")
    assert said.code == 1
    assert "policykit: 1 of PK101 stay open; no baseline accepts what cannot be waived\n" in said.err
    found = next(f for f in json.loads(said.out)["findings"] if f["rule"] == "PK101")
    assert found["status"] == "open"
    report = lint(Call(("mm.yaml",)), Options(NOW_MS)).report
    finding = next(f for f in report.findings if f.rule == "PK101")
    data = json.loads(Path("b.json").read_text())
    text = text_of("mm.yaml")
    entry = Entry("PK101", "mm.yaml", path_of(finding, text), content_of(finding, text))
    data["findings"].append(entry.to_dict(1))
    Path("b.json").write_text(json.dumps(data))
    assert ("PK101", "open") in _statuses()


def test_a_file_that_is_wrong_is_in_no_baseline(run: Run, policy: Path, old: str) -> None:
    """PK0 ends with 2, baseline or not: such a policy is in force nowhere."""
    policy.write_text(old.replace("limit: 30", "limit: 0777"))
    said = run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    assert said.code == 2
    assert json.loads(Path("b.json").read_text())["findings"] == []


def test_unknown_and_waived_findings_are_not_in_it(run: Run, policy: Path, old: str) -> None:
    """What could not be observed is not accepted, and what a waiver accepts needs no baseline."""
    waiver = "{rule: PK603, at: risk, owner: a, reason: r, expires: 2027-01-01, ticket: T-1}"
    policy.write_text(f"{old}waivers:\n  - {waiver}\n")
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    assert [e["rule"] for e in json.loads(Path("b.json").read_text())["findings"]] == ["PK301"]


def test_fixes_leave_the_baseline_alone(run: Run, policy: Path, old: str) -> None:
    """What was there before is not mended unless somebody asks without the baseline."""
    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    assert (
        run("lint", policy, "--now", NOW, "--baseline", "b.json", "--fix").err == "policykit: fixed 0 of 0 findings\n"
    )
    assert policy.read_text() == old
    assert run("lint", policy, "--now", NOW, "--fix").err == "policykit: fixed 2 of 2 findings\n"


def test_the_report_is_what_the_contract_says(run: Run, policy: Path, old: str) -> None:
    """A report with findings of a baseline fits the published schema."""
    import jsonschema

    run("lint", policy, "--now", NOW, "--write-baseline", "b.json")
    report = json.loads(run("lint", policy, "--now", NOW, "--baseline", "b.json", "--format", "json").out)
    jsonschema.validate(report, contracts()["lint-report"])


def _bad() -> Iterator[tuple[Any, str]]:
    entry = {"rule": "PK1", "file": "a", "path": "", "content": "x"}
    yield b"\0\xff\xfe", "not UTF-8"
    yield b"{", ":1:2: not JSON"
    yield b"[]", "not a JSON object; "
    yield b"[" * 100_000, "nested too deep"
    yield b" " * (MAX_BYTES + 1), "over 16 MiB"
    yield {"findings": []}, "not a JSON object with a version"
    yield {"version": 2, "findings": []}, "not version 1"
    yield {"version": True, "findings": []}, "not version 1"
    yield {"version": 1}, "no list of findings"
    yield {"version": 1, "findings": [0] * 100_001}, "over 100000 findings"
    yield {"version": 1, "findings": [entry, 3]}, "findings[1] is no entry (rule, file, path, content, count)"
    yield {"version": 1, "findings": [{**entry, "count": 0}]}, "findings[0] is no entry"
    yield {"version": 1, "findings": [{**entry, "rule": 1}]}, "findings[0] is no entry"


@pytest.mark.parametrize(("content", "message"), list(_bad()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_baseline_is_one_line_and_exit_code_2(run: Run, policy: Path, content: Any, message: str) -> None:
    """Binary, huge, of another version or of another shape: one line that says what is needed."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    Path("b.json").write_bytes(raw)
    said = run("lint", policy, "--baseline", "b.json")
    assert said.code == 2
    assert said.out == ""
    line = said.err.splitlines()[0]
    assert message in line
    assert line.endswith("a baseline (policykit lint --write-baseline FILE) is needed")


def test_a_baseline_that_is_no_file_is_one_line(run: Run, policy: Path) -> None:
    """A folder, nothing, and a name that is no path."""
    for name, message in ((".", "it is no file"), ("gone", "there is no such file"), ("a\0b", "")):
        with pytest.raises(StateUnreadable) as error:
            read(name)
        assert message in str(error.value)
    assert run("lint", policy, "--baseline", "gone").code == 2
    said = run("lint", policy, "--now", NOW, "--write-baseline", "gone/b.json")
    assert "gone/b.json: cannot be written" in said.err


SOURCE = """\
import ccxt


class Bot:
    def buy(self):
        x.create_order('a')

    def sell(self):
        x.create_order('a')
"""


def test_fingerprints_of_source_name_the_function_around_and_hash_no_secret() -> None:
    """In Python the function tells two equal calls apart; of what is or looks like a secret nothing is hashed."""
    call = Finding("PK901", "n", "high", "m", Place("b.py", 6, 9, 6, 28, "create_order"))
    other = replace(call, primary=call.primary._replace(line=9, end_line=9))
    assert path_of(call, SOURCE) == "Bot.buy:create_order"
    assert path_of(other, SOURCE) == "Bot.sell:create_order"
    assert fingerprint(call, SOURCE) != fingerprint(other, SOURCE)
    moved = replace(call, primary=call.primary._replace(line=8, end_line=8))
    assert fingerprint(moved, "#\n#\n" + SOURCE) == fingerprint(call, SOURCE)
    assert path_of(call, "def broken(") == path_of(call, "#" * 200_000) == "create_order"
    secret = Finding("PK903", "secret-in-source", "high", "m", Place("b.py", 1, 1, 1, 9, "api_key"))
    assert content_of(secret, "hunter22") == content_of(secret, "hunter33")
    masked = Finding("PK999", "n", "high", "m", Place("c.yaml", 1, 1, 1, 36, "x"))
    assert content_of(masked, 'password: "hunter22hunter22hunter"') == content_of(
        masked, 'password: "hunter33hunter33hunter"'
    )


def test_fingerprints_hold_what_was_observed_and_whole_lines_without_a_span() -> None:
    """What an exchange said is part of a finding; a place without a width stands for its line."""
    text = "a: 1\nb: 2\n"
    here = Finding("PK1", "n", "high", "m", Place("a.yaml", 2, 3, 2, 3, "b"))
    assert content_of(here, text) == content_of(here, "\na: 1\nb:  2\n".replace("\na", "a", 1))
    assert content_of(here, text) != content_of(here, "a: 1\nb: 3\n")
    seen = replace(here, observed=Observed("binance", "GET /x", "p", ["1.2.3.4"], "now"))
    more = replace(here, observed=Observed("binance", "GET /x", "p", ["1.2.3.4", "6.6.6.6"], "then"))
    assert len({content_of(f, text) for f in (here, seen, more)}) == 3
    nowhere = Finding("PK1", "n", "high", "m", Place("a.yaml"))
    assert content_of(nowhere, text) == content_of(nowhere, "other")
    beyond = Finding("PK1", "n", "high", "m", Place("a.yaml", 99, 1, 99, 4, "b"))
    assert content_of(beyond, text) == content_of(beyond, "")


def test_a_live_entry_is_looked_for_with_live_state_only() -> None:
    """An entry that rests on what an exchange said is marked, so that a static lint does not call it gone."""
    entry = Entry("PK104", "a", "keys.a.scopes", "0", live=True)
    place = {"rule": "PK104", "file": "a", "path": "keys.a.scopes", "content": "0"}
    assert entry.to_dict(2) == {**place, "live": True, "count": 2}


def test_a_wrong_call_writes_no_baseline(run: Run, policy: Path, old: str) -> None:
    """Where a path could not be looked at, a baseline would be one of less than was asked for."""
    said = run("lint", policy, "gone.yaml", "--now", NOW, "--write-baseline", "b.json")
    assert said.code == 2
    assert said.err.splitlines()[1] == "policykit: the baseline b.json is not written; mend the call first"
    assert not Path("b.json").exists()


def test_an_entry_of_a_rule_that_is_no_more_is_gone(old: str) -> None:
    """An entry whose rule does not exist any longer is said to be gone; one that needs a record is not."""
    entries = [Entry(rule, "mm.yaml", "stage", "0").to_dict(1) for rule in ("PK999", "PK714")]
    Path("b.json").write_text(json.dumps({"version": 1, "findings": entries}))
    ended = lint(Call(("mm.yaml",), baseline=read("b.json")), Options(NOW_MS))
    assert ended.notes == ("1 baseline entry no longer occurs; rewrite with --write-baseline",)
