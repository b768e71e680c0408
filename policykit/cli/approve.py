"""`policykit approve`: sign what comes into force, with `ssh-keygen -Y sign`, and see what is signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._options import Exit, example, format_option, leave, now_option, output_option, write_output
from policykit.cli._person import by_option

if TYPE_CHECKING:
    from policykit.operate.person import Person
    from policykit.policy import EffectivePolicy
    from policykit.policy.statement import Statement, Subject

_STORE = click.option("--store", "uri", metavar="URI", help="The store (default POLICYKIT_STORE).")
_WHY = click.option("--why", required=True, help="The reason; it is signed, too.")
_SIGN = click.option(
    "--sign", "key", type=click.Path(dir_okay=False, path_type=Path), help="The SSH key to sign with (private or .pub)."
)


@click.group(
    "approve",
    epilog=example(
        'policykit approve policy policies/mm.yaml --by alice --why "cap raised, OPS-12" --sign ~/.ssh/id_ed25519\n'
        "policykit approve status policies/mm.yaml"
    ),
)
def command() -> None:
    """Sign a policy, the end of a halt or a stage; a policy says under `approvals:` who must.

    Without --sign the statement is only written: sign it elsewhere with `ssh-keygen -Y sign -n policykit -f KEY FILE`,
    and bring both back with `policykit approve take`.
    """


@command.command(
    "policy",
    epilog=example('policykit approve policy policies/mm.yaml --by alice --why "OPS-12" --sign ~/.ssh/id_ed25519'),
)
@click.argument("policy", type=click.Path())
@by_option("Who approves, as the file of signers names them.")
@_WHY
@_SIGN
@click.option("--for", "span", metavar="SPAN", help="Until when it may be started with (30d; default: for good).")
@click.option("--signers", type=click.Path(path_type=Path), help="A copy of the file of signers, on another machine.")
@output_option
@_STORE
@now_option
@format_option()
def policy_command(
    policy: str,
    by: Person,
    why: str,
    key: Path | None,
    span: str | None,
    signers: Path | None,
    **rest: Any,
) -> None:
    """Approve POLICY as it would be in force now, and who may sign the next. Read it first: what it says is signed."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import of_policy
    from policykit.operate.approving import signers_of
    from policykit.policy import load

    now_ms = rest.pop("now_ms") or SystemClock().now_ms()
    loaded = load(policy, now_ms=now_ms)
    trusted = signers_of(loaded, signers)
    _approve(of_policy(loaded), trusted, by, why, key, now_ms, _span(span), **rest, policy=None if signers else loaded)


@command.command(
    "resume",
    epilog=example('policykit approve resume --scope all --by alice --why "loop fixed" --sign ~/.ssh/id_ed25519'),
)
@click.option("--scope", required=True, help="The scope that is halted.")
@by_option("Who approves, as the file of signers names them.")
@_WHY
@_SIGN
@click.option("--for", "span", metavar="SPAN", default="1h", show_default=True, help="Until when it may be resumed.")
@output_option
@_STORE
@now_option
@format_option()
def resume_command(scope: str, by: Person, why: str, key: Path | None, span: str, **rest: Any) -> None:
    """Approve that the halts of a scope are lifted: those that stand now, and no later one."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import of_resume
    from policykit.policy.statement import NOBODY
    from policykit.store import open_store

    halts = [h for h in open_store(rest["uri"]).halts() if scope in ("all", h.scope)]
    if not halts:
        click.echo(f"nothing is halted for {scope}", err=True)
        leave(Exit.NOTHING)
    for halt in halts:
        click.echo(f"{halt.scope}: {halt.state} by {halt.by}: {halt.why}", err=True)
    now_ms = rest.pop("now_ms") or SystemClock().now_ms()
    _approve(of_resume(scope, halts), NOBODY, by, why, key, now_ms, _span(span), **rest)


@command.command(
    "stage",
    epilog=example(
        'policykit approve stage policies/mm.yaml --stage small-live --by alice --why "OPS-12" --sign ~/.ssh/id_ed25519'
    ),
)
@click.argument("policy", type=click.Path())
@click.option("--stage", required=True, help="The stage that it enters; `policykit stage check` shows the evidence.")
@by_option("Who approves, as the file of signers names them.")
@_WHY
@_SIGN
@click.option("--for", "span", metavar="SPAN", default="1h", show_default=True, help="Until when it may be promoted.")
@output_option
@_STORE
@now_option
@format_option()
def stage_command(policy: str, stage: str, by: Person, why: str, key: Path | None, span: str, **rest: Any) -> None:
    """Approve that POLICY, as it stands, enters a stage: `policykit stage promote` asks for it."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import of_stage
    from policykit.policy import load
    from policykit.policy.statement import NOBODY

    now_ms = rest.pop("now_ms") or SystemClock().now_ms()
    loaded = load(policy, now_ms=now_ms)
    _approve(of_stage(loaded, stage), NOBODY, by, why, key, now_ms, _span(span), **rest, policy=loaded)


