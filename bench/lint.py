"""Static lint of many files, warm and on one core: beside yamllint, Cloud Custodian and checkov on files as long."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench._harness import Row, processes
from bench._peers import program

TOP = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
MAIN = "import sys; from policykit.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
LINT = (PYTHON, "-c", MAIN, "lint", "--now", "2026-11-21", "--output", os.devnull)
ROUNDS = 5
#: Files of the larger run; what one file costs is the slope between it and a run of FEW.
FEW = 2
#: Policies of the row on memory, and its goal in MB.
MANY = 10_000
MEMORY_MB = 150


def policy(index: int) -> str:
    """Return one policy: the worked example, under a name of its own."""
    text = (TOP / "policies" / "binance-market-maker.yaml").read_text(encoding="utf-8")
    return text.replace("name: binance-market-maker", f"name: mm-{index}", 1)


def custodian(index: int) -> str:
    """Return a file of Cloud Custodian policies, as long as one of ours."""
    one = "  - name: p-{i}-{k}\n    resource: aws.ec2\n    filters:\n      - type: instance-age\n        days: {d}\n"
    one += "      - State.Name: running\n    actions:\n      - type: mark-for-op\n        op: stop\n        days: 2\n"
    return _as_long("policies:\n", lambda k: one.format(i=index, k=k, d=k + 1))


def template(index: int) -> str:
    """Return a CloudFormation template, as long as a policy of ours."""
    one = "  Bucket{k}:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: b-{i}-{k}\n"
    one += "      VersioningConfiguration:\n        Status: Enabled\n"
    return _as_long("AWSTemplateFormatVersion: '2010-09-09'\nResources:\n", lambda k: one.format(i=index, k=k))


def _as_long(head: str, part: Callable[[int], str]) -> str:
    size, text, count = len(policy(0)), head, 0
    while len(text) < size:
        text += part(count)
        count += 1
    return text


def _folder(top: Path, name: str, count: int, text: Callable[[int], str]) -> str:
    folder = top / f"{name}-{count}"
    folder.mkdir()
    for index in range(count):
        (folder / f"f{index:05}.yaml").write_text(text(index), encoding="utf-8")
    if text is policy:
        (folder / "baseline.yaml").write_bytes((TOP / "policies" / "baseline.yaml").read_bytes())
    return str(folder)


def _commands(top: Path) -> dict[str, tuple[int, Callable[[str], list[str]], Callable[[int], str]]]:
    """Return, by name: how many files, the command on a folder, and what is in a file."""
    yamllint, c7n = program("yamllint", "yamllint"), program("c7n", "custodian")
    checkov = program("checkov", "checkov")
    quiet = ["--framework", "cloudformation", "--quiet", "--compact", "--skip-download", "--soft-fail"]
    return {
        "ours": (400, lambda folder: [*LINT, folder], policy),
        "yamllint": (80, lambda folder: [yamllint, "-d", "relaxed", folder], policy),
        "c7n": (60, lambda folder: [c7n, "validate", *map(str, sorted(Path(folder).glob("*.yaml")))], custodian),
        "checkov": (60, lambda folder: [checkov, "-d", folder, *quiet], template),
    }


def rows() -> list[Row]:
    """Return the rows of SPEED that are about static lint."""
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        made = _commands(top)
        commands: dict[str, list[str]] = {}
        for name, (count, command, text) in made.items():
            for files in (FEW, count):
                commands[f"{name} {files}"] = command(_folder(top, name, files, text))
        os.sched_setaffinity(0, {min(cores)})
        try:
            figures = processes(commands, rounds=ROUNDS)
        finally:
            os.sched_setaffinity(0, cores)
        memory = _memory(top)
    seconds = {
        name: [
            (most - few) / (count - FEW)
            for most, few in zip(figures[f"{name} {count}"], figures[f"{name} {FEW}"], strict=True)
        ]
        for name, (count, _, _) in made.items()
    }
    median = statistics.median(seconds["ours"])

    def beside(peer: str) -> tuple[float, str, float, str]:
        ratio = statistics.median(b / a for a, b in zip(seconds["ours"], seconds[peer], strict=True))
        note = f"{1 / median:.0f} files/s; {peer} {1 / statistics.median(seconds[peer]):.0f}"
        return ratio, peer, median, note

    most = f"{memory:.0f} MB at most in any process, for {MANY:,} policies; the goal is {MEMORY_MB}"
    return [
        Row("lint, static, warm, one core: beside yamllint", 12.0, *beside("yamllint"), at_least=True),
        Row("lint, static, warm, one core: beside c7n", 25.0, *beside("c7n"), at_least=True),
        Row("lint, static, warm, one core: beside checkov", 18.0, *beside("checkov"), at_least=True),
        Row("lint of 10,000 policies: memory", 1.0, memory / MEMORY_MB, "x 150 MB", median * MANY, most),
    ]


def _memory(top: Path) -> float:
    """Return the most MB that a process of a lint of MANY policies had, all cores in use."""
    folder = _folder(top, "many", MANY - 1, policy)
    script = f"{MAIN.removesuffix('sys.exit(main(sys.argv[1:]))')}import resource, json\ncode = main(sys.argv[1:])\n"
    script += (
        "print(json.dumps([resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]))"
    )
    command = [PYTHON, "-c", script, *LINT[3:], folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    return max(json.loads(done.stdout.splitlines()[-1])) / unit
