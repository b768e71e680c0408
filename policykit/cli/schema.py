"""`policykit schema NAME`: one published JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import click

from policykit.cli._options import example, output_option, write_output


@click.command(epilog=example("policykit schema policy\npolicykit schema lint-report -o lint-report.schema.json"))
@click.argument(
    "name", type=click.Choice(["policy", "lint-report", "snapshot", "decision", "journal", "policy-test", "diff"])
)
@output_option
def command(name: str, output: Path | None) -> None:
    """Print a JSON Schema: of a policy, or of what policykit writes."""
    from policykit.model.schema import schema

    write_output(json.dumps(schema(name), indent=2), output)
