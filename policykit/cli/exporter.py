"""`policykit exporter`: /metrics and /healthz of one host."""

from __future__ import annotations

import importlib.util
import socket

import click

from policykit.cli._options import Exit, example, leave

PORT = 9464


@click.command(epilog=example("policykit exporter\npolicykit exporter --host 0.0.0.0 --allow-remote --port 9464"))
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Listen here; 0: any free."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option(
    "--allow-remote", is_flag=True, help="Let --host be reached from other machines; it asks for no password."
)
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Another name that it may be asked by.")
def command(uri: str | None, port: int, host: str, *, allow_remote: bool, hosts: tuple[str, ...]) -> None:
    """Serve the figures of this host's store and journal: /metrics for Prometheus, /healthz for monitors.

    One process a host, beside the bots: it tells of those that died too. It reads, and decides nothing.
    """
    from policykit.dashboard.background import Background, loopback

    if not loopback(host) and not allow_remote:
        raise click.UsageError(
            f"--host {host} is reached from other machines; 127.0.0.1 is not; say --allow-remote if that is meant"
        )
    needed = [name for name in ("starlette", "uvicorn", "prometheus_client") if importlib.util.find_spec(name) is None]
    if needed:
        raise click.ClickException(
            f"{', '.join(needed)}: not installed; the extra has it: pip install 'policykit-trading[dashboard]'"
        )
    from policykit.dashboard.exporter import Exporter, application
    from policykit.dashboard.serving import PortTaken, listen
    from policykit.dashboard.sources import readable

    readable(uri)
    try:
        listening = listen(port, host)
    except PortTaken as error:
        click.echo(str(error), err=True)
        leave(Exit.NOT_REACHABLE)
        return
    exporter = Exporter(uri, socket.gethostname())
    names = (*hosts, socket.gethostname())
    server = Background(application(exporter, listening.getsockname()[1], names), listening)
    click.echo(f"policykit exporter: {server.url}/metrics and /healthz; Ctrl-C ends it")
    exporter.start()
    try:
        server.run()
    finally:
        exporter.stop()
