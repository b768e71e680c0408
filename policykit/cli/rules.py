"""`policykit rules`: the catalogue."""

from __future__ import annotations

import click

from policykit.cli._options import example, format_option


@click.command("rules", epilog=example("policykit rules\npolicykit rules --by guide\npolicykit rules --format json"))
@click.option(
    "--by",
    type=click.Choice(["code", "guide"]),
    default="code",
    help="The order: codes, or the guide's requirements with what looks at each.",
)
@format_option()
def command(by: str, output_format: str) -> None:
    """List every rule: code, name, severity, what it reads, what it finds."""
    import json

    from policykit.lint import coverage
    from policykit.lint.explain import rows, table

    if by == "guide":
        whole = output_format == "json"
        text = json.dumps(coverage.to_dict(), indent=1, ensure_ascii=False) + "\n" if whole else coverage.table()
        click.echo(text, nl=False)
    elif output_format == "json":
        listed = [row._asdict() for row in rows()]
        click.echo(json.dumps({"version": 1, "rules": listed}, indent=1, ensure_ascii=False))
    else:
        click.echo(table(), nl=False)
