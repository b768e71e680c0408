"""Fuzz what lint reads (I20), guided by coverage: policies, bots' source and notebooks, settings, snapshots.

    python tests/project/fuzz.py [--seconds S]

atheris (libFuzzer for Python) is installed into .make/fuzz when it is not there; it is no dependency of others. An
input fails that raises, takes over SECONDS of CPU, over MEGABYTES of memory, or makes a rule fail. The corpus stays in
.make/fuzz-corpus and is gone on with; an input that failed is written to .make/fuzz-failed and named.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
VERSION = "3.0.0"
INSTALLED = TOP / ".make" / "fuzz"
CORPUS = TOP / ".make" / "fuzz-corpus"
FAILED = TOP / ".make" / "fuzz-failed"
SECONDS = 1.0
#: What the interpreter, our code with its instruments and libFuzzer take, and 200 for the file (I20).
MEGABYTES = 400 + 200
MAX_BYTES = 64 * 1024
NOW_MS = 1_795_255_200_000  # 2026-11-21T10:00:00Z
#: The first byte of an input says what the rest is.
KINDS = ("p.yaml", "b.py", "b.ipynb", ".env", "config.json", "docker-compose.yml", "bot.service", "s.json")


def install() -> None:
    """Install atheris beside the project."""
    if not (INSTALLED / "atheris").is_dir():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(INSTALLED)]
        subprocess.run([*command, f"atheris=={VERSION}"], check=True, stderr=subprocess.DEVNULL)
    sys.path.insert(0, str(INSTALLED))


def seeds() -> None:
    """Put the examples of the rules' docstrings, the worked policies and the base files into the corpus."""
    from policykit.rules import catalogue
    from policykit.testing import rules
    from policykit.testing.rules.examples import all_examples, policy_text

    CORPUS.mkdir(parents=True, exist_ok=True)
    made: list[tuple[int, bytes]] = []
    for heading in ("Bad", "Good"):
        for _, _, example in all_examples(catalogue(), heading):
            text = policy_text(example.text, example.absent) if example.language == "yaml" else example.text
            name = {"yaml": "p.yaml", "python": "b.py"}.get(example.language, Path(example.file).name)
            made.append((KINDS.index(name) if name in KINDS else KINDS.index(".env"), text.encode()))
    base = Path(rules.__file__).parent
    made.append((KINDS.index("s.json"), (base / "snapshot.json").read_bytes()))
    made += [(0, file.read_bytes()) for file in sorted((TOP / "policies").rglob("*.yaml"))]
    for index, (kind, raw) in enumerate(made):
        (CORPUS / f"seed-{index:05}").write_bytes(bytes([kind]) + raw)


def one(data: bytes) -> None:
    """Lint one input as the command does, from memory, and write it in each format that quotes."""
    from policykit.lint.discover import Target
    from policykit.lint.judge import Options
    from policykit.lint.report import Style, write
    from policykit.lint.run import lint_targets

    if not data:
        return
    name = KINDS[data[0] % len(KINDS)]
    if name == "s.json":
        _snapshot(data[1:])
        return
    kind = "policy" if name == "p.yaml" else "source" if name in ("b.py", "b.ipynb") else "config"
    options = Options(NOW_MS, texts={os.path.realpath(name): data[1:]})
    report, _ = lint_targets([Target(name, kind, named=True)], options, lambda _: (None, False), alone=True)
    _hold(report.findings)
    for form in ("text", "json", "sarif"):
        write(form, report, Style())


def _snapshot(raw: bytes) -> None:
    from policykit.lint import Call, Options, lint
    from policykit.testing import rules

    file = FAILED / f".snapshot-{os.getpid()}.json"
    file.write_bytes(raw)
    policy = str(Path(rules.__file__).parent / "policy.yaml")
    _hold(lint(Call((policy,), (str(file),)), Options(NOW_MS)).report.findings)


def _hold(findings: object) -> None:
    from policykit.finding import Finding

    for finding in findings if isinstance(findings, list) else []:
        if not isinstance(finding, Finding) or "could not be evaluated" in finding.message or "\n" in finding.message:
            raise AssertionError(f"{finding.rule}: {finding.message}")


def timed(data: bytes) -> None:
    """Lint one input; AssertionError when it takes too long."""
    started = time.process_time()
    one(data)
    spent = time.process_time() - started
    if spent > SECONDS:
        raise AssertionError(f"{len(data)} bytes took {spent:.2f} s of CPU")


def main() -> int:
    """Fuzz for a while; return 1 when an input failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=1800, help="how long (default 1800)")
    asked = parser.parse_args()
    install()
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(
        include=["policykit.source", "policykit.policy", "policykit.rules", "policykit.lint"]
    ):
        import policykit.lint
        import policykit.lint.report
        import policykit.policy
        import policykit.source  # noqa: F401
        from policykit.rules import catalogue

        catalogue()
    FAILED.mkdir(parents=True, exist_ok=True)
    seeds()
    limits = [f"-max_total_time={asked.seconds}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={MAX_BYTES}", "-timeout=20"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={FAILED}/", "-print_final_stats=1", str(CORPUS)], timed)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
