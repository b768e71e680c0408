"""Let Microsoft's SARIF Multitool judge what `--format sarif` writes, by its rules for SARIF and for GitHub.

It must find nothing: no error, no warning, no note. One rule needs the internet: SARIF2006 fetches every address; where
there is none, what it says of the schema's address and of the made-up repository's is not counted, and said so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from npm import TOOLS, TOP, ToolsMissing, install

sys.path.insert(0, str(TOP))

from policykit.finding import Finding
from policykit.lint import Call, Options, lint
from policykit.lint.explain import rows
from policykit.lint.report import Repository, Style, write
from policykit.lint.report.sarif import SCHEMA
from policykit.lint.run import Report
from policykit.place import Place
from tests.lint.conftest import NOW_MS
from tests.lint.reports import REPORTS, make_files, style

MULTITOOL = TOOLS / "node_modules" / "@microsoft" / "sarif-multitool-linux" / "Sarif.Multitool"
RULE_KINDS = "Sarif;Ghas"
LEVELS = "Error;Warning;Note"
NEEDS_INTERNET = "SARIF2006"
REPOSITORY = Repository("https://example.com/desk/bots", "0" * 40, "main")
ADDRESSES = (SCHEMA, REPOSITORY.uri)
SECONDS = 120
SHOWN = 12  # lines of what is found in one log


def logs(folder: Path) -> dict[str, str]:
    """Return logs of every kind: of the tests' reports, of this repository, and one with every rule there is."""
    made = {name: write("sarif", make(), style(folder, code)) for name, (make, code) in REPORTS.items()}
    ended = lint(Call((str(TOP / "policies"), str(TOP / "examples"))), Options(NOW_MS))
    here = Style(code=ended.code, root=str(TOP), repository=REPOSITORY)
    made["repository"] = write("sarif", ended.report, here)
    place = Place("mm.yaml", 1, 1, 1, 10)
    every = [Finding(row.code, row.name, row.severity, f"what {row.code} finds", place) for row in rows()]
    made["rules"] = write("sarif", Report(NOW_MS, every, policies=1), style(folder, 1))
    return made


def judged(file: Path) -> list[str]:
    """Return what the Multitool finds in a log: `SARIF2001 at line 3: ...`."""
    out = file.with_suffix(".judged")
    command = [str(MULTITOOL), "validate", str(file), "--rule-kind", RULE_KINDS, "--level", LEVELS]
    done = subprocess.run(
        [*command, "-o", str(out), "--log", "ForceOverwrite", "--quiet"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0 or not out.exists():
        return [f"the Multitool ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"]
    run = json.loads(out.read_text(encoding="utf-8-sig"))["runs"][0]
    if any(not one.get("executionSuccessful") for one in run.get("invocations", [])):
        return ["the Multitool could not read the log"]
    return [_line(result) for result in run.get("results", [])]


def _line(result: dict[str, object]) -> str:
    message = result["message"]
    said = " ".join(message.get("arguments", ())) if isinstance(message, dict) else ""
    return f"{result['ruleId']} {result.get('level', 'warning')}: {said}"


def main() -> int:
    """Judge every log; 0 when nothing is found in any."""
    try:
        install()
    except ToolsMissing as error:
        print(f"sarif: {error}", file=sys.stderr)
        return 1
    MULTITOOL.chmod(0o755)  # its package leaves that to a script of its own
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        os.chdir(folder)
        for title, text in logs(folder).items():
            file = folder / f"{title}.sarif"
            file.write_text(text, encoding="utf-8")
            found = judged(file)
            offline = [line for line in found if line.startswith(NEEDS_INTERNET) and line.endswith(ADDRESSES)]
            found = [line for line in found if line not in offline]
            failed += len(found)
            results = len(json.loads(text)["runs"][0]["results"])
            apart = f"; not counted without internet: {len(offline)} addresses that do not answer" if offline else ""
            print(f"sarif: {title}: {results} results, {len(text):,} bytes: {len(found)} findings{apart}")
            print("".join(f"  {line}\n" for line in found[:SHOWN]), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
