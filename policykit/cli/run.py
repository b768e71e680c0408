"""`policykit run`."""

from __future__ import annotations

import os
import sys

import click

from policykit.cli._options import example


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog=example(
        "policykit run --policy policies/mm.yaml -- python bot.py\n"
        "POLICYKIT_MODE=shadow policykit run --policy policies/mm.yaml -- freqtrade trade --config config.json"
    ),
)
@click.option("--policy", metavar="FILE", help="The policy (default POLICYKIT_POLICY).")
@click.option("--key", metavar="NAME", help="The policy's key to trade with, when several have a trade scope.")
@click.option("--endpoint", metavar="URL", help="Send every request to this origin: a gateway, the simulated exchange.")
@click.option("--allow-loosen", is_flag=True, help="Let the policy's file be loosened while the program runs.")
@click.argument("cmd", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    policy: str | None, key: str | None, endpoint: str | None, allow_loosen: bool, cmd: tuple[str, ...]
) -> None:
    """Run a program with every ccxt client that it makes protected, unchanged.

    Any program on Python and ccxt whose Python has policykit installed: sync, async and pro clients, in this process
    and in those that it starts. The policy's file is read again when it is written: what is tighter is in force
    within seconds, what is looser only with --allow-loosen. Exit code 2, and nothing is started, when the policy cannot
    be used; else the program's own.
    """
    from policykit.errors import PolicykitError
    from policykit.guard.run import environment, program

    policy = policy or os.environ.get("POLICYKIT_POLICY")
    if not policy:
        raise click.UsageError("no policy is named; give --policy FILE, or set POLICYKIT_POLICY")
    try:
        env = environment(policy, key, endpoint, os.environ, allow_loosen=allow_loosen)
        path = program(cmd)
    except (PolicykitError, ValueError) as error:
        click.echo(f"policykit run: {error}\npolicykit run: {cmd[0]} was not started", err=True)
        sys.exit(2)
    try:
        os.execve(path, cmd, env)  # noqa: S606  # nosec B606 - the caller's own program: its signals and its exit code
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be started ({error.strerror}); give a program") from None
