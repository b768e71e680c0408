"""`policykit rotate`: a key replaced by its successor while its bots trade."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, write_output
from policykit.cli._person import by_option
from policykit.cli.keys import PATHS, asker, found_key

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.operate.rotation.steps import Desk, Done

_store_option = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
_endpoint_option = click.option("--endpoint", metavar="URL", help="Send every URL of the exchange to this origin.")
_why_option = click.option("--why", required=True, help="The reason, for the record.")
_no_input_option = click.option("--no-input", is_flag=True, help="Ask nothing.")
_name = click.argument("name")
_paths = click.argument("paths", nargs=-1, type=click.Path())


@click.group(
    "rotate",
    epilog=example(
        'policykit rotate start mm-exec --by alice --why "90 days"\npolicykit rotate status\n'
        'policykit rotate finish mm-exec --by alice --why "every bot went over"'
    ),
)
def command() -> None:
    """Replace a key while its bots trade: no request fails, and the old key is proved dead."""


@command.command("start", epilog=example('policykit rotate start mm-exec policies/ --by alice --why "90 days"'))
@_name
@_paths
@by_option("Who rotates.")
@_why_option
@click.option("--checked-by-hand", is_flag=True, help="Its scopes were looked at, where the exchange tells nothing.")
@_store_option
@_endpoint_option
@format_option()
def start_command(name: str, paths: tuple[str, ...], *, checked_by_hand: bool, **told: Any) -> None:
    """Read the successor's secret without echo, put it away, check it, and have every guard of the key go over to it.

    It is put beside the key in use, so that nobody signs with it before it was checked: scopes and addresses as the
    policy says, and a test order where the exchange has one. Exit code 1: it is not as the policy says, and nothing is
    changed; 3: the exchange or the secrets manager was not reached. Do it again to go on.
    """
    from policykit.operate.rotation import steps

    desk = _desk(name, paths, **told)
    _end(_done(lambda: steps.start(desk, asker(desk.found), checked_by_hand=checked_by_hand)), told)


@command.command("finish", epilog=example('policykit rotate finish mm-exec --by alice --why "every bot went over"'))
@_name
@_paths
@by_option("Who ends the old key.")
@_why_option
@click.option("--master", metavar="REF", help="End it by the API with the key behind this secret reference.")
@click.option("--sub-account", default="", help="The sub-account that the old key is of, where the call asks for it.")
@click.option("--insist", is_flag=True, help="Although living guards sign with it yet: they will be refused.")
@click.option("--deleted-by-hand", is_flag=True, help="It was deleted in the web page, and nothing here can prove it.")
@_no_input_option
@_store_option
@_endpoint_option
@format_option()
def finish_command(
    name: str,
    paths: tuple[str, ...],
    *,
    master: str | None,
    sub_account: str,
    insist: bool,
    deleted_by_hand: bool,
    no_input: bool,
    **told: Any,
) -> None:
    """Revoke the key that has to go, prove by its refusal that it is dead, and drop its secret.

    Exit code 1: a living guard signs with it yet, or it lives, or its death is not proved; it says what to do.
    """
    from policykit.operate.rotation import steps

    desk = _desk(name, paths, **told)
    quiet = no_input or told["output_format"] == "json" or sys.stdin is None or not sys.stdin.isatty()

    def confirm(way: Any) -> bool:
        if quiet:
            return master is not None or deleted_by_hand
        if master is not None:
            return click.confirm(f"end the key of {name} by {way.call}? it cannot be undone", err=True)
        click.echo("\n".join(f"{number}. {step}" for number, step in enumerate(way.steps, 1)), err=True)
        return click.confirm("is it deleted?", err=True)

    _end(
        _done(
            lambda: steps.finish(
                desk,
                master=master,
                sub_account=sub_account,
                insist=insist,
                by_hand=deleted_by_hand,
                confirm=confirm,
            )
        ),
        told,
    )


@command.command("abort", epilog=example('policykit rotate abort mm-exec --by alice --why "wrong sub-account"'))
@_name
@_paths
@by_option("Who goes back.")
@_why_option
@_store_option
@_endpoint_option
@format_option()
def abort_command(name: str, paths: tuple[str, ...], **told: Any) -> None:
    """Go back to the old key; then `finish` proves that the successor is dead."""
    from policykit.operate.rotation import steps

    desk = _desk(name, paths, **told)
    _end(_done(lambda: steps.abort(desk)), told)


@command.command("status", epilog=example("policykit rotate status"))
@_paths
@_store_option
@format_option()
@now_option
def status_command(paths: tuple[str, ...], uri: str | None, output_format: str, now_ms: int | None) -> None:
    """Say how far each rotation has come, and which guards sign with which key; nothing is sent.

    Exit code 1: a key lives longer than its policy lets it.
    """
    from policykit.operate.keys.find import every
    from policykit.operate.rotation import status
    from policykit.store import open_store

    found, problems = every(paths or PATHS)
    for line in problems:
        click.echo(f"policykit: {line}", err=True)
    rows = status.rows(open_store(uri), found, socket.gethostname(), _now(now_ms))
    write_output(json.dumps(rows, indent=1) if output_format == "json" else status.text(rows))
    late = any(row["late"] for row in rows)
    leave(Exit.CALL if problems else (Exit.NO if late else Exit.DONE))


def _now(now_ms: int | None) -> int:
    return now_ms if now_ms is not None else time.time_ns() // 1_000_000


def _desk(
    name: str,
    paths: tuple[str, ...],
    *,
    by: Person,
    why: str,
    uri: str | None,
    endpoint: str | None,
    output_format: str,
) -> Desk:
    from policykit.clock import SystemClock
    from policykit.operate.rotation.steps import Desk
    from policykit.store import open_store

    return Desk(found_key(name, paths), open_store(uri), by, why, SystemClock(), endpoint)


def _done(step: Callable[[], Done]) -> Done:
    from policykit.errors import PolicykitError

    try:
        return step()
    except (ValueError, PolicykitError) as error:
        raise click.ClickException(str(error)) from None


def _end(done: Done, told: dict[str, Any]) -> None:
    from policykit.redact import scrub, texts

    if told["output_format"] == "json":
        row = None if done.rotation is None else done.rotation.to_dict()
        click.echo(json.dumps(texts({"ok": done.ok, "lines": list(done.lines), "rotation": row}), indent=1))
    else:
        for line in done.lines:
            click.echo(scrub(line))
    leave(Exit.DONE if done.ok else (Exit.NO if done.reached else Exit.NOT_REACHABLE))
