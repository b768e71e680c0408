"""`policykit status`: is trading on, who guards, how close is each limit, what is unknown."""

from __future__ import annotations

import json
import socket
from typing import Any

import click

from policykit.cli._monitor import check, check_options
from policykit.cli._options import example, format_option


@click.command(
    epilog=example(
        "policykit status\npolicykit status --all\npolicykit status --format json\n"
        "policykit status --check --max-silent 2m"
    )
)
@click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
@click.option("--all", "everything", is_flag=True, help="Show every limit, not the tightest of each policy only.")
@check_options
@format_option()
def command(uri: str | None, everything: bool, output_format: str, **monitor: Any) -> None:
    """Show halts, guards, how close each limit is, key ages, the last live lint, and orders of unknown outcome."""
    if monitor.pop("check"):
        check(uri, output_format, **monitor)
        return
    from policykit.clock import SystemClock
    from policykit.guard.standing import standing
    from policykit.guard.standing_text import render
    from policykit.store import open_store

    found = standing(open_store(uri), socket.gethostname(), SystemClock().now_ms())
    if output_format == "json":
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    click.echo(render(found, everything=everything), nl=False)
