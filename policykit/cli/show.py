"""`policykit show POLICY`: the effective policy with the origin of each value."""

from __future__ import annotations

from pathlib import Path

import click

from policykit.cli._options import example, format_option, output_option, write_output


@click.command(epilog=example("policykit show policies/binance-market-maker.yaml"))
@click.argument("policy", type=click.Path(path_type=Path))
@format_option(("yaml", "json"))
@click.option(
    "--stage",
    type=click.Choice(["sandbox", "paper", "micro-live", "small-live", "full-live"]),
    help="Show it as it is at this stage, not at the one in the file.",
)
@output_option
def command(policy: Path, output_format: str, stage: str | None, output: Path | None) -> None:
    """Print what is in force after `extends` and the stage, and which file and line says each value."""
    from policykit.policy import load
    from policykit.policy.show import as_json, as_yaml

    effective = load(policy)
    if stage is not None:
        effective = effective.at_stage(stage)
    write_output(as_json(effective) if output_format == "json" else as_yaml(effective), output)
