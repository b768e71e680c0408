"""Every format of the report, whole: what it says is compared with a file, and read back by what reads it."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from policykit import __version__
from policykit.finding import Finding, Fix
from policykit.lint.explain import rows
from policykit.lint.report import formats, job_page, write
from policykit.place import Place
from tests.lint.reports import BOT, MM, REPORTS, STRANGE, make_files, style

GOLDEN = Path(__file__).parent / "golden"
#: Set to write the files anew; look at the difference before it is committed.
REWRITE = "POLICYKIT_GOLDEN" in os.environ
SECRET = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2dF"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)


def said(name: str, report: str) -> str:
    """Return what a format says of a report, in the folder that the test runs in."""
    make, code = REPORTS[report]
    return write(name, make(), style(Path.cwd(), code))


def _golden(name: str) -> str:
    parts = []
    for report in REPORTS:
        text = said(name, report)
        if name == "sarif":  # the rules' own documentation has its own test
            data = json.loads(text)
            driver = data["runs"][0]["tool"]["driver"]
            driver["rules"] = [rule["id"] for rule in driver["rules"] if data["runs"][0]["results"]]
            text = json.dumps(data, indent=1) + "\n"
        parts.append(f"==== {report}\n{text}")
    return "".join(parts).replace(__version__, "VERSION")


@pytest.mark.parametrize("name", formats())
def test_each_format_to_the_letter(name: str) -> None:
    """Four reports with findings of every kind, in each format, are what tests/lint/golden holds."""
    text = _golden(name)
    file = GOLDEN / f"{name}.txt"
    if REWRITE:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", formats())
def test_no_format_shows_a_secret_or_sends_a_control_character(name: str) -> None:
    """What the source holds as a secret is nowhere; escape codes and bidi overrides are escaped or dots."""
    for report in REPORTS:
        text = said(name, report)
        assert SECRET not in text
        assert not [c for c in text if c not in "\n\r" and not c.isprintable()]


def test_sarif_names_every_rule_that_it_refers_to() -> None:
    """RuleIndex points at the rule of the result, every rule has help, and codes stand once."""
    for report in REPORTS:
        run = json.loads(said("sarif", report))["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        found = sorted({r["ruleId"] for r in run["results"]})
        assert [r["id"] for r in rules] == (found or [row.code for row in rows()])
        for rule in rules:
            assert re.fullmatch(r"([A-Z][a-z0-9]*)+", rule["name"]), rule["name"]
            fences = re.findall(r"^```(\S+)$", rule["help"]["markdown"], re.MULTILINE)
            assert set(fences) <= {"yaml", "json", "python", "text"}
            assert rule["help"]["text"].strip()


def test_sarif_rule_is_the_rule_s_docstring() -> None:
    """A rule's help is its own page, its level and rank are those of its severity."""
    run = json.loads(said("sarif", "mixed"))["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    rule = rules["PK101"]
    assert (rule["name"], rule["shortDescription"]["text"]) == ("WithdrawScope", "A bot's key can withdraw.")
    assert rule["fullDescription"]["text"].startswith("A key whose `scopes` include `withdraw`")
    assert rule["help"]["text"].startswith("PK101 withdraw-scope (critical, cannot be waived; reads policy, live; G04")
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["properties"] == {
        "tags": ["security", *(f"guide/{g}" for g in re.findall(r"G\d\d", rule["help"]["text"].split("\n", 1)[0]))],
        "precision": "very-high",
        "problem.severity": "error",
        "security-severity": "9.5",
    }
    broken = json.loads(said("sarif", "broken"))["runs"][0]["tool"]["driver"]["rules"]
    assert broken[0]["shortDescription"]["text"] == "A mistyped limit is a limit that nobody enforces."


def test_sarif_places_are_found_from_the_root() -> None:
    """A strange path is encoded and decodes to itself; a file outside the root has its full address."""
    from urllib.parse import unquote

    run = json.loads(said("sarif", "mixed"))["runs"][0]
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]}
    assert {unquote(uri) for uri in uris} == {"mm.yaml", "bots/bot.py", STRANGE}
    make, code = REPORTS["broken"]
    inside = style(Path.cwd() / "bots", code)
    place = json.loads(write("sarif", make(), inside))["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": (Path.cwd() / "other.yaml").as_uri()}


