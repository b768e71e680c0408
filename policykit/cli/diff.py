"""`policykit diff OLD NEW`: where a policy became tighter or looser, and the order that shows it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from policykit.cli._options import (
    Exit,
    example,
    format_option,
    leave,
    now_option,
    output_option,
    use_colour,
    write_output,
)

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
    help="Exit 1 when a policy is looser, at least in part; or differs at all.",
)
@now_option
def command(
    old: str,
    new: str,
    paths: tuple[str, ...],
    output_format: str,
    output: Path | None,
    since_fork: bool,
    fail_on: str | None,
    now_ms: int | None,
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
        base = merge_base(old, "HEAD" if Path(new).exists() else new) if since_fork else old
        sides = read_sides(base, new, paths, now)
    except NotNamed as error:
        raise click.UsageError(str(error)) from None
    found = differences(*sides, now)
    style = Style(colour=output is None and use_colour())
    write_output(write(output_format, found, style), output)
    failed = any(one.verdict in _FAIL_ON[fail_on] for one in found.policies) if fail_on else False
    leave(Exit.CALL if found.faults else Exit.NO if failed else Exit.DONE)
