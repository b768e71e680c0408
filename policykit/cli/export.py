"""`policykit export prometheus-rules`: a policy in the words of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from policykit.cli._options import example, output_option, write_output

_EXAMPLE = example("policykit export prometheus-rules policies/mm.yaml -o mm.rules.yaml")


@click.group("export", epilog=_EXAMPLE)
def command() -> None:
    """Write what a policy says in the words of other programs."""


@command.command("prometheus-rules", epilog=_EXAMPLE)
@click.argument("policy", type=click.Path())
@output_option
def prometheus_rules(policy: str, output: Path | None) -> None:
    """Write alerting rules for Prometheus, with the thresholds of POLICY. docs/alerts.md says what each means."""
    import time

    from policykit.policy import load
    from policykit.telemetry.alerts import rules

    try:
        text = rules(load(policy, now_ms=time.time_ns() // 1_000_000))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    write_output(text, output)
