"""`policykit explain`: one rule, reason or check."""

from __future__ import annotations

import click

from policykit.cli._options import example


@click.command("explain", epilog=example("policykit explain PK101\npolicykit explain RISK_ORDER_NOTIONAL"))
@click.argument("code")
def command(code: str) -> None:
    """Explain CODE: a rule (PK101, withdraw-scope), a reason (RISK_POSITION) or a check (risk.max_order_notional)."""
    from policykit.lint.explain import explain, nearest

    text = explain(code)
    if text is None:
        raise click.UsageError(f"{code} is no rule, reason or check{nearest(code)}; `policykit rules` lists the rules")
    click.echo(text, nl=False)
