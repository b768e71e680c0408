"""`policykit keys`: the keys that policies name, how to make one, and where its secret goes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, output_option, write_output

PATHS = ("policies",)


@click.group(
    "keys",
    invoke_without_command=True,
    epilog=example("policykit keys\npolicykit keys plan mm-exec policies/\npolicykit keys new mm-exec policies/"),
)
@format_option(("text", "json"))
@click.pass_context
def command(ctx: click.Context, output_format: str) -> None:
    """List the keys that the policies in policies/ name; nothing is sent. `plan` and `new` lead to a new key."""
    if ctx.invoked_subcommand is not None:
        return
    from policykit.operate.keys.find import every
    from policykit.operate.keys.listing import rows, table

    found, problems = every(PATHS)
    for line in problems:
        click.echo(f"policykit: {line}", err=True)
    write_output(json.dumps(rows(found), indent=1) if output_format == "json" else table(found))
    leave(Exit.CALL if problems else (Exit.DONE if found else Exit.NOTHING))


@command.command("plan", epilog=example("policykit keys plan mm-exec policies/"))
@click.argument("name")
@click.argument("paths", nargs=-1, type=click.Path())
@format_option(("text", "json"))
@output_option
@now_option
def plan_command(
    name: str, paths: tuple[str, ...], output_format: str, output: Path | None, now_ms: int | None
) -> None:
    """Say what to tick, to leave and to paste in the exchange's web page to make the key NAME, from its policy."""
    from policykit.operate.keys import plan as plans

    made = plans.plan(found_key(name, paths), now_ms if now_ms is not None else time.time_ns() // 1_000_000)
    write_output(
        json.dumps(made.to_dict(), indent=1, ensure_ascii=False) if output_format == "json" else plans.text(made),
        output,
    )
    leave(Exit.DONE)


@command.command("new", epilog=example("policykit keys new mm-exec policies/"))
@click.argument("name")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--replace", is_flag=True, help="Put it over a key that lies there already.")
@click.option("--no-verify", is_flag=True, help="Do not ask the exchange what the key may do.")
@click.option("--endpoint", metavar="URL", help="Send every URL of the exchange to this origin.")
def new_command(name: str, paths: tuple[str, ...], replace: bool, no_verify: bool, endpoint: str | None) -> None:
    """Read a new key's secret without echo, put it where the policy says, then ask the exchange what it may do.

    Without a terminal the values are read from standard input, one a line. Nothing is written to disk.
    Exit code 1: it is put away, and lint has findings on it over low; 3: it is put away, and could not be verified.
    """
    from policykit.errors import SecretUnavailable
    from policykit.exchanges.advice import advice
    from policykit.operate.keys import new

    found = found_key(name, paths)
    try:
        if not found.key.secret:
            raise ValueError(f"{found.place}: keys.{name} has no `secret:`; a reference (vault://kv/x) is needed")
        values = new.given(new.fields(found), asker(found))
        reference = new.put(found, values, replace=replace)
    except (ValueError, SecretUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{found.name}: put into {reference}, and read back from there")
    if no_verify:
        leave(Exit.DONE)
        return
    verified = new.verify(found, endpoint)
    if verified.snapshot is None:
        said = f"{verified.code}: {verified.words}"
        click.echo(f"policykit: {found.name}: it is put away but not verified: {said}", err=True)
        if advice(verified.code):
            click.echo(f"  next: {advice(verified.code)}", err=True)
        leave(Exit.NOT_REACHABLE)
        return
    granted = [scope for scope, said in verified.snapshot.keys[0].permissions.items() if said == "granted"]
    click.echo(f"{found.name}: {found.policy.model.exchange} says it may {', '.join(granted) or 'nothing'}")
    findings = new.judged(found, verified, time.time_ns() // 1_000_000)
    found_open = [one for one in findings if one.status == "open"]
    for one in found_open:
        click.echo(f"{one.severity}[{one.rule} {one.name}]: {one.message}\n   = next: {one.next_step}", err=True)
    untold = ", ".join(dict.fromkeys(one.rule for one in findings if one.status == "unknown"))
    if untold:
        click.echo(f"{found.name}: not all is told ({untold}); policykit lint --live says what", err=True)
    wrong = any(one.severity != "low" for one in found_open)
    if not wrong:
        click.echo(f"{found.name}: as the policy asks, as far as the exchange tells; next: policykit lint --live")
    leave(Exit.NO if wrong else Exit.DONE)


def found_key(name: str, paths: tuple[str, ...]) -> Any:
    """Return the key of that name. Raise click.UsageError."""
    from policykit.operate.keys.find import KeyNotFound, one

    try:
        return one(paths or PATHS, name)
    except KeyNotFound as error:
        raise click.UsageError(str(error)) from None


def asker(found: Any) -> Any:
    """Return what asks for one value: hidden on a terminal, else the next line of standard input."""
    if sys.stdin is not None and sys.stdin.isatty():
        import getpass

        return lambda name: getpass.getpass(f"{found.name} {name} (not shown): ")
    return lambda name: sys.stdin.readline() if sys.stdin is not None else ""
