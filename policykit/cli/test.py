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
_NEEDED = "a file NAME.test.yaml beside NAME.yaml is needed"


@click.command(
    "test",
    epilog=example(
        "policykit test\npolicykit test policies/mm.yaml --coverage\n"
        "policykit test policies/ -k 'daily loss' --format junit -o tests.xml\n"
        "policykit test policies/mm.yaml --mutate --write policies/mm.edges.test.yaml"
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
@click.option("--mutate", is_flag=True, help="Change each word of the policy that decides orders; do the tests notice?")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 100),
    default=100.0,
    show_default=True,
    metavar="PCT",
    help="With --mutate: exit 1 where the tests notice less of what could be noticed.",
)
@click.option(
    "--write",
    "suggest",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --mutate: write tests that notice what survived (one policy, a new file).",
)
@format_option(("text", "json", "junit"))
@output_option
def command(  # noqa: PLR0913, PLR0917 - click gives every option by name
    paths: tuple[str, ...],
    words: tuple[str, ...],
    coverage: bool,
    min_coverage: int | None,
    mutate: bool,
    min_score: float,
    suggest: Path | None,
    output_format: str,
    output: Path | None,
) -> None:
    """Run the tests that stand beside policies (NAME.test.yaml); by default those of the folder policies/.

    PATHS are test files, policies that have tests beside them, and folders. A test gives an account and a row of
    orders by a clock, and says what each must come to: docs/policy-tests.md.

    --mutate moves each threshold by a tick, flips each switch, takes out and adds each word, and runs the tests on each
    such mutant until one fails. What survives is shown on its line, with a test that notices it. What is proved to
    decide every order alike is not counted; --coverage shows it.

    Exit code: 2 a file or the call is wrong; 1 a test failed; 4 nothing to run; 0 all passed.
    """
    if mutate:
        _mutate(paths or (DEFAULT,), coverage, min_score, suggest, output_format, output)
        return
    if suggest is not None:
        raise click.UsageError("--write is for --mutate")
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
        needed = f"no test has {' or '.join(words)} in its name" if words else _NEEDED
        click.echo(f"policykit: {where}: nothing to run; {needed}", err=True)
        leave(Exit.NOTHING)
    leave(Exit.NO if report.failed or low else Exit.DONE)


def _mutate(
    paths: tuple[str, ...], more: bool, min_score: float, suggest: Path | None, output_format: str, output: Path | None
) -> None:
    from policykit.proofs.mutation.all_of import mutate_all, write_suggested
    from policykit.proofs.mutation.report import as_json, as_text
    from policykit.proofs.suite.report import Style

    if output_format == "junit":
        raise click.UsageError("--mutate writes text or json; junit is for the tests themselves")
    started = time.monotonic()
    mutated = mutate_all(paths, progress("mutate", "policies"))
    style = Style(use_colour() and output is None, _columns(output), more, time.monotonic() - started)
    write_output(as_json(mutated) + "\n" if output_format == "json" else as_text(mutated, style), output)
    problems = [*mutated.problems, *([] if suggest is None else write_suggested(mutated, suggest))]
    for problem in problems:
        click.echo(f"policykit: {problem}", err=True)
    if problems:
        leave(Exit.CALL)
    if suggest is not None:
        said = f"wrote {suggest}" if suggest.exists() else "no test is suggested; nothing was written"
        click.echo(f"policykit: {said}", err=True)
    if not mutated.mutations:
        click.echo(f"policykit: {', '.join(paths)}: nothing to mutate; a policy with tests is needed", err=True)
        leave(Exit.NOTHING)
    low = any(one.failed or one.score < min_score for one in mutated.mutations)
    leave(Exit.NO if low else Exit.DONE)


def _columns(output: Path | None) -> int:
    """Return the width of the terminal; a fixed one when the report goes elsewhere."""
    import shutil

    terminal = output is None and sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else 120
