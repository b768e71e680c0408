"""`policykit lint`: what is wrong with policies, keys and bots."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from policykit.cli._ci import ci_context, on_job_page
from policykit.cli._options import (
    Exit,
    example,
    format_option,
    leave,
    now_option,
    output_option,
    progress,
    starting,
    use_colour,
    write_output,
)
from policykit.finding import SEVERITIES

#: What to do where there is nothing yet.
_FIRST = "policykit init --exchange ID writes a first policy"
#: Where policies are when no path is given.
DEFAULT = "policies"


def _codes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    asked = tuple(code.strip().upper() for given in value for code in given.split(",") if code.strip())
    if asked:
        from policykit.rules import codes

        known = codes()
        for code in asked:
            if not any(one.startswith(code) for one in known):
                raise click.BadParameter(
                    f"{code} is no rule; a code (PK101), or the beginning of some (PK1), is needed:"
                    " `policykit rules` lists them"
                )
    return asked


def _span(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read a span (`24h`) as milliseconds."""
    from policykit.units import parse_duration

    try:
        return None if value is None else parse_duration(value).ms
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    "lint",
    epilog=example(
        "policykit lint policies/ bots/\n"
        "policykit lint policies/mm.yaml --live\n"
        "policykit lint policies/ --state mm.snapshot.json --strict --format json\n"
        "policykit lint --key env://MM --exchange binance"
    ),
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--live", is_flag=True, help="Read the live state of the keys, here and now; read-only.")
@click.option("--state", "states", multiple=True, metavar="FILE", help="Read live state from a snapshot (repeatable).")
@click.option(
    "--verify-key",
    "verify_keys",
    multiple=True,
    metavar="FILE",
    help="With --state: take only snapshots signed with the private half of this key (PEM, repeatable).",
)
@click.option(
    "--max-age",
    "max_age_ms",
    metavar="SPAN",
    callback=_span,
    help="A snapshot older than this is a finding (24h, 7d; default: 7d).",
)
@click.option("--key", metavar="REF", help="Without a policy: lint one key by the built-in baseline (env://PREFIX).")
@click.option("--exchange", metavar="ID", help="With --key: the exchange it is of.")
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="[ID=]URL",
    help="With --live or --key: send every URL of the exchange (ID, or each) to this origin. Repeatable.",
)
@click.option(
    "--record", metavar="FILE", help="JSON: when the kill switch was last drilled, what earlier stages showed."
)
@click.option("--git-history", is_flag=True, help="Look for secrets in past versions of the repository's files, too.")
@click.option("--select", multiple=True, callback=_codes, metavar="CODE,..", help="Only these rules (PK101, PK2).")
@click.option("--ignore", multiple=True, callback=_codes, metavar="CODE,..", help="Not these rules.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="Exit 1 from this severity on.",
)
@click.option("--strict", is_flag=True, help="What could not be observed counts as a finding.")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely; comments and layout stay.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: also what a person should look at afterwards.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and write nothing.")
@click.option("--baseline", metavar="FILE", help="Findings of this file are old: they do not fail.")
@click.option("--write-baseline", metavar="FILE", help="Write the findings of now to this file.")
@format_option(("text", "concise", "github", "gitlab", "json", "junit", "markdown", "sarif"))
@output_option
@now_option
def command(paths: tuple[str, ...], output: Path | None, output_format: str, **asked: Any) -> None:
    """Lint policies, bots' source (.py, .ipynb) and the files where bots keep secrets; by default the folder policies/.

    PATHS are files and folders; `policykit lint .` reads all of a project.

    Exit code: 2 the call or a policy is wrong; 1 findings at or over --fail-on; 3 live state could not be read;
    4 nothing to check; 0 clean.
    """
    with starting():
        from policykit.lint import lint
        from policykit.lint.report import write

    started = time.monotonic()
    given_now = asked["now_ms"] is not None
    try:
        if asked["key"] or asked["exchange"]:
            from policykit.cli._key import page_of_key

            page_of_key(paths, output, output_format, asked)
            return
        call, options = _asked(paths, asked)
        ended = lint(call, options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    notes = [*ended.notes, *_noted(call, options, ended.report)]
    for line in (*ended.problems, *notes):
        click.echo(f"policykit: {line}", err=True)
    if ended.baseline is not None:
        write_output(ended.baseline, Path(asked["write_baseline"]))
    if ended.diff is not None:
        if ended.diff:
            write_output(ended.diff, output)
        leave(ended.code)
    seconds = None if given_now else time.monotonic() - started
    style = _style(output, seconds, options, ended.code)
    text = write(output_format, ended.report, style)
    if text:
        write_output(text, output)
    _on_job_page(output_format, ended.report, style)
    if ended.code == Exit.NOTHING:
        where = ", ".join(paths) or f"{DEFAULT}/"
        click.echo(
            f"policykit: {where}: nothing to check; a policy, a bot's .py or its settings are needed; {_FIRST}",
            err=True,
        )
    leave(ended.code)


def _asked(paths: tuple[str, ...], asked: dict[str, Any]) -> tuple[Any, Any]:
    """Return what lint is called with: paths and live state, and the options."""
    from policykit.lint import Call, Options

    if asked["live"] and asked["states"]:
        raise click.UsageError("--live and --state are both given; one of them is needed")
    if asked["endpoints"] and not asked["live"]:
        raise click.UsageError("--endpoint is given without --live; it is where live state is read")
    if asked["verify_keys"] and not asked["states"]:
        raise click.UsageError("--verify-key is given without --state; a snapshot file is needed")
    now_ms = asked["now_ms"] if asked["now_ms"] is not None else time.time_ns() // 1_000_000
    record = _record(asked["record"]) if asked["record"] else None
    take = None
    if asked["live"]:
        from policykit.lint.live import taker

        take = taker(asked["endpoints"], now_ms, lambda line: click.echo(f"{line}\n", err=True), live_progress())
    if not paths and Path(DEFAULT).is_dir():
        paths = (DEFAULT,)
    wanted: Any = ("unsafe" if asked["unsafe_fixes"] else "safe") if asked["fix"] or asked["diff"] else None
    options = Options(
        now_ms, asked["select"], asked["ignore"], asked["fail_on"], asked["strict"], record, progress("lint", "files")
    )._replace(max_age_ms=asked["max_age_ms"])
    call = Call(paths, asked["states"], take, wanted, asked["diff"], _baseline(asked), asked["write_baseline"])
    call = call._replace(signers=_signers(asked["verify_keys"]))
    return call._replace(history=_history() if asked["git_history"] else None), options


def _noted(call: Any, options: Any, report: Any) -> list[str]:
    """Note a whole lint of live state in the bots' store: dashboards and alerts tell of the last one."""
    if call.take is None or options.select or options.ignore:
        return []
    problem = call.take.note(report.findings)
    return [problem] if problem else []


def _signers(files: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the public keys of which one must have signed a snapshot."""
    if not files:
        return ()
    from policykit.exchanges.signing import public_key

    return tuple(public_key(file) for file in files)


def live_progress() -> Any:
    """Return what says on a terminal how many policies were read: `live: 3 of 5 policies`, in one line."""

    def say(done: int, of: int) -> None:
        if of > 1 and sys.stderr.isatty():
            click.echo(f"\rlive: {done} of {of} policies" + "\n\n" * (done == of), err=True, nl=False)

    return say


def _history() -> Any:
    """Return what searches git's history, and on a terminal says how far it is."""
    from functools import partial

    from policykit.lint.history import search

    return partial(search, progress=progress("history", "versions"))


def _baseline(asked: dict[str, Any]) -> Any:
    if asked["unsafe_fixes"] and not (asked["fix"] or asked["diff"]):
        raise click.UsageError("--unsafe-fixes is given without --fix or --diff; one of them is needed")
    if asked["diff"] and asked["write_baseline"]:
        raise click.UsageError("--diff and --write-baseline are both given; --diff writes nothing; leave one out")
    if asked["baseline"] is None:
        return None
    from policykit.lint.baseline import read
    from policykit.lint.state import StateUnreadable

    try:
        return read(asked["baseline"])
    except StateUnreadable as error:
        raise click.UsageError(str(error)) from None


def _style(output: Path | None, seconds: float | None, options: Any, code: int) -> Any:
    """Return how the report is drawn: the terminal, what fails, and what a CI says of the run."""
    from policykit.lint.report import Repository, Style

    said = ci_context()
    return Style(
        use_colour() and output is None,
        _columns(output),
        seconds,
        options.fail_on,
        options.strict,
        code,
        said.root,
        Repository(said.repository, said.revision, said.branch) if said.repository else None,
    )


def _on_job_page(output_format: str, report: Any, style: Any) -> None:
    """Append what the format has for the page of the job, where the CI gives a file for it."""
    file = ci_context().summary_file
    if not file:
        return
    from policykit.lint.report import job_page

    on_job_page(job_page(output_format, report, style), file)


def _record(path: str) -> Any:
    from policykit.lint.state import StateUnreadable, read_record

    try:
        return read_record(path)
    except StateUnreadable as error:
        raise click.UsageError(str(error)) from None


def _columns(output: Path | None) -> int:
    """Return the width of the terminal; a fixed one when the report goes elsewhere, so that it is the same anywhere."""
    import shutil

    terminal = output is None and sys.stdout is not None and sys.stdout.isatty()  # there is none after `>&-`
    return shutil.get_terminal_size().columns if terminal else 120
