"""`policykit keys`: the keys that policies name, how to make one, and where its secret goes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, output_option, write_output
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person

PATHS = ("policies",)


_store_option = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")


@click.group(
    "keys",
    invoke_without_command=True,
    epilog=example(
        "policykit keys\npolicykit keys plan mm-exec policies/\npolicykit keys new mm-exec policies/\n"
        'policykit keys exposed --person dana --by alice --why "left the firm"'
    ),
)
@format_option(("text", "json"))
@_store_option
@click.option("--state", "states", multiple=True, metavar="FILE", help="Take ages and last use from this snapshot.")
@click.option("--live", is_flag=True, help="Ask the exchange for each key's age and last use, now.")
@click.option("--endpoint", metavar="URL", help="Send every URL of the exchange to this origin.")
@now_option
@click.pass_context
def command(
    ctx: click.Context,
    output_format: str,
    *,
    uri: str | None,
    states: tuple[str, ...],
    live: bool,
    endpoint: str | None,
    now_ms: int | None,
) -> None:
    """List the keys that the policies in policies/ name: age, due, last use, holders, hosts.

    By the policies, the store of this host if there is one, and snapshots; nothing is sent unless --live. Exit code 1:
    a key is overdue.
    """
    if ctx.invoked_subcommand is not None:
        return
    import socket

    from policykit.operate.keys.find import every
    from policykit.operate.keys.listing import rows, table

    found, problems = every(PATHS)
    store, said = _store(uri)
    snapshots = _snapshots(found, states, live, endpoint, problems)
    for line in (*problems, *said):
        click.echo(f"policykit: {line}", err=True)
    told = rows(found, store, snapshots, socket.gethostname(), _now(now_ms))
    write_output(json.dumps(told, indent=1) if output_format == "json" else table(told))
    overdue = any(row["overdue"] for row in told)
    leave(Exit.CALL if problems else (Exit.NOTHING if not found else (Exit.NO if overdue else Exit.DONE)))


@command.command("exposed", epilog=example('policykit keys exposed --person dana --by alice --why "left the firm"'))
@click.argument("name", required=False)
@click.option("--person", help="Every key that this person could read.")
@click.option("--host", help="Every key that a guard on this host signs with.")
@click.option("--vendor", help="Every key that this vendor holds.")
@click.option("--address", help="Every key that works from this address.")
@by_option("Who says so.")
@click.option("--why", required=True, help="What happened, for the record.")
@click.option("--withdraw", is_flag=True, help="Take the mark of NAME back: it was a mistake.")
@_store_option
@format_option(("text", "json"))
@now_option
def exposed_command(
    name: str | None,
    *,
    by: Person,
    why: str,
    withdraw: bool,
    uri: str | None,
    output_format: str,
    now_ms: int | None,
    **ways: str | None,
) -> None:
    """Mark the key NAME, or all that somebody or something had, as in other hands: they are overdue at once (G19).

    --withdraw takes back a wrong mark, of one NAME at a time; both stay in the journal. Exit code 1: no key of the
    policies in policies/ is meant, or none has a mark to take back.
    """
    from policykit.operate.keys import exposed
    from policykit.operate.keys.find import every
    from policykit.redact import scrub, texts
    from policykit.store import open_store

    asked = [(way, value) for way, value in {"name": name, **ways}.items() if value]
    if len(asked) != 1:
        raise click.UsageError("one of NAME, --person, --host, --vendor and --address is needed")
    ((way, value),) = asked
    if withdraw and way != "name":
        raise click.UsageError("--withdraw takes back the mark of one NAME at a time")
    keys, problems = every(PATHS)
    for line in problems:
        click.echo(f"policykit: {line}", err=True)
    store = open_store(uri)
    meant = exposed.touched(keys, store, way, value)
    if withdraw:
        rows = exposed.withdraw(meant, store, by, why, _now(now_ms))
    else:
        rows = exposed.mark(meant, store, f"{way} {value}", by, why, _now(now_ms))
    if output_format == "json":
        click.echo(json.dumps(texts(rows), indent=1))
    else:
        for row in rows:
            is_now = "its mark is withdrawn" if withdraw else f"overdue; policykit rotate start {row['key']}"
            click.echo(scrub(f"{row['key']} on {row['account']}: {is_now}"))
        if not rows and meant:
            click.echo(f"{scrub(value)} has no mark to take back", err=True)
        elif not rows:
            click.echo(f"no key of {', '.join(PATHS)} is of {way} {scrub(value)}", err=True)
    leave(Exit.CALL if problems else (Exit.DONE if rows else Exit.NO))


def _now(now_ms: int | None) -> int:
    return now_ms if now_ms is not None else time.time_ns() // 1_000_000


def _store(uri: str | None) -> tuple[Any, tuple[str, ...]]:
    """Return the store that is named, or that of this host's bots if there is one; none is made for a list."""
    from policykit.errors import StoreUnavailable
    from policykit.exchanges.budget import running_store
    from policykit.store import open_store

    if uri is not None:
        try:
            return open_store(uri), ()
        except StoreUnavailable as error:
            raise click.ClickException(str(error)) from None
    store, why = running_store()
    return store, (why,) if why else ()


def _snapshots(found: Any, states: tuple[str, ...], live: bool, endpoint: str | None, problems: list[str]) -> list[Any]:
    """Read the snapshots that are named, and take one of each policy with --live."""
    if not (states or live):
        return []
    from policykit import secrets
    from policykit.exchanges.snapshot import take
    from policykit.lint.state import StateUnreadable, read_state

    try:
        read = [read_state(path).snapshot for path in states]
    except StateUnreadable as error:
        raise click.UsageError(str(error)) from None
    for policy in {one.policy.file: one.policy for one in found}.values() if live else ():
        taken = take(policy, endpoint=endpoint, keys_only=True, secret_source=secrets.read)
        problems += [f"{error['key']}: {error['message']}" for error in taken.errors]
        read.append(taken)
    return read


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
