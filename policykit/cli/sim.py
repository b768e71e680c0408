"""`policykit sim`."""

from __future__ import annotations

import click

from policykit.cli._options import Exit, example, leave


@click.command(
    epilog=example(
        "policykit sim --seed 7 --faults demo --for 2s\n"
        "policykit sim --dialect okx,kraken --key okx:OKX_MM=read,trade.spot,withdraw,age=140d --for 2s"
    )
)
@click.option(
    "--dialect", default="binance", show_default=True, metavar="ID,..", help="The exchanges whose API it speaks."
)
@click.option("--faults", metavar="FILE", help="What goes wrong: a YAML list of rules, or `demo`.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same prices and faults.")
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Listen on this port and those after it (default: free ones).",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="[ID:]PREFIX=WORD,..",
    help="Make a key as well: what it is granted (read, trade.spot, withdraw, ...), from=ADDRESS, age=140d, expires=5d,"
    " refused=revoked|address|permission|clock|rate|ban|maintenance.",
)
@click.option(
    "--hold",
    "holds",
    multiple=True,
    metavar="WHAT=AMOUNT",
    help="Let the account hold contracts (BTC/USDT:USDT=-0.5@61000), or money to trade them with (USDT=20000).",
)
@click.option("--for", "run_for", metavar="DURATION", help='Stop by itself after this time ("30s", "5m").')
def command(
    dialect: str,
    faults: str | None,
    seed: int,
    port: int,
    keys: tuple[str, ...],
    holds: tuple[str, ...],
    run_for: str | None,
) -> None:
    """Run simulated exchanges on loopback: stock ccxt trades on Binance and Bybit, and reads keys on all."""
    from policykit.testing import SimServer
    from policykit.testing.serve import read_faults, serve
    from policykit.testing.sim_holdings import hold, read_holding
    from policykit.testing.sim_keys import read_key
    from policykit.units import parse_duration

    ids = list(dict.fromkeys(name.strip() for name in dialect.split(",") if name.strip()))
    try:
        rules = read_faults(faults) if faults else ()
        duration = parse_duration(run_for) if run_for else None
        specs = [read_key(text) for text in keys]
        sims = [
            SimServer(seed=seed, faults=rules, dialect=name, port=port + number if port else 0)
            for number, name in enumerate(ids or [dialect])
        ]
        held = [read_holding(text) for text in holds]
        for sim in sims:
            hold(sim, held)
        serve(sims, duration, click.echo, specs)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except BrokenPipeError:  # who read what it prints has gone, which is no word on the port
        raise
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be used ({error.strerror}); give another, or none") from None
    leave(Exit.DONE)
