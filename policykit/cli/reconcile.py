"""`policykit reconcile`: what an account should have against what the exchange shows, each difference explained."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import click

from policykit.cli._options import Exit, example, format_option, leave
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.guard import Guard
    from policykit.operate.person import Person
    from policykit.orders.reconcile import Line
    from policykit.store import Store

#: The longest line that is printed.
WIDTH = 100


@click.command(
    epilog=example(
        "policykit reconcile policies/mm.yaml\n"
        'policykit reconcile policies/mm.yaml --accept --by alice --why "moved by hand, 0.5 BTC to cold storage"'
    )
)
@click.argument("policy", type=click.Path(), required=False)
@click.option("--key", help="The key to read with (default: the one with a trade scope).")
@click.option("--accept", is_flag=True, help="Take what a guard could not explain as it is.")
@by_option("Who accepts it; must be in kill_switch.rearm.by where the policy says so.", required=False)
@click.option("--why", help="The reason, for the record.")
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@click.option("--endpoint", metavar="URL", help="Send the exchange's client to this origin.")
@format_option()
def command(
    policy: str | None,
    key: str | None,
    by: Person | None,
    why: str | None,
    uri: str | None,
    endpoint: str | None,
    output_format: str,
    *,
    accept: bool,
) -> None:
    """Compare an account with what its bots should have made of it: balances, positions, open orders.

    POLICY is a file (default POLICYKIT_POLICY). Only reads, and takes some seconds where anything differs: what
    executed must have had time to show. Exit code 0: it agrees, or each difference is explained. 1: something is
    explained by nothing. 3: the exchange, the store or the secret cannot be reached.
    """
    import os

    from policykit.clock import SystemClock
    from policykit.guard.core import Guard
    from policykit.guard.settings import choose_key
    from policykit.policy import load
    from policykit.store import open_store

    file = policy or os.environ.get("POLICYKIT_POLICY")
    if not file:
        raise click.UsageError("no policy is named; give a file, or set POLICYKIT_POLICY")
    if accept and (by is None or not why):
        raise click.UsageError("--accept needs --by NAME and --why TEXT")
    clock, store = SystemClock(), open_store(uri)
    effective = load(file, now_ms=clock.now_ms())
    if accept and by is not None and why:
        _accept(store, effective.account_key, file, by, why, clock.now_ms())
        return
    guard = Guard(effective, key=choose_key(effective, key), store=store, clock=clock)
    guard.endpoint = endpoint
    lines = _compare(guard)
    unexplained = [line for line in lines if line.why == "unknown"]
    if output_format == "json":
        click.echo(json.dumps(_document(guard, lines), indent=2))
    else:
        _page(guard, file, lines, unexplained)
    leave(Exit.NO if unexplained else Exit.DONE)


def _compare(guard: Guard) -> tuple[Line, ...]:
    from policykit.guard.own import asking
    from policykit.guard.reconcile import Reconciler

    with asking():
        return Reconciler(guard).at_once(guard.own_client())


def _accept(store: Store, account: str, file: str, by: Person, why: str, now_ms: int) -> None:
    """Take as it is what the last comparison of a guard left unexplained."""
    from policykit.guard.kill import may_resume
    from policykit.store.codec import accepted, claimed

    # Whatever file is named, the policies that are in force for the account say who may.
    files = dict.fromkeys([file, *(one.policy_file for one in store.guards() if one.account == account)])
    refused = may_resume(files, by.name, now_ms)
    if refused is not None:
        click.echo(refused, err=True)
        leave(Exit.NO)
    before = store.reconciled(account)
    said = {"accepted_ms": now_ms, "by": by.name, "why": why, **claimed(by.to_dict())}
    store.reconcile(account, {**accepted(before), **said}, now_ms)
    for kind, name, quantity, *_ in before.get("drift", ()):
        click.echo(f"{kind} {name}: {quantity} is as it should be from now on, by {by.name}")
    if not before.get("drift"):
        what = "no guard has recorded an unexplained difference; equity is taken as it is"
        click.echo(f"{account}: {what}, by {by.name}")
        click.echo("what `policykit reconcile` shows is accepted once a running guard has compared: say it again then")


def _document(guard: Guard, lines: tuple[Line, ...]) -> dict[str, object]:
    from policykit.guard.reconcile import line_to_list

    names = ("kind", "key", "quantity", "worth", "explanation", "note")
    found = [dict(zip(names, line_to_list(line), strict=True)) for line in lines]
    last = guard.facts().reconciled_ms
    return {"version": 1, "account": guard.account, "last_compared_ms": last, "differences": found}


def _page(guard: Guard, file: str, lines: tuple[Line, ...], unexplained: list[Line]) -> None:
    from policykit.engine.money import money
    from policykit.guard.reconcile import OUTCOME_UNKNOWN
    from policykit.units import plain

    if guard.facts().reconciled_ms is None:
        click.echo(
            f"{guard.account}: no guard has compared it yet, so only its open orders are; run a bot `with guard:`"
        )
    what = "it agrees" if not lines else f"{len(unexplained)} unexplained, {len(lines) - len(unexplained)} explained"
    click.echo(f"{guard.account}: {what}")
    for line in sorted(lines, key=lambda one: one.why != "unknown"):
        worth = "" if line.worth is None else f", worth {money(line.worth, guard.policy.model.account.currency)}"
        why = "UNKNOWN" if line.why == "unknown" else line.why
        text = f"{why}: {line.kind} {line.key} {plain(line.quantity)}{worth}"
        click.echo("\n".join(textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="      ")))
        if line.note:
            click.echo("\n".join(textwrap.wrap(line.note, WIDTH, initial_indent="      ", subsequent_indent="      ")))
    lost = [line for line in unexplained if line.note == OUTCOME_UNKNOWN]
    if lost:
        click.echo("next: let a running bot of this account look it up, or end it: policykit orders --unknown says how")
    if len(unexplained) > len(lost):
        click.echo("next: undo it at the exchange, or name who does it under reconciliation.others, or accept it:")
        click.echo(f"  policykit reconcile {file} --accept --by NAME --why TEXT")
