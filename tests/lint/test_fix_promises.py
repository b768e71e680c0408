"""Fixes, over every bad example and over generated policies: proved before they are made, and nothing else touched."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import policykit.lint.fix as fix_module
from policykit.finding import Finding
from policykit.lint import Call, Options, Report, lint
from policykit.lint.discover import discover
from policykit.lint.fix import Wanted
from policykit.lint.proof import looser
from policykit.lint.state import read_record
from policykit.policy import load
from policykit.rules import catalogue
from policykit.source.edits import Change
from policykit.testing.rules.examples import Example, all_examples, policy_text, run, snapshot_data
from tests.lint.conftest import NOW_MS, RULES
from tests.lint.test_bad_files import _mutant
from tests.lint.test_promises import _generated

#: What is written before every section, and after some of its lines: it must be there afterwards.
_KEEP = "# keep"
#: What dialects and slips make of values; each has a fix.
_SLIPS = (
    ("max_order_notional: 1.5% of equity", "max_order_notional: 12% of equity"),
    ("limit: 30", "limit: 1_000"),
    ("limit: 50", 'limit: "50"'),
    ("scopes: [read, trade.spot]", "scopes: read"),
    ("environment: live", "environment: Live"),
    ("every: 90d", "every: 400d"),
    ("max_orders:", "max_order:"),
    ("symbols:", "symbls:"),
    ("kill_switch: {cancel: entries", "kill_switch: {cancel: All"),
    ("window: fixed", "window: fixd"),
    ("owner: desk-a", "owner: on"),
    ("max_skew: 500ms", "max_skew: 0.5"),
)


def _noted(text: str) -> str:
    """Put a comment before each section and after each line that ends one in brackets."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        if re.match(r"[a-z_]+:", line):
            lines.append(f"{_KEEP} {number}")
        lines.append(line)
    return "\n".join(lines)


def _written(folder: Path, example: Example) -> Call:
    """Write the files of an example; return how it is linted."""
    folder.mkdir()
    states: tuple[str, ...] = ()
    if example.language != "yaml":
        (folder / example.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / example.file).write_text(example.text)
    else:
        for name, text in (("policy.yaml", example.text), *example.others):
            (folder / name).write_text(_noted(policy_text(text)))
    if example.snapshot is not None:
        (folder / "s.json").write_text(json.dumps(snapshot_data(example.snapshot, example.without)))
        states = (str(folder / "s.json"),)
    return Call((str(folder),), states)


def _options(folder: Path, example: Example | None = None) -> Options:
    if example is None or example.record is None:
        return Options(NOW_MS)
    (folder / "r.json").write_text(example.record)
    return Options(NOW_MS, record=read_record(str(folder / "r.json")))


def _counts(findings: Iterable[Finding]) -> Counter[tuple[str, str, str]]:
    return Counter(
        (f.rule, f.primary.file, re.sub(r"\b\d+\b", "*", f.primary.path)) for f in findings if f.status == "open"
    )


def _effective(folder: Path) -> dict[str, object]:
    return {t.file: load(t.file) for t in discover((str(folder),)).targets if t.kind == "policy"}


def _hold(folder: Path, call: Call, options: Options, wanted: Wanted) -> int:
    """Fix a folder and hold what a fix promises; return how many findings it mended."""
    before = lint(call, options).report
    if not any(f.fix is not None and (f.fix.safe or wanted == "unsafe") for f in before.findings):
        return 0
    unread = any(f.rule.startswith("PK0") for f in before.findings)
    loaded = None if unread else _effective(folder)
    old = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ended = lint(call._replace(fix=wanted), options)
    assert ended.problems == ()
    new = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert new.keys() == old.keys(), "nothing but the files themselves is left in the folder"
    _hold_findings(before, ended.report, unread)
    for path, raw in new.items():
        kept = [line for line in old[path].split(b"\n") if line.startswith(_KEEP.encode())]
        assert [line for line in raw.split(b"\n") if line.startswith(_KEEP.encode())] == kept
    if loaded is not None and wanted == "safe":
        for file, policy in _effective(folder).items():
            assert not looser(loaded[file], policy), file  # type: ignore[arg-type]
    again = lint(call._replace(fix=wanted), options)
    assert {path: path.read_bytes() for path in new} == new, "a second run changes nothing"
    assert again.report.findings == ended.report.findings
    assert not [note for note in ended.notes if "loosen" in note], "a fix that its rule calls safe may loosen a limit"
    match = re.match(r"fixed (\d+) of (\d+) findings", ended.notes[0])
    assert match is not None
    assert (int(match[1]) == 0) == (new == old)
    return int(match[1])


