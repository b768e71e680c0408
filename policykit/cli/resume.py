"""`policykit resume`: lift a halt, by name and with a reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from policykit.cli._options import Exit, example, leave
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.store import Store


@click.command(epilog=example('policykit resume --scope all --by desk-head --why "loop fixed in 4f2a"'))
@click.option("--scope", required=True, help="The scope that was halted; all lifts every halt.")
@by_option("Who re-arms; must be in kill_switch.rearm.by where a policy says so.")
@click.option("--why", required=True, help="The reason, for the record.")
@click.option("--policy", "files", multiple=True, type=click.Path(), help="A policy to ask who may.")
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
def command(scope: str, by: Person, why: str, files: tuple[str, ...], uri: str | None) -> None:
    """Trade again: lift the halts of a scope. Exit code 1: not allowed, or nothing was halted there."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import unapproved_resume
    from policykit.guard.kill import may_resume, policies_of
    from policykit.store import open_store
    from policykit.store.halting import kill_files

    store, now = open_store(uri), SystemClock().now_ms()
    asked = policies_of(store, files)
    refused = may_resume(asked, by.name, now) or unapproved_resume(store, asked, scope, now)
    if refused is not None:
        click.echo(refused, err=True)
        leave(Exit.NO)
    for warning in _incidents(store):
        click.echo(warning, err=True)
    lifted = store.resume(scope, by.name, why, now, claim=by.to_dict())
    if lifted:
        click.echo(f'ACTIVE: {lifted} halt{"s" if lifted > 1 else ""} lifted for {scope} by {by.name}: "{why}"')
        for file in filter(os.path.exists, kill_files()):
            click.echo(f"{file} is still there: guards of this host halt again by it; remove it", err=True)
        return
    left = ", ".join(halt.scope for halt in store.halts()) or "nothing"
    click.echo(f"nothing is halted for {scope}; halted: {left}", err=True)
    leave(Exit.NO)


def _incidents(store: Store) -> Iterator[str]:
    """Say which incidents of the store are open, and which of their keys nothing proved dead."""
    from policykit.clock import SystemClock
    from policykit.operate.incident.book import Book, heads

    for ident, head in heads(store).items():
        if head["state"] == "open":
            alive = ", ".join(f"{one.key} on {one.account}" for one in Book(store, SystemClock(), head).unproved())
            yield f"WARNING: incident {ident} is open{f', and not proved dead: {alive}' if alive else ''}"
