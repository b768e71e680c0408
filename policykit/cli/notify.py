"""`policykit notify test | show`: who is told what, and whether it arrives."""

from __future__ import annotations

import json
from typing import Any

import click

from policykit.cli._options import Exit, example, format_option, leave


@click.group("notify", epilog=example("policykit notify test policies/mm.yaml\npolicykit notify show policies/mm.yaml"))
def command() -> None:
    """Messages to people: what a policy's `notify:` says, and whether it arrives."""


@command.command("test", epilog=example("policykit notify test policies/mm.yaml --target ops"))
@click.argument("policy", type=click.Path())
@click.option("--target", metavar="NAME", help="Only this one.")
@format_option()
def test_command(policy: str, target: str | None, output_format: str) -> None:
    """Send a test message to every target of POLICY, from this host, and say what came back.

    Exit code 3: one was not taken.
    """
    from policykit.operate import notify

    loaded = _loaded(policy)
    try:
        targets = notify.targets_of(loaded, target)
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
    done = {name: notify.tested(loaded, name, one) for name, one in sorted(targets.items())}
    problem = notify.noted(loaded, done)
    if problem:
        click.echo(f"policykit: {problem}", err=True)
    if output_format == "json":
        click.echo(
            json.dumps({"version": 1, "targets": {name: sent._asdict() for name, sent in done.items()}}, indent=2)
        )
    else:
        for name, sent in done.items():
            click.echo(f"{name}: sent; look whether it arrived" if sent.ok else f"{name}: not sent: {sent.words}")
    leave(Exit.DONE if all(sent.ok for sent in done.values()) else Exit.NOT_REACHABLE)


@command.command("show", epilog=example("policykit notify show policies/mm.yaml"))
@click.argument("policy", type=click.Path())
@format_option()
def show_command(policy: str, output_format: str) -> None:
    """Show who is told what by POLICY; nothing is sent, no secret is read."""
    from policykit.operate.notify import shown

    said = shown(_loaded(policy))
    if output_format == "json":
        click.echo(json.dumps(said, indent=2))
        return
    if not said["targets"]:
        click.echo("nobody is told of anything; add notify: {targets: {ops: {secret: env://OPS}}}")
        leave(Exit.NO)
    for name, target in said["targets"].items():
        click.echo(f"{name} ({target['secret']}): {', '.join(target['causes'])}")
    click.echo(f"each once in {said['repeat']} while it lasts, and when it is over; drills: {said['drills']}")
    if any("(" in cause for target in said["targets"].values() for cause in target["causes"]):
        click.echo("in brackets: only when it is past its limit or due date")


def _loaded(policy: str) -> Any:
    import time

    from policykit.policy import load

    return load(policy, now_ms=time.time_ns() // 1_000_000)
