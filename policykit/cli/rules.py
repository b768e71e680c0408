"""`policykit rules`: the catalogue."""

from __future__ import annotations

import click

from policykit.cli._options import example, format_option


@click.command("rules", epilog=example("policykit rules\npolicykit rules --format json"))
@format_option()
def command(output_format: str) -> None:
    """List every rule: code, name, severity, what it reads, what it finds."""
    import json

    from policykit.lint.explain import rows, table

    if output_format == "json":
        listed = [row._asdict() for row in rows()]
        click.echo(json.dumps({"version": 1, "rules": listed}, indent=1, ensure_ascii=False))
    else:
        click.echo(table(), nl=False)
