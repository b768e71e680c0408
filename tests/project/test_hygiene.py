"""What holds for every file: size, no machine's paths, no sleeping, promises in three places, generated pages fresh."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

LONGEST_FILE = 500  # lines; over it a room has two jobs
ROOM_FILES = "policykit/**/*.py"
#: Paths of a developer's machine, and hosts that packages are fetched from.
LEAKS = re.compile(
    r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/"
    r"|(?<![\w.])/tmp/\w"
    r"|https?://[^\s/\"']*(?:pypi|pythonhosted|artifactory|nexus|mirror|registry)[^\s\"']*"
)
LOCK_FILES = ("uv.lock", "poetry.lock", "package-lock.json", "pnpm-lock.yaml", "yarn.lock")
INVARIANT = re.compile(r"# INVARIANT (I\d+):")
TEST_OF = re.compile(r"def test_(I\d+)_")
CLAIMED_ROW = re.compile(r"^\| (I\d+) \| (.+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LATER_ROW = re.compile(r"^\| (I\d+) \| ([^|]+) \|$", re.MULTILINE)


def tracked(top: Path) -> list[Path]:
    """Return the files that git tracks and that are text."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=top, capture_output=True, text=True, check=True)
    files = [top / name for name in done.stdout.split("\0") if name]
    return [f for f in files if f.is_file() and b"\0" not in f.read_bytes()[:1024]]


def numbers(pattern: re.Pattern[str], files: list[Path]) -> set[str]:
    """Return every promise that the pattern finds in the files."""
    return {found for file in files for found in pattern.findall(file.read_text(encoding="utf-8"))}


def table(top: Path) -> tuple[set[str], set[str]]:
    """Return the promises that docs/reliability.md claims, and those it lists as later."""
    text = (top / "docs" / "reliability.md").read_text()
    claimed, later = text.split("\n## Later\n")
    return {row[0] for row in CLAIMED_ROW.findall(claimed)}, {row[0] for row in LATER_ROW.findall(later)}


def test_every_promise_is_claimed_or_later(top: Path) -> None:
    """The 24 numbers are all there, each once."""
    claimed, later = table(top)
    assert claimed & later == set()
    assert claimed | later == {f"I{n}" for n in range(1, 25)}


def test_every_claimed_promise_has_its_line_and_its_test(top: Path) -> None:
    """A promise stands in the table, at the line that keeps it and in a test id, or nowhere."""
    claimed, _ = table(top)
    in_code = numbers(INVARIANT, sorted(top.glob(ROOM_FILES)))
    in_tests = numbers(TEST_OF, sorted((top / "tests").rglob("test_*.py")))
    assert {"claimed without a line in the code": sorted(claimed - in_code)} == {
        "claimed without a line in the code": []
    }
    assert {"claimed without a test": sorted(claimed - in_tests)} == {"claimed without a test": []}


def test_every_number_in_code_and_tests_is_a_promise(top: Path) -> None:
    """Code and tests name no number that docs/reliability.md does not have."""
    claimed, later = table(top)
    files = [*top.glob(ROOM_FILES), *(top / "tests").rglob("test_*.py")]
    assert numbers(INVARIANT, files) | numbers(TEST_OF, files) <= claimed | later


def test_no_file_is_over_500_lines(top: Path) -> None:
    """A file that long has two jobs."""
    long = {
        str(f.relative_to(top)): count
        for f in [*top.glob(ROOM_FILES), *(top / "tests").rglob("*.py"), *top.glob("bench/*.py")]
        if (count := len(f.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_no_machine_or_registry_in_tracked_files(top: Path) -> None:
    """No path of a developer's machine, no host of a package index, no lock file of addresses."""
    found = []
    for file in tracked(top):
        name = str(file.relative_to(top))
        if name == "tests/project/test_hygiene.py":
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match.group(0)}" for match in LEAKS.finditer(text)]
        found += [f"{name}: records download addresses"] if file.name in LOCK_FILES else []
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["see {}work/main/x", "{}root/.cache", "in {}tmp/scratch", "https:/{}pypi.x/simple", "http:/{}a-mirror.x"],
)
def test_the_leak_pattern_finds(text: str) -> None:
    """The control: what must not be there is what the pattern sees."""
    assert LEAKS.search(text.format("/"))


POLL_S = 0.01  # a loop that waits for another thread or process may yield for so long


def is_poll(call: ast.Call) -> bool:
    """Say whether a sleep is a constant too short to be waiting for time to pass."""
    given = call.args[0] if call.args else None
    return isinstance(given, ast.Constant) and isinstance(given.value, (int, float)) and given.value <= POLL_S


def sleeps(tree: ast.AST) -> list[int]:
    """Return the lines that sleep: `time.sleep` under any name of the module, `from time import sleep`."""
    polls = {id(n) for loop in ast.walk(tree) if isinstance(loop, ast.While) for n in ast.walk(loop)}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
            owner = node.func.value
            of_time = isinstance(owner, ast.Name) and owner.id in {"time", "_time"}
            if of_time and not (id(node) in polls and is_poll(node)):
                lines.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(a.name == "sleep" for a in node.names):
            lines.append(node.lineno)
    return sorted(lines)


def test_no_test_sleeps(top: Path) -> None:
    """Tests use the simulated clock; waiting for wall time makes them slow and flaky."""
    found = {
        str(f.relative_to(top)): lines
        for f in (top / "tests").rglob("*.py")
        if "sleep" in (text := f.read_text(encoding="utf-8")) and (lines := sleeps(ast.parse(text)))
    }
    assert found == {}


def test_the_sleep_finder_finds() -> None:
    """The control: a sleeping test would be seen."""
    code = "import time\ntime.sleep(0.001)\nfrom time import sleep\nwhile x:\n  time.sleep(1)\n  time.sleep(0.01)\n"
    assert sleeps(ast.parse(code)) == [2, 3, 5]


def test_every_module_and_test_says_what_it_is_for(top: Path) -> None:
    """Each module of the package has a docstring, and each test one sentence."""
    missing = []
    for file in [*top.glob(ROOM_FILES), *(top / "tests").rglob("test_*.py")]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        name = str(file.relative_to(top))
        if tree.body and not ast.get_docstring(tree):
            missing.append(name)
        for node in ast.walk(tree):
            is_test = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
            if is_test and file.name.startswith("test_") and not ast.get_docstring(node):
                missing.append(f"{name}:{node.lineno}")
    assert missing == []


LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def test_every_link_of_the_docs_leads_somewhere(top: Path) -> None:
    """A relative link in a tracked page names a file that is there."""
    pages = [f for f in tracked(top) if f.suffix == ".md"]
    broken = [
        f"{page.relative_to(top)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_generated_pages_are_fresh(top: Path) -> None:
    """docs/cli.md and the generated parts of README.md are what `make docs` writes."""
    done = subprocess.run(
        [sys.executable, ".ci/make_docs.py", "--check"], cwd=top, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
