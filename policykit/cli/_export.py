"""`policykit journal export`: the record for other programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._journal import damage_said, outcome_option, store_option
from policykit.cli._options import example, output_option, parse_moment, whole, write_output

if TYPE_CHECKING:
    from policykit.store.reader import JournalReader
    from policykit.telemetry.formats import Entry
    from policykit.telemetry.formats.rows import Selection


@click.command(
    "export",
    epilog=example(
        "policykit journal export --format csv --since 2026-11-01 -o november.csv\n"
        "policykit journal export --record policies/mm.yaml -o record.json\n"
        "policykit journal export --otlp http://127.0.0.1:4318 --follow"
    ),
)
@store_option
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv", "ocsf", "ecs", "parquet")),
    default="jsonl",
    show_default=True,
    help="jsonl: the rows; csv, parquet: a table; ocsf, ecs: for a SIEM.",
)
@output_option
@click.option("--since", "since_ms", metavar="ISO", callback=parse_moment, help="Only rows from this moment on.")
@click.option("--until", "until_ms", metavar="ISO", callback=parse_moment, help="Only rows before this moment.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="ROW", help="Go on behind a row by its number.")
@click.option("--kind", "kinds", multiple=True, help="Only rows of this kind (decision, halt, ...); repeatable.")
@click.option("--bot", help="Only this bot.")
@click.option("--symbol", help="Only this symbol (BTC/USDT).")
@outcome_option
@click.option("--record", metavar="POLICY", help="Instead: what is proved of a policy, as lint --record reads it.")
@click.option("--otlp", metavar="URL", help="Instead: send spans to this OpenTelemetry collector (OTLP/HTTP).")
@click.option("-f", "--follow", is_flag=True, help="With --otlp: go on with each new row, until interrupted.")
@click.option("--from", "start", metavar="SEQ", type=click.IntRange(1), help="With --otlp: from this row on.")
@click.option("--cursor", metavar="FILE", help="With --otlp: where it is kept up to which row the collector has all.")
@click.pass_context
def export(ctx: click.Context, /, uri: str | None, record: str | None, otlp: str | None, **chosen: Any) -> None:
    """Write the journal for other programs, secrets redacted; docs/journal.md says which columns and fields there are.

    What is written, and the number to go on from with --after, is said on standard error. Exit 1 where the journal is
    damaged: what is before the damage was written.

    With --otlp every span is sent, at least once; a restart goes on where the collector has all. A span that is sent
    twice has the same ids. Headers (a token) come from OTEL_EXPORTER_OTLP_HEADERS.

    With --record it is the record of one policy: drills, stages with their orders and denials, reviews, exposed keys.
    """
    from policykit.store import open_journal

    sending = {name: chosen.pop(name) for name in ("follow", "start", "cursor")}
    _only(ctx, [*chosen] if otlp is not None else [*sending], with_otlp=otlp is None)
    if record is not None:
        _only(ctx, ["otlp", *(name for name in chosen if name != "output")], with_otlp=False, of="--record")
    with closing(open_journal(uri)) as journal:
        if record is not None:
            _write_record(journal, record, chosen["output"])
        elif otlp is not None:
            from policykit.cli._otlp import export as send

            send(journal, otlp, **sending)
        else:
            _write(journal, **chosen)


def _write_record(journal: JournalReader, file: str, output: Path | None) -> None:
    """Write what the journal proves of a policy."""
    import json
    import time

    from policykit.policy import load
    from policykit.redact import scrub
    from policykit.store.record import record_of

    policy = load(file, now_ms=time.time_ns() // 1_000_000)
    proved = record_of(journal, policy, _say)
    write_output(scrub(json.dumps(proved.to_dict(), indent=2)), output)
    damage_said(journal)


def _only(ctx: click.Context, names: list[str], *, with_otlp: bool, of: str = "--otlp") -> None:
    """Refuse options that mean nothing with, or without, another one."""
    given = click.core.ParameterSource.COMMANDLINE
    for option in ctx.command.params:
        if option.name in names and ctx.get_parameter_source(str(option.name)) is given:
            raise click.UsageError(f"{option.opts[-1]} means nothing with{'out' * with_otlp} {of}")


def _write(journal: JournalReader, *, form: str, output: Path | None, kinds: tuple[str, ...], **chosen: Any) -> None:
    from policykit.telemetry.formats.rows import Selection

    wanted = Selection(kinds=frozenset(kinds), **chosen)
    entries = wanted.entries(journal, _say)
    if output is None and form == "parquet":
        raise click.UsageError("--format parquet writes a file; give --output")
    if output is None:
        for line in _lines(entries, form):
            click.echo(line)
    else:
        with whole(output) as path:
            _written(entries, form, path)
    click.echo(f"{wanted.count:,} rows {_where(output, wanted)}", err=True)
    damage_said(journal)


def _lines(entries: Iterator[Entry], form: str) -> Iterator[str]:
    from policykit.telemetry.formats.rows import lines

    return lines(entries, form)


def _written(entries: Iterator[Entry], form: str, path: Path) -> None:
    if form == "parquet":
        from policykit.telemetry.formats import parquet

        try:
            parquet.write(entries, path)
        except ImportError:
            raise click.ClickException(
                "--format parquet: pyarrow is not installed; pip install 'policykit-trading[parquet]', or --format csv"
            ) from None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in _lines(entries, form))


def _where(output: Path | None, wanted: Selection) -> str:
    to = "" if output is None else f" to {output}"
    return f"written{to}, read up to row {wanted.read}; go on with --after {wanted.read}"


def _say(done: int, of: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\rjournal export: row {done:,} of {of:,}" + "\n" * (done == of), err=True, nl=False)
