"""`policykit fills`: each fill looked at by a person, one by one, as micro-live asks for."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import click

from policykit.cli._looking import asks, no_input_option, opened, policy_argument, say, store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person


@click.group("fills", epilog=example("policykit fills review policies/mm.yaml --by alice"))
def command() -> None:
    """Fills, looked at one by one: a stage at micro-live is left only when a person has seen them all."""


@command.command(epilog=example("policykit fills status policies/mm.yaml"))
@policy_argument
@store_option
@format_option()
@now_option
def status(policy: str, uri: str | None, output_format: str, now_ms: int | None) -> None:
    """List the fills of POLICY that nobody has looked at. Exit code 1: there are some."""
    from policykit.operate.stages.reviewing import left

    loaded, store, _ = opened(policy, uri, now_ms)
    with closing(store):
        found = left(store, loaded, "fills", say)
    if output_format == "json":
        fills = [fill.to_dict() for fill in found.fills]
        click.echo(json.dumps({"version": 1, "through": found.last, "fills": fills}, indent=2))
    else:
        for fill in found.fills:
            click.echo(str(fill))
        click.echo(f"{len(found.fills)} fills to look at" + (f", up to row {found.last}" if found.fills else ""))
    leave(Exit.NO if found.fills else Exit.DONE)


@command.command(epilog=example("policykit fills review policies/mm.yaml --by alice"))
@policy_argument
@by_option("Who looks at them.")
@click.option("--through", metavar="ROW", type=click.IntRange(0), help="Without a terminal: up to this row.")
@click.option("--note", default="", help="What was seen, for the record.")
@no_input_option
@store_option
@now_option
def review(
    policy: str, by: Person, through: int | None, note: str, uri: str | None, now_ms: int | None, *, no_input: bool
) -> None:
    """Show each fill of POLICY and ask whether it is as meant; the first that is not ends it (exit code 1).

    Without a terminal: `fills status --format json` lists them, and --through says up to which row they are fine.
    """
    from policykit.operate.stages.reviewing import left, reviewed

    loaded, store, now = opened(policy, uri, now_ms)
    with closing(store):
        found = left(store, loaded, "fills", say)
        fine, wrong = 0, None
        if through is None and found.fills and not asks(no_input):
            raise click.UsageError("nobody is there to be asked; look at `policykit fills status`, then give --through")
        for number, fill in enumerate(found.fills, 1):
            if through is None:
                click.echo(f"[{number}/{len(found.fills)}] {fill}")
                if not click.confirm("as meant?"):
                    wrong = fill
                    break
            elif fill.seq > through:
                break
            fine += 1
        last = found.fills[fine - 1].seq if fine else 0
        if fine == len(found.fills):
            last = found.last if through is None else min(through, found.last)
        if fine:
            reviewed(store, loaded, "fills", by, now, note, through=last, count=fine)
    click.echo(f"{fine} of {len(found.fills)} fills looked at by {by}")
    if wrong is not None:
        click.echo(f"not as meant: policykit journal show {wrong.order}", err=True)
    leave(Exit.DONE if fine == len(found.fills) else Exit.NO)
