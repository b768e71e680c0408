"""`policykit sim`."""

from __future__ import annotations

import click

from policykit.cli._options import Exit, example, leave


@click.command(epilog=example("policykit sim --seed 7 --faults demo --for 2s"))
@click.option("--dialect", default="binance", show_default=True, metavar="ID", help="The exchange whose API it speaks.")
@click.option("--faults", metavar="FILE", help="What goes wrong: a YAML list of rules, or `demo`.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same prices and faults.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Listen on this port (default: a free one).")
@click.option("--for", "run_for", metavar="DURATION", help='Stop by itself after this time ("30s", "5m").')
def command(dialect: str, faults: str | None, seed: int, port: int, run_for: str | None) -> None:
    """Run a simulated exchange on loopback that stock ccxt trades on."""
    from policykit.testing import SimServer
    from policykit.testing.serve import read_faults, serve
    from policykit.units import parse_duration

    try:
        rules = read_faults(faults) if faults else ()
        duration = parse_duration(run_for) if run_for else None
        serve(SimServer(seed=seed, faults=rules, dialect=dialect, port=port), duration, click.echo)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be used ({error.strerror}); give another, or none") from None
    leave(Exit.DONE)
