"""`policykit evidence`: what the journal and the policies prove of a period, for an auditor; verify such a package."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._journal import store_option
from policykit.cli._options import Exit, example, format_option, leave, now_option, parse_moment, whole

if TYPE_CHECKING:
    from policykit.operate.evidence.package import Package

DAY_MS = 86_400_000
#: Without --from: so many days before the end.
DAYS = 90


def _gathering(function: Any) -> Any:
    """Add the options that say what a package is made from."""
    options = (
        click.option("--from", "since_ms", metavar="ISO", callback=parse_moment, help=f"Default: {DAYS} days before."),
        click.option("--to", "until_ms", metavar="ISO", callback=parse_moment, help="What is before it; default: now."),
        click.option("--policies", multiple=True, metavar="PATH", help="Policies, or folders (default: policies)."),
        click.option(
            "--state", "states", multiple=True, metavar="FILE", help="A snapshot of the period: what exchanges said."
        ),
        click.option(
            "--journal",
            "more",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False),
            help="An archive of this journal, or another host's; repeatable.",
        ),
        click.option(
            "--anchor", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Kept elsewhere; is held."
        ),
        store_option,
        format_option(),
        now_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(
    "evidence",
    invoke_without_command=True,
    epilog=example(
        "policykit evidence --from 2026-10-01 --to 2027-01-01 --output q4.zip --sign ~/.ssh/id_ed25519\n"
        "policykit evidence verify q4.zip --allowed-signers allowed_signers"
    ),
)
@_gathering
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: evidence-FROM-TO.zip.")
@click.option("--sign", "key", type=click.Path(path_type=Path), help="Sign with this key of ssh-keygen.")
@click.pass_context
def command(ctx: click.Context, /, output: Path | None, key: Path | None, output_format: str, **chosen: Any) -> None:
    """Write what the journal and the policies prove of a period as a zip: index.md, tables, manifest, signature.

    Nothing is sent, and no exchange is asked. What is not known is listed as prominently as what is. The same input
    gives the same bytes. Exit code 1: it is written, and the journal is damaged or does not hold against --anchor.
    """
    if ctx.invoked_subcommand is not None:
        _refuse_before(ctx)
        return
    from policykit.operate.evidence import alone, bundle, signature

    package = _gathered(**chosen)
    contents = bundle.files(package)
    if key is not None:
        try:
            contents[signature.SIGNATURE] = signature.sign(contents[alone.MANIFEST], key)
        except signature.SignatureError as error:
            raise click.ClickException(str(error)) from None
    target = output or Path(f"evidence-{package.since[:10]}-{package.until[:10]}.zip")
    with whole(target) as path:
        path.write_bytes(bundle.zipped(contents))
    _say(package, output_format, file=str(target), signed=key is not None)


def _refuse_before(ctx: click.Context) -> None:
    """Refuse options before `status` or `verify`: they would say nothing to it."""
    said = click.core.ParameterSource.COMMANDLINE
    for one in ctx.command.params:
        if ctx.get_parameter_source(str(one.name)) is said:
            raise click.UsageError(f"{one.opts[-1]} stands behind {ctx.invoked_subcommand}, not before it")


@command.command("status", epilog=example("policykit evidence status --from 2026-10-01"))
@_gathering
def status_command(output_format: str, **chosen: Any) -> None:
    """Say what a package of the period would hold, and what it would not show; nothing is written."""
    _say(_gathered(**chosen), output_format)


@command.command("verify", epilog=example("policykit evidence verify q4.zip --journal store.db"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--allowed-signers", "allowed", type=click.Path(path_type=Path), help="Who may sign, as OpenSSH has it.")
@click.option(
    "--journal",
    "journals",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A journal it was made from; each, in their order.",
)
@format_option()
def verify_command(file: str, allowed: Path | None, journals: tuple[str, ...], output_format: str) -> None:
    """Check that a package is what was written: each file, the signature, and with --journal what its tables say."""
    from policykit.operate.evidence import again, alone, signature

    compared = "not looked at; give --journal FILE"
    signed: dict[str, Any] = {"signed": False, "by": None, "key": None}
    try:
        contents = alone.files_of(file)
        wrong = alone.problems(contents, journals)
        if journals and not wrong:
            found = again.problems(contents, journals)
            compared = "each row that it cites is there, and its tables say what the journal says"
            if found is None:
                compared = "each row that it cites is there; it was pruned since, so what they say was not compared"
            wrong += found or []
        mark = contents.get(signature.SIGNATURE)
        if mark is not None and not alone.manifest_problems(contents):
            manifest = contents[alone.MANIFEST]
            signed |= {"key": signature.holds(manifest, mark), "signed": True}
            signed["by"] = None if allowed is None else signature.signer(manifest, mark, allowed)
        elif allowed is not None and mark is None:
            wrong.append(f"{signature.SIGNATURE}: is missing; nobody signed it")
    except (ValueError, KeyError, TypeError, signature.SignatureError) as error:
        wrong = [str(error)]
    if output_format == "json":
        click.echo(json.dumps({"version": 1, "intact": not wrong, "problems": wrong, **signed}, indent=1))
    else:
        click.echo("\n".join(wrong or _verified(file, signed, compared)))
    leave(Exit.NO if wrong else Exit.DONE)


def _verified(file: str, signed: dict[str, Any], compared: str) -> list[str]:
    """Say what was found of a package with which nothing is wrong, and what was not looked at."""
    if not signed["signed"]:
        who = "nobody signed it"
    elif signed["by"] is None:
        who = f"signed with {signed['key']}; whose key that is only --allowed-signers tells"
    else:
        who = f"signed by {signed['by']} ({signed['key']})"
    return [f"{file}: every file is as it was written", f"signature: {who}", f"journal: {compared}"]


def _gathered(
    since_ms: int | None,
    until_ms: int | None,
    now_ms: int | None,
    uri: str | None,
    more: tuple[str, ...],
    policies: tuple[str, ...],
    states: tuple[str, ...],
    anchor: Path | None,
) -> Package:
    from policykit.lint.state import StateUnreadable, read_state
    from policykit.operate.evidence.gather import Period, gather
    from policykit.operate.keys.find import policies as every
    from policykit.store import anchor as anchors
    from policykit.store import open_journal
    from policykit.store.reader import JournalReader

    until = until_ms or now_ms or time.time_ns() // 1_000_000
    since = since_ms if since_ms is not None else until - DAYS * DAY_MS
    if since >= until:
        raise click.UsageError("--from is not before --to")
    loaded, unread = every(policies or ("policies",))
    try:
        snapshots = [read_state(path).snapshot for path in states]
        known = anchors.read(anchor) if anchor is not None else None
    except (StateUnreadable, ValueError) as error:
        raise click.ClickException(str(error)) from None
    with ExitStack() as opened:
        journals = [opened.enter_context(closing(JournalReader(path))) for path in more]
        journals.append(opened.enter_context(closing(open_journal(uri))))
        return gather(Period(since, until), journals, loaded, snapshots, anchor=known, unread=unread)


def _say(package: Package, output_format: str, **made: Any) -> None:
    """Say what a package holds; exit 1 where its journal cannot be relied on."""
    from policykit.operate.evidence.status import text, to_dict
    from policykit.redact import scrub

    said = {**to_dict(package), **made}
    click.echo(scrub(json.dumps(said, indent=1, ensure_ascii=False) if output_format == "json" else text(said)))
    leave(Exit.DONE if package.whole else Exit.NO)
