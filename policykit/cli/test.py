"""`policykit test`: a policy's own tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from policykit.cli._options import (
    Exit,
    example,
    format_option,
    leave,
    output_option,
    progress,
    use_colour,
    write_output,
)

#: Where policies and their tests are when no path is given.
DEFAULT = "policies"


@click.command(
    "test",
    epilog=example(
        "policykit test\npolicykit test policies/mm.yaml --coverage\n"
        "policykit test policies/ -k 'daily loss' --format junit -o tests.xml"
    ),
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-k", "words", multiple=True, metavar="TEXT", help="Only tests whose name holds this (repeatable).")
@click.option("--coverage", is_flag=True, help="Show which limits the tests reached, and how.")
@click.option(
    "--min-coverage",
    type=click.IntRange(0, 100),
    metavar="PCT",
    help="Exit 1 where the tests of a policy reach less of its limits.",
)
@format_option(("text", "json", "junit"))
@output_option
def command(
    paths: tuple[str, ...],
    words: tuple[str, ...],
    coverage: bool,
    min_coverage: int | None,
    output_format: str,
    output: Path | None,
) -> None:
    """Run the tests that stand beside policies (NAME.test.yaml); by default those of the folder policies/.

    PATHS are test files, policies that have tests beside them, and folders. A test gives an account and a row of
    orders by a clock, and says what each must come to: docs/policy-tests.md.

    Exit code: 2 a file or the call is wrong; 1 a test failed; 4 nothing to run; 0 all passed.
    """
    from policykit.proofs.suite.all_of import run_all, under
    from policykit.proofs.suite.report import Style, write

    started = time.monotonic()
    report = run_all(paths or (DEFAULT,), words, progress("test", "files"))
    for problem in report.problems:
        click.echo(f"policykit: {problem}", err=True)
    style = Style(
        use_colour() and output is None,
        _columns(output),
        coverage or min_coverage is not None,
        time.monotonic() - started,
    )
    write_output(write(output_format, report, style), output)
    low = under(report, min_coverage or 0)
    for line in low:
        click.echo(f"policykit: {line}", err=True)
    if report.problems:
        leave(Exit.CALL)
    if not report.tests:
        where = ", ".join(paths) or f"{DEFAULT}/"
        click.echo(f"policykit: {where}: nothing to run; a file NAME.test.yaml beside NAME.yaml is needed", err=True)
        leave(Exit.NOTHING)
    leave(Exit.NO if report.failed or low else Exit.DONE)


def _columns(output: Path | None) -> int:
    """Return the width of the terminal; a fixed one when the report goes elsewhere."""
    import shutil

    terminal = output is None and sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else 120
