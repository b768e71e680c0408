"""`policykit drill`: try the kill switch before the day it is needed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._options import Exit, endpoint_option, example, format_option, leave
from policykit.cli._person import by_option
from policykit.cli.kill import account_lines

if TYPE_CHECKING:
    from policykit.operate.drill import Drill
    from policykit.operate.person import Person

store_option = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
policy_option = click.option("--policy", "files", multiple=True, type=click.Path(), help="A policy (default: guarded).")


@click.group("drill", epilog=example("policykit drill kill --by alice\npolicykit drill status"))
def command() -> None:
    """Try the kill switch for real; `policykit incident drill` tries a whole incident."""


@command.command("kill", epilog=example("policykit drill kill --by desk-head --policy policies/sandbox.yaml"))
@by_option("Who drills: one who may re-arm.")
@policy_option
@click.option("--live-noop", "noop", is_flag=True, help="On a live account: halt for some seconds, cancel nothing.")
@store_option
@endpoint_option
@click.option("--no-input", is_flag=True, help="Ask nothing.")
@format_option()
def kill_command(
    by: Person,
    *,
    files: tuple[str, ...],
    noop: bool,
    uri: str | None,
    endpoint: str | None,
    no_input: bool,
    output_format: str,
) -> None:
    """Trip the kill switch, cancel, verify, re-arm; measure when the last order left each process, and journal it.

    Exit code 0: no order that increases left any process later than it may, and nothing was left in any family. 1: not
    so, or the drill must not be held. `policykit lint --live` reads when it was (kill_switch.drill_every).
    """
    from policykit.clock import SystemClock
    from policykit.guard.kill import policies_of
    from policykit.operate.drill import NoDrill, drill_kill
    from policykit.store import open_store

    store = open_store(uri)
    known = policies_of(store, files) if not files else list(files)
    if noop and not no_input and sys.stdin.isatty():
        click.confirm(f"halt the accounts of {', '.join(known)} for some seconds?", abort=True)
    try:
        drill = drill_kill(store, SystemClock(), known, by, noop=noop, endpoint=endpoint)
    except NoDrill as refused:
        click.echo(f"no drill was held: {refused}", err=True)
        leave(Exit.NO)
        return
    if output_format == "json":
        click.echo(json.dumps(asdict(drill) | {"passed": drill.passed}, indent=2))
    else:
        click.echo("\n".join(_lines(drill)))
    leave(Exit.DONE if drill.passed else Exit.NO)


@command.command("status", epilog=example("policykit drill status --format json"))
@policy_option
@store_option
@format_option()
def status_command(files: tuple[str, ...], uri: str | None, output_format: str) -> None:
    """Show the last drills of each account. Exit code 1: one is overdue by its policy, or was never held."""
    from policykit.clock import SystemClock
    from policykit.guard.kill import policies_of
    from policykit.operate.drill import standing
    from policykit.store import open_store

    store = open_store(uri)
    found = [standing(store, file, SystemClock().now_ms()) for file in policies_of(store, files)]
    if output_format == "json":
        click.echo(json.dumps([one.to_dict() for one in found], indent=2))
    else:
        click.echo("\n".join(str(one) for one in found) or "no policy is known to this store; name one with --policy")
    leave(Exit.NO if any(one.overdue for one in found) else Exit.DONE)


def _lines(drill: Drill) -> list[str]:
    what = "halted, and cancelled nothing" if drill.noop else "halted, cancelled, looked again"
    lines = [f"drill {'PASSED' if drill.passed else 'FAILED'}: {what}, re-armed after {drill.took_ms:,} ms"]
    for sender in drill.senders:
        who: Any = f"{sender.bot or 'a bot'} on {sender.host} (pid {sender.pid})"
        last = "sent nothing more" if sender.last_send_ms is None else f"last order {sender.last_send_ms} ms after it"
        lines.append(f"{sender.account}: {who}: {last}{', LATER THAN IT MAY' if sender.late else ''}")
    for account in drill.accounts:
        lines += account_lines(account)
    return lines + drill.problems
