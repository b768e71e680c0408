"""`policykit orders`: intents and what became of them; `orders resolve` ends an unknown one by a person's word."""

from __future__ import annotations

import json
import socket
import textwrap
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from policykit.cli._options import Exit, example, format_option, leave
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.orders.intent import Intent

#: The longest line that is printed.
WIDTH = 100
#: How a person ends an unknown order.
_RESOLVE = "policykit orders resolve ID --as executed|absent --by NAME --why TEXT"


@click.group(
    invoke_without_command=True,
    epilog=example(
        "policykit orders --unknown\npolicykit orders resolve 01JD3V7K2M --as absent --by alice --why checked"
    ),
)
@click.option("--unknown", is_flag=True, help="Only those whose outcome nobody knows.")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@format_option()
@click.pass_context
def command(ctx: click.Context, uri: str | None, output_format: str, *, unknown: bool, everything: bool) -> None:
    """List orders that are out. Exit code 1 with --unknown when there are any."""
    from policykit.clock import SystemClock
    from policykit.guard.living import beats, undecided
    from policykit.store import open_store
    from policykit.store.codec import intent_to_dict

    ctx.obj = uri
    if ctx.invoked_subcommand is not None:
        return
    store, host, now_ms = open_store(uri), socket.gethostname(), SystemClock().now_ms()
    lost = undecided(store, host, now_ms)
    chosen = lost if unknown else store.intents(open_only=not everything)
    if output_format == "json":
        click.echo(json.dumps([intent_to_dict(intent) for intent in chosen], indent=2))
    else:
        left = {intent.id for intent in lost}
        for intent in chosen:
            click.echo(_lines(intent, now_ms, left=intent.id in left and intent.state != "unknown"))
        if not chosen:
            click.echo("no order of unknown outcome" if unknown else "no order is out")
        live = {guard.account for guard in store.guards() if beats(guard, host, now_ms)}
        for account in sorted({intent.account for intent in lost} - live):
            click.echo(f"no guard of {account} runs, so nothing looks them up: start its bot again")
        if any(intent.state == "unknown" for intent in lost):
            click.echo(f"a look-up settles what the exchange shows; else look there by hand, then:\n    {_RESOLVE}")
    if unknown and chosen:
        leave(Exit.NO)


def _lines(intent: Intent, now_ms: int, *, left: bool = False) -> str:
    from policykit.orders.words import LEFT, family_of, meant, proof, why
    from policykit.telemetry.words import one_line
    from policykit.units import plain

    filled = f", filled {plain(intent.filled)}" if intent.filled else ""
    said = "; ".join(words for words in (why(intent), proof(intent, family_of(intent)), LEFT if left else "") if words)
    whose = f"{_ago(now_ms - intent.decided_ms)} by {intent.bot} on {intent.account}" + (f": {said}" if said else "")
    whose = textwrap.fill(one_line(whose), WIDTH, initial_indent="    ", subsequent_indent="      ")
    return one_line(f"{intent.id}  {intent.state:<12}  {meant(intent.order)}{filled}") + f"\n{whose}"


def _ago(ms: int) -> str:
    for unit, span in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * span:
            return f"{ms // span} {unit} ago"
    return f"{max(0, ms) // 1000} s ago"


@command.command(
    epilog=example(
        'policykit orders resolve 01JD3V7K2M --as executed --filled 0.007 --by alice --why "seen in the app"'
    )
)
@click.argument("ident", metavar="ID")
@click.option("--as", "outcome", required=True, type=click.Choice(["executed", "absent"]), help="What became of it.")
@click.option("--filled", help="How much executed (default: all of it, the safe side).")
@by_option("Who looked at the exchange.")
@click.option("--why", required=True, help="What was seen there.")
@click.pass_context
def resolve(ctx: click.Context, ident: str, outcome: str, filled: str | None, by: Person, why: str) -> None:
    """End an unknown order by a person's word: look at the exchange first; a wrong word miscounts the position."""
    from policykit.clock import SystemClock
    from policykit.guard.resolve import resolve as end
    from policykit.store import open_store
    from policykit.units import exact

    try:
        quantity: Decimal | None = None if filled is None else exact(filled)
    except ValueError as error:
        raise click.UsageError(f'--filled is "{filled}": {error}; a quantity ("0.007") is needed') from None
    store, now_ms = open_store(ctx.obj), SystemClock().now_ms()
    refused = end(store, ident, outcome, quantity, by=by.name, why=why, now_ms=now_ms, claim=by.to_dict())
    if refused is not None:
        click.echo(refused, err=True)
        leave(Exit.NO)
    click.echo(f"{ident} is {outcome}, by {by.name}; its symbol and side may increase again")
