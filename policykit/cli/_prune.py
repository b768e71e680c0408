"""`policykit journal prune`: old rows into an archive, while bots go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policykit.cli._journal import counters_beside, named, store_option
from policykit.cli._options import Exit, example, leave
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person


@click.command("prune", epilog=example("policykit journal prune --older-than 90d --archive /var/backups/policykit"))
@store_option
@click.option("--older-than", "age", required=True, metavar="SPAN", help="Prune rows older than this (90d).")
@click.option("--archive", type=click.Path(file_okay=False, path_type=Path), help="The folder that takes the rows.")
@click.option("--no-archive", is_flag=True, help="Keep the rows nowhere; needs --yes.")
@click.option("--yes", is_flag=True, help="The rows may be lost for ever.")
@by_option("Who prunes, for the record (default: the user and host of this process).", required=False)
def prune(uri: str | None, age: str, archive: Path | None, *, no_archive: bool, yes: bool, by: Person | None) -> None:
    """Take old rows out of the journal while bots use it; the chain goes on, and what is in force is kept.

    The rows go to a file of their own in the --archive folder, which `policykit journal verify` and every other command
    here reads. The journal keeps the state as of the last of them, the rows of open orders, and the newest halt,
    policy, ban, comparison and drill. Its file keeps its size; what is free in it is used first. Prune where all bots
    have the same version of policykit: another one may refuse increases until `policykit resume --scope all`.
    """
    from policykit.clock import SystemClock
    from policykit.operate.person import this_user
    from policykit.store import open_journal
    from policykit.store.prune import prune as pruned
    from policykit.units import parse_duration

    if (archive is None) != no_archive:
        raise click.UsageError("either --archive DIR or --no-archive is needed")
    if no_archive and not yes:
        raise click.UsageError("--no-archive loses the rows for ever; say --yes to that, or give --archive DIR")
    try:
        span_ms = parse_duration(age).ms
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None
    journal = open_journal(uri)
    journal.close()
    now_ms = SystemClock().now_ms()
    who = by or this_user()
    try:
        done = pruned(
            journal.path,
            now_ms - span_ms,
            by=who.name,
            claim=who.to_dict(),
            now_ms=now_ms,
            folder=archive,
            counters=counters_beside(uri),
            say=_say,
        )
    except OSError as error:
        what = f"{archive}: cannot be written ({error.strerror}); nothing was pruned"
        raise click.ClickException(f"{what}; give another --archive") from None
    if done is None:
        click.echo(f"{named(uri)}: no row is older than {age}; nothing was pruned")
        leave(Exit.NOTHING)
        return
    where = f"archived in {done.archive}" if done.archive is not None else "archived nowhere"
    click.echo(f"{named(uri)}: rows {done.first:,} to {done.last:,} were pruned, {where}\nhash of the last {done.hash}")


def _say(done: int, of: int) -> None:
    if sys.stderr.isatty() and (done % 5_000 == 0 or done == of):
        click.echo(f"\rjournal prune: row {done:,} of {of:,}" + "\n" * (done == of), err=True, nl=False)
