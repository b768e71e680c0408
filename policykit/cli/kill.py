"""`policykit kill`: halt the store, then cancel entries, then say what is left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from policykit.cli._options import Exit, example, format_option, leave
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.guard.kill import Killed
    from policykit.operate.person import Person


@click.command(epilog=example('policykit kill --scope all --by alice --why "runaway loop"'))
@click.option("--scope", required=True, help="all, exchange:X, account:X/NAME, bot:X or symbol:X.")
@by_option("Who halts.")
@click.option("--why", required=True, help="The reason, for the record.")
@click.option("--freeze", is_flag=True, help="Block orders that can only reduce, too (a suspected compromise).")
@click.option("--policy", "files", multiple=True, type=click.Path(), help="A policy to cancel the entries of.")
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@click.option("--endpoint", metavar="URL", help="Send the exchange's client to this origin.")
@format_option()
def command(
    scope: str,
    by: Person,
    why: str,
    *,
    freeze: bool,
    files: tuple[str, ...],
    uri: str | None,
    endpoint: str | None,
    output_format: str,
) -> None:
    """Stop trading now: nothing that increases exposure is sent after this returns; exits still pass.

    Exit code 0: entries of every policy were cancelled and none is left. 1: something is named that was not reached,
    may still be on its way, or could not be cancelled. The halt itself stands in every case until `policykit resume`.
    """
    from policykit.clock import SystemClock
    from policykit.engine.facts import SCOPE
    from policykit.store import open_store

    if not SCOPE.fullmatch(scope):
        raise click.UsageError(f'--scope is "{scope}"; all, exchange:X, account:X/NAME, bot:X or symbol:X may be')
    store, clock = open_store(uri), SystemClock()
    halted = store.halt(scope, "HALTED", by.name, why, clock.now_ms(), freeze=freeze, claim=by.to_dict())

    from policykit.guard.kill import finish, policies_of  # loads ccxt, which takes longer than a halt may

    result = finish(store, clock, scope, halted, policies_of(store, files), endpoint)
    click.echo(json.dumps(result.to_dict(), indent=2) if output_format == "json" else _text(result, by.name, why))
    leave(Exit.DONE if result.complete else Exit.NO)


def _text(result: Killed, by: str, why: str) -> str:
    lines = [f'HALTED {result.scope} by {by}: "{why}"; nothing that increases is sent from now on']
    lines += [f"still sending, without a gate: intent {intent}; end its process" for intent in result.sending]
    for account in result.accounts:
        flat = "PENDING" if account.pending else "FAILED" if account.failed else "no entry is left"
        lines.append(
            f"{account.account}: {len(account.cancelled)} entries cancelled, {len(account.kept)} orders kept that can "
            f"only reduce; {flat}"
        )
        lines += [f"  may still arrive: {order}; run kill again" for order in account.pending]
        lines += [f"  not cancelled: {failure}" for failure in account.failed]
    lines += [f"not reached: {file}: {why_not}" for file, why_not in result.not_reached.items()]
    if not result.accounts and not result.not_reached:
        lines.append("no policy is known to this store; name them with --policy to cancel their entries")
    lines.append(f"re-arm with: policykit resume --scope {result.scope} --by NAME --why TEXT")
    return "\n".join(lines)
