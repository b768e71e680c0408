"""I20: whatever bytes a policy file holds, loading it ends in findings, soon and in little memory."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from policykit.errors import PolicyError
from policykit.policy import load
from policykit.source import read_file
from tests.policy.documents import BASELINE, CORPUS, EXAMPLE, mutant, put

SECONDS = 1.0
MEBIBYTES = 200


def ends_well(path: Path, loads: Callable[[Path], object]) -> str:
    """Load a file; return how that went wrong, or "" when it ended in a policy or in placed findings within time."""
    began = time.process_time()
    try:
        loads(path)
    except PolicyError as error:
        if not error.findings or not all(f.rule.startswith("PK0") and f.primary.line >= 1 for f in error.findings):
            return "findings that are none"
    except Exception as error:
        return type(error).__name__
    took = time.process_time() - began
    return "" if took < SECONDS else f"{took:.1f} s"


def test_I20_no_file_makes_a_traceback(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """3,000 mutants of real policies and a corpus of hostile files all end in findings or in a policy, within 1 s."""
    draw = random.Random(20)
    (tmp_path / "baseline.yaml").write_bytes(BASELINE.read_bytes())
    seeds = [EXAMPLE.read_bytes(), BASELINE.read_bytes(), *(c for c in CORPUS if len(c) < 2_000)]
    file = tmp_path / "p.yaml"
    bad: dict[str, bytes] = {}
    for index in range(tier(3_000, 100_000)):
        text = mutant(draw, seeds[0] if index % 2 else draw.choice(seeds))
        put(file, text)
        wrong = ends_well(file, load)
        if wrong:
            bad[wrong] = text
    for text in CORPUS:
        put(file, text)
        wrong = ends_well(file, load)
        if wrong:
            bad[wrong] = text[:60]
    assert bad == {}


def test_I20_the_check_can_fail(tmp_path: Path) -> None:
    """The same check finds a common YAML loader wanting: foreign errors on the same corpus."""
    from ruamel.yaml import YAML

    file = tmp_path / "p.yaml"
    wrong = set()
    for text in CORPUS:
        if len(text) > 2_000:
            continue  # a hundred thousand brackets end that process
        put(file, text)
        wrong.add(ends_well(file, lambda path: YAML(typ="safe", pure=True).load(path.read_text())))
    assert {"ScannerError", "ParserError", "UnicodeDecodeError"} <= wrong


def test_I20_the_corpus_fits_in_200_mib(tmp_path: Path) -> None:
    """One process that loads every file of the corpus has never held over 200 MiB (its own peak, not a parent's)."""
    for index, text in enumerate(CORPUS):
        (tmp_path / f"{index}.yaml").write_bytes(text)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from policykit.errors import PolicyError\n"
        "from policykit.policy import load\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try:\n        load(path)\n    except PolicyError:\n        pass\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < MEBIBYTES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "there is no such file; the path of a policy"),
        (lambda p: p.mkdir(), "it is a folder; a policy file"),
        (
            lambda p: p.symlink_to(p),
            "the file cannot be read (Too many levels of symbolic links); a file that this user may read",
        ),
        (lambda p: __import__("os").mkfifo(p), "it is no regular file; a policy file"),
        (lambda p: p.symlink_to("/dev/zero"), "it is no regular file; a policy file"),
    ],
)
def test_what_is_no_file_is_said(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    """A missing file, a folder, a loop of links, a pipe and a device end in one finding at once."""
    path = tmp_path / "p.yaml"
    make(path)
    (finding,) = read_file(path, "p.yaml").findings
    assert (finding.rule, str(finding.primary), finding.message) == ("PK001", "p.yaml:1:1", message)


def test_a_path_that_is_none_is_said() -> None:
    """A NUL in a path is no traceback."""
    assert [f.rule for f in read_file("a\0b").findings] == ["PK001"]