def _hold_findings(before: Report, after: Report, unread: bool) -> None:
    fresh = _counts(after.findings) - _counts(before.findings)
    if unread:  # what could not be read had not been judged; of its own kind nothing may be new but an unknown key
        fresh = Counter(
            {k: n for k, n in fresh.items() if k[0].startswith("PK0") and k[0] <= "PK012" and k[0] != "PK010"}
        )
    assert not fresh, "a fix has made a finding"


def _each_example(folder: Path, whole: bool) -> int:
    """Hold every example both ways, or the first of each rule, with whatever fixes it has."""
    made = 0
    done: set[str] = set()
    for entry, index, example in all_examples(catalogue(), "Bad"):
        fixes = [f.fix for f in run(entry, example) if f.fix is not None]
        if not fixes or (entry.rule.code in done and not whole):
            continue
        done.add(entry.rule.code)
        once: tuple[Wanted, ...] = ("safe",) if all(fix.safe for fix in fixes) else ("unsafe",)
        for wanted in ("safe", "unsafe") if whole else once:
            here = folder / f"{entry.rule.code}-{index}-{wanted}"
            made += _hold(here, _written(here, example), _options(here, example), wanted)  # type: ignore[arg-type]
    return made


def _slipped(count: int) -> Iterator[str]:
    """Yield generated policies, in some of which dialects and slips have been at work; line ends of every kind."""
    for seed, text in enumerate(_generated(count)):
        rng = random.Random(seed)
        for good, bad in rng.sample(_SLIPS, rng.randrange(4)):
            text = text.replace(good, bad)
        text = _noted(text)
        if rng.random() < 0.2:
            text = text.replace("\n", "\r\n")
        if rng.random() < 0.2:
            text = "\ufeff" + text.rstrip("\r\n")
        yield text


def _each_generated(folder: Path, count: int) -> int:
    made = 0
    for number, text in enumerate(_slipped(count)):
        here = folder / str(number)
        here.mkdir()
        (here / "policy.yaml").write_bytes(text.encode())
        made += _hold(here, Call((str(here),)), _options(here), "unsafe" if number % 2 else "safe")
    return made


def test_fixes_of_every_bad_example_keep_their_promise(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """--fix is idempotent, makes no finding, loosens nothing when safe, and keeps every comment."""
    assert _each_example(tmp_path, tier(1, 2) == 2) > 30


def test_fixes_of_generated_policies_keep_their_promise(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """So it is where many findings meet, and where the file cannot be read before."""
    count = tier(30, 2_000)
    assert _each_generated(tmp_path, count) > count


def test_I20_fixes_of_mutants_never_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: Callable[[int, int], int]
) -> None:
    """Whatever a file has become, --unsafe-fixes ends with a report, and writes only what loads no worse."""
    monkeypatch.chdir(tmp_path)
    seed_text = (RULES / "policy.yaml").read_bytes()
    made = 0
    for seed in range(tier(60, 6_000)):
        rng = random.Random(seed)
        text = seed_text
        for good, bad in rng.sample(_SLIPS, 2):
            text = text.replace(good.encode(), bad.encode())
        Path("p.yaml").write_bytes(_mutant(rng, text) if rng.random() < 0.8 else text)
        before = lint(Call(("p.yaml",)), Options(NOW_MS)).report
        ended = lint(Call(("p.yaml",), fix="unsafe"), Options(NOW_MS))
        assert ended.code in (0, 1, 2), seed
        _hold_findings(before, ended.report, any(f.rule.startswith("PK0") for f in before.findings))
        made += not ended.notes[0].startswith("fixed 0")
    assert made > 8


def _hasty(text: str, made: Iterable[Change]) -> str:
    """Apply as a dumper would: comments are lost."""
    for change in sorted(made, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return re.sub(r"^# keep \d+\n", "", text, flags=re.MULTILINE)


def test_control_an_applier_that_loses_comments_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the promise fails for an applier that dumps the policy without its comments."""
    monkeypatch.setattr(fix_module, "apply", _hasty)
    with pytest.raises(AssertionError):
        _each_generated(tmp_path, 6)


def test_control_a_fix_that_is_not_proved_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the promise fails when a fix is made without a look at what it comes to."""
    monkeypatch.setattr(fix_module._Fixer, "wrong", lambda *_: "")
    with pytest.raises(AssertionError):
        _each_generated(tmp_path, 30)
    monkeypatch.undo()
    text = (RULES / "policy.yaml").read_text()
    looser_text = text.replace("max_order_notional: 1.5%", "max_order_notional: 1.6%")
    policies = []
    for name, said in (("a", text), ("b", looser_text)):
        (tmp_path / f"{name}.yaml").write_text(said)
        policies.append(load(tmp_path / f"{name}.yaml"))
    assert looser(*policies)
    assert not looser(*reversed(policies))
