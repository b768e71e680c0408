"""`policykit diff OLD NEW`: where a policy became tighter or looser, and the order that shows it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policykit.cli._ci import ci_context, on_job_page
from policykit.cli._options import (
    Exit,
    example,
    format_option,
    leave,
    now_option,
    output_option,
    parse_moment,
    progress,
    use_colour,
    write_output,
)

if TYPE_CHECKING:
    from policykit.proofs.difference import Difference
    from policykit.proofs.gate import Consent

#: What a replay is asked for with.
_REPLAY = ("replay", "since_ms", "until_ms", "equity", "policy")
_FORMATS = ("text", "json", "markdown", "github")
#: What counts as looser, for the exit code.
_FAIL_ON = {"looser": ("looser", "different"), "different": ("looser", "different", "tighter")}


@click.command(epilog=example("policykit diff main . policies/\npolicykit diff main:policies/mm.yaml policies/mm.yaml"))
@click.argument("old")
@click.argument("new")
@click.argument("paths", nargs=-1)
@format_option(_FORMATS)
@output_option
@click.option(
    "--since-fork",
    is_flag=True,
    help="Compare NEW with the commit that it has in common with OLD, as a pull request does.",
)
@click.option(
    "--fail-on",
    type=click.Choice(list(_FAIL_ON)),
    help="Exit 1 when a policy is looser, at least in part, or differs at all (a new one differs, and is not looser).",
)
@click.option(
    "--replay",
    metavar="JOURNAL",
    help="Decide recorded decisions again: a journal's file, a store's URI, or an exchange's CSV of own trades.",
)
@click.option("--since", "since_ms", metavar="ISO", callback=parse_moment, help="Replay from this moment.")
@click.option("--until", "until_ms", metavar="ISO", callback=parse_moment, help="Replay up to before this moment.")
@click.option("--equity", metavar="AMOUNT", help="What the account was worth in a CSV's time (100000 USDT).")
@click.option("--policy", metavar="NAME", help="The policy whose trades a CSV has, where several are compared.")
@click.option("--comment", type=click.Path(dir_okay=False, path_type=Path), help="Write the Markdown to a file, too.")
@click.option("--require-approval", is_flag=True, help="Exit 1 until who must approve a looser or new policy did.")
@click.option("--approved-by", multiple=True, metavar="NAME", help="Who approved it where it is reviewed.")
@click.option("--person", multiple=True, metavar="LOGIN=NAME", help="Which person of `approvals.by` a reviewer is.")
@click.option(
    "--approval",
    "approvals",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A signature of `policykit approve policy -o`, or a folder of them (default: beside the policies).",
)
@click.option("--signers", type=click.Path(dir_okay=False, path_type=Path), help="The file of those who may sign.")
@click.option("--revoked", type=click.Path(dir_okay=False, path_type=Path), help="Keys that sign nothing any more.")
@now_option
def command(
    old: str,
    new: str,
    paths: tuple[str, ...],
    output_format: str,
    output: Path | None,
    comment: Path | None,
    now_ms: int | None,
    **asked: Any,
) -> None:
    """Compare policies as they are in force, with what they extend, their stage and their waivers.

    OLD and NEW are each a policy, a folder of policies, or a git revision (main, HEAD~1, main:policies/mm.yaml);
    PATHS name what of a folder or a revision is compared. Exit 2 when a policy does not load.
    """
    from policykit.proofs.diff import differences
    from policykit.proofs.report import Style, write
    from policykit.proofs.revisions import NotNamed, merge_base, read_sides

    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    try:
        base = merge_base(old, "HEAD" if Path(new).exists() else new) if asked.pop("since_fork") else old
        sides = read_sides(base, new, paths, now)
    except NotNamed as error:
        raise click.UsageError(str(error)) from None
    found = _replayed(differences(*sides, now), **{name: asked.pop(name) for name in _REPLAY})
    fail_on = asked.pop("fail_on")
    consents = _consents(found, now, **asked)
    root = ci_context().root if output_format == "github" else None
    style = Style(output is None and use_colour(), root, consents)
    text = write(output_format, found, style)
    if text or output is not None:
        write_output(text, output)
    if comment is not None:
        write_output(write("markdown", found, style), comment)
    if output_format == "github":
        on_job_page(write("markdown", found, style), ci_context().summary_file)
    failed = any(one.why for one in consents or ())
    failed |= any(one.verdict in _FAIL_ON[fail_on] for one in found.policies) if fail_on else False
    replayed = found.replayed
    failed |= replayed is not None and bool(replayed.incomplete)
    interrupted = replayed is not None and replayed.interrupted
    leave(Exit.CALL if found.faults else Exit.INTERRUPTED if interrupted else Exit.NO if failed else Exit.DONE)


def _replayed(found: Difference, *, replay: str | None, **asked: Any) -> Difference:
    """Return the difference with what recorded decisions would be, where that is asked for."""
    if replay is None:
        if any(said is not None for said in asked.values()):
            said = "--since, --until, --equity and --policy say what to replay"
            raise click.UsageError(f"{said}; --replay JOURNAL is needed")
        return found
    from policykit.errors import StoreUnavailable
    from policykit.proofs import replay as replaying

    pairs = [(one.old, one.new) for one in found.policies]
    try:
        told = progress("replay", "rows")
        return replace(found, replayed=replaying.replay(pairs, replay, **asked, told=told))
    except (ValueError, StoreUnavailable) as error:
        raise click.UsageError(str(error)) from None


def _consents(
    found: Difference, now_ms: int, *, require_approval: bool, approved_by: tuple[str, ...], **given: Any
) -> tuple[Consent, ...] | None:
    """Return who agreed to what; None where nobody is asked."""
    if not require_approval:
        return None
    from policykit.proofs.gate import consents, gathered

    people = dict(said.partition("=")[::2] for said in given.pop("person"))
    if not all(people.values()):
        raise click.BadParameter("LOGIN=NAME is needed, such as jane-doe=desk-head", param_hint="--person")
    return consents(found, gathered(found, now_ms, reviewers=approved_by, people=people, **given))
