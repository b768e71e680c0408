"""`policykit kill`: halt the store, then cancel entries, then say what is left."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._options import Exit, endpoint_option, example, format_option, leave
from policykit.cli._person import by_option
from policykit.errors import PolicykitError
from policykit.redact import scrub

if TYPE_CHECKING:
    from policykit.guard.halt import Cancelled
    from policykit.guard.kill import Killed
    from policykit.operate.person import Person
    from policykit.store.halting import Halted


@click.command(epilog=example('policykit kill --scope all --by alice --why "runaway loop"'))
@click.option("--scope", required=True, help="all, exchange:X, account:X/NAME, bot:X or symbol:X.")
@by_option("Who halts.")
@click.option("--why", required=True, help="The reason, for the record.")
@click.option("--freeze", is_flag=True, help="Block orders that can only reduce, too (a suspected compromise).")
@click.option("--flatten", is_flag=True, help="Then close what is held, by market orders that can only reduce.")
@click.option("--no-input", is_flag=True, help="Ask nothing.")
@click.option("--policy", "files", multiple=True, type=click.Path(), help="A policy to cancel the entries of.")
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@endpoint_option
@format_option()
def command(
    scope: str, by: Person, why: str, *, files: tuple[str, ...], endpoint: str | None, output_format: str, **more: Any
) -> None:
    """Stop trading now: nothing that increases exposure is sent after this returns; exits still pass.

    Exit code 0: entries of every policy were cancelled and none is left. 1: something is named that was not reached,
    may still be on its way, or could not be cancelled. The halt itself stands in every case until `policykit resume`.
    """
    from policykit.clock import SystemClock
    from policykit.engine.facts import SCOPE
    from policykit.store.halting import halt_first

    if not SCOPE.fullmatch(scope):
        raise click.UsageError(f'--scope is "{scope}"; all, exchange:X, account:X/NAME, bot:X or symbol:X may be')
    if more["freeze"] and more["flatten"]:
        raise click.UsageError("--freeze blocks what --flatten sends; one of them may be")
    clock = SystemClock()
    halted = halt_first(more["uri"], scope, by.name, why, clock.now_ms(), freeze=more["freeze"], claim=by.to_dict())
    text = output_format == "text"
    if text:
        click.echo("\n".join(_halt_lines(halted, scope, by.name, why, more["uri"])))

    from policykit.guard.kill import finish, policies_of  # loads ccxt, which takes longer than a halt may

    told = (lambda found: click.echo("\n".join(account_lines(found)))) if text else None
    known = policies_of(halted.store, files)
    result = finish(halted.store, clock, scope, (halted.generation, halted.unsent), known, endpoint, told)
    said = result.to_dict() | {"problem": halted.problem, "file": halted.file}
    flat = True
    if more["flatten"]:
        if (
            more["no_input"]
            or not sys.stdin.isatty()
            or click.confirm("close every position at the market's price?", err=True)
        ):
            said["flattened"] = _flatten(halted, scope, known, endpoint, text=text)
        flat = all(not one["left"] for one in said.get("flattened", [{"left": True}]))
    click.echo("\n".join(_end(result, halted)) if text else json.dumps(said, indent=2))
    leave(Exit.DONE if result.complete and flat else Exit.NO)


def _flatten(halted: Halted, scope: str, files: list[str], endpoint: str | None, *, text: bool) -> list[dict[str, Any]]:
    from policykit.clock import SystemClock
    from policykit.guard.flatten import flatten

    if halted.store is None:  # what is sent must be journaled before
        click.echo("nothing is closed without the store: close it at the exchange", err=True)
        return [{"left": {"everything": "the store is down"}}]
    found = []
    for one in flatten(halted.store, SystemClock(), scope, files, endpoint):
        if text:
            click.echo(f"{one.account}: {len(one.closed)} positions closed, {len(one.left) or 'none'} left")
            lines = [*(f"  closed: {what}" for what in one.closed), *(f"  left: {n}: {w}" for n, w in one.left.items())]
            click.echo("\n".join(lines), nl=bool(lines))
        found.append(asdict(one))
    return found


def _halt_lines(halted: Halted, scope: str, by: str, why: str, uri: str | None) -> list[str]:
    from policykit.store import default_uri

    if halted.store is not None:
        told = "nothing that increases is sent from now on"
        with suppress(PolicykitError, OSError):  # it is halted; what is said of that may not break off
            if not halted.store.guards():
                where = scrub(uri or default_uri())
                told = f"no guard is known to {where}, so none is known to stop (POLICYKIT_STORE, --store)"
        return [f'HALTED {scope} by {by}: "{why}"; {told}']
    lines = [f"THE STORE TOOK NO HALT: {halted.problem}", "guards that cannot reach it deny what increases"]
    if halted.file is not None:
        lines.append(f"{halted.file} is there now: every guard of this user on this host halts by it")
    return lines


def account_lines(found: Cancelled | tuple[str, str]) -> list[str]:
    """Say what became of an account, and of each of its families; or why a policy's account was not reached."""
    if isinstance(found, tuple):
        return [f"not reached: {found[0]}: {found[1]}"]
    from policykit.policy import PAPER

    whole = "PENDING" if found.pending else "no entry is left" if found.complete else "FAILED"
    gone, kept = (sum(getattr(c, name) for c in found.families.values()) for name in ("cancelled", "kept"))
    many = f"{gone} entries cancelled, {kept} orders kept that can only reduce"
    lines = [f"{found.account}: {many}; {whole}"]
    if found.account.endswith(PAPER):
        lines.append("  the paper book alone: the real account was not looked at, and nothing was cancelled there")
    for family, count in found.families.items():
        left = f"unknown what is left: {count.unknown}" if count.unknown else f"left {count.left}"
        lines.append(f"  {family}: listed {count.listed}, cancelled {count.cancelled}, kept {count.kept}, {left}")
    if not found.families:
        lines.append("  no order family could be listed")
    lines += [f"  may still arrive: {order}; run kill again" for order in found.pending]
    unknown = [f"{family}: {count.unknown}" for family, count in found.families.items()]
    lines += [f"  not cancelled: {failure}" for failure in found.failed if failure not in unknown]
    return lines


def _end(result: Killed, halted: Halted) -> list[str]:
    lines = [f"still sending, without a gate: intent {intent}; end its process" for intent in result.sending]
    if not result.accounts and not result.not_reached:
        lines.append("no policy is known to this store; name them with --policy to cancel their entries")
        lines.append("nothing was cancelled: is it the store of the bots (POLICYKIT_STORE, --store)?")
    if halted.store is None:
        lines.append("run kill again once the store is there: only its halt binds every host, and outlives restarts")
    if halted.file is not None:
        lines.append(f"before anybody resumes: rm {halted.file}")
    return [*lines, f"re-arm with: policykit resume --scope {result.scope} --by NAME --why TEXT"]