@command.command("take", epilog=example("policykit approve take mm.approval\npolicykit approve take mm.txt mm.txt.sig"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("signature", type=click.Path(dir_okay=False, path_type=Path), required=False)
@_STORE
def take_command(file: Path, signature: Path | None, uri: str | None) -> None:
    """Take in what was signed elsewhere: a statement with its signature, in one FILE or in two."""
    from policykit.guard.signatures import read

    try:
        text = file.read_text(encoding="utf-8")
        armored = signature.read_text(encoding="utf-8") if signature is not None else None
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{file}: cannot be read ({type(error).__name__})") from None
    statement, found = read(text, armored)
    _taken(statement, found, uri, "text")


@command.command("status", epilog=example("policykit approve status policies/mm.yaml"))
@click.argument("policy", type=click.Path())
@_STORE
@now_option
@format_option()
def status_command(policy: str, uri: str | None, now_ms: int | None, output_format: str) -> None:
    """Say whether POLICY is approved as it stands, by whom, and who is missing. Exit code 1: it is not."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import of_policy
    from policykit.operate.approving import standing
    from policykit.policy import load
    from policykit.store import open_store

    now_ms = now_ms or SystemClock().now_ms()
    loaded = load(policy, now_ms=now_ms)
    said = standing(open_store(uri), loaded, of_policy(loaded), now_ms)
    if output_format == "json":
        click.echo(json.dumps({"version": 1, **said}, indent=2))
    else:
        click.echo(f"{loaded.name} {loaded.version} of {loaded.account_key}")
        click.echo(f"  {said['digest']}")
        for one in said["signed"]:
            click.echo(f"  signed by {one['by']} at {one['at']} with {one['key']}: {one['why']}")
        if not said["needed"]:
            click.echo("  nobody has to sign it; --by is recorded as claimed")
        elif said["missing"]:
            click.echo(f"  not approved: {said['missing']}")
    leave(Exit.DONE if said["approved"] else Exit.NO)


def _span(text: str | None) -> int | None:
    from policykit.units import parse_duration

    try:
        return None if text is None else parse_duration(text).ms
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None


def _approve(  # noqa: PLR0913  # what a statement is made of
    subject: Subject,
    signers: str,
    by: Person,
    why: str,
    key: Path | None,
    now_ms: int,
    for_ms: int | None,
    *,
    output: Path | None,
    uri: str | None,
    output_format: str,
    policy: EffectivePolicy | None = None,
) -> None:
    """Write the statement; sign it if there is a key; keep it, or write it to a file."""
    from policykit.guard.signatures import read
    from policykit.operate.approving import drafted, signed

    statement = drafted(subject, signers=signers, by=by.name, why=why, now_ms=now_ms, for_ms=for_ms)
    click.echo(statement.text(), nl=False, err=True)
    if key is None:
        write_output(statement.text(), output)
        click.echo("sign it: ssh-keygen -Y sign -n policykit -f KEY FILE; then policykit approve take FILE", err=True)
        return
    text = signed(statement, key)
    if output is not None:
        write_output(text, output)
        click.echo(f"{output}: take it in where the store is: policykit approve take {output}", err=True)
        return
    _taken(*read(text), uri, output_format, policy)


def _taken(
    statement: Statement, signature: str, uri: str | None, output_format: str, policy: EffectivePolicy | None = None
) -> None:
    """Keep a signature; with its policy at hand only one that a guard counts."""
    from policykit.clock import SystemClock
    from policykit.guard.approvals import uncounted
    from policykit.operate.approving import take
    from policykit.store import open_store

    store, now_ms = open_store(uri), SystemClock().now_ms()
    if policy and (no := uncounted(store, policy, statement.subject, statement.text(), signature, now_ms)):
        click.echo(f"policykit: no guard counts it, and it was not kept: {no}", err=True)
        leave(Exit.NO)
    key = take(store, statement, signature, now_ms)
    if output_format == "json":
        said = {"what": statement.what, "of": statement.of, "digest": statement.digest, "by": statement.by, "key": key}
        click.echo(json.dumps({"version": 1, **said}, indent=2))
    else:
        what = f"{statement.what} {statement.of}: signed by {statement.by} with {key}"
        counts = "policykit approve status POLICY says whether it counts"
        click.echo(f"{what}; every guard of the store sees it" + ("" if policy else f"; {counts}"))
