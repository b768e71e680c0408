"""`policykit journal`: the record, for people and as JSON; export, prune and verify have files of their own."""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import closing, suppress
from typing import Any

import click

from policykit.cli._export import export
from policykit.cli._journal import damage_said, named, outcome_option, store_option
from policykit.cli._options import Exit, example, format_option, leave
from policykit.cli._prune import prune
from policykit.cli._verify import verify

#: How often `--follow` looks for new rows, seconds.
POLL_S = 0.5


@click.group(name="journal", epilog=example("policykit journal tail --follow\npolicykit journal show 01JD3V7K2M"))
def command() -> None:
    """The record of every decision: read it, follow one order through it, prove that nobody changed it."""


@command.command(epilog=example("policykit journal tail --follow --outcome deny"))
@store_option
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=20, show_default=True, help="How many rows.")
@click.option("-f", "--follow", is_flag=True, help="Go on with each new row, until interrupted.")
@click.option("--bot", help="Only this bot.")
@click.option("--symbol", help="Only this symbol (BTC/USDT).")
@outcome_option
@click.option("--all", "everything", is_flag=True, help="Also rows that only keep facts and permits fresh.")
@format_option()
def tail(
    uri: str | None,
    lines: int,
    *,
    follow: bool,
    bot: str | None,
    symbol: str | None,
    outcome: str | None,
    everything: bool,
    output_format: str,
) -> None:
    """Show the newest rows, one a line (JSON: one object a line); times are UTC."""
    from policykit.store import open_journal
    from policykit.store.reader import JournalDamaged
    from policykit.telemetry import tail as views

    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    view = views.Tail if output_format == "text" else views.JsonTail
    chosen = view(bot=bot, symbol=symbol, outcome=outcome, quiet=not everything, width=columns)
    with closing(open_journal(uri)) as journal:
        shown, newest = views.recent(journal, chosen, lines)
        for line in shown:
            click.echo(line)
        with suppress(JournalDamaged):  # said behind what could be read
            for line in views.follow(journal, chosen, newest, _wait if follow else _no_wait):
                click.echo(line)
        damage_said(journal)


@command.command(epilog=example("policykit journal show 01JD3V7K2M0000000000000001"))
@click.argument("ident", metavar="ID")
@store_option
@format_option()
def show(ident: str, uri: str | None, output_format: str) -> None:
    """Show the life of one order or decision: what was decided and why, what was sent, what became of it.

    ID is a decision's id, a client order id or the exchange's order id; the beginning or the end of it will do.
    """
    from policykit.redact import scrub
    from policykit.store import open_journal
    from policykit.telemetry import timeline, words

    with closing(open_journal(uri)) as journal:
        found = timeline.find(journal, ident)
        gone = [] if found is not None else words.pruned(journal)
    if found is None:
        click.echo(f"{ident}: not in the journal of {named(uri)}; policykit journal tail lists the newest", err=True)
        for one in gone:
            click.echo(f"  {words.pruned_text(one)}", err=True)
        if gone:
            click.echo(f"  look there: policykit journal show {ident} --store sqlite:///FILE", err=True)
        damage_said(journal)
        leave(Exit.NO)
    elif isinstance(found, timeline.Ambiguous):
        click.echo(f"{ident}: fits {found.total} orders; give more of the id, or its end. The newest:", err=True)
        for candidate, line in found.candidates:
            click.echo(f"  {candidate}  {line}".rstrip(), err=True)
        leave(Exit.CALL)
    else:
        text = timeline.render(found) if output_format == "text" else scrub(json.dumps(found.to_dict(), indent=2))
        click.echo(text)
        damage_said(journal)


@command.command(epilog=example("policykit journal backup store-2026-11-21.db"))
@click.argument("file", metavar="FILE", type=click.Path())
@store_option
def backup(file: str, uri: str | None) -> None:
    """Copy the file of the journal while bots use it, as of one moment; with sqlite it holds the counters too.

    FILE must be new. A store that is restored from it refuses increases until `policykit resume --scope all`: it knows
    nothing of what was granted since.
    """
    from policykit.store import open_journal, open_store
    from policykit.store.verify import verify_file

    with closing(open_journal(uri)):
        store: Any = open_store(uri)
    try:
        if not hasattr(store, "backup"):
            click.echo(f"{named(uri)}: has no file; a sqlite or valkey store may be", err=True)
            leave(Exit.CALL)
        store.backup(file)
    except OSError as error:
        click.echo(f"{file}: cannot be made ({error.strerror}); name a new file in a folder that is there", err=True)
        leave(Exit.CALL)
    finally:
        store.close()
    rows, problem = verify_file(file)
    click.echo(f"{file}: {rows} rows, {problem or 'the chain is whole'}")
    if problem is not None:
        leave(Exit.NO)


def _no_wait() -> bool:
    return False


def _wait() -> bool:
    time.sleep(POLL_S)
    return True


command.add_command(export)
command.add_command(prune)
command.add_command(verify)
