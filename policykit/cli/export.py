"""`policykit export prometheus-rules|cedar|cel`: a policy in the words of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from policykit.cli._options import example, output_option, write_output

_EXAMPLE = example("policykit export prometheus-rules policies/mm.yaml -o mm.rules.yaml")
_CEDAR = example(
    "policykit export cedar policies/mm.yaml -o mm.cedar\n"
    "policykit export cedar policies/mm.yaml --schema -o mm.cedarschema.json"
)
_CEL = example("policykit export cel policies/mm.yaml -o mm.cel\npolicykit export cel policies/mm.yaml --context")


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


_CONTEXT = click.option("--context", is_flag=True, help="Instead: the form of what it is asked, as a JSON Schema.")
_LIST = click.option("--list", "listing", is_flag=True, help="Instead: which checks are held, and why others are not.")
_KEY = click.option(
    "--key", metavar="NAME", help="The key that orders are signed with; needed where there are several."
)
_FORM = click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="With --list.")


@command.command("cedar", epilog=_CEDAR)
@click.argument("policy", type=click.Path())
@_CONTEXT
@click.option("--schema", is_flag=True, help="Instead: the same as a schema of Cedar.")
@_LIST
@_FORM
@_KEY
@output_option
def cedar(policy: str, *, schema: bool, output: Path | None, **asked: Any) -> None:
    """Write the checks of POLICY that Cedar can say, as a set of Cedar policies. docs/export.md says how to ask it."""
    from policykit.proofs.export.context import cedar_schema

    write_output(_json(cedar_schema()) if schema else _exported(policy, "cedar", **asked), output)


@command.command("cel", epilog=_CEL)
@click.argument("policy", type=click.Path())
@_CONTEXT
@_LIST
@_FORM
@_KEY
@output_option
def cel(policy: str, *, output: Path | None, **asked: Any) -> None:
    """Write the checks of POLICY that CEL can say, as one CEL expression. docs/export.md says how to ask it."""
    write_output(_exported(policy, "cel", **asked), output)


def _exported(policy: str, language: str, *, context: bool, listing: bool, form: str, key: str | None) -> str:
    """Return what was asked for: the export, the form of its questions, or the list of its checks."""
    import time

    from policykit.policy import load
    from policykit.proofs.export.context import json_schema
    from policykit.proofs.export.write import export, listed, of_key, rows

    if context:
        return _json(json_schema())
    effective = load(policy, now_ms=time.time_ns() // 1_000_000)
    try:
        effective = of_key(effective, key) if key is not None else effective
        if listing:
            return _json([row._asdict() for row in rows(effective)]) if form == "json" else listed(effective)
        return export(effective, language)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _json(data: Any) -> str:
    import json

    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
