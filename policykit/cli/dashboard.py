"""`policykit dashboard`: the local page."""

from __future__ import annotations

import importlib.util

import click

from policykit.cli._options import Exit, example, leave


@click.command(epilog=example("policykit dashboard\npolicykit dashboard --store sqlite:////var/lib/policykit/store.db"))
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@click.option("--port", type=click.IntRange(0, 65535), default=8770, show_default=True, help="0: a free one.")
@click.option("--no-open", is_flag=True, help="Open no browser.")
def command(uri: str | None, port: int, no_open: bool) -> None:
    """Show what was decided, why, and how close each limit is: one page on this machine, read-only.

    It listens on 127.0.0.1 only, and ends with Ctrl-C.
    """
    missing = [name for name in ("starlette", "uvicorn", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; the page needs them: "
            "pip install 'policykit-trading[dashboard]'"
        )
    from policykit.dashboard.serving import PortTaken, serve

    try:
        serve(uri, port, lambda address: click.echo(f"{address}  (read-only; Ctrl-C ends it)"), show=not no_open)
    except PortTaken as error:
        click.echo(str(error), err=True)
        leave(Exit.NOT_REACHABLE)
