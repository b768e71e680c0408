"""`policykit snapshot`: the live state of a policy's keys, read where the keys live, as a file that can travel."""

from __future__ import annotations

from pathlib import Path

import click

from policykit.cli._options import Exit, example, leave, output_option, write_output


@click.command(
    "snapshot",
    epilog=example(
        "policykit snapshot policies/mm.yaml -o mm.snapshot.json\n"
        "policykit snapshot policies/mm.yaml --keys mm-exec --keys-only"
    ),
)
@click.argument("policy", type=click.Path(dir_okay=False, path_type=Path))
@output_option
@click.option("--keys", metavar="A,B", help="Read only these keys of the policy.")
@click.option("--keys-only", is_flag=True, help="Read what the keys may do, and nothing of the account.")
@click.option("--endpoint", metavar="URL", help="Send every URL of the exchange to this origin.")
def command(policy: Path, output: Path | None, keys: str | None, keys_only: bool, endpoint: str | None) -> None:
    """Read the live state of POLICY's keys, read-only and inside the policy's rate budget.

    The file holds no secret. Exit code 3: a key could not be read; what was read is written all the same.
    """
    import json

    from policykit import policy as policies
    from policykit import secrets
    from policykit.exchanges import snapshot as live
    from policykit.snapshot import to_dict

    chosen = None if keys is None else tuple(name.strip() for name in keys.split(",") if name.strip())
    effective = policies.load(policy)
    try:
        cost = live.plan(effective, keys=chosen, keys_only=keys_only)
        click.echo(f"{policy}: {cost['calls']} reads, weight {cost['weight']}", err=True)
        taken = live.take(effective, endpoint=endpoint, keys=chosen, keys_only=keys_only, secret_source=secrets.read)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    write_output(json.dumps(to_dict(taken), indent=1, ensure_ascii=False), output)
    for failed in taken.errors:
        name = f"keys.{failed['key']}: " if failed["key"] else ""
        click.echo(f"{policy}: {name}{failed['code']}: {failed['message']}", err=True)
    leave(Exit.NOT_REACHABLE if taken.errors else Exit.DONE)
