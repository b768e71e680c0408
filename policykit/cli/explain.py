"""`policykit explain`: one rule, requirement, reason, check or field."""

from __future__ import annotations

import click

from policykit.cli._options import example


@click.command(
    "explain",
    epilog=example("policykit explain PK101\npolicykit explain G33\npolicykit explain risk.max_order_notional"),
)
@click.argument("code")
def command(code: str) -> None:
    """Explain CODE: a rule (PK101, withdraw-scope), a requirement of the guide (G33), a reason (RISK_POSITION), a
    check or a field of a policy (risk.max_order_notional, ip_allowlist).
    """
    from policykit.lint.explain import explain, nearest

    text = explain(code)
    if text is None:
        raise click.UsageError(
            f"{code} is no rule, requirement, reason, check or field{nearest(code)}; `policykit rules` lists the rules"
        )
    click.echo(text, nl=False)
