"""`policykit demo`: the whole job on real parts, in two minutes."""

from __future__ import annotations

import sys

import click

from policykit.cli._options import Exit, example, leave


@click.command(epilog=example("policykit demo"))
@click.option("--seed", type=click.IntRange(0, 1_000_000), default=7, show_default=True, help="Which faults strike.")
def command(seed: int) -> None:
    """Show lint, enforcement, the kill switch and the traces on a simulated exchange on loopback.

    Exit code 0 only if each part came out as it should.
    """
    import logging

    from policykit.testing.demo import run

    logging.getLogger("policykit").setLevel(logging.ERROR)
    terminal = sys.stdout.isatty()

    def progress(line: str) -> None:
        if terminal:
            click.echo(f"\r\033[K{line}", nl=False)

    parts = run(click.echo, seed, progress)
    click.echo("")
    for part in parts:
        click.echo(f"{part.name:14}{'as it should be' if part.why is None else 'NOT AS IT SHOULD BE: ' + part.why}")
    leave(Exit.DONE if all(part.why is None for part in parts) else Exit.NO)
