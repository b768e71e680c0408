"""`policykit demo`: the whole job on real parts, in two minutes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policykit.cli._options import Exit, example, leave


@click.command(epilog=example("policykit demo"))
@click.option("--seed", type=click.IntRange(0, 1_000_000), default=7, show_default=True, help="Which faults strike.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Leave policies and journals here, in a new or empty folder (default: a new one, named at the end).",
)
def command(seed: int, keep: Path | None) -> None:
    """Show lint, enforcement, the kill switch and the traces on a simulated exchange on loopback.

    Exit code 0 only if each part came out as it should.
    """
    import logging

    from policykit.testing.demo import run

    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
            used = any(keep.iterdir())
        except OSError as error:
            raise click.ClickException(f"{keep}: cannot be used ({error.strerror}); name another folder") from None
        if used:
            raise click.ClickException(f"{keep}: is not empty; a new or empty folder is needed")
        keep = keep.resolve()
    logging.getLogger("policykit").setLevel(logging.ERROR)
    terminal = sys.stdout.isatty()

    def progress(line: str) -> None:
        if terminal:
            click.echo(f"\r\033[K{line}", nl=False)

    parts = run(click.echo, seed, progress, keep)
    click.echo("")
    for part in parts:
        click.echo(f"{part.name:14}{'as it should be' if part.why is None else 'NOT AS IT SHOULD BE: ' + part.why}")
    leave(Exit.DONE if all(part.why is None for part in parts) else Exit.NO)