def test_sarif_fixes_make_what_they_say() -> None:
    """Applied as SARIF has them, by line and column, the fixes of every kind give the text that was meant."""
    results = json.loads(said("sarif", "mixed"))["runs"][0]["results"]
    made = {}
    for result in results:
        for fix in result.get("fixes", []):
            (of_file,) = fix["artifactChanges"]
            lines = Path(of_file["artifactLocation"]["uri"]).read_text(encoding="utf-8").splitlines(keepends=True)
            for change in of_file["replacements"]:
                region = change["deletedRegion"]
                first, last = ("".join(lines[: region[n] - 1]) for n in ("startLine", "endLine"))
                start = len(first) + region["startColumn"] - 1
                end = len(last) + region["endColumn"] - 1
                text = "".join(lines)
                made[result["ruleId"]] = text[:start] + change["insertedContent"]["text"] + text[end:]
    assert made == {
        "PK101": MM.replace(", withdraw", ""),
        "PK603": MM.replace("10% of equity", "2% of equity"),
        "PK701": MM + "kill_switch:\n  cancel: entries\n",
        "PK903": BOT.replace(f'"{SECRET}"', 'os.environ["S"]'),
    }


def test_fingerprints_are_one_a_finding_and_survive_moved_lines() -> None:
    """SARIF and GitLab give each finding its own; lines put before it change none."""

    def marks(moved: int) -> tuple[dict[str, str], dict[str, str]]:
        report = REPORTS["mixed"][0]()
        for index, finding in enumerate(report.findings):
            at = finding.primary
            if at.file == "mm.yaml":
                at = at._replace(line=at.line + moved, end_line=at.end_line + moved)
                report.findings[index] = replace(finding, primary=at)
        asked = style(Path.cwd(), 1)
        results = json.loads(write("sarif", report, asked))["runs"][0]["results"]
        sarif = {r["ruleId"]: r["partialFingerprints"]["policykit/v1"] for r in results}
        return sarif, {e["check_name"]: e["fingerprint"] for e in json.loads(write("gitlab", report, asked))}

    sarif, gitlab = marks(0)
    assert sarif == gitlab | {"PK702": sarif["PK702"]}  # waived: not in GitLab's
    assert len(set(sarif.values())) == 10
    Path("mm.yaml").write_text("# one\n# two\n" + Path("mm.yaml").read_text())
    assert marks(2) == (sarif, gitlab)


@pytest.mark.parametrize("report", REPORTS)
def test_junit_counts_what_it_holds(report: str) -> None:
    """The counts of every suite and of the whole are those of their cases; only what fails the command is a failure."""
    root = ET.fromstring(said("junit", report))
    assert root.tag == "testsuites"
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        held = Counter(child.tag for case in cases for child in case)
        assert element.attrib["tests"] == str(len(cases))
        assert (element.attrib["failures"], element.attrib["skipped"]) == (str(held["failure"]), str(held["skipped"]))
    make, code = REPORTS[report]
    assert [s.attrib["name"] for s in root] == sorted({*make().names, *(f.primary.file for f in make().findings)})
    assert (root.attrib["failures"] != "0") == (code != 0)


def test_gitlab_has_the_fields_of_code_quality() -> None:
    """Every entry has what GitLab asks for, its severities are GitLab's, and no fingerprint stands twice."""
    for report in REPORTS:
        entries: list[dict[str, Any]] = json.loads(said("gitlab", report))
        for entry in entries:
            assert set(entry) == {"description", "check_name", "fingerprint", "severity", "categories", "location"}
            assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}
            assert not entry["location"]["path"].startswith(("/", "./"))
            assert 1 <= entry["location"]["lines"]["begin"] <= entry["location"]["lines"]["end"]
        assert len({entry["fingerprint"] for entry in entries}) == len(entries)


_COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


def test_github_marks_the_ten_that_matter_most() -> None:
    """New ones before old ones, worse before better; the rest is counted, and stands on the page of the job."""
    lines = said("github", "many").splitlines()
    marks = [_COMMAND.fullmatch(line) for line in lines[:-1]]
    assert [m and (m[1], m[3]) for m in marks] == [
        *(("error", f"new {n}") for n in (12, 13, 10, 11, 9)),
        *(("warning", f"new {n}") for n in (5, 6, 7, 8)),
        ("notice", "new 1"),
    ]
    assert lines[-1] == "policykit: 5 more findings: see the page of this job"
    page = job_page("github", REPORTS["many"][0](), style(Path.cwd(), 1))
    assert page == said("markdown", "many")
    assert [n for n in range(1, 14) if f"| new {n} |" not in page] == []
    assert job_page("text", REPORTS["many"][0](), style(Path.cwd(), 1)) == ""


