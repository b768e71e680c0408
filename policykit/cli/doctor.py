"""`policykit doctor`: whether this host is fit to trade."""

from __future__ import annotations

import json
from pathlib import Path

import click

from policykit.cli._options import example, format_option, leave, output_option, write_output


@click.command(
    "doctor",
    epilog=example(
        "policykit doctor policies/\n"
        "policykit doctor policies/mm.yaml --echo https://checkip.example.com\n"
        "policykit doctor policies/mm.yaml --prove-refused --via http://198.51.100.9:3128"
    ),
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--endpoint", "endpoints", multiple=True, metavar="[ID=]URL", help="Send an exchange's URLs to this origin."
)
@click.option(
    "--echo", metavar="URL", help="An endpoint that answers with the caller's address, to hold against the allowlist."
)
@click.option("--prove-refused", is_flag=True, help="Prove that each key is refused from elsewhere; needs --via.")
@click.option("--via", metavar="PROXY", help="With --prove-refused: a proxy at an address that is not allowed.")
@format_option(("text", "json"))
@output_option
def command(
    paths: tuple[str, ...],
    endpoints: tuple[str, ...],
    echo: str | None,
    prove_refused: bool,
    via: str | None,
    output_format: str,
    output: Path | None,
) -> None:
    """Look at this host: clock, address, secrets, TLS, file modes, store, versions; each line yes, no or unknown.

    PATHS are policies or folders of them (default: policies/). That a key works from here is written to the journal as
    its address proof. Exit code 1: a line is a no; 3: an exchange could not be reached.
    """
    from policykit.clock import SystemClock
    from policykit.errors import StoreUnavailable
    from policykit.exchanges.endpoints import endpoints as read_endpoints
    from policykit.operate import doctor
    from policykit.operate.keys.find import every
    from policykit.store import open_store

    if prove_refused != (via is not None):
        raise click.UsageError("--prove-refused and --via PROXY belong together; give both, or none")
    try:
        origins = read_endpoints(endpoints)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found, problems = every(paths or ("policies",))
    for line in problems:
        click.echo(f"policykit: {line}", err=True)
    policies = list({id(one.policy): one.policy for one in found}.values())
    if not policies:
        raise click.UsageError("no policy with a key is there; name one, or a folder of them")
    try:
        store = open_store()
    except StoreUnavailable as error:
        click.echo(f"policykit: {error}", err=True)
        store = None
    clock = SystemClock()
    asked = doctor.Asked(origins, echo, via, store)
    sections = doctor.examine(policies, asked, clock)
    if output_format == "json":
        rows = [{"subject": s.title, "lines": [line._asdict() for line in s.lines]} for s in sections]
        write_output(json.dumps({"version": 1, "sections": rows}, indent=1, ensure_ascii=False), output)
    else:
        write_output(doctor.text(sections, clock.now_ms()), output)
    leave(2 if problems else doctor.code(sections))
