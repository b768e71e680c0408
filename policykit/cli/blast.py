"""`policykit blast KEY`: what a thief of the key could do now."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, output_option, write_output


@click.command(
    "blast",
    epilog=example("policykit blast mm-exec policies/\npolicykit blast mm-exec policies/ --state mm.snapshot.json"),
)
@click.argument("key")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--state", "states", multiple=True, metavar="FILE", help="From a snapshot, not from the exchange itself.")
@click.option("--endpoint", metavar="URL", help="Send every URL of the exchange to this origin.")
@format_option(("text", "json"))
@output_option
@now_option
def command(
    key: str,
    paths: tuple[str, ...],
    states: tuple[str, ...],
    endpoint: str | None,
    output_format: str,
    output: Path | None,
    now_ms: int | None,
) -> None:
    """Show what a thief of KEY could do now, from what the exchange itself enforces: permissions, addresses, equity.

    PATHS are policies or folders of them (default: policies/). Exit code 3: the key could not be read.
    """
    from policykit import traits
    from policykit.exchanges.advice import advice
    from policykit.operate.blast import blast, text
    from policykit.operate.keys.find import KeyNotFound, one

    try:
        found = one(paths or ("policies",), key)
        snapshot = _stated(states, found.policy) if states else _read(found, endpoint)
    except (KeyNotFound, ValueError) as error:
        raise click.UsageError(str(error)) from None
    report = next((one for one in snapshot.keys if one.name == found.name), None)
    if report is None:
        failed = next((error for error in snapshot.errors if error.get("key") in ("", found.name)), None)
        why = f"{failed['code']}: {failed['message']}" if failed else "it is not in the snapshot"
        step = advice(failed["code"]) if failed else "take one of this key: policykit snapshot"
        click.echo(f"policykit: {found.place}: key `{found.name}` could not be read: {why}", err=True)
        if step:
            click.echo(f"  next: {step}", err=True)
        leave(Exit.NOT_REACHABLE)
        return
    now = now_ms if now_ms is not None else time.time_ns() // 1_000_000
    made = blast(snapshot, report, traits.load(snapshot.exchange), now)
    write_output(
        json.dumps(made.to_dict(), indent=1, ensure_ascii=False) if output_format == "json" else text(made), output
    )
    leave(Exit.DONE)


def _stated(states: tuple[str, ...], policy):  # type: ignore[no-untyped-def]
    """Return what snapshots say of one policy: a key of the same name of another policy or account is another key."""
    from policykit.lint.state import StateUnreadable, read_state
    from policykit.snapshot import belonging, merge

    try:
        read = [read_state(path).snapshot for path in states]
    except StateUnreadable as error:
        raise ValueError(str(error)) from None
    exchange, account = policy.model.exchange, policy.model.account.name
    ours = belonging(read, exchange, account, policy.name)
    if not ours:
        words = f"no snapshot of {exchange}/{account}; policykit snapshot {policy.file} takes one"
        raise ValueError(f"{', '.join(states)}: {words}")
    return merge(ours)


def _read(found, endpoint: str | None):  # type: ignore[no-untyped-def]
    from policykit import secrets
    from policykit.exchanges import snapshot as live
    from policykit.lint.live import cost_line

    click.echo(f"{cost_line(found.policy, live.plan(found.policy, keys=(found.name,)))}\n", err=True)
    return live.take(found.policy, endpoint=endpoint, keys=(found.name,), secret_source=secrets.read)