def test_github_commands_cannot_be_forged() -> None:
    """Whatever a message, a path or a step holds, each line is one command, and its values decode to what was meant."""
    lines = said("github", "mixed").splitlines()
    found = [_COMMAND.fullmatch(line) for line in lines[:-1]]
    assert all(found)
    assert lines[-1] == "policykit: 2 more findings: see the page of this job"
    forged = next(m for m in found if m and "PK903" in m[2])
    values = dict(pair.split("=", 1) for pair in forged[2].split(","))
    assert values["title"] == "medium%3A PK903 secret-in-source"
    assert forged[3].startswith("a secret stands in the source | ::error::x, 100%25 (likely)%0Arotate it")
    strange = next(m for m in found if m and "PK204" in m[2])
    assert f"file={STRANGE}," in strange[2]


def test_markdown_renders_as_it_reads() -> None:
    """Rendered, each row has five cells, what looks like markup is text, and nothing is a link or a picture."""
    tokens = MarkdownIt("commonmark").enable("table").parse(said("markdown", "mixed"))
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "code_inline", "strong_open", "strong_close", "html_inline", "text_special"}
            tags = {child.content for child in token.children or [] if child.type == "html_inline"}
            assert tags <= {"<br>", "<!-- -->"}
            rows[-1].append("".join(c.content for c in token.children or [] if c.type != "html_inline"))
    assert {len(row) for row in rows} == {5}
    cells = next(row for row in rows if row[1] == "PK106 shared-key")
    assert cells[2:4] == [
        "mm.yaml:5:13",
        "one secret, two purposes: mm-exec & <o-exec>two bots cannot be told apart (G02, G03)",
    ]
    cells = next(row for row in rows if row[1] == "PK903 secret-in-source")
    assert cells[3:] == [
        "a secret stands in the source | ::error::x, 100% (likely)it is in git",
        "rotate it, @everyone: see http://runbook",
    ]


def test_markdown_fits_a_comment() -> None:
    """However many findings there are, the comment stays under the limit of 65,536 and counts what it leaves out."""
    report = REPORTS["many"][0]()
    report.findings *= 400
    text = write("markdown", report, style(Path.cwd(), 1))
    assert len(text) < 65_536
    assert re.search(r"^\.\.\. and [\d,]+ more$", text, re.MULTILINE)
    rows = sum(line.startswith("| **") for line in text.splitlines())
    left = sum(int(n.replace(",", "")) for n in re.findall(r"^\.\.\. and ([\d,]+) more$", text, re.MULTILINE))
    assert rows + left + sum(line.startswith("| baseline") for line in text.splitlines()) == 6_000


@pytest.mark.parametrize(
    ("strict", "fail_on", "failures"), [(False, "medium", 5), (True, "medium", 6), (False, "low", 6)]
)
def test_junit_fails_what_the_command_fails_on(strict: bool, fail_on: Any, failures: int) -> None:
    """`--strict` and `--fail-on` decide what is a failure, as they decide the exit code."""
    asked = style(Path.cwd(), 1)._replace(strict=strict, fail_on=fail_on)
    assert ET.fromstring(write("junit", REPORTS["mixed"][0](), asked)).attrib["failures"] == str(failures)


@pytest.mark.parametrize("name", formats())
def test_every_format_bears_any_name_and_any_place(name: str) -> None:
    """Names that are no UTF-8, names with line ends and markup, places beyond the file, files that are gone."""
    odd = [b"caf\xe9.yaml", b"a\nb::error::.yaml", b"`<b>|&.yaml", b"gone/c,d%.yaml"]
    report = REPORTS["clean"][0]()
    for number, raw in enumerate(odd):
        file = os.fsdecode(raw)
        if number < 3:
            Path(file).write_text("a: 1\n")
        place = Place(file, 900, 40, 2, 1, "x.\udc80y")
        fix = Fix.replace(place, "\x07", "mend\n")
        report.findings.append(
            Finding("PK204", "odd", "low", "m\udcffn\n::error::", place, context=(("l\n", place),), fix=fix)
        )
    report = replace(report, names=tuple(f.primary.file for f in report.findings))
    text = write(name, report, style(Path.cwd(), 0))
    assert text.encode("utf-8")
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    assert not [line for line in text.splitlines() if line.startswith("::error")]
    if name in {"sarif", "json", "gitlab"}:
        assert json.loads(text)
    if name == "junit":
        assert len(list(ET.fromstring(text).iter("testcase"))) == 4
