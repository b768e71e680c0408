"""`policykit snapshot`: the live state of a policy's keys, read where the keys live, as a file that can travel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from policykit.cli._options import Exit, example, leave, output_option, write_output


@click.command(
    "snapshot",
    epilog=example(
        "policykit snapshot policies/mm.yaml -o mm.snapshot.json\n"
        "policykit snapshot policies/mm.yaml --keys mm-exec --keys-only\n"
        "policykit snapshot policies/mm.yaml --sign sign.pem -o mm.snapshot.json"
    ),
)
@click.argument("policy", type=click.Path(dir_okay=False, path_type=Path))
@output_option
@click.option("--keys", metavar="A,B", help="Read only these keys of the policy.")
@click.option("--keys-only", is_flag=True, help="Read what the keys may do, and nothing of the account.")
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="[ID=]URL",
    help="Send every URL of the exchange (ID, or any) to this origin. Repeatable.",
)
@click.option("--sign", "sign_key", metavar="FILE", help="Sign it with this Ed25519 private key (PEM).")
def command(
    policy: Path,
    output: Path | None,
    keys: str | None,
    keys_only: bool,
    endpoints: tuple[str, ...],
    sign_key: str | None,
) -> None:
    """Read the live state of POLICY's keys, read-only and inside the policy's rate budget.

    The file holds no secret. Where bots run on this host, their store counts what is spent. Exit code 3: a key could
    not be read; what was read is written all the same.
    """
    import json

    from policykit import policy as policies
    from policykit import secrets
    from policykit.exchanges import snapshot as live
    from policykit.exchanges.advice import advice
    from policykit.exchanges.budget import running_store

    chosen = None if keys is None else tuple(name.strip() for name in keys.split(",") if name.strip())
    effective = policies.load(policy)
    try:
        signer = _signer(sign_key)
        cost = live.plan(effective, keys=chosen, keys_only=keys_only)
        click.echo(f"{policy}: {cost['calls']} reads, weight {cost['weight']}", err=True)
        store, problem = running_store()
        if problem:
            click.echo(f"{policy}: {problem}", err=True)
        try:
            taken = live.take(
                effective,
                endpoint=endpoints,
                keys=chosen,
                keys_only=keys_only,
                store=store,
                secret_source=secrets.read,
            )
        finally:
            if store is not None:
                store.close()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    write_output(json.dumps(signer(taken), indent=1, ensure_ascii=False), output)
    for failed in taken.errors:
        name = f"keys.{failed['key']}: " if failed["key"] else ""
        click.echo(f"{policy}: {name}{failed['code']}: {failed['message']}", err=True)
        if advice(failed["code"]):
            click.echo(f"  next: {advice(failed['code'])}", err=True)
    leave(Exit.NOT_REACHABLE if taken.errors else Exit.DONE)


def _signer(path: str | None) -> Any:
    """Return what makes the document of a snapshot, signed if there is a key. Raise ValueError for a key that is none.

    The key is read first: nothing is asked of an exchange for a snapshot that then cannot be signed.
    """
    from policykit.snapshot import to_dict

    if path is None:
        return to_dict
    from policykit.exchanges.signing import private_key, sign

    key = private_key(path)
    return lambda snapshot: sign(to_dict(snapshot), key)
